"""Walks through a model's pictures: what the film shows, and what is refused before any work is done."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

import ganforge
from ganforge.cli import main
from ganforge.core.animation import film_bytes
from ganforge.errors import InputError
from ganforge.kinds.pictures.generate.model import load_model
from ganforge.kinds.pictures.write import grid
from ganforge.run import Run


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ganforge.train("digits8", examples=640, run=tmp_path_factory.mktemp("walk") / "run").folder


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as film:
        return [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(film)]


def test_the_walk_stops_at_the_pictures_that_sample_draws(digits: Path, tmp_path: Path) -> None:
    film = ganforge.interpolate(digits, 3, tmp_path / "walk.gif", label="7", steps=4, seed=5)
    frames = frames_of(film)
    model = load_model(Run(digits).model)
    keys = model.draw_pictures(3, labels=np.full(3, 7), seed=5)
    assert len(frames) == 12
    for frame, key in zip(frames[::4], keys, strict=True):
        assert np.abs(frame.astype(int) - grid(key[None])[:, :, 0]).mean() < 2  # of 255: a GIF has 256 colours


def test_without_a_label_all_of_them_walk_side_by_side(digits: Path, tmp_path: Path) -> None:
    alone = frames_of(ganforge.interpolate(digits, 2, tmp_path / "one.webp", label="0", steps=3))
    together = frames_of(ganforge.interpolate(digits, 2, tmp_path / "all.webp", steps=3))
    assert together[0].size > 9 * alone[0].size
    assert len(together) == len(alone) == 6


def test_the_same_command_writes_the_same_film_and_truncation_another(digits: Path, tmp_path: Path) -> None:
    words = ["sample", str(digits), "--label", "1", "--interpolate", "2"]
    for name in ("a.gif", "b.gif"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    assert main([*words, "--out", str(tmp_path / "c.gif"), "--truncation", "0.3"]) == 0
    one, same, other = ((tmp_path / name).read_bytes() for name in ("a.gif", "b.gif", "c.gif"))
    assert one == same != other


@pytest.mark.parametrize(
    ("keys", "name", "more", "word"),
    [
        (1, "walk.gif", {}, "2 to 500"),
        (501, "walk.gif", {}, "2 to 500"),
        (2, "walk.png", {}, ".gif, .webp, .mp4"),
        (2, "walk", {}, ".gif"),
        (2, "walk.gif", {"label": "cat"}, "cat"),
        (2, "walk.gif", {"truncation": 2.0}, "truncation of 2"),
        (500, "walk.gif", {"steps": 1000}, "too long"),
        (2, "there.gif", {}, "exists already"),
    ],
)
def test_what_cannot_be_walked_is_refused_and_nothing_is_written(
    digits: Path, tmp_path: Path, keys: int, name: str, more: dict[str, object], word: str
) -> None:
    (tmp_path / "there.gif").write_bytes(b"a memory")
    with pytest.raises(InputError, match=word):
        ganforge.interpolate(digits, keys, tmp_path / name, **more)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["there.gif"]
    assert (tmp_path / "there.gif").read_bytes() == b"a memory"


def test_a_command_that_mixes_rows_and_walks_is_refused(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(digits), "--out", "w.gif", "--interpolate", "2", "--where", "a=1"]) == 2
    assert "--where" in capsys.readouterr().err
    assert main(["sample", str(digits), "--out", "w.gif", "--interpolate", "1"]) == 2
    assert "--interpolate" in capsys.readouterr().err


def test_without_the_extra_an_mp4_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"ganforge\[video\]"):
        film_bytes([np.zeros((8, 8, 3), np.uint8)], ".mp4")


def test_an_mp4_holds_every_frame_even_of_odd_sides() -> None:
    av = pytest.importorskip("av")
    import io

    levels = (0, 128, 255)
    film = film_bytes((np.full((51, 49, 1), level, np.uint8) for level in levels), ".mp4")
    with av.open(io.BytesIO(film)) as container:
        means = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    assert np.allclose(means, levels, atol=4)


def test_transparency_is_laid_on_white() -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    film = film_bytes([clear, clear + np.array([0, 0, 0, 255], np.uint8)], ".gif")
    import io

    with Image.open(io.BytesIO(film)) as shown:
        first, second = (np.asarray(frame.convert("L")).mean() for frame in ImageSequence.Iterator(shown))
    assert (first, second) == (255, 0)
