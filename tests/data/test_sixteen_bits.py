"""Colours of 16 bits, and other values that Pillow takes for something else, are read by the range of the whole set."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures.picture_file import open_picture
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import Reading

RNG = np.random.default_rng(16)
TWELVE = RNG.integers(0, 4096, (16, 21, 4)).astype(np.uint16)
TWELVE[..., 3] = 65535  # opaque
WANTED = np.rint(TWELVE[..., :3] * np.float32(255 / 4095)).astype(np.uint8)


def deep_png(pixels: np.ndarray, orientation: int = 1) -> bytes:
    """A PNG of 16 bits a colour, which Pillow does not write. Args: pixels (H, W, 3 or 4)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    values = np.frombuffer(pixels.astype(">u2").tobytes(), np.uint8).reshape(height, -1)
    along = values.copy()
    along[:, 2 * channels :] -= values[:, : -2 * channels]
    rows = zlib.compress(b"".join(b"\1" + row.tobytes() for row in along))
    exif = Image.Exif()
    exif[0x0112] = orientation
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)),
        (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")), (b"IDAT", rows[:99]), (b"IDAT", rows[99:]), (b"IEND", b""),
    )  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def write(path: Path, form: str) -> Path:
    """Write TWELVE in a form of TIFF or PNG."""
    forms = {
        "little": {"byteorder": "<"}, "big": {"byteorder": ">"}, "zip": {"compression": "zlib"},
        "differences": {"compression": "zlib", "predictor": True}, "tiles": {"tile": (16, 16)},
        "big tiles": {"tile": (16, 16), "compression": "zlib", "byteorder": ">"}, "strips": {"rowsperstrip": 5},
        "BigTIFF": {"bigtiff": True}, "rgba": {"extrasamples": ["unassalpha"]},
    }  # fmt: skip
    if form.startswith("png"):
        path.write_bytes(deep_png(TWELVE if form == "png rgba" else TWELVE[..., :3]))
    else:
        tifffile.imwrite(path, TWELVE if form == "rgba" else TWELVE[..., :3], photometric="rgb", **forms[form])
    return path


@pytest.mark.parametrize(
    "form",
    ["little", "big", "zip", "differences", "tiles", "big tiles", "strips", "BigTIFF", "rgba", "png", "png rgba"],
)
def test_colours_of_sixteen_bits_are_read_in_a_range(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / ("x.png" if form.startswith("png") else "x.tif"), form)
    read = open_picture(path, 3, lightness=False, values=(0, 4095))
    assert np.array_equal(read.pixels, WANTED)
    assert len(read.notes) == 1 and read.notes[0].endswith("8 bits a channel, 0 as black and 4095 as white")
    plain = open_picture(path, 3, lightness=False)
    assert np.array_equal(plain.pixels, TWELVE[..., :3] >> 8)
    assert plain.notes == ("only the upper 8 of its bits a colour were read",)


@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 8])
def test_both_halves_of_the_values_are_turned(tmp_path: Path, orientation: int) -> None:
    (path := tmp_path / "x.png").write_bytes(deep_png(TWELVE[..., :3], orientation))
    image = Image.fromarray(WANTED)
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90,
    }[orientation]  # fmt: skip
    read = open_picture(path, 3, lightness=False, values=(0, 4095))
    assert np.array_equal(read.pixels, np.asarray(image.transpose(turn)))


def test_a_set_of_twelve_bits_in_colour_is_learned_bright(tmp_path: Path, cache: Path) -> None:
    (folder := tmp_path / "d").mkdir()
    pixels = RNG.integers(0, 4096, (30, 16, 16, 3)).astype(np.uint16)
    for number, one in enumerate(pixels):
        (folder / f"{number:02}.png").write_bytes(deep_png(one))
    found = survey(folder)
    assert found.values == (0, 4095) and found.channels == 3 and not found.skipped
    assert found.told == (
        f"Values up to {pixels.max()}: read as 12 bits (0 to 4095). "
        "If that is wrong, say --values LOW..HIGH (black and white).",
    )
    pictures = open_pictures(found, size=(16, 16))
    read = np.concatenate([pictures.train.examples(), pictures.held_out.examples()])
    wanted = np.rint(pixels * np.float32(255 / 4095)).astype(np.uint8).transpose(0, 3, 1, 2)
    assert {one.tobytes() for one in read} == {one.tobytes() for one in wanted}
    given = survey(folder, reading=Reading((0, 2000)))  # what a person says holds for colours too
    assert given.values == (0, 2000)
    former = open_pictures(survey(folder, reading=Reading(looks=False)), size=(16, 16))  # a run made before
    assert former.train.examples().max() == pixels.max() >> 8


def test_one_value_that_is_not_finite_costs_its_picture_alone(tmp_path: Path, cache: Path) -> None:
    (folder := tmp_path / "d").mkdir()
    for number, one in enumerate(RNG.random((30, 16, 16), np.float32)):
        one[3, 3] = np.nan if number < 2 else one[3, 3]
        tifffile.imwrite(folder / f"{number:02}.tif", one)
    pictures = open_pictures(survey(folder), size=(16, 16))  # without a warning of numpy, which would be an error here
    assert len(pictures.train) + len(pictures.held_out) == 28
    assert {one["name"] for one in pictures.passport["skipped"]} == {"00.tif", "01.tif"}
    with pytest.raises(DataError, match="not finite"):
        open_picture(folder / "00.tif", 1, lightness=False, values=(0, 1))


def test_whole_numbers_of_32_bits_have_no_sign_unless_they_say_so(tmp_path: Path) -> None:
    values = np.array([[0, 2**31, 2**32 - 1]] * 8, np.uint32)
    tifffile.imwrite(path := tmp_path / "x.tif", values)
    assert open_picture(path, 1, lightness=False, values=(0, 2**32 - 1)).pixels[0, :, 0].tolist() == [0, 128, 255]
    tifffile.imwrite(path, values.view(np.int32))
    low, high = -(2**31), 2**31 - 1
    assert open_picture(path, 1, lightness=False, values=(low, high)).pixels[0, :, 0].tolist() == [128, 0, 128]
    tifffile.imwrite(path, np.full((8, 8), -3, np.int8))
    with pytest.raises(DataError, match="bytes with a sign"):
        open_picture(path, 1, lightness=False)
