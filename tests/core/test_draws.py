from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganforge.core.seeds import Draws, generator_for
from ganforge.core.world import World, stretch
from ganforge.errors import RecipeError


def draws(rank: int = 0, size: int = 1) -> Draws:
    return Draws(generator_for(7, "test/draws"), World(rank, size))


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_rows_of_all_processes_together_are_those_of_one(size: int) -> None:
    rows = 12 // size
    for alone, parts in (
        (draws().normal(12, 3), [draws(rank, size).normal(rows, 3) for rank in range(size)]),
        (draws().uniform(12, low=2, high=3), [draws(rank, size).uniform(rows, low=2, high=3) for rank in range(size)]),
        (draws().examples(100, 12), [draws(rank, size).examples(100, 12) for rank in range(size)]),
    ):
        assert torch.equal(alone, torch.cat(parts))


@given(
    count=st.integers(1, 10**7), rows=st.integers(1, 40), size=st.sampled_from([1, 2, 4, 8]), seed=st.integers(0, 99)
)
def test_a_process_draws_from_its_own_stretch_alone(count: int, rows: int, size: int, seed: int) -> None:
    for rank in range(size):
        drawn = Draws(generator_for(seed, "test"), World(rank, size)).examples(count, rows * size)
        first, last = stretch(count, World(rank, size))
        assert first <= int(drawn.min()) and int(drawn.max()) < last


@pytest.mark.parametrize(("count", "batch"), [(5, 3), (7, 16), (10, 4)])
def test_every_example_is_as_likely_as_any_other(count: int, batch: int) -> None:
    """Closed form: batch / count of each example a batch. 20,000 batches: its standard error is below 0.004 x that."""
    random = Draws(generator_for(0, "test/likely"))
    counted = sum(torch.bincount(random.examples(count, batch), minlength=count) for _ in range(20_000))
    assert isinstance(counted, torch.Tensor)
    shares = counted / (20_000 * batch / count)
    assert (shares - 1).abs().max() < 0.03


def test_a_batch_as_large_as_the_data_holds_every_example_once() -> None:
    assert torch.equal(draws().examples(331, 331), torch.arange(331))


def test_stretches_cover_everything_and_overlap_by_one_example_at_most() -> None:
    for count, size in ((10, 3), (7, 8), (1_000_003, 64)):
        ends = [stretch(count, World(rank, size)) for rank in range(size)]
        assert ends[0][0] == 0 and ends[-1][1] == count
        assert all(0 <= before[1] - after[0] <= 1 for before, after in itertools.pairwise(ends))


def test_a_batch_that_cannot_be_shared_is_refused_with_one_that_can() -> None:
    with pytest.raises(RecipeError, match=r"batch of 30 .* 4 processes") as refused:
        World(0, 4).share_of(30)
    assert "optimiser.batch_size=32" in str(refused.value)
