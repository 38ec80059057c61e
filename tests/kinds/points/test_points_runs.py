"""Runs on points from end to end: the cloud's pictures, the model read back, samples in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganforge as gf
from ganforge.cli import main
from ganforge.errors import InputError
from ganforge.kinds.points.cloud import SIDE, View, flat, frames_of, png
from ganforge.kinds.points.model import load_points


def test_both_sides_of_a_cloud_are_drawn_at_their_places() -> None:
    real = np.array([[0.0, 0.0], [1.0, 1.0]])
    frame = View(real).frame(np.array([[1.0, 0.0], [9.0, 9.0], [np.nan, 0.0]]))
    assert frame.shape == (SIDE, SIDE, 3)
    colours = {tuple(colour) for colour in frame.reshape(-1, 3)}
    assert len(colours) == 3  # paper, real, generated
    low = frame[SIDE // 2 :, SIDE // 2 :].reshape(-1, 3)  # below on the right: the generated point (1, 0)
    assert (low == (14, 116, 144)).all(1).any()


def test_points_in_space_are_seen_from_a_corner() -> None:
    seen = flat(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert seen[0, 0] == seen[1, 0]
    assert seen[0, 1] > seen[1, 1]  # up is up


def test_damaged_frames_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "2.png").write_bytes(png(np.zeros((SIDE, SIDE, 3), np.uint8)))
    assert len(frames_of(sorted(tmp_path.glob("*.png")))) == 1


@pytest.mark.slow
def test_a_run_shows_how_the_cloud_moved_and_its_model_writes_points(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(600, 3)) + np.array([5.0, 0.0, -5.0])
    run = gf.train(points, examples=3_000, size="tiny", run=tmp_path / "run")
    with Image.open(tmp_path / "run" / "pictures" / "cloud.png") as cloud:
        assert cloud.n_frames == len(list((tmp_path / "run" / "samples").iterdir()))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "How the cloud moves" in page
    assert "picture was made" not in page
    drawn = run.sample(1000, seed=3)
    assert drawn.shape == (1000, 3)
    np.testing.assert_array_equal(drawn[:10], run.sample(10, seed=3))
    for name in ("new.csv", "new.npy", "new.png"):
        assert main(["sample", str(tmp_path / "run"), "-n", "1000", "--seed", "3", "--out", str(tmp_path / name)]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "new.npy"), drawn)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "new.csv", delimiter=",", skiprows=1), drawn, rtol=1e-8)
    model = load_points(tmp_path / "run" / "model")
    with pytest.raises(InputError, match="exists already"):
        model.check_place(tmp_path / "new.npy", force=False)
    with pytest.raises(InputError, match="from nothing"):
        gf.apply(tmp_path / "run", str(tmp_path / "new.csv"), tmp_path / "out.csv")
