"""Numbers as codes and back: what is drawn inside a code, and that ranges and lists are kept with certainty."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganforge.kinds.tables.codec.numbers import KEPT, KNOTS, SPIKE, NumberUnit, SeenValues, SmoothValues, fit_numbers
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, one_of
from ganforge.kinds.tables.rules.values import at_least, at_most

Inside = Literal["seen", "smooth"]
SPANS = 8


def column(kind: str = "decimal", **more: object) -> Column:
    return Column.model_validate({"name": "value", "kind": kind, "dtype": "float64", **more})


def fitted(
    values: NDArray[np.float64], inside: Inside = "seen", spans: int = SPANS, kind: str = "decimal", **more: object
) -> NumberUnit:
    return fit_numbers(column(kind, **more), values, len(values), spans, inside)


def decoded(
    unit: NumberUnit, codes: NDArray[np.int32], conditions: tuple[Condition, ...] = (), seed: int = 0
) -> NDArray[np.float64]:
    return unit.decode(codes, conditions, np.random.default_rng(seed))["value"]


def spiky(count: int = 4_000, missing: float = 0.1) -> NDArray[np.float64]:
    """Half zeros, a frequent 7, the rest continuous, some missing: a column such as capital-gain."""
    random = np.random.default_rng(3)
    values = random.lognormal(3, 1, count)
    values[: count // 2] = 0.0
    values[count // 2 : count // 2 + count // 10] = 7.0
    values[random.random(count) < missing] = np.nan
    return random.permutation(values)


@pytest.mark.parametrize("inside", ["seen", "smooth"])
@pytest.mark.parametrize("decimals", [None, 0, 2])
@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_decoded_rows_encode_to_the_same_codes(inside: Inside, decimals: int | None, missing: float) -> None:
    values = spiky(missing=missing) if decimals is None else np.round(spiky(missing=missing), decimals)
    unit = fitted(values, inside, decimals=decimals)
    codes = unit.encode({"value": values})
    assert codes.dtype == np.int32 and set(codes) == set(range(unit.size))
    again = decoded(unit, codes)
    np.testing.assert_array_equal(unit.encode({"value": again}), codes)
    np.testing.assert_array_equal(np.isnan(again), np.isnan(values))
    if decimals is not None:
        np.testing.assert_array_equal(again, np.round(again, decimals))


def test_a_missing_value_has_the_first_code_only_where_training_had_one() -> None:
    holes, whole = fitted(np.array([1.0, np.nan, 2.0])), fitted(np.array([1.0, 2.0]))
    gap = {"value": np.array([np.nan, 2.0])}
    assert holes.encode(gap).tolist() == [0, 2] and holes.complete.tolist() == [False, True, True]
    assert whole.encode(gap).tolist() == [-1, 1] and whole.complete.tolist() == [True, True]
    assert fitted(np.array([1.0, 2.0]), missing=3).with_missing  # in rows that the sample left out


def test_few_values_have_a_code_each_and_frequent_ones_theirs() -> None:
    few = fitted(np.repeat(np.arange(SPANS, dtype=float), 3))
    assert few.size == SPANS and (few.least == few.most).all()
    unit = fitted(spiky(missing=0.0))
    for frequent in (0.0, 7.0):
        code = unit.encode({"value": np.array([frequent])})[0]
        assert unit.least[code] == unit.most[code] == unit.means[code] == frequent
    assert unit.size <= SPANS + 2 * 2  # a frequent value may cut a span in two


def test_a_value_is_alone_exactly_from_the_named_share_on() -> None:
    values = np.arange(1000, dtype=float)
    for count, alone in ((round(SPIKE * 1000), False), (round(SPIKE * 1000) + 1, True)):
        values[:1000] = np.arange(1000)
        values[500 : 500 + count] = 500
        unit = fitted(values)
        code = unit.encode({"value": np.array([500.0])})[0]
        assert (unit.least[code] == unit.most[code]) is np.bool_(alone)


def test_spans_hold_equally_many_rows_of_a_continuous_column() -> None:
    values = np.random.default_rng(0).normal(size=8_000)
    codes = np.bincount(fitted(values).encode({"value": values}))
    assert len(codes) == SPANS and np.abs(codes - 1_000).max() <= 1


def test_the_means_of_spans_are_those_of_their_rows() -> None:
    values = spiky()
    unit = fitted(values)
    codes = unit.encode({"value": values})
    for code in range(1, unit.size):
        assert unit.means[code - 1] == pytest.approx(values[codes == code].mean(), rel=1e-12)


def test_values_within_a_code_are_drawn_as_often_as_they_were_seen() -> None:
    """Chi-square of 60,000 draws of one span that holds 1 to 5 as often as 1 : 2 : 3 : 4 : 5."""
    distinct = np.arange(1.0, 16.0)
    seen = np.array([1, 2, 3, 4, 5] * 3)
    unit = fit_numbers(column(), np.repeat(distinct, seen), 10**6, 3, "seen")
    assert unit.size == 3
    draws = decoded(unit, np.repeat(np.arange(3, dtype=np.int32), 20_000))
    expected = seen / seen.sum() * len(draws)
    found = np.array([(draws == value).sum() for value in distinct])
    assert ((found - expected) ** 2 / expected).sum() < 32.9  # the 99.9 % quantile for 12 degrees of freedom


def test_a_condition_inside_a_span_leaves_the_others_as_often_as_they_were_seen() -> None:
    unit = fit_numbers(column(), np.repeat(np.arange(1.0, 16.0), [1, 2, 3, 4, 5] * 3), 10**6, 3, "seen")
    draws = decoded(unit, np.zeros(30_000, np.int32), (Condition("value", 2.5, 4.5),))
    assert set(draws) == {3.0, 4.0}
    assert (draws == 4).mean() == pytest.approx(4 / 7, abs=4 * np.sqrt(12 / 49 / 30_000))


def test_smooth_values_stay_in_their_span_and_are_no_training_values() -> None:
    values = np.random.default_rng(1).normal(size=3_000)
    unit = fitted(values, "smooth")
    codes = np.random.default_rng(2).integers(0, unit.size, 50_000).astype(np.int32)
    draws = decoded(unit, codes)
    assert ((draws >= unit.least[codes]) & (draws <= unit.most[codes])).all()
    assert not np.isin(draws, values).any()
    assert isinstance(unit.inside, SmoothValues) and unit.inside.knots.shape == (unit.size, KNOTS)


def test_smooth_values_follow_the_quantiles_of_their_span() -> None:
    values = np.random.default_rng(1).exponential(size=8_000)
    unit = fitted(values, "smooth", spans=2)
    draws = decoded(unit, np.ones(20_000, np.int32))
    above = np.sort(values)[4_000:]
    for share in (0.125, 0.5, 0.875):
        assert (draws <= np.quantile(above, share)).mean() == pytest.approx(share, abs=0.015)


def test_at_most_so_many_values_are_kept_and_every_row_is_counted() -> None:
    values = np.random.default_rng(0).normal(size=3 * KEPT)
    unit = fitted(values, spans=32)
    inside = unit.inside
    assert isinstance(inside, SeenValues) and len(inside.values) <= KEPT
    rows = np.diff(inside.cumulative[inside.starts])
    np.testing.assert_array_equal(rows, np.bincount(unit.encode({"value": values})))
    assert inside.cumulative[-1] == len(values) and (np.diff(inside.cumulative) > 0).all()
    draws = decoded(unit, np.repeat(np.arange(32, dtype=np.int32), 500))
    assert np.isin(draws, values).all()
    np.testing.assert_array_equal(unit.encode({"value": draws}), np.repeat(np.arange(32), 500))


def test_a_column_of_missing_values_and_one_of_a_single_value_can_be_learned() -> None:
    none = fitted(np.full(5, np.nan))
    assert np.isnan(decoded(none, none.encode({"value": np.full(5, np.nan)}))).all()
    one = fitted(np.full(5, 3.0), "smooth")
    assert one.size == 1 and decoded(one, np.zeros(3, np.int32)).tolist() == [3.0] * 3


def test_the_range_of_a_rule_cuts_what_is_drawn() -> None:
    unit = fitted(spiky(), minimum=5.0, maximum=40.0)
    draws = decoded(unit, np.random.default_rng(0).integers(1, unit.size, 2_000).astype(np.int32))
    assert draws.min() == 5.0 and draws.max() <= 40.0


def test_a_condition_between_two_spans_is_met_with_the_nearer_code() -> None:
    unit = fitted(np.array([1.0, 1.0, 10.0, 10.0]))
    where = (Condition("value", 4.0, 6.0),)
    assert unit.allowed(where).tolist() == [True, False]
    draws = decoded(unit, np.zeros(50, np.int32), where)
    assert ((draws >= 4) & (draws <= 6)).all()


def test_a_range_wherever_there_is_a_value_leaves_missing_ones_alone() -> None:
    unit = fitted(np.array([1.0, 2.0, 3.0, np.nan]))
    assert unit.allowed((Condition("value", 2.0, 9.0, missing=True),)).tolist() == [True, False, True, True]
    assert unit.allowed((Condition("value", 2.0, 1.0, missing=True),)).tolist() == [True, False, False, False]
    draws = decoded(unit, np.array([0, 1, 2, 3], np.int32), (Condition("value", 2.5, 9.0, missing=True),))
    assert np.isnan(draws[0]) and (draws[1:] >= 2.5).all()


@st.composite
def asked(draw: st.DrawFn) -> tuple[NumberUnit, tuple[Condition, ...]]:
    """A unit of any shape and a condition that `parse_where` could give for it."""
    decimals = draw(st.sampled_from([None, 0, 1]))
    count = draw(st.integers(1, 60))
    values = np.random.default_rng(draw(st.integers(0, 99))).gamma(1.0, 5.0, count) - 2.0
    values = values if decimals is None else np.round(values, decimals)
    missing = draw(st.booleans())
    whole = np.append(values, np.nan) if missing else values
    inside: Inside = draw(st.sampled_from(["seen", "smooth"]))
    found = column("integer" if decimals == 0 else "decimal", decimals=decimals, missing=int(missing))
    unit = fit_numbers(found, whole, len(whole), draw(st.sampled_from([2, 5, 32])), inside)
    ends = sorted(draw(st.lists(st.floats(values.min(), values.max()), min_size=2, max_size=2)))
    low, high = (at_least, at_most)
    from_, to = low(_exact(ends[0]), found, strict=False), high(_exact(ends[1]), found, strict=False)
    if draw(st.booleans()) and from_ <= to:
        return unit, (Condition("value", from_, to),)
    named = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4))
    return unit, (one_of("value", [*named, None] if missing and draw(st.booleans()) else named),)


def _exact(value: float):  # type: ignore[no-untyped-def]
    from fractions import Fraction

    return Fraction(value)


@settings(max_examples=150, deadline=None)
@given(asked(), st.integers(0, 9))
def test_every_value_of_an_allowed_code_meets_its_condition(
    case: tuple[NumberUnit, tuple[Condition, ...]], seed: int
) -> None:
    unit, conditions = case
    may = np.flatnonzero(unit.allowed(conditions))
    assert len(may)
    codes = np.random.default_rng(seed).choice(may, 40).astype(np.int32)
    values = decoded(unit, codes, conditions, seed)
    assert conditions[0].holds({"value": values}).all()
    if unit.decimals is not None:
        np.testing.assert_array_equal(values, np.round(values, unit.decimals))
