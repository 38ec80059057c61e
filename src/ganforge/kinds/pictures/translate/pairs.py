"""Two folders of pictures, A and B, ready for training: as pairs or as two unpaired sets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.device import memory_bytes
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures.reading.decode import decoded
from ganforge.kinds.pictures.reading.folder import items_of, open_in
from ganforge.kinds.pictures.reading.open import LISTED, hashes_of, held_out, nearly_black, resize_words, skipped_told
from ganforge.kinds.pictures.reading.part import FEWEST, LARGEST_SIDE, SMALLEST_SIDE, Pixels, Target
from ganforge.kinds.pictures.reading.values import Range
from ganforge.kinds.pictures.translate.sides import Pairing, Sides


class PairFeed:
    """Batches of {"x": of A, "y": of B}, each (B, C, H, W) in -1..1. Its length is that of the longer side.

    With pairs, x and y of one index belong together. Without, an index means any picture of either side: the shorter
    one is cycled through.
    """

    def __init__(self, a: Pixels, b: Pixels, device: torch.device | str = "cpu") -> None:
        """Args: a (N, H, W, C), b (M, H, W, C) uint8."""
        self.sides = {name: ArrayFeed(side, None, device, form=PICTURES) for name, side in (("x", a), ("y", b))}

    @property
    def resident(self) -> bool:
        """True if all examples are on the training device (contracts.Feed)."""
        return all(side.resident for side in self.sides.values())

    def __len__(self) -> int:
        return max(len(side) for side in self.sides.values())

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Return a batch, channels_last, on the device. Args: indices (B,) int64, each in 0..len-1."""
        return {name: side.batch(indices % len(side))["x"] for name, side in self.sides.items()}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return x and y uint8 (n, H, W, C) of the indices first..last-1."""
        places = np.arange(first, last)
        return {name: torch.from_numpy(side.stored(places % len(side))) for name, side in self.sides.items()}

    @classmethod
    def of_raw(cls, examples: Mapping[str, Tensor], device: torch.device | str) -> PairFeed:
        """Make a feed of the result of `raw`."""
        return cls(examples["x"].numpy(), examples["y"].numpy(), device)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Two sides of pictures ready for training. `shape` is (C, H, W); the passport can be written as JSON."""

    shape: tuple[int, int, int]
    pairing: Pairing
    train: PairFeed
    held_out: PairFeed
    passport: dict[str, Any]
    data_hash: str
    values: Mapping[str, Range | None]  # of black and white of each side, as the recipe names them


def open_pairs(sides: Sides, *, size: tuple[int, int], device: torch.device | str = "cpu") -> Pairs:
    """Decode both sides into memory and split them by content: copies of a picture share a part.

    Args: size (H, W), 8..256 each. Raises: RecipeError for a size out of range; DataError if the pictures do not fit
        half the memory, or if too few can be read.
    """
    if not all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in size):
        raise RecipeError(
            f"Pictures of {size[0]} x {size[1]} pixels were asked for.",
            f"Each side can be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.",
            "Use --resolution.",
        )
    target = Target(size[0], size[1], sides.channels)
    _refuse_huge(sides, target)
    root = Path(sides.source).expanduser()
    read = [
        _read(root / folder, names, target, values)
        for folder, names, values in zip(sides.folders, sides.names, sides.values, strict=True)
    ]
    pixels, hashes = [side[0] for side in read], [hashes_of(side[0]) for side in read]
    skipped = [*sides.skipped, *(failed for side in read for failed in side[2])]
    if sides.pairing == "paired":
        both = np.isin(read[0][1], read[1][1]), np.isin(read[1][1], read[0][1])
        pixels = [side[mask] for side, mask in zip(pixels, both, strict=True)]
        hashes = [side[mask] for side, mask in zip(hashes, both, strict=True)]
        contents = [_joined(hashes[0], hashes[1])] * 2
    else:
        contents = hashes
    for side, found in zip(sides.folders, contents, strict=True):
        if (different := len(np.unique(found))) < FEWEST:
            raise DataError(
                f"{side!r} holds {different} different pictures that can be used.",
                f"At least {FEWEST} are needed: half to learn from and half to measure with.",
                "Give more pictures that differ.",
            )
    masks = [held_out(side) for side in contents]
    train = PairFeed(pixels[0][~masks[0]], pixels[1][~masks[1]], device)
    kept = PairFeed(pixels[0][masks[0]], pixels[1][masks[1]], device)
    digest = hashlib.sha256(f"{target} {sides.pairing}".encode())
    for found in hashes:
        digest.update(found.data)
    passport = _passport(sides, target, masks, skipped, digest.hexdigest())
    for folder, shown in zip(sides.folders, pixels, strict=True):
        passport["warnings"] += nearly_black(int(shown.max()), f"pictures of {folder}")
    return Pairs(
        shape=(sides.channels, *size),
        pairing=sides.pairing,
        train=train,
        held_out=kept,
        passport=passport,
        data_hash=digest.hexdigest(),
        values=dict(zip(("values", "values_to"), sides.values, strict=True)),
    )


def _refuse_huge(sides: Sides, target: Target) -> None:
    needed, there = 2 * target.row_bytes * sum(map(len, sides.names)), memory_bytes()
    if needed > there / 2:
        raise DataError(
            f"{sum(map(len, sides.names)):,} pictures of {target.height} x {target.width} take {needed / 2**30:,.1f} "
            "GiB while they are read.",
            f"Half of this machine's memory is {there / 2**31:,.1f} GiB.",
            "Use a smaller --resolution, or fewer pictures.",
        )


def _read(
    folder: Path, names: Sequence[str], target: Target, values: Range | None
) -> tuple[Pixels, NDArray[np.int64], list[tuple[str, str]]]:
    """Read pictures (n, H, W, C), their indices in the names (n,), and the failures."""
    blocks = list(decoded(items_of(names, partial(open_in, folder)), target, values))
    failed = [pair for block in blocks for pair in block.failed]
    return np.concatenate([block.pixels for block in blocks]), np.concatenate([block.rows for block in blocks]), failed


def _joined(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return one hash per pair (n,), equal for pairs that share a picture, on either side or by a third pair."""
    joined = a.copy()
    while True:
        before = joined.copy()
        for side in (a, b):
            _, group = np.unique(side, return_inverse=True)
            least = np.full(group.max() + 1, np.iinfo(np.uint64).max, np.uint64)
            np.minimum.at(least, group, joined)
            joined = least[group]
        if np.array_equal(before, joined):
            return joined


def _passport(
    sides: Sides, target: Target, masks: Sequence[NDArray[np.bool_]], skipped: Sequence[tuple[str, str]], digest: str
) -> dict[str, Any]:
    paired, held = sides.pairing == "paired", [int(mask.sum()) for mask in masks]
    train = [len(mask) - count for mask, count in zip(masks, held, strict=True)]
    warnings = [*skipped_told(skipped), *sides.told]
    if min(train) < 500:
        warnings.append(f"{min(train):,} training {'pairs' if paired else 'pictures of a side'} are few.")
    return {
        "source": sides.source,
        "format": "folder",
        "from": sides.folders[0],
        "to": sides.folders[1],
        "pairing": sides.pairing,
        "pairing_why": sides.why,
        "count": len(masks[0]) if paired else len(masks[0]) + len(masks[1]),
        "train": min(train),
        "held_out": min(held),
        "sides": [] if paired else [f"{n} of {m}" for n, m in zip(train, sides.folders, strict=True)],
        "skipped_count": len(skipped),
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped[:LISTED]],
        "size": [target.height, target.width],
        "channels": target.channels,
        "channels_why": sides.channels_why,
        "sha256": digest,
        "resize": resize_words(sides.native_size, target),
        "split": "by content: the pixels decide, so that copies of a picture land in the same part",
        "warnings": warnings,
    }
