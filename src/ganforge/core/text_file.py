"""Text files of any encoding."""

from __future__ import annotations

import codecs
from pathlib import Path

from ganforge.errors import DataError

WIDE_MARKS = {  # at the beginning of a file -> its encoding; a mark of UTF-32 begins like one of UTF-16
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
FALLBACK = "cp1252"  # of a file without a mark that is not UTF-8


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding: that of its mark, else UTF-8, else FALLBACK.

    Raises: DataError if it cannot be read, or holds zero bytes, which no text does.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.", "A text was expected there.") from error
    marks = {**WIDE_MARKS, codecs.BOM_UTF8: "utf-8-sig"}
    encoding = next((name for mark, name in marks.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, encoding = content.decode(FALLBACK, errors="replace"), FALLBACK
    if "\0" in text:
        raise DataError(f"{str(path)!r} is not a text.", "It holds zero bytes.", "Give a text file in UTF-8.")
    return text, encoding
