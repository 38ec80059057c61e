"""A run folder or a single file as one stream of bytes, and back. The stream may be a stranger's.

of each file and folder, the outermost first   4 bytes with the length of an Entry, the Entry as JSON, the content
at the end                                     4 bytes with 0
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from ganforge.core.files import parse_json, sync_folder
from ganforge.errors import RunError

BLOCK = 2**20
MOST_ENTRY = 64 * 2**10  # bytes of an Entry: its path has 4,096 at most
LATEST = 2**62  # nanoseconds: the year 2116
LENGTH = struct.Struct(">I")
ROOT = "."


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of a tree, without its content."""

    path: str  # from the tree's outermost folder, with /; of that folder, or of a file alone, "."
    kind: Literal["file", "folder"]
    size: int  # bytes of the content
    mode: int  # permissions
    mtime_ns: int


def entries_of(root: Path, leave: frozenset[str] = frozenset()) -> list[Entry]:
    """Return everything in a folder, sorted, itself first; or a file alone.

    Args: leave names directly within the folder that are left out.
    Raises: RunError for anything but plain files and folders, or if something cannot be read.
    """

    def stop(error: OSError) -> None:
        raise error

    try:
        whole = _entry(ROOT, root)  # of a file alone, os.walk finds nothing
        walked = os.walk(root, onerror=stop if whole.kind == "folder" else None)
        paths = sorted(Path(folder, name) for folder, *names in walked for name in (*names[0], *names[1]))
        inner = [(path.relative_to(root).as_posix(), path) for path in paths]
        return [whole, *(_entry(name, path) for name, path in inner if name not in leave)]
    except OSError as error:
        raise unreadable(root, error) from error


def _entry(name: str, path: Path) -> Entry:
    found = path.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return Entry(name, "folder", 0, mode, 0)  # its time changes with every file within
    if stat.S_ISREG(found.st_mode):
        return Entry(name, "file", found.st_size, mode, found.st_mtime_ns)
    what = "a link" if path.is_symlink() else "not a plain file"
    raise RunError(f"{path} is {what}.", "It may lead out of the folder.", "Put there what it leads to, or remove it.")


def unreadable(path: Path, error: OSError) -> RunError:
    """Describe the system's error for something that cannot be read."""
    return RunError(f"{path} cannot be read.", f"The system says: {error.strerror}.", "Check its permissions.")


def pack(root: Path, entries: list[Entry], write: Callable[[bytes], object]) -> None:
    """Write a tree. Raises: RunError if a file cannot be read, or no longer has the size that its entry says."""
    for entry in entries:
        about = json.dumps(asdict(entry)).encode()
        write(LENGTH.pack(len(about)) + about)
        if entry.kind == "file":
            for block in _blocks(root / entry.path, entry.size):
                write(block)
    write(LENGTH.pack(0))


def _blocks(path: Path, size: int) -> Iterator[bytes]:
    left = size
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                left -= len(block)
                if left >= 0:
                    yield block
    except OSError as error:
        raise unreadable(path, error) from error
    if left:
        raise RunError(f"{path} changed while it was read.", "Somebody writes to it.", "Try again once it is quiet.")


class Packed:
    """A reader of what `pack` wrote. Args: read(n) gives at most n bytes, none at the end; name for messages."""

    def __init__(self, read: Callable[[int], bytes], name: str) -> None:
        self._read, self._name = read, name

    def root(self) -> Entry:
        """Return the first entry. Raises: RunError unless it is of the outermost folder or of a file alone."""
        entry = self._entry()
        if entry is None or entry.path != ROOT:
            raise self.refused("its first entry is not that of the whole")
        return entry

    def check(self, root: Entry) -> None:
        """Read everything after `root` and keep nothing. Raises: RunError where it cannot be unpacked."""
        for entry, blocks in self._contents(root):
            if entry is not root:
                _parts(entry.path, self)
            for _ in blocks:
                pass

    def fill_file(self, root: Entry, file: IO[bytes]) -> None:
        """Write the content of a file alone. Nobody else can read it meanwhile."""
        path = Path(file.name)
        path.chmod(0o600)
        for _, blocks in self._contents(root):
            file.writelines(blocks)
        file.flush()
        _finish(path, root)

    def fill_folder(self, root: Entry, folder: Path) -> None:
        """Write a tree into an empty folder, which nobody else can read meanwhile, and have it written to the disk."""
        folder.chmod(0o700)
        folders = [(folder, root)]
        for entry, blocks in self._contents(root):
            path = folder.joinpath(*_parts(entry.path, self))
            try:
                if entry.kind == "folder":
                    path.mkdir(0o700)
                    folders.append((path, entry))
                    continue
                file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o600), "wb")
            except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
                raise self.refused(f"{entry.path!r} is in it twice, or without its folder") from error
            with file:
                file.writelines(blocks)
                file.flush()
                os.fsync(file.fileno())
            _finish(path, entry)
        for path, entry in reversed(folders):
            sync_folder(path)
            path.chmod(entry.mode | 0o700)

    def refused(self, why: str) -> RunError:
        """Return the error for a stream that `pack` did not write. Args: why, after "it cannot be unlocked"."""
        do = "Ask whoever locked it for another one."
        return RunError(f"{self._name} cannot be unlocked: {why}.", "ganforge did not write it so.", do)

    def _contents(self, root: Entry) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield each entry with its content, which is to be read before the next one; the root only if it is a file."""
        if root.kind == "file":
            yield root, self._content(root.size)
        while (entry := self._entry()) is not None:
            if root.kind == "file":
                raise self.refused("it holds more than the one file that it should")
            yield entry, self._content(entry.size)
        if self._read(1):
            raise self.refused("something follows its end")

    def _content(self, size: int) -> Iterator[bytes]:
        while size:
            block = self._read(min(size, BLOCK))
            if not block:
                raise self.refused("its end is missing")
            size -= len(block)
            yield block

    def _entry(self) -> Entry | None:
        """Read the next entry; None at the end."""
        (length,) = LENGTH.unpack(b"".join(self._content(LENGTH.size)))
        if not length:
            return None
        if length > MOST_ENTRY:
            raise self.refused("the name of a file is too long")
        try:
            entry = Entry(**parse_json(b"".join(self._content(length))))
        except (ValueError, TypeError) as error:
            raise self.refused("an entry cannot be read") from error
        numbers = (entry.size, entry.mode, entry.mtime_ns)
        sound = isinstance(entry.path, str) and all(type(each) is int and abs(each) < LATEST for each in numbers)
        sizes = {"file": range(LATEST), "folder": range(1)}
        if not sound or entry.kind not in sizes or entry.size not in sizes[entry.kind]:
            raise self.refused("an entry is neither a file nor a folder")
        return entry


BINARY = getattr(os, "O_BINARY", 0)  # of Windows


def _parts(path: str, packed: Packed) -> list[str]:
    """Return the names in a path. Raises: RunError if it could lead out of its folder."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part or Path(part).name != part for part in parts):
        raise packed.refused(f"the path {path[:100]!r} may lead out of the folder")
    return parts


def _finish(path: Path, entry: Entry) -> None:
    with suppress(OSError):  # a file system that knows no permissions, or no such time
        path.chmod(entry.mode & 0o777)
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
