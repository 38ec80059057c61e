"""From as few pictures as are taken, every task trains to its end and gives a verdict that says how few there were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge as gf
from ganforge.measures.judge import Judge, train_judge

RNG = np.random.default_rng(11)


def write(folder: Path, count: int, side: int = 16) -> None:
    folder.mkdir(parents=True)
    for number, picture in enumerate(RNG.integers(0, 256, (count, side, side), np.uint8)):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "judge"), [(24, "untrained"), (35, "untrained"), (36, "self"), (59, "self")])
def test_few_pictures_are_judged_and_the_verdict_says_how_few(tmp_path: Path, count: int, judge: str) -> None:
    write(tmp_path / "data", count)
    run = gf.train(tmp_path / "data", examples=64, size="tiny", run=tmp_path / "run")
    evaluation = gf.evaluate(run.folder)
    assert evaluation["samples"] == evaluation["held_out"] == 12
    assert evaluation["judge"]["kind"].startswith(judge)
    assert evaluation["verdict"]["sentences"][-1].startswith("Only 12 unseen pictures could be compared")
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_one_small_photo_can_be_enhanced_and_nothing_is_certain(tmp_path: Path) -> None:
    write(tmp_path / "data", 1)
    gf.train(tmp_path / "data", task="enhance", examples=32, size="tiny", run=tmp_path / "run")
    verdict = gf.evaluate(tmp_path / "run")["verdict"]
    assert verdict["grade"] in ("failed", "fair") and "unseen parts" in verdict["sentences"][-1]


def test_an_untrained_judge_is_kept_apart_and_the_same_when_it_is_read_back(tmp_path: Path) -> None:
    pictures = RNG.integers(0, 256, (12, 1, 16, 16), np.uint8)
    made = train_judge(pictures, None, data_hash="x", cache=tmp_path, learns=False)
    kept = Judge.load(next(tmp_path.iterdir()))
    assert made.settings.learned_from == 0 and "learned nothing" in made.description["sentence"]
    assert np.array_equal(made.features(pictures), kept.features(pictures))
    features = made.features(pictures)
    assert np.abs(features.mean(0)).max() < 1e-3 and not made.kinds(features).any()
    assert train_judge(pictures, None, data_hash="x", cache=tmp_path).settings.kind == "self_supervised"
