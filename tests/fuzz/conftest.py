"""Real runs, tiny, that the fuzz tests take apart. Each is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ganforge

SMALL = {"compute.threads": "1", "compute.device": "cpu", "compute.precision": "float32", "network.width": "8"}


@pytest.fixture(scope="session")
def picture_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    kinds = np.arange(200) % 2
    pictures = (random.integers(0, 100, (200, 8, 8)) + 100 * kinds[:, None, None]).astype(np.uint8)
    run = tmp_path_factory.mktemp("pictures") / "run"
    ganforge.train((pictures, kinds), run=run, examples=256, settings=SMALL)
    return run


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    start = random.integers(0, 50, 300)
    return pd.DataFrame(
        {
            "key": [f"K-{number:04d}" for number in range(300)],
            "x": np.where(random.random(300) < 0.1, np.nan, random.normal(size=300).round(2)),
            "city": random.choice(["P", "Q", "R"], 300),
            "start": start,
            "end": start + random.integers(0, 9, 300),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 999, 300), unit="D"),
            "unit": "m",
        }
    )


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    run = tmp_path_factory.mktemp("table") / "run"
    ganforge.train(table, run=run, examples=2048, settings=SMALL | {"rows.referee": "512"})
    return run


@pytest.fixture(scope="session")
def regression_run(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Path:
    run = tmp_path_factory.mktemp("regression") / "run"
    ganforge.train(table[["x", "start", "end"]].dropna(), run=run, task="regress", label="end", examples=2048)
    return run


@pytest.fixture(params=["picture_run", "table_run", "regression_run"])
def any_run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each run, free to be damaged."""
    shutil.copytree(request.getfixturevalue(request.param), tmp_path / "run")
    return tmp_path / "run"
