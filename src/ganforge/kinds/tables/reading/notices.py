"""What the survey of a table tells the person: how cells were understood, what is not learned, possible mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ganforge.kinds.tables.columns import Column, not_learned
from ganforge.kinds.tables.reading.column_types import UNLIKE_NUMBERS, few_left
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.text_values import TOLERANCE, Meaning, Sort

if TYPE_CHECKING:
    from ganforge.kinds.tables.reading.survey import Profile  # which imports this file

SHOWN = 3  # examples of cells that mean nothing
_WHAT: dict[Sort, str] = {
    "truth": "true or false",
    "integer": "numbers",
    "number": "numbers",
    "date": "dates",
    "time": "times",
    "length": "lengths of time",
}


def notices_of(source: TableSource, profiles: Sequence[Profile], columns: Sequence[Column]) -> list[str]:
    """Return sentences for the person on what was done with a table, and what may be a mistake."""
    facts, words = source.facts, []
    if ragged := facts.get("ragged_lines"):
        lines = ", ".join(str(line["line"]) for line in facts["first_ragged_lines"])
        words.append(
            f"{ragged:,} lines have too few or too many fields and were left out: line {lines}"
            f"{' and more' if ragged > len(facts['first_ragged_lines']) else ''}."
        )
    for profile in profiles:
        words += _on_meaning(profile, profile.meaning)
    if (index := facts.get("index_left_out")) is not None:
        which = " and ".join(map(repr, index)) or "of texts or dates"
        words.append(f"The frame's index {which} was left out; frame.reset_index() makes a column of it.")
    if inside := facts.get("rows_inside_cells"):
        words.append(
            f"{inside:,} lines that look like rows stand inside a cell: a quotation mark may be at a wrong place."
        )
    if comments := facts.get("comment_lines"):
        words.append(f"{comments:,} lines at the beginning start with # and were left out as comments.")
    for name in facts.get("names_as_values", ()):
        words.append(f"The name {name!r} is also a value of its column: if the file has no line of names, add one.")
    if unnamed := facts.get("unnamed_columns"):
        words.append(f"{unnamed} columns have no name; they are called by their place, such as column_1.")
    numbers = (
        facts.get("numbers_as_names") or pd.to_numeric(pd.Series(source.column_names), errors="coerce").notna().all()
    )
    if numbers:
        words.append("The names of the columns are numbers: if the file has no line of names, add one.")
    for profile, column in zip(profiles, columns, strict=True):
        values = profile.rows - profile.missing
        repeated = 0 if profile.distinct.full else values - profile.distinct.count
        if column.kind == "identifier" and repeated:
            words.append(
                f"{column.name!r} was taken for an identifier, though {repeated:,} of its "
                f"{values:,} values come again; make it a category in plan.json to learn it."
            )
        if column.why == UNLIKE_NUMBERS:
            words.append(f"{column.name!r} was taken for an identifier: {UNLIKE_NUMBERS}.")
        if values == 0:
            words.append(f"{column.name!r} has no value in any row.")
    words += [
        sentence for sentence in [not_learned([column.name for column in columns if column.is_made_up])] if sentence
    ]
    words += [sentence for profile in profiles for sentence in _on_text(profile)]
    return words + _nearly_dates(profiles, columns) + _longer_identifiers(profiles, columns)


def _on_meaning(profile: Profile, meaning: Meaning | None) -> Iterator[str]:
    """Yield sentences on how a column's texts were understood."""
    if meaning is None:
        return
    name = profile.name
    if meaning.strays:
        count = sum(meaning.strays.values())
        cells = profile.rows - profile.missing + count
        shown = [f"{example!r} ({like:,})" for example, like in list(meaning.strays.items())[:SHOWN]]
        more = " and others" if len(meaning.strays) > SHOWN else ""
        yield (
            f"Cells of {name!r} that cannot be read as {_WHAT[meaning.sort]} are taken as missing, "
            f"{count:,} of {cells:,}: {', '.join(shown)}{more}."
        )
    if meaning.ambiguous and meaning.sort == "date":
        yield f"The dates of {name!r} could have the day or the month first; they were read as {meaning.form}."
    elif meaning.ambiguous:
        read = "decimals" if meaning.sort == "number" else "thousands"
        yield f"The mark in the numbers of {name!r} could be of decimals or of thousands; it was read as of {read}."
    if meaning.several:
        known = f"as in {meaning.zone}, whose clocks new rows show"
        zone = known if meaning.zone != "UTC" else "which are of no zone that is known here: new rows are in UTC"
        yield f"The times of {name!r} have {meaning.several} offsets, {zone}."


def _on_text(profile: Profile) -> Iterator[str]:
    """Yield a sentence on a column of texts, most of which mean something, but not those of one other shape."""
    strays = profile.nearly.strays if profile.nearly else {}
    example, count = next(iter(strays.items()), ("", 0))
    if profile.nearly and count > (1 - TOLERANCE) * (profile.rows - profile.missing):
        yield (
            f"Most cells of {profile.name!r} can be read as {_WHAT[profile.nearly.sort]}, but {count:,} such as "
            f"{example!r} cannot: too many to count as missing, so all are taken as texts. Write all in one form, or "
            "leave those empty that mean nothing."
        )


def _nearly_dates(profiles: Sequence[Profile], columns: Sequence[Column]) -> list[str]:
    """Return a sentence for each column of whole numbers of which only some are not calendar days."""
    pairs = [(column, profile.numeric_dates) for profile, column in zip(profiles, columns, strict=True)]
    return [
        f"Most numbers of {column.name!r} are calendar days ({found[0]}), but {found[1]:.0f} is not: so they are "
        "learned as whole numbers, and days that no calendar has are made. Leave a cell without a day empty."
        for column, dates in pairs
        if column.kind == "integer" and (found := dates.nearly(column.distinct))
    ]


def _longer_identifiers(profiles: Sequence[Profile], columns: Sequence[Column]) -> list[str]:
    """Return a sentence for each identifier whose digits do not suffice for as many new rows as were read."""
    pairs = [(column, few_left(profile, profile.rows)) for profile, column in zip(profiles, columns, strict=True)]
    return [
        f"Of the identifiers of {column.name!r} {few}. If they must not be, generate fewer rows."
        for column, few in pairs
        if column.kind == "identifier" and few and column.does.endswith(few)
    ]
