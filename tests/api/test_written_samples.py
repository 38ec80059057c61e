"""Samples are written where they were asked for, and nothing of a person's is lost to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganforge.core.files import write_folder
from ganforge.errors import InputError
from ganforge.kinds.pictures.write import check_place, write_pictures

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_force_replaces_a_folder_of_samples(tmp_path: Path) -> None:
    write_pictures(PICTURES, tmp_path / "new")
    (tmp_path / "new" / ".DS_Store").write_bytes(b"a file manager's")
    with pytest.raises(InputError, match="exists already"):
        write_pictures(PICTURES[:2], tmp_path / "new")
    write_pictures(PICTURES[:2], tmp_path / "new", force=True)
    assert names(tmp_path / "new") == ["000001.png", "000002.png", "manifest.json"]
    write_pictures(PICTURES[:1], tmp_path / "new", labels=np.array([0]), label_names=("a cat",), force=True)
    write_pictures(PICTURES, tmp_path / "new", force=True)  # a label in the names is fine too
    assert len(names(tmp_path / "new")) == 4


def test_force_never_replaces_a_folder_of_anything_else(tmp_path: Path) -> None:
    photos, model, mixed = tmp_path / "photos", tmp_path / "model", tmp_path / "mixed"
    (photos / "summer").mkdir(parents=True)
    (photos / "summer" / "beach.png").write_bytes(b"a memory")
    write_folder(model, lambda folder: (folder / "model.safetensors").write_bytes(b"weights") and None)
    write_pictures(PICTURES, mixed)
    (mixed / "000099.png").write_bytes(b"put there by the person")
    for folder in (photos, model, mixed):
        before = sorted(folder.rglob("*"))
        with pytest.raises(InputError, match="did not write"):
            write_pictures(PICTURES, folder, force=True)
        assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("place", [".", "..", "../here"])
def test_the_folder_that_one_is_in_is_never_replaced(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="folder that you are in"):
        write_pictures(PICTURES, place, force=True)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("a.webp", (40_000, 1, 4, 256), "16,383 on a side"),
        ("a.jpg", (10**9, 1, 28, 28), "pixels"),
        ("a.png", (10**12, 3, 64, 64), "pixels"),
        ("a.docx", (1, 1, 8, 8), "docx"),
    ],
)
def test_a_grid_that_no_file_can_hold_is_refused_before_it_is_drawn(
    name: str, shape: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        check_place(tmp_path / name, shape)


def test_every_size_that_is_accepted_can_be_written(tmp_path: Path) -> None:
    wide = np.zeros((55, 1, 8, 2000), np.uint8)  # 8 columns: 16,018 pixels, just below what webp holds
    for suffix in (".webp", ".jpg", ".png"):
        write_pictures(wide, tmp_path / f"grid{suffix}")
        assert (tmp_path / f"grid{suffix}").stat().st_size > 0


def test_a_file_is_replaced_only_with_force_and_never_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "grid.png").write_bytes(b"old")
    (tmp_path / "grid").write_bytes(b"old")
    with pytest.raises(InputError, match="exists already"):
        write_pictures(PICTURES, tmp_path / "grid.png")
    with pytest.raises(InputError, match="is a file"):
        write_pictures(PICTURES, tmp_path / "grid", force=True)
    write_pictures(PICTURES, tmp_path / "grid.png", force=True)
    assert (tmp_path / "grid.png").read_bytes() != b"old"
