"""A discriminator that begins to play late has not stopped; one that stops later has."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from histories import RECORDS, gan

from ganforge.diagnosis import diagnose
from ganforge.records import History, Record


def ailments(history: History) -> set[str]:
    return {finding.ailment for finding in diagnose(history)}


def beginning_late(share: float) -> Callable[[int, Record], None]:
    """A discriminator that guesses, without a gradient, for the first share of the run: so the generator has none."""

    def plant(i: int, record: Record) -> None:
        if i < share * RECORDS:
            record["terms"]["discriminator"] = {"adversarial": math.log(2), "r1": 0.0, "r2": 0.0}
            record["notes"]["discriminator"].update(ranked_right=0.5, score_real=0.1, score_fake=0.1001)
            record["gradient_norms"].update(discriminator=1e-9, generator=1e-10)
            record["update_ratios"].update(discriminator=1e-9, generator=1e-10)

    return plant


@pytest.mark.parametrize("begins", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seen", [0.1, 0.25, 0.5, 1.0])
def test_a_discriminator_that_begins_late_has_not_stopped(begins: float, seen: float) -> None:
    history = History(records=gan(beginning_late(begins)).records[: int(seen * RECORDS)])
    assert not {"vanishing", "exploding"} & ailments(history)


def test_a_discriminator_that_stops_after_a_late_start_is_found() -> None:
    def plant(i: int, record: Record) -> None:
        beginning_late(0.2)(i, record)
        if i > 0.6 * RECORDS:
            record["gradient_norms"]["discriminator"] = 1e-9
        if "quality" in record:
            record["quality"] = {"fid": 100.0}

    assert "vanishing" in ailments(gan(plant))
