"""Atomic writing of files and folders, and hashes of what was written."""

from __future__ import annotations

import errno
import hashlib
import json
import lzma
import os
import re
import secrets
import shutil
import struct
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ganforge.errors import InputError, RunError, StorageError

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"  # written last: a folder without it was never finished
MOST_NAME = 100  # bytes of a name within a temporary one: file systems allow 255 in all, encrypted ones 143
_UNFINISHED = re.compile(r"\.(?P<name>.+)\.\d+\.[0-9a-f]{8}(?P<old>\.old)?")  # the temporary names below


def storage_error(path: Path, error: OSError) -> StorageError:
    """Describe the operating system's error."""
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


def is_out_of_room(error: Exception) -> bool:
    """Return whether no other file could be written either: the disk is full, or can only be read."""
    number = getattr(error.__cause__, "errno", None)
    return isinstance(error, StorageError) and number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def refuse_taken(
    place: Path,
    *,
    force: bool,
    replaceable: Callable[[Path], bool] = Path.is_file,
    do: str = "Choose another name, or --force to replace it.",
) -> None:
    """Refuse to write to an existing path; an empty folder is free where folders are replaceable.

    Args: force replaces the path if it is replaceable: by default a file and never a folder; do: what to do instead.
    Raises: InputError.
    """
    if not place.exists() or (replaceable is not Path.is_file and place.is_dir() and not any(place.iterdir())):
        return
    if not replaceable(place):
        what = f"{str(place)!r} is a {'folder' if place.is_dir() else 'file'} that this command did not write."
        raise InputError(what, "Its content would be lost.", "Choose another name.")
    if not force:
        raise InputError(f"{str(place)!r} exists already.", "Nothing is overwritten by itself.", do)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a temporary file and a rename, so that a reader sees the old or the new one.

    Raises: StorageError if it cannot be written; the old file is then untouched.
    """
    write_through(path, lambda file: file.write(content))


def write_through(path: Path, fill: Callable[[IO[bytes]], object]) -> None:
    """Write a file like `write_whole`, if too large for memory: `fill` writes the content into the file it is given.

    Raises: StorageError; what `fill` raises. The old file is then untouched.
    """
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:  # Ctrl-C ends here too
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """Return a new name beside a path, for what is not finished. Of a long name it holds the beginning."""
    return path.with_name(f".{_beginning(path.name)}.{os.getpid()}.{secrets.token_hex(4)}")


def _beginning(name: str) -> str:
    while len(os.fsencode(name)) > MOST_NAME:
        name = name[:-1]
    return name


def append_line(path: Path, line: str) -> None:
    """Append one line and hand it to the operating system at once, so that a killed process loses nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() and not _ends_with_newline(path):
                file.write("\n")  # the line before was cut short by a crash: keep it from swallowing this one
            file.write(line + "\n")
    except OSError as error:
        raise storage_error(path, error) from error


def write_folder(folder: Path, fill: Callable[[Path], object]) -> None:
    """Write a folder whole or not at all: a temporary folder, a sha256 manifest last, fsync, rename.

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
        sync_folder(temporary)

    write_tree(folder, fill_and_sign)


def write_tree(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder with subfolders whole or not at all. It has no manifest: it belongs to a person.

    Args: fill writes into the empty folder it is given. An existing `folder` is replaced.
    Raises: StorageError if it cannot be written; an existing folder is then untouched. After a kill: as `write_folder`.
    """
    temporary = temporary_name(folder)
    old = temporary.with_name(temporary.name + ".old")
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        if folder.exists():
            folder.replace(old)
        temporary.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:  # Ctrl-C ends here too
        if old.exists() and not folder.exists():
            old.replace(folder)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder whole or not at all: what a kill leaves of it has a temporary name."""
    doomed = temporary_name(folder)
    with suppress(OSError):  # a file that stays is not a reason to stop
        folder.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written anywhere in a folder. Only while nobody else writes there.

    A folder that was set aside for a new one which never took its place is put back.
    """
    found = [(path, match) for path in folder.rglob(".*") if (match := _UNFINISHED.fullmatch(path.name))]
    for path, match in found:
        place = path.with_name(match["name"])
        if match["old"] and path.is_dir() and not place.exists():
            path.replace(place)
        else:
            _remove(path)


def remove_leftovers_of(place: Path) -> None:
    """Remove what killed processes left half-written, or half-removed, of one file or folder, from beside it.

    Only while nobody else writes it. A folder that was set aside for a new one stays.
    """
    for path in place.parent.glob(".*"):
        match = _UNFINISHED.fullmatch(path.name)
        if match and match["name"] == _beginning(place.name) and not match["old"]:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def unfinished_name(name: str) -> str | None:
    """Return the final name of a file or folder from its temporary name; None if it is not a temporary name."""
    match = _UNFINISHED.fullmatch(name)
    return match["name"] if match else None


def check_folder(folder: Path) -> None:
    """Check every file of a folder written by `write_folder` against its manifest, and the manifest against its
    only valid text, so that no byte of the folder can change unseen.

    Hidden files do not count: file managers leave some, such as .DS_Store, in every folder that a person opens.
    Raises: RunError naming the file that is missing, added, changed, or not a plain file of this folder.
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
    """Read a manifest. Raises: RunError unless it is just what `write_folder` writes."""
    try:
        content = read_json_file(folder / MANIFEST)
        if not isinstance(content, dict) or _manifest(content) != (folder / MANIFEST).read_bytes():
            raise ValueError("it is not as it was written")
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} has no readable {MANIFEST}.", "It was never finished or is damaged.") from error
    return content


def _manifest(digests: Mapping[str, object]) -> bytes:
    """Return the text of a manifest: sorted names, two blanks, one newline at the end."""
    return (json.dumps(dict(sorted(digests.items())), indent=2) + "\n").encode()


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    if os.name == "nt":  # Windows opens no folder, and writes a rename down by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


MOST_BYTES = 32 * 2**20  # of one file: what Python makes of the densest such text is below 2 GB
MOST_LINE = 2**20  # bytes of one line: a longer one is taken for several, none of which is JSON
MOST_CONTAINERS = 1_000_000  # objects and lists: each takes Python 60 bytes or more, and a text two
DEEPEST = 64  # nested objects and lists: code that walks them later recurses as often
MOST_DIGITS = 40  # of a whole number: seeds may have more than 64 bits, and all of them are still finite as floats


def read_json_file(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Read a JSON file. Raises: ValueError in words; OSError if it cannot be read."""
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)  # never more, whatever the file's size is said to be
    if len(content) > most_bytes:
        raise ValueError(f"it has more than {most_bytes:,} bytes")
    return parse_json(content)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read the JSON objects of a .jsonl file. A line that a crash cut short, or that is not ours, is left out.

    Raises: RunError if it cannot be read.
    """
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return found
    try:
        with path.open("rb") as file:
            while line := file.readline(MOST_LINE):
                with suppress(ValueError):
                    content = parse_json(line)
                    if isinstance(content, dict):
                        found.append(content)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.", do="Check its permissions.") from error
    return found


def parse_json(content: bytes | str) -> Any:
    """Parse a JSON text; NaN and Infinity are allowed, since a run that goes wrong writes them.

    Raises: ValueError in words if it is not JSON, not UTF-8, nested deeper than DEEPEST, has a key twice, a whole
        number of more than MOST_DIGITS digits, or more than MOST_CONTAINERS objects and lists.
    """
    text = content if isinstance(content, str) else content.decode("utf-8")
    if text.count("[") + text.count("{") > MOST_CONTAINERS:
        raise ValueError(f"it has more than {MOST_CONTAINERS:,} objects and lists")
    try:
        parsed = json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST}") from None
    level, deep = [parsed], 0
    while level := [part for part in level if isinstance(part, dict | list)]:
        deep += 1
        if deep > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):  # another reader might take the other value
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has the key {twice[:40]!r} twice")
    return content


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it has a whole number of {len(digits):,} digits")
    return int(digits)


# ValueError covers pyarrow.ArrowInvalid and UnicodeDecodeError; a RuntimeError is an encrypted zip entry; a
# NotImplementedError an unknown compression; a TokenError the header of an .npy, which numpy tries to read as Python 2
# wrote it; a MemoryError an array of impossible shape. An OSError must not get through: core.files would say that
# writing failed.
DAMAGED = (
    OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError,
    RuntimeError, tokenize.TokenError, MemoryError,
)  # fmt: skip


# ---- what kinds of data need to know about a Parquet file before one of them opens it --------------------------------


def encoded_columns(path: Path) -> list[str] | None:
    """Return the columns that hold bytes, alone or in a struct, like encoded pictures; None if it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (*DAMAGED, pa.ArrowException):
        return None
    return [field.name for field in schema if is_encoded(field.type)]


def is_encoded(column: pa.DataType) -> bool:
    """Return whether a column's type is bytes, or a struct with bytes in it."""
    import pyarrow as pa

    if pa.types.is_struct(column):
        return any(is_encoded(column.field(place).type) for place in range(column.num_fields))
    return bool(pa.types.is_binary(column) or pa.types.is_large_binary(column))
