"""Values of more than 8 bits: the range of the whole set is found, told and kept; a person may give another."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import ganforge as gf
from ganforge.core.files import write_folder
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.pictures import range_of_values
from ganforge.kinds.pictures.generate.model import load_model
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.image_to_image import load_map
from ganforge.kinds.pictures.invert.inversion import loose_pictures
from ganforge.kinds.pictures.picture_data import PictureData
from ganforge.kinds.pictures.picture_file import open_picture
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import Range, Reading
from ganforge.kinds.pictures.translate.sides import survey_sides
from ganforge.recipe import Request, read_recipe

RNG = np.random.default_rng(5)
TWELVE = RNG.integers(0, 4096, (30, 16, 16)).astype(np.uint16)
TWELVE[:, 0, 0] = 4095
WHITE = np.rint(TWELVE * (255 / 4095)).astype(np.uint8)


def write(folder: Path, pictures: np.ndarray, suffix: str = "png") -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:02d}.{suffix}")
    return folder


def as_parquet(path: Path, pictures: np.ndarray) -> Path:
    files = []
    for picture in pictures:
        Image.fromarray(picture).save(file := io.BytesIO(), "PNG")
        files.append(file.getvalue())
    pq.write_table(pa.table({"image": files}), path)
    return path


def learned(source: Path | np.ndarray, reading: Reading | None = None) -> tuple[set[bytes], tuple[str, ...]]:
    """All pictures as they are learned, and what is told."""
    found = survey(source, reading=reading or Reading())
    pictures = open_pictures(found, size=(16, 16))
    both = np.concatenate([pictures.train.examples(), pictures.held_out.examples()])
    return {one.tobytes() for one in both}, found.told


def levels(pictures: np.ndarray) -> set[bytes]:
    return {one.tobytes() for one in pictures}


@pytest.mark.parametrize("form", ["png", "tif", "npy", "npz", "parquet", "array", "int32", "float32"])
def test_twelve_bits_in_sixteen_are_as_bright_as_they_were(tmp_path: Path, cache: Path, form: str) -> None:
    source: Path | np.ndarray = TWELVE
    if form in ("png", "tif"):
        source = write(tmp_path / "d", TWELVE, form)
    elif form == "npz":
        np.savez(source := tmp_path / "x.npz", x=TWELVE)
    elif form == "npy":
        np.save(source := tmp_path / "x.npy", TWELVE)
    elif form == "parquet":
        source = as_parquet(tmp_path / "x.parquet", TWELVE)
    elif form != "array":
        source = TWELVE.astype(form)
    got, told = learned(source)
    assert got == levels(WHITE)
    assert any("alues up to 4095: read as 12 bits (0 to 4095)" in one and "--values" in one for one in told)


@pytest.mark.parametrize(("most", "white"), [(1023, 1023), (900, 1023), (16383, 16383), (50000, 65535), (200, 255)])
def test_the_bits_follow_from_the_greatest_value(tmp_path: Path, cache: Path, most: int, white: int) -> None:
    x = RNG.integers(0, most + 1, (30, 16, 16)).astype(np.uint16)
    x[0, 0, 0] = most
    assert learned(write(tmp_path / "d", x))[0] == levels(np.rint(x * (255 / white)).astype(np.uint8))


def test_a_narrow_window_is_stretched_and_what_lies_beyond_is_cut_off(tmp_path: Path, cache: Path) -> None:
    x = RNG.integers(20000, 22001, (40, 16, 16)).astype(np.uint16)
    x[3, 4, 5] = 60000  # a star
    found = survey(write(tmp_path / "d", x))
    assert found.values is not None and 20000 <= found.values[0] < 20010 and 21990 < found.values[1] <= 22000
    assert "nearly all from" in found.told[0] and "cut off" in found.told[0]


def test_signed_and_floating_values_are_read_by_their_own_range(tmp_path: Path, cache: Path) -> None:
    scan = RNG.integers(-1024, 3072, (30, 16, 16)).astype(np.int32)
    scan[0, 0, :2] = -1024, 3071
    want = levels(np.rint((scan + 1024) * (255 / 4095)).astype(np.uint8))
    got, told = learned(scan)
    assert got == want and "black is the least and white the greatest" in told[0]
    assert learned(write(tmp_path / "d", scan, "tif"))[0] == want
    standardised = ((scan - 1000) / 700).astype(np.float32)
    assert len(learned(standardised)[0] & want) >= 28  # but for rounding


def test_a_person_may_say_otherwise(tmp_path: Path, cache: Path) -> None:
    full: Range = (0, 65535)
    for source in (write(tmp_path / "d", TWELVE), TWELVE):
        got, told = learned(source, Reading(full))
        assert got == levels(np.rint(TWELVE * (255 / 65535)).astype(np.uint8)) and not told
    sixteen = RNG.integers(0, 17, (30, 16, 16)).astype(np.uint8)
    assert learned(sixteen, Reading((0, 16)))[0] == levels(np.rint(sixteen * (255 / 16)).astype(np.uint8))
    with pytest.raises(DataError, match=r"have 8 bits.*Leave out --values"):
        survey(write(tmp_path / "e", WHITE), reading=Reading(full))


def test_a_run_without_a_range_reads_sixteen_bits_as_before(tmp_path: Path, cache: Path) -> None:
    before = levels(np.rint(TWELVE * (255 / 65535)).astype(np.uint8))
    for source in (write(tmp_path / "d", TWELVE), TWELVE):
        assert learned(source, Reading(looks=False))[0] == before


def test_the_two_sides_of_a_translation_have_ranges_of_their_own(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "A", TWELVE)
    write(tmp_path / "B", WHITE)
    sides = survey_sides(str(tmp_path))
    assert sides.values == ((0, 4095), None) and "A: Values up to 4095" in sides.told[0]


def test_a_model_reads_the_files_of_apply_by_its_own_range(tmp_path: Path) -> None:
    path = write(tmp_path / "d", TWELVE[:1]) / "00.png"
    given = open_picture(path, 1, lightness=False, values=(0, 4095))
    assert np.array_equal(given.pixels[..., 0], WHITE[0]) and "4095 as white" in given.notes[0]


@pytest.mark.parametrize("words", ["4095", "5..5", "9..3", "a..b", "0..inf", "0..1..2", 7])
def test_values_that_are_no_range_are_refused(words: object) -> None:
    assert range_of_values("-1024..3071") == range_of_values((-1024, 3071)) == (-1024, 3071)
    with pytest.raises(RecipeError, match=r"not a range.*0\.\.4095"):
        range_of_values(words)


def test_the_range_stands_in_the_recipe_and_a_run_is_opened_again_by_it(tmp_path: Path, cache: Path) -> None:
    recipe = gf.plan(write(tmp_path / "d", TWELVE), examples=64, size="tiny")
    assert isinstance(recipe.data, PictureData) and recipe.data.values == (0, 4095)
    assert "--values" in recipe.reasons["data.values"]
    again = read_recipe(json.loads(json.dumps(recipe.to_json())), Generate)
    assert again == recipe and again.to_json()["data"]["values"] == [0, 4095]
    assert Generate().open(again, lambda kind, **content: None).pictures.data_hash == recipe.data.hash
    asked = gf.plan(tmp_path / "d", examples=64, size="tiny", values="0..65535")
    assert isinstance(asked.data, PictureData) and asked.data.values == (0, 65535)
    assert asked.data.hash != recipe.data.hash
    assert "values" not in gf.plan(write(tmp_path / "e", WHITE), examples=64, size="tiny").to_json()["data"]


@pytest.mark.slow
def test_a_trained_model_keeps_the_range_for_apply(tmp_path: Path, cache: Path) -> None:
    write(tmp_path / "d", TWELVE, "tif")
    gf.train(tmp_path / "d", task="enhance", examples=32, size="tiny", run=tmp_path / "run")
    assert load_map(tmp_path / "run" / "model").values == (0, 4095)
    gf.apply(tmp_path / "run", tmp_path / "d" / "00.tif", out=tmp_path / "new.png")
    with Image.open(tmp_path / "new.png") as made:
        assert abs(float(np.asarray(made.convert("L")).mean()) - WHITE[0].mean()) < 20


def test_invert_and_augment_read_by_the_range_of_the_run(tmp_path: Path, cache: Path) -> None:
    source = write(tmp_path / "d", TWELVE)
    job = Generate().plan(Request(source=str(source), size="tiny", examples=64), lambda kind, **content: None)
    write_folder(tmp_path / "model", lambda folder: job.write_model(folder, job.game().product_player.network))
    model = load_model(tmp_path / "model")
    assert model.values == (0, 4095)
    _, pixels, _ = loose_pictures([source / "00.png"], (1, 16, 16), model.values)
    assert np.array_equal(pixels[0, 0], WHITE[0])
    eight = write(tmp_path / "e", WHITE)
    assert learned(eight, Reading((0, 4095), looks=False))[0] == learned(eight)[0]  # 8 bits remain 8 bits


def test_whole_numbers_beside_fractions_are_refused_unless_a_range_is_given(tmp_path: Path, cache: Path) -> None:
    source = write(tmp_path / "d", TWELVE[:15], "tif")
    for number, picture in enumerate(TWELVE[15:]):
        Image.fromarray((picture / 4095).astype(np.float32)).save(source / f"x{number}.tif")
    with pytest.raises(DataError, match=r"whole numbers up to 4095, others fractions up to 1\."):
        survey(source)
    assert survey(source, reading=Reading((0, 4095))).values == (0, 4095)
