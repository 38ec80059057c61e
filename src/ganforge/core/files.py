"""Files that are written whole or not at all, and hashes of what was written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from ganforge.core.json_file import read_json_file
from ganforge.errors import RunError, StorageError

MANIFEST = "manifest.json"  # written last: a folder without it was never finished
_UNFINISHED = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{8}(?P<old>\.old)?")  # the temporary names below


def storage_error(path: Path, error: OSError) -> StorageError:
    """The operating system's refusal in words."""
    what = f"{path} could not be written."
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StorageError(what, "The disk is full.", "Free some space, then go on.")
        case errno.EFBIG:
            return StorageError(what, "A file may not get that large here.", "Raise the limit (ulimit -f), then go on.")
        case errno.EROFS:
            return StorageError(what, "The disk can only be read.", "Mount it for writing, or use another folder.")
        case errno.EIO:
            return StorageError(what, "The disk did not answer as it should.", "Check the disk, then go on.")
    reason = f"The system says: {error.strerror or error}."
    return StorageError(f"{path} could not be written.", reason, "Check the folder and its permissions.")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file through a temporary neighbour and a rename, so that a reader sees the old or the new one.

    Raises: StorageError if it cannot be written; the old file is then untouched.
    """
    write_through(path, lambda file: file.write(content))


def write_through(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """As `write_whole`, for what is too large for memory: `fill` writes the content into the file that it is given.

    Raises: StorageError; what `fill` raises. The old file is then untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:  # Ctrl-C ends here too
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Appends one line and hands it to the operating system at once, so that a killed process loses nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() and not _ends_with_newline(path):
                file.write("\n")  # the line before was cut short by a crash: keep it from swallowing this one
            file.write(line + "\n")
    except OSError as error:
        raise storage_error(path, error) from error


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Writes a folder whole or not at all: a temporary neighbour, a sha256 manifest last, fsync, rename.

    Args: fill writes the files into the empty folder it is given. An existing `folder` is replaced.
    Raises: StorageError if it cannot be written; an existing folder is then untouched. A kill between the last two
    renames leaves the existing folder under its temporary name, from which `remove_leftovers` takes it back.
    """

    def fill_and_sign(temporary: Path) -> None:
        fill(temporary)
        names = sorted(file.name for file in temporary.iterdir())
        manifest = {name: sha256_of(temporary / name) for name in names}
        (temporary / MANIFEST).write_bytes(_manifest(manifest))
        for name in (*names, MANIFEST):
            with (temporary / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(temporary)

    write_tree(folder, fill_and_sign)


def write_tree(folder: Path, fill: Callable[[Path], None]) -> None:
    """Writes a folder with subfolders whole or not at all. It has no manifest: it is a person's, not ours to check.

    Args: fill writes into the empty folder it is given. An existing `folder` is replaced.
    Raises: StorageError if it cannot be written; an existing folder is then untouched. After a kill: as `write_folder`.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    old = temporary.with_name(temporary.name + ".old")
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
        _sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:  # Ctrl-C ends here too
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder whole or not at all: what a kill leaves of it has a temporary name."""
    doomed = folder.with_name(f".{folder.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with suppress(OSError):  # one file too many is no reason to stop
        folder.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes left half-written anywhere in a folder. Only while nobody else writes there.

    A folder that was set aside for a new one which never took its place is put back.
    """
    found = [(path, match) for path in folder.rglob(".*") if (match := _UNFINISHED.fullmatch(path.name))]
    for path, match in found:
        place = path.with_name(match["name"])
        if match["old"] and path.is_dir() and not place.exists():
            path.replace(place)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def unfinished_name(name: str) -> str | None:
    """The name that a file or folder would have got whose temporary name this is; None if it is no temporary name."""
    match = _UNFINISHED.fullmatch(name)
    return match["name"] if match else None


def check_folder(folder: Path) -> None:
    """Checks every file of a folder written by `write_folder` against its manifest, and the manifest against the one
    text that says what it says, so that no byte of the folder can change unseen.

    Hidden files do not count: file managers leave such as .DS_Store in every folder that a person looks at.
    Raises: RunError naming the file that is missing, added, changed, or no plain file of this folder.
    """
    try:
        present = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        for name in sorted(present):  # before any is opened: a link may lead elsewhere, and a pipe never ends
            if (folder / name).is_symlink() or not (folder / name).is_file():
                raise RunError(f"{folder / name} is no plain file.", "A link may lead out of the folder.", "Remove it.")
        manifest = _read_manifest(folder)
        if present - {MANIFEST} != set(manifest):
            raise RunError(f"{folder} does not hold the files that its {MANIFEST} lists.", "It is damaged.")
        for name, digest in manifest.items():
            if sha256_of(folder / name) != digest:
                raise RunError(f"{folder / name} is not what was written: its sha256 differs.", "The file is damaged.")
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}.", "It is damaged or not permitted.") from error


def _read_manifest(folder: Path) -> dict[str, str]:
    """Raises: RunError unless it is just what `write_folder` writes."""
    try:
        content = read_json_file(folder / MANIFEST)
        if not isinstance(content, dict) or _manifest(content) != (folder / MANIFEST).read_bytes():
            raise ValueError("it is not as it was written")
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} has no readable {MANIFEST}.", "It was never finished or is damaged.") from error
    return content


def _manifest(digests: Mapping[str, object]) -> bytes:
    """The one text of a manifest: sorted names, two blanks, one newline at the end."""
    return (json.dumps(dict(sorted(digests.items())), indent=2) + "\n").encode()


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
