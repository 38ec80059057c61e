"""Rows that repeat themselves are seen, whatever their columns' shares are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.similarity import Coding, variety
from ganforge.kinds.tables.table import repeats

COLUMNS = (
    Column(name="size", kind="decimal", dtype="float64", distinct=500),
    Column(name="age", kind="integer", dtype="int64", distinct=60),
    Column(name="kind", kind="category", dtype="object", distinct=3),
)


def rows(count: int, seed: int) -> Plain:
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, count)
    return {
        "size": kind + random.standard_normal(count),
        "age": random.integers(18, 78, count).astype(float),
        "kind": np.array(["a", "b", "c"], dtype=object)[kind],
    }


def scores(fake: Plain, label: str | None = None) -> dict[str, float]:
    real = rows(500, 0)
    coding = Coding.fit(real, COLUMNS)
    return {name: found.value for name, found in variety(coding.code(real), coding.code(fake), label).items()}


def test_other_real_rows_cover_the_real_ones_and_are_as_varied() -> None:
    found = scores(rows(500, 1))
    assert found["coverage"] > 0.93 and found["diversity"] == pytest.approx(1.0, abs=0.05)


def test_a_few_rows_again_and_again_cover_hardly_any() -> None:
    few = rows(3, 1)
    found = scores({name: np.resize(values, 500) for name, values in few.items()})
    assert found["coverage"] < 0.1


def test_one_row_for_each_value_of_the_label_reaches_all_kinds_without_variety() -> None:
    found = rows(500, 1)
    places = np.array([int(np.flatnonzero(found["kind"] == kind)[0]) for kind in ("a", "b", "c")])[np.arange(500) % 3]
    told = scores({name: values[places] for name, values in found.items()}, label="kind")
    assert told["kinds_reached"] == 1.0 and told["kind_diversity"] < 0.01
    assert scores(found, label="kind")["kind_diversity"] == pytest.approx(1.0, abs=0.05)


def test_rows_that_are_there_twice_are_counted_and_chance_is_known() -> None:
    once = rows(200, 0)
    twice = {name: np.concatenate([values, values]) for name, values in once.items()}
    found = repeats(twice, COLUMNS)
    assert (found["rows_compared"], found["duplicates"]) == (400, 200)
    assert found["duplicates_by_chance"] <= 2  # shuffled columns bring equal cells together now and then


def test_a_copied_row_with_a_new_identifier_is_a_copy() -> None:
    once = rows(50, 0)
    twice = {name: np.concatenate([values, values]) for name, values in once.items()}
    twice["number"] = np.arange(100).astype(float)
    named = Column(name="number", kind="identifier", dtype="int64", distinct=100)
    assert repeats(twice, (*COLUMNS, named))["duplicates"] == 50


def test_columns_of_few_values_repeat_by_chance_as_often_as_they_do() -> None:
    random = np.random.default_rng(0)
    yes_or_no = {name: random.integers(0, 2, 300).astype(float) for name in ("size", "age")}
    found = repeats({**yes_or_no, "kind": np.array(["a"] * 300, dtype=object)}, COLUMNS)
    assert found["duplicates"] == found["duplicates_by_chance"] == 296


def few_temperatures(rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """398 possible values, and a second column that follows from them: shuffled columns would hardly repeat."""
    size = np.round(10 + 4 * random.normal(size=rows), 1)
    return {"size": size, "age": np.round(32 + 1.8 * size, 2), "kind": np.array(["a"] * rows, dtype=object)}


def product_and_price(rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    product = np.minimum(random.geometric(0.02, rows), 200).astype(float)
    return {"size": product, "age": np.round(product**1.5, 2), "kind": np.array(["a"] * rows, dtype=object)}


@pytest.mark.parametrize("made", [few_temperatures, product_and_price])
def test_draws_from_few_combinations_repeat_by_chance(made: Callable[..., dict[str, np.ndarray]]) -> None:
    found = repeats(made(2_700, np.random.default_rng(0)), COLUMNS)
    assert found["duplicates"] == found["duplicates_by_chance"] > 2_000


def k_times(k: int) -> dict[str, np.ndarray]:
    return {name: np.tile(values, k) for name, values in rows(2_700 // k, 0).items()}


def some_twice() -> dict[str, np.ndarray]:
    once = rows(1_500, 0)
    return {name: np.concatenate([values, values[:900]]) for name, values in once.items()}


def drawn_with_replacement() -> dict[str, np.ndarray]:
    places = np.random.default_rng(1).integers(0, 2_000, 2_000)
    return {name: values[places] for name, values in rows(2_000, 0).items()}


def thrice_with_a_tenth_held_out() -> dict[str, np.ndarray]:
    whole, random = k_times(3), np.random.default_rng(0)
    kept = random.random(len(whole["size"])) < 0.9
    return {name: values[kept] for name, values in whole.items()}


@pytest.mark.parametrize(
    "made",
    [
        lambda: k_times(2),
        lambda: k_times(3),
        lambda: k_times(9),
        some_twice,
        drawn_with_replacement,
        thrice_with_a_tenth_held_out,
    ],
)
def test_rows_that_were_multiplied_are_no_chance(made: Callable[[], dict[str, np.ndarray]]) -> None:
    found = repeats(made(), COLUMNS)
    assert found["duplicates"] > 0.3 * found["rows_compared"]
    assert found["duplicates_by_chance"] < 0.05 * found["rows_compared"]  # above which repeats mean nothing
