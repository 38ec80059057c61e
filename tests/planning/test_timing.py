"""How fast a game trains on this machine, by a few timed stretches."""

from __future__ import annotations

import pytest
from toy_games import Clock, SlowFeed

from ganforge.engine import control
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.planning import compute
from ganforge.planning.compute import measure_rate, timed_enough
from ganforge.recipe import Request


@pytest.mark.parametrize("seconds", [0.25, 30.0])
def test_the_rate_of_real_steps_is_measured(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock by which a batch takes so many seconds, and each of the two players has one in a step."""
    job, clock = Generate().plan(Request(source="digits8", examples=640), lambda *event, **content: None), Clock()
    for module in (control, compute):
        monkeypatch.setattr(module, "perf_counter", clock)
    feed = SlowFeed(clock, seconds, **job.feed.raw(0, len(job.feed)))
    feed.batch = lambda indices: (SlowFeed.batch(feed, indices), job.feed.batch(indices))[1]  # type: ignore[method-assign]
    rate = measure_rate(job.recipe, feed, steps=1, build=build_game)
    assert rate == pytest.approx(job.recipe.optimiser.batch_size / (2 * seconds))


def test_where_kernels_are_chosen_in_the_first_stretch_a_second_one_is_timed_however_late_it_is() -> None:
    late = 0.0
    assert not timed_enough([], late, least=1)
    assert timed_enough([30.0], late, least=1)
    assert not timed_enough([30.0], late, least=2)
    assert timed_enough([30.0, 90_000.0], late, least=2)
