"""60 awkward tables: how people's files really look."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from real_cases import Case, Check, columns, done, form, only_seen, refused, share, told, true, untold

ROWS = 400
MADE_UP = r"not learned|made up"
Random = np.random.Generator


def _amounts(random: Random, count: int = ROWS) -> Any:
    return random.lognormal(6.5, 0.8, count).round(2)


def _csv(make: Callable[[Random], dict[str, Any]], name: str = "people.csv", **options: Any) -> Any:
    """Return what writes a table with the columns of `make`, and a category beside them, as text."""

    def written(folder: Path, random: Random) -> Path:
        table = pd.DataFrame({**make(random), "group": random.choice(["a", "b", "c"], ROWS)})
        table.to_csv(folder / name, **{"index": False, **options})
        return folder / name

    return written


def _text(make: Callable[[Random], str], name: str = "people.csv", encoding: str = "utf-8") -> Any:
    """Return what writes a text file."""

    def written(folder: Path, random: Random) -> Path:
        (folder / name).write_bytes(make(random).encode(encoding))
        return folder / name

    return written


def _cells(name: str, write: Callable[[Random], Any], *checks: Check, **more: Any) -> Case:
    """Return a case of one column x, whose cells are written in a way of their own."""
    return Case(name, _csv(lambda random: {"x": list(write(random))}), (done(), untold(MADE_UP), *checks), **more)


def _some(cells: Any, other: str, share: float, random: Random) -> list[str]:
    """Return cells of which a share is replaced by something else."""
    return [other if chance < share else str(cell) for cell, chance in zip(cells, random.random(ROWS), strict=True)]


def _days(random: Random, first: str = "2021-01-01", days: int = 900, count: int = ROWS) -> Any:
    return pd.Timestamp(first) + pd.to_timedelta(random.integers(0, days, count), unit="D")


def _moments(random: Random) -> Any:
    return _days(random) + pd.to_timedelta(random.integers(0, 86_400, ROWS), unit="s")


def _offsets(random: Random) -> list[str]:
    """Return moments of Berlin, of which summer's end in +02:00 and winter's in +01:00."""
    return [
        moment.isoformat()
        for moment in pd.DatetimeIndex(_moments(random)).tz_localize(
            "Europe/Berlin", ambiguous=True, nonexistent="shift_forward"
        )
    ]


def _stays(random: Random) -> dict[str, Any]:
    """Return begin and end, of which 54 in 100 are open."""
    begin = _days(random)
    end = begin + pd.to_timedelta(random.integers(1, 700, ROWS), unit="D")
    ends = [day.strftime("%Y-%m-%d") for day in end]
    return {"begin": begin.strftime("%Y-%m-%d"), "end": ["9999-12-31" if k % 50 < 27 else ends[k] for k in range(ROWS)]}


def _chain(random: Random) -> dict[str, Any]:
    ordered = _days(random)
    sent = ordered + pd.to_timedelta(random.integers(0, 9, ROWS), unit="D")
    arrived = sent + pd.to_timedelta(random.integers(1, 20, ROWS), unit="D")
    return {
        name: days.strftime("%Y-%m-%d")
        for name, days in {"ordered_date": ordered, "sent_date": sent, "arrived_date": arrived}.items()
    }


def _prices(random: Random) -> dict[str, Any]:
    """Return 120 products, each with its price."""
    price, product = _amounts(random, 120), random.integers(0, 120, ROWS)
    return {"product": [f"P{number:03}" for number in product], "price": price[product]}


def _degrees(random: Random) -> dict[str, Any]:
    celsius = random.normal(12, 8, ROWS).round(1)
    return {"celsius": celsius, "fahrenheit": (1.8 * celsius + 32).round(2), "copy": celsius}


def _bill(random: Random) -> dict[str, Any]:
    net = _amounts(random)
    tax = (net * random.choice([0.07, 0.19], ROWS)).round(2)
    return {"net": net, "tax": tax, "total": (net + tax).round(2)}


def _orders(random: Random) -> dict[str, Any]:
    quantity, price = random.integers(1, 9, ROWS), random.choice([4.5, 9.99, 12.0, 120.0, 33.25], ROWS)
    return {"quantity": quantity, "price": price, "amount": (quantity * price).round(2)}


def _states(random: Random) -> dict[str, Any]:
    number = random.integers(0, 6, ROWS)
    names = np.array(["Hesse", "Bavaria", "Saxony", "Berlin", "Bremen", "Hamburg"])
    return {"code": number + 10, "state": names[number]}


def _cities(random: Random) -> dict[str, Any]:
    number = random.integers(0, 12, ROWS)
    return {"city": [f"city {k}" for k in number], "country": np.array(["DE", "FR", "IT"])[number % 3]}


def _lines(random: Random, mark: str = ",", point: str = ".", end: str = "") -> str:
    """Return the lines of a small table without its header."""
    numbers = random.normal(50, 9, ROWS).round(2)
    cells = [(f"{k + 1}", str(x).replace(".", point), "mno"[k % 3]) for k, x in enumerate(numbers)]
    return "".join(mark.join(row) + end + "\n" for row in cells)


def _numbers(column: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: pd.to_numeric(rows[column])


def _sum(rows: pd.DataFrame) -> Any:
    return (_numbers("total")(rows) - _numbers("net")(rows) - _numbers("tax")(rows)).abs() < 0.006


def _alike(first: str, second: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: np.corrcoef(_numbers(first)(rows), _numbers(second)(rows))[0, 1] >= 0.99


def _one_each(key: str, other: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: rows.groupby(key)[other].nunique() <= 1


def _rising(*names: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: np.logical_and.reduce([rows[a] <= rows[b] for a, b in pairwise(names)])


def _valid_days(column: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: pd.to_datetime(rows[column], format="%Y%m%d", errors="coerce").notna()


def _parquet(folder: Path, random: Random) -> Path:
    table = pd.DataFrame(
        {
            "moment": pd.DatetimeIndex(_moments(random)).tz_localize(
                "America/New_York", ambiguous=True, nonexistent="shift_forward"
            ),
            "level": pd.Categorical(random.choice(["low", "high"], ROWS)),
        }
    )
    table.to_parquet(folder / "people.parquet")
    return folder / "people.parquet"


def _zipped(folder: Path, random: Random) -> Path:
    (folder / "people.csv.gz").write_bytes(gzip.compress(("n,x,g\n" + _lines(random)).encode()))
    return folder / "people.csv.gz"


TABLES: tuple[Case, ...] = (
    # numbers that are written in a way of their own
    _cells(
        "one question mark among decimals",
        lambda r: ["?", *r.normal(50, 9, ROWS - 1).round(2)],
        form("x", r"-?\d+\.\d{1,2}|\?"),
        told(r"'\?'"),
    ),
    _cells(
        "errors of a spreadsheet", lambda r: _some(_amounts(r), "#DIV/0!", 0.02, r), form("x", r"\d+\.\d{1,2}|#DIV/0!")
    ),
    _cells("dollars", lambda r: [f"${x:,.2f}" for x in _amounts(r)], form("x", r"\$\d{1,3}(,\d{3})*\.\d\d")),
    _cells(
        "euros behind",
        lambda r: [f"{x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in _amounts(r)],
        form("x", r"\d{1,3}(\.\d{3})*,\d\d €"),
    ),
    _cells(
        "Swiss thousands",
        lambda r: [f"{x:,.2f}".replace(",", "'") for x in _amounts(r)],
        form("x", r"\d{1,3}('\d{3})*\.\d\d"),
    ),
    _cells(
        "thin spaces",
        lambda r: [f"{x:,.1f}".replace(",", "\u202f").replace(".", ",") for x in _amounts(r)],
        form("x", "\\d{1,3}(\u202f\\d{3})*,\\d"),
    ),
    _cells("per cent", lambda r: [f"{x:.1f}%" for x in r.beta(2, 5, ROWS) * 100], form("x", r"\d{1,3}\.\d%")),
    _cells(
        "accountants' negatives",
        lambda r: [f"({-x:,.0f})" if x < 0 else f"{x:,.0f}" for x in r.normal(200, 2000, ROWS)],
        form("x", r"\(\d{1,3}(,\d{3})*\)|\d{1,3}(,\d{3})*"),
    ),
    _cells("kilograms", lambda r: [f"{x:.1f} kg" for x in r.normal(70, 9, ROWS)], form("x", r"\d+\.\d kg")),
    _cells(
        "powers of ten",
        lambda r: [f"{x:.2e}" for x in r.lognormal(-9, 3, ROWS)],
        form("x", r"\d(\.\d+)?e[+-]\d\d|[\d.]+"),
    ),
    _cells("a sign before each", lambda r: [f"{x:+.1f}" for x in r.normal(0, 5, ROWS)], form("x", r"[+-]\d+\.\d")),
    Case("infinity", _csv(lambda r: {"x": _some(_amounts(r), "inf", 0.01, r)}), (refused("infinite"),)),
    _cells(
        "whole numbers with holes",
        lambda r: _some(r.integers(0, 90, ROWS), "", 0.2, r),
        form("x", r"\d+"),
        share("x", "", 0.2),
    ),
    _cells(
        "missing in words",
        lambda r: _some(_amounts(r), "n/a", 0.1, r),
        form("x", r"\d+\.\d{1,2}|n/a"),
        true("a tenth is missing", lambda rows: 0.03 < rows["x"].isin(["", "n/a"]).mean() < 0.2),
    ),
    _cells("grades from 1 to 5", lambda r: r.integers(1, 6, ROWS), form("x", "[1-5]")),
    _cells(
        "mostly nothing", lambda r: np.where(r.random(ROWS) < 0.9, 0, r.integers(1, 90_000, ROWS)), share("x", "0", 0.9)
    ),
    # days, times, durations
    _cells(
        "clock times",
        lambda r: [f"{k // 60}:{k % 60:02}" for k in r.integers(0, 1440, ROWS)],
        form("x", r"([01]?\d|2[0-3]):[0-5]\d"),
    ),
    _cells(
        "times with pm",
        lambda r: [moment.strftime("%I:%M %p") for moment in _moments(r)],
        form("x", r"(0\d|1[0-2]):[0-5]\d [AP]M"),
    ),
    _cells(
        "moments with pm",
        lambda r: _moments(r).strftime("%m/%d/%Y %I:%M %p"),
        form("x", r"[01]\d/[0-3]\d/202\d (0\d|1[0-2]):[0-5]\d [AP]M"),
    ),
    _cells(
        "months by name",
        lambda r: [f"{day.day} {day:%B %Y}" for day in _days(r)],
        form("x", r"\d{1,2} [A-Z][a-z]+ 202\d"),
    ),
    _cells("months alone", lambda r: _days(r, days=2000).strftime("%b-%y"), form("x", r"[A-Z][a-z]{2}-\d\d")),
    _cells("a change of clocks", _offsets, form("x", r"202\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+0[12]:00|Z)")),
    _cells(
        "durations",
        lambda r: [f"{k // 3600}:{k // 60 % 60:02}:{k % 60:02}" for k in r.integers(60, 90_000, ROWS)],
        form("x", r"\d+:[0-5]\d:[0-5]\d"),
    ),
    _cells(
        "days and hours",
        lambda r: pd.to_timedelta(r.integers(0, 9e5, ROWS), unit="s").astype(str),
        form("x", r"\d+ days \d\d:\d\d:\d\d"),
    ),
    _cells(
        "durations of ISO 8601",
        lambda r: [f"PT{k // 60}H{k % 60}M" for k in r.integers(1, 900, ROWS)],
        form("x", r"PT(\d+H)?(\d+M)?(\d+S)?"),
    ),
    _cells(
        "days as whole numbers",
        lambda r: _days(r).strftime("%Y%m%d"),
        form("x", r"\d{8}"),
        true("every number is a day", _valid_days("x")),
    ),
    _cells("years of two digits", lambda r: _days(r).strftime("%m/%d/%y"), form("x", r"[01]\d/[0-3]\d/2\d")),
    _cells(
        "days before 1900",
        lambda r: _days(r, "1788-03-01", 40_000).strftime("%Y-%m-%d"),
        form("x", r"1[78]\d\d-\d\d-\d\d"),
    ),
    Case(
        "ends that are open",
        _csv(_stays),
        (
            done(),
            share("end", "9999-12-31", 0.54),
            true("begin <= end", _rising("begin", "end")),
            true("no end after the last", lambda rows: (rows["end"] < "2026") | (rows["end"] == "9999-12-31")),
        ),
    ),
    Case(
        "three days in a row",
        _csv(_chain),
        (done(), true("in order", _rising("ordered_date", "sent_date", "arrived_date"))),
    ),
    # columns that belong together
    Case(
        "degrees twice and a copy",
        _csv(_degrees),
        (
            done(),
            true("the copy is exact", lambda rows: rows["celsius"] == rows["copy"]),
            true("correlation", _alike("celsius", "fahrenheit")),
        ),
    ),
    Case("net and tax", _csv(_bill), (done(), true("net + tax = total", _sum))),
    Case(
        "quantity times price",
        _csv(_orders),
        (
            done(),
            true(
                "the product",
                lambda rows: (
                    (_numbers("quantity")(rows) * _numbers("price")(rows) - _numbers("amount")(rows)).abs() < 0.006
                ),
            ),
        ),
    ),
    Case(
        "codes and names",
        _csv(_states),
        (
            done(),
            true("one name for each code", _one_each("code", "state")),
            true("one code for each name", _one_each("state", "code")),
        ),
    ),
    Case("a price for each product", _csv(_prices), (done(), true("one price each", _one_each("product", "price")))),
    Case("cities in countries", _csv(_cities), (done(), true("one country each", _one_each("city", "country")))),
    Case(
        "few answers, many repeats",
        _csv(lambda r: {"q1": r.integers(1, 6, ROWS), "q2": r.choice(["yes", "no"], ROWS)}),
        (done(), untold("Keep one of each")),
    ),
    Case(
        "places on a map",
        _csv(
            lambda r: {
                "lat": np.where(r.random(ROWS) < 0.5, 52.5, 48.1) + r.normal(0, 0.05, ROWS),
                "lon": r.normal(0, 0.05, ROWS) + 11,
            }
        ),
        (done(), form("lat", r"\d+\.\d+")),
    ),
    # texts that say who or what
    _cells(
        "postcodes", lambda r: [f"{k:05}" for k in r.choice([1067, 1099, 10115, 80331, 4109], ROWS)], only_seen("x")
    ),
    Case(
        "numbers of six digits",
        _csv(lambda r: {"x": r.permutation(900_000)[:ROWS] + 100_000}),
        (done(), form("x", r"\d{6}"), true("each once", lambda rows: not rows["x"].duplicated().any())),
    ),
    Case(
        "large numbers of orders",
        _csv(lambda r: {"x": 9_007_199_254_740_993 + r.permutation(9_000)[:ROWS] * 2}),
        (done(), form("x", r"\d{16,17}")),
    ),
    Case(
        "addresses of e-mail",
        _csv(lambda r: {"mail": [f"{r.choice(['ann', 'bo', 'cy'])}.{k}@example.org" for k in range(ROWS)]}),
        (done(), told(MADE_UP)),
    ),
    Case(
        "remarks",
        _csv(
            lambda r: {
                "remark": [
                    " ".join(r.choice(["late", "paid", "call", "again", "not", "at", "home"], 6)) for _ in range(ROWS)
                ]
            }
        ),
        (done(), told(MADE_UP)),
    ),
    _cells("answers in German", lambda r: r.choice(["ja", "nein"], ROWS), form("x", "ja|nein")),
    _cells("letters with accents", lambda r: r.choice(["Zoë", "Ödön", "名前", "🙂"], ROWS), only_seen("x")),
    _cells(
        "a comma in the cells", lambda r: r.choice(["Bonn, Rhein", 'the "old" one', "two\nlines"], ROWS), only_seen("x")
    ),
    # files
    Case("a line for Excel", _text(lambda r: "sep=;\nn;x;g\n" + _lines(r, ";")), (done(), columns("n", "x", "g"))),
    Case(
        "remarks first",
        _text(lambda r: "# exported 2024\n# by hand\nn,x,g\n" + _lines(r)),
        (done(), columns("n", "x", "g")),
    ),
    Case("no header", _text(_lines), (refused("header"),)),
    Case("UTF-16", _text(lambda r: "n\tx\tg\n" + _lines(r, "\t"), encoding="utf-16"), (done(), columns("n", "x", "g"))),
    Case(
        "Latin 1", _text(lambda r: "n,größe,g\n" + _lines(r), encoding="latin-1"), (done(), columns("n", "größe", "g"))
    ),
    Case("a comma in decimals", _text(lambda r: "n;x;g\n" + _lines(r, ";", ",")), (done(), form("x", r"\d+,\d{1,2}"))),
    Case("bars", _text(lambda r: "n|x|g\n" + _lines(r, "|"), "people.txt"), (done(), columns("n", "x", "g"))),
    Case("a comma at the end", _text(lambda r: "n,x,g,\n" + _lines(r, end=",")), (done(), form("x", r"\d+\.\d{1,2}"))),
    Case("two columns of one name", _text(lambda r: "n,x,x\n" + _lines(r)), (refused("'x'"),)),
    Case("lines of other lengths", _text(lambda r: "n,x,g\n" + _lines(r) + "1,2\n" * 40), (refused("line"),)),
    Case("zipped", _zipped, (done(), form("x", r"\d+\.\d{1,2}"))),
    Case("Parquet of a zone", _parquet, (done(), columns("moment", "level"))),
    Case(
        "twelve rows",
        _text(lambda r: "n,x,g\n" + "".join(_lines(r).splitlines(True)[:12])),
        (
            lambda outcome: (
                None if outcome.code in (0, 1, 2) and "can be compared" not in outcome.said else "no verdict"
            ),
        ),
    ),
    Case(
        "thirty rows",
        _text(lambda r: "n,x,g\n" + "".join(_lines(r).splitlines(True)[:30])),
        (done(), untold("can be compared")),
    ),
)
