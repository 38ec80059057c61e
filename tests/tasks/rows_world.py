"""A table whose joint distribution is known, and tiny models of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from ganforge.api.train import fit_settings
from ganforge.core.files import sha256_of, write_folder
from ganforge.engine.fit import fit
from ganforge.kinds.tables.generate.model import RowModel
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.impute import Impute
from ganforge.recipe import Recipe, Request
from ganforge.run import Run

SMALL = {"compute.threads": "1", "compute.device": "cpu", "compute.precision": "float32"}
MISSING = (0.05, 0.2, 0.6)  # share of rows without z, for each y


def known(rows: int, seed: int = 0) -> pd.DataFrame:
    """y is x mod 3 but for a tenth; z and the gap from start to end grow with y; a city lies in one country."""
    random = np.random.default_rng(seed)
    x = random.choice(12, rows, p=np.arange(1, 13) / 78)
    y = np.where(random.random(rows) < 0.1, random.integers(0, 3, rows), x % 3)
    z = np.round(random.normal(10 * y, 2), 1)
    z[random.random(rows) < np.array(MISSING)[y]] = np.nan
    city = np.where(random.random(rows) < 0.7, y, random.integers(0, 6, rows))
    start = random.integers(0, 100, rows)
    return pd.DataFrame(
        {
            "key": [f"K-{number:06d}" for number in random.permutation(rows)],
            "x": x,
            "y": np.array(["a", "b", "c"], dtype=object)[y],
            "z": z,
            "city": np.array(["P", "Q", "R", "S", "T", "U"], dtype=object)[city],
            "country": np.array(["A", "B"], dtype=object)[city % 2],
            "start": start,
            "end": start + random.poisson(3 + 5 * y),
            "unit": "m",
        }
    )


@dataclass(frozen=True, slots=True)
class Trained:
    recipe: Recipe
    job: Any
    product: nn.Module

    @property
    def model(self) -> RowModel:
        rows = getattr(self.job, "rows", self.job)
        model: RowModel = rows.model(self.product)
        return model

    def as_run(self, folder: Path) -> Run:
        """A run folder with all that `apply` and `sample` read."""
        folder.mkdir()
        run = Run(folder)
        run.write_json(run.recipe, self.recipe.to_json())
        write_folder(run.model, lambda place: self.job.write_model(place, self.product))
        return run


def planned(frame: pd.DataFrame, folder: Path, task: str = "generate", examples: int = 60_000, **more: Any) -> Any:
    path = folder / "table.parquet"
    frame.to_parquet(path, index=False)
    settings = SMALL | more.pop("settings", {})
    request = Request(source=str(path), task=task, examples=examples, size="tiny", settings=settings, **more)
    return (Impute() if task == "impute" else GenerateRows()).plan(request, quiet)


def trained(frame: pd.DataFrame, folder: Path, task: str = "generate", **more: Any) -> Trained:
    job = planned(frame, folder, task, **more)
    return Trained(job.recipe, job, job.finish(fit(job.game(), job.feed, fit_settings(job.recipe)).product))


def quiet(kind: str, **content: Any) -> None:
    pass


class Killed(BaseException):
    """Nothing is saved any more, as when the process is killed."""


def kill_after(calls: int) -> Callable[[], bool]:
    left = [calls]

    def stop() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return False

    return stop


def digests(run: Run) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(run.model.iterdir())}


def distance(one: Mapping[str, Any], other: Mapping[str, Any], *columns: str) -> float:
    """Total variation between the joint distributions of these columns, 0..1."""
    shares = [
        pd.DataFrame({name: table[name] for name in columns}).value_counts(normalize=True, dropna=False)
        for table in (one, other)
    ]
    return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)
