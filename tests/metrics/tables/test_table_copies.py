"""Rows that were returned are found; rows that are merely alike are not."""

from __future__ import annotations

import numpy as np
import pytest
from interval_checks import assert_intervals_hold
from tables_world import COLUMNS, chosen, people

from ganforge.kinds.tables.measures.copies import copies, nearer_share, row_hashes
from ganforge.kinds.tables.reading.arrays import take

# Rows without hours are equal by chance now and then: of two tables of 2,000 rows fewer than 0.2 on average, by the
# distributions in tables_world. More than three have a chance below 1 in 10,000.

BY_CHANCE = 3 / 2000


def test_new_real_rows_are_no_copies() -> None:
    found = copies(people(2000, 0), people(500, 1), people(2000, 2), COLUMNS)
    assert found.nearer.low < 0.5 < found.nearer.high
    assert found.exact.value <= BY_CHANCE
    assert not found.suspected
    assert "no sign" in found.sentence


def test_training_rows_that_are_returned_are_counted_one_by_one() -> None:
    train, fresh = people(2000, 0), people(2000, 2)
    mixed = {name: np.concatenate([train[name][:600], fresh[name][:1400]]) for name in train}
    found = copies(train, people(500, 1), mixed, COLUMNS)
    assert 0.3 <= found.exact.value <= 0.3 + BY_CHANCE
    assert found.suspected
    assert "returns training rows" in found.sentence


def test_training_rows_under_a_little_noise_are_suspected() -> None:
    train = people(500, 0)
    worn = dict(train)
    worn["seen"], worn["hours"] = train["seen"] + 0.5, train["hours"] + 0.01
    found = copies(train, people(500, 1), worn, COLUMNS)
    assert found.exact.value == 0
    assert found.nearer.value > 0.95
    assert found.suspected


def test_rows_that_real_rows_repeat_anyway_are_no_copies() -> None:
    columns = chosen("town", "rich")
    found = copies(people(2000, 0), people(500, 1), people(2000, 2), columns)
    assert found.exact.value == found.unseen_exact.value == 1
    assert found.nearer.value == 0.5  # every row has its like on both sides: ties count half
    assert not found.suspected


def test_nearness_does_not_depend_on_units() -> None:
    sides = [people(300, seed) for seed in range(3)]
    scaled = [side | {"age": 1000 * side["age"] + 7, "hours": side["hours"] / 60} for side in sides]
    assert nearer_share(*sides, COLUMNS).value == pytest.approx(nearer_share(*scaled, COLUMNS).value, abs=0.01)


def test_the_interval_of_nearness_holds_a_half_for_new_rows_also_where_few_real_ones_decide_for_many() -> None:
    """A binomial interval of 600 rows holds it in 42 of these 60 worlds only: 80 real rows decide for all of them."""
    found = [
        nearer_share(people(40, 3 * seed), people(40, 3 * seed + 1), people(600, 3 * seed + 2), COLUMNS)
        for seed in range(60)
    ]
    assert_intervals_hold(found, truth=0.5)


def test_swapping_the_sides_turns_nearness_around() -> None:
    a, b, rows = people(300, 0), people(300, 1), people(300, 2)
    there, back = nearer_share(a, b, rows, COLUMNS), nearer_share(b, a, rows, COLUMNS)
    assert there.value + back.value == pytest.approx(1)


def test_equal_rows_have_equal_hashes_also_where_values_are_missing() -> None:
    table = people(50, 0)
    table["hours"][:5] = np.nan
    table["town"][:5] = None
    twice = {name: np.concatenate([values, values]) for name, values in table.items()}
    hashes = row_hashes(twice, COLUMNS)
    assert hashes[:50].tolist() == hashes[50:].tolist()
    assert len(np.unique(hashes)) == 50
    assert row_hashes(take(table, slice(3, 4)), COLUMNS)[0] == hashes[3]


def test_a_generator_of_one_row_is_seen_to_repeat() -> None:
    one = {name: np.repeat(values[:1], 500) for name, values in people(10, 3).items()}
    found = copies(people(1000, 0), people(500, 1), one, COLUMNS)
    assert found.repeats == pytest.approx(0.998)
    assert found.real_repeats == 0
