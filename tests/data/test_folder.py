"""Folders of picture files: every kind of file that people have, and every kind of broken one."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforge.errors import DataError
from ganforge.kinds.pictures import SUFFIXES
from ganforge.kinds.pictures.reading import folder
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.survey import survey

RNG = np.random.default_rng(1)


def opened(source: Path, size: tuple[int, int] = (16, 16)) -> Pictures:
    return open_pictures(survey(source), size=size)


def everything(pictures: Pictures) -> np.ndarray:
    return np.concatenate([pictures.train.examples(), pictures.held_out.examples()])


def holds(pictures: Pictures, wanted: np.ndarray, tolerance: int = 0) -> bool:
    """Whether one of the pictures is the wanted one, (H, W, C)."""
    distance = np.abs(everything(pictures).astype(int) - wanted.transpose(2, 0, 1).astype(int))
    return bool((distance.max(axis=(1, 2, 3)) <= tolerance).any())


def bomb() -> bytes:
    """A PNG that says it is 50,000 x 50,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_plain_folder_keeps_every_pixel(photos: Path, cache: Path) -> None:
    found = survey(photos)
    assert (found.format, found.count, found.sizes, found.channels) == ("folder", 24, {(16, 16): 24}, 3)
    assert found.native_size == (16, 16) and found.label_names == () and found.skipped == ()
    pictures = opened(photos)
    assert pictures.shape == (3, 16, 16) and len(pictures.train) == 12 and len(pictures.held_out) == 12
    for i in range(24):
        assert holds(pictures, np.asarray(Image.open(photos / f"{i:02d}.png")))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(photos: Path, cache: Path, suffix: str) -> None:
    if suffix in (".bw", ".pbm", ".pgm", ".pfm", ".rgba"):  # of other modes; their format is read under other names too
        (photos / f"extra{suffix}").write_bytes(b"P6 16 16 255\n" + bytes((200, 30, 40)) * 256)
    else:
        Image.new("RGB", (16, 16), (200, 30, 40)).save(photos / f"extra{suffix}")
    pictures = opened(photos)
    assert pictures.passport["count"] == 25
    assert holds(pictures, np.full((16, 16, 3), (200, 30, 40), np.uint8), tolerance=9)


def test_a_format_without_a_signature_is_read_under_its_own_name_alone(photos: Path, tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 40)).save(content, "TGA")
    for name in ("a.TGA", "b.png"):
        (photos / name).write_bytes(content.getvalue())
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in sorted(photos.iterdir()):
            archive.write(path, path.name)
    for source in (photos, tmp_path / "p.zip"):
        found = survey(source)
        assert found.count == 25
        assert found.skipped == (("b.png", "not a picture, whatever its name says"),)


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    levels = RNG.integers(0, 65536, (24, 16, 16), np.uint16)
    levels[:, 0, 0], levels[:, 0, 1] = 65535, 257 * 100
    for i, picture in enumerate(levels):
        Image.fromarray(picture).save(folder / f"{i}.{'png' if i % 2 else 'tif'}")
    pictures = opened(folder)
    assert pictures.shape[0] == 1
    for picture in levels:
        assert holds(pictures, np.rint(picture / 257).astype(np.uint8)[:, :, None])
    assert (everything(pictures)[:, 0, 0, :2] == [255, 100]).all()


def test_cmyk_palette_one_bit_and_grey_with_alpha_are_read(photos: Path, cache: Path) -> None:
    colour = Image.new("RGB", (16, 16), (250, 10, 20))
    colour.paste((0, 0, 250), (0, 0, 8, 8))
    colour.convert("CMYK").save(photos / "a.tif")
    colour.convert("CMYK").save(photos / "b.jpg", quality=95)
    colour.convert("P", palette=Image.Palette.ADAPTIVE).save(photos / "c.png")
    striped = np.zeros((16, 16), bool)
    striped[::2] = True
    Image.fromarray(striped).save(photos / "d.png")
    grey = np.stack([np.full((16, 16), 77, np.uint8), np.full((16, 16), 255, np.uint8)], axis=2)
    Image.fromarray(grey).save(photos / "e.png")
    pictures = opened(photos)
    assert pictures.shape[0] == 3 and pictures.passport["count"] == 29
    assert holds(pictures, np.asarray(colour))
    assert holds(pictures, np.repeat(striped[:, :, None] * np.uint8(255), 3, axis=2))
    assert holds(pictures, np.full((16, 16, 3), 77, np.uint8))


def test_a_transparent_entry_of_a_palette_means_four_channels(photos: Path, cache: Path) -> None:
    image = Image.new("P", (16, 16), 0)
    image.putpalette([200, 30, 40, 10, 20, 250])
    image.paste(1, (0, 0, 8, 16))
    for name in ("p", "q"):
        image.save(photos / f"{name}.png", transparency=1)
        image.paste(1, (8, 0, 16, 8))
    pictures = opened(photos)
    assert pictures.shape[0] == 4
    wanted = np.full((16, 16, 4), (200, 30, 40, 255), np.uint8)
    wanted[:, :8] = (10, 20, 250, 0)
    assert holds(pictures, wanted)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_rotation_is_applied(tmp_path: Path, cache: Path, suffix: str) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    for i in range(25):
        upright = np.zeros((32, 16, 3), np.uint8)
        upright[:16] = (250, 10 * i, 0)  # red above, blue below
        upright[16:] = (0, 10 * i, 250)
        exif = Image.Exif()
        exif[0x0112] = 6  # stored lying: the viewer turns it by 90 degrees clockwise
        lying = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
        options = {"lossless": True} if suffix == "webp" else {"quality": 98} if suffix == "jpg" else {}
        lying.save(folder / f"{i}.{suffix}", exif=exif, **options)
    found = survey(folder)
    assert found.sizes == {(32, 16): 25}
    shown = everything(open_pictures(found, size=(32, 16)))
    assert (shown[:, 0, :14] > 230).all() and (shown[:, 2, :14] < 25).all() and (shown[:, 2, 18:] > 230).all()


def test_opaque_alpha_means_three_channels_and_real_alpha_four(tmp_path: Path, cache: Path) -> None:
    pixels = RNG.integers(0, 256, (24, 16, 16, 4), np.uint8)
    for name, alpha, channels in (("opaque", 255, 3), ("clear", 100, 4)):
        folder = tmp_path / name
        folder.mkdir()
        pixels[..., 3] = 255
        pixels[3:5, 2, 2, 3] = alpha
        for i, picture in enumerate(pixels):
            Image.fromarray(picture).save(folder / f"{i}.png")
        pictures = opened(folder)
        assert pictures.shape[0] == channels
        assert holds(pictures, pixels[3][..., :channels])


def test_colour_files_that_are_grey_everywhere_mean_one_channel(tmp_path: Path, cache: Path) -> None:
    grey = RNG.integers(0, 256, (24, 16, 16), np.uint8)
    for i, picture in enumerate(grey):
        Image.fromarray(np.repeat(picture[:, :, None], 3, axis=2)).save(tmp_path / f"{i}.png")
    pictures = opened(tmp_path)
    assert pictures.shape[0] == 1 and "grey" in pictures.passport["channels_why"]
    assert holds(pictures, grey[5][:, :, None])


def test_several_subfolders_are_labels(tmp_path: Path, cache: Path) -> None:
    for word, level in (("cat", 50), ("dog", 200)):
        (tmp_path / "all" / word / "deeper").mkdir(parents=True)
        for i in range(20):
            place = tmp_path / "all" / word / ("deeper" if i % 2 else "") / f"{i}.png"
            Image.fromarray(np.full((16, 16), level + i, np.uint8)).save(place)
    found = survey(tmp_path)
    assert found.label_names == ("cat", "dog") and np.bincount(found.parts[0].labels).tolist() == [20, 20]
    pictures = open_pictures(found, size=(16, 16))
    for feed in (pictures.train, pictures.held_out):
        assert feed.labels is not None
        assert ((feed.examples()[:, 0, 0, 0] >= 200) == (feed.labels == 1)).all()


def test_train_and_test_subfolders_are_the_two_parts(tmp_path: Path, cache: Path) -> None:
    for part, count in (("train", 18), ("test", 6)):
        for word in ("a", "b"):
            (tmp_path / part / word).mkdir(parents=True)
            for i in range(count):
                picture = np.full((16, 16), 10 * i + (word == "b") + 5 * (part == "test"), np.uint8)
                Image.fromarray(picture).save(tmp_path / part / word / f"{i}.png")
    pictures = opened(tmp_path)
    assert (len(pictures.train), len(pictures.held_out), pictures.label_names) == (36, 12, ("a", "b"))
    assert (pictures.held_out.examples()[:, 0, 0, 0] % 10 >= 5).all() and "given" in pictures.passport["split"]


def test_pictures_beside_subfolders_mean_no_labels(photos: Path) -> None:
    for word in ("a", "b"):
        (photos / word).mkdir()
        Image.new("RGB", (16, 16)).save(photos / word / "x.png")
    found = survey(photos)
    assert found.label_names == () and "beside" in found.told[0]


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_a_label_with_too_few_pictures_is_left_out_and_said(tmp_path: Path, cache: Path, rare: int) -> None:
    for word, count in (("a", 15), ("b", 15), ("rare", rare)):
        (tmp_path / word).mkdir()
        for i in range(count):
            Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / word / f"{i}.png")
    pictures = opened(tmp_path)
    assert pictures.label_names == ("a", "b") and pictures.passport["count"] == 30
    assert (
        f"{rare} pictures are left out, whose labels have fewer than 4 pictures: rare." in pictures.passport["warnings"]
    )


def test_a_label_with_few_training_pictures_is_told_with_their_number(tmp_path: Path, cache: Path) -> None:
    for word, count in (("many", 60), ("few", 6)):
        (tmp_path / word).mkdir()
        for i in range(count):
            Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / word / f"{i}.png")
    pictures = opened(tmp_path)
    (few,) = [label["train"] for label in pictures.passport["labels"] if label["name"] == "few"]
    assert any(f"whose samples may be copies of them: few ({few})." in told for told in pictures.passport["warnings"])


def test_broken_files_are_skipped_counted_and_listed(photos: Path, cache: Path) -> None:
    whole = RNG.integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(whole).save(photos / "cut.png")
    (photos / "cut.png").write_bytes((photos / "cut.png").read_bytes()[:3000])
    Image.fromarray(whole).save(photos / "cut.jpg")
    (photos / "cut.jpg").write_bytes((photos / "cut.jpg").read_bytes()[:1500])
    (photos / "text.png").write_text("I am not a picture")
    (photos / "empty.png").write_bytes(b"")
    (photos / "bomb.png").write_bytes(bomb())
    Image.new("RGB", (400, 10)).save(photos / "sliver.png")
    Image.new("RGB", (2, 2)).save(photos / "dot.png")
    (photos / "notes.csv").write_text("a,b")
    (photos / ".hidden.png").write_text("ignored")
    (photos / "folder.png").mkdir()
    pictures = opened(photos)
    assert pictures.passport["count"] == 24
    reasons = {one["name"]: one["reason"] for one in pictures.passport["skipped"]}
    wanted = {
        "cut.png": "damaged", "cut.jpg": "damaged", "text.png": "not a picture", "empty.png": "0 bytes",
        "bomb.png": "bomb", "sliver.png": "sliver", "dot.png": "smaller", "notes.csv": "by its name",
        "folder.png": "without a usable picture",
    }  # fmt: skip
    assert set(reasons) == set(wanted) and pictures.passport["skipped_count"] == len(wanted)
    for name, words in wanted.items():
        assert words in reasons[name]


def test_a_zip_file_of_a_folder_is_the_same_as_the_folder(photos: Path, cache: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for path in sorted(photos.iterdir()):
            archive.write(path, f"photos/{path.name}")
        archive.writestr("__MACOSX/._x.png", b"")
    assert opened(tmp_path / "p.zip").data_hash == opened(photos).data_hash


def test_mixed_sizes_are_covered_cropped_and_enlargement_is_said(photos: Path, cache: Path) -> None:
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 34:86] = 255  # the middle third, 40 to 80, is all that is left of it
    Image.fromarray(wide).save(photos / "wide.png")
    pictures = opened(photos, size=(32, 32))
    assert survey(photos).native_size is None
    assert pictures.passport["enlarged"] == 24 and "enlarged" in " ".join(pictures.passport["warnings"])
    assert holds(pictures, np.full((32, 32, 3), 255, np.uint8))


@pytest.mark.parametrize("count", [1, 3, 23])
def test_too_few_pictures_are_refused(tmp_path: Path, count: int) -> None:
    for i in range(count):
        Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match=f"holds {count} usable") as caught:
        survey(tmp_path)
    assert caught.value.exit_code == 2 and "24" in str(caught.value)


def test_too_few_after_decoding_are_refused_with_the_reasons(tmp_path: Path, cache: Path) -> None:
    for i in range(26):
        Image.fromarray(RNG.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / f"{i}.png")
        if i > 10:
            (tmp_path / f"{i}.png").write_bytes((tmp_path / f"{i}.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"holds 11 usable.*damaged"):
        opened(tmp_path)


def test_nothing_usable_is_refused_with_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no")
    (tmp_path / "b.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable picture.*a\.png: not a picture.*0 bytes"):
        survey(tmp_path)


def test_one_picture_repeated_is_refused(tmp_path: Path, cache: Path) -> None:
    for i in range(24):
        Image.new("L", (16, 16), 128).save(tmp_path / f"{i}.png")
    with pytest.raises(DataError, match="identical"):
        opened(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        survey(tmp_path)


def test_a_single_picture_is_refused(photos: Path) -> None:
    with pytest.raises(DataError, match="single picture"):
        survey(photos / "00.png")


def test_a_missing_path_gets_a_suggestion(photos: Path) -> None:
    with pytest.raises(DataError, match=r"nothing at.*Did you mean '.*photos'"):
        survey(str(photos.with_name("photoss")))
    with pytest.raises(DataError, match="Did you mean 'digits'"):
        survey("digit")


def test_labels_for_a_folder_are_refused(photos: Path) -> None:
    with pytest.raises(DataError, match="subfolder"):
        survey(photos, labels=[0] * 20)


def test_a_run_inside_the_folder_is_neither_pictures_nor_a_label(tmp_path: Path) -> None:
    """`cd photos && ganforge train .` writes runs/ into its own data."""
    for word in ("cat", "dog"):
        (tmp_path / word).mkdir()
        for i in range(20):
            Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / word / f"{i}.png")
    before = survey(tmp_path)
    samples = tmp_path / "runs" / "photos-1" / "samples"
    samples.mkdir(parents=True)
    (samples.parent / "recipe.json").write_text('{"ganforge": "0.1.0", "task": "generate"}')
    Image.new("L", (16, 16)).save(samples / "000000640.png")
    after = survey(tmp_path)
    assert (after.count, after.label_names, after.skipped) == (40, ("cat", "dog"), ())
    assert after.digest == before.digest
    with pytest.raises(DataError, match="is a run, not pictures"):
        survey(samples.parent)


def test_a_recipe_for_a_dish_hides_no_pictures(photos: Path) -> None:
    for content in ('{"title": "soup"}', "[]", "not json"):
        (photos / "recipe.json").write_text(content)
        assert survey(photos).count == 24


def test_a_folder_larger_than_one_slice_of_headers_is_listed_whole(
    photos: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "05.png").write_text("broken")
    Image.new("RGB", (16, 16)).save(photos / "24.png")
    whole = opened(photos)
    monkeypatch.setattr(folder, "AT_ONCE", 7)
    found = survey(photos)
    assert (found.count, [name for name, _ in found.skipped]) == (24, ["05.png"])
    monkeypatch.setenv("GANFORGE_CACHE", str(cache / "other"))
    assert open_pictures(found, size=(16, 16)).data_hash == whole.data_hash


def test_labels_of_subfolders_can_be_left_out(tmp_path: Path, cache: Path) -> None:
    for word, count in (("a", 15), ("b", 15), ("rare", 1)):
        (tmp_path / word).mkdir()
        for i in range(count):
            Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / word / f"{i}.png")
    found = survey(tmp_path, labels=False)
    assert found.label_names == () and found.told == ()
    assert open_pictures(found, size=(16, 16)).passport["count"] == 31
