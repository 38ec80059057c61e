"""Nothing is left out in silence: links, frames, bits, colour spaces, and what a few pictures are."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import Image, ImageDraw

from ganforge.errors import DataError
from ganforge.kinds import recognise
from ganforge.kinds.pictures.enhance.photos import open_photos
from ganforge.kinds.pictures.picture_file import open_picture
from ganforge.kinds.pictures.reading.decode import fit
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.part import Channels, Target
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.translate.pairs import open_pairs
from ganforge.kinds.pictures.translate.sides import survey_sides

RNG = np.random.default_rng(9)


def write(folder: Path, count: int = 15, channels: int = 3) -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(RNG.integers(0, 256, (count, 16, 16, channels), np.uint8)):
        Image.fromarray(picture if channels > 1 else picture[..., 0]).save(folder / f"{number:02d}.png")
    return folder


def warnings(source: Path) -> str:
    return " ".join(open_pictures(survey(source), size=(16, 16)).passport["warnings"])


# ---- links ----------------------------------------------------------------------------------------------------------


def test_class_folders_that_are_links_are_labels(tmp_path: Path, cache: Path) -> None:
    for word in ("cat", "dog"):
        write(tmp_path / "store" / word)
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / word).symlink_to(tmp_path / "store" / word)
    found = survey(tmp_path / "data")
    assert found.label_names == ("cat", "dog") and not found.skipped
    assert np.bincount(found.parts[0].labels).tolist() == [15, 15]
    (tmp_path / "other").symlink_to(tmp_path / "data")
    assert survey(tmp_path / "other").label_names == ("cat", "dog")


def test_one_linked_class_beside_a_plain_one_and_linked_files(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "store")
    write(tmp_path / "data" / "dog", 14)
    (tmp_path / "data" / "cat").symlink_to("../store")
    (tmp_path / "data" / "dog" / "one.png").symlink_to(tmp_path / "store" / "00.png")
    assert np.bincount(survey(tmp_path / "data").parts[0].labels).tolist() == [15, 15]


def test_circles_are_told_and_end(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "data", 30)
    (root / "self").symlink_to(root)
    (root / "deep").mkdir()
    (root / "deep" / "up").symlink_to("..")
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    found = survey(root)
    assert found.count == 30 and dict(found.skipped) == {
        "self": "the same folder as '.', by a link",
        "deep/up": "the same folder as '.', by a link",
        "deep": "a folder without a usable picture",
        "a": "a link that leads nowhere",
        "b": "a link that leads nowhere",
    }


def test_a_folder_with_two_names_is_read_once(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "data" / "cat")
    write(tmp_path / "data" / "dog")
    (tmp_path / "data" / "pets").symlink_to("cat")
    found = survey(tmp_path / "data")
    assert found.count == 30 and found.skipped == (("pets", "the same folder as 'cat', by a link"),)


def test_links_that_lead_nowhere_are_told(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "data", 30)
    (root / "gone").symlink_to("/nowhere/cat")
    (root / "gone.png").symlink_to("/nowhere/cat.png")
    assert "2 files were skipped" in warnings(root) and "a link that leads nowhere (gone, ...)" in warnings(root)


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "data", 30)
    (root / "shut").mkdir()
    scan = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert dict(survey(root).skipped)["shut"] == "not readable: Permission denied"


def test_a_folder_that_may_not_be_read_does_not_hide_what_the_others_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data" / "open", 30)
    (tmp_path / "data" / "a").mkdir()
    listed = os.listdir

    def listdir(path: str) -> list[str]:
        if str(path).endswith("data/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", listdir)
    kind, claim = recognise(str(tmp_path / "data"))
    assert kind.name == "pictures" and "open" in claim.why


def test_a_link_to_a_run_is_left_out_as_a_run_is(tmp_path: Path, cache: Path) -> None:
    root, run = write(tmp_path / "data", 30), write(tmp_path / "run", 5)
    (run / "recipe.json").write_text('{"ganforge": "1"}')
    (root / "made").symlink_to(run)
    assert survey(root).count == 30


def test_a_link_in_a_zip_file_is_told(tmp_path: Path, cache: Path) -> None:
    folder = write(tmp_path / "data", 30)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "00.png")
    assert survey(tmp_path / "d.zip").skipped == (("link.png", "a link, which is not followed in a zip file"),)


# ---- frames, bits, colour spaces, files that cannot be read ---------------------------------------------------------


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_frames_and_pages_that_are_not_read_are_told(tmp_path: Path, cache: Path, suffix: str) -> None:
    root = write(tmp_path / "data", 30)
    frames = [Image.fromarray(one) for one in RNG.integers(0, 256, (3, 16, 16, 3), np.uint8)]
    for name in ("x", "y"):
        frames[0].save(root / f"{name}.{suffix}", save_all=True, append_images=frames[1:])
    told = f"2 pictures (x.{suffix}, ...) with several frames or pages: only the first of them is read."
    assert told in warnings(root)


def test_lost_bits_and_colour_spaces_are_told_once_each(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "data", 30)
    (root / "deep.ppm").write_bytes(b"P6 16 16 65535\n" + RNG.integers(0, 256, 16 * 16 * 6, np.uint8).tobytes())
    Image.open(root / "00.png").convert("CMYK").save(root / "ink.jpg")
    told = warnings(root)
    assert "1 pictures (deep.ppm) with more than 8 bits a colour: only the upper 8 are read." in told
    assert "1 pictures (ink.jpg) with CMYK colours: converted to RGB, without a colour profile." in told
    assert warnings(write(tmp_path / "plain", 30)) == "18 training pictures are few: the generator may copy them."


def test_nearly_black_pictures_are_told(tmp_path: Path, cache: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for number, classes in enumerate(RNG.integers(0, 4, (30, 16, 16), np.uint8)):
        Image.fromarray(classes).save(masks / f"{number}.png")
    assert (
        "No value is above 3 of 255: these pictures are nearly black, and what is made of them will be too."
        in warnings(masks)
    )
    assert "3 of 255" in " ".join(open_photos(survey(masks)).passport["warnings"])
    masks.rename(tmp_path / "B")
    write(tmp_path / "A", 30)
    told = open_pairs(survey_sides(str(tmp_path)), size=(16, 16)).passport["warnings"]
    assert any(one.startswith("No value is above 3 of 255: pictures of B are nearly black") for one in told)


def test_transparency_that_an_enhancement_leaves_out_is_told(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "data", 30, channels=4)
    assert "What is transparent was laid on white." in open_photos(survey(root)).passport["warnings"]


@pytest.mark.parametrize(("most", "count"), [(255, 0), (1023, 1), (65535, 1)])
def test_a_coloured_ppm_says_how_many_bits_it_loses(tmp_path: Path, cache: Path, most: int, count: int) -> None:
    root = write(tmp_path / "data", 30)
    values = RNG.integers(0, most + 1, (16, 16, 3)).astype(">u2" if most > 255 else "u1")
    (root / "x.ppm").write_bytes(f"P6 16 16 {most}\n".encode() + values.tobytes())
    assert warnings(root).count("(x.ppm) with more than 8 bits a colour") == count


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_of_sixteen_bits_are_read_rightly_or_not_at_all(
    tmp_path: Path, cache: Path, compression: str | None
) -> None:
    values = RNG.integers(0, 65536, (3, 16, 16)).astype(np.uint16)
    tifffile.imwrite(
        path := tmp_path / "x.tif", values, photometric="rgb", planarconfig="separate", compression=compression
    )
    if compression:
        assert np.array_equal(open_picture(path, 3, lightness=False).pixels, values.transpose(1, 2, 0) >> 8)
        assert open_picture(path, 3, lightness=False).notes == ("only the upper 8 of its bits a colour were read",)
        return
    with pytest.raises(DataError, match="planes of more than 8 bits"):
        open_picture(path, 3, lightness=False)


def test_a_negative_of_sixteen_bits_becomes_a_positive(tmp_path: Path, cache: Path) -> None:
    values = RNG.integers(0, 65536, (30, 16, 16)).astype(np.uint16)
    for folder, kind, shown in (("d", "minisblack", values), ("n", "miniswhite", 65535 - values)):
        (tmp_path / folder).mkdir()
        for number, picture in enumerate(shown):
            tifffile.imwrite(tmp_path / folder / f"{number:02d}.tif", picture, photometric=kind)
    plain, negative = (open_pictures(survey(tmp_path / name), size=(16, 16)) for name in ("d", "n"))
    assert negative.data_hash == plain.data_hash
    assert np.array_equal(*(open_picture(tmp_path / name / "00.tif", 1, lightness=False).pixels for name in ("d", "n")))


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"II*\0", "TIFF"), (b"\x89PNG", "PNG"), (b"\0\0\0\x18ftypheic", "HEIC")],
)
def test_a_picture_that_cannot_be_read_is_not_called_something_else(
    tmp_path: Path, cache: Path, start: bytes, what: str
) -> None:
    root = write(tmp_path / "data", 30)
    (root / "odd.tif").write_bytes(start + bytes(40))
    (root / "text.tif").write_bytes(b"dear diary, this is no picture")
    assert dict(survey(root).skipped) == {
        "odd.tif": f"it begins as a {what} does, and this version cannot read it",
        "text.tif": "not a picture, whatever its name says",
    }


# ---- what a few pictures are ----------------------------------------------------------------------------------------


def test_one_transparent_pixel_in_a_set_adds_no_channel(tmp_path: Path, cache: Path) -> None:
    root = write(tmp_path / "data", 60)
    pixels = np.dstack([np.asarray(Image.open(root / "07.png")), np.full((16, 16), 255, np.uint8)])
    pixels[3, 3, 3] = 0
    Image.fromarray(pixels).save(root / "07.png")
    pictures = open_pictures(survey(root), size=(16, 16))
    assert pictures.shape[0] == 3
    assert "1 of 60 sample pictures (07.png): partly transparent, too few to count" in pictures.passport["warnings"][0]
    x = np.full((60, 16, 16, 4), 255, np.uint8)
    x[..., :3] = RNG.integers(0, 256, (60, 16, 16, 3))
    x[9, 0, 0, 3] = 0
    assert survey(x).channels == 3 and "1 of 60" in survey(x).told[0]


def test_one_colour_picture_among_grey_ones_is_made_grey_and_the_reverse(tmp_path: Path, cache: Path) -> None:
    grey, colour = write(tmp_path / "grey", 60, 1), write(tmp_path / "colour", 60)
    Image.open(colour / "00.png").save(grey / "x.png")
    Image.open(grey / "00.png").save(colour / "x.png")
    one, other = survey(grey), survey(colour)
    assert (one.channels, other.channels) == (1, 3) and not other.told
    assert "1 of 61 sample pictures (x.png): coloured, too few to count: made grey" in one.told[0]


@pytest.mark.parametrize(("clear", "channels"), [(5, 3), (6, 4), (100, 4)])
def test_a_twentieth_of_the_pictures_decides(clear: int, channels: int) -> None:
    found = Channels.of([{"colour", "alpha"}] * clear + [{"colour"}] * (100 - clear))
    assert (found.count, bool(found.told)) == (channels, channels == 3)


def test_hidden_colours_do_not_bleed_into_edges() -> None:
    for hidden in ((0, 0, 0, 0), (0, 255, 0, 0), (255, 255, 255, 0)):
        image = Image.new("RGBA", (64, 64), hidden)
        ImageDraw.Draw(image).ellipse((10, 10, 53, 53), fill=(230, 20, 10, 255))
        pixels, _ = fit(image, Target(16, 16, 4))
        seen = pixels[pixels[..., 3] > 0]
        assert (seen[:, :3] == (230, 20, 10)).all() and len(np.unique(seen[:, 3])) > 5


def test_the_fewest_are_told_where_a_link_leads_out_of_nothing(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat").symlink_to("/nowhere")
    with pytest.raises(DataError, match=r"holds no usable picture.*cat: a link that leads nowhere"):
        survey(tmp_path / "data")


# ---- what lies beside the pictures ----------------------------------------------------------------------------------


def test_class_folders_without_a_picture_are_told(tmp_path: Path, cache: Path) -> None:
    for word in ("cat", "dog"):
        write(tmp_path / "data" / word)
    (tmp_path / "data" / "bird" / "young").mkdir(parents=True)
    (tmp_path / "data" / "fish").mkdir()
    (tmp_path / "data" / "fish" / "1.HEIC").write_bytes(b"x")
    found = survey(tmp_path / "data")
    assert found.label_names == ("cat", "dog") and dict(found.skipped) == {
        "bird": "a folder without a usable picture",
        "fish": "a folder without a usable picture",
        "fish/1.HEIC": "of a format that is not read: save it as .png",
    }
    assert "a folder without a usable picture (bird, ...)" in warnings(tmp_path / "data")


def test_folders_of_archives_and_servers_are_no_labels(tmp_path: Path, cache: Path) -> None:
    for word in ("cat", "dog", "@eaDir", "__MACOSX"):
        write(tmp_path / "data" / word)
    assert survey(tmp_path / "data").label_names == ("cat", "dog")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for path in (tmp_path / "data").rglob("*.png"):
            archive.write(path, f"../{path.relative_to(tmp_path)}")
    assert survey(tmp_path / "d.zip").label_names == ("cat", "dog")


@pytest.mark.parametrize("suffix", ["gif", "tif"])
def test_a_single_file_of_many_pages_is_refused_with_the_reason(tmp_path: Path, cache: Path, suffix: str) -> None:
    frames = [Image.fromarray(one) for one in RNG.integers(0, 256, (30, 16, 16, 3), np.uint8)]
    (tmp_path / "data").mkdir()
    frames[0].save(tmp_path / "data" / f"x.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=rf"x.{suffix}\) with several frames or pages: only the first of them is read"):
        survey(tmp_path / "data")


def test_arrays_and_columns_that_are_not_read_are_told(tmp_path: Path, cache: Path) -> None:
    x = RNG.integers(0, 256, (30, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "x.npz", x, np.arange(30) % 2)
    assert survey(tmp_path / "x.npz").told == (f"Not read of {str(tmp_path / 'x.npz')!r}: arr_1.",)
    np.savez(tmp_path / "y.npz", x=x, y=np.arange(30) % 2, x_test=x, y_test=np.arange(30) % 2, label_names=["a", "b"])
    assert survey(tmp_path / "y.npz").told == ()
    files = [(write(tmp_path / "data", 30) / f"{number:02d}.png").read_bytes() for number in [0]] * 30
    pq.write_table(pa.table({"image": files, "mask": files}), tmp_path / "z.parquet")
    assert survey(tmp_path / "z.parquet").told[0].endswith("z.parquet': mask, which hold pictures too.")
