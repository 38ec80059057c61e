"""What a picture file says beside its pixels is kept where it holds for the result, and left out where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ganforge.kinds.pictures.picture_file import assemble, open_picture, write_picture


def coloured(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def enlarged(path: Path, out: Path, factor: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Through a network that repeats every pixel. Returns: its result, and what was told."""
    given = open_picture(path, 3, lightness=False)
    made = given.pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    return made, (*given.notes, *write_picture(assemble(given, made, keep_grey=False), out, given))


def planar(path: Path) -> None:
    """A TIFF whose colours lie in planes, one after the other, as Pillow writes none."""
    tags = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    tags[Tag.PlanarConfiguration], tags[Tag.Artist], pixels = 2, "Ada", coloured()
    facts: dict[int, Any] = {256: 30, 257: 20, 258: (8, 8, 8), 259: 1, 262: 2, 277: 3, 278: 20, 279: (600, 600, 600)}
    tags.update(facts)
    tags[273] = (0, 600, 1200)  # from the end of the tags on
    path.write_bytes(b"II*\0\x08\0\0\0" + tags.tobytes(8) + pixels.transpose(2, 0, 1).tobytes())


def ordinary(path: Path, **options: Any) -> None:
    mode = options.pop("mode", "RGB")
    Image.fromarray(coloured()).convert(mode).save(path, "TIFF", artist="Ada", dpi=(300, 200), **options)


WRITERS: dict[str, Any] = {
    "plain": ordinary,
    "lzw": lambda path: ordinary(path, compression="tiff_lzw"),
    "jpeg": lambda path: ordinary(path, compression="jpeg"),
    "deflated cmyk": lambda path: ordinary(path, mode="CMYK", compression="tiff_adobe_deflate"),
    "palette": lambda path: ordinary(path, mode="P"),
    "bilevel": lambda path: ordinary(path, mode="1", compression="group4"),
    "strips": lambda path: ordinary(path, strip_size=90),
    "turned": lambda path: ordinary(path, tiffinfo={Tag.Orientation: 6}),
    "planar": planar,
}


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_tiff_becomes_a_whole_tiff_of_any_size_and_keeps_its_artist(kind: str, factor: int, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "a.tif")
    made, _ = enlarged(tmp_path / "a.tif", tmp_path / "b.tif", factor)
    with Image.open(tmp_path / "b.tif") as image:
        assert image.getexif()[Tag.Artist] == "Ada"
        assert image.getexif().get(Tag.Orientation, 1) == 1
        assert image.getexif()[Tag.Compression] == 1
        if kind != "planar":
            assert image.info["dpi"] == ((200, 300) if kind == "turned" else (300, 200))
        assert np.array_equal(np.asarray(image), made)
    if kind == "planar":
        assert np.array_equal(made[::factor, ::factor], coloured())


def exif_of(path: Path) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    with Image.open(path) as image:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_who_when_where_and_with_what_are_kept_and_what_was_said_of_the_old_pixels_is_not(
    suffix: str, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[Tag.Make], exif[Tag.Copyright] = "Camera", "© Müller".encode()
    exif[Tag.XResolution], exif[Tag.YResolution], exif[Tag.ResolutionUnit], exif[Tag.Orientation] = 100.0, 50.0, 3, 8
    exif[Tag.ImageWidth], exif[Tag.Compression], exif[Tag.JpegIFOffset], exif[Tag.JpegIFByteCount] = 30, 6, 900, 80
    exif.get_ifd(IFD.Exif).update(
        {
            Tag.DateTimeOriginal: "2020:01:02 03:04:05", Tag.ExposureTime: (1.0, 250.0), Tag.ExifImageWidth: 30,
            Tag.ExifImageHeight: 20, Tag.MakerNote: b"old offsets", 0x9214: (3, 4), Tag.FocalPlaneXResolution: 9.0,
        }
    )  # fmt: skip
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (1.0, 2.0, 3.0)})
    Image.fromarray(coloured()).save(tmp_path / "a.jpg", exif=exif)
    enlarged(tmp_path / "a.jpg", tmp_path / f"b{suffix}", 2)
    first, exposure, place = exif_of(tmp_path / f"b{suffix}")
    assert first[Tag.Make] == "Camera"
    assert first[Tag.Copyright].encode("latin-1").decode() == "© Müller"
    unit = 1 if first[Tag.ResolutionUnit] == 3 else 2.54
    assert (first[Tag.XResolution], first[Tag.YResolution]) == pytest.approx((50 * unit, 100 * unit), abs=0.01)
    assert exposure.keys() == {Tag.DateTimeOriginal, Tag.ExposureTime}
    assert place == {1: "N", 2: (1.0, 2.0, 3.0)}
    if suffix != ".tif":
        assert not first.keys() & {Tag.ImageWidth, Tag.Compression, Tag.JpegIFOffset, Tag.JpegIFByteCount}


def test_metadata_too_long_for_a_jpeg_lose_the_longest_value_and_say_so(tmp_path: Path) -> None:
    ordinary(tmp_path / "a.tif", description="x" * 70_000, copyright="mine")
    _, notes = enlarged(tmp_path / "a.tif", tmp_path / "b.jpg", 1)
    assert notes == ("its ImageDescription is too long for a JPEG and was left out",)
    first, _, _ = exif_of(tmp_path / "b.jpg")
    assert (first[Tag.Artist], first[Tag.Copyright]) == ("Ada", "mine")
    assert Tag.ImageDescription not in first
    assert enlarged(tmp_path / "a.tif", tmp_path / "b.png", 1)[1] == ()
    assert len(exif_of(tmp_path / "b.png")[0][Tag.ImageDescription]) == 70_000


@pytest.mark.parametrize("words", ['{"shape": [20, 30, 3]}', "ImageJ=1.53t\nimages=1", "<?xml version='1.0'?><OME/>"])
def test_a_description_that_is_a_programs_layout_of_the_old_pixels_is_left_out(words: str, tmp_path: Path) -> None:
    ordinary(tmp_path / "a.tif", description=words)
    enlarged(tmp_path / "a.tif", tmp_path / "b.tif", 2)
    assert Tag.ImageDescription not in exif_of(tmp_path / "b.tif")[0]


def test_a_resolution_without_exif_is_kept(tmp_path: Path) -> None:
    Image.fromarray(coloured()).save(tmp_path / "a.png", dpi=(300, 200))
    enlarged(tmp_path / "a.png", tmp_path / "b.jpg", 2)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.info["dpi"] == (300, 200)
        assert not image.getexif()


def test_a_value_that_cannot_be_written_does_not_cost_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Tag.Make] = "Camera"
    content = exif.tobytes()
    broken = content.replace(b"\x01\x0f\x00\x02", b"\x01\x1a\x00\x02")  # XResolution as text
    assert broken != content
    Image.fromarray(coloured()).save(tmp_path / "a.png", exif=broken)
    made, _ = enlarged(tmp_path / "a.png", tmp_path / "b.png", 2)
    with Image.open(tmp_path / "b.png") as image:
        assert np.array_equal(np.asarray(image), made)


def test_a_value_of_too_many_numbers_is_written_without_a_warning(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Tag.Make] = "Camera"
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (1.0, 2.0, 3.0)})
    content = exif.tobytes()
    broken = content.replace(b"\x00\x02\x00\x05\x00\x00\x00\x03", b"\x00\x00\x00\x05\x00\x00\x00\x03")  # GPSVersionID
    assert broken != content
    Image.fromarray(coloured()).save(tmp_path / "a.jpg", exif=broken)
    enlarged(tmp_path / "a.jpg", tmp_path / "b.jpg", 2)
    assert exif_of(tmp_path / "b.jpg")[0][Tag.Make] == "Camera"
