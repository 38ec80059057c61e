"""One picture file becomes another, and what the network does not touch is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from ganforge.core.conversion import places_for
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.picture_file import WRITTEN, assemble, open_picture, write_picture
from ganforge.kinds.pictures.picture_folder import PICTURES, list_pictures


def coloured(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def twice(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def through(path: Path, out: Path, channels: int, *, lightness: bool = True) -> tuple[str, ...]:
    given = open_picture(path, channels, lightness=lightness)
    image = assemble(given, twice(given.pixels), keep_grey=True)
    return (*given.notes, *write_picture(image, out, given))


def test_a_turned_photo_comes_out_upright_and_keeps_its_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = 6, "Camera 1"
    Image.fromarray(coloured()).save(tmp_path / "a.png", exif=exif)
    assert through(tmp_path / "a.png", tmp_path / "b.png", 3) == ()
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (40, 60)  # 20 x 30 turned, and doubled
        assert image.getexif()[ExifTags.Base.Model] == "Camera 1"
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert np.array_equal(np.asarray(image), twice(np.rot90(coloured(), -1)))


def test_transparency_and_colour_profile_are_kept(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30, 1), np.uint8)
    alpha[:10] = 255
    picture = Image.fromarray(np.concatenate([coloured(), alpha], axis=2))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(tmp_path / "a.png", icc_profile=profile)
    through(tmp_path / "a.png", tmp_path / "b.png", 3)
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "RGBA"
        assert image.info["icc_profile"] == profile
        made = np.asarray(image)
    assert np.array_equal(made[..., :3], twice(coloured()))
    assert (made[:18, :, 3] == 255).all()
    assert (made[22:, :, 3] == 0).all()


def test_what_is_wholly_transparent_is_a_hole_where_holes_are_filled(tmp_path: Path) -> None:
    alpha = np.full((20, 30, 1), 255, np.uint8)
    alpha[4:9, 6:12] = 0
    alpha[15:] = 100  # half transparent: no hole
    Image.fromarray(np.concatenate([coloured(), alpha], axis=2)).save(tmp_path / "a.png")
    given = open_picture(tmp_path / "a.png", 3, lightness=False, holes=True)
    wanted = coloured().copy()
    wanted[4:9, 6:12] = 128
    assert np.array_equal(given.pixels, wanted)
    made = np.asarray(assemble(given, given.pixels, keep_grey=True))
    assert (made[:15, :, 3] == 255).all()
    assert (made[15:, :, 3] == 100).all()
    assert "taken for a hole" in given.notes[0]
    Image.fromarray(np.concatenate([coloured(), np.maximum(alpha, alpha[:1] * (alpha > 0))], axis=2)).save(
        tmp_path / "c.png"
    )
    assert open_picture(tmp_path / "c.png", 3, lightness=False, holes=True).alpha is None
    plain = open_picture(tmp_path / "a.png", 3, lightness=False)
    assert np.array_equal(plain.pixels, coloured())
    assert plain.notes == ()


def test_a_grey_model_works_on_the_lightness_and_keeps_the_colours(tmp_path: Path) -> None:
    flat = np.full((20, 30, 3), (200, 40, 90), np.uint8)
    Image.fromarray(flat).save(tmp_path / "a.png")
    notes = through(tmp_path / "a.png", tmp_path / "b.png", 1)
    assert "colours were kept" in notes[0]
    with Image.open(tmp_path / "b.png") as image:
        assert np.abs(np.asarray(image).astype(int) - twice(flat)).max() <= 2


def test_a_coloured_model_takes_a_grey_picture_and_gives_a_grey_one_back(tmp_path: Path) -> None:
    grey = coloured()[..., 0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    notes = through(tmp_path / "a.png", tmp_path / "b.png", 3)
    assert "given as a coloured one" in notes[0]
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), twice(grey))


def test_jpeg_lays_transparency_on_white_and_says_so(tmp_path: Path) -> None:
    clear = np.zeros((20, 30, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "a.png")
    notes = through(tmp_path / "a.png", tmp_path / "b.jpg", 3)
    assert "white" in notes[-1]
    with Image.open(tmp_path / "b.jpg") as image:
        assert np.asarray(image).min() > 250


@pytest.mark.parametrize("size", [(1, 1), (2, 60), (3, 3)])
def test_specks_and_slivers_are_pictures_here(size: tuple[int, int], tmp_path: Path) -> None:
    Image.fromarray(coloured(*size)).save(tmp_path / "a.png")
    assert open_picture(tmp_path / "a.png", 3, lightness=False).pixels.shape == (*size, 3)


def test_a_file_that_is_no_picture_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    with pytest.raises(DataError, match="not a picture, whatever its name says"):
        open_picture(tmp_path / "a.png", 3, lightness=False)


def folder_of_pictures(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coloured()).save(path)
    return folder


def places(found: list[Path], source: Path, out: Path, *, force: bool) -> list[tuple[Path, Path]]:
    return places_for(found, source, out, WRITTEN, PICTURES, force=force)


def test_a_folder_keeps_its_names_and_subfolders(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "in", "b.bmp", "sub/a.jpg")
    (source / "notes.txt").write_text("no picture")
    found = list_pictures(source).found
    made = [place for _, place in places(found, source, tmp_path / "out", force=False)]
    assert made == [tmp_path / "out" / "b.png", tmp_path / "out" / "sub" / "a.jpg"]


def test_a_folder_that_holds_files_is_refused_and_forced_it_loses_no_other_file(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "in", "a.png")
    out = folder_of_pictures(tmp_path / "out", "other.png")
    with pytest.raises(InputError, match="exists already"):
        places(list_pictures(source).found, source, out, force=False)
    assert (places(list_pictures(source).found, source, out, force=True)) == [(source / "a.png", out / "a.png")]
    assert (out / "other.png").is_file()


@pytest.mark.parametrize(
    ("name", "mode", "start", "note"),
    [
        ("a.ppm", "RGBA", b"P6", "transparency"), ("a.ppm", "L", b"P6", ""), ("a.pnm", "L", b"P5", ""),
        ("a.pgm", "L", b"P5", ""), ("a.pgm", "RGB", b"P6", "grey"),
    ],
)  # fmt: skip
def test_netpbm_is_written_as_its_name_says(tmp_path: Path, name: str, mode: str, start: bytes, note: str) -> None:
    Image.fromarray(coloured()).convert(mode).save(tmp_path / "in.png")
    given = open_picture(tmp_path / "in.png", 3, lightness=False)
    notes = write_picture(assemble(given, given.pixels, keep_grey=mode == "L"), tmp_path / name, given)
    assert (tmp_path / name).read_bytes().startswith(start)
    assert note in " ".join(notes) and bool(notes) == bool(note)
    shown = Image.open(tmp_path / "in.png").convert("RGB")
    assert np.array_equal(np.asarray(Image.open(tmp_path / name).convert("RGB")), np.asarray(shown))


def test_originals_are_never_replaced(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "in", "a.png")
    with pytest.raises(InputError, match="one of the pictures that are read"):
        places(list_pictures(source).found, source, source, force=True)
    with pytest.raises(InputError, match="one of the pictures that are read"):
        places([source / "a.png"], source / "a.png", source / "a.png", force=True)


def test_no_two_pictures_become_one_file(tmp_path: Path) -> None:
    names = "a.bmp", "a.gif", "a.gif.png", "a.png", "b.gif", "b.tga", "b.ppm", "sub/a.gif"
    source, out = folder_of_pictures(tmp_path / "in", *names), tmp_path / "out"
    made = [place for _, place in places(list_pictures(source).found, source, out, force=False)]
    names = "a.bmp.png", "a.gif.gif.png", "a.gif.png", "a.png", "b.png", "b.ppm", "b.tga.png", "sub/a.png"
    assert made == [out / name for name in names]
    out.mkdir()
    (out / "b.png").symlink_to(out / "a.png")
    with pytest.raises(InputError, match="would both become"):
        places(list_pictures(source).found, source, out, force=True)


def test_a_single_picture_goes_into_a_file_or_a_folder(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path, "a.png") / "a.png"
    assert places([source], source, tmp_path / "b.webp", force=False)[0][1] == tmp_path / "b.webp"
    assert places([source], source, tmp_path / "new", force=False)[0][1] == tmp_path / "new" / "a.png"
    with pytest.raises(InputError, match=r"\.gif"):
        places([source], source, tmp_path / "b.gif", force=False)


def test_nothing_there_and_no_pictures_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing at"):
        list_pictures(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no pictures"):
        list_pictures(tmp_path)
