"""A run without a discriminator is not said to be free of what only a game can have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import gan, regression

from ganforge.diagnosis import CHECKS, OF_A_GAME, checks_of
from ganforge.records import History


def test_a_game_is_asked_every_check_and_a_network_that_learns_alone_those_that_it_can_fail() -> None:
    assert checks_of(gan()) == checks_of(History(())) == tuple(CHECKS)
    alone = checks_of(regression())
    assert set(alone) == set(CHECKS) - OF_A_GAME
    assert not any("discriminator" in name for name in alone)


@pytest.mark.parametrize("name", sorted(OF_A_GAME))
def test_a_check_of_a_game_finds_nothing_where_there_was_none(name: str) -> None:
    def blind(i: int, record: dict[str, object]) -> None:
        record["notes"] = {}
        if "quality" in record:
            record["quality"] = {"fid": 300.0 + i, "precision": 0.9, "recall": 0.0, "kinds_reached": 0.0}

    assert CHECKS[name](replace(gan(blind), events=())) is None
