"""The verb `augment`: enlarges a labelled data set with generated pictures and tests whether a classifier gains.

The classifier is trained by plain backpropagation, a single-player game, on randomly augmented pictures: the same
classifier and the same number of examples, with and without the generated pictures.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ganforge.contracts import Game, Loss, Observer, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.files import read_json_file, refuse_taken, write_tree, write_whole
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.networks.augmentation import augment as changed
from ganforge.kinds.pictures.networks.augmentation import draw_changes
from ganforge.kinds.pictures.reading.folder import TRAIN_NAMES, listed_folder
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import Reading
from ganforge.kinds.pictures.write import array_bytes, image_bytes
from ganforge.networks.conv import ConvDiscriminator, ConvPair
from ganforge.planning.game import initialised

SEEDS = 5  # classifiers trained with and without, each pair from the same initial weights
SURE = 2.0  # standard errors by which the mean of the differences must be away from 0
VERDICT = "augment.json"
WIDTH = 24  # channels of the classifier at half the picture's size
BATCH, RATE = 64, 2e-3
EXAMPLES = 24_000  # shown to a classifier: enough for some hundred or thousand pictures
CHANCE = 0.5  # of each classical augmentation of a picture: shift, zoom, turn, brightness, contrast
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures uint8 (N, C, H, W) with labels (N,)."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def feed(self) -> ArrayFeed:
        """Return a feed of them."""
        return ArrayFeed(self.pictures.transpose(0, 2, 3, 1), self.labels, form=PICTURES)

    def with_more(self, other: Labelled) -> Labelled:
        """Concatenate both."""
        return Labelled(np.concatenate([self.pictures, other.pictures]), np.concatenate([self.labels, other.labels]))


def accuracy_after_learning(train: Labelled, held_out: Labelled, labels: int, *, seed: int, examples: int) -> float:
    """Return the accuracy 0..1 on held-out pictures of a new classifier trained on `train`.

    Bit-reproducible with the same number of threads.
    """
    pair = ConvPair(shape=train.pictures.shape[1:], labels=labels, width=WIDTH)
    network = initialised(seed_for(seed, "classifier"), lambda: ConvDiscriminator(pair))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(turn: Turn) -> Loss:
        x, label = turn.batch["x"], turn.batch["label"]
        changes = draw_changes(len(x), CHANCE, turn.random)
        classical = replace(changes, cut=torch.zeros_like(changes.cut), saturation=torch.ones_like(changes.turn))
        return Loss({"cross_entropy": F.cross_entropy(network.scores(changed(x, classical)), label, reduction="none")})

    steps = OptimiserSettings(Schedule(RATE, 0.0), beta1=0.9, beta2=0.99)
    game = Game((Player("classifier", network, loss, steps),), product="classifier")
    batch = min(BATCH, len(train))
    settings = FitSettings(
        seed=seed, batch_size=batch, length_examples=examples, half_life_examples=0.02 * examples,
        record_every_steps=max(1, examples // batch // 4),
    )  # fmt: skip
    product = fit(game, train.feed(), settings).product
    assert isinstance(product, ConvDiscriminator)
    right, unseen = 0, held_out.feed()
    with torch.no_grad():
        for first in range(0, len(unseen), AT_ONCE):
            batch_of = unseen.batch(torch.arange(first, min(first + AT_ONCE, len(unseen))))
            right += int((product.scores(batch_of["x"]).argmax(1) == batch_of["label"]).sum())
    return right / len(held_out)


@dataclass(frozen=True, slots=True)
class Enlarged:
    """The result of `augment`. Accuracies are shares of held-out pictures, one for each seed."""

    path: Path
    verdict: str  # one sentence
    helps: bool
    without: tuple[float, ...]
    with_generated: tuple[float, ...]
    notes: tuple[str, ...]


def augment(
    model: PictureModel,
    data: str | Path,
    out: Path,
    *,
    known: str | None,
    per_label: int,
    seed: int,
    force: bool,
    observers: Sequence[Observer],
) -> Enlarged:
    """Write an enlarged data set and evaluate it; see `api.augment`. Args: known the hash of the run's data."""
    place = out.expanduser()
    if per_label < 1:
        raise InputError(f"{per_label} pictures for each label cannot be drawn.", do="Say, for example, 100.")
    _check_place(place, force=force)
    _, height, width = model.picture_shape()
    pictures = open_pictures(
        survey(data, reading=Reading(model.values, looks=model.values is None)), size=(height, width)
    )
    _refuse_misfits(model, pictures, str(data))
    notes = (
        []
        if known == pictures.data_hash
        else ["This is not the data of the run: the generator may know held-out pictures."]
    )
    if skipped := pictures.passport["skipped"]:
        first, count = skipped[0], pictures.passport["skipped_count"]
        notes.append(f"{count:,} files were skipped, the first: {first['name']}: {first['reason']}.")
    labels = np.repeat(np.arange(len(model.label_names)), per_label)
    model.refuse_impossible(len(labels), 1.0)
    drawn = Labelled(model.draw_pictures(len(labels), labels=labels, seed=seed), labels)
    train, held_out = _labelled(pictures.train), _labelled(pictures.held_out)
    both = train.with_more(drawn)
    pairs = []
    for number in range(SEEDS):
        pairs.append(
            tuple(
                accuracy_after_learning(part, held_out, len(model.label_names), seed=number, examples=EXAMPLES)
                for part in (train, both)
            )
        )
        for observer in observers:
            observer.event({"kind": "compared", "number": number + 1, "count": SEEDS})
    enlarged = _judged(place, pairs, len(train), len(drawn), len(held_out), notes)
    _write(place, data, pictures, drawn, model.label_names, enlarged)
    return enlarged


def _judged(
    place: Path, pairs: Sequence[tuple[float, ...]], train: int, drawn: int, held_out: int, notes: Sequence[str]
) -> Enlarged:
    without, with_generated = (tuple(column) for column in zip(*pairs, strict=True))
    gains = [after - before for before, after in pairs]
    error = stdev(gains) / math.sqrt(len(gains))
    gain = mean(gains)
    told = (
        f"A classifier reads {mean(with_generated):.1%} of {held_out:,} unseen pictures rightly with the {drawn:,} "
        f"generated ones, {mean(without):.1%} with the {train:,} real ones and classical augmentation alone "
        f"({gain:+.1%}, give or take {SURE * error:.1%})."
    )
    helps = gain > SURE * error
    verdict = "It helps" if helps else "It harms" if gain < -SURE * error else "It does not help for certain"
    return Enlarged(place, f"{verdict}: {told}", helps, without, with_generated, tuple(notes))


def _labelled(feed: ArrayFeed) -> Labelled:
    assert feed.labels is not None  # there are label names
    return Labelled(feed.examples(), feed.labels)


def _refuse_misfits(model: PictureModel, pictures: Pictures, data: str) -> None:
    if not model.label_names:
        raise InputError(
            "The run was trained without labels.",
            "Nobody knows which label its pictures have.",
            "Train one with labels.",
        )
    if not pictures.label_names:
        raise DataError(
            f"{data!r} has no labels.", "There is nothing for a classifier to learn.", "Give labelled data."
        )
    if pictures.label_names != model.label_names:
        raise DataError(
            f"The labels of {data!r} are {', '.join(pictures.label_names[:10])}.",
            f"Those of the run are {', '.join(model.label_names[:10])}.",
            "Give data with the same labels, or a run that was trained on this data.",
        )
    if pictures.shape != model.picture_shape():
        raise DataError(
            f"The pictures of {data!r} have {pictures.shape[0]} channels.",
            f"The run draws pictures with {model.picture_shape()[0]}.",
            "Give data of the same kind.",
        )


def _check_place(place: Path, *, force: bool) -> None:
    refuse_taken(place, force=force, replaceable=lambda path: path.is_file() or _is_ours(path))
    if place.suffix and place.suffix.lower() != ".npz" and not place.is_dir():
        raise InputError(f"A data set cannot be written as {place.suffix!r}.", do="Name a folder, or a .npz file.")


def _names(folder: Path) -> str:
    """Return a fingerprint of the file names in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.name not in (VERDICT, ".DS_Store")):
        digest.update(f"{path.relative_to(folder).as_posix()!r}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _is_ours(folder: Path) -> bool:
    """Return whether `augment` wrote a folder, and no other file has been added since."""
    try:
        said = read_json_file(folder / VERDICT)
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("names") == _names(folder)


def _write(
    place: Path, data: str | Path, pictures: Pictures, drawn: Labelled, names: Sequence[str], enlarged: Enlarged
) -> None:
    """Write the unchanged originals, the generated pictures and the verdict, all or nothing."""
    said = {
        "verdict": enlarged.verdict,
        "helps": enlarged.helps,
        "accuracy_without": enlarged.without,
        "accuracy_with_generated": enlarged.with_generated,
        "generated": len(drawn),
        "notes": enlarged.notes,
    }
    text = (json.dumps(said, indent=2) + "\n").encode()
    if place.suffix.lower() == ".npz":
        whole = _labelled(pictures.train).with_more(_labelled(pictures.held_out)).with_more(drawn)
        write_whole(place, array_bytes(whole.pictures, whole.labels, names))
        write_whole(place.with_suffix(".json"), text)
        return
    source = Path(data).expanduser()

    def fill(folder: Path) -> None:
        if source.is_dir() and pictures.passport["format"] == "folder":
            for name in listed_folder(source, str(data)).names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, folder / name)
        else:
            whole = _labelled(pictures.train).with_more(_labelled(pictures.held_out))
            _fill(folder, whole.pictures, whole.labels, names, "original")
        _fill(folder / _base(source), drawn.pictures, drawn.labels, names, "generated")
        said["names"] = _names(folder)
        (folder / VERDICT).write_bytes((json.dumps(said, indent=2) + "\n").encode())

    write_tree(place, fill)


def _base(source: Path) -> Path:
    """Return the folder of the label subfolders: below single subfolders, and in train/ if there is one."""
    base = source
    while base.is_dir():
        inside = [path for path in sorted(base.iterdir()) if path.is_dir() and not path.name.startswith(".")]
        train = [path for path in inside if path.name.lower() in TRAIN_NAMES]
        if train:
            return train[0].relative_to(source)
        if len(inside) != 1:
            return base.relative_to(source)
        base = inside[0]
    return Path()


def _fill(
    folder: Path, pictures: NDArray[np.uint8], labels: NDArray[np.int64], names: Sequence[str], word: str
) -> None:
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        place = folder / (names[int(label)].replace("/", "-").replace("\\", "-").lstrip(".") or "label")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{word}_{number:06d}.png").write_bytes(image_bytes(picture.transpose(1, 2, 0), "PNG"))
