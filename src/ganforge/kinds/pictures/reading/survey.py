"""The survey of a source: format, number of pictures, sizes, labels, and unusable files with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.pictures import SUFFIXES, is_idx
from ganforge.kinds.pictures.reading.array_files import (
    BUILT_IN,
    idx_images,
    survey_array,
    survey_built_in,
    survey_idx,
    survey_npy,
    survey_npz,
)
from ganforge.kinds.pictures.reading.folder import survey_folder, survey_zip
from ganforge.kinds.pictures.reading.header import FRAMES
from ganforge.kinds.pictures.reading.part import FEWEST, Survey
from ganforge.kinds.pictures.reading.values import BY_LOOKING, Reading

Labels = NDArray[Any] | Sequence[Any] | str | Path | Literal[False]
Source = str | Path | NDArray[Any] | tuple[NDArray[Any], Labels]
UNSAFE = (
    "The order of files is not a safe way to match them.",
    "Put the pictures of each label into a subfolder of that name.",
)
FORMS = (
    "Pictures come as a folder of picture files, .npy, .npz, MNIST-style idx files, Parquet, "
    f"or one of the names {', '.join(BUILT_IN)}."
)


def survey(
    source: Source, *, labels: Labels | None = None, fewest: int = FEWEST, reading: Reading = BY_LOOKING
) -> Survey:
    """Survey a source from headers and a small sample; keeps nothing in memory.

    A bare word that is a built-in name means the built-in pictures, even where a folder of that name exists: write
    ./digits (or give a Path) for the folder.

    Args: source a path, a built-in name, an array (N, H, W), (N, H, W, C) or (N, C, H, W), or (array, labels);
        labels one integer or word for each picture (also as the path of a .npy), or the key in an .npz or the column of
        a Parquet file that holds them. Folders have their labels in the names of subfolders. False reads no labels
        at all; fewest usable pictures required; reading of values that are no bytes.
    Raises: DataError if the source does not exist, has no pictures, or has fewer usable pictures.
    """
    if isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"A tuple of {len(source)} was given.", "Data is an array or (array, labels).")
        source, labels = source[0], labels if labels is False else source[1]
    if isinstance(source, str) and source in BUILT_IN:
        words = repr(labels) if isinstance(labels, str) else "of another kind"
        _refuse_labels(
            labels,
            f"The labels {words} were asked for, and {source!r} has none but its own.",
            "Built-in pictures bring their labels with them.",
            "Leave --label out, or say --label none to train without labels.",
        )
        found = survey_built_in(source, reading, labelled=labels is None)
    elif isinstance(source, str | Path):
        found = _at_path(Path(source).expanduser(), str(source), labels, reading)
    else:
        found = survey_array(np.asarray(source), _loaded(labels), reading)
    refuse_too_few(found.count, found.skipped, found.source, fewest, found.told)
    return found


def refuse_too_few(
    count: int, skipped: Sequence[tuple[str, str]], source: str, fewest: int = FEWEST, told: Sequence[str] = ()
) -> None:
    """Raise DataError if there are fewer than so many usable pictures, with the first reasons.

    Args: told sentences on the usable ones, such as that of several pages only the first is read.
    """
    if count >= fewest:
        return
    reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
    more = f" and {len(skipped) - 3:,} more" if len(skipped) > 3 else ""
    why = " ".join(
        [*([f"Skipped: {reasons}{more}."] if skipped else []), *(words for words in told if FRAMES in words)]
    )
    if count == 0:
        raise DataError(f"{source!r} holds no usable picture.", why, FORMS)
    raise DataError(
        f"{source!r} holds {count} usable picture{'s' if count > 1 else ''}.",
        why or f"At least {fewest} are needed to learn what they have in common.",
        f"Give {fewest} or more; some hundreds are a good start.",
    )


def _at_path(path: Path, source: str, labels: Labels | None, reading: Reading) -> Survey:
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise DataError(f"{source!r} is not a usable path: {error}.") from error
    if not exists:
        raise _missing(path, source)
    if path.is_dir():
        return _in_folder(path, source, labels, reading)
    if not path.is_file():
        raise DataError(f"{source!r} is neither a file nor a folder.", do=FORMS)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return survey_npy(path, source, _loaded(labels), reading)
    if suffix == ".npz":
        key = labels if labels is False or (isinstance(labels, str) and not Path(labels).is_file()) else None
        return survey_npz(path, source, _loaded(labels) if key is None else key, reading)
    if suffix == ".parquet":
        return _in_parquet([path], source, labels, reading)
    if suffix == ".zip":
        _refuse_labels(labels, f"Labels were given for the folder {source!r}.", *UNSAFE)
        return survey_zip(path, source, reading, labelled=labels is None)
    if is_idx(path):
        held = path.with_name(path.name.replace("train", "t10k", 1))
        paths = [path, held] if held != path and held.is_file() else [path]
        return survey_idx(paths, source, labels if labels is False else _loaded(labels), reading)
    if suffix in SUFFIXES:
        raise DataError(
            f"{source!r} is a single picture.", f"At least {FEWEST} are needed.", "Give the folder that holds them."
        )
    raise DataError(f"{source!r} is not a kind of file that holds pictures for training.", do=FORMS)


def _in_folder(folder: Path, source: str, labels: Labels | None, reading: Reading) -> Survey:
    try:
        if images := idx_images(folder):
            return survey_idx(images, source, labels if labels is False else _loaded(labels), reading)
        parquet = sorted(folder.glob("*.parquet")) or sorted(folder.glob("data/*.parquet"))
        if parquet and not any(path.suffix.lower() in SUFFIXES for path in folder.iterdir()):
            return _in_parquet(parquet, source, labels, reading)
        _refuse_labels(labels, f"Labels were given for the folder {source!r}.", *UNSAFE)
        return survey_folder(folder, source, reading, labelled=labels is None)
    except PermissionError as error:
        raise DataError(f"{source!r} may not be read.", str(error.strerror), "Check its permissions.") from error


def _in_parquet(paths: Sequence[Path], source: str, labels: Labels | None, reading: Reading) -> Survey:
    from ganforge.kinds.pictures.reading.parquet import survey_parquet  # and pyarrow, only for Parquet

    return survey_parquet(paths, source, _column(labels), reading)


def _missing(path: Path, source: str) -> DataError:
    known = set(BUILT_IN)
    if path.parent.is_dir():
        prefix = source[: len(source) - len(path.name)] if source.endswith(path.name) else ""
        known |= {prefix + neighbour.name for neighbour in path.parent.iterdir() if not neighbour.name.startswith(".")}
    advice = did_you_mean(source, known) if len(known) <= 30 or "mean" in did_you_mean(source, known) else FORMS
    return DataError(f"There is nothing at {source!r}.", "The path does not exist.", advice)


def _loaded(labels: Labels | None) -> NDArray[Any] | Sequence[Any] | None:
    if labels is None or labels is False:
        return None
    if not isinstance(labels, str | Path):
        return labels
    try:
        return np.asarray(np.load(labels, allow_pickle=False))
    except DAMAGED as error:
        raise DataError(f"The labels {str(labels)!r} cannot be read: {error}.", do="Give a .npy file.") from error


def _column(labels: Labels | None) -> str | Literal[False] | None:
    if labels is None or labels is False or isinstance(labels, str):
        return labels
    raise DataError("Labels for a Parquet file were given as values.", "They are in the file.", "Name their column.")


def _refuse_labels(labels: Labels | None, what: str, why: str, do: str) -> None:
    if labels is not None and labels is not False:
        raise DataError(what, why, do)
