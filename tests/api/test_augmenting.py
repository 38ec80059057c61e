"""A labelled data set enlarged, and whether that helps a classifier."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganforge as gf
from ganforge.api.sample import augment
from ganforge.cli import main
from ganforge.errors import DataError, InputError
from ganforge.kinds.pictures.augment import Labelled, accuracy_after_learning


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"compute.threads": 1, "records.marks": [1.0]}
    folder = tmp_path_factory.mktemp("runs") / "digits"
    return gf.train("digits8", examples=640, size="tiny", run=folder, settings=settings).folder


def stripes(count: int, seed: int) -> Labelled:
    """Label 0 has lines across, label 1 lines down: noise beside them, so that few examples do not tell all."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    lines = 100 * (np.arange(16) // 2 % 2)
    clean = np.where(labels[:, None, None] == 0, lines[None, :, None], lines[None, None, :])
    noisy = clean + random.integers(0, 100, (count, 16, 16))
    return Labelled(noisy[:, None].astype(np.uint8), labels.astype(np.int64))


def test_a_classifier_learns_what_can_be_told_and_only_that() -> None:
    """Of labels that no picture tells, whatever was learned reads half: within five standard errors of it."""
    unseen = stripes(1_000, 1)
    assert accuracy_after_learning(stripes(64, 0), unseen, 2, seed=0, examples=3_200) > 0.95
    untold = Labelled(unseen.pictures, np.random.default_rng(0).integers(0, 2, 1_000))
    found = accuracy_after_learning(stripes(64, 0), untold, 2, seed=0, examples=640)
    assert abs(found - 0.5) < 5 * np.sqrt(0.25 / 1_000)


def test_learning_repeats_to_the_bit() -> None:
    found = {accuracy_after_learning(stripes(64, 0), stripes(500, 1), 2, seed=3, examples=320) for _ in range(2)}
    assert len(found) == 1


@pytest.mark.slow
def test_the_enlarged_set_holds_everything_and_a_verdict(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ganforge.kinds.pictures.augment.EXAMPLES", 640)
    told: list[Any] = []

    class Told:
        def record(self, record: Any) -> None:
            pass

        def event(self, event: Any) -> None:
            told.append(event["number"])

    found = augment(run, "digits8", tmp_path / "bigger.npz", per_label=7, observers=(Told(),))
    with np.load(tmp_path / "bigger.npz") as arrays:
        assert arrays["x"].shape == (1797 + 70, 8, 8)
        assert np.bincount(arrays["y"][1797:]).tolist() == [7] * 10
    said = json.loads((tmp_path / "bigger.json").read_text())
    assert said["verdict"] == found.verdict
    assert "classical augmentation alone" in found.verdict
    assert len(found.without) == len(found.with_generated) == len(told) == 5
    assert not found.notes
    with pytest.raises(InputError, match="exists already"):
        augment(run, "digits8", tmp_path / "bigger.npz")


@pytest.mark.slow
def test_other_labels_and_taken_places_are_refused_before_the_work(run: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    np.savez(tmp_path / "other.npz", x=x, y=np.arange(60) % 3)
    with pytest.raises(DataError, match="labels of"):
        augment(run, tmp_path / "other.npz", tmp_path / "out")
    np.savez(tmp_path / "none.npz", x=x)
    with pytest.raises(DataError, match="has no labels"):
        augment(run, tmp_path / "none.npz", tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    for force in (False, True):
        with pytest.raises(InputError, match="did not write"):
            augment(run, "digits8", tmp_path / "full", force=force)
    with pytest.raises(InputError, match=r"\.zip"):
        augment(run, "digits8", tmp_path / "out.zip")
    with pytest.raises(InputError, match="0 pictures"):
        augment(run, "digits8", tmp_path / "out", per_label=0)


@pytest.fixture(scope="module")
def stripes_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data in train/ and test/ with two labels each, and a run that learned it."""
    data = tmp_path_factory.mktemp("stripes") / "data"
    for part, count, seed in (("train", 60, 0), ("test", 40, 1)):
        made = stripes(count, seed)
        for number, (picture, label) in enumerate(zip(made.pictures, made.labels, strict=True)):
            place = data / part / ("across", "down")[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture[0]).save(place / f"{number}.png")
    settings = {"compute.threads": "1", "records.marks": "[1.0]"}
    run = gf.train(str(data), examples=320, size="tiny", run=data.parent / "run", settings=settings)
    return data, run.folder


def test_a_folder_keeps_its_files_and_gets_more_where_the_training_pictures_lie(
    stripes_run: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganforge.kinds.pictures.augment.EXAMPLES", 64)
    data, run = stripes_run
    out = tmp_path / "bigger"
    assert main(["augment", str(run), str(data), "--out", str(out), "--per-label", "5"]) == 0
    assert "classical augmentation alone" in capsys.readouterr().out.replace("\n", " ")
    for path in data.rglob("*.png"):
        assert (out / path.relative_to(data)).read_bytes() == path.read_bytes()
    assert sorted(path.parent.relative_to(out).as_posix() for path in out.rglob("generated*")) == (
        ["train/across"] * 5 + ["train/down"] * 5
    )
    with pytest.raises(InputError, match="Nothing is overwritten"):
        augment(run, data, out)
    augment(run, data, out, per_label=2, force=True)
    assert len(list(out.rglob("generated*"))) == 4
    (out / "train" / "mine.txt").write_text("a memory")
    with pytest.raises(InputError, match="did not write"):
        augment(run, data, out, force=True)
    assert (out / "train" / "mine.txt").is_file()


def test_pictures_of_any_suffix_are_copied_and_what_is_skipped_is_told(
    stripes_run: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganforge.kinds.pictures.augment.EXAMPLES", 64)
    data, run = stripes_run
    copied = tmp_path / "data"
    for path in data.rglob("*.png"):
        place = (copied / path.relative_to(data)).with_suffix(".pgm")
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.save(place)
    (copied / "test" / "down").rename(tmp_path / "elsewhere")
    (copied / "test" / "down").symlink_to(tmp_path / "elsewhere")
    (copied / "train" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (copied / "train" / "notes.txt").write_text("hello")
    found = augment(run, copied, tmp_path / "bigger", per_label=1)
    assert len(list((tmp_path / "bigger").rglob("*.pgm"))) == 100
    assert "2 files were skipped, the first: train/gone.png" in found.notes[-1]


@pytest.mark.slow
def test_a_folder_of_arrays_is_enlarged_as_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganforge.kinds.pictures.augment.EXAMPLES", 64)
    made = stripes(100, 0)
    (tmp_path / "idx").mkdir()
    for name, array in (("train-images-idx3-ubyte", made.pictures[:, 0]), ("train-labels-idx1-ubyte", made.labels)):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / "idx" / name).write_bytes(header + array.astype(np.uint8).tobytes())
    settings = {"compute.threads": "1", "records.marks": "[1.0]"}
    run = gf.train(str(tmp_path / "idx"), examples=64, size="tiny", run=tmp_path / "run", settings=settings)
    augment(run.folder, tmp_path / "idx", tmp_path / "bigger", per_label=2)
    assert len(list((tmp_path / "bigger").rglob("original*.png"))) == 100
    assert len(list((tmp_path / "bigger").rglob("generated*.png"))) == 4
