"""30 more awkward tables, made by somebody who had not seen how the first 60 were read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from real_cases import Case, done, form, refused, told, true
from real_columns import (
    ROWS,
    amounts,
    csv_file,
    delimited,
    moments,
    number_lines,
    numbers_of,
    one_column,
    one_each,
    random_days,
    random_moments,
    rising,
    some,
    text_file,
)

MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
MOIS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]


def two_units(name: str, unit: float, small: str, large: str, pattern: str, mean: float, spread: float) -> Case:
    """Return a case of log-normal amounts in a unit, or in the thousandfold one where they reach it."""

    def written(amount: float) -> str:
        return large.format(amount / (1e3 * unit)) if amount >= 1e3 * unit else small.format(amount / unit)

    return one_column(name, lambda r: [written(x) for x in r.lognormal(mean, spread, ROWS)], form("x", pattern))


def months(name: str, words: Sequence[str], mark: str = "") -> Case:
    """Return a case of days such as 3 mai 2021, with the months in words and a mark after the day."""
    return one_column(
        name,
        lambda r: [f"{day.day}{mark} {words[day.month - 1]} {day.year}" for day in random_days(r)],
        form("x", rf"\d{{1,2}}{re.escape(mark)} ({'|'.join(words)}) 202\d"),
    )


def functions(random: np.random.Generator) -> dict[str, object]:
    x = amounts(random)
    return {
        "x": x,
        "log": np.log10(x).round(4),
        "sigmoid": (1 / (1 + np.exp(2 - x / 400))).round(5),
        "band": np.digitize(x, [200, 500, 1000]),
    }


def banded(rows: pd.DataFrame) -> object:
    x = numbers_of("x")(rows)
    return (np.digitize(x, [200, 500, 1000]) == numbers_of("band")(rows)) & (
        (np.log10(x) - numbers_of("log")(rows)).abs() < 6e-5
    )


def sigmoid(rows: pd.DataFrame) -> object:
    return (1 / (1 + np.exp(2 - numbers_of("x")(rows) / 400)) - numbers_of("sigmoid")(rows)).abs() < 2e-3


def born(random: np.random.Generator) -> dict[str, object]:
    days = random_days(random, "1950-01-01", 20_000)
    return {"born": days.strftime("%Y-%m-%d"), "age": ((pd.Timestamp("2024-06-01") - days).days // 365.25).astype(int)}


def averages(random: np.random.Generator) -> dict[str, object]:
    a, b = random.gamma(4, 20, (2, ROWS)).round(2)
    return {"first": a, "second": b, "mean": ((a + b) / 2).round(2)}


def prices_with_holes(random: np.random.Generator) -> dict[str, object]:
    product, price = random.integers(0, 20, ROWS), amounts(random, 20)
    return {
        "product": [f"P{number:03}" for number in product],
        "price": np.where(random.random(ROWS) < 0.1, np.nan, price[product]),
    }


def hours(random: np.random.Generator) -> dict[str, object]:
    opens = random.integers(300, 700, ROWS)
    closes = opens + random.integers(1, 600, ROWS)
    return {name: [f"{k // 60:02}:{k % 60:02}" for k in each] for name, each in {"from": opens, "to": closes}.items()}


MORE_TABLES: tuple[Case, ...] = (
    two_units("thousands and millions", 1e3, "{:.0f}k", "{:.1f}M", r"\d+\.\dM|\d{1,3}k", 13.5, 1.5),
    two_units("megabytes among kilobytes", 1e3, "{:.0f} KB", "{:.1f} MB", r"\d+\.\d MB|\d{1,4} KB", 13.5, 1.5),
    two_units("metres and kilometres", 1, "{:.0f} m", "{:.1f} km", r"\d+\.\d km|\d{1,4} m", 6.5, 1),
    one_column(
        "powers of ten in capitals", lambda r: [f"{x:.2E}" for x in amounts(r)], form("x", r"\d\.\d\dE[+-]\d\d")
    ),
    one_column(
        "below a limit of detection",
        lambda r: ["<5" if x < 5 else f"{x:.1f}" for x in r.lognormal(2.5, 0.7, ROWS)],
        form("x", r"<5|\d+\.\d"),
        true("some are below", lambda rows: 0.02 < (rows["x"] == "<5").mean() < 0.3),
    ),
    one_column(
        "prices without cents",
        lambda r: [f"{x:,.0f}".replace(",", ".") + ",-" for x in amounts(r)],
        form("x", r"[\d.]+,-"),
    ),
    one_column("a dash in a third", lambda r: some(amounts(r), "-", 0.3, r), told(r"'-'"), form("x", r"\d+\.\d{1,2}")),
    one_column(
        "errors in a tenth", lambda r: some(amounts(r), "#WERT!", 0.1, r), told("#WERT!"), form("x", r"\d+\.\d{1,2}")
    ),
    months("months in German", MONTHS, "."),
    months("months in French", MOIS),
    one_column(
        "days in Japanese",
        lambda r: [f"{day.year}年{day.month}月{day.day}日" for day in random_days(r)],
        form("x", r"202\d年\d{1,2}月\d{1,2}日"),
    ),
    one_column(
        "weeks of the year",
        lambda r: [f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02}" for day in random_days(r)],
        form("x", r"202\d-W[0-5]\d"),
    ),
    one_column("quarters", lambda r: [f"{d.year}Q{d.quarter}" for d in random_days(r)], form("x", r"202\dQ[1-4]")),
    moments("moments without marks", "%Y%m%dT%H%M%SZ", r"202\d[01]\d[0-3]\dT[0-2]\d[0-5]\d[0-5]\dZ"),
    one_column(
        "moments as one number",
        lambda r: random_moments(r).strftime("%Y%m%d%H%M%S"),
        true("moments", lambda rows: pd.to_datetime(rows["x"], format="%Y%m%d%H%M%S", errors="coerce").notna()),
    ),
    moments("moments of a log", "%a %b %d %H:%M:%S %Y", r"\w{3} \w{3} .* 202\d"),
    moments("hours before days", "%H:%M %d/%m/%Y", r"\d\d:\d\d \d\d/\d\d/202\d"),
    one_column(
        "moments of Postgres",
        lambda r: [
            f"{m:%Y-%m-%d %H:%M:%S}" + f".{k:03}".rstrip("0") * (k % 5 > 0) for k, m in enumerate(random_moments(r))
        ],
        form("x", r"202\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?"),
    ),
    one_column(
        "seconds of ISO 8601", lambda r: [f"PT{k}S" for k in r.integers(60, 90_000, ROWS)], form("x", r"PT\d+S")
    ),
    one_column(
        "hours of twelve",
        lambda r: [f"{k % 12 + 1} {'AP'[k % 2]}M" for k in r.integers(0, 999, ROWS)],
        form("x", r"1?\d [AP]M"),
    ),
    Case(
        "functions of one column",
        csv_file(functions),
        (done(), true("log and band", banded), true("sigmoid", sigmoid)),
    ),
    Case(
        "day of birth and age",
        csv_file(born),
        (
            done(),
            true("older, not younger", lambda rows: numbers_of("age")(rows.sort_values("born")).diff().iloc[1:] <= 0),
        ),
    ),
    Case(
        "means of two columns",
        csv_file(averages),
        (
            done(),
            true(
                "the mean",
                lambda rows: (
                    ((numbers_of("first")(rows) + numbers_of("second")(rows)) / 2 - numbers_of("mean")(rows)).abs()
                    < 0.0051
                ),
            ),
        ),
    ),
    Case(
        "a price for each product, with holes",
        csv_file(prices_with_holes),
        (done(), true("one price each", lambda rows: one_each("product", "price")(rows[rows["price"] != ""]))),
    ),
    Case("hours of opening", csv_file(hours), (done(), true("in order", rising("from", "to")))),
    delimited("carets", "^"),
    delimited("UTF-32", ",", encoding="utf-32"),
    Case(
        "a title", text_file(lambda r: "Sales 2024,,\n,,\nn,x,g\n" + number_lines(r)), (refused("names for 3 columns"),)
    ),
    Case("units below the names", text_file(lambda r: "n,x,g\n-,kg,-\n" + number_lines(r)), (refused("second line"),)),
    Case("fields of fixed width", text_file(lambda r: "n  x  g\n" + number_lines(r, "  ")), (refused("blanks"),)),
)
