"""Categories as codes and back: every value can be drawn, similar rare ones share a code, combinations stay fixed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.categories import GROUPS, MOST, OWN, CategoryUnit, fit_categories, grouped
from ganforge.kinds.tables.rules.conditions import one_of


def words(*values: str | None) -> np.ndarray:
    return np.array([*values, None], dtype=object)[:-1]


def counted(*columns: np.ndarray) -> CategoryUnit:
    """A unit of columns c0, c1, ... fitted on these rows."""
    names = tuple(f"c{place}" for place in range(len(columns)))
    sizes = pd.DataFrame(dict(zip(names, columns, strict=True))).groupby(list(names), dropna=False).size()
    index = sizes.index.to_frame(index=False)
    values = {
        name: index[name].to_numpy(np.float64)
        if columns[place].dtype != object
        else index[name].astype(object).where(index[name].notna(), None).to_numpy(object)
        for place, name in enumerate(names)
    }
    return fit_categories(names, values, sizes.to_numpy(np.float64))


def test_codes_are_in_order_of_frequency_and_come_back() -> None:
    rows = {"c0": words("b", "a", None, "a", "b", "b")}
    unit = counted(rows["c0"])
    codes = unit.encode(rows)
    assert codes.tolist() == [0, 1, 2, 1, 0, 0] and unit.size == 3
    assert unit.decode(codes, (), np.random.default_rng(0))["c0"].tolist() == rows["c0"].tolist()
    assert unit.complete.tolist() == [True, True, False]


def test_what_was_not_seen_has_no_code() -> None:
    unit = counted(words("x", "y", "x"), words("1", "2", "1"))
    rows = {"c0": words("x", "x", "z", None, "y"), "c1": words("1", "2", "1", "1", "2")}
    assert unit.encode(rows).tolist() == [0, -1, -1, -1, 1]
    assert counted(words("a")).encode({"c0": words(None, None)}).tolist() == [-1, -1]


@pytest.fixture(scope="module")
def families() -> tuple[CategoryUnit, Plain, np.ndarray]:
    """10,000 categories; those of even number go with code 0 of another column, the odd ones with code 1."""
    random = np.random.default_rng(0)
    number = np.concatenate([np.repeat(np.arange(10_000), 6), np.repeat(np.arange(70), 300)])
    rows = {"c0": np.array([f"P{n:04d}" for n in range(10_000)], dtype=object)[number]}
    others = np.stack([number % 2, random.integers(0, 5, len(number))], axis=1).astype(np.int32)
    return counted(rows["c0"]), rows, others


def test_very_many_categories_have_a_bounded_number_of_codes(
    families: tuple[CategoryUnit, Plain, np.ndarray],
) -> None:
    unit, rows, others = families
    assert unit.size == OWN + 1
    parted = grouped(unit, rows, others, seed=0)
    assert OWN + 2 <= parted.size <= OWN + GROUPS
    assert sorted(parted.values["c0"]) == sorted(set(rows["c0"])) and parted.counts.sum() == len(rows["c0"])
    assert (parted.counts[:OWN] == 306).all()
    codes = parted.encode(rows)
    back = parted.decode(codes, (), np.random.default_rng(0))
    np.testing.assert_array_equal(parted.encode(back), codes)


def test_rare_categories_share_a_code_with_those_that_go_with_the_same(
    families: tuple[CategoryUnit, Plain, np.ndarray],
) -> None:
    """Chance alone would leave half of each group to the other family."""
    parted = grouped(*families, seed=0)
    family = np.array([int(value[1:]) % 2 for value in parted.values["c0"]])
    purity = [
        max(np.mean(family[first:last]), 1 - np.mean(family[first:last]))
        for first, last in zip(parted.starts[OWN:-1], parted.starts[OWN + 1 :], strict=True)
    ]
    assert min(purity) == 1.0


def test_every_category_can_be_drawn_as_often_as_it_was_seen(
    families: tuple[CategoryUnit, Plain, np.ndarray],
) -> None:
    parted = grouped(*families, seed=0)
    random = np.random.default_rng(1)
    codes = np.repeat(np.arange(parted.size, dtype=np.int32), 40 * np.diff(parted.starts))
    drawn = pd.Series(parted.decode(codes, (), random)["c0"]).value_counts()
    assert len(drawn) == 10_000
    assert ((drawn - 40) ** 2 / 40).sum() < 10_000 + 5 * np.sqrt(2 * 10_000)  # chi-square, five sigma


def test_up_to_a_hundred_categories_keep_a_code_each() -> None:
    names = np.array([f"{n}" for n in range(MOST)], dtype=object)
    unit = counted(np.repeat(names, 2))
    assert unit.size == MOST
    assert grouped(unit, {"c0": names}, np.zeros((MOST, 1), np.int32), 0) is unit


def test_categories_that_go_with_everything_alike_are_grouped_without_a_warning() -> None:
    names = np.array([f"{n}" for n in range(500)], dtype=object)
    parted = grouped(counted(names), {"c0": names}, np.zeros((500, 1), np.int32), 0)
    assert sorted(parted.values["c0"]) == sorted(names) and OWN < parted.size <= OWN + GROUPS


def test_a_condition_in_a_group_leaves_the_others_as_often_as_they_were_seen() -> None:
    names = np.array([f"n{n:03d}" for n in range(200)], dtype=object)
    unit = counted(np.repeat(names, np.arange(1, 201)))
    where = (one_of("c0", ["n002", "n005"]),)  # 3 and 6 rows, both in the last code
    assert np.flatnonzero(unit.allowed(where)).tolist() == [OWN]
    drawn = unit.decode(np.full(20_000, OWN, np.int32), where, np.random.default_rng(0))["c0"]
    assert set(drawn) == {"n002", "n005"}
    assert (drawn == "n005").mean() == pytest.approx(2 / 3, abs=4 * np.sqrt(2 / 9 / 20_000))


def test_a_value_that_is_not_allowed_is_not_drawn_even_at_the_very_end_of_a_range() -> None:
    class Last(np.random.Generator):
        def random(self, *size: object, **more: object) -> np.ndarray:  # type: ignore[override]
            return np.full(4, np.nextafter(1.0, 0.0))

    values = {"c0": np.array([f"v{n}" for n in range(200)], dtype=object)}
    counts = np.full(200, 1.0)
    counts[0] = 1e15  # so large that the rest of the sum has few digits left
    unit = fit_categories(("c0",), values, counts)
    where = (one_of("c0", ["v0", "v100"]),)
    drawn = unit.decode(np.full(4, OWN, np.int32), where, Last(np.random.PCG64()))["c0"]
    assert set(drawn) == {"v100"}


def test_the_most_frequent_value_that_meets_the_conditions_is_given() -> None:
    unit = counted(words("x", "x", "x", "y", "y"), words(None, None, "1", "2", "1"))
    codes = unit.encode({"c0": words("x", "y"), "c1": words("1", "2")})
    best = unit.most_frequent(codes, (one_of("c0", ["x", "y"]),))
    assert best["c0"].tolist() == ["x", "y"] and best["c1"].tolist() == ["1", "2"]


def test_numbers_can_be_part_of_a_fixed_combination_and_missing() -> None:
    city, zone = words("a", "b", "c", "a"), np.array([1.0, 2.0, np.nan, 1.0])
    unit = counted(city, zone)
    codes = unit.encode({"c0": city, "c1": zone})
    assert (codes >= 0).all() and len(set(codes)) == 3
    back = unit.decode(codes, (), np.random.default_rng(0))
    assert back["c0"].tolist() == city.tolist() and back["c1"].dtype == np.float64
    np.testing.assert_array_equal(back["c1"], zone)
    assert unit.allowed((one_of("c1", [None]),)).sum() == 1


def test_a_code_is_complete_and_allowed_only_if_one_of_its_values_is_both() -> None:
    """In a group of many combinations the one that is asked for may have a missing part, and others none."""
    left = np.array([f"n{n:03d}" for n in range(150)], dtype=object)
    right = np.array([*(["k"] * 149), None], dtype=object)
    unit = counted(left, right)
    where = (one_of("c0", ["n149"]),)
    assert unit.allowed(where)[OWN] and unit.complete[OWN]
    assert not unit.allowed(where, complete=True).any()


pairs = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(["1", "2", None]), st.sampled_from(["x", "y"])),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(pairs, st.integers(0, 9), st.data())
def test_only_combinations_that_were_seen_are_drawn_and_conditions_hold(
    rows: list[tuple[str | None, str | None, str]], seed: int, data: st.DataObject
) -> None:
    columns = [words(*values) for values in zip(*rows, strict=True)]
    unit = counted(*columns)
    asked = data.draw(st.sampled_from(rows))
    where = tuple(one_of(f"c{place}", [asked[place], "b"]) for place in range(3) if data.draw(st.booleans()))
    may = np.flatnonzero(unit.allowed(where))
    assert len(may)
    codes = np.random.default_rng(seed).choice(may, 50).astype(np.int32)
    drawn = unit.decode(codes, where, np.random.default_rng(seed))
    made = set(zip(*(values.tolist() for values in drawn.values()), strict=True))
    assert made <= set(rows)
    assert all(condition.holds(drawn).all() for condition in where)
