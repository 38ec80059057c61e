"""Opening of surveyed pictures for training: equal sizes, two parts, and a passport of what was done."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.levels import HALF
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures.reading.arrays import Array, MappedArray, chunks
from ganforge.kinds.pictures.reading.part import (
    FEWEST,
    LARGEST_SIDE,
    LISTED_LABELS,
    SMALLEST_SIDE,
    Pixels,
    Survey,
    Target,
)
from ganforge.kinds.pictures.reading.store import Stored, store
from ganforge.kinds.pictures.reading.survey import refuse_too_few
from ganforge.kinds.pictures.reading.values import Range
from ganforge.measures.labels import FEW_OF_LABEL
from ganforge.measures.neighbours import FEWEST_COMPARED

PAIRS = 2_000  # random pairs behind mean_squared_distance
LISTED = 50  # skipped files that the passport names
REASONS = 3  # for skipping that a sentence names
DARK = 32  # of 255, which some value of some picture should reach

# ---- split by content -----------------------------------------------------------------------------------------------
#
# A picture's pixels decide whether it is held out: copies of it land in the same part, in every run, whatever the order
# of the files and whatever the seed.

SHARE, MOST_HELD_OUT = 0.1, 10_000  # of the different pictures; pictures


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts from a pass over all pixels. `hashes` (count,) uint64; `constant` (count,) pictures of a single colour."""

    hashes: NDArray[np.uint64]
    constant: NDArray[np.bool_]
    brightest: int  # value; of an alpha channel too
    sha256: str


def facts_of(rows: Array) -> Facts:
    """Compute the facts in one pass with bounded memory."""
    hashes, constant = np.empty(len(rows), np.uint64), np.empty(len(rows), np.bool_)
    whole, done, brightest = hashlib.sha256(), 0, 0
    for chunk in chunks(rows):
        flat = np.ascontiguousarray(chunk).reshape(len(chunk), -1)
        whole.update(flat.data)
        hashes[done : done + len(flat)] = hashes_of(flat)
        pixels = chunk.reshape(len(chunk), -1, chunk.shape[-1])
        constant[done : done + len(flat)] = (pixels == pixels[:, :1]).all(axis=(1, 2))
        brightest = max(brightest, int(chunk.max(initial=0)))
        done += len(flat)
    return Facts(hashes, constant, brightest, whole.hexdigest())


def hashes_of(pixels: Pixels) -> NDArray[np.uint64]:
    """Hash pictures (N, ...), contiguous in memory, to (N,): equal pixels, equal hash."""
    rows = pixels.reshape(len(pixels), -1)
    return np.frombuffer(b"".join(hashlib.blake2b(row.data, digest_size=8).digest() for row in rows), "<u8")


def copies(hashes: NDArray[np.uint64]) -> int:
    """Count the pictures with an equal one before them."""
    ordered = np.sort(hashes)
    return int((ordered[1:] == ordered[:-1]).sum())


def held_out(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which pictures (count,) are held out: the smallest hashes, about a tenth of the different pictures.

    These are 12 to 10,000 different pictures, at most half of all. One with so many copies that it would fill a quarter
    of the held-out part alone stays in training, if others can take its place.
    """
    values, copies_of = np.unique(hashes, return_counts=True)  # ordered by hash
    wanted = min(max(round(SHARE * len(values)), FEWEST_COMPARED), MOST_HELD_OUT, len(values) // 2)
    most = max(wanted // 4, int(np.sort(copies_of)[wanted - 1]))
    mask: NDArray[np.bool_] = np.isin(hashes, values[copies_of <= most][:wanted])
    return mask


# ---- opening ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures ready for training. `shape` is (C, H, W); the passport can be written as JSON."""

    shape: tuple[int, int, int]
    label_names: tuple[str, ...] = ()
    train: ArrayFeed
    held_out: ArrayFeed
    passport: dict[str, Any]
    data_hash: str  # of the pixels, the labels and the split: equal data, equal hash
    values: Range | None = None  # of black and white (Survey)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The pictures of one stored part that are used, and their facts."""

    stored: Stored
    places: NDArray[np.uint32]  # rows of the store
    labels: NDArray[np.int64] | None
    facts: Facts  # of the places


def open_pictures(survey: Survey, *, size: tuple[int, int], device: torch.device | str = "cpu") -> Pictures:
    """Decode (once: the result is cached if decoding is slow), split, and collect the passport.

    Test pictures that came with the data are the held-out part, unless they are too few or lack labels that the others
    have; then they are left out, and the rest is split by content.

    Args: size (H, W) in pixels, 8..256 each; device of the batches.
    Raises: RecipeError for a size out of range; DataError if too few pictures are usable or different, or if their own
        size is too small; StorageError if the cache cannot be written.
    """
    _check_size(size, survey)
    target = Target(size[0], size[1], survey.channels)
    parts, unfit = survey.parts, ""
    if len(parts) == 2 and parts[0].labels is not None and parts[1].labels is None:
        parts, unfit = parts[:1], "have no labels"
    stored = [store(part, n, survey, target) for n, part in enumerate(parts)]
    skipped = survey.skipped + tuple(pair for one in stored for pair in one.failed)
    kept = [_keep(one, part.labels) for one, part in zip(stored, parts, strict=True)]
    _refuse_too_alike(kept[0], skipped, survey.source)
    if len(kept) == 2 and (different := _different(kept[1])) < FEWEST_COMPARED:
        kept, unfit = kept[:1], f"are {different} different usable ones, {FEWEST_COMPARED} are needed to measure with"
    if len(kept) == 1:
        mask = held_out(kept[0].facts.hashes)
        train, held = _feed(kept[0], ~mask, device), _feed(kept[0], mask, device)
        how = "by content: the pixels decide, so that copies of a picture land in the same part"
    else:
        train, held = _feed(kept[0], None, device), _feed(kept[1], None, device)
        how = "as given: the test pictures that came with the data"
    passport = _passport(survey, target, kept, skipped)
    if unfit:
        passport["notes"].append(
            f"The test pictures that came with the data {unfit}: they are left out, and others are held out instead."
        )
    passport |= {
        "train": len(train),
        "held_out": len(held),
        "split": how,
        "labels": _counts(survey, train, held),
        "mean_squared_distance": _mean_squared_distance(train),
    }
    passport["warnings"] = _warnings(survey, passport, kept, skipped)
    return Pictures(
        shape=(target.channels, *size),
        label_names=survey.label_names,
        train=train,
        held_out=held,
        passport=passport,
        data_hash=_data_hash(passport, target, kept),
        values=survey.values,
    )


def _check_size(size: tuple[int, int], survey: Survey) -> None:
    if all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in size):
        return
    if size == survey.native_size and min(size) < SMALLEST_SIDE:
        raise DataError(
            f"The pictures of {survey.source!r} are {size[0]} x {size[1]} pixels.",
            f"The smallest that can be learned are {SMALLEST_SIDE} x {SMALLEST_SIDE}.",
            f"--resolution {SMALLEST_SIDE} enlarges them.",
        )
    raise RecipeError(
        f"Pictures of {size[0]} x {size[1]} pixels were asked for.",
        f"Each side can be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.",
    )


def _refuse_too_alike(kept: _Kept, skipped: tuple[tuple[str, str], ...], source: str) -> None:
    """Raise DataError if there are fewer than 24 training pictures, or fewer different ones."""
    count, different = len(kept.places), _different(kept)
    refuse_too_few(count, skipped, source)
    if different == 1:
        raise DataError(
            f"All {count:,} pictures of {source!r} are identical.",
            "There is nothing to learn but that one picture.",
            "Give pictures that differ.",
        )
    if different < FEWEST:
        raise DataError(
            f"{source!r} holds {count:,} usable pictures, but only {different} different ones.",
            f"At least {FEWEST} are needed: half to learn from and half to measure with.",
            "Give more pictures that differ.",
        )


def _different(kept: _Kept) -> int:
    return len(kept.facts.hashes) - copies(kept.facts.hashes)


def _keep(stored: Stored, labels: NDArray[np.int64] | None) -> _Kept:
    if labels is not None and stored.source_rows is not None:
        labels = labels[stored.source_rows]
    facts = facts_of(stored.rows)
    if labels is None or (labels >= 0).all():
        return _Kept(stored, np.arange(len(stored.rows), dtype=np.uint32), labels, facts)
    places = np.flatnonzero(labels >= 0).astype(np.uint32)
    facts = replace(facts, hashes=facts.hashes[places], constant=facts.constant[places])
    return _Kept(stored, places, labels[places], facts)


def _feed(kept: _Kept, mask: NDArray[np.bool_] | None, device: torch.device | str) -> ArrayFeed:
    everything = mask is None and len(kept.places) == len(kept.stored.rows)
    chosen = slice(None) if mask is None else mask
    places = None if everything else kept.places[chosen]
    labels = None if kept.labels is None else kept.labels[chosen]
    return ArrayFeed(kept.stored.rows, labels, device, form=PICTURES, places=places)


def common_passport(
    survey: Survey, count: int, skipped: Sequence[tuple[str, str]], size: tuple[int, int], channels: int
) -> dict[str, Any]:
    """Return the passport of pictures common to all tasks. Args: size (H, W) at which they are used."""
    return {
        "source": survey.source,
        "format": survey.format,
        "count": count,
        "skipped_count": len(skipped),
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped[:LISTED]],
        "size": list(size),
        "sizes": [{"height": h, "width": w, "count": n} for (h, w), n in list(survey.sizes.items())[:LISTED]],
        "sizes_sampled": survey.sizes_sampled,
        "channels": channels,
        "channels_why": survey.channels_why,
    }


def _passport(
    survey: Survey, target: Target, kept: list[_Kept], skipped: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    size, count = (target.height, target.width), sum(len(one.places) for one in kept)
    return {
        **common_passport(survey, count, skipped, size, target.channels),
        "duplicates": copies(kept[0].facts.hashes),
        "constant": int(kept[0].facts.constant.sum()),
        "enlarged": sum(one.stored.enlarged for one in kept),
        "sha256": kept[0].facts.sha256,
        "resize": resize_words(survey.native_size, target),
        "on_disk": isinstance(kept[0].stored.rows, MappedArray),
        "notes": list(survey.notes),
    }


def resize_words(native: tuple[int, int] | None, target: Target) -> str:
    """Describe the resizing of pictures of one size (H, W), or of several, None."""
    if native == (target.height, target.width):
        return "none: used as they are"
    return f"resized (Lanczos) to cover {target.height} x {target.width}, and the middle cut out"


def _counts(survey: Survey, train: ArrayFeed, held: ArrayFeed) -> list[dict[str, Any]]:
    if train.labels is None or held.labels is None:
        return []
    number = len(survey.label_names)
    in_train, in_held = np.bincount(train.labels, minlength=number), np.bincount(held.labels, minlength=number)
    return [
        {"name": name, "train": int(in_train[i]), "held_out": int(in_held[i])}
        for i, name in enumerate(survey.label_names)
    ]


def _mean_squared_distance(train: ArrayFeed) -> float:
    """Return the mean over pairs of training pictures, and over their numbers in -1..1, of (a - b)^2."""
    rng = np.random.default_rng(seed_for(0, "data/pairs"))
    first, second = rng.integers(0, len(train), (2, PAIRS))
    first, second = first[first != second], second[first != second]
    total = 0.0
    for start in range(0, len(first), 50):
        pair = slice(start, start + 50)
        difference = train.examples(first[pair]).astype(np.float32) - train.examples(second[pair])
        total += float(np.square(difference / HALF).mean(axis=(1, 2, 3)).sum())
    return total / max(1, len(first))


def skipped_told(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """Return the sentence on files that were skipped, with the commonest reasons and an example of each; or none."""
    if not skipped:
        return []
    examples: dict[str, list[str]] = {}
    for name, reason in skipped:
        examples.setdefault(reason.partition(":")[0], []).append(name)
    commonest = sorted(examples.items(), key=lambda one: -len(one[1]))[:REASONS]
    reasons = "; ".join(f"{reason} ({names[0]}{', ...' if len(names) > 1 else ''})" for reason, names in commonest)
    return [f"{len(skipped):,} files were skipped; the reasons are listed. {reasons}."]


def _warnings(
    survey: Survey, passport: dict[str, Any], kept: list[_Kept], skipped: Sequence[tuple[str, str]]
) -> list[str]:
    count, words = passport["count"], [*skipped_told(skipped), *survey.told]
    if passport["enlarged"]:
        words.append(f"{passport['enlarged']:,} of {count:,} pictures are smaller than asked for and were enlarged.")
    if passport["duplicates"] > 0.1 * count:
        words.append(f"{passport['duplicates']:,} of {count:,} pictures are copies of another one.")
    if passport["constant"]:
        words.append(f"{passport['constant']:,} pictures are of a single colour.")
    words += nearly_black(kept[0].facts.brightest, "these pictures")
    if passport["train"] < 500:
        words.append(f"{passport['train']:,} training pictures are few: the generator may copy them.")
    if len(kept) > 1:
        seen = int(np.isin(kept[1].facts.hashes, kept[0].facts.hashes).sum())
        if seen:
            words.append(f"{seen:,} held-out pictures also lie in the training part.")
    return [*words, *few_of_label(passport["labels"])]


def nearly_black(brightest: int, whose: str) -> list[str]:
    """Return the sentence on pictures none of whose values is bright, or none."""
    what = f"No value is above {brightest} of 255: {whose} are nearly black, and what is made of them will be too."
    return [what] if brightest < DARK else []


def few_of_label(labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the sentence on labels with few training pictures, or none. Args: labels of the passport."""
    few = sorted((label["train"], label["name"]) for label in labels if label["train"] < FEW_OF_LABEL)
    if not few:
        return []
    named = ", ".join(f"{name} ({count})" for count, name in few[:LISTED_LABELS])
    rest = ", ..." if len(few) > LISTED_LABELS else ""
    return [
        f"Labels with fewer than {FEW_OF_LABEL} training pictures, whose samples may be copies of them: {named}{rest}."
    ]


def _data_hash(passport: dict[str, Any], target: Target, kept: list[_Kept]) -> str:
    digest = hashlib.sha256(f"{target} {passport['train']} {passport['held_out']}".encode())
    for one in kept:
        digest.update(one.facts.sha256.encode())
        digest.update(one.facts.hashes.data)
        if one.labels is not None:
            digest.update(one.labels.data)
    return digest.hexdigest()
