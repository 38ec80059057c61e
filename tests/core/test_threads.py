"""Pieces of work that several threads compute at the same time, or one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from ganforge.core import device as threads
from ganforge.core.device import in_order, side_by_side, threads_for, torch_threads

PATIENCE = 600.0  # seconds after which what should have happened never will


@pytest.fixture(autouse=True)
def _three_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(threads, "THREADS", 3)
    monkeypatch.setattr(threads, "_helpers", None)
    yield
    if threads._helpers is not None:
        threads._helpers.shutdown()
    torch.set_num_threads(before)


def squares(count: int) -> list[Callable[[], int]]:
    return [partial(pow, number, 2) for number in range(count)]


def thread() -> int:
    return threading.get_ident()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_results_are_in_the_order_of_the_pieces(count: int) -> None:
    assert side_by_side(squares(count)) == [number**2 for number in range(count)]


def test_as_many_pieces_as_there_are_cores_are_computed_at_the_same_time() -> None:
    together = threading.Barrier(3)  # each piece waits until three are being computed
    found = side_by_side([lambda: (together.wait(PATIENCE), thread())[1]] * 3)
    assert len(set(found)) == 3 and thread() in found


def test_a_helper_that_does_not_begin_is_not_waited_for() -> None:
    """Another program has its core: this thread computes all pieces by itself."""
    free = threading.Event()
    busy = [threads._pool().submit(free.wait, PATIENCE) for _ in range(2)]
    assert side_by_side([thread] * 5) == [thread()] * 5
    assert not any(helper.done() for helper in busy)
    free.set()


@pytest.mark.parametrize("faulty", [0, 1, 2])
def test_what_a_piece_raises_is_raised_when_no_other_is_computed_any_more(faulty: int) -> None:
    together, done = threading.Barrier(3), list[int]()

    def piece(place: int) -> None:
        together.wait(PATIENCE)
        if place == faulty:
            raise ArithmeticError("this one")
        done.append(place)

    with pytest.raises(ArithmeticError, match="this one"):
        side_by_side([partial(piece, place) for place in range(3)])
    assert sorted(done) == sorted({0, 1, 2} - {faulty})


def test_each_helper_has_one_thread_for_its_operations() -> None:
    together = threading.Barrier(3)
    assert side_by_side([lambda: (together.wait(PATIENCE), torch.get_num_threads())[1]] * 3) == [1, 1, 1]


def test_where_operations_share_threads_pieces_are_computed_one_after_the_other() -> None:
    assert threads_for(2) == 2 and threads_for(8) == 3
    torch.set_num_threads(2)
    assert threads_for(8) == 1
    assert side_by_side([thread] * 3) == [thread()] * 3


def test_another_number_of_threads_is_for_a_while() -> None:
    with pytest.raises(ArithmeticError), torch_threads(2):
        assert torch.get_num_threads() == 2
        raise ArithmeticError
    assert torch.get_num_threads() == 1


def test_a_profiler_sees_all_pieces_in_its_own_thread() -> None:
    with in_order():
        assert threads_for(8) == 1
        assert side_by_side([thread] * 3) == [thread()] * 3
    assert threads_for(8) == 3
