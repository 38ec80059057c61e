"""Parts of dates, and ranges of numbers, that decide other columns: found, kept by every row, asked for, and stored."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from codec_world import drawn_from, random_codes, table_of

from ganforge.errors import RecipeError, RunError
from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.codec.fill import fill
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import take
from ganforge.kinds.tables.rules import bins as bins_module
from ganforge.kinds.tables.rules.bins import find_calendar, find_ranges, fit_bins
from ganforge.kinds.tables.rules.calendar import PARTS, parts_of
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.rule_text import parse_rules
from ganforge.kinds.tables.rules.rules import Binned, rule_in_words
from ganforge.kinds.tables.table import Table

FOUND = {
    "monthstart(day) -> since",
    "clock(moment) -> clock",
    "year(day) -> year",
    "month(day) -> name",
    "month(day) -> season",
    "weekday(day) -> off",
    "hour(moment) -> hour",
    "quarterstart(day) -> rate",
    "range(amount) -> band",
}


def orders(rows: int = 1_500, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    moment = pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(random.integers(0, 730 * 86_400, rows), "s"))
    amount = random.gamma(2, 20, rows).round(2)
    return pd.DataFrame(
        {
            "moment": moment,
            "day": moment.dt.floor("D").astype("datetime64[s]"),
            "clock": moment.dt.time,
            "year": moment.dt.year,
            "name": moment.dt.month_name(),
            "season": (moment.dt.month % 12 // 3).map(dict(enumerate(["winter", "spring", "summer", "autumn"]))),
            "off": moment.dt.day_of_week >= 5,
            "hour": moment.dt.hour,
            "since": moment.dt.to_period("M").dt.start_time.astype("datetime64[s]"),
            "rate": moment.dt.to_period("Q").astype(str).map(lambda quarter: round(hash_of(quarter), 3)),
            "amount": amount,
            "band": np.select([amount < 18, amount < 60], ["small", "usual"], "large"),
            "shop": np.array(["north", "south"])[random.integers(0, 2, rows)],
        }
    )


def hash_of(text: str) -> float:
    return sum(map(ord, text)) * 0.37 % 1


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return table_of(orders(), tmp_path_factory.mktemp("table"), None)


def test_every_part_is_what_the_calendar_of_python_says() -> None:
    zone = ZoneInfo("Europe/Berlin")
    moments = [datetime(1969, 12, 31, 23, 59, 59, tzinfo=zone) + n * timedelta(days=83, hours=7) for n in range(300)]
    column = Column(name="x", kind="datetime", dtype="", resolution="s", zone="Europe/Berlin")
    values = np.array([moment.timestamp() for moment in moments])
    of = {part: parts_of(part, values, column) for part in PARTS}
    local = [datetime.fromtimestamp(value, zone).replace(tzinfo=None) for value in values]
    epoch, micro = datetime(1970, 1, 1), timedelta(microseconds=1)
    expected = {
        "quarter": [(m.month + 2) // 3 for m in local],
        "weekday": [m.weekday() for m in local],
        "month": [m.month for m in local],
        "year": [m.year for m in local],
        "hour": [m.hour for m in local],
        "day": [m.day for m in local],
        "week": [m.isocalendar()[1] for m in local],
        "quarterstart": [(datetime(m.year, (m.month - 1) // 3 * 3 + 1, 1) - epoch) // micro for m in local],
        "monthstart": [(datetime(m.year, m.month, 1) - epoch) // micro for m in local],
        "weekstart": [(datetime.fromisocalendar(*m.isocalendar()[:2], 1) - epoch) // micro for m in local],
        "date": [(datetime(m.year, m.month, m.day) - epoch) // micro for m in local],
        "clock": [(m - datetime(m.year, m.month, m.day)) // micro for m in local],
    }
    assert expected.keys() == PARTS.keys()
    for part, numbers in expected.items():
        assert of[part].tolist() == numbers, part
    assert np.isnan(parts_of("month", np.array([np.nan]), column)).all()


def test_parts_and_ranges_are_found(table: Table) -> None:
    rules = {rule_in_words(rule, table.codec.columns) for rule in table.codec.rules if isinstance(rule, Binned)}
    assert rules == FOUND


@pytest.mark.parametrize("name", ["year", "name", "off", "rate", "band"])
def test_what_one_row_breaks_is_not_found(name: str, tmp_path: Path) -> None:
    frame = orders()
    other = frame[name][frame[name] != frame[name][7]].iloc[0]
    frame.loc[7, name] = other
    rules = table_of(frame, tmp_path, None).codec.rules
    assert name not in {rule.target for rule in rules if isinstance(rule, Binned)}


def test_independent_columns_are_no_bins(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "day": np.datetime64("2024-01-01") + random.integers(0, 300, 1_500),
            "x": random.normal(size=1_500),
            "word": np.array(["a", "b", "c"])[random.integers(0, 3, 1_500)],
            "rare": np.where(np.arange(1_500) < 4, "yes", "no"),
            "count": random.integers(0, 50, 1_500),
        }
    )
    rules = table_of(frame.sort_values("x"), tmp_path, None).codec.rules
    assert not [rule for rule in rules if isinstance(rule, Binned)]


def test_any_codes_give_rows_that_agree(table: Table) -> None:
    codec = table.codec
    plain = codec.decode(random_codes(codec, 2_000, seed=0), np.random.default_rng(0))
    assert set(broken(codec.rules, plain, table.train_rows, codec.columns).values()) == {0}
    assert codec.keeps(plain, {}).all()
    assert plain["band"][plain["amount"] < 18].tolist() == ["small"] * int((plain["amount"] < 18).sum())


def test_a_day_is_drawn_of_the_month_and_the_hour_that_were_drawn(table: Table) -> None:
    """Else what goes with a month would be lost: days are learned as spans of several weeks."""
    codec = table.codec
    codes = table.train.tensors["x"].numpy().astype(np.int32)
    plain, real = codec.decode(codes, np.random.default_rng(0)), codec.encode(table.train_rows)
    for name in ("name", "hour", "off", "band"):
        place = codec.unit_of(name)
        assert (codec.encode(plain)[:, place] == codes[:, place]).mean() > 0.97, name
    assert real.shape == codes.shape


def test_a_day_is_filled_that_agrees_with_what_is_given(table: Table) -> None:
    codec, rows = table.codec, take(table.train_rows, slice(0, 200))
    holes = {name: values.copy() for name, values in rows.items()}
    for name in ("moment", "day", "clock", "since", "rate"):
        holes[name][:] = np.nan
    holes["band"][:] = None
    shares = [np.full((200, size), 1 / size) for size in codec.sizes]
    for random in (None, np.random.default_rng(0)):
        filled = fill(codec, holes, shares, random)
        agree = np.mean([bins.agrees(filled) for bins in codec.bins], axis=1)
        assert (agree > 0.9).all(), dict(zip([bins.rule.target for bins in codec.bins], agree, strict=True))
        assert (filled["band"] == rows["band"]).all() and (filled["name"] == rows["name"]).all()


def test_edges_are_round_numbers_between_the_rows(tmp_path: Path) -> None:
    age = np.array([3.7, 17.93, 18.21, 40.0, 64.9, 65.3] * 30)
    frame = pd.DataFrame({"age": age, "group": np.select([age < 18, age < 65], ["child", "adult"], "old")})
    columns = {name: Column(name=name, kind="decimal", dtype="") for name in frame}
    columns["group"] = Column(name="group", kind="category", dtype="")
    plain = {"age": age, "group": frame["group"].to_numpy(object)}
    bins = fit_bins(Binned("group", "age", "range"), columns, plain)
    assert bins.edges.tolist()[1:] == [18.0, 65.0] and bins.values.tolist() == ["child", "adult", "old"]
    assert bins.at({"age": np.array([-1.0, 17.99, 18.0, 99.0, np.nan])}).tolist() == [
        "child",
        "child",
        "adult",
        "old",
        None,
    ]


def test_a_year_that_training_did_not_have_is_itself(table: Table) -> None:
    bins = next(bins for bins in table.codec.bins if bins.rule.target == "year")
    day = np.array([(np.datetime64("2035-05-05") - np.datetime64("1970-01-01")).astype(float)])
    unit = next(column.unit for column in table.codec.columns if column.name == "day")
    assert bins.at({"day": day * 86_400_000_000 / unit}).tolist() == [2035.0]


def test_bins_are_stored_and_read(table: Table) -> None:
    content, arrays = codec_content(table.codec)
    again = restore_codec(content, arrays)
    one, other = (drawn_from(Table_with(table, codec), 300) for codec in (table.codec, again))
    assert all(pd.Series(one[name]).equals(pd.Series(other[name])) for name in one)


def Table_with(table: Table, codec: object) -> Table:  # noqa: N802
    from dataclasses import replace

    return replace(table, codec=codec)  # type: ignore[arg-type]


@pytest.mark.parametrize("damage", ["edges", "texts", "gone", "kind"])
def test_damaged_bins_are_refused(table: Table, damage: str) -> None:
    content, arrays = codec_content(table.codec)
    place = next(at for at, each in enumerate(content["bins"]) if each["column"] == "band")
    bins = [dict(each) for each in content["bins"]]
    if damage == "edges":
        arrays = arrays | {f"bins{place}/edges": arrays[f"bins{place}/edges"][::-1].copy()}
    elif damage == "texts":
        bins[place]["texts"] = ["small", 3, "large"]
    elif damage == "gone":
        del bins[place]
    else:
        bins[place]["texts"] = None
    with pytest.raises(RunError, match="damaged"):
        restore_codec(content | {"bins": bins}, arrays)


COLUMNS = [
    Column(name="day", kind="datetime", dtype="", resolution="D"),
    Column(name="a) -> b", kind="category", dtype=""),
    Column(name="amount", kind="decimal", dtype=""),
    Column(name="band", kind="category", dtype=""),
]


@pytest.mark.parametrize("text", ['month(day) -> "a) -> b"', "range(amount) -> band", "weekday( day )->band"])
def test_a_rule_is_read_as_it_is_written(text: str) -> None:
    (rule,) = parse_rules([text], COLUMNS)
    assert parse_rules([rule_in_words(rule, COLUMNS)], COLUMNS) == (rule,)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["mnth(day) -> band"], "month"),
        (["month(amount) -> band"], "'amount' is decimal"),
        (["range(band) -> amount"], "'band' is category"),
        (["range(day) -> day"], "twice"),
        (["range(amount) -> band", "month(day) -> band"], "another rule"),
        (["range(amount) -> day", "range(day) -> amount"], "circle"),
        (["range(nothing) -> band"], "nothing"),
    ],
)
def test_what_cannot_be_kept_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(RecipeError) as told:
        parse_rules(texts, COLUMNS)
    assert words in str(told.value)


def test_columns_that_are_no_bins_are_compared_on_a_thousand_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a thousand columns with thirty dates cost seconds, not minutes."""
    random, rows = np.random.default_rng(0), 5_000
    columns = [Column(name=f"day{n}", kind="datetime", dtype="", resolution="D", distinct=300) for n in range(3)]
    columns += [Column(name=f"x{n}", kind="decimal", dtype="", distinct=rows) for n in range(10)]
    words = [Column(name=f"word{n}", kind="category", dtype="", distinct=5) for n in range(30)]
    plain = {column.name: random.integers(0, 300, rows).astype(float) for column in columns[:3]}
    plain |= {column.name: random.normal(size=rows) for column in columns[3:]}
    plain |= {column.name: np.array([*"abcde"], object)[random.integers(0, 5, rows)] for column in words}
    whole: list[str] = []
    for name in ("_decides_all", "_few_ranges"):
        monkeypatch.setattr(bins_module, name, lambda *_, name=name: whole.append(name) or False)
    assert find_calendar(plain, [*columns, *words]) == []
    assert list(find_ranges(plain, columns, words)) == [] and whole == []
