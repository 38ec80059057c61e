"""Lines in two or more styles, opened for rewriting: what is learned of each, and what judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.engine.feed import ArrayFeed
from ganforge.errors import DataError
from ganforge.kinds.text.feed import TOKENS, UnitRows
from ganforge.kinds.text.reading import Lines, open_texts
from ganforge.kinds.text.units import Units, choose_units

JUDGED = 4  # one line in so many is kept for the judge
FEWEST = 20  # lines of a style
ENOUGH = 1_000
MOST_UNITS = 48  # of a line, in training
MOST_PIECES = 6_000  # units besides the bytes
MIXING = np.uint64(0x9E3779B97F4A7C15)  # of a hash of line numbers (Knuth)


@dataclass(frozen=True)
class Styles:
    """Lines of several styles. A line number is on one side in all of them, so that aligned files do not leak."""

    train: Lines
    judged: Lines  # which neither the edits nor the networks ever see
    names: tuple[str, ...]
    units: Units
    rows: UnitRows  # the units of the lines to learn from
    why: str
    passport: Mapping[str, Any]
    sha256: str

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,) the style of each line to learn from."""
        assert self.train.labels is not None
        return self.train.labels

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(K, V) how often each unit is in each style."""
        counts = np.zeros((len(self.names), self.units.size), np.int64)
        for style in range(len(self.names)):
            for place in np.array_split(np.flatnonzero(self.labels == style), 1 + len(self.labels) // 10_000):
                counts[style] += np.bincount(self.rows[place].ravel(), minlength=self.units.size)
        return counts

    def feed(self, device: str) -> ArrayFeed:
        """Return the lines to learn from, as many of each style."""
        own = [np.flatnonzero(self.labels == style) for style in range(len(self.names))]
        most = max(len(places) for places in own)
        places = np.concatenate([np.resize(one, most) for one in own])
        return ArrayFeed(self.rows, self.labels[places], device, form=TOKENS, places=places.astype(np.uint32))


def open_styles(source: str, label: str | None, options: Mapping[str, Any]) -> Styles:
    """Read lines with a style each. Raises: DataError, StorageError.

    Args: label the column of the styles; options of the kind.
    """
    texts = open_texts(source, text=options.get("text"), label=label, example=options.get("example") or "line")
    names, whole = texts.label_names, texts.whole
    if whole.labels is None or len(names) < 2:
        raise DataError(
            f"{source!r} holds one style.",
            texts.empty_file or "A line is put from one style into another.",
            "Give a folder with a file for each style: styles/A.txt and styles/B.txt.",
        )
    both = _in_several(whole)
    notes = list(texts.passport["warnings"])
    if both.any():
        different = len(np.unique(whole.digests[both]))
        notes.append(f"{different:,} texts stand in several styles: left out, for they would leak into every score.")
    held = ((whole.numbers.astype(np.uint64) * MIXING) >> np.uint64(40)) % np.uint64(JUDGED) == 0
    learned = ~held & ~both
    train, kept = whole.at(learned), whole.at(held & ~both & ~np.isin(whole.digests, whole.digests[learned]))
    assert train.labels is not None and kept.labels is not None
    for style, name in enumerate(names):
        count, few = int((train.labels == style).sum()), int((kept.labels == style).sum())
        if count < FEWEST or few < 2:
            shared = int((both & (whole.labels == style)).sum())
            leak = f"; {shared:,} stand on both sides, and would leak into every score" if shared else ""
            raise DataError(
                f"{count + few} texts of {name!r} stand in no other style{leak}.",
                f"At least {FEWEST * JUDGED // (JUDGED - 1) + 2} of such are needed, some of them to judge with.",
                f"Give more of {name!r}, or leave it out.",
            )
        if count < ENOUGH:
            notes.append(f"{count:,} texts of {name}: {ENOUGH:,} or more tell what a style is.")
    if not any(sign.isalnum() for line in train[:1_000] for sign in line):
        raise DataError(
            f"{source!r} holds no words.",
            "No sign is a letter or a digit, and lines are compared by words.",
            "Give text.",
        )
    units, why = choose_units(train, options.get("unit"), MOST_PIECES)
    rows = UnitRows(train, units, most=MOST_UNITS)
    passport = {
        **texts.passport,
        "train": len(train),
        "held_out": len(kept),
        "both": int(both.sum()),
        "warnings": notes,
    }
    return Styles(train, kept, names, units, rows, f"{why}; {rows.why}", passport, texts.sha256)


def _in_several(whole: Lines) -> NDArray[np.bool_]:
    """Return which texts (N,) stand in more than one style."""
    assert whole.labels is not None
    pairs = np.unique(np.stack([whole.digests, whole.labels.astype(np.uint64)], 1), axis=0)
    found, counts = np.unique(pairs[:, 0], return_counts=True)
    return np.isin(whole.digests, found[counts > 1])
