"""Enhancing photos: the three players, the dial, resuming across the switch, and that it beats the plain way."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photos

import ganforge as gf
from ganforge.contracts import Levers, Turn
from ganforge.core.seeds import Draws, generator_for
from ganforge.errors import ChangedDataError, DataError, InputError, RecipeError
from ganforge.kinds.pictures.enhance.game import build_game
from ganforge.kinds.pictures.enhance.photos import cut_tiles, open_photos
from ganforge.kinds.pictures.enhance.task import Enhance
from ganforge.kinds.pictures.image_to_image import load_map
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.networks.ends import BothEnds
from ganforge.recipe import Recipe, Request
from ganforge.run import Run

QUICK = {"compute.threads": "1", "records.marks": "[1.0]"}


def silent(*_: Any, **__: Any) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos that scikit-image brings along, made small."""
    root = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field"):
        image = Image.fromarray(getattr(photos, name)()).convert("RGB")
        image.thumbnail((288, 288))
        image.save(root / f"{name}.png")
    return root


def recipe_of(source: Path, **settings: str) -> Recipe:
    request = Request(source=str(source), task="enhance", examples=64, size="tiny", settings={**QUICK, **settings})
    return Enhance().plan(request, silent).recipe


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = tmp_path_factory.mktemp("runs") / "larger"
    settings = {**QUICK, "task.degradation": "downscale:2"}
    return gf.train(folder, task="enhance", examples=2_400, size="tiny", run=run, settings=settings)


@pytest.mark.slow
def test_it_comes_nearer_to_the_truth_than_bicubic(trained: Any) -> None:
    content = json.loads((trained.folder / "evaluation.json").read_text())
    psnr = {rival["name"]: rival["measures"]["psnr"] for rival in content["rivals"]}
    assert psnr["this model, faithful"] > psnr["bicubic"] + 0.3
    assert content["cases"]["columns"] == ["input", "reference: bicubic", "faithful", "sharp", "truth"]
    assert all(Run(trained.folder).figure(name).is_file() for name in ("worst", "best", "random"))


@pytest.mark.slow
def test_the_dial_lies_between_its_ends_and_apply_enlarges(trained: Any, folder: Path, tmp_path: Path) -> None:
    picture = np.asarray(Image.open(folder / "coffee.png"))[:40, :50]
    ends = [load_map(trained.folder / "model", strength).network.state_dict() for strength in (0.0, 0.5, 1.0)]
    for name, middle in ends[1].items():
        assert torch.allclose(middle, (ends[0][name] + ends[2][name]) / 2, atol=1e-6)
    assert gf.apply(trained.folder, picture).shape == (80, 100, 3)
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    gf.apply(trained.folder, tmp_path / "a.jpg", tmp_path / "b.jpg", strength=0)
    with Image.open(tmp_path / "b.jpg") as made:
        assert made.size == (100, 80)
    with pytest.raises(InputError, match="--strength cannot be 2"):
        gf.apply(trained.folder, picture, strength=2)
    with pytest.raises(InputError, match="Only tables have --draw"):
        gf.apply(trained.folder, picture, draw=True)


@pytest.mark.slow
def test_sharp_follows_faithful_until_it_plays_and_then_goes_its_own_way(folder: Path) -> None:
    recipe = recipe_of(folder, **{"enhance.sharp_from": "0.5"})
    game = build_game(recipe)
    faithful, discriminator, sharp = game.players
    dial = sharp.network
    assert isinstance(dial, BothEnds)
    assert not discriminator.plays(0.49)
    assert sharp.plays(0.5)
    batch = {"x": torch.rand(2, 3, 96, 96) * 2 - 1}
    for progress, same in ((0.4, True), (0.6, False)):
        with torch.no_grad():
            for parameter in dial.faithful.parameters():
                parameter.add_(0.01)
        faithful.loss(Turn(batch, Draws(generator_for(0, "test")), faithful.dials(progress, Levers())))
        pairs = zip(dial.faithful.parameters(), dial.sharp.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs) is same


class StopAt:
    """Presses Ctrl-C at the first record from a step on."""

    def __init__(self, step: int) -> None:
        self.step, self.pressed = step, False

    def record(self, record: dict[str, Any]) -> None:
        if record["step"] >= self.step and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)

    def event(self, event: Any) -> None:
        pass


@pytest.mark.slow
def test_a_run_stopped_before_and_after_the_switch_goes_on_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    settings = {**QUICK, "task.degradation": "noise:25", "task.sharp_from": "0.5"}
    asked: dict[str, Any] = {"task": "enhance", "examples": 640, "size": "tiny", "settings": settings}
    straight = gf.train(folder, run=tmp_path / "straight", **asked)
    with pytest.raises(gf.Interrupted):
        gf.train(folder, run=tmp_path / "stopped", observers=(StopAt(10),), **asked)
    with pytest.raises(gf.Interrupted):
        gf.resume(tmp_path / "stopped", observers=(StopAt(30),))
    resumed = gf.resume(tmp_path / "stopped")
    one, other = (Run(run.folder).model / "model.safetensors" for run in (straight, resumed))
    assert one.read_bytes() == other.read_bytes()


def test_one_photo_is_enough_and_its_right_side_is_held_out(tmp_path: Path) -> None:
    Image.fromarray(photos.astronaut()).save(tmp_path / "one.png")
    opened = open_photos(survey(str(tmp_path), labels=False, fewest=1))
    assert "right" in opened.passport["split"]
    assert len(opened.train) > len(opened.held_out) > 0


def test_tiles_cover_a_picture_and_a_smaller_one_is_mirrored() -> None:
    marked = np.arange(150 * 210, dtype=np.int64).reshape(150, 210)
    tiles = cut_tiles((marked[..., None] % 251).astype(np.uint8))
    assert tiles.shape == (6, 96, 96, 1)
    assert cut_tiles(np.zeros((20, 30, 3), np.uint8)).shape == (1, 96, 96, 3)


@pytest.mark.slow
def test_what_cannot_be_is_refused_before_training(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no degradation"):
        recipe_of(folder, **{"enhance.degradation": "sharpen"})
    with pytest.raises(RecipeError, match="resolution"):
        gf.plan(folder, task="enhance", resolution=64)
    Image.fromarray(photos.camera()).save(tmp_path / "grey.png")
    with pytest.raises(DataError, match="grey already"):
        recipe_of(tmp_path, **{"enhance.degradation": "grey"})
    recipe = recipe_of(tmp_path, **{"enhance.degradation": "noise:25"})
    Image.fromarray(255 - photos.camera()).save(tmp_path / "grey.png")
    with pytest.raises(ChangedDataError):
        Enhance().open(recipe, silent)
