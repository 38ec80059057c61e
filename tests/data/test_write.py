"""Samples as files: what is written can be read again, and nothing is overwritten by itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganforge.errors import InputError
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.write import write_pictures

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 256, (30, 1, 8, 8), np.uint8)
COLOUR = RNG.integers(0, 256, (30, 3, 8, 8), np.uint8)


@pytest.mark.parametrize(("pictures", "shape"), [(GREY, (30, 8, 8)), (COLOUR, (30, 3, 8, 8))])
def test_an_array_file_holds_every_level_and_can_be_trained_on(
    tmp_path: Path, pictures: np.ndarray, shape: tuple[int, ...]
) -> None:
    labels = np.arange(30) % 2
    write_pictures(pictures, tmp_path / "s.npz", labels=labels, label_names=("a", "b"))
    with np.load(tmp_path / "s.npz") as file:
        assert file["x"].shape == shape and file["x"].dtype == np.uint8
        assert (file["x"].reshape(pictures.shape) == pictures).all() and (file["y"] == labels).all()
    opened = open_pictures(survey(tmp_path / "s.npz"), size=(8, 8))
    assert opened.label_names == ("a", "b") and opened.passport["count"] == 30


@pytest.mark.parametrize("pictures", [GREY, COLOUR])
def test_a_folder_holds_one_file_for_each_picture(tmp_path: Path, cache: Path, pictures: np.ndarray) -> None:
    write_pictures(pictures, tmp_path / "out")
    files = sorted((tmp_path / "out").glob("*.png"))
    assert len(files) == 30
    for file, picture in zip(files, pictures, strict=True):
        assert (np.asarray(Image.open(file)).reshape(8, 8, -1) == picture.transpose(1, 2, 0)).all()
    assert open_pictures(survey(tmp_path / "out"), size=(8, 8)).passport["count"] == 30


def test_labels_are_in_the_names_of_the_files_and_cannot_leave_the_folder(tmp_path: Path) -> None:
    write_pictures(GREY[:2], tmp_path / "out", labels=np.array([0, 1]), label_names=("cat", "../../etc"))
    assert sorted(file.name for file in (tmp_path / "out").glob("*.png")) == ["000001_cat.png", "000002_..-..-etc.png"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_grid_shows_all_pictures(tmp_path: Path, suffix: str) -> None:
    write_pictures(COLOUR, tmp_path / f"grid.{suffix}")
    with Image.open(tmp_path / f"grid.{suffix}") as image:
        assert image.width * image.height >= 30 * 8 * 8


def test_nothing_is_overwritten_by_itself(tmp_path: Path) -> None:
    for name in ("s.npz", "s.png", "out"):
        write_pictures(GREY, tmp_path / name)
        with pytest.raises(InputError, match="exists already"):
            write_pictures(COLOUR, tmp_path / name)
        write_pictures(COLOUR, tmp_path / name, force=True)
    assert np.load(tmp_path / "s.npz")["x"].shape == (30, 3, 8, 8)


def test_unknown_suffixes_and_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"as '\.mp4'"):
        write_pictures(GREY, tmp_path / "s.mp4")
    with pytest.raises(InputError, match="7 labels for 30 pictures"):
        write_pictures(GREY, tmp_path / "s.npz", labels=np.arange(7))
    assert not list(tmp_path.iterdir())
