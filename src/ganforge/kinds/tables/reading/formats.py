"""Values as a column writes them <-> Arrow values: numbers with their decimals, dates in their form, truths in their
words. What text files and plain words have in common."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.dtypes import arrow_type, dtype_named
from ganforge.kinds.tables.reading.profile import base_of
from ganforge.kinds.tables.reading.text_values import dates_from

_OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")
_EXACT = 1e15  # numbers up to here have all their digits written


def as_text(array: pa.Array, column: Column) -> pa.Array:
    """Args: array (N,) of the column's values. Returns: text (N,), null where missing."""
    match base_of(array.type):
        case "truth":
            return pc.if_else(array, *_truths(column))
        case "datetime" if form := _date_form(column):
            return _dates_as_text(array, form, column)
        case "number":
            return numbers_as_text(array, column)
    return array.cast(pa.string())


def from_text(texts: pa.Array, column: Column) -> pa.Array:
    """The values (N,) that `as_text` wrote, in the Arrow type of the column's dtype."""
    kind = arrow_type(dtype_named(column.dtype))
    match base_of(kind):
        case "truth":
            return pc.equal(texts, _truths(column)[0])
        case "datetime" if form := _date_form(column):
            when = dates_from(texts, *_split(form))
            if when is None:
                raise ValueError(f"a text of the column {column.name!r} is no date like {form}")
            return when.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(kind, safe=False)
        case "text":
            return texts
    return texts.cast(kind)


def numbers_as_text(array: pa.Array, column: Column) -> pa.Array:
    """Numbers as the column writes them: Column.format "0.00" is two decimals in every row, "0.0#" at least one, "000"
    leading zeros; else the shortest text that gives the same number."""
    form = column.format or ""
    floating = pa.types.is_floating(array.type)
    small = floating and (pc.max(pc.abs(array)).as_py() or 0) < _EXACT
    if small and (column.kind == "integer" and "." not in form):
        return _padded(array.cast(pa.int64()).cast(pa.string()), form)
    if small and re.fullmatch(r"0\.0+", form):
        return array.cast(pa.float64()).cast(pa.decimal128(38, len(form) - 2)).cast(pa.string())
    texts = array.cast(pa.string())
    if form == "0.0#":
        whole = pc.invert(pc.match_substring_regex(texts, r"[.e]"))
        return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return _padded(texts, form)


def _padded(texts: pa.Array, form: str) -> pa.Array:
    return pc.utf8_lpad(texts, width=len(form), padding="0") if re.fullmatch("0+", form) else texts


def _truths(column: Column) -> tuple[str, str]:
    yes, _, no = (column.format or "True/False").partition("/")
    return yes, no


def _date_form(column: Column) -> str | None:
    """How dates are written: as they were found, else ISO 8601 to the column's resolution; in UTC if it has a zone."""
    if column.format and "%" in column.format:
        return column.format
    if column.resolution is None:
        return None
    if column.resolution == "D" and column.zone is None:
        return "%Y-%m-%d"
    fraction = ".%f" if column.resolution in ("ms", "us") else ""
    return f"%Y-%m-%d %H:%M:%S{fraction}" if column.zone is None else f"%Y-%m-%dT%H:%M:%S{fraction}Z"


def _split(form: str) -> tuple[str, str]:
    found = _OFFSET.search(form)
    return (form[: found.start()], found[1]) if found and "%H" in form else (form, "")


def _dates_as_text(array: pa.Array, form: str, column: Column) -> pa.Array:
    """Each distinct moment is written once."""
    plain_form, offset = _split(form)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())  # in UTC
    coded = array.cast(pa.timestamp("us")).dictionary_encode()
    moments = coded.dictionary
    if offset not in ("", "Z"):
        minutes = int(offset[0] + "1") * (60 * int(offset[1:3]) + int(offset[4:]))
        moments = pc.add(moments, pa.scalar(minutes * 60_000_000, pa.duration("us")))
    # a text's fraction has as many digits as its unit; without a text that was read, as many as the values need
    milliseconds = "[ms" in column.dtype or (column.format is None and column.resolution == "ms")
    unit = "s" if "%f" not in form else "ms" if milliseconds else "us"
    moments = moments.cast(pa.timestamp(unit), safe=False)
    texts = pc.strftime(moments, format=plain_form.replace("%S.%f", "%S").replace("%-", "%"))
    if "%-" in form:
        texts = pc.replace_substring_regex(texts, r"(^|[/.])0", r"\1")
    return pc.binary_join_element_wise(texts, offset, "").take(coded.indices) if offset else texts.take(coded.indices)
