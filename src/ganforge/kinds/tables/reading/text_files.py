"""Text files: .csv, .tsv and .txt, compressed or not. Every column is read as text; types come from all of it."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.core.text_layout import LISTED, first_lines, names_of
from ganforge.core.text_rows import check_lost, check_quotes, in_words, only_ragged, text_batches
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import column_from, fitting, from_text
from ganforge.kinds.tables.reading.source import TableSource, no_rows, regrouped
from ganforge.kinds.tables.reading.text_values import MISSING, Meaning, Reading, without_missing


def open_text(source: str, path: Path, known: Sequence[Column]) -> TableSource:
    """Read a file once from end to end, and open it.

    Args: known columns, as `source.open_source`.
    Raises: DataError as `source.open_source`; the libraries' errors on damaged files.
    """
    lines = first_lines(source, path)
    names = names_of(source, lines.names)
    readings = [Reading() for _ in names]
    again = [False for _ in names]  # whether a name is also a value of its column
    stripped, missing_words, rows, last = 0, Counter[str](), 0, ""
    first: list[str] = []
    try:
        for batch in text_batches(source, path, lines):
            first = first or [column[0].as_py().strip() for column in batch.columns if batch.num_rows]
            rows += batch.num_rows
            last = "".join(column[-1].as_py() for column in batch.columns) if batch.num_rows else last
            for place, (reading, raw) in enumerate(zip(readings, batch.columns, strict=True)):
                lines.look_inside(raw)
                trimmed = pc.utf8_trim_whitespace(raw)
                again[place] = again[place] or pc.index(trimmed, lines.names[place]).as_py() >= 0
                stripped += pc.sum(pc.not_equal(trimmed, raw)).as_py() or 0
                values = without_missing(trimmed)
                if values.null_count:
                    missing_words.update(trimmed.filter(values.is_null()).to_pylist())
                reading.update(values)
    except pa.ArrowInvalid as error:
        raise in_words(source, error) from error
    check_quotes(source, lines, max(lines.swallowed, last.count("\n")))
    if rows == 0:
        raise only_ragged(source, lines) if lines.ragged else no_rows(source)
    check_lost(source, lines, rows)
    learned = {column.name: column for column in known}
    meanings = [reading.result(learned.get(name)) for name, reading in zip(names, readings, strict=True)]
    check_units(source, first, meanings)
    doubtful = check_first_line(source, lines.names, meanings, again)
    dtypes = [meaning.dtype(bool(reading.missing)) for meaning, reading in zip(meanings, readings, strict=True)]
    # of times and lengths of time the texts themselves are the column's values
    found = [None if isinstance(d, pd.StringDtype) else m.form for m, d in zip(meanings, dtypes, strict=True)]
    written = [
        Column(name=name, kind=meaning.kind, dtype=str(dtype), format=form, zone=meaning.zone)
        for name, meaning, dtype, form in zip(names, meanings, dtypes, found, strict=True)
    ]
    formats = {column.name: column.format for column in written if column.format}
    typed = [not isinstance(dtype, pd.StringDtype) for dtype in dtypes]
    mended = [bool(meaning.strays) and as_values for meaning, as_values in zip(meanings, typed, strict=True)]

    def read(count: int) -> Iterator[pd.DataFrame]:
        for table in regrouped(text_batches(source, path, lines.anew()), count):
            columns = []
            for raw, column, dtype, strays in zip(table.columns, written, dtypes, mended, strict=True):
                texts = without_missing(pc.utf8_trim_whitespace(raw.combine_chunks()))
                texts = fitting(texts, column) if strays else texts
                columns.append(column_from(from_text(texts, column), dtype))
            yield pd.DataFrame(dict(zip(names, columns, strict=True)), copy=False)

    def cells(count: int) -> Iterator[pa.Table]:
        for table in regrouped(text_batches(source, path, lines.anew()), count):
            yield table.rename_columns(names)

    understood = {n: meaning for n, meaning, as_values in zip(names, meanings, typed, strict=True) if as_values}
    told = {
        "stripped_blanks": stripped,
        "missing_written_as": dict(missing_words.most_common(LISTED)),
        "ragged_lines": lines.ragged,
        "first_ragged_lines": lines.first_ragged,
        "rows_inside_cells": lines.inside,
        "comment_lines": lines.comments,
        **doubtful,
        "unnamed_columns": lines.names.count(""),
    }
    facts = {"source": source, "format": "text", "bytes": path.stat().st_size, "delimiter": lines.delimiter}
    facts |= {name: value for name, value in told.items() if value}
    return TableSource(source, names, facts, read, formats, cells, meanings=understood)


def check_units(source: str, first: Sequence[str], meanings: Sequence[Meaning]) -> None:
    """Check the first row. Raises: DataError if it is unlike the others in each column of numbers, dates or times, of
    which there are several: it is a second line of names, or of units."""
    typed = [(cell, meaning) for cell, meaning in zip(first, meanings, strict=True) if meaning.sort != "text"]
    if len(typed) > 1 and all(cell not in MISSING and not meaning.takes(cell) for cell, meaning in typed):
        raise DataError(
            f"The second line of {source!r} seems to belong to the names: {', '.join(map(repr, first[:5]))}.",
            "In each column of numbers or dates it is unlike the lines below.",
            "Remove it, or join it to the names.",
        )


def check_first_line(
    source: str, names: Sequence[str], meanings: Sequence[Meaning], again: Sequence[bool]
) -> dict[str, list[str]]:
    """Return the names that may be values, as facts. Raises: DataError if the first line seems to hold values.

    Names of columns of numbers, dates or booleans are values if all of them fit the columns, unless they count, such as
    years do; names of texts alone if half of them, and more than one, come again as values.
    """
    there = [place for place, name in enumerate(names) if name not in MISSING]
    typed = [place for place in there if meanings[place].sort != "text"]
    like = [names[place] for place in typed if meanings[place].takes(names[place])]
    repeated = [names[place] for place in there if again[place]]
    if len(like) < len(typed) or (not typed and 2 * len(repeated) < max(len(there), 1)):
        return {}
    if typed and _count(like):
        return {"numbers_as_names": like}
    if not typed and len(repeated) == 1:
        return {"names_as_values": repeated}
    raise DataError(
        f"The first line of {source!r} seems to hold values, not names: {', '.join(map(repr, names[:5]))}.",
        "They are like the values below." if typed else "They come again as values below.",
        "Add a line of names before it; if it does hold the names, write them with letters, such as y2020.",
    )


def _count(names: Sequence[str]) -> bool:
    """Return whether names are numbers that count: 0, 1 or 1, 2, 3, or years."""
    if len(names) < 2 or not all(re.fullmatch("[0-9]{1,9}", name) for name in names):
        return False
    numbers = list(map(int, names))
    steps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    years = all(1000 <= number < 3000 for number in numbers)
    return len(steps) == 1 and steps != {0} and (len(names) > 2 or years or numbers == [0, 1])
