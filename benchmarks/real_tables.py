"""60 awkward tables: how people's files really look."""

from __future__ import annotations

import numpy as np
import pandas as pd
from real_cases import Case, columns, done, form, only_seen, refused, share, told, true, untold
from real_columns import (
    MADE_UP,
    ROWS,
    alike,
    amounts,
    bill,
    chain,
    csv_file,
    delimited,
    gzip_file,
    moments,
    number_lines,
    numbers_of,
    offsets,
    one_column,
    one_each,
    parquet_file,
    prices,
    purchases,
    random_days,
    rising,
    some,
    states,
    stays,
    sum,
    temperatures,
    text_file,
    towns,
    valid_days,
)

TABLES: tuple[Case, ...] = (
    # numbers that are written in a way of their own
    one_column(
        "one question mark among decimals",
        lambda r: ["?", *r.normal(50, 9, ROWS - 1).round(2)],
        form("x", r"-?\d+\.\d{1,2}|\?"),
        told(r"'\?'"),
    ),
    one_column(
        "errors of a spreadsheet", lambda r: some(amounts(r), "#DIV/0!", 0.02, r), form("x", r"\d+\.\d{1,2}|#DIV/0!")
    ),
    one_column("dollars", lambda r: [f"${x:,.2f}" for x in amounts(r)], form("x", r"\$\d{1,3}(,\d{3})*\.\d\d")),
    one_column(
        "euros behind",
        lambda r: [f"{x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in amounts(r)],
        form("x", r"\d{1,3}(\.\d{3})*,\d\d €"),
    ),
    one_column(
        "Swiss thousands",
        lambda r: [f"{x:,.2f}".replace(",", "'") for x in amounts(r)],
        form("x", r"\d{1,3}('\d{3})*\.\d\d"),
    ),
    one_column(
        "thin spaces",
        lambda r: [f"{x:,.1f}".replace(",", "\u202f").replace(".", ",") for x in amounts(r)],
        form("x", "\\d{1,3}(\u202f\\d{3})*,\\d"),
    ),
    one_column("per cent", lambda r: [f"{x:.1f}%" for x in r.beta(2, 5, ROWS) * 100], form("x", r"\d{1,3}\.\d%")),
    one_column(
        "accountants' negatives",
        lambda r: [f"({-x:,.0f})" if x < 0 else f"{x:,.0f}" for x in r.normal(200, 2000, ROWS)],
        form("x", r"\(\d{1,3}(,\d{3})*\)|\d{1,3}(,\d{3})*"),
    ),
    one_column("kilograms", lambda r: [f"{x:.1f} kg" for x in r.normal(70, 9, ROWS)], form("x", r"\d+\.\d kg")),
    one_column(
        "powers of ten",
        lambda r: [f"{x:.2e}" for x in r.lognormal(-9, 3, ROWS)],
        form("x", r"[\d.]+(e[+-]?\d+)?"),
    ),
    one_column(
        "a sign before each", lambda r: [f"{x:+.1f}" for x in r.normal(0, 5, ROWS)], form("x", r"[+-]\d+\.\d|\+?0\.0")
    ),
    Case("infinity", csv_file(lambda r: {"x": some(amounts(r), "inf", 0.01, r)}), (refused("infinite"),)),
    one_column(
        "whole numbers with holes",
        lambda r: some(r.integers(0, 90, ROWS), "", 0.2, r),
        form("x", r"\d+"),
        share("x", "", 0.2),
    ),
    one_column(
        "missing in words",
        lambda r: some(amounts(r), "n/a", 0.1, r),
        form("x", r"\d+\.\d{1,2}|n/a"),
        true("a tenth is missing", lambda rows: 0.03 < rows["x"].isin(["", "n/a"]).mean() < 0.2),
    ),
    one_column("grades from 1 to 5", lambda r: r.integers(1, 6, ROWS), form("x", "[1-5]")),
    one_column(
        "mostly nothing", lambda r: np.where(r.random(ROWS) < 0.9, 0, r.integers(1, 90_000, ROWS)), share("x", "0", 0.9)
    ),
    # days, times, durations
    one_column(
        "clock times",
        lambda r: [f"{k // 60}:{k % 60:02}" for k in r.integers(0, 1440, ROWS)],
        form("x", r"([01]?\d|2[0-3]):[0-5]\d"),
    ),
    moments("times with pm", "%I:%M %p", r"(0\d|1[0-2]):[0-5]\d [AP]M"),
    moments("moments with pm", "%m/%d/%Y %I:%M %p", r"[01]\d/[0-3]\d/202\d (0\d|1[0-2]):[0-5]\d [AP]M"),
    one_column(
        "months by name",
        lambda r: [f"{day.day} {day:%B %Y}" for day in random_days(r)],
        form("x", r"\d{1,2} [A-Z][a-z]+ 202\d"),
    ),
    moments("months alone", "%b-%y", r"[A-Z][a-z]{2}-\d\d", make=lambda r: random_days(r, days=2000)),
    one_column("a change of clocks", offsets, form("x", r"202\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+0[12]:00|Z)")),
    one_column(
        "durations",
        lambda r: [f"{k // 3600}:{k // 60 % 60:02}:{k % 60:02}" for k in r.integers(60, 90_000, ROWS)],
        form("x", r"\d+:[0-5]\d:[0-5]\d"),
    ),
    one_column(
        "days and hours",
        lambda r: pd.to_timedelta(r.integers(0, 9e5, ROWS), unit="s").astype(str),
        form("x", r"\d+ days \d\d:\d\d:\d\d"),
    ),
    one_column(
        "durations of ISO 8601",
        lambda r: [f"PT{k // 60}H{k % 60}M" for k in r.integers(1, 900, ROWS)],
        form("x", r"PT(\d+H)?(\d+M)?(\d+S)?"),
    ),
    moments(
        "days as whole numbers", "%Y%m%d", r"\d{8}", true("every number is a day", valid_days("x")), make=random_days
    ),
    moments("years of two digits", "%m/%d/%y", r"[01]\d/[0-3]\d/2\d", make=random_days),
    moments(
        "days before 1900",
        "%Y-%m-%d",
        r"1[78]\d\d-\d\d-\d\d",
        make=lambda r: random_days(r, "1788-03-01", 40_000),
    ),
    Case(
        "ends that are open",
        csv_file(stays),
        (
            done(),
            share("end", "9999-12-31", 0.54),
            true("begin <= end", rising("begin", "end")),
            true("no end after the last", lambda rows: (rows["end"] < "2026") | (rows["end"] == "9999-12-31")),
        ),
    ),
    Case(
        "three days in a row",
        csv_file(chain),
        (done(), true("in order", rising("ordered_date", "sent_date", "arrived_date"))),
    ),
    # columns that belong together
    Case(
        "degrees twice and a copy",
        csv_file(temperatures),
        (
            done(),
            true("the copy is exact", lambda rows: rows["celsius"] == rows["copy"]),
            true("correlation", alike("celsius", "fahrenheit")),
        ),
    ),
    Case("net and tax", csv_file(bill), (done(), true("net + tax = total", sum))),
    Case(
        "quantity times price",
        csv_file(purchases),
        (
            done(),
            true(
                "the product",
                lambda rows: (
                    (numbers_of("quantity")(rows) * numbers_of("price")(rows) - numbers_of("amount")(rows)).abs()
                    < 0.006
                ),
            ),
        ),
    ),
    Case(
        "codes and names",
        csv_file(states),
        (
            done(),
            true("one name for each code", one_each("code", "state")),
            true("one code for each name", one_each("state", "code")),
        ),
    ),
    Case("a price for each product", csv_file(prices), (done(), true("one price each", one_each("product", "price")))),
    Case("cities in countries", csv_file(towns), (done(), true("one country each", one_each("city", "country")))),
    Case(
        "few answers, many repeats",
        csv_file(lambda r: {"q1": r.integers(1, 6, ROWS), "q2": r.choice(["yes", "no"], ROWS)}),
        (done(), untold("Keep one of each")),
    ),
    Case(
        "places on a map",
        csv_file(
            lambda r: {
                "lat": np.where(r.random(ROWS) < 0.5, 52.5, 48.1) + r.normal(0, 0.05, ROWS),
                "lon": r.normal(0, 0.05, ROWS) + 11,
            }
        ),
        (done(), form("lat", r"\d+\.\d+")),
    ),
    # texts that say who or what
    one_column(
        "postcodes", lambda r: [f"{k:05}" for k in r.choice([1067, 1099, 10115, 80331, 4109], ROWS)], only_seen("x")
    ),
    Case(
        "numbers of six digits",
        csv_file(lambda r: {"x": r.permutation(900_000)[:ROWS] + 100_000}),
        (done(), form("x", r"\d{6}"), true("each once", lambda rows: not rows["x"].duplicated().any())),
    ),
    Case(
        "large numbers of orders",
        csv_file(lambda r: {"x": 9_007_199_254_740_993 + r.permutation(9_000)[:ROWS] * 2}),
        (done(), form("x", r"\d{16,17}")),
    ),
    Case(
        "addresses of e-mail",
        csv_file(lambda r: {"mail": [f"{r.choice(['ann', 'bo', 'cy'])}.{k}@example.org" for k in range(ROWS)]}),
        (done(), told(MADE_UP)),
    ),
    Case(
        "remarks",
        csv_file(
            lambda r: {
                "remark": [
                    " ".join(r.choice(["late", "paid", "call", "again", "not", "at", "home"], 6)) for _ in range(ROWS)
                ]
            }
        ),
        (done(), told(MADE_UP)),
    ),
    one_column("answers in German", lambda r: r.choice(["ja", "nein"], ROWS), form("x", "ja|nein")),
    one_column("letters with accents", lambda r: r.choice(["Zoë", "Ödön", "名前", "🙂"], ROWS), only_seen("x")),
    one_column(
        "a comma in the cells", lambda r: r.choice(["Bonn, Rhein", 'the "old" one', "two\nlines"], ROWS), only_seen("x")
    ),
    # files
    delimited("a line for Excel", ";", "sep=;\n"),
    delimited("remarks first", ",", "# exported 2024\n# by hand\n"),
    Case("no header", text_file(number_lines), (refused("line of names"),)),
    delimited("UTF-16", "\t", encoding="utf-16"),
    Case("Latin 1", text_file(lambda r: "n,größe,g\n" + number_lines(r), encoding="latin-1"), (refused("UTF-8"),)),
    Case(
        "a comma in decimals",
        text_file(lambda r: "n;x;g\n" + number_lines(r, ";", ",")),
        (done(), form("x", r"\d+,\d{1,2}")),
    ),
    delimited("bars", "|", file="people.txt"),
    Case(
        "a comma at the end",
        text_file(lambda r: "n,x,g,\n" + number_lines(r, end=",")),
        (done(), form("x", r"\d+\.\d{1,2}")),
    ),
    Case("two columns of one name", text_file(lambda r: "n,x,x\n" + number_lines(r)), (refused("'x'"),)),
    Case("lines of other lengths", text_file(lambda r: "n,x,g\n" + number_lines(r) + "1,2\n" * 40), (refused("line"),)),
    Case("zipped", gzip_file, (done(), form("x", r"\d+\.\d{1,2}"))),
    Case("Parquet of a zone", parquet_file, (done(), columns("moment", "level"))),
    Case(
        "twelve rows",
        text_file(lambda r: "n,x,g\n" + "".join(number_lines(r).splitlines(True)[:12])),
        (
            lambda outcome: (
                None if outcome.code in (0, 1, 2) and "can be compared" not in outcome.said else "no verdict"
            ),
        ),
    ),
    Case(
        "thirty rows",
        text_file(lambda r: "n,x,g\n" + "".join(number_lines(r).splitlines(True)[:30])),
        (done(), untold("can be compared")),
    ),
)
