"""Fingerprints of pictures, and the split by content that follows from them.

A picture's pixels decide whether it is held out: copies of it land in the same part, in every run, whatever the order
of the files and whatever the seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.pictures.reading.part import FEWEST_HELD_OUT
from ganforge.kinds.pictures.reading.store import Rows

SHARE, MOST_HELD_OUT = 0.1, 10_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What one pass over all pixels says. `hashes` (count,) uint64; `constant` (count,) pictures of a single colour."""

    hashes: NDArray[np.uint64]
    constant: NDArray[np.bool_]
    sha256: str


def facts_of(rows: Rows) -> Facts:
    """One pass with bounded memory."""
    hashes, constant = np.empty(rows.count, np.uint64), np.empty(rows.count, np.bool_)
    whole, done = hashlib.sha256(), 0
    for chunk in rows.chunks():
        flat = np.ascontiguousarray(chunk).reshape(len(chunk), -1)
        whole.update(flat.data)
        digests = b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in flat)
        hashes[done : done + len(flat)] = np.frombuffer(digests, "<u8")
        pixels = chunk.reshape(len(chunk), -1, chunk.shape[-1])
        constant[done : done + len(flat)] = (pixels == pixels[:, :1]).all(axis=(1, 2))
        done += len(flat)
    return Facts(hashes, constant, whole.hexdigest())


def copies(hashes: NDArray[np.uint64]) -> int:
    """How many pictures have an equal one before them."""
    ordered = np.sort(hashes)
    return int((ordered[1:] == ordered[:-1]).sum())


def held_out(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which pictures (count,) are held out: those of the smallest hashes, about a tenth of the different pictures.

    These are 12 to 10,000 different pictures, at most half of all. One with so many copies that it would fill a quarter
    of the held-out part alone stays in training, if others can take its place.
    """
    values, copies_of = np.unique(hashes, return_counts=True)  # ordered by hash
    wanted = min(max(round(SHARE * len(values)), FEWEST_HELD_OUT), MOST_HELD_OUT, len(values) // 2)
    most = max(wanted // 4, int(np.sort(copies_of)[wanted - 1]))
    mask: NDArray[np.bool_] = np.isin(hashes, values[copies_of <= most][:wanted])
    return mask
