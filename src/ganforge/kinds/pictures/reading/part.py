"""What every picture format is turned into: parts that can be read as blocks of equal pictures, and a survey of them.

A reader (folder.py, array_files.py, parquet.py) finds out what is there and returns a `Survey` whose parts know how to
read themselves. Nothing outside the readers knows one format from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ganforge.kinds.pictures.reading.arrays import Array

Pixels = NDArray[np.uint8]
Format = Literal["folder", "array", "idx", "parquet", "built-in"]

FEWEST_HELD_OUT = 12  # different pictures: what the measures (kinds/pictures/measures/evaluate.py) need on each side
FEWEST = 2 * FEWEST_HELD_OUT  # different usable pictures: fewer cannot be learned from and measured with
SMALLEST_SIDE, LARGEST_SIDE = 8, 256  # pixels of a training picture
SAMPLE = 200  # pictures that are looked at to decide on the channels


@dataclass(frozen=True, slots=True)
class Target:
    """What every picture is turned into: height and width in pixels, and 1, 3 or 4 channels."""

    height: int
    width: int
    channels: int

    @property
    def row_bytes(self) -> int:
        return self.height * self.width * self.channels


@dataclass(frozen=True, slots=True)
class Block:
    """Some pictures of a part, in order. Pictures that could not be read are in `failed` and nowhere else."""

    pixels: Pixels  # (n, H, W, C)
    rows: NDArray[np.int64]  # (n,) which pictures of the part these are
    failed: tuple[tuple[str, str], ...] = ()  # (name, reason)
    enlarged: int = 0  # how many were smaller than the target


@dataclass(frozen=True, slots=True)
class Native:
    """One picture in its own size, upright: what `Part.native` gives for the pictures at some places, in order, with
    so many channels."""

    name: str
    pixels: Pixels | None  # (H, W, C); None if it could not be read
    reason: str = ""  # why not


@dataclass(frozen=True, kw_only=True)
class Part:
    """The training pictures, or the held-out ones that came with them."""

    count: int
    labels: NDArray[np.int64] | None  # (count,) places in label_names; -1: left out because of its label
    blocks: Callable[[Target], Iterator[Block]]  # a fresh pass over all pictures, bounded memory
    native: Callable[[list[int], int], Iterator[Native]]  # see Native
    array: Array | None = None  # uint8 (count, H, W, C), where they lie ready as such


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found at a source, from headers and a small sample: nothing is kept in memory yet."""

    source: str  # as the person wrote it
    format: Format
    bytes: int  # on disk or in memory
    sizes: dict[tuple[int, int], int]  # (H, W) -> how many pictures; of a sample when sizes_sampled
    sizes_sampled: bool = False
    channels: int  # 1 grey, 3 colour, 4 colour with transparency
    channels_why: str  # a sentence
    label_names: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()  # (name, reason)
    digest: str  # cheap fingerprint: names, sizes, times of change; contents when it is in memory
    notes: tuple[str, ...] = ()  # decisions and warnings in words
    parts: tuple[Part, ...] = field(repr=False)  # training, then the held-out pictures when they were given
    always_cached: bool = field(default=False, repr=False)  # decoding is dear: keep the result on disk

    @property
    def count(self) -> int:
        """Pictures that look usable, given test pictures included."""
        return sum(part.count for part in self.parts)

    @property
    def label_counts(self) -> tuple[int, ...]:
        """In the order of label_names, of the training part."""
        labels = self.parts[0].labels
        return (
            () if labels is None else tuple(np.bincount(labels[labels >= 0], minlength=len(self.label_names)).tolist())
        )

    @property
    def native_size(self) -> tuple[int, int] | None:
        """(H, W) when all pictures share one size."""
        return next(iter(self.sizes)) if len(self.sizes) == 1 else None


def spread(count: int, most: int = SAMPLE) -> list[int]:
    """Up to `most` places in 0..count-1, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()}) if count else []


def kinds_of(pixels: Pixels) -> set[str]:
    """Which of grey, colour and alpha occur in (n, H, W, C)."""
    if pixels.shape[3] == 1:
        return {"grey"}
    coloured = bool((pixels[..., :2] != pixels[..., 1:3]).any())
    alpha = pixels.shape[3] == 4 and bool((pixels[..., 3] < 255).any())
    return ({"colour"} if coloured else {"grey"}) | ({"alpha"} if alpha else set())


def channels_sentence(kinds: set[str], looked: int) -> tuple[int, str]:
    """Channels, and why, from what `looked` sample pictures look like: kinds is a subset of grey, colour, alpha."""
    if "alpha" in kinds:
        return 4, f"Some of {looked} sample pictures are partly transparent."
    if "colour" in kinds:
        return 3, f"Some of {looked} sample pictures are coloured and none is transparent."
    return 1, f"All of {looked} sample pictures are grey and opaque."
