"""The common form of all picture formats: parts readable as blocks of equal pictures, and their survey.

A reader (folder.py, array_files.py, parquet.py) inspects a source and returns a `Survey` whose parts know how to
read themselves. Nothing outside the readers depends on the format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import DataError

if TYPE_CHECKING:
    from ganforge.kinds.pictures.reading.arrays import Array
    from ganforge.kinds.pictures.reading.values import Range


Pixels = NDArray[np.uint8]
Format = Literal["folder", "array", "idx", "parquet", "built-in"]

FEWEST_COMPARED = 12  # different pictures on each side of a comparison, which needs 2 K + 2 (measures/neighbours.py)
FEWEST = 2 * FEWEST_COMPARED  # different usable pictures: fewer cannot be learned from and measured with
SMALLEST_SIDE, LARGEST_SIDE = 8, 256  # pixels of a training picture
SAMPLE = 200  # pictures examined to decide on the channels
MINORITY = 0.05  # share of them up to which what they are is left out: one in a hundred must not add a channel to all


@dataclass(frozen=True, slots=True)
class Target:
    """The common size of all pictures: height and width in pixels, and 1, 3 or 4 channels."""

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
    rows: NDArray[np.int64]  # (n,) their indices in the part
    failed: tuple[tuple[str, str], ...] = ()  # (name, reason)
    enlarged: int = 0  # how many were smaller than the target


@dataclass(frozen=True, slots=True)
class Native:
    """One picture in its own size, upright.
    `Part.native` yields them for the pictures at given indices, in order, with so many channels."""

    name: str
    pixels: Pixels | None  # (H, W, C); None if it could not be read
    reason: str = ""  # why not


@dataclass(frozen=True, kw_only=True)
class Part:
    """The training pictures, or the held-out ones that came with them."""

    count: int
    labels: NDArray[np.int64] | None  # (count,) indices in label_names; -1: left out because of its label
    blocks: Callable[[Target], Iterator[Block]]  # a new pass over all pictures, bounded memory
    native: Callable[[list[int], int], Iterator[Native]]  # see Native
    array: Array | None = None  # uint8 (count, H, W, C), if available as such


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The facts about a source, from headers and a small sample: nothing is kept in memory yet."""

    source: str  # as the user wrote it
    format: Format
    bytes: int  # on disk or in memory
    sizes: dict[tuple[int, int], int]  # (H, W) -> number of pictures; of a sample if sizes_sampled
    sizes_sampled: bool = False
    channels: int  # 1 grey, 3 colour, 4 colour with transparency
    channels_why: str  # a sentence
    values: Range | None = None  # of black and white, of those deeper than 8 bits, where that had to be found out
    label_names: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()  # (name, reason)
    digest: str  # cheap fingerprint: names, sizes, modification times; contents if in memory
    notes: tuple[str, ...] = ()  # decisions in words
    told: tuple[str, ...] = ()  # sentences on what is left out or assumed, for the terminal too
    parts: tuple[Part, ...] = field(repr=False)  # training, then the held-out pictures if given
    always_cached: bool = field(default=False, repr=False)  # decoding is slow: keep the result on disk

    @property
    def count(self) -> int:
        """The number of apparently usable pictures, including given test pictures."""
        return sum(part.count for part in self.parts)

    @property
    def native_size(self) -> tuple[int, int] | None:
        """(H, W) if all pictures share one size."""
        return next(iter(self.sizes)) if len(self.sizes) == 1 else None


def spread(count: int, most: int = SAMPLE) -> list[int]:
    """Return up to `most` indices in 0..count-1, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()}) if count else []


def kinds_of(pixels: Pixels) -> set[str]:
    """Return those of grey, colour and alpha that occur in (n, H, W, C)."""
    if pixels.shape[3] == 1:
        return {"grey"}
    coloured = bool((pixels[..., :2] != pixels[..., 1:3]).any())
    alpha = pixels.shape[3] == 4 and bool((pixels[..., 3] < 255).any())
    return ({"colour"} if coloured else {"grey"}) | ({"alpha"} if alpha else set())


@dataclass(frozen=True, slots=True)
class Channels:
    """The number of channels of all pictures, why, and what some of them lose by it."""

    count: int  # 1 grey, 3 colour, 4 colour with transparency
    why: str  # a sentence
    told: tuple[str, ...] = ()  # sentences

    @classmethod
    def of(cls, looks: Sequence[set[str]], names: Sequence[str] = ()) -> Channels:
        """Choose by what sample pictures are, of grey, colour and alpha; what MINORITY or less of them are counts not.

        Args: names of these pictures, if they have some.
        """
        total, told = len(looks), []

        def counts(kind: str, words: str, becomes: str) -> bool:
            found = [n for n, look in enumerate(looks) if kind in look]
            if len(found) <= MINORITY * total and found:
                one = f" ({names[found[0]]})" if names else ""
                told.append(f"{len(found)} of {total} sample pictures{one}: {words}, too few to count: {becomes}.")
            return len(found) > MINORITY * total

        if counts("alpha", "partly transparent", "what is transparent is laid on white"):
            return cls(4, f"Some of {total} sample pictures are partly transparent.")
        if counts("colour", "coloured", "made grey as the others are"):
            opaque = "" if told else " and none is transparent"
            return cls(3, f"Some of {total} sample pictures are coloured{opaque}.", tuple(told))
        return cls(1, f"{'Nearly all' if told else 'All'} of {total} sample pictures are grey and opaque.", tuple(told))


MOST_LEFT_OUT = 0.1  # share of the pictures that may be left out because their labels have too few
FEWEST_OF_LABEL = 4  # pictures, of which about a tenth are held out, in small sets half: fewer cannot be learned
FEW_OF_LABEL = 10  # training pictures, below which a label is told to have few
LISTED_LABELS = 5  # that a sentence names


def check_labels(labels: NDArray[Any] | Sequence[Any], count: int, whose: str) -> NDArray[Any]:
    """Convert labels to a plain array (count,) of integers or words.

    Raises: DataError if there is not exactly one usable label for each picture.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) != count:
        raise DataError(
            f"There are labels of shape {array.shape} for {count} pictures ({whose}).",
            "Each picture needs exactly one label.",
            "Give a list of integers or words as long as the pictures.",
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or (array != np.round(array)).any():
            raise DataError(
                f"The labels ({whose}) are not whole numbers.", "Labels name kinds of pictures.", "Round them."
            )
        array = array.astype(np.int64)
    if array.dtype.kind == "O":
        if missing := sum(label is None for label in array):
            raise DataError(
                f"{missing:,} of {count:,} labels ({whose}) are missing.",
                "Each picture needs one.",
                "Fill them in, or say --label none to train without labels.",
            )
        array = np.array([str(label) for label in array])
    if array.dtype.kind not in "iubUS":
        raise DataError(f"The labels ({whose}) are {array.dtype}.", "They must be integers or words.")
    return array.astype(str) if array.dtype.kind == "S" else array


def name_labels(
    parts: Sequence[NDArray[Any] | None], names: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[NDArray[np.int64] | None], list[str]]:
    """Name all labels, and index each part's labels in the names.

    A label with fewer than FEWEST_OF_LABEL training pictures, of which some are held out, cannot be learned: they are
    left out (index -1), unless that would cost more than a tenth of the pictures; then the labels are not used at all,
    nor is one label for all pictures.
    Args: parts the labels of each part, training first; names of the integers, if known.
    Returns: names; indices (count,) of each part, or None without labels; the decisions in words.
    """
    train = parts[0]
    nothing: list[NDArray[np.int64] | None] = [None] * len(parts)
    if train is None or len(train) == 0:
        return (), nothing, []
    values, counts = np.unique(train, return_counts=True)
    if len(values) == 1:
        return (), nothing, [f"All pictures have the label {values[0]!s}: trained without labels."]
    enough = counts >= FEWEST_OF_LABEL
    kept, rare, lost = values[enough], values[~enough], int(counts[~enough].sum())
    fewer = f"have fewer than {FEWEST_OF_LABEL} pictures"
    if len(kept) < 2 or lost > MOST_LEFT_OUT * len(train):
        return (), nothing, [f"{len(rare)} of {len(values)} labels {fewer}: trained without labels."]
    some = ", ".join(_name(value, names) for value in rare[:LISTED_LABELS]) + (
        ", ..." if len(rare) > LISTED_LABELS else ""
    )
    notes = [f"{lost} pictures are left out, whose labels {fewer}: {some}."] if lost else []

    places: list[NDArray[np.int64] | None] = []
    for number, labels in enumerate(parts):
        if labels is None:  # a held-out part without labels beside a labelled training part: see open_pictures
            places.append(None)
            continue
        if number and (labels.dtype.kind in "US") != (kept.dtype.kind in "US"):
            raise DataError(
                "The training labels and the test labels are not of one kind.", "One is words, one numbers."
            )
        found = np.searchsorted(kept, labels).clip(0, len(kept) - 1)
        place = np.where(kept[found] == labels, found, -1).astype(np.int64)
        strangers = int((place < 0).sum())
        if number and strangers:
            notes.append(f"{strangers} held-out pictures are left out: training has no such label.")
        places.append(place)
    return tuple(_name(value, names) for value in kept), places, notes


def _name(value: Any, names: Sequence[str]) -> str:
    if names and isinstance(value, np.integer) and 0 <= int(value) < len(names):
        return str(names[int(value)])
    return str(value)
