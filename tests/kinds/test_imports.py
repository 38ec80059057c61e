"""Nobody waits for a package that is not needed: each program lists what it has imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.kinds import KINDS

HEAVY = {"torch", "numpy", "pandas", "pyarrow", "skimage", "sklearn", "scipy", "matplotlib", "PIL"}
DOORS = set(KINDS.values())
QUICK = {"records.marks": [1.0], "records.look_samples": 50, "compute.threads": 1, "network.width": 16}
CLI = "from ganforge.cli import main; main({words!r})"
TRAIN = "import ganforge; ganforge.train({source!r}, run={run!r}, examples=256, size='tiny', settings={settings!r})"


def imported(program: str, folder: Path) -> set[str]:
    """The modules that are there when a program has run."""
    program += "\nimport json, sys; print('LOADED' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.partition("LOADED")[2]))


@pytest.mark.parametrize(
    "program",
    [
        "import ganforge",
        "import ganforge.kinds; ganforge.kinds.every_kind()",
        CLI.format(words=["--help"]),
        CLI.format(words=["train", "--help"]),
        CLI.format(words=["train", "digits", "--resolution", "7"]),
    ],
)
def test_help_and_mistakes_in_options_need_no_package_of_arrays(program: str, tmp_path: Path) -> None:
    assert not imported(program, tmp_path) & HEAVY


def test_the_list_of_runs_needs_no_package_of_arrays(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "digits-1"
    run.mkdir(parents=True)
    (run / "recipe.json").write_text('{"task": "generate", "data": {"source": "digits", "kind": "pictures"}}')
    assert not imported(CLI.format(words=["runs"]), tmp_path) & HEAVY


@pytest.mark.slow
def test_pictures_are_trained_without_packages_for_tables(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pictures, labels = random.integers(0, 256, (300, 8, 8), dtype=np.uint8), np.arange(300) % 3
    np.savez(tmp_path / "data.npz", x=pictures, y=labels)
    program = TRAIN.format(source=str(tmp_path / "data.npz"), run=str(tmp_path / "run"), settings=QUICK)
    found = imported(program, tmp_path)
    assert not found & {"pandas", "pyarrow", "sklearn", "skimage", "matplotlib"}
    assert not {name for name in found if name.startswith("ganforge.kinds.tables")} - DOORS


@pytest.mark.slow
def test_a_table_is_trained_without_packages_for_pictures(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=300).round(2), "b": random.integers(0, 3, 300)})
    frame.to_csv(tmp_path / "data.csv", index=False)
    program = TRAIN.format(source=str(tmp_path / "data.csv"), run=str(tmp_path / "run"), settings=QUICK)
    found = imported(program, tmp_path)
    assert "skimage" not in found
    assert not {name for name in found if name.startswith("ganforge.kinds.pictures")} - DOORS
