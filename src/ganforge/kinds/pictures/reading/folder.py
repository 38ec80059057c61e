"""Surveys of a folder (or zip file) of picture files; several subfolders with pictures are labels."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from stat import S_ISLNK, S_ISREG
from threading import Lock
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ganforge.core.conversion import is_hidden
from ganforge.core.files import DAMAGED, read_json_file
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.errors import DataError
from ganforge.kinds.pictures import SUFFIXES
from ganforge.kinds.pictures.picture_folder import is_unread
from ganforge.kinds.pictures.reading.decode import (
    Item,
    encoded_part,
    in_threads,
    look_of,
    read_header,
    reason_of,
    values_of,
)
from ganforge.kinds.pictures.reading.decode import workers as worker_count
from ganforge.kinds.pictures.reading.header import Header, Losses
from ganforge.kinds.pictures.reading.part import (
    Channels,
    Survey,
    name_labels,
    spread,
)
from ganforge.kinds.pictures.reading.values import Range, Reading, range_of

TRAIN_NAMES = frozenset({"train", "training"})
HELD_OUT_NAMES = frozenset({"test", "testing", "val", "valid", "validation"})
RECIPE = "recipe.json"  # marks a folder as a run: see run.py
AT_ONCE = 4096  # headers read at once
LARGEST_ENTRY = 256 * 1024 * 1024  # bytes of one unpacked zip entry: more is a bomb


Opener = Callable[[str], BinaryIO]  # of a file, by its name
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder that are pictures by their names. Only names are kept, so that a million fit.

    `names` are paths in the folder with slashes, sorted; `bytes` is the total size; `digest` a fingerprint of names,
    sizes and modification times.
    """

    source: str  # as the user wrote it
    names: list[str]
    bytes: int
    digest: str
    open: Opener
    skipped: list[tuple[str, str]]  # (name, reason)
    folders: list[str] = field(default_factory=list)  # those that were read


def survey_folder(folder: Path, source: str, reading: Reading, *, labelled: bool) -> Survey:
    """Survey a folder from every file's header.

    Args: labelled whether subfolders may be labels.
    Raises: DataError if the folder has no files, or is a run, or if a range is given and all pictures have 8 bits.
    """
    return _surveyed(listed_folder(folder, source), labelled, reading)


def survey_zip(path: Path, source: str, reading: Reading, *, labelled: bool) -> Survey:
    """Survey a zip file of such a folder; nothing is unpacked to disk."""
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED as error:
        raise DataError(f"{source!r} cannot be opened as a zip file: {error}.", do="Pack it again.") from error
    names, skipped, size, digest = [], [], 0, hashlib.sha256()
    for info in sorted(archive.infolist(), key=lambda info: info.filename):
        if info.is_dir() or any(map(is_hidden, PurePosixPath(info.filename).parts)):
            continue
        if not info.filename.lower().endswith(SUFFIXES):
            skipped.append((info.filename, _why_unread(info.filename)))
        elif S_ISLNK(info.external_attr >> 16):
            skipped.append((info.filename, "a link, which is not followed in a zip file"))
        elif info.file_size > LARGEST_ENTRY or info.flag_bits & 1:
            skipped.append((info.filename, "encrypted" if info.flag_bits & 1 else "larger than 256 MiB unpacked"))
        else:
            names.append(info.filename)
            size += info.file_size
            digest.update(_line(info.filename, info.file_size, info.CRC))
    opener = partial(_open_zipped, archive, Lock())
    _refuse_empty(names or skipped, source)
    listing = Listing(source, names=names, bytes=size, digest=digest.hexdigest(), open=opener, skipped=skipped)
    return _surveyed(listing, labelled, reading)


def _open_zipped(archive: zipfile.ZipFile, lock: Lock, name: str) -> BinaryIO:
    with lock:  # one file handle, many threads
        try:
            file = io.BytesIO(archive.read(name))
            file.name = name
            return file
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise OSError(str(error)) from error


def listed_folder(folder: Path, source: str) -> Listing:
    """List the files below a folder. Raises: DataError if there are none, or the folder is a run."""
    if _is_run(folder):
        raise DataError(
            f"{source!r} is a run, not pictures.",
            "It holds what ganforge made from pictures.",
            "Give the folder of the pictures, or go on with `ganforge resume`.",
        )
    names: list[str] = []
    skipped: list[tuple[str, str]] = []
    size, digest = 0, hashlib.sha256()
    folders: list[str] = []
    for path in _walked(folder, folders, skipped):
        name = path.relative_to(folder).as_posix()
        try:
            stat = path.stat()
        except OSError as error:
            leads_nowhere = path.is_symlink()
            skipped.append((name, "a link that leads nowhere" if leads_nowhere else f"not readable: {error.strerror}"))
            continue
        if not name.lower().endswith(SUFFIXES):
            skipped.append((name, _why_unread(name)))
        elif not S_ISREG(stat.st_mode):
            skipped.append((name, "not a file that can be read"))
        else:
            names.append(name)
            size += stat.st_size
            digest.update(_line(name, stat.st_size, stat.st_mtime_ns))
    names.sort()
    _refuse_empty(names or skipped, source)
    opener = partial(open_in, folder)
    return Listing(source, names, size, digest.hexdigest(), opener, skipped, folders)


def _walked(folder: Path, read: list[str], skipped: list[tuple[str, str]]) -> Iterator[Path]:
    """Yield the files below a folder that are not hidden, those of runs left out. Links to folders are followed.

    A folder is read once, however many links lead to it: also one that lies above itself. Folders are added to `read`,
    and what is not read to `skipped`.
    """

    def unreadable(error: OSError) -> None:
        skipped.append((Path(error.filename).relative_to(folder).as_posix(), f"not readable: {error.strerror}"))

    places = {folder.stat()[1:3]: "."}  # (inode, device) -> the name by which it is read
    for root, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        if RECIPE in files and _is_run(Path(root)):  # its pictures are generated, and more of them as training proceeds
            folders.clear()
            above = Path(root).relative_to(folder).parents  # such as runs/: no folder that lacks pictures
            read[:] = [name for name in read if Path(name) not in above]
            continue
        read.append(Path(root).relative_to(folder).as_posix())
        inside, folders[:] = sorted(name for name in folders if not is_hidden(name)), []
        for path in (Path(root, name) for name in inside):
            name = path.relative_to(folder).as_posix()
            first = places.setdefault(path.stat()[1:3], name)
            if first == name:
                folders.append(path.name)
            else:
                skipped.append((name, f"the same folder as {first!r}, by a link"))
        yield from (Path(root, file) for file in sorted(files) if not is_hidden(file))


def _why_unread(name: str) -> str:
    unread = is_unread(PurePosixPath(name.lower()).suffix)
    return "of a format that is not read: save it as .png" if unread else "not a picture file by its name"


def _refuse_empty(found: Sequence[object], source: str) -> None:
    if not found:
        raise DataError(f"The folder {source!r} is empty.", "There is nothing to learn from.", "Put pictures into it.")


def open_in(folder: Path, name: str) -> BinaryIO:
    """Open a file of a folder by its path in it."""
    return Path(folder, name).open("rb")


def _line(name: str, size: int, changed: int) -> bytes:
    return f"{name!r} {size} {changed}\n".encode("utf-8", "surrogateescape")


def _is_run(folder: Path) -> bool:
    """Return whether a folder is a run of ganforge: other files named recipe.json lack that entry."""
    try:
        recipe = read_json_file(folder / RECIPE)
    except (OSError, ValueError):
        return False
    return isinstance(recipe, dict) and "ganforge" in recipe


def usable_pictures(listing: Listing) -> Iterator[tuple[str, Header]]:
    """Yield name and header of every usable picture, in order. The others are added to `skipped`."""
    with quiet_pillow(), ThreadPoolExecutor(worker_count()) as pool:
        for start in range(0, len(listing.names), AT_ONCE):  # map would submit all of them at once
            names = listing.names[start : start + AT_ONCE]
            for name, header in zip(names, pool.map(partial(_header, listing.open), names), strict=True):
                if isinstance(header, str):
                    listing.skipped.append((name, header))
                else:
                    yield name, header


@dataclass(slots=True)
class Usable:
    """The facts about usable pictures from their headers; of a million only the names are kept."""

    names: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    deep: list[str] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)

    def add(self, name: str, header: Header) -> None:
        """Add one picture."""
        self.names.append(name)
        self.kinds.add(header.kind)
        self.losses.add(name, header)
        if header.deep:
            self.deep.append(name)

    def channels(self, listing: Listing) -> Channels:
        """Choose the channels from a sample of the pictures."""
        chosen = [self.names[i] for i in spread(len(self.names))]
        if self.kinds == {"grey"}:
            return Channels.of([{"grey"}] * len(chosen))
        looks = zip(chosen, in_threads(chosen, partial(_or_none, look_of, listing.open), worker_count()), strict=True)
        seen = {name: look for name, look in looks if look}
        return Channels.of(list(seen.values()), list(seen))

    def values(self, listing: Listing, reading: Reading) -> tuple[Range | None, tuple[str, ...]]:
        """Return the values of black and white of the deep pictures, as given or found, and what was assumed.

        To find them all of these are decoded. One that is damaged is told when it is decoded again.
        """
        everything = in_threads(self.deep, partial(_or_none, values_of, listing.open), worker_count())
        return range_of(everything, len(self.deep), reading, listing.source)


def _surveyed(listing: Listing, labelled: bool, reading: Reading) -> Survey:
    usable, sizes = Usable(), Counter[tuple[int, int]]()
    for name, header in usable_pictures(listing):
        usable.add(name, header)
        sizes[header.size] += 1
    empty = _empty(listing.folders, usable.names)
    listing.skipped.extend((name, "a folder without a usable picture") for name in empty)
    channels = usable.channels(listing)
    values, assumed = usable.values(listing, reading)
    split, words, notes = _labelled(usable.names, labelled)
    label_names, places, more = _named(words)
    return Survey(
        source=listing.source,
        format="folder",
        bytes=listing.bytes,
        sizes=dict(sizes.most_common()),
        channels=channels.count,
        channels_why=channels.why,
        values=values,
        label_names=label_names,
        skipped=tuple(sorted(listing.skipped)),
        digest=listing.digest if values is None else f"{listing.digest} {values}",
        told=(*notes, *more, *channels.told, *usable.losses.told(), *assumed),
        parts=tuple(
            encoded_part(len(part), labels, partial(items_of, part, listing.open), values)
            for part, labels in zip(split, places, strict=True)
        ),
        always_cached=True,
    )


def _empty(folders: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the folders in which no picture lies, at any depth, without those within them."""
    nearest = {PurePosixPath(name.rpartition("/")[0]) for name in names}
    filled = {above.as_posix() for one in nearest for above in (one, *one.parents)}
    return [name for name in folders if name not in filled and PurePosixPath(name).parent.as_posix() in filled]


def _header(open_named: Opener, name: str) -> Header | str:
    try:
        return read_header(partial(open_named, name))
    except BROKEN as error:
        return reason_of(error)


def _or_none(read: Callable[[Callable[[], BinaryIO]], T], open_named: Opener, name: str) -> T | None:
    """Read something of a picture; None where it is damaged, which is told when it is decoded."""
    try:
        return read(partial(open_named, name))
    except BROKEN:
        return None


def _labelled(names: Sequence[str], labelled: bool) -> tuple[list[list[str]], list[list[str] | None], list[str]]:
    """Return parts of names, the label words of each part, and notes.

    A chain of single subfolders is descended first. Then train/ beside test/ (or val/) are parts; other subfolders,
    if there are several and no picture is beside them, are labels.
    """
    depth = 0
    while names and len({_top(name, depth) for name in names}) == 1 and _top(names[0], depth):
        depth += 1
    tops = {_top(name, depth).lower() for name in names}
    if tops & TRAIN_NAMES and tops & HELD_OUT_NAMES and tops <= TRAIN_NAMES | HELD_OUT_NAMES:
        train = [name for name in names if _top(name, depth).lower() in TRAIN_NAMES]
        held = [name for name in names if _top(name, depth).lower() in HELD_OUT_NAMES]
        return [train, held], [_words(part, depth + 1) if labelled else None for part in (train, held)], []
    words_here = _words(names, depth) if labelled else None
    mixed = labelled and words_here is None and len(tops) > 1
    notes = ["Pictures lie beside the subfolders, so the subfolders are not used as labels."] if mixed else []
    return [list(names)], [words_here], notes


def _top(name: str, depth: int) -> str:
    """Return the name of a file's parent folder at this depth, "" if it is not that deep."""
    folders = name.split("/", depth + 1)[:-1]
    return folders[depth] if len(folders) > depth else ""


def _words(names: Sequence[str], depth: int) -> list[str] | None:
    words = [sys.intern(_top(name, depth)) for name in names]  # few distinct ones, however many files
    return words if len(set(words)) > 1 and "" not in words else None


def _named(
    words: Sequence[list[str] | None],
) -> tuple[tuple[str, ...], list[NDArray[np.int64] | None], list[str]]:
    """Apply name_labels to the indices of words: an array of a million words takes a million times the longest."""
    known = sorted({word for part in words for word in part or ()})
    number = {word: i for i, word in enumerate(known)}
    return name_labels([None if part is None else np.array([number[word] for word in part]) for part in words], known)


def items_of(names: Sequence[str], open_named: Opener, places: Sequence[int] | None = None) -> Iterator[Item]:
    """Yield the pictures at some places of a list of names, by default all."""
    for place in range(len(names)) if places is None else places:
        yield Item(place, names[place], partial(open_named, names[place]))
