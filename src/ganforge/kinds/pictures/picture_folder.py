"""The files of a folder that a person named: which are pictures, and why the others are not read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures import SUFFIXES

MOST_NAMED = 5  # files that are not pictures
UNREAD = (
    ".heic", ".heif", ".hif", ".jxl", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".raw",
    ".pef", ".srw", ".xcf", ".exr", ".hdr", ".dds", ".pam", ".dcm", ".nii", ".fits",
)  # fmt: skip
"""Pictures that Pillow does not know. It knows more than are read here, such as EPS, which runs programs."""


SYSTEM = ("__MACOSX", "@eaDir")  # folders of an archive and of a file server


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder and its subfolders, but for hidden ones."""

    pictures: list[Path]  # by their names
    left_out: dict[Path, str]  # pictures of other formats, links and folders that cannot be read: why
    others: list[Path]  # by their names

    def note(self) -> str | None:
        """Return a sentence on the files that are not pictures by their names."""
        names = ", ".join(path.name for path in self.others[:MOST_NAMED]) + ", ..." * (len(self.others) > MOST_NAMED)
        what = f"{len(self.others)} files were left alone, for their names are not those of pictures: {names}"
        return what if self.others else None


def list_pictures(source: Path) -> Listing:
    """List the files of a folder, sorted; of a file, itself.

    Raises: DataError if the path does not exist, or has no picture by its name.
    """
    if why := _why_missing(source):
        raise DataError(f"There is nothing at {str(source)!r}.", why, "Give a picture or a folder of pictures.")
    if source.is_file():
        return Listing([source], {}, [])
    if not source.is_dir():
        raise DataError(f"{str(source)!r} is not a file.", do="Give a picture or a folder of pictures.")
    pictures: list[Path] = []
    others: list[Path] = []
    left_out: dict[Path, str] = {}

    def unreadable(error: OSError) -> None:
        left_out[Path(error.filename)] = f"cannot be opened: {error.strerror}"

    for folder, folders, names in os.walk(source, onerror=unreadable):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for path in (Path(folder, name) for name in (*folders, *names) if not is_hidden(name)):
            if why := why_unread(path):
                left_out[path] = why
            elif path.name not in folders:
                (pictures if path.suffix.lower() in SUFFIXES else others).append(path)
    if not pictures:
        raise DataError(
            f"The folder {str(source)!r} holds no pictures that can be read.",
            next(
                (f"{path} {why}." for path, why in left_out.items()),
                f"A picture's name ends in {', '.join(SUFFIXES[:8])} and the like.",
            ),
            "Give a picture or a folder of pictures.",
        )
    return Listing(sorted(pictures), dict(sorted(left_out.items())), sorted(others))


def _why_missing(source: Path) -> str | None:
    try:
        if source.exists():
            return None
    except OSError as error:
        return f"The system says: {error.strerror}."
    return "It is a link that leads nowhere." if source.is_symlink() else "The path does not exist."


def why_unread(path: Path) -> str | None:
    """Return why an entry of a folder is not read although one might expect it."""
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            return "is a link to a folder, which is not followed" if path.is_symlink() else None
        if not path.exists():
            return "is a link that leads nowhere"
        if suffix in SUFFIXES:
            return None if path.is_file() else "is not a file"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    return "is of a format that is not read" if is_unread(suffix) else None


def is_unread(suffix: str) -> bool:
    """Return whether files with this ending, in lower case, hold pictures of a format that is not read."""
    named = Image.MIME.get(Image.registered_extensions().get(suffix, ""), "")
    return suffix in UNREAD or (named.startswith("image/") and suffix not in SUFFIXES)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is not meant for people."""
    return name in SYSTEM or (name.startswith(".") and name.strip(".") != "")
