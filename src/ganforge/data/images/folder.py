"""A folder (or a zip file) of picture files; several subfolders with pictures are labels."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO, cast

import numpy as np

from ganforge.data.images.decode import BROKEN, Header, Item, decoded, look_of, quiet_pillow, read_header, reason_of
from ganforge.data.images.decode import workers as worker_count
from ganforge.data.images.labels import name_labels
from ganforge.data.images.part import Block, Part, Survey, Target, channels_sentence, spread
from ganforge.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
TRAIN_NAMES = frozenset({"train", "training"})
HELD_OUT_NAMES = frozenset({"test", "testing", "val", "valid", "validation"})
LARGEST_ENTRY = 256 * 1024 * 1024  # bytes of one unpacked zip entry: more is a bomb


@dataclass(frozen=True, slots=True)
class Entry:
    """One file below the folder: its path in it, its size in bytes, when it changed, and how to open it."""

    name: str
    bytes: int
    changed: int
    open: Callable[[], BinaryIO]

    @property
    def folders(self) -> tuple[str, ...]:
        return PurePosixPath(self.name).parts[:-1]


def survey_folder(folder: Path, source: str) -> Survey:
    """Looks at every file's header. Raises: DataError if the folder holds no files at all."""
    entries, skipped = _listed_folder(folder)
    return _surveyed(entries, skipped, source)


def survey_zip(path: Path, source: str) -> Survey:
    """The same for a zip file of such a folder; nothing is unpacked to disk."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{source!r} cannot be opened as a zip file: {error}.", do="Pack it again.") from error
    lock, entries, skipped = Lock(), [], []
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if info.is_dir() or _hidden(info.filename):
            continue
        if not info.filename.lower().endswith(SUFFIXES):
            skipped.append((info.filename, "not a picture file by its name"))
        elif info.file_size > LARGEST_ENTRY or info.flag_bits & 1:
            skipped.append((info.filename, "encrypted" if info.flag_bits & 1 else "larger than 256 MiB unpacked"))
        else:
            opener = partial(_open_zipped, archive, info, lock)
            entries.append(Entry(info.filename, info.file_size, info.CRC, opener))
    return _surveyed(entries, skipped, source)


def _open_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, lock: Lock) -> BinaryIO:
    with lock:  # one file handle, many threads
        try:
            return io.BytesIO(archive.read(info))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise OSError(str(error)) from error


def _listed_folder(folder: Path) -> tuple[list[Entry], list[tuple[str, str]]]:
    entries, skipped = [], []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            path = Path(root) / file
            name = path.relative_to(folder).as_posix()
            if file.startswith("."):
                continue
            if not file.lower().endswith(SUFFIXES):
                skipped.append((name, "not a picture file by its name"))
            elif not path.is_file():
                skipped.append((name, "not a file that can be read"))
            else:
                stat = path.stat()
                opener = cast(Callable[[], BinaryIO], partial(path.open, "rb"))
                entries.append(Entry(name, stat.st_size, stat.st_mtime_ns, opener))
    return sorted(entries, key=lambda entry: entry.name), skipped


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _surveyed(entries: Sequence[Entry], skipped: list[tuple[str, str]], source: str) -> Survey:
    if not entries and not skipped:
        raise DataError(f"The folder {source!r} is empty.", "There is nothing to learn from.", "Put pictures into it.")
    with quiet_pillow(), ThreadPoolExecutor(worker_count()) as pool:
        headers = list(pool.map(_header, entries))
        good = [(e, h) for e, h in zip(entries, headers, strict=True) if isinstance(h, Header)]
        skipped += [(e.name, h) for e, h in zip(entries, headers, strict=True) if isinstance(h, str)]
        chosen = [good[i] for i in spread(len(good))]
        if all(header.kind == "grey" for _, header in good):
            kinds = {"grey"}
        else:
            kinds = {kind for kind in pool.map(_look, [entry for entry, _ in chosen]) if kind}
    channels, why = channels_sentence(kinds, len(chosen))

    split, words, notes = _labelled([entry for entry, _ in good])
    names, places, more = name_labels([None if w is None else np.array(w) for w in words]) if good else ((), [], [])
    parts = []
    for part_entries, labels in zip(split, places, strict=False):
        parts.append(Part(count=len(part_entries), labels=labels, blocks=partial(_blocks, part_entries)))
    counts = np.bincount(places[0][places[0] >= 0], minlength=len(names)) if names and places[0] is not None else ()
    digest = hashlib.sha256(repr([(e.name, e.bytes, e.changed) for e in entries]).encode("utf-8", "surrogateescape"))
    return Survey(
        source=source,
        format="folder",
        count=len(good),
        bytes=sum(entry.bytes for entry, _ in good),
        sizes=dict(Counter(header.size for _, header in good).most_common()),
        channels=channels,
        channels_why=why,
        label_names=names,
        label_counts=tuple(int(n) for n in counts),
        skipped=tuple(sorted(skipped)),
        digest=digest.hexdigest(),
        notes=(*notes, *more),
        parts=tuple(parts),
        always_cached=True,
    )


def _header(entry: Entry) -> Header | str:
    try:
        return read_header(entry.open)
    except BROKEN as error:
        return reason_of(error)


def _look(entry: Entry) -> str | None:
    try:
        return look_of(entry.open)
    except BROKEN:
        return None  # listed as skipped when it is decoded


def _labelled(entries: Sequence[Entry]) -> tuple[list[list[Entry]], list[list[str] | None], list[str]]:
    """Parts of entries, the label words of each part, and notes.

    A chain of single subfolders is walked down first. Then train/ beside test/ (or val/) are parts; other subfolders,
    when there are several and no picture lies beside them, are labels.
    """
    depth = 0
    while entries and len({entry.folders[: depth + 1] for entry in entries}) == 1 and len(entries[0].folders) > depth:
        depth += 1
    tops = {entry.folders[depth].lower() if len(entry.folders) > depth else "" for entry in entries}
    if tops & TRAIN_NAMES and tops & HELD_OUT_NAMES and tops <= TRAIN_NAMES | HELD_OUT_NAMES:
        train = [entry for entry in entries if entry.folders[depth].lower() in TRAIN_NAMES]
        held = [entry for entry in entries if entry.folders[depth].lower() in HELD_OUT_NAMES]
        words = [_words(train, depth + 1), _words(held, depth + 1)]
        return [train, held], words, ["The subfolders for testing are the held-out part, as given."]
    words_here = _words(entries, depth)
    mixed = words_here is None and len(tops) > 1
    notes = ["Pictures lie beside the subfolders, so the subfolders are not used as labels."] if mixed else []
    return [list(entries)], [words_here], notes


def _words(entries: Sequence[Entry], depth: int) -> list[str] | None:
    if any(len(entry.folders) <= depth for entry in entries):
        return None
    words = [entry.folders[depth] for entry in entries]
    return words if len(set(words)) > 1 else None


def _blocks(entries: Sequence[Entry], target: Target) -> Iterator[Block]:
    return decoded((Item(row, entry.name, entry.open) for row, entry in enumerate(entries)), target)
