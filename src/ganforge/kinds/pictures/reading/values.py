"""The range of values that black and white stand for, where files or arrays hold more than 8 bits of them.

A camera or a scanner stores 10, 12 or 14 bits in 16, and medicine or astronomy a narrow window of them. So the range is
taken from the whole set, told, and kept with the model; a person may give another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import DataError
from ganforge.kinds.pictures.reading.part import Pixels

Range: TypeAlias = tuple[float, float]
"""The values of black and white."""

SLACK = 1e-3  # floating-point pictures overshoot their range by rounding
BITS = (10, 12, 14, 16)  # of whole numbers above 255
OUTSIDE = 0.001  # share of the values that may lie below a window, and above it
NARROW = 0.25  # of the range of so many bits: values that nearly all lie within less are a window
SAMPLE = 2_000_000  # values of a set of which that share is found, at least LEAST of a picture
LEAST, MOST = 16, 1_000
SIXTEEN_BITS: Range = (0, 65535)


@dataclass(frozen=True, slots=True)
class Reading:
    """How values of more than 8 bits are read: by the range that is given, else by that of the whole set."""

    given: Range | None = None
    looks: bool = True  # False, of a run: without a range as version 0.1.0 did, which took whole numbers for 16 bits


BY_LOOKING = Reading()


@dataclass(slots=True)
class Census:
    """The least and greatest value of a set of pictures, and a sample of them."""

    of_each: int  # values in the sample of each picture
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True  # whether all are whole numbers
    _sample: list[NDArray[np.float32]] = field(default_factory=list)

    @classmethod
    def for_pictures(cls, count: int) -> Census:
        """Return an empty census for so many pictures."""
        return cls(min(MOST, max(LEAST, SAMPLE // max(count, 1))))

    def add(self, values: NDArray[Any], pictures: int = 1) -> None:
        """Count some pictures, whose values are finite."""
        values = values.reshape(-1)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.whole = self.whole and (values.dtype.kind in "iub" or bool((values == np.rint(values)).all()))
        self._sample.append(values[:: max(1, len(values) // (pictures * self.of_each))].astype(np.float32))

    def window(self) -> Range:
        """Return the values between which nearly all lie."""
        low, high = np.quantile(np.concatenate(self._sample), (OUTSIDE, 1 - OUTSIDE))
        return float(low), float(high)


def known_range(low: float, high: float, *, whole: bool) -> Range | None:
    """Return the usual range of values that lie in low..high and need no guess: 0..1, -1..1, 0..255; or None."""
    if low >= -SLACK and high <= 1 + SLACK:
        return (0, 1)
    if not whole and low >= -1 - SLACK and high <= 1 + SLACK:
        return (-1, 1)
    return (0, 255) if low >= -SLACK and high <= 255 + SLACK else None


def assumed_range(census: Census) -> tuple[Range, str]:
    """Return the range to read values by, and the reason: whole numbers by their bits, a narrow window by itself."""
    low, high, (first, last) = census.low, census.high, census.window()
    if known := known_range(low, high, whole=census.whole):
        return known, f"values from {low:g} to {high:g}: read as {known[0]} to {known[1]}"
    if census.whole and low >= 0 and high <= SIXTEEN_BITS[1]:
        bits = next(bits for bits in BITS if high < 2**bits)
        if last - first >= NARROW * 2**bits:
            return (0, 2**bits - 1), f"values up to {high:g}: read as {bits} bits (0 to {2**bits - 1})"
    elif last - first >= NARROW * (high - low):
        return (low, high), f"values from {low:g} to {high:g}: black is the least and white the greatest"
    if not last > first:
        first, last = low, max(high, low + 1)
    nearly = f"values from {low:g} to {high:g}, nearly all from {first:g} to {last:g}"
    return (first, last), f"{nearly}: black and white are the ends of that window, and what lies beyond is cut off"


def range_of(
    pictures: Iterable[NDArray[Any] | None], deep: int, reading: Reading, source: str
) -> tuple[Range | None, tuple[str, ...]]:
    """Return the range to read the deep pictures of a source by, as given or found, and a sentence on what was assumed.

    Args: pictures the values of the deep ones, None of a damaged one; looked at only to find a range, which is None if
        none of them can be read; deep how many they are, about.
    Raises: DataError if a person gives a range and none is deep, or if some are whole numbers and others lie in 0..1.
    """
    if reading.given is not None and reading.looks and not deep:
        raise DataError(
            f"The values {reading.given[0]:g} to {reading.given[1]:g} were given for {source!r}.",
            "All its pictures have 8 bits, which are read as 0 to 255.",
            "Leave out --values.",
        )
    if reading.given is not None or not reading.looks or not deep:
        return reading.given, ()
    census, greatest = Census.for_pictures(deep), dict[bool, float]()  # of whole numbers, and of others
    for values in pictures:
        if values is not None:
            census.add(values)
            whole = values.dtype.kind != "f"
            greatest[whole] = max(greatest.get(whole, -np.inf), float(values.max()))
    if len(greatest) == 2 and greatest[False] <= 1 + SLACK < greatest[True]:
        raise DataError(
            f"Some pictures of {source!r} hold whole numbers up to {greatest[True]:g}, others fractions up to "
            f"{greatest[False]:g}.",
            "No range of black and white holds for both.",
            "Save them alike, or say --values LOW..HIGH for all.",
        )
    if census.low > census.high:
        return None, ()
    found, why = assumed_range(census)
    return found, (assumption(why),)


def assumption(why: str) -> str:
    """Return the sentence on the range that was assumed. Args: why as `assumed_range` gives it."""
    return f"{why[0].upper()}{why[1:]}. If that is wrong, say --values LOW..HIGH (black and white)."


def levels(values: NDArray[Any], black_white: Range) -> Pixels:
    """Convert values to 0..255, rounded and clipped."""
    if values.dtype == np.uint16 and values.size > 2**16:
        table = levels(np.arange(2**16), black_white)
        return np.take(table, values)
    black, white = black_white
    gain = 255 / (white - black)
    converted: Pixels = np.rint(values.astype(np.float32) * gain - black * gain).clip(0, 255).astype(np.uint8)
    return converted
