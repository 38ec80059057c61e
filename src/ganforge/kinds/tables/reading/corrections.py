"""Columns that a person has corrected: what was set wins, and is refused where the data are not like that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.errors import DataError
from ganforge.kinds.tables.codec.identifiers import check_pattern
from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.reading.column_types import described
from ganforge.kinds.tables.reading.dtypes import arrow_from, is_text
from ganforge.kinds.tables.reading.opened import TableSource
from ganforge.kinds.tables.reading.profile import EXACT, Profile
from ganforge.kinds.tables.reading.text_values import NUMBER

Offence = Callable[[pa.Array], pa.Array]
"""values (N,) -> boolean (N,), true for those that cannot be."""

WITH_ZEROS = r"^[+-]?[0-9]{1,15}$"  # a whole number, perhaps with leading zeros


def as_asked(source: TableSource, profile: Profile, dtype: Any, found: Column, asked: Column) -> Column:
    """The column as a person wants it: kind, range, decimals, resolution and an identifier's pattern.

    A field of `asked` that is None or as it was found asks for nothing; counts and dtype are always those of the data.
    Raises: DataError naming the column, the first row that cannot be like that, and its value.
    """
    column = found
    if asked.kind != found.kind:
        _check_kind(source, profile, dtype, found, asked.kind)
        if profile.texts and asked.kind in ("integer", "decimal"):
            column = _number_as_text(source, profile, dtype, asked.kind)
        else:
            column = described(profile, dtype, source.formats.get(found.name), asked.kind, "")
        column = column.model_copy(update={"why": f"you asked for it (found: {found.kind})"})
    if column.kind == "datetime" and asked.resolution not in (None, column.resolution):
        factor = found.unit / asked.unit
        low, high = np.floor((column.minimum or 0) * factor), np.ceil((column.maximum or 0) * factor)
        ends = {"minimum": float(low), "maximum": float(high)}
        column = column.model_copy(update={"resolution": asked.resolution, **ends})
    if column.kind == "decimal" and asked.decimals not in (None, found.decimals):
        does = f"learned as a number with {asked.decimals} decimals"
        column = column.model_copy(update={"decimals": asked.decimals, "does": does})
    if column.is_number:
        column = _with_range(source, column, found, asked)
    if column.kind == "identifier" and asked.format not in (None, found.format, column.format):
        column = _with_pattern(column, asked)
    return column


def _check_kind(source: TableSource, profile: Profile, dtype: Any, found: Column, kind: ColumnKind) -> None:
    """Raises: DataError if the data cannot be of this kind, which is not the one that was found."""
    text, number, place = profile.base == "text", kind in ("integer", "decimal"), None
    fits = {
        "category": True,
        "constant": True,
        "identifier": text or profile.whole_type,
        "boolean": profile.base == "truth",
        "datetime": profile.base == "datetime",
        "integer": text or profile.base == "number",
        "decimal": text or profile.base == "number",
    }
    if not fits[kind] or (isinstance(dtype, pd.CategoricalDtype) and kind not in ("category", "constant")):
        place, why = _first(source, found, pa.Array.is_valid), f"Values of the type {found.dtype} are something else."
        place = place or (1, "nothing")
    elif kind == "constant" and (profile.distinct.count > 1 or profile.missing):
        first = next(value for values in _arrays(source, found) if len(value := values.drop_null()))[0]
        place = _first(source, found, lambda values: pc.fill_null(pc.not_equal(values, first), True))
        why = "A constant has one value, and it is never missing."
    elif kind == "identifier" and not profile.distinct.full and profile.distinct.count < profile.rows - profile.missing:
        place = _first(source, found, _repeated())
        why = "It stands in an earlier row already, and an identifier comes once."
    elif number and text:
        regex = WITH_ZEROS if kind == "integer" else NUMBER
        place = _first(source, found, lambda values: pc.invert(pc.match_substring_regex(values, regex)))
        why = "It is no number."
    elif kind == "integer" and not profile.whole:
        place = _first(source, found, lambda values: pc.not_equal(values, pc.round(values)))
        why = "It is no whole number."
    elif number:
        place, why = profile.beyond, f"Numbers beyond {EXACT:,} cannot be learned exactly."
    if place:
        raise DataError(
            f"The column {found.name!r} cannot be {_a(kind)}: row {place[0]} holds {place[1]}.",
            why,
            f"Leave it {_a(found.kind)}, or correct the data.",
        )


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _with_range(source: TableSource, column: Column, found: Column, asked: Column) -> Column:
    """A wider range than the data's; a narrower one is refused with the first row outside."""
    update: dict[str, Any] = {}
    for end, outside in (("minimum", pc.less), ("maximum", pc.greater)):
        wanted, own = getattr(asked, end), getattr(column, end)
        if wanted is None or wanted == getattr(found, end) or own is None:
            continue
        if (wanted > own) if end == "minimum" else (wanted < own):
            limit = wanted * column.unit
            beyond = lambda values, outside=outside, limit=limit: outside(_numbers(values), limit)  # noqa: E731
            row, value = _first(source, column, beyond) or (0, str(own))
            raise DataError(
                f"The column {column.name!r} cannot have the {end} {wanted:g}: row {row} holds {value}.",
                "What is generated would keep to a range that the data do not.",
                f"Set the {end} to {own:g} or wider, or remove the rows beyond it.",
            )
        update[end] = wanted
    return column.model_copy(update=update)


def _with_pattern(column: Column, asked: Column) -> Column:
    if column.dtype not in ("str", "string", "object") or not check_pattern(asked.format or ""):
        raise DataError(
            f"The column {column.name!r} cannot have the pattern {asked.format!r}.",
            "A pattern of texts is uuid, UUID, hex:32, HEX:32, or text around zeros in braces, such as C-{000000}.",
            f"Write one of these, or leave it at {column.format!r}.",
        )
    largest = asked.maximum if asked.maximum is not None else column.maximum
    return column.model_copy(update={"format": asked.format, "maximum": largest})


def _number_as_text(source: TableSource, profile: Profile, dtype: Any, kind: ColumnKind) -> Column:
    """A column of texts such as 007 as numbers; with leading zeros again where all texts are of one length."""
    low, high, lengths, decimals = np.inf, -np.inf, set[int](), 0
    for array in _arrays(source, profile):
        texts = array.drop_null()
        if len(texts) == 0:
            continue
        values = _numbers(texts).to_numpy()
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        lengths |= set(pc.unique(pc.utf8_length(texts)).to_pylist())
        point = pc.find_substring(texts, ".").to_numpy()
        behind = np.where(point < 0, 0, pc.utf8_length(texts).to_numpy() - point - 1)
        decimals = max(decimals, int(behind.max()))
    zeros = "0" * lengths.pop() if kind == "integer" and len(lengths) == 1 else None
    about = {"minimum": low, "maximum": high, "format": zeros, "decimals": decimals if kind == "decimal" else None}
    return described(profile, dtype, None, kind, "").model_copy(update=about)


def _numbers(values: pa.Array) -> pa.Array:
    """Numbers as they are, moments in microseconds since 1970."""
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        zone = getattr(values.type, "tz", None)
        return values.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
    if is_text(values.type):
        values = pc.replace_substring_regex(values, r"^\+", "")
    return values.cast(pa.float64(), safe=False)


def _first(source: TableSource, column: Column, offends: Offence) -> tuple[int, str] | None:
    """The first row, from 1, whose value offends, and the value; read again, which only errors have to pay."""
    row = 0
    for values in _arrays(source, column):
        marks = pc.fill_null(offends(values), False).to_numpy(zero_copy_only=False)
        if marks.any():
            place = int(np.argmax(marks))
            value = values[place].as_py()
            return row + place + 1, "nothing" if value is None else repr(str(value))
        row += len(values)
    return None


def _arrays(source: TableSource, column: Column | Profile) -> Iterator[pa.Array]:
    """The column, a part (N,) at a time."""
    for frame in source.chunks():
        values = arrow_from(frame[column.name])
        yield values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _repeated() -> Offence:
    """Finds values that were there before, in these rows or in those of an earlier call."""
    before: set[Any] = set()

    def again(values: pa.Array) -> pa.Array:
        series = pd.Series(values.to_pylist(), dtype=object)
        marks = (series.duplicated() | series.isin(before)) & series.notna()
        before.update(series.dropna())
        return pa.array(marks)

    return again
