import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.rules.conditions import Condition, in_words, one_of, parse_where


def column(name: str, kind: ColumnKind, **more: Any) -> Column:
    return Column(name=name, kind=kind, dtype=more.pop("dtype", "float64"), **more)


def day(text: str) -> float:
    return float(np.datetime64(text, "D").astype(int))


def second(text: str) -> float:
    return float(np.datetime64(text, "s").astype(int))


COLUMNS = (
    column("sex", "category", dtype="str"),
    column("age", "integer", minimum=17, maximum=90),
    column("age group", "category", dtype="str", missing=3),
    column("income", "category", dtype="str"),
    column("workclass", "category", dtype="str"),
    column("capital-gain", "integer", minimum=0, maximum=99_999, missing=5),
    column("price", "decimal", minimum=0, maximum=10, decimals=2),
    column("ratio", "decimal", minimum=0, maximum=1),
    column("weight", "decimal", dtype="float32", minimum=0, maximum=1),
    column("active", "boolean", dtype="bool"),
    column("date", "datetime", minimum=day("2020-01-01"), maximum=day("2024-12-31"), resolution="D"),
    column("at", "datetime", minimum=second("2020-01-01"), maximum=second("2024-12-31"), resolution="s", missing=2),
    column(
        "zoned",
        "datetime",
        minimum=second("2020-01-01") / 60,
        maximum=second("2024-12-31") / 60,
        resolution="min",
        zone="Europe/Berlin",
    ),
    column("a<=b", "integer", minimum=0, maximum=9),
    column("a", "category", dtype="str"),
    column("customer", "identifier", dtype="str"),
    column("country", "constant", dtype="str"),
    column('the "best" of', "category", dtype="str", missing=1),
)
KNOWN = {
    "sex": ["Female", "Male"],
    "age group": ["young", "old", "missing"],
    "income": ["<=50K", ">50K"],
    "workclass": ["Private", "State-gov", "?", "missing"],
    "active": ["True", "False"],
    "a": ["b", "=b", "b=c", 'say "hi"', "x, y", "{z}", " padded ", ""],
    "country": ["Chile"],
    'the "best" of': ["missing", "1", "it's"],
}


def parsed(*words: str) -> tuple[Condition, ...]:
    return parse_where(words, COLUMNS, KNOWN)


def among(name: str, *values: Any) -> Condition:
    return one_of(name, values)


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("sex=Female", among("sex", "Female")),
        ("sex==Female", among("sex", "Female")),
        ("  sex = 'Female' ", among("sex", "Female")),
        ('"sex"="Female"', among("sex", "Female")),
        ("income=>50K", among("income", ">50K")),
        ("income=<=50K", among("income", "<=50K")),
        ("income = > 50K".replace("> ", ">"), among("income", ">50K")),
        ("age group=old", among("age group", "old")),
        ("age group=missing", among("age group", None)),
        ('age group="missing"', among("age group", "missing")),
        ("age group is missing", among("age group", None)),
        ("workclass=missing", among("workclass", "missing")),  # no row is without a value, so the word can only be one
        ("workclass=?", among("workclass", "?")),
        ("workclass in {Private, State-gov}", among("workclass", "Private", "State-gov")),
        ("workclass in{?,'Private'}", among("workclass", "Private", "?")),
        ('a in {"x, y", "{z}", b}', among("a", "x, y", "{z}", "b")),
        ('a=say "hi"', among("a", 'say "hi"')),
        ('a=""', among("a", "")),
        ("a<=b<=5", Condition("a<=b", high=5)),
        ("age>=60", Condition("age", low=60)),
        ("age>60", Condition("age", low=61)),
        ("age>60.5", Condition("age", low=61)),
        ("age<60.5", Condition("age", high=60)),
        ("age<=30", Condition("age", high=30)),
        ("age<30", Condition("age", high=29)),
        ("age=40", Condition("age", 40, 40)),
        ("age = 4e1", Condition("age", 40, 40)),
        ("age in {40}", Condition("age", 40, 40)),
        ("age in {40, 30}", among("age", 40, 30)),
        ("17<=age<=25", Condition("age", 17, 25)),
        ("17 < age < 25", Condition("age", 18, 24)),
        ("25>age>=17", Condition("age", 17, 24)),
        ("60<=age", Condition("age", low=60)),
        ("age is not missing", Condition("age")),
        ("capital-gain=missing", among("capital-gain", None)),
        ("capital-gain in {0, missing}", among("capital-gain", 0, None)),
        ("price>1.5", Condition("price", low=1.51)),
        ("price>1.509", Condition("price", low=1.51)),
        ("price<1.5", Condition("price", high=1.49)),
        ("price=.5", Condition("price", 0.5, 0.5)),
        ("ratio>0.1", Condition("ratio", low=float(np.nextafter(0.1, 1)))),
        ("ratio<=0.1", Condition("ratio", high=0.1)),
        ("weight=0.1", Condition("weight", float(np.float32(0.1)), float(np.float32(0.1)))),
        ("weight>0.5", Condition("weight", low=float(np.nextafter(np.float32(0.5), np.float32(1))))),
        ("active=True", among("active", "True")),
        ("active=no", among("active", "False")),
        ("date>=2024-01-31", Condition("date", low=day("2024-01-31"))),
        ("date>2024-01-31", Condition("date", low=day("2024-02-01"))),
        ("date>2024-01-31 12:00", Condition("date", low=day("2024-02-01"))),
        ("date=2024-02", Condition("date", day("2024-02-01"), day("2024-02-29"))),
        ("date<2024", Condition("date", high=day("2023-12-31"))),
        ("at<=2024-01-31", Condition("at", high=second("2024-01-31T23:59:59"))),
        ("at>2024-01-31", Condition("at", low=second("2024-02-01"))),
        ("at=2024-01-31T12:30", Condition("at", second("2024-01-31T12:30:00"), second("2024-01-31T12:30:59"))),
        ("at>2024-01-31T12:30:05.5", Condition("at", low=second("2024-01-31T12:30:06"))),
        ("2021-01<=at<2022", Condition("at", second("2021-01-01"), second("2021-12-31T23:59:59"))),
        ("zoned>=2024-07-01", Condition("zoned", low=second("2024-06-30T22:00") / 60)),
        ("zoned>=2024-01-01T12:00+03:00", Condition("zoned", low=second("2024-01-01T09:00") / 60)),
        ("zoned=2024-10-27T02:30+02", Condition("zoned", *(second("2024-10-27T00:30") / 60,) * 2)),
        ("country=Chile", among("country", "Chile")),
        ('the "best" of=1', among('the "best" of', "1")),
    ],
)
def test_a_typed_condition_is_understood(word: str, condition: Condition) -> None:
    assert parsed(word) == (condition,)


@pytest.mark.parametrize(
    ("name", "value", "condition"),
    [
        ("sex", "Female", among("sex", "Female")),
        ("sex", np.array(["Female", "Male"]), among("sex", "Female", "Male")),
        ("workclass", ("Private", "State-gov"), among("workclass", "Private", "State-gov")),
        ("workclass", {"Private"}, among("workclass", "Private")),
        ("age", (60, None), Condition("age", low=60)),
        ("age", (-math.inf, np.float32(30.5)), Condition("age", high=30)),
        ("age", (None, None), Condition("age")),
        ("age", 40, Condition("age", 40, 40)),
        ("age", np.int8(40), Condition("age", 40, 40)),
        ("age", "40", Condition("age", 40, 40)),
        ("age", range(40, 42), among("age", 40, 41)),
        ("age", pd.Series([40.0, 41.0]), among("age", 40, 41)),
        ("price", Decimal("1.50"), Condition("price", 1.5, 1.5)),
        ("price", np.float32(0.1), Condition("price", 0.1, 0.1)),
        ("a<=b", True, Condition("a<=b", 1, 1)),
        ("active", True, among("active", "True")),
        ("active", np.False_, among("active", "False")),
        ("capital-gain", None, among("capital-gain", None)),
        ("capital-gain", float("nan"), among("capital-gain", None)),
        ("capital-gain", [pd.NA, 7], among("capital-gain", None, 7)),
        ("at", pd.NaT, among("at", None)),
        ("age group", "missing", among("age group", "missing")),
        ('the "best" of', 1, among('the "best" of', "1")),
        ('the "best" of', 1.0, among('the "best" of', "1")),
        ("date", date(2024, 1, 31), Condition("date", *(day("2024-01-31"),) * 2)),
        ("date", datetime(2024, 1, 31), Condition("date", *(day("2024-01-31"),) * 2)),
        ("at", (datetime(2024, 1, 31, 1), None), Condition("at", low=second("2024-01-31T01"))),
        ("at", pd.Timestamp("2024-01-31 00:00:07"), Condition("at", *(second("2024-01-31T00:00:07"),) * 2)),
        ("at", np.datetime64("2024-01"), Condition("at", second("2024-01-01"), second("2024-01-31T23:59:59"))),
        ("zoned", datetime(2024, 7, 1, tzinfo=UTC), Condition("zoned", *(second("2024-07-01") / 60,) * 2)),
    ],
)
def test_a_condition_in_python_is_understood(name: str, value: Any, condition: Condition) -> None:
    assert parse_where({name: value}, COLUMNS, KNOWN) == (condition,)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("agee>=60", r"no column 'agee'.*'agee>=60'.*Did you mean 'age'"),
        ("17<=agee<=25", r"no column 'agee'.*Did you mean 'age'"),
        ({"agee": 60}, r"no column 'agee'.*Did you mean 'age'"),
        ("income=50k", r"'income' is never '50k'.*'<=50K' or '>50K'"),
        ("income>=50K", r"without an order.*'<=50K' or '>50K'"),
        ("sex=female", r"Did you mean 'Female'"),
        ("sex=Femael", r"Did you mean 'Female'"),
        ("sex=other", r"Known: Female, Male"),
        ("workclass=Private|State-gov", r"Write workclass in \{Private, State-gov\}"),
        ("workclass in Private, State-gov", r"A set is written like workclass in \{Private, State-gov\}"),
        ("age!=40", r"what a value is not.*age in \{"),
        ("age not in {40}", r"what a value is not"),
        ("sex is not Female", r"what a value is not"),
        ("age=forty", r"'forty' is not a number.*'age' holds numbers"),
        ("age=>60", r"Write age>=60"),
        ("capital-gain=1,000", r"Write 1000"),
        ("age=inf", r"not a number"),
        ("age=1e999", r"not a number"),
        ("weight=1e300", r"not a number"),
        ("age=40.5", r"holds whole numbers.*40 and 41"),
        ("price=1.505", r"2 decimals.*1.5 and 1.51"),
        ("date=2024-01-31T12:00", r"counted in days.*2024-01-31 and 2024-02-01"),
        ("age>=200", r"'age' is drawn from 17 to 90"),
        ("date<2019-06", r"from 2020-01-01 to 2024-12-31"),
        ("25<=age<=17", r"low end is above.*Swap"),
        ({"age": (25, 17)}, r"low end is above"),
        ("25<age<26", r"Nothing lies between.*whole numbers"),
        ("customer=C-1", r"identifier.*'customer' are made anew"),
        ("country=Peru", r"'country' is never 'Peru'.*Known: Chile"),
        ("age", r"cannot be read.*age>=60"),
        ("age is 5", r"cannot be read"),
        ("", r"cannot be read"),
        ("sex=", r"names no value.*=missing"),
        ("workclass in {}", r"names no value"),
        ("workclass in {Private,}", r"names no value"),
        ("age=missing", r"'age' had a value in every row"),
        ("date=2024-02-30", r"not a date for the column 'date'.*2024-01-31T12:30"),
        ("date=2024-01-31T12:00Z", r"no zone"),
        ("zoned=2024-10-27T02:30", r"twice or never.*\+01:00"),
        ("at in {2024-01, 2024-03}", r"lists spans of time.*2024-01-01T00:00:00"),
        ({"age": (1, 2, 3)}, r"3 ends.*None for an open end"),
        ({"age": []}, r"one of no values"),
        ({"age": math.inf}, r"'inf' is not a number"),
        ({"age": np.arange(200, 300)}, r"'age in \{200, 201, 202, 203, 204, \.\.\.\}'"),
        ({"age": {"low": 3}}, r"a dict"),
        ({"age": b"40"}, r"a bytes"),
    ],
)
def test_what_cannot_be_met_is_refused_in_three_sentences(where: str | dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_where(where, COLUMNS, KNOWN)
    assert caught.value.what and caught.value.why and caught.value.do


def test_thousands_of_known_values_do_not_flood_an_error() -> None:
    known = {"sex": [f"value {i}" for i in range(3000)]}
    with pytest.raises(InputError) as caught:
        parse_where("sex=qqqqqqqqq", COLUMNS, known)
    assert "and 2,990 more" in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        (("age>=20", "age<30"), Condition("age", 20, 29)),
        (("age in {20, 30, 40}", "age>25"), among("age", 30, 40)),
        (("age>35", "age in {20, 30, 40}"), Condition("age", 40, 40)),
        (("capital-gain in {0, missing}", "capital-gain is missing"), among("capital-gain", None)),
        (("workclass in {Private, ?}", "workclass in {State-gov, ?}"), among("workclass", "?")),
    ],
)
def test_two_conditions_on_one_column_must_both_hold(words: tuple[str, ...], condition: Condition) -> None:
    assert parsed(*words) == (condition,)


def test_two_conditions_that_exclude_each_other_are_both_named() -> None:
    for pair in [("age>=60", "age<20"), ("sex=Male", "sex=Female"), ("age in {20, 30}", "age>30")]:
        with pytest.raises(InputError, match=f"'{pair[0]}' and '{pair[1]}' cannot both hold"):
            parsed(*pair)


def test_conditions_come_in_the_order_of_their_first_mention() -> None:
    assert [c.column for c in parsed("sex=Male", "age>20", "sex in {Male, Female}", "price>1")] == [
        "sex",
        "age",
        "price",
    ]


def test_which_rows_meet_a_condition() -> None:
    plain = {
        "age": np.array([17.0, 30.0, np.nan, 60.0]),
        "sex": np.array(["Male", None, "Female", "Male"], dtype=object),
    }
    cases = [
        (Condition("age", low=30), [False, True, False, True]),
        (Condition("age"), [True, True, False, True]),
        (among("age", 17, 60), [True, False, False, True]),
        (among("age", 17, None), [True, False, True, False]),
        (among("sex", "Male"), [True, False, False, True]),
        (among("sex", "Female", None), [False, True, True, False]),
    ]
    for condition, rows in cases:
        assert condition.holds(plain).tolist() == rows and condition.holds(plain).dtype == bool


# ---- whatever can be asked can be said ------------------------------------------------------------------------------

TEXT = st.text(alphabet="abin 01<>=!{},\"'-|missing\n", max_size=12)
NAMES = st.lists(TEXT.filter(bool), min_size=3, max_size=6, unique=True)


@given(names=NAMES, values=st.lists(TEXT, min_size=1, max_size=5, unique=True), data=st.data())
def test_any_name_and_any_value_can_be_written_and_read_again(names: list[str], values: list[str], data: Any) -> None:
    kinds: list[ColumnKind] = ["category", "integer", *["boolean"] * (len(names) - 2)]
    columns = [column(name, kind, missing=1) for name, kind in zip(names, kinds, strict=True)]
    known = {name: values for name, kind in zip(names, kinds, strict=True) if kind != "integer"}
    subset = data.draw(st.sets(st.sampled_from([*values, None]), min_size=1))
    numbers = sorted(data.draw(st.lists(st.integers(-99, 99), min_size=2, max_size=2)))
    for condition in (
        one_of(names[0], subset),
        Condition(names[1], *numbers),
        Condition(names[1], low=numbers[0]),
    ):
        words = in_words(condition, columns)
        assert parse_where(words, columns, known) == (condition,), words


@given(
    resolution=st.sampled_from(["D", "h", "min", "s", "ms", "us"]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "Asia/Kolkata", "+05:30"]),
    moments=st.lists(st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)), min_size=2, max_size=2),
)
def test_any_datetime_can_be_written_and_read_again(resolution: Any, zone: str | None, moments: list[datetime]) -> None:
    low, high = sorted(float(np.datetime64(moment).astype(f"datetime64[{resolution.replace('min', 'm')}]").astype(int))
                       for moment in moments)  # fmt: skip
    columns = [column("when", "datetime", resolution=resolution, zone=zone)]
    for condition in (Condition("when", low, high), Condition("when", low, low), Condition("when", high=high)):
        assert parse_where([in_words(condition, columns)], columns, {}) == (condition,)


@given(
    decimals=st.sampled_from([None, 0, 1, 2, 5]), dtype=st.sampled_from(["float64", "float32"]),
    typed=st.floats(-1e6, 1e6, width=32), sign=st.sampled_from(["<", "<=", ">", ">="]),
)  # fmt: skip
def test_the_end_of_a_range_is_the_outermost_number_that_meets_it(
    decimals: int | None, dtype: str, typed: float, sign: str
) -> None:
    columns = [column("x", "decimal", dtype=dtype, decimals=decimals)]
    (condition,) = parse_where([f"x{sign}{typed!r}"], columns, {})
    up = sign[0] == ">"
    end = condition.low if up else condition.high
    single = dtype == "float32" and decimals is None
    if decimals is not None:
        outer = float(Decimal(str(end)) - Decimal(1 if up else -1).scaleb(-decimals))
        assert round(end, decimals) == end
    elif single:
        outer = float(np.nextafter(np.float32(end), np.float32(-math.inf if up else math.inf)))
    else:
        outer = float(np.nextafter(end, -math.inf if up else math.inf))
    meets = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[sign]
    assert meets(end, typed) and not meets(outer, typed)
    assert parse_where([in_words(condition, columns)], columns, {}) == (condition,)
