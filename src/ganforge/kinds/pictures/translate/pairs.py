"""Two folders of pictures, A and B: pairs if their names match, else two unpaired sets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.device import memory_bytes
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures.reading.decode import Item, decoded
from ganforge.kinds.pictures.reading.feed import PictureFeed
from ganforge.kinds.pictures.reading.folder import channels_of, listed_folder, open_in, usable_pictures
from ganforge.kinds.pictures.reading.open import LISTED, hashes_of, held_out, resize_words
from ganforge.kinds.pictures.reading.part import FEWEST, LARGEST_SIDE, SMALLEST_SIDE, Pixels, Target

Pairing = Literal["paired", "unpaired"]
KNOWN = (("a", "b"), ("content", "style"), ("input", "target"))  # names of the two folders, from -> to
Files = dict[str, tuple[str, tuple[int, int]]]  # path without suffix -> path, (H, W); of equal names the first counts
MATCHING = 0.9  # share of the smaller folder's names present in both, from which on they are pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The survey of two sides: files to read, and their pairing. Nothing is decoded yet."""

    source: str
    folders: tuple[str, str]
    names: tuple[tuple[str, ...], tuple[str, ...]]  # paths in each folder; in the same order if they are pairs
    pairing: Pairing
    why: str
    channels: int
    channels_why: str
    native_size: tuple[int, int] | None  # (H, W) if all pictures have the same
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


class PairFeed:
    """Batches of {"x": of A, "y": of B}, each (B, C, H, W) in -1..1. Its length is that of the longer side.

    With pairs, x and y of one index belong together. Without, an index means any picture of either side: the shorter
    one is cycled through.
    """

    def __init__(self, a: Pixels, b: Pixels, device: torch.device | str = "cpu") -> None:
        """Args: a (N, H, W, C), b (M, H, W, C) uint8."""
        self.sides = {name: PictureFeed(side, None, None, device) for name, side in (("x", a), ("y", b))}

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
        return {name: torch.from_numpy(side.levels(places % len(side))) for name, side in self.sides.items()}

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


def survey_sides(source: str, asked: Pairing | None = None) -> Sides:
    """Survey two sides from names and headers.

    Args: source a folder with two subfolders, preferably A and B, content and style, or input and target; asked
        the requested pairing, None to detect it.
    Raises: DataError if they are not two folders of pictures, too few, without common names if pairs were
        requested, or if the two pictures of a pair have different sizes.
    """
    folders, notes = _two_folders(Path(source).expanduser(), source)
    files, channels, skipped = zip(*(_look_at(folder) for folder in folders), strict=True)
    common = sorted(set(files[0]) & set(files[1]))
    pairing, why = _pairing(common, files, folders, asked)
    kept = [common, common] if pairing == "paired" else [sorted(side) for side in files]
    if pairing == "paired":
        left = len(files[0]) + len(files[1]) - 2 * len(common)
        notes += [f"{left} pictures have no partner of the same name: they are left out."] if left else []
        _refuse_unequal(folders, [[side[stem] for stem in common] for side in files])
    for folder, stems in zip(folders, kept, strict=True):
        if len(stems) < FEWEST:
            raise DataError(
                f"{len(stems)} pictures of {str(folder)!r} can be used.", f"At least {FEWEST} are needed.", "Give more."
            )
    sizes = {side[stem][1] for side, stems in zip(files, kept, strict=True) for stem in stems}
    count, channels_why = max(channels, key=lambda found: found[0])
    names = [tuple(side[stem][0] for stem in stems) for side, stems in zip(files, kept, strict=True)]
    return Sides(
        source=source,
        folders=(folders[0].name, folders[1].name),
        names=(names[0], names[1]),
        pairing=pairing,
        why=why,
        channels=count,
        channels_why=channels_why,
        native_size=next(iter(sizes)) if len(sizes) == 1 else None,
        skipped=(*skipped[0], *skipped[1]),
        notes=tuple(notes),
    )


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
    read = [_read(root / folder, names, target) for folder, names in zip(sides.folders, sides.names, strict=True)]
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
    return Pairs(
        shape=(sides.channels, *size),
        pairing=sides.pairing,
        train=train,
        held_out=kept,
        passport=_passport(sides, target, masks, skipped, digest.hexdigest()),
        data_hash=digest.hexdigest(),
    )


def _two_folders(root: Path, source: str) -> tuple[list[Path], list[str]]:
    """Return the folders, from and to, and notes about them."""
    if not root.is_dir():
        why = "It is a file." if root.exists() else "The path does not exist."
        raise DataError(f"{source!r} is not a folder.", why, "Give a folder that holds the two folders A and B.")
    there = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != "."}
    for first, last in KNOWN:
        if first in there and last in there:
            return [there[first], there[last]], []
    if len(there) != 2:
        names = ", ".join(path.name for path in there.values()) or "none"
        raise DataError(
            f"{source!r} holds {len(there)} folders: {names}.",
            "Translation needs two: what pictures come from, and what they become.",
            "Call them A and B, content and style, or input and target.",
        )
    one, other = there.values()
    return [one, other], [f"From {one.name!r} to {other.name!r}, in the order of the alphabet: A and B say it better."]


def _look_at(folder: Path) -> tuple[Files, tuple[int, str], list[tuple[str, str]]]:
    """Return a folder's usable pictures, their channels and the reason, and (name, reason) of the others."""
    listing = listed_folder(folder, str(folder))
    files, names, kinds = Files(), [], set()
    for name, header in usable_pictures(listing):
        files.setdefault(PurePosixPath(name).with_suffix("").as_posix(), (name, header.size))
        names.append(name)
        kinds.add(header.kind)
    return files, channels_of(listing, names, kinds), sorted(listing.skipped)


def _pairing(
    common: Sequence[str],
    files: Sequence[Files],
    folders: Sequence[Path],
    asked: Pairing | None,
) -> tuple[Pairing, str]:
    smaller = min(len(side) for side in files)
    counts = f"{len(common)} of {smaller} names are found in both {folders[0].name} and {folders[1].name}"
    if asked == "unpaired":
        return "unpaired", "you asked for it"
    if asked == "paired":
        if not common:
            raise DataError(
                f"Pairs were asked for, and {folders[0].name} and {folders[1].name} have no file name in common.",
                f"For example {min(files[0].values())[0]!r} and {min(files[1].values())[0]!r}.",
                "Give the two pictures of a pair the same name, or leave out task.pairing.",
            )
        return "paired", f"you asked for it; {counts}"
    if len(common) >= max(MATCHING * smaller, FEWEST):
        return "paired", f"{counts}: each picture has its truth"
    return (
        "unpaired",
        f"only {counts}" if common else f"no name is found in both {folders[0].name} and {folders[1].name}",
    )


def _refuse_unequal(folders: Sequence[Path], sides: Sequence[Sequence[tuple[str, tuple[int, int]]]]) -> None:
    """Raise DataError if the two pictures of a pair have different sizes. Args: path and (H, W), pair by pair."""
    for (one, first), (other, last) in zip(*sides, strict=True):
        if first != last:
            raise DataError(
                f"The pair {folders[0].name}/{one} and {folders[1].name}/{other} differs in size: "
                f"{first[1]} x {first[0]} and {last[1]} x {last[0]} pixels.",
                "The two pictures of a pair show the same thing at the same place.",
                "Make them equal, or say that they are not pairs: --set task.pairing=unpaired.",
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
    folder: Path, names: Sequence[str], target: Target
) -> tuple[Pixels, NDArray[np.int64], list[tuple[str, str]]]:
    """Read pictures (n, H, W, C), their indices in the names (n,), and the failures."""
    items = (Item(row, name, partial(open_in, folder, name)) for row, name in enumerate(names))
    blocks = list(decoded(items, target))
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
    warnings = [f"{len(skipped):,} files were skipped; the reasons are listed."] if skipped else []
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
        "notes": list(sides.notes),
        "warnings": warnings,
    }
