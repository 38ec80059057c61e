"""Units by index (contracts.Feed): rows of one length, read from a flat file in the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganforge.core.cache import kept_or_filled
from ganforge.engine.feed import Form
from ganforge.kinds.text.reading import Lines
from ganforge.kinds.text.units import Units

VERSION = 1  # of units in the cache
KEPT = 0.99  # share of the examples that are kept whole
MOST_UNITS = 256  # of an example, if nobody asks for more
AT_ONCE = 10_000  # rows


class UnitRows:
    """The units of all examples, one after the other: rows (n, L) of one length L (engine.feed.Rows).

    A row is the beginning, the units and the end, then padding. A longer example is cut: its row has no end.
    """

    def __init__(self, lines: Lines, units: Units, length: int | None = None, *, most: int = MOST_UNITS) -> None:
        """Encode the examples, or find their units in the cache.

        Args: length L, None for that of `choose_length`; most units of an example, if it is chosen.
        Raises: StorageError if the cache cannot be written.
        """
        words = f"{VERSION} {lines.digest} {units.digest}"
        folder = kept_or_filled("units", words, lambda temporary: _fill(temporary, lines, units))
        self._flat = np.asarray(np.memmap(folder / "units", _dtype(units), "r"))
        self._ends = np.asarray(np.load(folder / "ends.npy", mmap_mode="r"))
        self._pad = units.pad
        self.length, self.why = (length, "") if length else choose_length(self.lengths, most)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) units of each example, without beginning and end."""
        return np.diff(self._ends, prepend=0) - 2

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, rows: NDArray[np.integer], /) -> NDArray[np.integer]:
        """Return rows (n, L). Args: rows (n,) indices."""
        found = np.full((len(rows), self.length), self._pad, self._flat.dtype)
        place = np.arange(self.length)
        for first in range(0, len(rows), AT_ONCE):  # a million at once would take ten times the memory of the result
            some = rows[first : first + AT_ONCE].astype(np.int64)
            starts = np.where(some > 0, self._ends[some - 1], 0)[:, None]
            inside = place < self._ends[some, None] - starts
            found[first : first + AT_ONCE][inside] = self._flat[(starts + place)[inside]]
        return found

    def texts(self, first: int, last: int) -> list[NDArray[np.int32]]:
        """Return the units of the examples first..last-1, as long as rows are, without beginning and end."""
        ends = self._ends[first:last]
        starts = np.append(self._ends[first - 1] if first else 0, ends[:-1])
        stops = np.minimum(ends - 1, starts + self.length - 1)
        bounds = zip(starts.tolist(), stops.tolist(), strict=True)
        return [self._flat[start + 1 : stop].astype(np.int32) for start, stop in bounds]


def choose_length(lengths: NDArray[np.int64], most: int = MOST_UNITS) -> tuple[int, str]:
    """Choose the length L of rows, beginning and end included, and say why. Args: lengths (N,) units of examples."""
    kept = min(most, max(1, int(np.quantile(lengths, KEPT, method="inverted_cdf"))))
    cut = float((lengths > kept).mean())
    trimmed = f"{cut:.1%} of the examples are longer and are cut there" if cut else "no example is longer"
    return kept + 2, f"a beginning, {kept} units and an end: {trimmed}"


def _dtype(units: Units) -> type[np.int16 | np.int32]:
    return np.int16 if units.size <= 2**15 else np.int32


def _fill(folder: Path, lines: Lines, units: Units) -> None:
    """Write the units of all examples, each with beginning and end, and where each ends."""
    dtype = _dtype(units)
    begin, end = np.array([units.begin], dtype).tobytes(), np.array([units.end], dtype).tobytes()
    ends = np.empty(len(lines), np.int64)
    with (folder / "units").open("wb") as sink:
        for place, found in enumerate(units.encoded(lines)):
            sink.write(begin + found.astype(dtype).tobytes() + end)
            ends[place] = len(found) + 2
    np.save(folder / "ends.npy", np.cumsum(ends))


TOKENS = Form(lambda stored: stored.long(), lambda rows: rows)
"""Rows of units: x of a batch is (B, L) int64."""
