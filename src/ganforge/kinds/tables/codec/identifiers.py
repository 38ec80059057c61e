"""Identifiers: the pattern of a column's values, and new values of that pattern that no training row holds.

The pattern is Column.format: `C-{000000}` a counter of six digits between two texts, its largest number in
Column.maximum; `uuid`, `UUID`, `hex:32` and `HEX:32` random digits; None for whole numbers, which go on after
Column.maximum. Where all have equally many digits and few such numbers are above the maximum, those between and below
the ones that were read follow (Column.unused); only then do numbers get longer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.errors import InputError
from ganforge.kinds.tables.columns import EXACT, Column
from ganforge.kinds.tables.reading.arrays import arrow_type, is_text

_COUNTER = re.compile(r"(?P<before>.*)\{(?P<zeros>0+)\}(?P<after>.*)", re.DOTALL)
_HEX = re.compile(r"(uuid|UUID|hex:(\d+)|HEX:(\d+))")
_UUID = "^[{0}]{{8}}-[{0}]{{4}}-[{0}]{{4}}-[{0}]{{4}}-[{0}]{{12}}$"
_LOWER, _UPPER = "0-9a-f", "0-9A-F"
SHORTEST_HEX = 24  # digits from which on random values are distinct
MOST_RANGES = 1_000  # of unused numbers that are kept: the widest; their ends tell which numbers were read
MOST_NUMBERS = 1_000_000  # of a column of texts that are remembered for it
LONGEST_HEX = 1024  # digits: a pattern is a person's, or a stranger's, and each row takes its length in memory


def fresh_identifiers(column: Column, count: int, random: np.random.Generator, start: int = 0) -> NDArray[np.object_]:
    """Return identifiers number start..start+count-1 of those that are not in the training rows: object (count,), text.

    Counters, and all whole numbers, go on after the largest one that was read (or before the smallest one, where the
    type has no room above) and through Column.unused, so no value can be in the training rows, and ranges that do not
    overlap do not share any. Other texts become placeholders that no training row can equal, see `Pattern`.

    Hexadecimal digits are random, but for the last twelve, a mixed copy of the number in the range: so no value comes
    twice within 2**48. A training row can only equal the one fresh value with its last twelve digits, and does so by
    chance: 2**-74 for a uuid, 2**-48 for the fewest digits that count as random, 24. For a million training rows that
    is 1 in 2e16, and 1 in 3e8, that there is any.

    Raises: InputError if a type or pattern does not have room.
    """
    pattern = column.format or ""
    if _HEX.fullmatch(pattern):
        return _hexadecimal(pattern, count, random, start)
    kind = arrow_type(column.dtype)
    if not is_text(kind) and not pa.types.is_integer(kind):
        raise InputError(f"The column {column.name!r} of {column.dtype} cannot hold identifiers.", do="Keep its kind.")
    if not is_text(kind):
        return _objects(pa.array(_numbers(column, kind, count, start)).cast(pa.string()))
    found = _COUNTER.fullmatch(pattern)
    if found is None:
        raise InputError(
            f"The column {column.name!r} has the pattern {pattern!r}.",
            "A pattern is uuid, UUID, hex:32, HEX:32, or text around zeros in braces, such as C-{000000}.",
            "Mend its format in plan.json.",
        )
    numbers = pa.array(_counted(column, int(column.maximum or 0), count, start, len(found["zeros"]))).cast(pa.string())
    digits = pc.utf8_lpad(numbers, width=len(found["zeros"]), padding="0")
    return _objects(pc.binary_join_element_wise(found["before"], digits, found["after"], ""))


def check_pattern(pattern: str) -> bool:
    """Return whether `fresh_identifiers` can draw from it."""
    if found := _HEX.fullmatch(pattern):
        digits = found[2] or found[3]
        return digits is None or (len(digits) <= 4 and SHORTEST_HEX <= int(digits) <= LONGEST_HEX)
    return bool(_COUNTER.fullmatch(pattern))


@dataclass
class Pattern:
    """The common pattern of a column's texts, narrowed down with each chunk."""

    name: str  # of the column
    hexadecimal: str | None = None  # a pattern that fits all
    counter: tuple[str, str] | None = None  # the texts around the digits
    first: bool = True
    widths: set[int] = field(default_factory=set)  # of the digits
    zeros: bool = False  # some number begins with one
    largest: int = 0
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # at most MOST_NUMBERS
    clashing: int = 0  # length of the longest text that begins as our placeholders do

    @property
    def placeholder(self) -> str:
        """Return the beginning of a new text where no pattern was found."""
        return f"{self.name}-"

    def update(self, texts: pa.Array) -> None:
        """Args: texts (N,), distinct, none missing."""
        if len(texts) == 0:
            return
        if self.first:
            self._begin(texts[0].as_py())
        if self.hexadecimal and not _all(texts, _regex(self.hexadecimal)):
            self.hexadecimal = None
        if self.counter:
            self._count(texts)
        clashing = texts.filter(pc.starts_with(texts, self.placeholder))
        self.clashing = max(self.clashing, pc.max(pc.utf8_length(clashing)).as_py() or 0)

    def result(self) -> tuple[str, float]:
        """Return Column.format, and the number after which it continues (Column.maximum).

        Texts without a pattern, such as names or sentences, become the column's name and a number: if a text that was
        read begins like that, the number has so many digits that ours are longer than all of these.
        """
        if self.hexadecimal:
            return self.hexadecimal, 0.0
        if self.counter:
            before, after = self.counter
            width = max(self.widths) if self.zeros and len(self.widths) == 1 else 1
            return f"{before}{{{'0' * width}}}{after}", float(self.largest)
        width = max(6, self.clashing + 1 - len(self.placeholder)) if self.clashing else 6
        return f"{self.placeholder}{{{'0' * width}}}", 0.0

    @property
    def digits(self) -> tuple[int, int] | None:
        """Return how many digits every text has, and the smallest number that has as many; None if that differs."""
        if self.hexadecimal or not self.counter or len(self.widths) != 1:
            return None
        width = max(self.widths)
        return width, 0 if self.zeros else 10 ** (width - 1)

    def _begin(self, text: str) -> None:
        self.first = False
        length = len(text)
        digits = (f"hex:{length}", f"HEX:{length}") if SHORTEST_HEX <= length <= LONGEST_HEX else ()
        candidates = ("uuid", "UUID", *digits)
        self.hexadecimal = next((p for p in candidates if re.match(_regex(p), text) and re.search("[0-9]", text)), None)
        found = re.fullmatch(r"(.*?)([0-9]{1,15})([^0-9]*)", text, re.DOTALL)
        self.counter = (found[1], found[3]) if found and "{" not in text else None

    def _count(self, texts: pa.Array) -> None:
        before, after = self.counter or ("", "")
        if not _all(texts, f"^{re.escape(before)}[0-9]{{1,15}}{re.escape(after)}$"):
            self.counter = None
            return
        digits = pc.utf8_slice_codeunits(texts, len(before), -len(after) if after else None)
        lengths = pc.utf8_length(digits)
        self.widths |= set(pc.unique(lengths).to_pylist())
        self.zeros |= bool(pc.any(pc.and_(pc.starts_with(digits, "0"), pc.greater(lengths, 1))).as_py())
        numbers = digits.cast(pa.int64()).to_numpy()
        self.largest = max(self.largest, int(numbers.max()))
        if len(self.widths) == 1 and len(self.numbers) < MOST_NUMBERS:
            self.numbers = np.concatenate([self.numbers, numbers])


def _regex(pattern: str) -> str:
    if pattern in ("uuid", "UUID"):
        return _UUID.format(_LOWER if pattern == "uuid" else _UPPER)
    kind, _, length = pattern.partition(":")
    return f"^[{_LOWER if kind == 'hex' else _UPPER}]{{{length}}}$"


def _all(texts: pa.Array, regex: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, regex)).as_py())


def unused_ranges(used: NDArray[np.int64], least: int) -> str | None:
    """Return the widest ranges of numbers from `least` on that lie below and between the used ones (Column.unused)."""
    ends = np.concatenate([[least - 1], np.unique(used)])
    wide = np.diff(ends) - 1
    places = np.sort(np.argsort(-wide, kind="stable")[:MOST_RANGES])
    return " ".join(f"{ends[p] + 1}-{ends[p + 1] - 1}" for p in places if wide[p] > 0) or None


def read_ranges(unused: str | None) -> NDArray[np.int64]:
    """Return the ranges (R, 2) of Column.unused, the first and the last number of each. Raises: ValueError."""
    ends = [tuple(map(int, part.split("-"))) for part in (unused or "").split()]
    ranges = np.array(ends, np.int64).reshape(-1, 2)
    if len(ranges) > MOST_RANGES or (np.diff(ranges.ravel()) < 0).any() or (ranges[1:, 0] <= ranges[:-1, 1]).any():
        raise ValueError("its unused numbers are not in order")
    return ranges


def _counted(column: Column, largest: int, count: int, start: int, width: int = 0) -> NDArray[np.int64]:
    """Return numbers start..start+count-1 of those above the largest, then of unused ones, then of longer ones."""
    wanted = np.arange(start, start + count)
    ranges = read_ranges(column.unused)
    if not len(ranges):
        return wanted + largest + 1
    limit = 10 ** max(width, len(str(largest)))
    sizes = np.concatenate([[limit - 1 - largest], ranges[:, 1] - ranges[:, 0] + 1])
    before = np.concatenate([[0], np.cumsum(sizes)])
    part = np.searchsorted(before, wanted, "right") - 1  # the last one is beyond all ranges
    first = np.concatenate([[largest + 1], ranges[:, 0], [limit]])
    numbers: NDArray[np.int64] = first[part] + wanted - before[part]
    return numbers


def _numbers(column: Column, kind: pa.DataType, count: int, start: int) -> NDArray[np.integer]:
    """Return whole numbers beyond all those read. A float of more than 2**53 is rounded, so the next one is taken."""
    bounds = np.iinfo(kind.to_pandas_dtype())
    high, low = column.maximum or 0.0, column.minimum or 0.0
    first = int(high if abs(high) < EXACT else np.nextafter(high, np.inf)) + 1 + start
    if column.unused:
        return _counted(column, first - 1 - start, count, start).astype(bounds.dtype)
    if first + count - 1 <= bounds.max:
        return np.arange(first, first + count, dtype=bounds.dtype)
    last = int(low if abs(low) < EXACT else np.nextafter(low, -np.inf)) - 1 - start
    if last - count + 1 >= bounds.min:
        return np.arange(last, last - count, -1, dtype=bounds.dtype)
    raise InputError(
        f"The column {column.name!r} of {column.dtype} has no room for {start + count:,} more identifiers.",
        f"It holds {low:,.0f} to {high:,.0f} already.",
        "Give it a wider type, or ask for fewer rows.",
    )


def _hexadecimal(pattern: str, count: int, random: np.random.Generator, start: int) -> NDArray[np.object_]:
    length = 32 if pattern.lower() == "uuid" else int(pattern.partition(":")[2])
    number = np.arange(start, start + count, dtype=np.uint64) & np.uint64(2**48 - 1)
    number = number * np.uint64(0x9E3779B97F4A7C15 % 2**48 | 1) & np.uint64(2**48 - 1)  # odd: one-to-one
    number ^= number >> np.uint64(24)  # one-to-one as well
    digits = random.integers(0, 16, (count, length), dtype=np.uint8)
    shifts = np.arange(44, -1, -4, dtype=np.uint64)
    digits[:, length - 12 :] = (number[:, None] >> shifts) & np.uint64(15)
    if pattern.lower() == "uuid":  # RFC 9562: version 4, variant 8 to b
        digits[:, 12], digits[:, 16] = 4, 8 | (digits[:, 16] & 3)
    alphabet = b"0123456789abcdef" if pattern.islower() else b"0123456789ABCDEF"
    letters = np.frombuffer(alphabet, "S1")
    texts = pa.array(letters[digits].view(f"S{length}").reshape(count)).cast(pa.string())
    if pattern.lower() != "uuid":
        return _objects(texts)
    cuts = [pc.utf8_slice_codeunits(texts, a, b) for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))]
    return _objects(pc.binary_join_element_wise(*cuts, "-"))


def _objects(texts: pa.Array) -> NDArray[np.object_]:
    return np.asarray(texts.to_numpy(zero_copy_only=False), object)
