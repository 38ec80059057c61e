"""What the standard library, numpy, pandas and pyarrow raise on damaged files."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib

# ValueError covers pyarrow.ArrowInvalid and UnicodeDecodeError; a RuntimeError is an encrypted zip entry; a
# NotImplementedError an unknown compression; a TokenError the header of an .npy, which numpy tries to read as Python 2
# wrote it; a MemoryError an array of impossible shape. An OSError must not get through: core.files would say that
# writing failed.
DAMAGED = (
    OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError,
    RuntimeError, tokenize.TokenError, MemoryError,
)  # fmt: skip
