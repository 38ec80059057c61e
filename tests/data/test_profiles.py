"""Colour profiles: one that holds for the result is attached; pixels of another space are converted by theirs."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD
from PIL.ExifTags import Base as Tag

from ganforge.kinds.pictures.picture_file import assemble, open_picture, write_picture

D50 = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
LINEAR = b"curv\0\0\0\0\0\0\0\0"
HALF = 128


def icc(space: bytes, tags: dict[bytes, bytes], *, kind: bytes = b"mntr", within: bytes = b"XYZ ") -> bytes:
    """A profile of version 2 with these tags, by ICC.1:2001-04."""
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        content = value + bytes(-len(value) % 4)
        table += name + struct.pack(">2I", place + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s12s4s", place + len(body), b"test", 0x2100000, kind, space, within, bytes(12), b"acsp"
    )
    return (head + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\0") + table + body


def xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(number * 65536) for number in numbers))


LINEAR_RGB = icc(
    b"RGB ",
    {
        b"wtpt": D50, b"rTRC": LINEAR, b"gTRC": LINEAR, b"bTRC": LINEAR, b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971), b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
    },
)  # fmt: skip
LINEAR_GREY = icc(b"GRAY", {b"wtpt": D50, b"kTRC": LINEAR})
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk_profile() -> bytes:
    """A press whose cyan is a red of L* 50, and whose other inks print nothing."""
    nodes = [bytes((128, 198, 178)) if cyan else bytes((255, 128, 128)) for cyan in (0, 1) for _ in range(8)]
    ramp = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    return icc(
        b"CMYK", {b"wtpt": D50, b"A2B0": table + ramp * 4 + b"".join(nodes) + ramp * 3}, kind=b"prtr", within=b"Lab "
    )


CMYK = cmyk_profile()
TINTS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def applied(path: Path, out: Path, channels: int, *, lightness: bool = True, keep_grey: bool = True) -> tuple[str, ...]:
    given = open_picture(path, channels, lightness=lightness)
    return (*given.notes, *write_picture(assemble(given, given.pixels, keep_grey=keep_grey), out, given))


def read(path: Path) -> tuple[np.ndarray, str, bytes | None]:
    with Image.open(path) as image:
        return np.asarray(image), image.mode, image.info.get("icc_profile")


def seen(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """The same colours as numbers of sRGB."""
    image = Image.fromarray(pixels)
    made = ImageCms.profileToProfile(image, io.BytesIO(profile), io.BytesIO(SRGB), outputMode="RGB", renderingIntent=1)
    return np.asarray(made)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("out", [".tif", ".png", ".jpg", ".webp"])
def test_cmyk_is_converted_by_its_profile_which_is_not_handed_on(suffix: str, out: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif).update({Tag.ColorSpace: 65535, Tag.LensModel: "50mm"})
    Image.new("CMYK", (30, 20), (255, 0, 0, 0)).save(tmp_path / f"a{suffix}", icc_profile=CMYK, exif=exif.tobytes())
    notes = applied(tmp_path / f"a{suffix}", tmp_path / f"b{out}", 3)
    assert notes == ("CMYK was converted to sRGB by its colour profile",)
    pixels, mode, profile = read(tmp_path / f"b{out}")
    assert (mode, profile) == ("RGB", None)
    assert np.abs(pixels.astype(int) - (228, 37, 43)).max() <= 12  # a red, and not the cyan of a guess
    with Image.open(tmp_path / f"b{out}") as image:
        assert dict(image.getexif().get_ifd(IFD.Exif)) == {Tag.LensModel: "50mm"}


def test_cmyk_without_a_profile_is_converted_and_said_to_be(tmp_path: Path) -> None:
    Image.new("CMYK", (30, 20), (255, 0, 0, 0)).save(tmp_path / "a.tif")
    assert applied(tmp_path / "a.tif", tmp_path / "b.png", 3) == ("CMYK was converted to RGB without a colour profile",)
    assert tuple(read(tmp_path / "b.png")[0][0, 0]) == (0, 255, 255)


def test_lab_is_a_picture_too(tmp_path: Path) -> None:
    Image.new("LAB", (30, 20), (137, 128, 128)).save(tmp_path / "a.tif")
    assert applied(tmp_path / "a.tif", tmp_path / "b.tif", 3)[0] == "LAB was converted to sRGB"
    assert np.abs(read(tmp_path / "b.tif")[0].astype(int) - HALF).max() <= 1


@pytest.mark.parametrize("out", [".tif", ".png", ".jpg", ".webp"])
def test_a_coloured_picture_keeps_its_numbers_and_its_profile(out: str, tmp_path: Path) -> None:
    Image.fromarray(TINTS).save(tmp_path / "a.png", icc_profile=LINEAR_RGB)
    assert applied(tmp_path / "a.png", tmp_path / f"b{out}", 3) == ()
    pixels, _, profile = read(tmp_path / f"b{out}")
    assert profile == LINEAR_RGB
    if out in (".tif", ".png"):
        assert np.array_equal(pixels, TINTS)


@pytest.mark.parametrize("out", [".tif", ".png", ".jpg", ".webp"])
def test_a_grey_picture_through_a_grey_model_keeps_its_profile_where_the_format_knows_grey(
    out: str, tmp_path: Path
) -> None:
    Image.new("L", (30, 20), 55).save(tmp_path / "a.png", icc_profile=LINEAR_GREY)
    applied(tmp_path / "a.png", tmp_path / f"b{out}", 1)
    pixels, mode, profile = read(tmp_path / f"b{out}")
    assert profile == (None if out == ".webp" else LINEAR_GREY)
    assert mode == ("RGB" if out == ".webp" else "L")
    assert np.abs(pixels.astype(int) - (HALF if out == ".webp" else 55)).max() <= 2


@pytest.mark.parametrize("keep_grey", [True, False])
def test_a_grey_picture_through_a_coloured_model_is_converted_by_its_profile(keep_grey: bool, tmp_path: Path) -> None:
    Image.new("L", (30, 20), 55).save(tmp_path / "a.png", icc_profile=LINEAR_GREY)
    notes = applied(tmp_path / "a.png", tmp_path / "b.png", 3, keep_grey=keep_grey)
    assert "L was converted to sRGB by its colour profile" in notes
    pixels, mode, profile = read(tmp_path / "b.png")
    assert (mode, profile) == ("L" if keep_grey else "RGB", None)
    assert np.abs(pixels.astype(int) - HALF).max() <= 1  # 55 of 255 in linear light is the half of sRGB


@pytest.mark.parametrize(("channels", "lightness"), [(3, True), (1, True), (1, False)])
def test_greys_of_a_coloured_file_are_converted_when_the_result_is_a_grey_file(
    channels: int, lightness: bool, tmp_path: Path
) -> None:
    Image.new("RGB", (30, 20), (55, 55, 55)).save(tmp_path / "a.png", icc_profile=LINEAR_RGB)
    applied(tmp_path / "a.png", tmp_path / "b.png", channels, lightness=lightness)
    pixels, mode, profile = read(tmp_path / "b.png")
    assert (mode, profile) == ("L", None)
    assert np.abs(pixels.astype(int) - HALF).max() <= 1


def test_transparency_stays_where_colours_are_converted(tmp_path: Path) -> None:
    picture = Image.new("LA", (30, 20), (55, 200))
    picture.save(tmp_path / "a.png", icc_profile=LINEAR_GREY)
    for channels in (3, 4):
        applied(tmp_path / "a.png", tmp_path / f"{channels}.png", channels)
        pixels, mode, profile = read(tmp_path / f"{channels}.png")
        assert (mode, profile) == ("LA", None)
        assert np.abs(pixels.astype(int) - (HALF, 200)).max() <= 1
    applied(tmp_path / "a.png", tmp_path / "b.jpg", 1)
    pixels, mode, profile = read(tmp_path / "b.jpg")
    assert (mode, profile) == ("L", LINEAR_GREY)


def test_the_lightness_of_a_coloured_picture_keeps_its_profile(tmp_path: Path) -> None:
    Image.fromarray(TINTS).save(tmp_path / "a.png", icc_profile=LINEAR_RGB)
    applied(tmp_path / "a.png", tmp_path / "b.png", 1)
    pixels, mode, profile = read(tmp_path / "b.png")
    assert (mode, profile) == ("RGB", LINEAR_RGB)
    assert np.abs(seen(pixels, LINEAR_RGB).astype(int) - seen(TINTS, LINEAR_RGB)).mean() < 4


@pytest.mark.parametrize(
    ("mode", "profile", "words"),
    [
        ("RGB", CMYK, "is one of CMYK and the picture RGB"),
        ("RGB", LINEAR_GREY, "is one of L and the picture RGB"),
        ("L", SRGB, "is one of RGB and the picture L"),
        ("CMYK", SRGB, "is one of RGB and the picture CMYK"),
        ("RGB", b"a profile", "cannot be read"),
        ("RGB", icc(b"RGB ", {b"wtpt": D50}, kind=b"link"), "cannot be read"),
        ("CMYK", icc(b"CMYK", {b"wtpt": D50}, kind=b"prtr", within=b"Lab "), "is damaged"),
    ],
    ids=["cmyk on rgb", "grey on rgb", "rgb on grey", "rgb on cmyk", "no profile", "a link of devices", "no table"],
)
def test_a_profile_that_does_not_fit_the_picture_is_left_out_and_told(
    mode: str, profile: bytes, words: str, tmp_path: Path
) -> None:
    Image.fromarray(TINTS).convert(mode).save(tmp_path / "a.tif", icc_profile=profile)
    for channels in (1, 3):
        notes = applied(tmp_path / "a.tif", tmp_path / "b.tif", channels)
        assert any(words in note and "left out" in note for note in notes)
        assert read(tmp_path / "b.tif")[2] is None


def test_the_transparency_of_a_grey_picture_survives_a_model_of_four_channels(tmp_path: Path) -> None:
    Image.new("LA", (30, 20), (90, 120)).save(tmp_path / "a.png")
    applied(tmp_path / "a.png", tmp_path / "b.png", 4)
    pixels, mode, _ = read(tmp_path / "b.png")
    assert mode == "LA"
    assert tuple(pixels[0, 0]) == (90, 120)
