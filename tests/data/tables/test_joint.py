"""Latitude and longitude as one: points stay on land, are none of the training's, and meet conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from codec_world import table_of

from ganforge.errors import RecipeError, RunError
from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.codec.joint import JointUnit, fit_joint
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.checks import broken, check_rules
from ganforge.kinds.tables.rules.conditions import parse_where
from ganforge.kinds.tables.rules.coordinates import find_coordinates
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import Joint, rule_in_words

ROWS = 3_000
RANDOM = np.random.default_rng(0)


def on_land(points: np.ndarray) -> np.ndarray:
    """Two islands, and a road around a lake."""
    lat, lon = points.T
    first, second = np.hypot(lat - 48.6, lon - 6.3) < 0.6, np.hypot(lat - 47.7, lon - 7.9) < 0.3
    return first | second | (np.abs(np.hypot(lat - 48.2, lon - 9.6) - 0.7) < 0.03)


def land(count: int, random: np.random.Generator) -> np.ndarray:
    points = random.uniform([47, 5], [50, 11], (40 * count, 2))
    return points[on_land(points)][:count].round(5)


def column(name: str, values: np.ndarray) -> Column:
    ends = {"minimum": float(np.nanmin(values)), "maximum": float(np.nanmax(values))}
    return Column(name=name, kind="decimal", dtype="float64", decimals=5, distinct=ROWS, **ends)


POINTS = land(ROWS, RANDOM)
PLAIN = {"lat": POINTS[:, 0], "lon": POINTS[:, 1]}
COLUMNS = column("lat", POINTS[:, 0]), column("lon", POINTS[:, 1])


def unit_of(plain: dict[str, np.ndarray] = PLAIN, rare: int = 0) -> JointUnit:
    return fit_joint(COLUMNS, plain, 32, rare, 0)


def drawn(unit: JointUnit, codes: np.ndarray, *where: str) -> np.ndarray:
    conditions = parse_where(where, COLUMNS, {})
    return np.stack(list(unit.decode(codes.astype(np.int32), conditions, np.random.default_rng(1)).values()), axis=1)


def copies(points: np.ndarray) -> float:
    return float(pd.MultiIndex.from_arrays(points.T).isin(pd.MultiIndex.from_arrays(POINTS.T)).mean())


@pytest.mark.parametrize("rare", [0, 10])
def test_points_stay_on_land_and_are_not_those_of_training(rare: int) -> None:
    unit = unit_of(rare=rare)
    points = drawn(unit, np.resize(unit.encode(PLAIN), 20_000))
    assert (~on_land(points)).mean() < 0.001  # of unseen real points none lies in the sea
    assert copies(points) < 0.005
    apart = np.stack([RANDOM.permutation(POINTS[:, axis]) for axis in (0, 1)], axis=1)
    assert (~on_land(apart)).mean() > 0.4  # independent columns
    assert np.array_equal(points, points.round(5))
    for name, values in zip(("first", "road"), (points[:, 1] < 7.1, points[:, 1] > 8.5), strict=True):
        there = (POINTS[:, 1] < 7.1) if name == "first" else (POINTS[:, 1] > 8.5)
        assert abs(values.mean() - there.mean()) < 0.02
    assert rare == 0 or copies(unit.points) < 0.005  # the model holds none of them


def test_cells_have_about_as_many_rows_and_codes_come_back() -> None:
    unit = unit_of()
    counts = np.bincount(unit.encode(PLAIN), minlength=unit.size)
    assert unit.size == 100 and counts.min() >= 25 and counts.max() <= 35
    again = np.repeat(np.arange(unit.size), 50)
    points = drawn(unit, again)
    codes = unit.encode({"lat": points[:, 0], "lon": points[:, 1]})
    assert (codes == again).mean() > 0.8  # others are in the cell beside it


@pytest.mark.parametrize(
    "where", [["lat>=48.5"], ["48.5<=lat<=48.6", "lon<=6"], ["lat=48.25"], ["lat in {48.25, 48.3}"], ["lon>=10.2"]]
)
def test_conditions_on_single_columns_hold(where: list[str]) -> None:
    unit, conditions = unit_of(), parse_where(where, COLUMNS, {})
    allowed = np.flatnonzero(unit.allowed(conditions))
    points = drawn(unit, np.resize(allowed, 2_000), *where)
    plain = {"lat": points[:, 0], "lon": points[:, 1]}
    assert len(allowed) and all(condition.holds(plain).all() for condition in conditions)


def test_missing_parts_are_codes_of_their_own() -> None:
    plain = {name: values.copy() for name, values in PLAIN.items()}
    plain["lat"][:100] = plain["lon"][50:200] = np.nan
    unit = unit_of(plain)
    codes = unit.encode(plain)
    found = drawn(unit, codes)
    assert np.array_equal(np.isnan(found), np.isnan(np.stack(list(plain.values()), axis=1)))
    assert unit.complete.sum() == len(unit.starts) - 1


def test_where_points_come_again_they_are_drawn_as_they_are() -> None:
    stations = POINTS[:40]
    plain = dict(zip(("lat", "lon"), stations[RANDOM.integers(0, 40, ROWS)].T, strict=True))
    unit = unit_of(plain, rare=10)
    points = drawn(unit, np.resize(unit.encode(plain), 5_000))
    assert pd.MultiIndex.from_arrays(points.T).isin(pd.MultiIndex.from_arrays(stations.T)).all()


def test_one_given_coordinate_stays_and_the_other_is_on_land() -> None:
    codec = codec_of()
    for axis, random in ((0, None), (1, None), (0, np.random.default_rng(0)), (1, np.random.default_rng(0))):
        rows = land(300, np.random.default_rng(5))
        rows[:, 1 - axis] = np.nan
        plain = {"lat": rows[:, 0], "lon": rows[:, 1]}
        shares = [np.full((300, unit.size), 1 / unit.size) for unit in codec.units]
        filled = fill(codec, plain, shares, random)
        points = np.stack([filled["lat"], filled["lon"]], axis=1)
        assert np.array_equal(points[:, axis], rows[:, axis]) and (~on_land(points)).mean() < 0.05
    nothing = {"lat": np.full(20, np.nan), "lon": np.full(20, np.nan)}
    filled = fill(codec, nothing, [np.full((20, unit.size), 1 / unit.size) for unit in codec.units], None)
    assert on_land(np.stack([filled["lat"], filled["lon"]], axis=1)).all()  # the mean of all is in the sea


def codec_of() -> TableCodec:
    return TableCodec(COLUMNS, parse_rules(["joint lat, lon"], COLUMNS), (unit_of(),), {})


def test_it_is_stored_and_read_back_and_a_damaged_one_is_refused() -> None:
    codec = codec_of()
    content, arrays = codec_content(codec)
    again = restore_codec(content, arrays)
    codes = np.arange(codec.sizes[0])[:, None].astype(np.int32)
    first, second = (each.decode(codes, np.random.default_rng(2)) for each in (codec, again))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    for name in ("unit0/counts", "unit0/points/lat", "unit0/starts"):
        with pytest.raises(RunError):
            restore_codec(content, {**arrays, name: arrays[name][:-1]})
    with pytest.raises(RunError):
        restore_codec({**content, "rules": []}, arrays)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("lat", "lon"), True),
        (("pickup_lat", "pickup_lng"), True),
        (("DropoffLongitude", "DropoffLatitude"), True),
        (("latitude home", "longitude home"), True),
        (("geo.y", "geo.x"), True),
        (("pickup_lat", "dropoff_lon"), False),
        (("late", "lone"), False),
    ],
)
def test_pairs_are_found_by_name_and_range(names: tuple[str, str], found: bool) -> None:
    first, second = (column(name, values) for name, values in zip(names, POINTS.T, strict=True))
    plain = dict(zip(names, POINTS.T, strict=True))
    rules = find_coordinates(plain, (first, second))
    assert [rule for rule, _ in rules] == ([Joint(names)] if found else [])
    assert not found or " are latitude and longitude: " in rules[0][1]
    turned = {names[0]: POINTS[:, 0] * 10, names[1]: POINTS[:, 1] * 100}
    assert not find_coordinates(turned, (first, second))  # no degrees
    whole = tuple(each.model_copy(update={"decimals": 1}) for each in (first, second))
    assert not find_coordinates(plain, whole)  # too coarse


def test_the_rule_is_read_as_it_is_written_and_contradictions_are_refused() -> None:
    odd = tuple(column(name, POINTS[:, 0]) for name in ("lat", "joint a, b", "lon"))
    for names in (("lat", "lon"), ("joint a, b", "lat")):
        words = rule_in_words(Joint(names), odd)
        assert parse_rules([words], odd) == (Joint(names),)
    check_rules([Joint(("lat", "lon"))], PLAIN, COLUMNS, 1)
    assert broken([Joint(("lat", "lon"))], PLAIN, PLAIN, COLUMNS) == {}
    for rules in (["joint lat, lon", "lat <= lon"], ["joint lat, lon", "lat -> lon"], ["joint lat, lon", "seen lat"]):
        with pytest.raises(RecipeError, match="another rule that decides its values"):
            parse_rules(rules, COLUMNS)
    for rule in ("joint lat, lat", "joint lat", "joint lat, town"):
        with pytest.raises(RecipeError):
            parse_rules([rule], COLUMNS)


def test_a_table_has_one_unit_for_both_and_none_where_the_rule_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({**PLAIN, "price": RANDOM.integers(0, 99, ROWS)})
    assert next(unit.columns for unit in table_of(frame, tmp_path, rules=None).codec.units) == ("lat", "lon")
    apart = table_of(frame, tmp_path, rules=()).codec
    assert all(len(unit.columns) == 1 for unit in apart.units)
