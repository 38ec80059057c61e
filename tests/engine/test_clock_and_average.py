"""The clock, the schedules that hang on it, the moving average, and the seeds of everything."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganforge.contracts import Schedule
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.checkpoint import Clock, fitting_length
from ganforge.engine.ema import MovingAverage


@given(
    length=st.integers(1, 10**7),
    batch=st.integers(1, 10**4),
    cuts=st.lists(st.tuples(st.integers(1, 30), st.floats(0.0, 1.5)), max_size=6),
)
def test_progress_is_continuous_monotone_and_ends_at_one(
    length: int, batch: int, cuts: list[tuple[int, float]]
) -> None:
    clock, last = Clock(length), 0.0
    for steps, share in cuts:
        for _ in range(steps):
            if clock.done:
                break
            clock.examples += batch
            assert clock.progress >= last
            last = clock.progress
        if clock.done:
            break
        left = clock.length - clock.examples
        clock.set_length(clock.examples + max(1, int(share * left)))  # a cut, or a stretch
        assert clock.progress == pytest.approx(last, abs=1e-12)
        last = min(last, clock.progress)
    clock.examples = max(clock.examples, clock.length)
    assert clock.done
    assert clock.progress == 1.0


def test_without_cuts_progress_is_the_share_of_examples() -> None:
    assert [Clock(200, examples).progress for examples in (0, 50, 200, 300)] == [0.0, 0.25, 1.0, 1.0]


def test_after_a_cut_progress_runs_faster_from_where_it_is() -> None:
    clock = Clock(1000, 500)
    clock.set_length(600)
    assert clock.progress == 0.5
    clock.examples = 550
    assert clock.progress == 0.75


@pytest.mark.parametrize(
    ("used", "rate", "expected"),
    [
        (50.0, 10.0, None),  # 500 more fit: as planned
        (50.0, 9.5, None),  # 2.6 s late in 100: not worth a change
        (50.0, 10.6, None),  # 2.8 s early
        (50.0, 5.0, 750),
        (100.0, 5.0, 500),  # nothing is left
        (120.0, 5.0, 500),
        (50.0, 20.0, 1500),  # a machine that became free again
    ],
)
def test_the_length_that_fits_the_time(used: float, rate: float, expected: int | None) -> None:
    assert fitting_length(Clock(1000, 500), used, 100.0, rate) == expected


@pytest.mark.parametrize("shape", ["linear", "cosine", "geometric"])
def test_a_schedule_starts_at_start_and_ends_at_end(shape: str) -> None:
    schedule = Schedule(0.5, 0.02, shape)  # type: ignore[arg-type]
    assert schedule.at(0.0) == pytest.approx(0.5, rel=1e-12)
    assert schedule.at(1.0) == pytest.approx(0.02, rel=1e-12)
    assert schedule.at(-1.0) == schedule.at(0.0)
    assert schedule.at(2.0) == schedule.at(1.0)
    middle = {"linear": 0.26, "cosine": 0.26, "geometric": math.sqrt(0.5 * 0.02)}[shape]
    assert schedule.at(0.5) == pytest.approx(middle)


def test_a_constant_schedule_ignores_its_end_and_warmup_rises_from_zero() -> None:
    assert [Schedule(0.3, 0.0, "constant").at(p) for p in (0.0, 0.5, 1.0)] == [0.3] * 3
    warm = Schedule(0.3, 0.3, "constant", warmup=0.1)
    assert [warm.at(p) for p in (0.0, 0.05, 0.1, 0.9)] == pytest.approx([0.0, 0.15, 0.3, 0.3])


def test_a_geometric_schedule_to_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="positive ends"):
        Schedule(1.0, 0.0, "geometric")


def ones(value: float) -> nn.Module:
    network = nn.BatchNorm1d(2)  # it has buffers too
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


@pytest.mark.parametrize("batch", [1, 50, 500, 1000])
def test_after_its_half_life_the_average_is_half_way(batch: int) -> None:
    network = ones(0.0)
    average = MovingAverage(network, half_life_examples=1000.0)
    nn.init.ones_(network.weight)
    for _ in range(1000 // batch):
        average.follow(average.weight(examples=10**6, batch_size=batch))  # old enough for the full half-life
    torch.testing.assert_close(average.network.weight, torch.full((2,), 0.5), atol=1e-4, rtol=0.0)


def test_a_young_average_has_a_half_life_of_a_twentieth_of_its_age() -> None:
    network = ones(0.0)
    average = MovingAverage(network, half_life_examples=1e9)
    nn.init.ones_(network.weight)
    average.follow(average.weight(examples=1000, batch_size=50))  # 0.05 x 1000: one half-life
    torch.testing.assert_close(average.network.weight, torch.full((2,), 0.5))


def test_no_half_life_is_the_network_itself_and_buffers_are_copied() -> None:
    network = ones(0.0)
    average = MovingAverage(network, half_life_examples=0.0)
    nn.init.constant_(network.weight, 0.1234567)
    network.running_mean.fill_(3.0)
    average.follow(average.weight(examples=10, batch_size=10))
    assert torch.equal(average.network.weight, network.weight)
    assert torch.equal(average.network.running_mean, network.running_mean)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())


def test_seeds_are_these_numbers_for_ever() -> None:
    """A change of these breaks the resuming of every run there is."""
    assert {words: seed_for(*words) for words in GOLDEN} == GOLDEN


GOLDEN = {
    (0, "networks"): 5_144_729_594_453_334_799,
    (0, "generator/batch"): 4_826_874_717_769_222_153,
    (1, "generator/batch"): 6_067_513_972_110_443_778,
    (1, "generator/batch", 1): 1_925_053_959_418_006_700,
    (1, "generator/batch", 0, 1): 7_648_226_125_976_832_180,
    (1, "generator/batch", 0, 1, 1): 8_120_627_151_330_774_603,
}


@given(st.integers(0, 2**40), st.text(max_size=20), st.integers(0, 100), st.integers(0, 10**9), st.integers(0, 9))
def test_a_seed_is_63_bits_and_the_same_each_time(seed: int, stream: str, rank: int, step: int, attempt: int) -> None:
    first = seed_for(seed, stream, rank, step, attempt)
    assert 0 <= first < 2**63
    assert first == seed_for(seed, stream, rank, step, attempt)


def test_different_purposes_get_different_numbers() -> None:
    seeds = {
        seed_for(seed, stream, rank, step, attempt)
        for seed in range(3)
        for stream in ("a", "b")
        for rank in range(3)
        for step in range(50)
        for attempt in range(3)
    }
    assert len(seeds) == 3 * 2 * 3 * 50 * 3
    first, second = (torch.rand(4, generator=generator_for(0, "a", step=step)) for step in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.rand(4, generator=generator_for(0, "a", step=0)))
