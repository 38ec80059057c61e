"""The verb invert on a tiny run: what it writes, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge
from ganforge.cli import main
from ganforge.errors import DataError, InputError, RunError
from ganforge.kinds.pictures.generate.model import load_model
from ganforge.kinds.pictures.invert import encoder, inversion
from ganforge.run import Run

pytestmark = pytest.mark.slow

FEW = 3_200  # examples for the encoder


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"compute.threads": "1"}
    run = tmp_path_factory.mktemp("invert") / "run"
    return ganforge.train("digits8", examples=6_400, size="tiny", run=run, settings=settings).folder


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    full = encoder.encoder_of
    monkeypatch.setattr(inversion, "encoder_of", lambda run, model, **more: full(run, model, examples=FEW, **more))


@pytest.fixture(scope="module")
def drawn(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures that the model drew, of the labels 3 and 5, and a file that is none."""
    folder = tmp_path_factory.mktemp("drawn")
    pictures = load_model(Run(digits).model).draw_pictures(2, labels=np.array([3, 5]), seed=8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture[0]).save(folder / f"own{number}.png")
    (folder / "z.png").write_bytes(b"no picture")
    return folder


def test_every_file_of_a_folder_is_read_or_named(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "a.pgm")
    Image.new("L", (16, 16)).save(tmp_path / "b.JFIF", "JPEG")
    Image.new("RGB", (16, 16)).save(tmp_path / "c.tga")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    for name in ("phone.heic", "README", "z.png"):
        (tmp_path / name).write_text("hello")
    names, pixels, skipped = inversion.loose_pictures([tmp_path], (1, 8, 8))
    assert [Path(name).name for name in names] == ["a.pgm", "b.JFIF", "c.tga"]
    assert len(pixels) == 3
    assert {Path(name).name: reason for name, reason in skipped} == {
        "gone.png": "is a link that leads nowhere",
        "phone.heic": "is of a format that is not read",
        "README": "not a picture file by its name",
        "z.png": "not a picture, whatever its name says",
    }


def test_what_the_model_drew_is_found_again_beside_floor_and_references(
    digits: Path, drawn: Path, tmp_path: Path
) -> None:
    found = ganforge.invert(digits, drawn, tmp_path / "out")
    assert min(one.decibels for one in found.pictures) >= 30
    assert all(one.decibels > one.nearest_sample for one in found.pictures)
    assert all(one.nearest_training is not None for one in found.pictures)
    assert found.own_decibels[0] >= 30
    assert len(found.skipped) == 1
    content = json.loads((tmp_path / "out" / "inversion.json").read_text())
    assert [one["decibels"] for one in content["pictures"]] == [one.decibels for one in found.pictures]
    with np.load(tmp_path / "out" / "latents.npz", allow_pickle=False) as arrays:
        assert arrays["latents"].shape == (2, 64)
    with Image.open(tmp_path / "out" / found.pictures[0].shown) as side_by_side:
        assert side_by_side.width > 2.5 * side_by_side.height


def test_the_encoder_is_kept_and_learned_anew_when_it_is_damaged(digits: Path, drawn: Path) -> None:
    class Watcher:
        records = 0

        def record(self, record: object) -> None:
            self.records += 1

        def event(self, event: object) -> None:
            pass

    once, again, anew = Watcher(), Watcher(), Watcher()
    ganforge.invert(digits, drawn / "own0.png", observers=(once,))
    weights = Run(digits).encoder / "model.safetensors"
    before = weights.read_bytes()
    ganforge.invert(digits, drawn / "own0.png", observers=(again,))
    assert again.records == 0
    weights.write_bytes(b"damaged")
    ganforge.invert(digits, drawn / "own0.png", observers=(anew,))
    assert anew.records > 0
    assert weights.read_bytes() == before


def test_edits_are_shown_beside_and_unknown_ones_named(digits: Path, drawn: Path, tmp_path: Path) -> None:
    one = str(drawn / "own0.png")
    plain = ganforge.invert(digits, one, tmp_path / "plain")
    name = next(name for name, explained in plain.directions.items() if explained >= 0.1)
    edited = ganforge.invert(digits, one, tmp_path / "edited", edits=[f"{name}=2", "label=7"])
    with (
        Image.open(plain.folder / plain.pictures[0].shown) as three,
        Image.open(edited.folder / edited.pictures[0].shown) as four,
    ):
        assert four.width > three.width
    refused = {
        "hair=1": "no direction 'hair'",
        name: "cannot read",
        f"{name}=x": "is a number",
        f"{name}=inf": "is a number",
        "saturation=1": "saturation",  # of grey pictures
        "label=cat": "no label 'cat'",
    }
    for edit, word in refused.items():
        with pytest.raises(InputError, match=word):
            ganforge.invert(digits, one, tmp_path / "none", edits=[edit])
    assert not (tmp_path / "none").exists()


def test_nothing_of_a_persons_is_replaced_and_bad_pictures_are_refused(
    digits: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, out = str(drawn / "own0.png"), tmp_path / "out"
    assert main(["invert", str(digits), one, "--out", str(out)]) == 0
    assert "own0.png" in capsys.readouterr().out
    with pytest.raises(InputError, match="exists already"):
        ganforge.invert(digits, one, out)
    ganforge.invert(digits, one, out, force=True)
    (out / "mine.txt").write_text("a memory")
    with pytest.raises(InputError, match="did not write"):
        ganforge.invert(digits, one, out, force=True)
    assert (out / "mine.txt").is_file()
    for source in ("nothing.png", str(drawn / "z.png")):
        with pytest.raises(DataError):
            ganforge.invert(digits, source, tmp_path / "b")
    with pytest.raises(RunError):
        ganforge.invert(tmp_path, one, tmp_path / "b")
    with pytest.raises(InputError, match="no label 'x'"):
        ganforge.invert(digits, one, tmp_path / "b", label="x")
    assert not (tmp_path / "b").exists()


def test_a_picture_of_another_size_and_mode_is_fitted(digits: Path, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 25, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    found = ganforge.invert(digits, tmp_path / "a.png", label="2")
    assert found.folder == Run(digits).inverted
    assert found.pictures[0].label == "2"
    assert found.pictures[0].decibels > found.pictures[0].nearest_sample
