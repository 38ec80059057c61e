"""One file that holds a few others: a zip archive without compression, with a sha256 of each, whole or not at all.

Nothing is ever unpacked to a place that the file names: members are read into memory by the names that are expected.
Without compression no member is larger than the file itself.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO

from ganforge.core.files import MANIFEST, parse_json, refuse_taken, write_through
from ganforge.errors import InputError

MOST_BYTES = 2**31  # of one member
_MOMENT = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same content gives the same file
_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile)


def write_bundle(path: str | Path, members: Mapping[str, bytes], *, force: bool = False) -> Path:
    """Writes members, name -> content, and a manifest of their sha256 as one file.

    Raises: InputError if something is there already, unless force is given to replace a file; StorageError.
    """
    place = Path(path).expanduser()
    refuse_taken(place, force=force, do="Choose another name, or force=True to replace it.")
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    whole = {**members, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}

    def fill(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in whole.items():
                archive.writestr(zipfile.ZipInfo(name, _MOMENT), content)

    write_through(place, fill)
    return place


def read_bundle(path: str | Path, names: Collection[str], most_bytes: int = MOST_BYTES) -> dict[str, bytes]:
    """The members of a file that `write_bundle` wrote with just these names.

    Args: most_bytes that one member may have.
    Raises: InputError if there is no such file, or it is damaged, or holds anything else or anything too large.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise InputError(f"There is no file at {str(path)!r}.", do="Give the path that `save` was given.")
    try:
        with zipfile.ZipFile(place) as archive:
            _check_members(path, archive.infolist(), {*names, MANIFEST}, most_bytes)
            members = {name: archive.read(name) for name in names}
            manifest = parse_json(archive.read(MANIFEST))
    except _DAMAGED as error:
        raise _damaged(path, f"{error}") from error
    for name, content in members.items():
        if not isinstance(manifest, dict) or manifest.get(name) != hashlib.sha256(content).hexdigest():
            raise _damaged(path, f"the sha256 of {name} is not what was written")
    return members


def _check_members(
    path: str | Path, members: Collection[zipfile.ZipInfo], expected: Collection[str], most_bytes: int
) -> None:
    found = sorted(member.filename for member in members)
    if found != sorted(expected):
        raise InputError(
            f"{str(path)!r} is no saved model: it holds {', '.join(found[:5]) or 'nothing'}.",
            f"A saved model holds {', '.join(sorted(expected))}, each once, and nothing else.",
            "Give a file that `save` wrote.",
        )
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise InputError(
                f"{str(path)!r} is no saved model: {member.filename} is compressed.",
                "A saved model is stored as it is.",
                "Give a file that `save` wrote.",
            )
        if member.file_size > most_bytes:
            raise InputError(
                f"{str(path)!r} holds {member.filename} of {member.file_size:,} bytes.",
                f"No more than {most_bytes:,} are read.",
                "Give a file that `save` wrote.",
            )


def _damaged(path: str | Path, why: str) -> InputError:
    return InputError(f"{str(path)!r} cannot be read: {why.removesuffix('.')}.", "It is damaged.", "Save it again.")
