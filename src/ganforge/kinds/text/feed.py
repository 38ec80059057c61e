"""Units by index (contracts.Feed): rows of one length, read from a flat file in the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.contracts import Batch
from ganforge.core.cache import kept_or_filled
from ganforge.engine.feed import ArrayFeed, Form, Rows
from ganforge.kinds.text.reading import Lines
from ganforge.kinds.text.units import Units

VERSION = 1  # of units in the cache
KEPT = 0.99  # share of the examples that are kept whole
MOST_UNITS = 256  # of an example, if nobody asks for more


class UnitRows:
    """The units of all examples, one after the other: rows (n, L) of one length L (engine.feed.Rows).

    A row is the beginning, the units and the end, then padding. A longer example is cut: its row has no end.
    """

    def __init__(self, lines: Lines, units: Units, length: int | None = None) -> None:
        """Encode the examples, or find their units in the cache. Args: length L, None for that of `choose_length`.

        Raises: StorageError if the cache cannot be written.
        """
        words = f"{VERSION} {lines.digest} {units.digest}"
        folder = kept_or_filled("units", words, lambda temporary: _fill(temporary, lines, units))
        self._flat = np.asarray(np.memmap(folder / "units", _dtype(units), "r"))
        ends = np.load(folder / "ends.npy")
        self._starts = np.append(0, ends[:-1])
        self._whole = ends - self._starts  # (N,) with beginning and end
        self._pad = units.pad
        self.length = length or choose_length(self.lengths)[0]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) units of each example, without beginning and end."""
        lengths: NDArray[np.int64] = self._whole - 2
        return lengths

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, rows: NDArray[np.integer], /) -> NDArray[np.integer]:
        """Return rows (n, L). Args: rows (n,) indices."""
        place = np.arange(self.length)
        inside = place < self._whole[rows, None]
        found = self._flat[np.where(inside, self._starts[rows, None] + place, 0)]
        found[~inside] = self._pad
        return found


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


class TokenFeed(ArrayFeed):
    """Rows of units by index: x (B, L) int64, label (B,) if there are labels (contracts.Feed)."""

    def __init__(self, rows: Rows, labels: NDArray[np.int64] | None = None, device: torch.device | str = "cpu") -> None:
        """Args: rows UnitRows, or an array of such rows; labels (N,)."""
        super().__init__(rows, labels, device, form=TOKENS)

    @classmethod
    def of_raw(cls, examples: Batch, device: torch.device | str, form: Form = TOKENS) -> ArrayFeed:
        """Make a feed of the result of `raw`."""
        return ArrayFeed.of_raw(examples, device, form)
