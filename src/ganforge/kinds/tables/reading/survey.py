"""The survey of a table: its columns with their kinds, its size, its hash, and warnings; in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.numeric_dates import NumericDates
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.codec.identifiers import Pattern
from ganforge.kinds.tables.columns import EXACT, FEWEST_COMPARED, MICROSECONDS, MOST_DECIMALS, NUMBERS, Column
from ganforge.kinds.tables.reading.arrays import Base, arrow_from, base_of, is_text, microseconds, parsed
from ganforge.kinds.tables.reading.column_types import as_asked, column_of, is_learned_as_values
from ganforge.kinds.tables.reading.notices import notices_of
from ganforge.kinds.tables.reading.source import TableSource
from ganforge.kinds.tables.reading.text_values import Meaning, Reading, without_missing

MOST_DISTINCT = 1_000_000  # values of a column that are counted
FEWEST_ROWS = 2 * FEWEST_COMPARED
_FORMS_OF_PERIODS = {"period[M]": "%Y-%m", "period[Y-DEC]": "%Y"}  # others as the day on which they begin
MEMORY = 50_000_000  # hashes of 8 bytes, of all columns together


@dataclass
class Distinct:
    """A counter of different values by their hashes, exact up to `most`."""

    most: int
    known: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    looked_at: int = 0  # values, until `most` was reached

    @property
    def full(self) -> bool:
        return len(self.known) >= self.most

    @property
    def count(self) -> int:
        """Return the number of different values, at most `most`."""
        return min(len(self.known), self.most)

    @property
    def share(self) -> float:
        """Return different values / values, of those that were read: 1 if each occurred once."""
        return len(self.known) / max(self.looked_at, 1)

    def add(self, hashes: NDArray[np.uint64], values: int) -> None:
        """Add values. Args: hashes (N,) of the values, or of the different ones among them; values their number."""
        if self.full:
            return
        self.looked_at += values
        new = np.unique(hashes)
        if len(self.known):
            places = np.minimum(np.searchsorted(self.known, new), len(self.known) - 1)
            new = new[self.known[places] != new]
        # two sorted runs: a stable sort merges them in one pass
        self.known = np.sort(np.concatenate([self.known, new]), kind="stable")


@dataclass
class Profile:
    """The statistics of one column so far."""

    name: str
    base: Base
    whole_type: bool  # its Arrow type is of integers
    distinct: Distinct
    pattern: Pattern
    meaning: Meaning | None = None  # of a column of texts, or of a text file, that are numbers or times
    reading: Reading = field(default_factory=Reading)  # of a column of texts
    nearly: Meaning | None = None  # of a column of texts: Meaning.nearly
    rows: int = 0
    missing: int = 0
    minimum: float = np.inf  # of a datetime in microseconds since 1970
    maximum: float = -np.inf
    whole: bool = True
    decimals: int | None = 0
    beyond: tuple[int, str] | None = None  # the first row with a whole number beyond 2**53, and the number
    step: int | None = None  # between neighbours, while it is always the same; 0 before the second
    last: int | None = None
    finest: int = 0  # place in MICROSECONDS
    finer: bool = False  # a moment has nanoseconds
    letters: int = 0  # of the different texts of each chunk
    texts: int = 0
    spaced: int = 0  # texts with a blank
    numeric_dates: NumericDates = field(default_factory=NumericDates)

    def update(self, array: pa.Array) -> None:
        """Args: array (N,), the column's next rows (dtypes.arrow_from). Raises: DataError for infinite values."""
        first_row = self.rows + 1
        self.rows += len(array)
        self.missing += array.null_count
        if self.base == "text":
            self._update_texts(array)
        elif self.base == "number":
            self._update_numbers(array, first_row)
        elif self.base in ("datetime", "time"):
            self._update_moments(array)
        else:
            hashes = pc.unique(array).drop_null().cast(pa.uint8()).to_numpy().astype(np.uint64)
            self.distinct.add(hashes, len(array) - array.null_count)

    def _update_texts(self, array: pa.Array) -> None:
        if pa.types.is_dictionary(array.type):
            used = pc.unique(array.indices).drop_null()
            words = pc.unique(array.dictionary.take(used)).drop_null()
        else:
            self.reading.update(without_missing(pc.utf8_trim_whitespace(array.cast(pa.string()))))
            words = pc.unique(array).drop_null().cast(pa.string())
        if len(words) == 0:
            return
        hashes = pd.util.hash_array(words.to_numpy(zero_copy_only=False), categorize=False)
        self.distinct.add(hashes, len(array) - array.null_count)
        self.pattern.update(words)
        digits = len(words) if pc.all(pc.match_substring_regex(words, "^[0-9]{6,8}$")).as_py() else 0
        self.numeric_dates.update(words.cast(pa.float64()).to_numpy() if digits else np.full(len(words), np.nan))
        self.texts += len(words)
        self.letters += pc.sum(pc.utf8_length(words)).as_py()
        self.spaced += pc.sum(pc.match_substring(words, " ").cast(pa.int64())).as_py()

    def _update_numbers(self, array: pa.Array, first_row: int) -> None:
        values = array.drop_null()
        exact = values.to_numpy() if not pa.types.is_decimal(values.type) else values.cast(pa.float64()).to_numpy()
        if len(exact) == 0:
            return
        numbers = exact.astype(np.float64)
        if not np.isfinite(numbers).all():
            infinite = np.isinf(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
            row = int(np.argmax(infinite))
            raise DataError(
                f"The column {self.name!r} holds {array[row].as_py()} in row {first_row + row}.",
                "Nothing can be learned from an infinite number.",
                "Leave the cell empty, or remove the row.",
            )
        self.minimum, self.maximum = min(self.minimum, float(numbers.min())), max(self.maximum, float(numbers.max()))
        bits = exact.astype(np.int64) if self.whole_type else numbers + 0.0  # -0.0 becomes 0.0
        self.distinct.add(bits.view(np.uint64), len(exact))
        self.numeric_dates.update(numbers)
        if self.whole_type:
            self._update_counters(array, exact, first_row)
        else:
            self.whole = self.whole and bool((np.abs(numbers) <= EXACT).all() and (numbers == np.rint(numbers)).all())
            self.decimals = _decimals(exact, self.decimals)

    def _update_counters(self, array: pa.Array, exact: NDArray[Any], first_row: int) -> None:
        if self.beyond is None and max(abs(int(exact.min())), abs(int(exact.max()))) > EXACT:
            far = [value is not None and abs(value) > EXACT for value in array.to_pylist()]
            row = far.index(True)
            self.beyond = first_row + row, str(array[row].as_py())
        numbers = exact.astype(np.int64)  # those of uint64 may wrap around, their differences do not
        if self.rows == len(array):
            self.step = int(numbers[1] - numbers[0]) if len(numbers) > 1 else 0
        elif self.step == 0 and self.last is not None:
            self.step = int(numbers[0]) - self.last
        if self.step is None or array.null_count:
            self.step = None
            return
        if self.last is not None:
            numbers = np.concatenate([np.array([self.last]), numbers])
        self.step = self.step if bool((np.diff(numbers) == self.step).all()) else None
        self.last = int(numbers[-1])

    def _update_moments(self, array: pa.Array) -> None:
        moments = microseconds(array.drop_null()).to_numpy()
        if len(moments) == 0:
            return
        if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
            self.finer |= bool((array.drop_null().cast(pa.int64()).to_numpy() % 1000).any())
        self.minimum, self.maximum = min(self.minimum, float(moments.min())), max(self.maximum, float(moments.max()))
        self.distinct.add(moments.view(np.uint64), len(moments))
        lengths = list(MICROSECONDS.values())
        while (moments % lengths[self.finest]).any():
            self.finest += 1


def hash_into(digest: Any, array: pa.Array) -> None:
    """Add a column's next rows to a sha256: its type, its missing values, and the values. Args: digest of hashlib."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    digest.update(str(array.type).encode())
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    if is_text(array.type):
        filled = array.fill_null("")
        digest.update(pc.binary_length(filled).to_numpy().tobytes())
        digest.update(pc.binary_join(pa.ListArray.from_arrays([0, len(filled)], filled), "")[0].as_buffer())
    elif pa.types.is_boolean(array.type):
        digest.update(array.fill_null(False).cast(pa.uint8()).to_numpy().tobytes())
    elif pa.types.is_decimal(array.type):
        hash_into(digest, array.cast(pa.string()))
    elif not pa.types.is_null(array.type):
        wide = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date32(array.type) else array
        if base_of(wide.type) in ("datetime", "time"):
            wide = microseconds(wide) if pa.types.is_time(wide.type) else wide.cast(pa.int64())
        digest.update(wide.drop_null().to_numpy().tobytes())


def _decimals(values: NDArray[Any], known: int | None) -> int | None:
    """Return the fewest decimals, at least `known`, that give exactly these numbers; None if 15 do not."""
    if known is None:
        return None
    left = values[np.abs(values.astype(np.float64)) < EXACT]  # larger ones have no digits behind the point
    for digits in range(known, MOST_DECIMALS + 1):
        rounded = np.round(left.astype(np.float64), digits).astype(values.dtype)
        left = left[rounded != left]
        if len(left) == 0:
            return digits
    return None


@dataclass(frozen=True)
class TableSurvey:
    """A table as it was found, with the corrections in plan.json."""

    columns: tuple[Column, ...]  # in the table's order
    rows: int
    sha256: str  # of the contents: columns' names, types and values
    passport: dict[str, Any]


def survey_table(source: TableSource, asked: Sequence[Column] = ()) -> TableSurvey:
    """Read a table once, a part at a time, and find its columns.

    Args: asked columns of an edited plan.json; they override what is found.
    Raises: DataError if the table has fewer than 20 rows, nothing to learn, infinite values or whole numbers beyond
        2**53 that mean something, or cannot be as `asked`; each names the column, and the row where there is one.
    """
    corrections = _by_name(source, asked)
    profiles, dtypes, digest = _read(source)
    rows = profiles[0].rows if profiles else 0
    if rows < FEWEST_ROWS:
        raise DataError(
            f"{source.name!r} has {rows} rows.",
            f"At least {FEWEST_ROWS} are needed: {FEWEST_COMPARED} to learn from, and as many to measure with.",
            "Give more rows.",
        )
    meant = _meant(source, profiles, dtypes, corrections)
    columns = []
    for texts in profiles:
        dtype, profile = dtypes[texts.name], meant.get(texts.name, texts)
        form = profile.meaning.form if profile.meaning else _FORMS_OF_PERIODS.get(source.periods.get(profile.name, ""))
        column = column_of(profile, dtype, form)
        if profile.name in corrections:
            column = as_asked(source, profile, dtype, column, corrections[profile.name])
        columns.append(column.model_copy(update={"dtype": source.as_given(profile.name, column.dtype)}))
        if profile.beyond and column.kind in ("integer", "decimal"):
            row, value = profile.beyond
            raise DataError(
                f"The column {column.name!r} holds {value} in row {row}.",
                f"Whole numbers beyond {EXACT:,} cannot be learned exactly.",
                "Make the column a category in plan.json, or an identifier if none comes twice; else divide them.",
            )
    if all(column.kind in ("identifier", "constant") for column in columns):
        raise DataError(
            f"{source.name!r} has nothing to learn: each of its columns is an identifier or constant.",
            "Identifiers are made anew and constants copied.",
            "Give a table with other columns, or correct their kinds in plan.json.",
        )
    passport = {
        **source.facts,
        "source": source.name,
        "rows": rows,
        "columns": len(columns),
        "kinds": dict(Counter(column.kind for column in columns)),
        "missing": {column.name: column.missing for column in columns if column.missing},
        "warnings": notices_of(source, [meant.get(profile.name, profile) for profile in profiles], columns),
    }
    return TableSurvey(tuple(columns), rows, digest, passport)


def _by_name(source: TableSource, asked: Sequence[Column]) -> Mapping[str, Column]:
    for column in asked:
        if column.name not in source.column_names:
            raise DataError(
                f"The plan has a column {column.name!r}, but {source.name!r} has none of that name.",
                did_you_mean(column.name, source.column_names),
                "Correct the name in the plan, or remove the column there.",
            )
    return {column.name: column for column in asked}


def _meant(
    source: TableSource, profiles: Sequence[Profile], dtypes: Mapping[str, Any], asked: Mapping[str, Column]
) -> dict[str, Profile]:
    """Return the profiles of the values of columns of texts that mean numbers or times, in one more pass.

    Args: asked corrections: a column that a person wants as texts remains one.
    """
    stubs, meant = {}, {}
    for profile in profiles:
        name, meaning = profile.name, profile.reading.result()
        profile.nearly = meaning.nearly
        if name in asked and asked[name].kind not in NUMBERS:
            continue
        if profile.base == "text" and is_learned_as_values(profile, meaning):
            stub = {"kind": meaning.kind, "format": meaning.form, "zone": meaning.zone}
            stubs[name] = Column(name=name, dtype=str(dtypes[name]), **stub)
            base = base_of(meaning.values_type)
            meant[name] = Profile(name, base, False, Distinct(profile.distinct.most), Pattern(name), meaning)
    for frame in source.chunks() if meant else ():
        for name, profile in meant.items():
            profile.update(parsed(arrow_from(frame[name]), stubs[name]))
    return meant


def _read(source: TableSource) -> tuple[list[Profile], dict[str, Any], str]:
    """Read the table once: profiles in the table's order, dtypes by name, sha256."""
    digest = hashlib.sha256(repr(source.column_names).encode())
    most = min(MOST_DISTINCT, MEMORY // len(source.column_names))
    profiles: list[Profile] = []
    dtypes: dict[str, Any] = {}
    for frame in source.chunks():
        arrays = {str(name): arrow_from(column) for name, column in frame.items()}
        if not profiles:
            dtypes = {str(name): dtype for name, dtype in frame.dtypes.items()}
            for name, array in arrays.items():
                base = "text" if isinstance(dtypes[name], pd.CategoricalDtype) else base_of(array.type)
                whole_type = base == "number" and pa.types.is_integer(array.type)
                meaning = source.meanings.get(name)
                profiles.append(Profile(name, base, whole_type, Distinct(most), Pattern(name), meaning))
        for profile in profiles:
            array = arrays[profile.name]
            profile.update(array)
            hash_into(digest, array)
    return profiles, dtypes, digest.hexdigest()
