"""The files of a folder that a person named: which are pictures, and why the others are not read."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ganforge.core.conversion import Listing, Sought, list_files
from ganforge.kinds.pictures import SUFFIXES

UNREAD = (
    ".heic", ".heif", ".hif", ".jxl", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".raw",
    ".pef", ".srw", ".xcf", ".exr", ".hdr", ".dds", ".pam", ".dcm", ".nii", ".fits",
)  # fmt: skip
"""Pictures that Pillow does not know. It knows more than are read here, such as EPS, which runs programs."""


def is_unread(suffix: str) -> bool:
    """Return whether files with this ending, in lower case, hold pictures of a format that is not read."""
    named = Image.MIME.get(Image.registered_extensions().get(suffix, ""), "")
    return suffix in UNREAD or (named.startswith("image/") and suffix not in SUFFIXES)


PICTURES = Sought("picture", "pictures", SUFFIXES, is_unread)


def list_pictures(source: Path) -> Listing:
    """List the pictures of a folder. Raises: DataError if there is none (core/conversion.py)."""
    return list_files(source, PICTURES)
