"""The processes that torture.py of the benchmarks hurts, and what it compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def victims() -> Iterator[Any]:
    """One process that has imported everything, for all tests: its children begin at once."""
    from torture_victims import Victims

    with Victims() as forking:
        yield forking


@pytest.fixture(scope="session")
def short(victims: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A very short run, to be hit at every moment."""
    from torture import Torture

    return Torture("regress", tmp_path_factory.mktemp("short"), victims)
