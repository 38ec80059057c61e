"""Into how many pieces a batch is cut, and that nothing but the recipe decides the bits of what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import ganforge as gf
from ganforge.contracts import Observer
from ganforge.core import device as threads
from ganforge.core.files import sha256_of
from ganforge.engine.profile import StepCost
from ganforge.errors import Interrupted
from ganforge.objectives import OBJECTIVES
from ganforge.planning import compute
from ganforge.planning.compute import FLOPS_PER_START, pieces_for
from ganforge.recipe import Compute

pytestmark = pytest.mark.slow

SHORT = {"records.marks": [1.0], "records.every_steps": 2, "network.width": 8, "records.look_samples": 50}


@pytest.fixture(autouse=True)
def _threads_as_before() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "THREADS", 2)
    monkeypatch.setattr(threads, "THREADS", 2)
    monkeypatch.setattr(threads, "_helpers", None)


def compute_of(source: str = "digits", **asked: Any) -> Compute:
    settings = {"compute.device": "cpu", **asked.pop("settings", {})}
    return gf.plan(source, settings=settings, **asked).compute


@pytest.mark.parametrize(
    ("starts_worth", "batch", "cores", "expected"),
    [  # starts_worth: for how many more starts of all operations the arithmetic is enough
        (0.9, 64, 8, 1),
        (1.0, 64, 8, 2),
        (1.9, 64, 8, 2),
        (100.0, 64, 8, 8),
        (100.0, 64, 2, 2),
        (100.0, 64, 1, 1),
        (100.0, 64, 12, 8),  # pieces are equal
        (100.0, 6, 8, 3),  # and hold two examples at least
        (100.0, 3, 8, 1),
        (100.0, 1, 8, 1),
    ],
)
def test_pieces_are_as_many_as_there_are_cores_for_and_arithmetic(
    starts_worth: float, batch: int, cores: int, expected: int
) -> None:
    assert pieces_for(StepCost(FLOPS_PER_START * 400 * starts_worth, 400), batch, cores) == expected


@pytest.mark.usefixtures("two_cores")
@pytest.mark.parametrize("length", [{"examples": 640}, {"minutes": 1.0}])
@pytest.mark.parametrize(
    ("source", "size", "expected"),
    [("digits", "tiny", 2), ("digits8", "tiny", 1), ("wine", "tiny", 1), ("wine", "medium", 2)],
)
def test_pieces_follow_from_the_network_and_not_from_how_fast_the_machine_is(
    source: str, size: str, expected: int, length: Mapping[str, Any]
) -> None:
    found = compute_of(source, size=size, **length)
    assert (found.pieces, found.threads) == (expected, 1)


@pytest.mark.usefixtures("two_cores")
def test_what_a_person_has_said_of_pieces_or_threads_is_left_alone() -> None:
    assert compute_of(size="tiny", examples=64, settings={"compute.pieces": 4}).pieces == 4
    for count in (1, 2):
        found = compute_of(size="tiny", examples=64, settings={"compute.threads": count})
        assert (found.pieces, found.threads) == (1, count)


@pytest.mark.usefixtures("two_cores")
def test_examples_that_an_objective_ties_together_stay_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OBJECTIVES["r3gan"], "couples_examples", True)
    assert compute_of(size="tiny", examples=64).pieces == 1


def test_one_core_computes_a_batch_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "THREADS", 1)
    assert compute_of(size="tiny", examples=64).pieces == 1


class Stopping:
    """An observer that interrupts a run at its second record, and keeps the number of threads at each."""

    def __init__(self, stop: bool) -> None:
        self.stop, self.threads = stop, list[int]()

    def record(self, record: Mapping[str, Any]) -> None:
        self.threads.append(torch.get_num_threads())
        if self.stop and len(self.threads) == 2:
            raise KeyboardInterrupt

    def event(self, event: Mapping[str, Any]) -> None:
        pass


def trained(run: Path, settings: Mapping[str, Any], *observers: Observer) -> str:
    gf.train("digits8", examples=640, run=run, settings={**SHORT, **settings}, observers=observers)
    return sha256_of(run / "model" / "model.safetensors")


def test_a_run_of_two_cores_has_the_bits_of_one_core_also_where_it_is_resumed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"compute.pieces": 4, "compute.device": "cpu"}
    monkeypatch.setattr(threads, "THREADS", 1)
    alone = trained(tmp_path / "alone", settings)
    monkeypatch.setattr(threads, "THREADS", 2)
    monkeypatch.setattr(threads, "_helpers", None)
    assert trained(tmp_path / "together", settings) == alone
    with pytest.raises(Interrupted):
        trained(tmp_path / "moved", settings, Stopping(stop=True))
    monkeypatch.setattr(threads, "THREADS", 1)
    gf.resume(tmp_path / "moved")
    assert sha256_of(tmp_path / "moved" / "model" / "model.safetensors") == alone


@pytest.mark.parametrize("count", [1, 2])
def test_a_resumed_run_has_the_threads_of_its_recipe(count: int, tmp_path: Path) -> None:
    run, settings = tmp_path / "run", {"compute.threads": count, "compute.device": "cpu"}
    straight = trained(tmp_path / "straight", settings)
    with pytest.raises(Interrupted):
        trained(run, settings, Stopping(stop=True))
    torch.set_num_threads(3 - count)
    watching = Stopping(stop=False)
    gf.resume(run, observers=(watching,))
    assert set(watching.threads) == {count}
    assert sha256_of(run / "model" / "model.safetensors") == straight


class Pools:
    """An observer that keeps how many threads libraries would take, whenever it is told of something."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def record(self, record: Mapping[str, Any]) -> None:
        self.seen += [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] in ("started", "evaluating"):
            self.record(event)


def test_libraries_that_measure_a_run_have_the_threads_of_its_recipe_and_theirs_again_afterwards(
    tmp_path: Path,
) -> None:
    pools = Pools()
    with threadpool_limits(2, user_api="blas"):
        trained(tmp_path / "run", {"compute.threads": 1, "compute.device": "cpu"}, pools)
        assert pools.seen and set(pools.seen) == {1}
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {2}
