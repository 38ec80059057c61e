"""The kind of a column, its reason and its treatment: from its profile, or as a person corrected it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.core.numeric_dates import WRITTEN, moments_from
from ganforge.errors import DataError
from ganforge.kinds.tables.codec.identifiers import MOST_NUMBERS, check_pattern, read_ranges, unused_ranges
from ganforge.kinds.tables.columns import EXACT, MICROSECONDS, TIMES, Column, ColumnKind
from ganforge.kinds.tables.reading.arrays import (
    arrow_from,
    arrow_type,
    base_of,
    categories_as_text,
    is_text,
    microseconds,
    parsed,
)
from ganforge.kinds.tables.reading.number_format import NUMBER, WITH_ZEROS, is_plain
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.text_values import Meaning, decimals_of

if TYPE_CHECKING:
    from ganforge.kinds.tables.reading.survey import Profile  # which imports this file

NEARLY_UNIQUE = 0.9  # different texts / texts, from which on they only identify a row
SENTENCES = 0.5  # the same, of long texts with blanks
LONG = 30  # letters of a text, on average
MANY = 32_768  # new rows that a person may well ask for
UNLIKE_NUMBERS = f"every value differs, and numbers beyond {EXACT:,} cannot be learned exactly"
_UNIT_WORDS = {"D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}
_NAME_OF_IDENTIFIER = re.compile(r"(^|[^a-z])(id|ids|key|number|no|nr|index|uuid|guid)([^a-z]|$)")

Offence = Callable[[pa.Array], pa.Array]  # values (N,) -> boolean (N,), true for those that cannot be
DOES: dict[ColumnKind, str] = {
    "integer": "learned as a whole number",
    "decimal": "learned as a number",
    "category": "learned as a category",
    "boolean": "learned as true or false",
    "datetime": "learned as a moment in time",
    "time": "learned as a time of day",
    "duration": "learned as a length of time",
    "identifier": "never learned: new values that stand in no row",
    "constant": "copied into every row",
}


def column_of(profile: Profile, dtype: Any, form: str | None) -> Column:
    """Return the found column. Args: dtype of the frame; form how a text file writes it (TableSource.formats)."""
    kind, why = _kind(profile, dtype)
    return described(profile, dtype, form, kind, why)


def described(profile: Profile, dtype: Any, form: str | None, kind: ColumnKind, why: str) -> Column:
    """Return the column as one of a kind, with all fields of this kind."""
    values = profile.rows - profile.missing
    about: dict[str, Any] = {"format": categories_as_text(dtype) if isinstance(dtype, pd.CategoricalDtype) else form}
    unit = 1
    if profile.base in ("datetime", "time"):
        about["resolution"], unit = list(MICROSECONDS.items())[profile.finest]
    if profile.base == "datetime":
        zone = profile.meaning.zone if profile.meaning else getattr(arrow_type(str(dtype)), "tz", None)
        about["zone"] = str(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else zone
    if profile.base in ("number", "datetime", "time") and values:
        about |= {"minimum": profile.minimum / unit, "maximum": profile.maximum / unit}
    if kind == "datetime" and profile.base != "datetime":
        form = profile.numeric_dates.form or ""
        about |= {"format": form, "resolution": "D"}
        about["minimum"], about["maximum"] = profile.numeric_dates.ends[form]
    if kind == "decimal":
        about["decimals"] = profile.decimals
    if kind == "identifier" and profile.base == "text":
        about["format"], about["maximum"] = profile.pattern.result()
    if kind == "identifier" and (left := unused_numbers(profile)):
        about["unused"] = left[2]
    return Column(
        name=profile.name,
        kind=kind,
        dtype=str(dtype),
        missing=profile.missing,
        distinct=profile.distinct.count,
        why=why,
        does=_does(kind, profile, about),
        **about,
    )


def is_learned_as_values(profile: Profile, meaning: Meaning) -> bool:
    """Return whether a column of texts is learned as the numbers or times that they mean.

    Whole numbers that are held as texts are codes to whoever made the table. So are formatted ones of which none comes
    twice and whose name says identifier.
    """
    if meaning.sort in ("text", "truth"):
        return False
    if meaning.sort == "integer":
        named = profile.distinct.share == 1 and is_identifier_by_name(profile.name)
        return not is_plain(meaning.form or "") and not named
    return True


def is_identifier_by_name(name: str) -> bool:
    """Return whether a name is that of an identifier: id, customer_id, CustomerID, order number; not "paid"."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return bool(_NAME_OF_IDENTIFIER.search(apart))


def _kind(profile: Profile, dtype: Any) -> tuple[ColumnKind, str]:
    if profile.missing == profile.rows:
        return "constant", "no row has a value"
    if profile.distinct.count == 1:
        return ("constant", "one value in every row") if not profile.missing else ("category", "one value, or missing")
    match profile.base:
        case "truth":
            found: tuple[ColumnKind, str] = "boolean", "true and false"
        case "datetime":
            found = "datetime", f"dates: {distinct_words(profile)} different"
        case "time":
            clock = profile.meaning.sort == "time" if profile.meaning else pa.types.is_time(arrow_type(str(dtype)))
            what = "times of day" if clock else "lengths of time"
            found = "time" if clock else "duration", f"{what}: {distinct_words(profile)} different"
        case "number":
            found = _kind_of_number(profile)
        case "text":
            found = _kind_of_text(profile, isinstance(dtype, pd.CategoricalDtype))
    return found


def _kind_of_text(profile: Profile, categorical: bool) -> tuple[ColumnKind, str]:
    values, share = profile.rows - profile.missing, profile.distinct.share
    of = f"{distinct_words(profile)} different texts in {values:,} rows"
    if categorical:
        return "category", f"a categorical: {of}"
    if form := profile.numeric_dates.by_nature(profile.distinct.count):
        return "datetime", f"texts that are calendar days ({form}): {of}"
    long_and_spaced = profile.letters >= LONG * profile.texts and 2 * profile.spaced >= profile.texts
    if long_and_spaced and share >= SENTENCES:
        return "identifier", f"sentences: {of}"
    if share >= NEARLY_UNIQUE:
        return "identifier", f"a text of its own for {'each' if share == 1 else 'nearly each'} row: {of}"
    return "category", of


def _kind_of_number(profile: Profile) -> tuple[ColumnKind, str]:
    words = distinct_words(profile)
    if form := profile.numeric_dates.by_nature(profile.distinct.count):
        return "datetime", f"whole numbers that are calendar days ({form}): {words} different"
    if not profile.whole_type and not profile.whole:
        digits = "many digits" if profile.decimals is None else f"{profile.decimals} decimals"
        return "decimal", f"numbers with {digits}: {words} different"
    if profile.whole_type and profile.missing == 0 and profile.distinct.share == 1:
        dense = not profile.distinct.full and profile.maximum - profile.minimum + 1 == profile.rows
        if profile.step or dense:
            return "identifier", f"a running number: {profile.minimum:.0f} to {profile.maximum:.0f}, each once"
        if profile.beyond:
            return "identifier", UNLIKE_NUMBERS
        if is_identifier_by_name(profile.name):
            return "identifier", "every value differs, and the name says identifier"
    return "integer", f"whole numbers: {words} different"


def distinct_words(profile: Profile) -> str:
    """Return the number of different values in words, since counting ends at a million."""
    return f"{profile.distinct.count:,}{' or more' if profile.distinct.full else ''}"


def unused_numbers(profile: Profile) -> tuple[int, int, str | None] | None:
    """Return the digits that all identifiers have, the unused numbers of as many, and Column.unused where few are
    above the largest; None where they have no such number of digits.
    """
    digits, largest, used = profile.pattern.digits, profile.pattern.largest, profile.pattern.numbers
    if profile.whole_type and profile.step is None and 0 <= profile.minimum <= profile.maximum <= EXACT:
        lengths = {len(f"{end:.0f}") for end in (profile.minimum, profile.maximum)}
        digits = (max(lengths), 10 ** (max(lengths) - 1)) if len(lengths) == 1 else None
        largest, used = int(profile.maximum), profile.distinct.known.view(np.int64)
    if digits is None or digits[0] == 1:
        return None
    above = 10 ** digits[0] - 1 - largest
    if above >= max(profile.rows, MANY) or profile.distinct.full or len(used) >= MOST_NUMBERS:
        return digits[0], above, None
    unused = unused_ranges(used, digits[1])
    ranges = read_ranges(unused)
    return digits[0], above + int((ranges[:, 1] - ranges[:, 0] + 1).sum()), unused


def few_left(profile: Profile, rows: int) -> str:
    """Say that new identifiers with the digits that all have do not suffice for this many rows; "" if they do."""
    found = unused_numbers(profile)
    if found is None or found[1] >= rows:
        return ""
    digits, left, _ = found
    numbers = f"only {left:,} numbers" if left > 1 else "only one number" if left else "no number"
    return f"{numbers} of {digits} digits {'are' if left > 1 else 'is'} left unused, and further ones are longer"


def _does(kind: ColumnKind, profile: Profile, about: dict[str, Any]) -> str:
    does = DOES[kind]
    if kind == "identifier" and (few := few_left(profile, max(profile.rows, MANY))):
        return f"{does}; {few}"
    if kind == "identifier" and profile.base == "text":
        example = str(about["format"])
        if example.startswith(profile.pattern.placeholder + "{"):
            does = f"never learned: placeholders such as {profile.pattern.placeholder}{1:0{example.count('0')}d}"
    if kind == "decimal" and profile.decimals is not None:
        does += f" with {profile.decimals} decimals"
    if kind == "datetime" and about["format"] in WRITTEN:
        does += f", written as {WRITTEN[about['format']]}"
    elif kind in TIMES and about["resolution"] != "us":
        does += f", to the {_UNIT_WORDS[about['resolution']]}"
    if kind == "datetime" and profile.finer:
        does += ", to the microsecond: the digits beyond are left out"
    if kind in ("integer", "decimal") and not is_plain(form := about["format"] or ""):
        does += f", written like {form}"
    if profile.missing and kind not in ("identifier", "constant"):
        does += ", and where it is missing"
    if profile.meaning and profile.meaning.strays:
        example, count = next(iter(profile.meaning.strays)), sum(profile.meaning.strays.values())
        does += f": {count:,} cells such as {example!r} count as missing"
    return does


# ---- corrected by a person: corrections win, and are refused where they do not fit the data --------------------------


def as_asked(source: TableSource, profile: Profile, dtype: Any, found: Column, asked: Column) -> Column:
    """Return the column as a person asks for it: kind, range, decimals, resolution and an identifier's pattern.

    A field of `asked` that is None or as it was found asks for nothing; counts and dtype are always those of the data.
    Raises: DataError naming the column, the first row that does not fit, and its value.
    """
    column = found
    if asked.kind != found.kind:
        _check_kind(source, profile, dtype, found, asked.kind)
        if profile.texts and asked.kind in ("integer", "decimal"):
            column = _number_as_text(source, profile, dtype, asked.kind)
        else:
            form = profile.meaning.form if profile.meaning else source.formats.get(found.name)
            column = described(profile, dtype, form, asked.kind, "")
        column = column.model_copy(update={"why": f"you asked for it (found: {found.kind})"})
    if column.kind in TIMES and asked.resolution not in (None, column.resolution):
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
    """Check a corrected kind. Raises: DataError if the data cannot be of it."""
    text, number, place = profile.base == "text", kind in ("integer", "decimal"), None
    fits = {
        "category": True,
        "constant": True,
        "identifier": text or profile.whole_type,
        "boolean": profile.base == "truth",
        "datetime": profile.base == "datetime" or profile.numeric_dates.form is not None,
        "time": profile.base == "time",
        "duration": profile.base == "time",
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
        why = "It is not a number."
    elif kind == "integer" and not profile.whole:
        place = _first(source, found, lambda values: pc.not_equal(values, pc.round(values)))
        why = "It is not a whole number."
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
    """Apply a wider range than the data's; refuse a narrower one, with the first row outside."""
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
    if not is_text(arrow_type(column.dtype)) or not check_pattern(asked.format or ""):
        raise DataError(
            f"The column {column.name!r} cannot have the pattern {asked.format!r}.",
            "A pattern of texts is uuid, UUID, hex:32, HEX:32, or text around zeros in braces, such as C-{000000}.",
            f"Write one of these, or leave it at {column.format!r}.",
        )
    largest = asked.maximum if asked.maximum is not None else column.maximum
    return column.model_copy(
        update={"format": asked.format, "maximum": largest, "does": DOES["identifier"], "unused": None}
    )


def _number_as_text(source: TableSource, profile: Profile, dtype: Any, kind: ColumnKind) -> Column:
    """Return a column of texts such as 007 as numbers; written with leading zeros if all texts have one length."""
    low, high, lengths, decimals = np.inf, -np.inf, set[int](), 0
    for array in _arrays(source, profile):
        texts = array.drop_null()
        if len(texts) == 0:
            continue
        values = _numbers(texts).to_numpy()
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        lengths |= set(pc.unique(pc.utf8_length(texts)).to_pylist())
        decimals = max(decimals, int(decimals_of(texts).max()))
    zeros = "0" * lengths.pop() if kind == "integer" and len(lengths) == 1 else None
    about = {"minimum": low, "maximum": high, "format": zeros, "decimals": decimals if kind == "decimal" else None}
    return described(profile, dtype, None, kind, "").model_copy(update=about)


def _numbers(values: pa.Array) -> pa.Array:
    """Return numbers as they are, moments in microseconds since 1970, times in microseconds."""
    if base_of(values.type) in ("datetime", "time"):
        return microseconds(values).cast(pa.float64(), safe=False)
    if is_text(values.type):
        values = pc.replace_substring_regex(values, r"^\+", "")
    return values.cast(pa.float64(), safe=False)


def _first(source: TableSource, column: Column, offends: Offence) -> tuple[int, str] | None:
    """Find the first row, from 1, with an invalid value, and the value; read the data again, only after errors."""
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
    """Yield the column's values, a part (N,) at a time; of texts that mean numbers or times, what they mean."""
    for frame in source.chunks():
        values = arrow_from(frame[column.name])
        values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        if isinstance(column, Column) and column.is_number:
            values = parsed(values, column) if is_text(values.type) else moments_from(values, column.format)
        yield values


def _repeated() -> Offence:
    """Return a function that finds values that occurred before, in these rows or in those of an earlier call."""
    before: set[Any] = set()

    def again(values: pa.Array) -> pa.Array:
        series = pd.Series(values.to_pylist(), dtype=object)
        marks = (series.duplicated() | series.isin(before)) & series.notna()
        before.update(series.dropna())
        return pa.array(marks)

    return again
