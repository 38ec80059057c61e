"""How fast a game trains on this machine, by a few timed stretches."""

from __future__ import annotations

from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.planning.compute import measure_rate, timed_enough
from ganforge.recipe import Request


def test_the_rate_of_real_steps_is_measured() -> None:
    job = Generate().plan(Request(source="digits8", examples=640), lambda *event, **content: None)
    assert 10 < measure_rate(job.recipe, job.feed, steps=1, build=build_game) < 1e7


def test_where_kernels_are_chosen_in_the_first_stretch_a_second_one_is_timed_however_late_it_is() -> None:
    late = 0.0
    assert not timed_enough([], late, least=1)
    assert timed_enough([30.0], late, least=1)
    assert not timed_enough([30.0], late, least=2)
    assert timed_enough([30.0, 90_000.0], late, least=2)
