"""Worlds of processes are started by processes.py of the benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that two processes trained without an accident."""
    from processes import start
    from small_world import TRAIN, codes

    folder = tmp_path_factory.mktemp("straight")
    assert codes(start(2, TRAIN, folder)) == [0, 0]
    return folder / "run"
