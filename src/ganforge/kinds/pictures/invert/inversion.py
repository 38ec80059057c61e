"""The verb `invert`: find the latents of pictures, and edit them along named directions."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge import __version__
from ganforge.contracts import Observer
from ganforge.core.files import check_folder, refuse_taken, write_folder
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.errors import DataError, InputError, RunError, did_you_mean
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.invert.directions import EXPLAINED, Direction, named_directions
from ganforge.kinds.pictures.invert.encoder import encoder_of
from ganforge.kinds.pictures.invert.optimise import Inverted, invert_pictures
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.kinds.pictures.picture_folder import list_pictures
from ganforge.kinds.pictures.reading.decode import fitted, opened_by_person, reason_of
from ganforge.kinds.pictures.reading.part import Pixels, Target
from ganforge.kinds.pictures.reading.values import Range
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.measures.neighbours import nearest_with_index
from ganforge.run import Run

MOST = 1_000  # pictures at once


def loose_pictures(
    sources: Sequence[str | Path], shape: tuple[int, int, int], values: Range | None = None
) -> tuple[list[str], Pixels, list[tuple[str, str]]]:
    """Read pictures from files and folders, upright, resized to cover the shape and centre-cropped, as in training.

    Args: shape (C, H, W); values of black and white of deep pictures (`decode.plain`).
    Returns: their paths; uint8 (N, C, H, W); (path, reason) of what is skipped in folders.
    Raises: DataError for a missing or damaged file, or for no usable picture or too many.
    """
    channels, height, width = shape
    names: list[str] = []
    kept: list[Pixels] = []
    listings = [list_pictures(Path(source)) for source in sources]
    skipped = [(str(path), why) for it in listings for path, why in it.left_out.items()]
    skipped += [(str(path), "not a picture file by its name") for it in listings for path in it.others]
    paths = [(path, Path(source).is_dir()) for source, it in zip(sources, listings, strict=True) for path in it.found]
    if len(paths) > MOST:
        raise DataError(
            f"There are {len(paths):,} pictures.", f"At most {MOST:,} are taken at once.", "Give some of them."
        )
    with quiet_pillow():
        for path, in_folder in paths:
            try:
                with opened_by_person(path) as image:
                    pixels, _ = fitted(image, Target(height, width, channels), values)
            except BROKEN as error:
                if not in_folder:
                    raise DataError(
                        f"{str(path)!r} cannot be used: {reason_of(error)}.", do="Give another picture."
                    ) from error
                skipped.append((str(path), reason_of(error)))
                continue
            names.append(str(path))
            kept.append(pixels.transpose(2, 0, 1))
    if not kept:
        raise DataError("None of the pictures can be used.", f"{skipped[0][0]}: {skipped[0][1]}.", "Give others.")
    return names, np.ascontiguousarray(np.stack(kept)), skipped


SAMPLES = 5_000  # of the model, and at most as many training pictures, that a picture is compared with
AT_ONCE = 500
DESCRIPTION, LATENTS = "inversion.json", "latents.npz"


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """One picture and its reconstruction. Decibels are PSNR: higher is nearer."""

    picture: str  # its path
    shown: str  # the file in the folder: given | found | difference (| edited)
    label: str | None
    decibels: float
    nearest_sample: float  # decibels of the nearest of SAMPLES random samples
    nearest_training: float | None  # of the nearest training picture; None if the data is missing


@dataclass(frozen=True, slots=True)
class Inversion:
    """The result of `invert`."""

    folder: Path
    pictures: tuple[FoundPicture, ...]
    own_decibels: tuple[float, ...]  # the floor: inversions of pictures that the model drew; lowest first
    directions: dict[str, float]  # name -> R^2 of the latent's linear prediction, on unseen samples
    skipped: tuple[tuple[str, str], ...]  # (path, reason)


def invert(  # noqa: PLR0913 - what api.invert is given, and the run
    model: PictureModel,
    run: Run,
    source: str | Path | Sequence[str | Path],
    out: Path | None,
    training: Callable[[int], NDArray[np.uint8] | None],
    *,
    label: str | None,
    edits: Sequence[str],
    seed: int,
    force: bool,
    observers: Sequence[Observer],
) -> Inversion:
    """Find the latents of pictures and write them with their reconstructions; see `api.invert`.

    Args: training returns at most so many training pictures (N, H, W, C), None if the data is missing.
    """
    place = run.inverted if out is None else out
    if out is not None:
        refuse_taken(place, force=force, replaceable=_is_ours, do="Choose another --out, or --force to replace it.")
    asked = None if label is None else model.label_index(label)
    known = named_directions(model)
    way, other_label = _moves(edits, known, model)
    sources = [source] if isinstance(source, str | Path) else list(source)
    names, given, skipped = loose_pictures(sources, model.picture_shape(), model.values)
    found = encoder_of(run, model, observers=observers)
    inverted = invert_pictures(model, found.encoder, given, label=asked, seed=seed)
    edited = _edited(model, inverted, way, other_label) if edits else None
    content = Inversion(
        place,
        _compared(model, training(SAMPLES), names, given, inverted),
        found.own_decibels,
        {one.name: round(one.explained, 3) for one in known},
        tuple(skipped),
    )
    write_folder(place, lambda empty: _fill(empty, content, given, inverted, edited, list(edits)))
    return content


def _is_ours(place: Path) -> bool:
    """Return whether `invert` wrote a folder that is unchanged since."""
    try:
        check_folder(place)
    except RunError:
        return False
    return (place / DESCRIPTION).is_file() and (place / LATENTS).is_file()


def _moves(edits: Sequence[str], known: Sequence[Direction], model: PictureModel) -> tuple[Tensor, int | None]:
    """Return the offset of every latent (Z,), and the label that replaces every label.

    Raises: InputError for an edit that is malformed or unknown to the model.
    """
    way, label = torch.zeros(model.latent_size), None
    usable = {one.name: one for one in known if one.explained >= EXPLAINED}
    for edit in edits:
        name, equals, value = edit.partition("=")
        if not (equals and value):
            raise InputError(f"--edit cannot read {edit!r}.", "It needs a name and an amount.", "Try --edit size=1.")
        if name == "label":
            label = model.label_index(value)
            continue
        if name not in usable:
            _refuse_direction(name, known, [*usable, *(["label"] if model.label_names else [])])
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not math.isfinite(amount):
            raise InputError(f"--edit {name} cannot be {value!r}.", "It is a number.", f"Try --edit {name}=1.")
        way = way + amount * usable[name].way
    return way, label


def _refuse_direction(name: str, known: Sequence[Direction], usable: Sequence[str]) -> None:
    for one in known:
        if one.name == name:
            raise InputError(
                f"This model has no direction for {name}.",
                f"Its latent explains {max(0.0, one.explained):.0%} of it, and {EXPLAINED:.0%} is the least.",
                f"Known: {', '.join(usable)}." if usable else "",
            )
    raise InputError(f"There is no direction {name!r}.", did_you_mean(name, usable) if usable else "It has none.")


def _edited(model: PictureModel, inverted: Inverted, way: Tensor, label: int | None) -> NDArray[np.uint8]:
    labels = inverted.labels if label is None else np.full(len(inverted.latents), label, np.int64)
    return model.draw(inverted.latents + way, labels)


def _compared(
    model: PictureModel,
    training: NDArray[np.uint8] | None,  # (N, H, W, C)
    names: Sequence[str],
    given: NDArray[np.uint8],
    inverted: Inverted,
) -> tuple[FoundPicture, ...]:
    decibels = psnr(given, inverted.pictures)
    samples = nearest_decibels(given, model.draw_pictures(SAMPLES, seed=5))
    trained = None if training is None else nearest_decibels(given, training.transpose(0, 3, 1, 2))
    return tuple(
        FoundPicture(
            picture=name,
            shown=f"{number + 1:03d}_{Path(name).stem[:60]}.png",
            label=None if inverted.labels is None else model.label_names[inverted.labels[number]],
            decibels=round(float(decibels[number]), 3),
            nearest_sample=round(float(samples[number]), 3),
            nearest_training=None if trained is None else round(float(trained[number]), 3),
        )
        for number, name in enumerate(names)
    )


def nearest_decibels(pictures: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the PSNR of each picture (N, C, H, W) to the nearest of the others (M, C, H, W): (N,)."""
    best = np.zeros(len(pictures))
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    for first in range(0, len(others), AT_ONCE):
        part = others[first : first + AT_ONCE]
        _, places = nearest_with_index(flat, part.reshape(len(part), -1).astype(np.float32), 1)
        best = np.maximum(best, psnr(pictures, part[places[:, 0]]))
    return best


def _fill(
    folder: Path,
    content: Inversion,
    given: NDArray[np.uint8],
    inverted: Inverted,
    edited: NDArray[np.uint8] | None,
    edits: list[str],
) -> None:
    for number, one in enumerate(content.pictures):
        shown = [given[number], inverted.pictures[number], _difference(given[number], inverted.pictures[number])]
        if edited is not None:
            shown.append(edited[number])
        (folder / one.shown).write_bytes(png_bytes(grid(np.stack(shown), columns=len(shown))))
    arrays = {"latents": inverted.latents.numpy()}
    if inverted.labels is not None:
        arrays["labels"] = inverted.labels
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    (folder / LATENTS).write_bytes(file.getvalue())
    about = {"ganforge": __version__, "columns": ["given", "found", "difference", "edited"][: 4 if edits else 3]}
    about |= {"edits": edits} | {key: value for key, value in asdict(content).items() if key != "folder"}
    (folder / DESCRIPTION).write_text(json.dumps(about, indent=2) + "\n", "utf-8")


def _difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the difference (C, H, W): black where equal; opaque."""
    gap: NDArray[np.uint8] = np.abs(one.astype(np.int16) - other).astype(np.uint8)
    if len(gap) == 4:
        gap[3] = 255
    return gap
