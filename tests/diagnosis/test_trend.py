"""The arrow in the live view turns for a change, not for noise."""

from __future__ import annotations

import math

import pytest

from ganforge.diagnosis import Trend, trend


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "flat"),
        ([300.0, 100.0], "flat"),  # two values are no trend
        ([300.0, 200.0, 150.0, 120.0], "improving"),
        ([120.0, 150.0, 200.0, 300.0], "worsening"),
        ([100.0, 101.0, 99.0, 100.5, 99.5], "flat"),
        ([100.0, 140.0, 60.0, 130.0, 70.0, 100.0], "flat"),  # much noise about nothing
        ([300.0, 250.0, 900.0, 180.0, 150.0, 120.0], "improving"),  # one wild evaluation does not turn the arrow
        ([300.0, math.nan, 200.0, math.inf, 100.0], "improving"),
    ],
)
def test_lower_is_better_unless_told(values: list[float], expected: Trend) -> None:
    assert trend(values) == expected


def test_where_higher_is_better_the_arrow_turns_round() -> None:
    assert trend([0.1, 0.2, 0.3, 0.4], better="higher") == "improving"
    assert trend([0.4, 0.3, 0.2, 0.1], better="higher") == "worsening"


def test_only_the_last_values_count() -> None:
    assert trend([500.0, 400.0, 300.0, *[100.0] * 6]) == "flat"
