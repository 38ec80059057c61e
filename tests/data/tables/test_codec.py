"""Whole rows as codes and back, into a file and back: rules and conditions hold in every row, whatever is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from codec_world import ORDERED, RULES, orders, random_codes, table_of
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from ganforge.contracts import Plain
from ganforge.errors import InputError, RunError
from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.reading.arrays import from_plain, to_plain
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.conditions import parse_where
from ganforge.kinds.tables.table import Table

INSIDES = ("seen", "smooth")


@pytest.fixture(scope="module", params=INSIDES)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table_of(orders(), tmp_path_factory.mktemp("orders"), RULES, inside=request.param)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table_of(orders(), tmp_path_factory.mktemp("orders"), RULES)


def same(one: Plain, other: Plain) -> bool:
    return one.keys() == other.keys() and all(pd.Series(one[name]).equals(pd.Series(other[name])) for name in one)


def test_training_rows_come_back_as_the_same_codes(table: Table) -> None:
    codec, rows = table.codec, table.train_rows
    codes = codec.encode(rows)
    assert (codes >= 0).all() and codes.shape == (len(rows["age"]), len(codec.units))
    back = codec.decode(codes, np.random.default_rng(0))
    np.testing.assert_array_equal(codec.encode(back), codes)
    for column in codec.columns:
        np.testing.assert_array_equal(pd.isna(back[column.name]), pd.isna(rows[column.name]))
    written = from_plain(back, codec.columns)
    assert written.dtypes.to_dict() == orders().dtypes.to_dict()
    assert same(to_plain(written, codec.columns), back)


def test_units_stand_in_an_order_in_which_rows_can_be_decoded(seen: Table) -> None:
    place = {name: number for number, unit in enumerate(seen.codec.units) for name in unit.columns}
    assert place["ordered"] < place["shipped"] < place["arrived"]
    assert max(place["weighed"], place["net"]) < place["price"] and place["city"] == place["country"]
    assert seen.codec.constants == {"unit": "kg"}


def test_rows_of_any_codes_keep_every_rule(table: Table) -> None:
    """What a network draws that has learned nothing; 20,000 rows."""
    codec = table.codec
    rows = codec.decode(random_codes(codec, 20_000, 5), np.random.default_rng(6))
    assert set(broken(codec.rules, rows, table.train_rows, codec.columns).values()) == {0}
    assert len(broken(codec.rules, rows, table.train_rows, codec.columns)) == len(RULES)
    written = to_plain(from_plain(rows, codec.columns), codec.columns)
    assert set(broken(codec.rules, written, table.train_rows, codec.columns).values()) == {0}


WORDS = st.one_of(
    st.sampled_from(["City 1", "City 2", "City 10"]).map(lambda city: f"city={city}"),
    st.sampled_from(["city in {City 3, missing}", "country=B", "country is missing", "country is not missing"]),
    st.tuples(st.integers(0, 30), st.integers(30, 60)).map(lambda ends: f"{ends[0]}<=age<={ends[1]}"),
    st.sampled_from(["age=17", "age in {3, 50, missing}", "age is missing", "sold=True", "unit=kg"]),
    st.integers(0, 249).map(lambda number: f"product in {{P{number}, P7, P249}}"),
    st.floats(-2, 2).map(lambda low: f"spread>={low}"),
    st.integers(3, 40).map(lambda most: f"price<={most}"),
    st.integers(1, 15).map(lambda low: f"price in {{{low}, {low + 5}, 44}}"),
    st.floats(1, 20).map(lambda most: f"weighed<={most:.2f}"),
    st.floats(1, 20).map(lambda low: f"net>{low:.1f}"),
    st.integers(1, 12).map(lambda month: f"ordered>=2024-{month:02d}"),
    st.integers(1, 12).map(lambda month: f"shipped<2024-{month:02d}-15T12:00"),
    st.integers(1, 12).map(lambda month: f"arrived=2024-{month:02d}-20"),
    st.sampled_from(["arrived is missing", "shipped is missing", "arrived is not missing"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(0, 999))
def test_every_row_of_allowed_codes_meets_all_conditions_and_rules(seen: Table, words: list[str], seed: int) -> None:
    codec = seen.codec
    try:
        conditions = parse_where(words, codec.columns, codec.known)
        asked = codec.by_unit(conditions)
    except InputError:
        return
    codes, random = random_codes(codec, 100, seed), np.random.default_rng(seed)
    for place, unit in enumerate(codec.units):
        bound = asked.get(place, ())
        allowed = unit.allowed(bound)
        if not allowed.any():
            return
        may = np.broadcast_to(allowed, (100, unit.size))
        if isinstance(unit, GapUnit):
            least, most = (codec.bounds(codes, unit, end) for end in ("least", "most"))
            may = unit.allowed_above(least, most, bound)
        codes[:, place] = np.argmax(random.random(may.shape) * may, axis=1)
    rows = codec.decode(codes, random, asked)
    written = to_plain(from_plain(rows, codec.columns), codec.columns)
    for made in (rows, written):
        for condition in conditions:
            assert condition.holds(made).all(), condition
        assert set(broken(codec.rules, made, seen.train_rows, codec.columns).values()) == {0}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9_999), st.booleans(), st.sets(st.sampled_from(["shipped", "arrived", "ordered", "net", "price"]))
)
def test_filled_rows_keep_what_was_there_and_every_order(seen: Table, seed: int, draws: bool, holes: set[str]) -> None:
    """Cells are taken out of rows that keep the rules, and filled by a model that knows nothing."""
    codec, random = seen.codec, np.random.default_rng(seed)
    rows = {name: values[:300].copy() for name, values in seen.train_rows.items()}
    for name in (*holes, "city", "age", "product"):
        rows[name][random.random(300) < 0.5] = None if rows[name].dtype == object else np.nan
    shares = [random.dirichlet(np.full(size, 0.3), 300) for size in codec.sizes]
    filled = fill(codec, rows, shares, random if draws else None)
    for name, values in rows.items():
        there = ~pd.isna(values)
        assert not pd.isna(filled[name]).any(), name
        np.testing.assert_array_equal(filled[name][there], values[there])
    counts = broken(codec.rules, filled, seen.train_rows, codec.columns)
    assert {rule: counts[rule] for rule in ORDERED} == dict.fromkeys(ORDERED, 0)
    assert counts["0 <= age <= 60"] == 0


def test_a_filled_part_of_a_combination_fits_the_parts_that_are_there(seen: Table) -> None:
    codec, random = seen.codec, np.random.default_rng(0)
    rows = {name: values.copy() for name, values in seen.train_rows.items()}
    whole = ~pd.isna(rows["city"]) & ~pd.isna(rows["country"])
    rows = {name: values[whole] for name, values in rows.items()}
    truth = rows["country"].copy()
    rows["country"][::2] = None
    filled = fill(codec, rows, [random.random((len(truth), size)) for size in codec.sizes], random)
    np.testing.assert_array_equal(filled["country"], truth)  # each city lies in one country


def test_a_best_guess_is_the_mean_of_the_codes_and_the_likeliest_category(seen: Table) -> None:
    codec = seen.codec
    rows = {name: values[:1].copy() for name, values in seen.train_rows.items()}
    rows["spread"][0], rows["sold"][0] = np.nan, None
    shares = [np.full((1, size), 1.0 / size) for size in codec.sizes]
    unit = codec.units[codec.unit_of("spread")]
    guess = fill(codec, rows, shares, None)["spread"][0]
    assert guess == pytest.approx(unit.means.mean(), rel=1e-12)  # type: ignore[union-attr]
    shares[codec.unit_of("sold")] = np.array([[0.4, 0.6]])
    second = codec.units[codec.unit_of("sold")].values["sold"][1]  # type: ignore[union-attr]
    assert fill(codec, rows, shares, None)["sold"][0] == second


# ---- the file -------------------------------------------------------------------------------------------------------


def taken_apart(codec: TableCodec) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Through the very bytes of a file."""
    content, arrays = codec_content(codec)
    text = json.dumps(content, ensure_ascii=False)
    return json.loads(text), load(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def test_a_codec_from_a_file_writes_the_same_rows(table: Table) -> None:
    codec = table.codec
    restored = restore_codec(*taken_apart(codec))
    assert restored.columns == codec.columns and restored.rules == codec.rules and restored.known == codec.known
    np.testing.assert_array_equal(restored.encode(table.train_rows), codec.encode(table.train_rows))
    codes = random_codes(codec, 3_000, 1)
    conditions = parse_where(["arrived<2024-06", "price>=9", "city in {City 1, City 2}"], codec.columns, codec.known)
    for asked in ({}, codec.by_unit(conditions)):
        first, again = (each.decode(codes, np.random.default_rng(2), asked) for each in (codec, restored))
        assert same(first, again)
    assert restored.by_unit(conditions) == codec.by_unit(conditions)


Content = dict[str, Any]
Arrays = dict[str, np.ndarray]
UNIT_OF_NUMBERS = 0  # `ordered`, the first to be decoded


def without(name: str) -> Callable[[Content, Arrays], object]:
    return lambda content, arrays: content.pop(name)


DAMAGES: dict[str, Callable[[Content, Arrays], object]] = {
    "no columns": without("columns"),
    "no rules": without("rules"),
    "no units": without("units"),
    "no constants": without("constants"),
    "units that are a number": lambda content, arrays: content.update(units=3),
    "columns that are a text": lambda content, arrays: content.update(columns="abc"),
    "constants that are a list": lambda content, arrays: content.update(constants=[1]),
    "an unknown kind of unit": lambda content, arrays: content["units"][0].update(kind="image"),
    "a unit without a kind": lambda content, arrays: content["units"][0].pop("kind"),
    "a unit that is a text": lambda content, arrays: content["units"].__setitem__(0, "numbers"),
    "a unit too few": lambda content, arrays: content["units"].pop(),
    "a column too few": lambda content, arrays: content["columns"].pop(),
    "a constant too few": lambda content, arrays: content["constants"].clear(),
    "a column of no kind": lambda content, arrays: content["columns"][0].update(kind="word"),
    "a rule on a strange column": lambda content, arrays: content.update(rules=["here <= there"]),
    "a range of one end": lambda content, arrays: content["units"][0].update(range=[1.0]),
    "decimals that are a text": lambda content, arrays: content["units"][0].update(decimals="two"),
    "no values of a unit": lambda content, arrays: arrays.pop("unit0/seen"),
    "starts that do not rise": lambda content, arrays: arrays["unit0/starts"].__setitem__(1, 0),
    "starts that end elsewhere": lambda content, arrays: arrays["unit0/starts"].__setitem__(-1, 10**6),
    "starts of fractions": lambda content, arrays: arrays.update({"unit0/starts": arrays["unit0/starts"] * 1.0}),
    "too few counts": lambda content, arrays: arrays.update({"unit0/cumulative": arrays["unit0/cumulative"][1:]}),
    "a matrix for a list": lambda content, arrays: arrays.update({"unit0/least": arrays["unit0/least"][:, None]}),
    "too few means": lambda content, arrays: arrays.update({"unit0/means": arrays["unit0/means"][1:]}),
    "spans that fall": lambda content, arrays: arrays.update({"unit0/least": arrays["unit0/least"][::-1].copy()}),
}


def test_the_damages_below_begin_with_a_unit_of_numbers(seen: Table) -> None:
    content, arrays = taken_apart(seen.codec)
    assert content["units"][0]["kind"] == "numbers" and "unit0/seen" in arrays
    assert {unit["kind"] for unit in content["units"]} == {"numbers", "gap", "categories"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_description_is_refused_in_words(seen: Table, damage: str) -> None:
    content, arrays = deepcopy(taken_apart(seen.codec))
    arrays = {name: array.copy() for name, array in arrays.items()}
    DAMAGES[damage](content, arrays)
    with pytest.raises(RunError, match=r"table description is damaged: .*\. Train again\."):
        restore_codec(content, arrays)


@pytest.mark.parametrize("kind", ["gap", "categories"])
def test_damaged_gaps_and_categories_are_refused_in_words(seen: Table, kind: str) -> None:
    content, arrays = taken_apart(seen.codec)
    place = next(number for number, unit in enumerate(content["units"]) if unit["kind"] == kind)
    changes: dict[str, list[Callable[[Content, Arrays], object]]] = {
        "gap": [
            lambda unit, arrays: unit.pop("gap"),
            lambda unit, arrays: unit.update(lowers=["nowhere"]),
            lambda unit, arrays: unit.update(lowers=None),
            lambda unit, arrays: unit.update(scales=[[1]]),
            lambda unit, arrays: unit.update(scales=[]),
            lambda unit, arrays: unit.update(upper="nowhere"),
        ],
        "categories": [
            lambda unit, arrays: unit.update(columns=["nowhere"]),
            lambda unit, arrays: unit.update(columns=[]),
            lambda unit, arrays: next(iter(unit["texts"].values())).pop(),
            lambda unit, arrays: unit["texts"].update({name: [None] for name in unit["texts"]}),
            lambda unit, arrays: arrays.pop(f"unit{place}/counts"),
            lambda unit, arrays: arrays[f"unit{place}/starts"].__setitem__(0, 1),
            lambda unit, arrays: unit.update(texts={}),
        ],
    }
    for change in changes[kind]:
        broken_content, broken_arrays = deepcopy(content), {name: array.copy() for name, array in arrays.items()}
        change(broken_content["units"][place], broken_arrays)
        with pytest.raises(RunError, match="damaged"):
            restore_codec(broken_content, broken_arrays)


def test_a_table_of_one_column_of_each_kind_has_a_codec(tmp_path: Path) -> None:
    for number, values in enumerate(([1.5, 2.5, np.nan] * 20, ["a", "b", None] * 20, [True, False, True] * 20)):
        folder = tmp_path / str(number)
        folder.mkdir()
        codec = table_of(pd.DataFrame({"only": values}), folder).codec
        rows = codec.decode(random_codes(codec, 100, 0), np.random.default_rng(0))
        assert set(pd.Series(rows["only"]).dropna()) <= {1.5, 2.5, "a", "b", "True", "False", "true", "false"}
