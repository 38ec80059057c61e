import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, one_of
from ganforge.kinds.tables.rules.narrowing import narrowed
from ganforge.kinds.tables.rules.rules import Fixed, Ordered


def integer(name: str, low: float = 0, high: float = 9, missing: int = 0) -> Column:
    return Column(name=name, kind="integer", dtype="int64", minimum=low, maximum=high, missing=missing)


def datetime(name: str, resolution: Any, missing: int = 0) -> Column:
    return Column(name=name, kind="datetime", dtype="", resolution=resolution, missing=missing)


def test_a_condition_binds_the_columns_that_are_ordered_with_its_own() -> None:
    columns = [
        integer("a"),
        integer("b"),
        integer("c"),
        integer("free"),
        Column(name="x", kind="category", dtype="str"),
    ]
    rules = (Ordered("b", "c"), Ordered("a", "b"), Fixed(("x", "free")))
    ranges = narrowed([Condition("a", low=4), one_of("x", ["y"])], rules, columns)
    assert ranges == {"a": (4, 9), "b": (4, 9), "c": (4, 9), "free": (0, 9)}
    assert narrowed([one_of("c", [3, 5])], rules, columns)["a"] == (0, 5)
    assert narrowed([Condition("c", 3, 5)], (*rules, Condition("a", low=2, missing=True)), columns)["b"] == (2, 5)


def test_a_column_that_may_be_missing_binds_no_other_unless_it_is_asked_for() -> None:
    columns = [integer("a"), integer("b", missing=1), integer("c")]
    rules = (Ordered("a", "b"), Ordered("b", "c"))
    assert narrowed([Condition("a", low=4)], rules, columns) == {"a": (4, 9), "b": (4, 9), "c": (0, 9)}
    assert narrowed([Condition("a", low=4), Condition("b")], rules, columns)["c"] == (4, 9)
    assert narrowed([Condition("a", low=6), Condition("c", high=5)], rules, columns)["b"] == (6, 5)  # only missing
    low, high = narrowed([one_of("b", [None])], rules, columns)["b"]
    assert low > high


def test_ends_are_moved_inwards_between_resolutions_and_decimals() -> None:
    day, second = datetime("day", "D"), datetime("second", "s")
    at = float(np.datetime64("2024-01-31T12:00", "s").astype(int))
    rules = (Ordered("day", "second"), Ordered("second", "later"))
    ranges = narrowed([Condition("second", at, at)], rules, [day, second, datetime("later", "D")])
    last = float(np.datetime64("2024-01-31", "D").astype(int))
    assert ranges["day"] == (-math.inf, last) and ranges["later"] == (last + 1, math.inf)

    def decimal(name: str, decimals: int | None) -> Column:
        return Column(name=name, kind="decimal", dtype="float64", decimals=decimals)

    fine, coarse, floating = decimal("fine", 3), decimal("coarse", 1), decimal("floating", None)
    rules = (Ordered("fine", "coarse"), Ordered("coarse", "floating"))
    for typed, least in [(1.1, 1.1), (1.101, 1.2)]:
        ranges = narrowed([Condition("fine", low=typed)], rules, [fine, coarse, floating])
        assert ranges["coarse"][0] == ranges["floating"][0] == least


@pytest.mark.parametrize(
    "conditions",
    [
        [Condition("a", low=6), Condition("c", high=5)],
        [Condition("b", low=6), Condition("c", high=5)],
        [Condition("a", low=6), one_of("c", [1, 5])],
    ],
)
def test_conditions_that_the_rules_forbid_are_named_with_them(conditions: list[Condition]) -> None:
    columns = [integer("a"), integer("b"), integer("c")]
    with pytest.raises(InputError, match=r"No row can meet '.*' and '.*': .*Generated rows keep 'a <= b' and 'b <= c'"):
        narrowed(conditions, [Ordered("a", "b"), Ordered("b", "c")], columns)


@given(data=st.data())
def test_the_ranges_are_just_those_of_all_rows_that_keep_the_rules(data: Any) -> None:
    names = ["a", "b", "c", "d"]
    ends = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted)
    columns = [integer(name, *data.draw(ends)) for name in names]
    pairs = data.draw(st.lists(st.sampled_from(list(itertools.combinations(names, 2))), max_size=5))
    asked = {name: data.draw(ends) for name in data.draw(st.sets(st.sampled_from(names)))}
    rows = [
        dict(zip(names, row, strict=True))
        for row in itertools.product(*(range(int(c.minimum or 0), int(c.maximum or 0) + 1) for c in columns))
    ]
    rows = [row for row in rows if all(row[a] <= row[b] for a, b in pairs)]
    rows = [row for row in rows if all(low <= row[name] <= high for name, (low, high) in asked.items())]
    conditions = [Condition(name, low, high) for name, (low, high) in asked.items()]
    orders = [Ordered(a, b) for a, b in pairs]
    if rows:
        expected = {name: (min(row[name] for row in rows), max(row[name] for row in rows)) for name in names}
        assert narrowed(conditions, orders, columns) == expected
    else:
        with pytest.raises(InputError):
            narrowed(conditions, orders, columns)
