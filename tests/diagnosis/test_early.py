"""Signs of a bad start: they are seen where they were planted, and not in the first records of a healthy run."""

from __future__ import annotations

from typing import Any

from ganforge.diagnosis.gradients import early_signs
from ganforge.records import History


def history(discriminator: float, generator: float, precision: float | None = 0.9, progress: float = 0.1) -> History:
    """Eight records with these first steps over weights, calm from the fifth on, and one look at the end."""
    records: list[dict[str, Any]] = [
        {
            "step": step,
            "progress": progress * step / 8,
            "gradient_norms": {"discriminator": 1.0, "generator": 1.0},
            "notes": {"discriminator": {"ranked_right": 0.7}},
            "update_ratios": {
                "discriminator": discriminator if step <= 4 else 0.01,
                "generator": generator if step <= 4 else 0.01,
            },
        }
        for step in range(1, 9)
    ]
    records[-1]["quality"] = {"kid": 1.0} if precision is None else {"kid": 1.0, "precision": precision}
    return History(tuple(records))


def found(history: History) -> list[str]:
    return [finding.ailment for finding in early_signs(history)]


def test_a_healthy_start_shows_nothing() -> None:
    assert found(history(0.06, 0.02)) == []


def test_first_steps_as_long_as_the_weights_are_told_by_who_made_them() -> None:
    assert found(history(0.9, 0.4)) == ["overshooting"]
    assert found(history(0.05, 0.4)) == ["overshooting"]
    assert found(history(0.9, 0.02)) == ["opponent_overshooting"]
    (finding,) = early_signs(history(0.9, 0.02))
    assert "90% of the weights of discriminator" in finding.evidence


def test_too_few_records_tell_nothing() -> None:
    whole = history(0.9, 0.9)
    assert found(History(whole.records[:3])) == []


def test_samples_that_look_like_nothing_are_shapeless_and_later_hopeless() -> None:
    assert found(history(0.05, 0.02, precision=0.2, progress=0.9)) == ["shapeless"]
    assert found(history(0.05, 0.02, precision=0.0, progress=0.2)) == ["shapeless"]
    assert found(history(0.05, 0.02, precision=0.0, progress=0.3)) == ["hopeless"]
    assert found(history(0.05, 0.02, precision=None, progress=0.9)) == []


def test_a_game_of_one_player_has_no_opponent_to_overshoot() -> None:
    alone = [{"step": s, "gradient_norms": {"learner": 1.0}, "update_ratios": {"learner": 0.9}} for s in range(9)]
    assert found(History(tuple(alone))) == []
