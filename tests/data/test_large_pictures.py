"""Pictures that a person named may be as large as memory allows; those of a data set stay guarded."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures import picture_file
from ganforge.kinds.pictures.invert.inversion import loose_pictures
from ganforge.kinds.pictures.picture_file import assemble, check_size, open_picture, write_picture
from ganforge.kinds.pictures.reading import decode
from ganforge.kinds.pictures.reading.folder import open_in

GIB = 2**30


def with_memory(patch: pytest.MonkeyPatch, size: float) -> None:
    patch.setattr(decode, "memory_bytes", lambda: int(size))


def flat(path: Path, width: int, height: int, mode: str = "1") -> Path:
    Image.new(mode, (width, height)).save(path)
    return path


@pytest.fixture
def pillows_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """As if Pillow refused pictures of more than 1,000 pixels, and warned of more than 500."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    return 500


@pytest.mark.slow
def test_a_photo_of_twelve_thousand_by_nine_thousand_pixels_is_read_and_written(tmp_path: Path) -> None:
    given = open_picture(flat(tmp_path / "a.png", 12_000, 9_000), 1, lightness=True)
    assert given.pixels.shape == (9_000, 12_000, 1)
    write_picture(assemble(given, given.pixels, keep_grey=True), tmp_path / "b.png", given)
    with pytest.raises(Image.DecompressionBombWarning):  # which is what Pillow thinks of it
        Image.open(tmp_path / "b.png")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.webp", "a.bmp", "a.gif", "a.pbm", "a.tga", "a.jp2"])
def test_what_a_person_names_may_be_larger_than_pillows_limit(name: str, tmp_path: Path, pillows_limit: int) -> None:
    flat(tmp_path / name, 60, 40, "L")
    assert open_picture(tmp_path / name, 3, lightness=False).pixels.shape == (40, 60, 3)
    names, pixels, skipped = loose_pictures([tmp_path / name], (1, 8, 8))
    assert (len(names), pixels.shape, skipped) == (1, (1, 1, 8, 8), [])
    assert pillows_limit == Image.MAX_IMAGE_PIXELS


def test_pictures_of_a_data_set_stay_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST_PIXELS", 2_000)
    flat(tmp_path / "a.png", 60, 40)
    with pytest.raises(decode.UnusableError, match=r"60 x 40 is more than 2,000 pixels \(a decompression bomb"):
        decode.read_header(partial(open_in, tmp_path, "a.png"))
    assert open_picture(tmp_path / "a.png", 1, lightness=False).pixels.shape == (40, 60, 1)


def test_what_does_not_fit_into_half_of_memory_is_refused_with_its_pixels_and_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = bytearray(flat(tmp_path / "a.png", 8, 8).read_bytes())
    header[16:24] = struct.pack(">II", 50_000, 40_000)  # the sum over the header is wrong now, so:
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    (tmp_path / "bomb.png").write_bytes(header)
    with_memory(monkeypatch, 16 * GIB)
    with pytest.raises(DataError, match=r"its 50,000 x 40,000 pixels take 41.0 GiB of memory, and half .* is 8.0 GiB"):
        open_picture(tmp_path / "bomb.png", 3, lightness=False)
    with pytest.raises(DataError, match=r"take 424.7 GiB"):
        open_picture(tmp_path / "bomb.png", 4, lightness=False, made_bytes=224)
    with pytest.raises(DataError, match="50,000 x 40,000 pixels"):
        loose_pictures([tmp_path / "bomb.png"], (1, 8, 8))
    assert Image.MAX_IMAGE_PIXELS is not None


def test_the_limit_is_what_fits_and_a_larger_result_needs_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flat(tmp_path / "a.png", 100, 100)
    with_memory(monkeypatch, 2 * 100 * 100 * decode.READ_BYTES)
    assert open_picture(path, 1, lightness=False).pixels.shape == (100, 100, 1)
    with pytest.raises(DataError, match="100 x 100 pixels"):
        open_picture(path, 1, lightness=False, made_bytes=decode.READ_BYTES)
    with_memory(monkeypatch, 2 * 100 * 100 * decode.READ_BYTES - 2)
    with pytest.raises(DataError, match="100 x 100 pixels"):
        open_picture(path, 1, lightness=False)


def test_a_picture_within_a_file_is_not_larger_than_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = io.BytesIO()
    Image.new("1", (60, 40)).save(inner, "PNG")
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner.getvalue()), 22)
    (tmp_path / "a.ico").write_bytes(b"\0\0\1\0\1\0" + entry + inner.getvalue())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(DataError, match="bomb"):
        open_picture(tmp_path / "a.ico", 3, lightness=False)


def test_a_format_that_cannot_hold_the_result_says_so_and_names_another() -> None:
    check_size(Path("a.jpg"), 65_500, 10)
    check_size(Path("a.png"), 70_000, 70_000)
    for name, width, words in (
        ("a.jpg", 65_501, "JPEG holds 65,500 a side"),
        ("a.webp", 16_384, "WEBP holds 16,383 a side"),
        ("a.tif", 60_000, "TIFF holds 4 GiB"),
    ):
        with pytest.raises(InputError, match=rf"{words}. Use .png"):
            check_size(Path(name), width, 20_000)


MEASURED = """
import os, sys
from pathlib import Path
import numpy as np
from PIL import Image
from ganforge.kinds.pictures.image_to_image import in_tiles
from ganforge.kinds.pictures.picture_file import assemble, open_picture, write_picture

folder, side = Path(sys.argv[1]), int(sys.argv[2])

def field(name):
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])

def peak(work):  # in a fork, so that what is freed and kept by this process does not count
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            Path("/proc/self/clear_refs").write_text("5")
            before = field("VmRSS")
            work()
            os.write(writing, str(field("VmHWM") - before).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.wait()
    return int(os.read(reading, 100))

def make():
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 4), np.uint8)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(noise).save(folder / "a.png", compress_level=0, exif=exif)

def apply():
    given = open_picture(folder / "a.png", 3, lightness=True)
    made = in_tiles(lambda x: x, given.pixels, reach=0)
    write_picture(assemble(given, made, keep_grey=True), folder / "b.jpg", given)

peak(make)
print(peak(lambda: open_picture(folder / "a.png", 1, lightness=True)), peak(apply))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_no_more_memory_is_taken_than_is_reckoned_with(tmp_path: Path) -> None:
    """A turned picture with transparency through a grey model and a coloured one takes the most."""
    side = 1_600
    words = [sys.executable, "-c", MEASURED, str(tmp_path), str(side)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    read, made = (int(word) / side**2 for word in printed.split())
    floor = 24 * 2**20 / side**2  # of codecs, their tables and the heap, whatever the size
    assert 12 < read <= decode.READ_BYTES + floor
    assert 8 < made <= max(decode.READ_BYTES, 3 + picture_file.MADE_BYTES) + floor
