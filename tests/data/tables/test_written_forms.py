"""Columns as people write them, from a text file to a column that is learned, and back to the letter."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganforge.core.date_format import parse_dates
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import arrow_from, as_text, from_plain, to_plain
from ganforge.kinds.tables.reading.number_units import NumberUnits, form_of
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.reading.survey import survey_table
from ganforge.kinds.tables.rules.values import read_span

ROWS = 200
RNG = np.random.default_rng(0)
AMOUNTS = RNG.lognormal(13.5, 1.5, ROWS)
DAYS = pd.Timestamp("2021-01-01") + pd.to_timedelta(RNG.permutation(1500)[:ROWS], unit="D")
MOMENTS = DAYS + pd.to_timedelta(RNG.integers(0, 86_400, ROWS), unit="s")
SPANS = RNG.integers(3600, 900_000, ROWS).tolist()


def scaled(units: Sequence[tuple[float, str]], values: np.ndarray = AMOUNTS) -> list[str]:
    """Write each value in the largest unit that it has at least one of."""
    return [
        next(form.format(x / size) for size, form in units if round(x / units[-1][0]) * units[-1][0] >= size)
        for x in values
    ]


def months(names: str) -> list[str]:
    known = names.split()
    return [known[day.month - 1] for day in DAYS]


def column_of(cells: Sequence[str], folder: Path) -> tuple[Column, list[str], list[str]]:
    """Return the column of cells in a text file, the cells as they are written again, and what was said."""
    path = folder / "t.csv"
    pd.DataFrame({"x": list(cells), "g": ["a", "b"] * (len(cells) // 2)}).to_csv(path, index=False)
    source = open_source(path)
    survey = survey_table(source)
    column, frame = survey.columns[0], next(source.chunks())
    assert column.is_number, (column.kind, survey.passport["warnings"])
    again = as_text(arrow_from(from_plain(to_plain(frame[["x"]], (column,)), (column,))["x"]), column)
    return column, [cell or "" for cell in again.to_pylist()], survey.passport["warnings"]


MILLIONS = scaled([(1e6, "{:.1f} Mio. €"), (1e3, "{:.0f} Tsd. €")])
DE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
FR = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
ES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
FORMS: dict[str, tuple[list[str], str]] = {
    "350k": (scaled([(1e6, "{:.1f}M"), (1e3, "{:.0f}k")]), "0k|0.0M"),
    "$350K": (scaled([(1e6, "${:.1f}M"), (1e3, "${:.0f}K")]), "$0K|$0.0M"),
    "350 thousand": (scaled([(1e6, "{:.1f} million"), (1e3, "{:.0f} thousand")]), "0 thousand|0.0 million"),
    "1,2 Mio. €": ([re.sub(r"(\d)\.", r"\1,", cell) for cell in MILLIONS], ""),
    "7 KB": (scaled([(1e6, "{:.1f} MB"), (1e3, "{:.0f} KB")]), "0 KB|0.0 MB"),
    "681 m": (scaled([(1e3, "{:.1f} km"), (1, "{:.0f} m")], AMOUNTS / 1e3), "0 m|0.0 km"),
    "350 ms": (scaled([(1e3, "{:.2f} s"), (1, "{:.0f} ms")], AMOUNTS / 1e3), "0 ms|0.00 s"),
    "1.04E+05": ([f"{x:.2E}" for x in AMOUNTS], "0.00E+00"),
    "1,04e+05": ([f"{x:.2e}".replace(".", ",") for x in AMOUNTS], "0,00e+00"),
    "2.449,-": ([f"{x:,.0f}".replace(",", ".") + ",-" for x in AMOUNTS], "#.##0,-"),
    "29. Juni 2024": ([f"{d.day}. {m} {d.year}" for d, m in zip(DAYS, months(DE), strict=True)], "[de]%-d. %B %Y"),
    "29 juin 2024": ([f"{d.day} {m} {d.year}" for d, m in zip(DAYS, months(FR), strict=True)], "[fr]%-d %B %Y"),
    "29 de junio": (
        [f"{d.day} de {m} de {d.year}" for d, m in zip(DAYS, months(ES), strict=True)],
        "[es]%-d de %B de %Y",
    ),
    "29-jun-24": ([d.strftime("%d-%b-%y").lower() for d in DAYS], "[en-lower]%d-%B-%y"),
    "2024-W26": ([f"{d.isocalendar()[0]}-W{d.isocalendar()[1]:02}" for d in DAYS], "%G-W%V"),
    "2024Q2": ([f"{d.year}Q{d.quarter}" for d in DAYS], "[quarter]%Y%B"),
    "Q2/2024": ([f"Q{d.quarter}/{d.year}" for d in DAYS], "[quarter]%B/%Y"),
    "2024年6月29日": ([f"{d.year}年{d.month}月{d.day}日" for d in DAYS], "%Y年%-m月%-d日"),
    "6/08/2024": ([f"{d.day}/{d.month:02}/{d.year}" for d in DAYS], "%-d/%m/%Y"),
    "20240629T2203": ([d.strftime("%Y%m%dT%H%M%S") for d in MOMENTS], "%Y%m%dT%H%M%S"),
    "20240629220352": ([d.strftime("%Y%m%d%H%M%S") for d in MOMENTS], "%Y%m%d%H%M%S"),
    "22:03 29/06/2024": ([d.strftime("%H:%M %d/%m/%Y") for d in MOMENTS], "%H:%M %d/%m/%Y"),
    "ctime": ([d.strftime("%a %b %d %H:%M:%S %Y") for d in MOMENTS], "%a %b %d %H:%M:%S %Y"),
    "Oracle": ([d.strftime("%d-%b-%y %I.%M.%S.123000 %p").upper() for d in MOMENTS], "%d-%^b-%y %I.%M.%S.%f %p"),
    "UTC": ([d.strftime("%Y-%m-%d %H:%M:%S UTC") for d in MOMENTS], "%Y-%m-%d %H:%M:%S UTC"),
    "+01": ([d.strftime("%Y-%m-%d %H:%M:%S+01") for d in MOMENTS], "%Y-%m-%d %H:%M:%S+01"),
    "two digits": ([f"{d:%Y-%m-%dT%H:%M:%S}.{k % 100:02}Z" for k, d in enumerate(MOMENTS)], "%Y-%m-%dT%H:%M:%S.%2fZ"),
    "comma": ([f"{d:%Y-%m-%d %H:%M:%S},{k:03}" for k, d in enumerate(MOMENTS)], "%Y-%m-%d %H:%M:%S,%f"),
    "Postgres": ([f"{d:%Y-%m-%d %H:%M:%S}" + f".{k:03}".rstrip("0") * (k % 5 > 0) for k, d in enumerate(MOMENTS)], ""),
    "22:03 Uhr": ([d.strftime("%d.%m.%Y, %H:%M Uhr") for d in MOMENTS], "%d.%m.%Y, %H:%M Uhr"),
    "9:30 a.m.": ([f"{d.hour % 12 or 12}:{d.minute:02} {'ap'[d.hour > 11]}.m." for d in MOMENTS], "%-I:%M %P."),
    "9 AM": ([f"{d.hour % 12 or 12} {'AP'[d.hour > 11]}M" for d in MOMENTS], "%-I %p"),
    "2h30": ([f"{s // 3600}h{s // 60 % 60:02}" for s in SPANS], "%-Hh%M"),
    "-02:39": ([f"{'-' if s % 2 else '+'}{s // 3600:02}:{s // 60 % 60:02}" for s in SPANS], "+%H:%M"),
    "PT765561S": ([f"PT{s}S" for s in SPANS], "PT%-SS"),
    "2h 05m 09s": ([f"{s // 3600}h {s // 60 % 60:02}m {s % 60:02}s" for s in SPANS], "[%-Hh ][%Mm ][%Ss]"),
    "09:32.972": ([f"{s // 60 % 90:02}:{s % 60:02}.{s % 1000:03}" for s in SPANS], "%M:%S.%3f"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_learned_and_comes_back_to_the_letter(name: str, tmp_path: Path) -> None:
    cells, form = FORMS[name]
    column, again, said = column_of(cells, tmp_path)
    assert again == cells and not said
    assert column.format == form or not form
    if name in ("350k", "29. Juni 2024", "2024-W26", "2024Q2", "22:03 29/06/2024"):  # a condition may use it
        low, high = read_span(cells[0], column)
        value = to_plain(pd.DataFrame({"x": cells}), (column.model_copy(update={"dtype": "str"}),))["x"][0]
        assert low <= value <= high


@pytest.mark.parametrize("word", ["-", "#VALUE!", "none", "n.a.", "..", "0000-00-00"])
def test_one_word_in_a_tenth_of_the_cells_is_a_missing_value_and_told(word: str, tmp_path: Path) -> None:
    cells = [f"{x:.2f}" if k % 10 else word for k, x in enumerate(AMOUNTS)]
    column, again, said = column_of(cells, tmp_path)
    assert (column.kind, column.missing) == ("decimal", 20) and again == [c if c != word else "" for c in cells]
    assert f"20 of 200: {word!r} (20)" in said[0]


def test_few_numbers_beside_a_word_stay_words(tmp_path: Path) -> None:
    pd.DataFrame({"x": [str(k % 5) if k % 10 else "-" for k in range(ROWS)]}).to_csv(tmp_path / "t.csv", index=False)
    assert survey_table(open_source(tmp_path / "t.csv")).columns[0].kind == "category"


@pytest.mark.parametrize(("low", "high"), [("<5", ""), ("", ">40"), ("< 5", "> 40.5"), ("≤5", "≥40")])
def test_what_is_below_or_above_a_limit_is_written_so_again(low: str, high: str, tmp_path: Path) -> None:
    values = RNG.lognormal(2.7, 0.8, ROWS).round(1)
    least, most = (float(text.strip("<>≤≥ ")) if text else end for text, end in ((low, 0), (high, np.inf)))
    cells = [low if x < least else high if x > most else f"{x:.1f}" for x in values]
    _, again, said = column_of(cells, tmp_path)
    assert again == cells and not said and sum(cell in (low, high) for cell in cells) > 5


def test_forms_of_strangers_are_refused() -> None:
    for pattern in ("0k|0.0X", "0M|0k", "|", "<5", "0|0", "0k|", "<5|0|<7"):
        with pytest.raises(ValueError, match="not a format"):
            NumberUnits.of(pattern)
    with pytest.raises(ValueError, match="not a format"):
        form_of("0k|x")
    with pytest.raises(ValueError, match="no names 'xx'"):
        parse_dates(arrow_from(pd.Series(["1 x 2024"])), "[xx]%d %B %Y")
