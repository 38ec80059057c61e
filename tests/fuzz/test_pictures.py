"""Pictures from anybody: a damaged one is skipped with its reason or refused in words, and none fills the memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bytes_like, fuzzed
from PIL import Image

from ganforge.errors import DataError, GanforgeError
from ganforge.kinds.pictures.reading.decode import BROKEN, Item, decoded, look_of, quiet_pillow, read_header, reason_of
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.part import Target
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.reports.blocks import picture

TARGET = Target(8, 8, 3)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 4), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels).convert(mode)
    exif = Image.Exif()
    exif[274], exif[270] = 6, "a text"  # turned, described
    more = {"exif": exif} if kind in ("PNG", "JPEG", "WEBP") else {}
    image.save(file, kind, **more, **options)
    return file.getvalue()


FILES = {
    "PNG": encoded("PNG"),
    "PNG with a palette": encoded("PNG", "P"),
    "PNG with alpha": encoded("PNG", "LA"),
    "JPEG": encoded("JPEG"),
    "JPEG in stages": encoded("JPEG", progressive=True),
    "WEBP": encoded("WEBP", "RGBA"),
    "GIF": encoded("GIF", "P"),
    "BMP": encoded("BMP"),
    "TIFF": encoded("TIFF"),
    "TIFF packed": encoded("TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", FILES)
@fuzzed(40)
@given(data=st.data())
def test_a_damaged_picture_is_read_or_skipped_with_a_reason(tmp_path: Path, kind: str, data: Any) -> None:
    content = data.draw(bytes_like(FILES[kind]))
    opened = partial(io.BytesIO, content)
    with quiet_pillow():
        for look in (read_header, look_of):
            try:
                look(opened)
            except BROKEN as error:
                assert reason_of(error)
    (block,) = decoded([Item(0, "x", opened)], TARGET)
    assert len(block.pixels) + len(block.failed) == 1
    (tmp_path / "x.png").write_bytes(content)
    picture(tmp_path / "x.png")  # of a report: there or None


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


PIXELS = chunk(b"IDAT", zlib.compress(bytes((1 + 3 * 16) * 16)))
TEXT = zlib.compress(bytes(50_000_000))
BOMBS = {
    "of 2**31 pixels a side": png(2**31 - 1, 2**31 - 1, PIXELS),
    "of 60,000 pixels a side": png(60_000, 60_000, chunk(b"IDAT", zlib.compress(bytes(10**6)))),
    "whose texts unpack to 5 GB": png(16, 16, *(chunk(b"zTXt", b"a\x00\x00" + TEXT) for _ in range(100)), PIXELS),
    "whose colour profile unpacks to 50 MB": png(16, 16, chunk(b"iCCP", b"a\x00\x00" + TEXT), PIXELS),
    "whose pixels unpack to 1 GB more than it has": png(
        16, 16, chunk(b"IDAT", zlib.compress(bytes((1 + 3 * 16) * 16)) + zlib.compress(bytes(10**8)) * 10)
    ),
    "that is PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n",
}

BOUNDED = """
import resource, sys
from pathlib import Path
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.decode import Item, decoded
from ganforge.kinds.pictures.reading.part import Target
from ganforge.reports.blocks import picture

list(decoded([Item(0, "x", lambda: open(sys.argv[1], "rb"))], Target(8, 8, 3)))  # threads and libraries are there
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)
for path in sys.argv[2:]:
    (block,) = decoded([Item(0, "x", lambda: open(path, "rb"))], Target(8, 8, 3))
    print(len(block.failed), picture(Path(path)) is None)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the addresses of a process")
def test_no_picture_takes_more_than_600_megabytes(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(FILES["PNG"])
    paths = []
    for number, content in enumerate(BOMBS.values()):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(content)
    command = [sys.executable, "-c", BOUNDED, str(tmp_path / "good.png"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answers = dict(zip(BOMBS, done.stdout.splitlines(), strict=True))
    for what in ("of 2**31 pixels a side", "of 60,000 pixels a side", "that is PostScript"):
        assert answers[what] == "1 True", answers


@fuzzed(60)
@given(data=st.data())
def test_a_damaged_file_of_an_array_is_read_or_refused_in_words(tmp_path: Path, data: Any) -> None:
    kind = data.draw(st.sampled_from(("npy", "npz", "packed.npz", "zip")))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, pixels)
    elif kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            for number in range(30):
                archive.writestr(f"{number % 2}/{number}.png", FILES["PNG"])
    else:
        save = np.savez_compressed if kind.startswith("packed") else np.savez
        save(file, x=pixels, y=np.arange(30) % 2)
    path = tmp_path / f"x.{kind}"
    path.write_bytes(data.draw(bytes_like(file.getvalue())))
    try:
        open_pictures(survey(str(path)), size=(8, 8))
    except GanforgeError as error:
        assert str(error)


@pytest.mark.parametrize(
    "header", ["{'descr\xb4~", "{'descr': '|u1', 'fortran_order': False, 'shape': (10**14, 8, 8)}", "(" * 5000]
)
def test_a_header_of_an_array_that_numpy_cannot_parse_is_refused_in_words(tmp_path: Path, header: str) -> None:
    text = header.replace("10**14", str(10**14)).encode("latin-1") + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(6400))
    with pytest.raises(DataError):
        survey(str(tmp_path / "x.npy"))
