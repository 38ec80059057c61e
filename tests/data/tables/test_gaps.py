"""A column that never lies below others: whatever codes are drawn, the rule is kept."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from codec_world import random_codes, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforge.kinds.tables.codec.gaps import GapUnit, fit_gaps
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.rules.checks import on_one_scale
from ganforge.kinds.tables.rules.conditions import Condition, one_of
from ganforge.kinds.tables.rules.values import at_least


def column(name: str, kind: str = "decimal", **more: object) -> Column:
    return Column.model_validate({"name": name, "kind": kind, "dtype": "float64", **more})


LOWERS = {
    "decimals": (column("a", decimals=2), column("z", decimals=1)),
    "whole numbers above decimals": (column("a", decimals=2), column("z", "integer")),
    "decimals above whole numbers": (column("a", "integer"), column("z", decimals=1)),
    "floating point": (column("a"), column("z")),
    "seconds above days": (column("a", "datetime", resolution="D"), column("z", "datetime", resolution="s")),
    "days above seconds": (column("a", "datetime", resolution="s"), column("z", "datetime", resolution="D")),
    "microseconds above days": (column("a", "datetime", resolution="D"), column("z", "datetime", resolution="us")),
}
STEPS = {"D": 86_400_000_000, "s": 1_000_000, "us": 1}


def on_grid(values: np.ndarray, of: Column) -> np.ndarray:
    if of.kind == "decimal" and of.decimals is None:
        return values
    return np.array([at_least(Fraction(float(v)), of, strict=False) for v in values])


def training(lower: Column, upper: Column, seed: int, count: int = 200) -> dict[str, np.ndarray]:
    """Rows in which the rule holds, some with holes."""
    random = np.random.default_rng(seed)
    factor = STEPS[lower.resolution] / STEPS[upper.resolution] if lower.resolution and upper.resolution else 1.0
    scale = 40.0 if factor >= 1 else 40.0 / factor
    low = on_grid(random.normal(0, scale, count), lower)
    high = on_grid(low * factor + random.gamma(1, 5, count) * max(factor, 1.0), upper)
    low[random.random(count) < 0.1] = np.nan
    high[random.random(count) < 0.1] = np.nan
    return {"a": low, "z": high}


@pytest.mark.parametrize("name", LOWERS)
@pytest.mark.parametrize("inside", ["seen", "smooth"])
def test_rows_come_back_as_the_same_codes(name: str, inside: str) -> None:
    lower, upper = LOWERS[name]
    plain = training(lower, upper, 0)
    unit = fit_gaps([lower], upper, plain, 200, 8, inside)  # type: ignore[arg-type]
    codes = unit.encode(plain)
    assert (codes >= 0).all() and len(set(codes)) == unit.size
    back = unit.decode(codes, (), np.random.default_rng(0), plain)["z"]
    np.testing.assert_array_equal(np.isnan(back), np.isnan(plain["z"]))
    again = unit.encode({**plain, "z": back})
    if name == "floating point":  # a difference of floating-point numbers is not exact: at the edge of a span
        assert (again == codes).mean() > 0.95 and np.abs(again - codes).max() <= 1
    else:
        np.testing.assert_array_equal(again, codes)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(LOWERS)),
    st.integers(0, 50),
    st.lists(st.one_of(st.just(float("nan")), st.floats(-200, 200)), min_size=1, max_size=30),
    st.sampled_from(["seen", "smooth"]),
)
def test_any_code_above_any_lower_value_keeps_the_rule(name: str, seed: int, lows: list[float], inside: str) -> None:
    lower, upper = LOWERS[name]
    plain = training(lower, upper, seed)
    unit = fit_gaps([lower], upper, plain, 200, 8, inside)  # type: ignore[arg-type]
    low = np.array(lows)
    low[~np.isnan(low)] = on_grid(low[~np.isnan(low)], lower)
    codes = np.random.default_rng(seed).integers(0, unit.size, len(low)).astype(np.int32)
    rows = {"a": low, **unit.decode(codes, (), np.random.default_rng(seed), {"a": low})}
    below, above = on_one_scale("a", "z", rows, {"a": lower, "z": upper})
    assert not (below > above).any()
    np.testing.assert_array_equal(np.isnan(rows["z"]), ~unit.complete[codes])
    there = rows["z"][~np.isnan(rows["z"])]
    if upper.kind != "decimal" or upper.decimals is not None:  # so that writing does not move it
        np.testing.assert_array_equal(there, np.round(there, upper.decimals or 0))


def test_the_gap_counts_from_the_largest_lower_column_that_is_there() -> None:
    lows = [column("a", "integer"), column("b", "integer")]
    plain = {
        "a": np.array([1.0, 5.0, np.nan, np.nan]),
        "b": np.array([3.0, np.nan, 4.0, np.nan]),
        "z": np.array([3.0, 6.0, 6.0, 9.0]),
    }
    unit = fit_gaps(lows, column("z", "integer"), plain, 4, 8, "seen")
    assert unit.base(plain).tolist() == [3.0, 5.0, 4.0, 3.0]  # the smallest z where there is neither
    assert unit.gaps(plain).tolist() == [0.0, 1.0, 2.0, 6.0]
    assert unit.gap.least.tolist() == [0.0, 1.0, 2.0, 6.0]


def test_gaps_of_decimals_are_as_frequent_as_they_are() -> None:
    """0.4 - 0.1 is not 0.7 - 0.4 among floating-point numbers."""
    low = np.arange(0, 10, 0.1).round(1)
    plain = {"a": low, "z": (low + 0.3).round(1)}
    unit = fit_gaps([column("a", decimals=1)], column("z", decimals=1), plain, 100, 8, "seen")
    assert unit.size == 1 and unit.gap.means.tolist() == [0.3]


def test_above_a_value_that_leaves_no_room_there_is_none() -> None:
    """A rule ends the upper column at 10; its lower one goes to 20 in rows that lack it."""
    plain = {"a": np.array([1.0, 5.0, 20.0]), "z": np.array([2.0, 9.0, np.nan])}
    upper = column("z", "integer", missing=1, minimum=0.0, maximum=10.0)
    unit = fit_gaps([column("a", "integer")], upper, plain, 3, 8, "seen")
    drawn = unit.decode(np.array([1, 2, 1], np.int32), (), np.random.default_rng(0), {"a": np.array([20.0, 9.0, 3.0])})
    assert np.isnan(drawn["z"][0]) and drawn["z"][1:].max() <= 10 and (drawn["z"][1:] >= [9, 3]).all()


def asks(unit: GapUnit, *conditions: Condition) -> list[bool]:
    least = np.zeros(1)
    return list(unit.allowed_above(least, least, conditions)[0])


def test_codes_are_allowed_where_some_value_above_meets_the_conditions() -> None:
    plain = {"a": np.zeros(4), "z": np.array([0.0, 5.0, 9.0, np.nan])}
    unit = fit_gaps([column("a", "integer")], column("z", "integer", missing=1), plain, 4, 8, "seen")
    assert asks(unit) == [True] * 4
    assert asks(unit, Condition("z", 4.0, 6.0)) == [False, False, True, False]
    assert asks(unit, Condition("z", 6.0, 7.0)) == [False, False, True, False]  # the nearest one lends its code
    assert asks(unit, one_of("z", [9.0, None])) == [True, False, False, True]
    assert asks(unit, one_of("z", [None])) == [True, False, False, False]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """a <= b <= c and d <= c, whole numbers with holes in b and d; c is always there."""
    random = np.random.default_rng(0)
    a, d = random.integers(0, 40, 900), random.integers(0, 40, 900).astype(float)
    b = a + random.integers(0, 30, 900).astype(float)
    c = np.fmax(b, d) + random.integers(0, 30, 900)
    b[random.random(900) < 0.3] = np.nan
    d[random.random(900) < 0.3] = np.nan
    frame = pd.DataFrame({"c": c.astype(int), "b": b, "a": a, "d": d, "other": random.normal(size=900)})
    rules = ("a <= b", "b <= c", "d <= c", "a <= c")
    return table_of(frame, tmp_path_factory.mktemp("chain"), rules).codec


SPANS = st.tuples(st.integers(0, 95), st.integers(0, 95)).map(sorted)
LISTS = st.lists(st.integers(0, 95).map(float), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(0, 999))
def test_conditions_on_a_chain_hold_in_every_row_and_so_does_the_chain(  # type: ignore[no-untyped-def]
    chain, data: st.DataObject, seed: int
) -> None:
    from ganforge.errors import InputError

    conditions: list[Condition] = []
    for name in data.draw(st.sets(st.sampled_from("abcd"), min_size=1)):
        if data.draw(st.booleans()):
            conditions.append(Condition(name, *map(float, data.draw(SPANS))))
        else:
            numbers = data.draw(LISTS)
            missing = name in "bd" and data.draw(st.booleans())
            conditions.append(one_of(name, [*numbers, None] if missing else numbers))
    try:
        asked = chain.by_unit(conditions)
    except InputError:
        return
    codes = random_codes(chain, 200, seed)
    random = np.random.default_rng(seed)
    for place, unit in enumerate(chain.units):
        bound = asked.get(place, ())
        allowed = unit.allowed(bound)
        if not allowed.any():  # said before a row is drawn: RowModel.conditions
            return
        may = np.broadcast_to(allowed, (200, unit.size))
        if isinstance(unit, GapUnit):
            ends = [chain.bounds(codes, unit, end) for end in ("least", "most")]
            may = unit.allowed_above(*ends, bound)
        assert may.any(axis=1).all()
        codes[:, place] = np.argmax(random.random(may.shape) * may, axis=1)
    rows = chain.decode(codes, random, asked)
    for condition in conditions:
        assert condition.holds(rows).all(), condition
    for lower, upper in (("a", "b"), ("b", "c"), ("d", "c"), ("a", "c")):
        assert not (rows[lower] > rows[upper]).any()
    assert not np.isnan(rows["a"]).any() and not np.isnan(rows["c"]).any()


def test_a_condition_above_leaves_the_lower_column_its_missing_rows(chain) -> None:  # type: ignore[no-untyped-def]
    asked = chain.by_unit((Condition("c", 0.0, 30.0),))
    unit = chain.units[chain.unit_of("d")]
    allowed = unit.allowed(asked[chain.unit_of("d")])
    assert allowed[0] and not allowed[-1]


def test_conditions_stand_in_the_same_order_in_every_process(chain) -> None:  # type: ignore[no-untyped-def]
    """What is drawn depends on it, and a set of texts has another order in each process."""
    places = list(chain.by_unit((Condition("c", 0.0, 30.0), Condition("b", 0.0, 30.0))))
    assert places[:2] == [chain.unit_of("c"), chain.unit_of("b")] and places[2:] == sorted(places[2:])
    assert len(places) == 4


def test_written_columns_of_two_resolutions_keep_the_rule(tmp_path_factory: pytest.TempPathFactory) -> None:
    random = np.random.default_rng(0)
    moment = np.datetime64("2024-03-01T00:00:00") + random.integers(0, 10**7, 600)
    day = moment.astype("datetime64[D]") + 1 + random.integers(0, 3, 600)
    frame = pd.DataFrame({"moment": moment, "day": day.astype("datetime64[s]"), "x": random.normal(size=600)})
    codec = table_of(frame, tmp_path_factory.mktemp("days"), ("moment <= day",), inside="smooth").codec
    assert [column.resolution for column in codec.columns] == ["s", "D", None]
    written = from_plain(codec.decode(random_codes(codec, 5_000, 1), random), codec.columns)
    assert (written["moment"] <= written["day"]).all()
    assert to_plain(written, codec.columns).keys() == set(frame.columns)
