from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforge.errors import DataError, RecipeError
from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.rules.checks import broken, check_rules
from ganforge.kinds.tables.rules.conditions import Condition
from ganforge.kinds.tables.rules.expressions import Operation
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import (
    Computed,
    Fixed,
    Ordered,
    Rule,
    Seen,
    Unique,
    rule_in_words,
)


def column(name: str, kind: ColumnKind, **more: Any) -> Column:
    return Column(name=name, kind=kind, dtype="float64", **more)


def within(name: str, low: float = -np.inf, high: float = np.inf) -> Condition:
    return Condition(name, low, high, missing=True)


def day(text: str) -> float:
    return float(np.datetime64(text, "D").astype(int))


def second(text: str) -> float:
    return float(np.datetime64(text, "s").astype(int))


COLUMNS = (
    column("id", "identifier"),
    column("age", "integer"),
    column("low", "integer"),
    column("middle", "decimal", decimals=1),
    column("high", "decimal", decimals=2),
    column("start", "datetime", resolution="D"),
    column("end", "datetime", resolution="s"),
    column("zoned", "datetime", resolution="s", zone="Europe/Berlin"),
    column("city", "category"),
    column("city, old", "category"),
    column("country", "category"),
    column("continent", "category"),
    column("district", "integer"),
    column("store", "integer"),
    column("a -> b", "category"),
    column("unique visitors", "integer"),
    column("7", "integer"),
    column("same", "constant"),
)


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (["start <= end"], [Ordered("start", "end")]),
        (["end>=start"], [Ordered("start", "end")]),
        (["low <= middle <= high"], [Ordered("low", "middle"), Ordered("middle", "high")]),
        (
            ["0 <= low <= high <= 9.5"],
            [within("low", low=0), Ordered("low", "high"), within("high", high=9.5)],
        ),
        (["0 <= age <= 99"], [within("age", 0, 99)]),
        (["age >= 17"], [within("age", low=17)]),
        (["age > 17", "100 > age"], [within("age", 18, 99)]),
        (["high < 1.5"], [within("high", high=1.49)]),
        (["age >= -5.5"], [within("age", low=-5)]),
        (["start >= 2024-01-31"], [within("start", low=day("2024-01-31"))]),
        (["end <= 2024-01-31"], [within("end", high=second("2024-01-31T23:59:59"))]),
        (["7 <= 8"], [within("7", high=8)]),
        (["7 <= age"], [Ordered("7", "age")]),
        (['"7" <= "age"'], [Ordered("7", "age")]),
        (["unique id"], [Unique("id")]),
        (["unique 'id'"], [Unique("id")]),
        (["unique visitors >= 0"], [within("unique visitors", low=0)]),
        (["seen store"], [Seen("store")]),
        (["city -> country"], [Fixed(("city", "country"))]),
        (["city,district->country"], [Fixed(("city", "district", "country"))]),
        (["city, old -> country"], [Fixed(("city, old", "country"))]),
        (['"city", district -> country'], [Fixed(("city", "district", "country"))]),
        (["a -> b -> country"], [Fixed(("a -> b", "country"))]),
        (["city -> country", "seen store", "city -> country"], [Fixed(("city", "country")), Seen("store")]),
        (["city -> country", "country -> continent"], [Fixed(("city", "country", "continent"))]),
        (["city -> country", "store -> district", "city -> store"], [Fixed(("city", "country", "store", "district"))]),
        (["age >= 17", "start <= end", "age <= 90"], [within("age", 17, 90), Ordered("start", "end")]),
    ],
)
def test_a_rule_in_words_is_understood(texts: list[str], rules: list[Rule]) -> None:
    assert parse_rules(texts, COLUMNS) == tuple(rules)
    for rule in rules:
        assert parse_rules([rule_in_words(rule, COLUMNS)], COLUMNS) == (rule,)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["strat <= end"], r"no column 'strat'.*'strat <= end'.*Did you mean 'start'"),
        (["city -> contry"], r"no column 'contry'.*Did you mean 'country'"),
        (["unique ids"], r"no column 'ids'.*Did you mean 'id'"),
        (["nonsense"], r"cannot be read.*start <= end"),
        (["age"], r"cannot be read"),
        (["age <="], r"cannot be read"),
        (["city -> "], r"cannot be read"),
        (["3 <= 5"], r"compares two numbers"),
        (["low = 5"], r"cannot be kept.*computed from other columns"),
        (["low = low + 1"], r"stands on both sides"),
        (["low = hihg + 1"], r"no column 'hihg'.*Did you mean 'high'"),
        (["low = high", "high = low"], r"circle"),
        (["low = high", "low = 2 * high"], r"in 'low = 2 \* high' and in another rule"),
        (["low < high"], r"only <= can be.*Write low <= high"),
        (["high > low"], r"Write low <= high"),
        (["low <= low"], r"one column twice"),
        (["city -> city"], r"one column twice"),
        (["city <= country"], r"'city' is category"),
        (["age <= start"], r"'start' is datetime.*'age' is integer"),
        (["end <= zoned"], r"'zoned'.*Europe/Berlin"),
        (["city >= 5"], r"'city' is category"),
        (["id -> city"], r"'id' is identifier.*Combinations are of"),
        (["unique age"], r"'age' is integer.*Only identifiers"),
        (["seen id"], r"'id' is identifier.*made anew"),
        (["start >= 2024-02-30"], r"'start >= 2024-02-30' cannot be read.*not a date"),
        (["age >= 1-2"], r"'1-2' is not a number"),
        (["age >= 60", "age <= 20"], r"No value of 'age' keeps 'age >= 60' and 'age <= 20'"),
        (["60 <= age <= 20"], r"No value of 'age' keeps '60 <= age <= 20'\."),
        (["low <= high", "high <= low"], r"in a circle: low <= high <= low"),
        (["low <= middle", "middle <= high", "high <= low"], r"circle: low <= middle <= high <= low"),
        (["low <= high", "low >= 10", "high <= 5"], r"'low >= 10', 'high <= 5'.*contradict"),
        (["low <= middle <= high", "low >= 10", "high <= 5"], r"'low' begins above the end of 'high'"),
        (["start <= end", "start >= 2024-01-02", "end <= 2024-01-01T12:00"], r"'start' begins above the end of 'end'"),
        (["age -> city", "age <= high"], r"'age' is in age <= high and in a rule with ->"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused_in_three_sentences(texts: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        parse_rules(texts, COLUMNS)
    assert caught.value.what and caught.value.why and caught.value.do


def test_ends_that_just_meet_are_no_contradiction() -> None:
    texts = [
        "low <= high",
        "low >= 5",
        "high <= 5",
        "start <= end",
        "start >= 2024-01-02",
        "end <= 2024-01-02T00:00:00",
    ]
    assert within("low", low=5) in parse_rules(texts, COLUMNS)


NAMES = st.lists(st.text(alphabet="ab <>=-,\"'", min_size=1, max_size=8), min_size=4, max_size=6, unique=True)


@given(names=NAMES, ends=st.lists(st.integers(-99, 99), min_size=2, max_size=2))
def test_any_rule_can_be_written_and_read_again(names: list[str], ends: list[int]) -> None:
    columns = [column(name, "integer") for name in names[1:]] + [column(names[0], "identifier")]
    low, high = sorted(ends)
    _, a, b, *others = names
    rules: list[Rule] = [
        Ordered(a, b),
        within(a, low, high),
        within(a, low=low),
        within(b, high=high),
    ]
    rules += [Fixed((b, a)), Fixed((a, *others)), Unique(names[0]), Seen(a)]
    twice = Operation("-", Operation("*", float(high), b), Operation("/", others[0], Operation("^", b, 2.0)))
    rules += [Computed(a, b), Computed(a, twice, exact=False), Computed(a, Operation("-", b, Operation("+", b, 0.5)))]
    for rule in rules:
        words = rule_in_words(rule, columns)
        assert parse_rules([words], columns) == (rule,), words


# ---- training rows --------------------------------------------------------------------------------------------------


def table(**columns: list[Any]) -> dict[str, Any]:
    return {
        name: np.array(values, dtype=object if any(isinstance(v, str) for v in values) else float)
        for name, values in columns.items()
    }


@pytest.mark.parametrize(
    ("rule", "plain", "words"),
    [
        (
            Ordered("start", "end"),
            table(
                start=[day("2024-01-01"), np.nan, day("2024-03-01"), day("2024-03-02")],
                end=[second("2024-01-01"), 0.0, second("2024-02-29T23:00"), np.nan],
            ),
            r"Row 503 breaks the rule 'start <= end': 'start' is 2024-03-01 and 'end' is 2024-02-29T23:00:00\. ",
        ),
        (
            within("age", 17, 90),
            table(age=[17, np.nan, 90, 91, 16]),
            r"Row 504 .*'17 <= age <= 90': 'age' is 91\. Of the rows read so far 2 do",
        ),
        (
            Unique("id"),
            table(id=["a", "b", None, None, "b"]),
            r"Row 505 .*'unique id': 'id' is 'b' for the second time",
        ),
    ],
)
def test_a_training_row_that_breaks_a_rule_is_named_with_its_values(
    rule: Rule, plain: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        check_rules([rule], plain, COLUMNS, first_row=501)
    assert "leave this rule out" in caught.value.do


def test_rows_that_keep_their_rules_are_taken() -> None:
    plain = table(
        start=[day("2024-01-01"), np.nan],
        end=[second("2024-01-01"), 0.0],  # on one day: midnight is not before it
        age=[17, np.nan],
        id=["a", None],
        city=["x", "y"],
        country=["X", None],
        store=[1, 2],
    )
    texts = ["start <= end", "17 <= age <= 90", "unique id", "city -> country", "seen store"]
    check_rules(parse_rules(texts, COLUMNS), plain, COLUMNS, first_row=1)


def test_datetimes_of_far_years_are_compared_exactly() -> None:
    columns = [column("a", "datetime", resolution="D"), column("b", "datetime", resolution="h")]
    far = day("9999-12-31")
    plain = {"a": np.array([far]), "b": np.array([far * 24 - 1])}
    with pytest.raises(DataError, match=r"'a' is 9999-12-31 and 'b' is 9999-12-30T23"):
        check_rules([Ordered("a", "b")], plain, columns, first_row=1)
    check_rules([Ordered("a", "b")], {"a": plain["a"], "b": plain["b"] + 1}, columns, first_row=1)


def test_generated_rows_that_break_rules_are_counted() -> None:
    train = table(id=["a", "b", None], city=["x", "x", None], country=["X", "X", "Y"], store=[1, 2, np.nan])
    rows = table(
        id=["a", "c", "c", None, "d"],
        city=["x", "x", None, None, "z"],
        country=["X", "Y", "Y", "X", "X"],
        store=[1, 3, np.nan, 2, 2],
        age=[5, 6, 7, 8, 9],
    )
    rules = [Unique("id"), Fixed(("city", "country")), Seen("store"), within("age", high=7)]
    assert broken(rules, rows, train, COLUMNS) == {
        "unique id": 2,  # one that was seen, one for the second time
        '"city" -> country': 3,  # in quotes, as there is a column "city, old" as well
        "seen store": 1,
        "age <= 7": 2,
    }


@given(st.data())
def test_combinations_are_counted_as_sets_of_tuples_would(data: Any) -> None:
    cells = st.sampled_from(["a", "b", "c", None])

    def drawn(rows: int) -> dict[str, Any]:
        return {name: np.array(data.draw(st.lists(cells, min_size=rows, max_size=rows)), dtype=object)
                for name in ("city", "country", "continent")}  # fmt: skip

    rows, train = drawn(data.draw(st.integers(0, 12))), drawn(data.draw(st.integers(1, 12)))
    seen = set(zip(*train.values(), strict=True))
    wanted = sum(row not in seen for row in zip(*rows.values(), strict=True))
    rule = Fixed(("city", "country", "continent"))
    assert list(broken([rule], rows, train, COLUMNS).values()) == [wanted]
