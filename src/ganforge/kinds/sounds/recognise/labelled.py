"""A few labelled sounds, and others without labels, as levels, with the fold in which each label is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError
from ganforge.kinds.sounds import BUILT_IN
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.generate.grid import MOST_FRAMES, Grid, Levels, grid_of, levels_of, longest_of
from ganforge.kinds.sounds.reading import Part, Sounds, list_sounds, open_sounds

WITHOUT = ("unlabelled", "unlabeled")  # names of the folder of sounds without labels, in any case
BANDS, MULTIPLE = 32, 32  # of a spectrogram coarser than for new sounds: a label does not hang on details
HOP = 0.625  # of a window, about, from one frame to the next; a window at most
FEW = 5  # labelled sounds of a label, from which on an accuracy says something
EVERY = -1  # the fold of a sound that is never left out


@dataclass(frozen=True, slots=True)
class Labelled:
    """The sounds of a run: labelled ones first."""

    grid: Grid
    names: tuple[str, ...]
    levels: Levels  # (N, 1, M, frames)
    labels: NDArray[np.int64]  # (N,)
    folds: NDArray[np.int64]  # (N,) in which a sound is left out of learning, or EVERY
    others: Levels  # (U, 1, M, frames): the sounds without labels
    waveforms: Part  # of all: N labelled, then U others
    sha256: str
    passport: Mapping[str, Any]

    def feed(self, device: str) -> TensorFeed:
        """Return pairs of a labelled sound, again and again, and one without a label."""
        rounds = -(-max(len(self.others), len(self.levels)) // len(self.levels))
        known = np.tile(np.argsort(self.folds, kind="stable"), rounds)  # labels follow each other within a fold
        columns = {"label": self.labels[known], "fold": self.folds[known]}
        levels = self.levels[known]
        others = (
            self.others[np.arange(len(known)) * len(self.others) // len(known)] if len(self.others) else levels[:, :0]
        )
        arrays = {"x": levels, "other": others, **columns}
        return TensorFeed(device, **{name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()})


def open_labelled(source: str, rate: int | None, folds: int, grid: Grid | None = None) -> Labelled:
    """Decode labelled and unlabelled sounds. Args: folds of cross-validation; grid None to choose one.

    Raises: DataError if there are no labels, one only, or one without a sound that can be used.
    """
    wanted = _labels_of(source)
    sounds = open_sounds(source, rate, labelled=True, fewest=1)
    _refuse_lost(source, wanted, sounds.label_names, sounds.passport)
    starts, lengths, given = (
        np.concatenate([getattr(part, name) for part in (sounds.train, sounds.held_out)])
        for name in ("starts", "lengths", "labels")
    )
    names = tuple(name for name in sounds.label_names if name.lower() not in WITHOUT)
    place = {sounds.label_names.index(name): number for number, name in enumerate(names)}
    labels = np.array([place.get(int(label), len(names)) for label in given], np.int64)
    order = np.lexsort((starts, labels))
    count = int((labels < len(names)).sum())
    whole = Part(sounds.train.samples, starts[order], lengths[order], None)
    grid = grid or _grid_for(sounds)
    levels, labels = levels_of(whole, grid, sounds.sha256), labels[order][:count]
    known = np.ascontiguousarray(levels[:count])
    chosen = folds_of(known, labels, folds)
    counts = np.bincount(labels, minlength=len(names))
    warnings = list(sounds.passport["warnings"])
    if alone := [name for name, number in zip(names, counts, strict=True) if number == 1]:
        warnings.append(f"Labels with one sound cannot be measured: {', '.join(alone[:10])}.")
    elif counts.min() < FEW:
        warnings.append(
            f"Of {names[counts.argmin()]!r} there are {counts.min()} sounds: a score of so few says little."
        )
    if (seconds := grid.samples / sounds.rate) < (longest := float(whole.lengths.max()) / sounds.rate):
        warnings.append(f"Sounds are recognised by their first {seconds:.2f} s; the longest has {longest:.2f} s.")
    told = {
        "labelled": count,
        "unlabelled": len(levels) - count,
        "labels": {name: int(number) for name, number in zip(names, counts, strict=True)},
        "train": len(levels),
        "held_out": int((chosen != EVERY).sum()),
        "split": "each labelled sound is left out of one fold, copies together"
        if (chosen != EVERY).any()
        else "none is left out",
        "warnings": warnings,
    }
    others = levels[count:]
    return Labelled(grid, names, known, labels, chosen, others, whole, sounds.sha256, {**sounds.passport, **told})


def _grid_for(sounds: Sounds) -> Grid:
    base, longest = Mel.at(sounds.rate), longest_of(sounds)
    frames = min(MOST_FRAMES, MULTIPLE * max(1, round(longest / (HOP * base.n_fft) / MULTIPLE)))
    hop = min(base.n_fft, max(base.n_fft // 8, math.ceil(longest / (frames - 1))))
    return grid_of(sounds, base.model_copy(update={"bands": BANDS, "hop": hop}), frames)


def _labels_of(source: str) -> frozenset[str]:
    """Return the names of the subfolders, with sounds or without. Raises: DataError unless at least two are labels."""
    if source in BUILT_IN:
        return frozenset()
    root = Path(source).expanduser()
    names: set[str] = set()
    if root.is_dir():
        listing = list_sounds(root)
        names = set(listing.labels)
        if names == {""} and (beside := next((file for file in listing.files if file.parent == root), None)):
            folders = {file.parent for file in listing.files} - {root}
            if folders:
                raise DataError(
                    f"{beside.name!r} lies beside the folders of the labels.",
                    "The name of a sound's folder is its label.",
                    f"Move it into one of them, or into a folder {WITHOUT[0]!r}.",
                )
        beside_them = {normalize("NFC", one.name) for one in root.iterdir() if one.is_dir() and one.name[0] != "."}
        names |= beside_them if names & beside_them else set()
    labels = sorted(name for name in names if name and name.lower() not in WITHOUT)
    if len(labels) < 2:
        told = f"has {len(labels)} label{'' if labels else 's'}{f': {labels[0]!r}' if labels else ''}"
        said = told if root.is_dir() else "is not a folder" if root.exists() else "does not exist"
        raise DataError(
            f"{source!r} {said}.",
            "To recognise sounds at least two labels are needed: subfolders with some sounds each.",
            f"Sort a few sounds by their labels; the others go into a folder {WITHOUT[0]!r}.",
        )
    return frozenset(labels)


def _refuse_lost(source: str, wanted: frozenset[str], found: tuple[str, ...], passport: Mapping[str, Any]) -> None:
    if lost := sorted(wanted - set(found)):
        skipped = next((one for one in passport["skipped"] if f"/{lost[0]}/" in one), "It holds none.")
        raise DataError(
            f"The label {lost[0]!r} of {source!r} has no sound that can be used.",
            f"{skipped.rstrip('.')}.",
            "Put some into its folder, or remove the folder.",
        )


def folds_of(levels: Levels, labels: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Return the fold of each sound (N,): those of each label in turn by their content, so that copies are together.

    A label's only sound, and all where there are no folds, are in EVERY.
    """
    digests = np.array([one.tobytes() for one in levels], object)
    chosen = np.full(len(labels), EVERY, np.int64)
    for label in np.unique(labels) if folds > 1 else ():
        own = np.flatnonzero(labels == label)
        different, place = np.unique(digests[own], return_inverse=True)
        if len(different) > 1:
            chosen[own] = place % folds
    return chosen
