"""What the awkward tables of real_tables.py are made of: columns that are written in a way of their own."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from real_cases import Case, Check, columns, done, form, untold

ROWS = 400
MADE_UP = r"not learned|made up"
Random = np.random.Generator


def amounts(random: Random, count: int = ROWS) -> Any:
    return random.lognormal(6.5, 0.8, count).round(2)


def csv_file(make: Callable[[Random], dict[str, Any]], name: str = "people.csv", **options: Any) -> Any:
    """Return what writes a table with the columns of `make`, and a category beside them, as text."""

    def written(folder: Path, random: Random) -> Path:
        table = pd.DataFrame({**make(random), "group": random.choice(["a", "b", "c"], ROWS)})
        table.to_csv(folder / name, **{"index": False, **options})
        return folder / name

    return written


def text_file(make: Callable[[Random], str], name: str = "people.csv", encoding: str = "utf-8") -> Any:
    """Return what writes a text file."""

    def written(folder: Path, random: Random) -> Path:
        (folder / name).write_bytes(make(random).encode(encoding))
        return folder / name

    return written


def one_column(name: str, write: Callable[[Random], Any], *checks: Check, **more: Any) -> Case:
    """Return a case of one column x, whose cells are written in a way of their own."""
    return Case(name, csv_file(lambda random: {"x": list(write(random))}), (done(), untold(MADE_UP), *checks), **more)


def some(cells: Any, other: str, share: float, random: Random) -> list[str]:
    """Return cells of which a share is replaced by something else."""
    return [other if chance < share else str(cell) for cell, chance in zip(cells, random.random(ROWS), strict=True)]


def random_days(random: Random, first: str = "2021-01-01", days: int = 900, count: int = ROWS) -> Any:
    return pd.Timestamp(first) + pd.to_timedelta(random.integers(0, days, count), unit="D")


def random_moments(random: Random) -> Any:
    return random_days(random) + pd.to_timedelta(random.integers(0, 86_400, ROWS), unit="s")


def moments(
    name: str, layout: str, pattern: str, *checks: Check, make: Callable[[Random], Any] = random_moments
) -> Case:
    """Return a case of one column of moments, or of what `make` gives, that are written as strftime's `layout` says."""
    return one_column(name, lambda random: make(random).strftime(layout), form("x", pattern), *checks)


def offsets(random: Random) -> list[str]:
    """Return moments of Berlin, of which summer's end in +02:00 and winter's in +01:00."""
    return [
        moment.isoformat()
        for moment in pd.DatetimeIndex(random_moments(random)).tz_localize(
            "Europe/Berlin", ambiguous=True, nonexistent="shift_forward"
        )
    ]


def stays(random: Random) -> dict[str, Any]:
    """Return begin and end, of which 54 in 100 are open."""
    begin = random_days(random)
    end = begin + pd.to_timedelta(random.integers(1, 700, ROWS), unit="D")
    ends = [day.strftime("%Y-%m-%d") for day in end]
    return {"begin": begin.strftime("%Y-%m-%d"), "end": ["9999-12-31" if k % 50 < 27 else ends[k] for k in range(ROWS)]}


def chain(random: Random) -> dict[str, Any]:
    ordered = random_days(random)
    sent = ordered + pd.to_timedelta(random.integers(0, 9, ROWS), unit="D")
    arrived = sent + pd.to_timedelta(random.integers(1, 20, ROWS), unit="D")
    return {
        name: days.strftime("%Y-%m-%d")
        for name, days in {"ordered_date": ordered, "sent_date": sent, "arrived_date": arrived}.items()
    }


def prices(random: Random) -> dict[str, Any]:
    """Return 120 products, each with its price."""
    price, product = amounts(random, 120), random.integers(0, 120, ROWS)
    return {"product": [f"P{number:03}" for number in product], "price": price[product]}


def temperatures(random: Random) -> dict[str, Any]:
    celsius = random.normal(12, 8, ROWS).round(1)
    return {"celsius": celsius, "fahrenheit": (1.8 * celsius + 32).round(2), "copy": celsius}


def bill(random: Random) -> dict[str, Any]:
    net = amounts(random)
    tax = (net * random.choice([0.07, 0.19], ROWS)).round(2)
    return {"net": net, "tax": tax, "total": (net + tax).round(2)}


def purchases(random: Random) -> dict[str, Any]:
    quantity, price = random.integers(1, 9, ROWS), random.choice([4.5, 9.99, 12.0, 120.0, 33.25], ROWS)
    return {"quantity": quantity, "price": price, "amount": (quantity * price).round(2)}


def states(random: Random) -> dict[str, Any]:
    number = random.integers(0, 6, ROWS)
    names = np.array(["Hesse", "Bavaria", "Saxony", "Berlin", "Bremen", "Hamburg"])
    return {"code": number + 10, "state": names[number]}


def towns(random: Random) -> dict[str, Any]:
    number = random.integers(0, 12, ROWS)
    return {"city": [f"city {k}" for k in number], "country": np.array(["DE", "FR", "IT"])[number % 3]}


def number_lines(random: Random, mark: str = ",", point: str = ".", end: str = "") -> str:
    """Return the lines of a small table without its header."""
    numbers = random.normal(50, 9, ROWS).round(2)
    cells = [(f"{k + 1}", str(x).replace(".", point), "mno"[k % 3]) for k, x in enumerate(numbers)]
    return "".join(mark.join(row) + end + "\n" for row in cells)


def numbers_of(column: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: pd.to_numeric(rows[column])


def sum(rows: pd.DataFrame) -> Any:
    return (numbers_of("total")(rows) - numbers_of("net")(rows) - numbers_of("tax")(rows)).abs() < 0.006


def alike(first: str, second: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: np.corrcoef(numbers_of(first)(rows), numbers_of(second)(rows))[0, 1] >= 0.99


def one_each(key: str, other: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: rows.groupby(key)[other].nunique() <= 1


def rising(*names: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: np.logical_and.reduce([rows[a] <= rows[b] for a, b in pairwise(names)])


def valid_days(column: str) -> Callable[[pd.DataFrame], Any]:
    return lambda rows: pd.to_datetime(rows[column], format="%Y%m%d", errors="coerce").notna()


def parquet_file(folder: Path, random: Random) -> Path:
    table = pd.DataFrame(
        {
            "moment": pd.DatetimeIndex(random_moments(random)).tz_localize(
                "America/New_York", ambiguous=True, nonexistent="shift_forward"
            ),
            "level": pd.Categorical(random.choice(["low", "high"], ROWS)),
        }
    )
    table.to_parquet(folder / "people.parquet")
    return folder / "people.parquet"


def gzip_file(folder: Path, random: Random) -> Path:
    (folder / "people.csv.gz").write_bytes(gzip.compress(("n,x,g\n" + number_lines(random)).encode()))
    return folder / "people.csv.gz"


def delimited(name: str, mark: str, before: str = "", file: str = "people.csv", encoding: str = "utf-8") -> Case:
    """Return a case of a small table with a mark between cells, and with lines before the names of its columns."""
    write = text_file(lambda random: before + f"n{mark}x{mark}g\n" + number_lines(random, mark), file, encoding)
    return Case(name, write, (done(), columns("n", "x", "g")))
