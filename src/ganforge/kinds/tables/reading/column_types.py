"""Which kind a column is, why, and what will be done with it: decided from its profile, said in words."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pyarrow as pa

from ganforge.kinds.tables.columns import MICROSECONDS, Column, ColumnKind
from ganforge.kinds.tables.reading.dtypes import categories_as_text
from ganforge.kinds.tables.reading.profile import Profile

NEARLY_UNIQUE = 0.9  # different texts / texts, from which on they name a row and mean nothing
SENTENCES = 0.5  # the same, of long texts with blanks
LONG = 30  # letters of a text, on average
_NAME_OF_IDENTIFIER = re.compile(r"(^|[^a-z])(id|ids|key|number|no|nr|index|uuid|guid)([^a-z]|$)")

DOES: dict[ColumnKind, str] = {
    "integer": "learned as a whole number",
    "decimal": "learned as a number",
    "category": "learned as a category",
    "boolean": "learned as true or false",
    "datetime": "learned as a moment in time",
    "identifier": "never learned: new values that stand in no row",
    "constant": "copied into every row",
}


def column_of(profile: Profile, dtype: Any, form: str | None) -> Column:
    """The column as it was found. Args: dtype of the frame; form how a text file writes it (TableSource.formats)."""
    kind, why = _kind(profile, dtype)
    return described(profile, dtype, form, kind, why)


def described(profile: Profile, dtype: Any, form: str | None, kind: ColumnKind, why: str) -> Column:
    """The column as one of a kind, with everything that this kind has."""
    values = profile.rows - profile.missing
    about: dict[str, Any] = {"format": form}
    if isinstance(dtype, pd.CategoricalDtype):
        about["format"] = categories_as_text(dtype)
    if profile.base in ("number", "datetime") and values:
        about |= {"minimum": profile.minimum, "maximum": profile.maximum}
    if profile.base == "datetime":
        resolution, unit = list(MICROSECONDS.items())[profile.finest]
        about["resolution"] = resolution
        about |= {"minimum": profile.minimum / unit, "maximum": profile.maximum / unit} if values else {}
        about["zone"] = str(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else _zone(dtype)
    if kind == "decimal":
        about["decimals"] = profile.decimals
    if kind == "identifier" and profile.base == "text":
        about["format"], about["maximum"] = profile.pattern.settle()
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


def is_identifier_by_name(name: str) -> bool:
    """Whether a name says so: id, customer_id, CustomerID, order number; not "paid"."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return bool(_NAME_OF_IDENTIFIER.search(apart))


def _kind(profile: Profile, dtype: Any) -> tuple[ColumnKind, str]:
    if profile.missing == profile.rows:
        return "constant", "no row has a value"
    if profile.distinct.count == 1:
        return ("constant", "one value in every row") if not profile.missing else ("category", "one value, or missing")
    if profile.base == "truth":
        return "boolean", "true and false"
    if profile.base == "datetime":
        return "datetime", f"dates: {distinct_words(profile)} different"
    if profile.base == "number":
        return _kind_of_number(profile)
    return _kind_of_text(profile, isinstance(dtype, pd.CategoricalDtype))


def _kind_of_text(profile: Profile, categorical: bool) -> tuple[ColumnKind, str]:
    values, share = profile.rows - profile.missing, profile.distinct.share
    of = f"{distinct_words(profile)} different texts in {values:,} rows"
    if categorical:
        return "category", f"a categorical: {of}"
    long_and_spaced = profile.letters >= LONG * profile.texts and 2 * profile.spaced >= profile.texts
    if long_and_spaced and share >= SENTENCES:
        return "identifier", f"sentences: {of}"
    if share >= NEARLY_UNIQUE:
        return "identifier", f"a text of its own for {'each' if share == 1 else 'nearly each'} row: {of}"
    return "category", of


def _kind_of_number(profile: Profile) -> tuple[ColumnKind, str]:
    words = distinct_words(profile)
    if not profile.whole_type and not profile.whole:
        digits = "many digits" if profile.decimals is None else f"{profile.decimals} decimals"
        return "decimal", f"numbers with {digits}: {words} different"
    if profile.whole_type and profile.missing == 0 and profile.distinct.share == 1:
        dense = not profile.distinct.full and profile.maximum - profile.minimum + 1 == profile.rows
        if profile.step or dense:
            return "identifier", f"a running number: {profile.minimum:.0f} to {profile.maximum:.0f}, each once"
        if is_identifier_by_name(profile.name):
            return "identifier", "every value differs, and the name says identifier"
    return "integer", f"whole numbers: {words} different"


def distinct_words(profile: Profile) -> str:
    """How many different values, in words, since counting ends at a million."""
    return f"{profile.distinct.count:,}{' or more' if profile.distinct.full else ''}"


def _does(kind: ColumnKind, profile: Profile, about: dict[str, Any]) -> str:
    does = DOES[kind]
    if kind == "identifier" and profile.base == "text":
        example = str(about["format"])
        if example.startswith(profile.pattern.placeholder + "{"):
            does = f"never learned: placeholders such as {profile.pattern.placeholder}{1:0{example.count('0')}d}"
    if kind == "decimal" and profile.decimals is not None:
        does += f" with {profile.decimals} decimals"
    if kind == "datetime" and about["resolution"] != "us":
        does += f", to the {_UNIT_WORDS[about['resolution']]}"
    if kind == "datetime" and profile.finer:
        does += ", to the microsecond: the digits beyond are left out"
    return does + (", and where it is missing" if profile.missing and kind not in ("identifier", "constant") else "")


_UNIT_WORDS = {"D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}


def _zone(dtype: Any) -> str | None:
    """The zone of an Arrow timestamp."""
    kind = dtype.pyarrow_dtype if isinstance(dtype, pd.ArrowDtype) else None
    return kind.tz if kind is not None and pa.types.is_timestamp(kind) else None
