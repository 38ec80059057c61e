"""Points from files and built-in shapes: what is read, what is refused, and why a source is taken for points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganforge.errors import DataError
from ganforge.kinds import recognise
from ganforge.kinds.points import BUILT_IN, KIND, keep, recognises
from ganforge.kinds.points.reading import SHAPES, open_points

POINTS = np.random.default_rng(0).normal(size=(200, 2))


def test_every_built_in_shape_is_named_and_drawn() -> None:
    assert set(BUILT_IN) == set(SHAPES)
    for name in SHAPES:
        points = open_points(name, 0)
        assert len(points.train) + len(points.held_out) == 20_000
        assert points.sha256 == open_points(name, 1).sha256  # the seed decides the split alone


def test_the_feed_has_mean_zero_and_unit_variance_and_keeps_the_shape() -> None:
    points = open_points("ring8", 0)
    x = points.feed(points.train, "cpu").raw(0, len(points.train))["x"]
    assert x.mean(0).abs().max() < 1e-5
    assert float(x.var(0, correction=0).mean()) == pytest.approx(1, abs=1e-5)


def test_text_with_a_heading_semicolons_and_broken_lines_is_read_and_the_broken_lines_are_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "p.csv"
    lines = [f"{x:.9g};{y:.9g}" for x, y in POINTS]
    path.write_text("east;north\n" + "\n".join([*lines[:50], "3;x", "1;2;3", *lines[50:]]) + "\n")
    points = open_points(str(path), 0)
    assert points.names == ("east", "north")
    assert points.passport["points"] == 200
    assert points.passport["skipped"] == ["line 52: '3,x'", "line 53: '1,2,3'"]
    np.testing.assert_allclose(
        np.sort(np.concatenate([points.train, points.held_out]), 0), np.sort(POINTS, 0), rtol=1e-8
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((200, 2)), "1 different points"),
        (np.zeros((200, 4)), "of shape (200, 4)"),
        (np.stack([np.arange(200.0), np.zeros(200)], 1), "never changes"),
        (np.array([["a", "b"]] * 200), "of shape (200, 2)"),
    ],
)
def test_an_array_that_does_not_hold_usable_points_is_refused_in_words(
    tmp_path: Path, array: np.ndarray, words: str
) -> None:
    np.save(tmp_path / "p.npy", array)
    with pytest.raises(DataError) as caught:
        open_points(str(tmp_path / "p.npy"), 0)
    assert words in str(caught.value)


def test_points_that_are_not_finite_are_left_out_and_counted(tmp_path: Path) -> None:
    with_holes = POINTS.copy()
    with_holes[3, 0], with_holes[7, 1] = np.nan, np.inf
    np.save(tmp_path / "p.npy", with_holes)
    points = open_points(str(tmp_path / "p.npy"), 0)
    assert points.passport["points"] == 198
    assert points.passport["skipped"] == ["2 points with a coordinate that is not a finite number"]


def test_arrays_of_two_columns_are_points_and_text_is_a_table_first(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", POINTS)
    np.save(tmp_path / "pictures.npy", np.zeros((5, 8, 8), np.uint8))
    (tmp_path / "p.csv").write_text("1,2\n3,4\n")
    assert recognise(str(tmp_path / "p.npy"))[0].name == "points"
    assert recognise(POINTS)[0].name == "points"
    assert recognise("grid25")[0].name == "points"
    assert recognise(str(tmp_path / "pictures.npy"))[0].name == "pictures"
    assert recognise(str(tmp_path / "p.csv"))[0].name == "tables"
    assert recognises(str(tmp_path / "nothing.npy")) is None


def test_an_array_given_in_python_is_kept_and_others_are_refused(tmp_path: Path) -> None:
    assert open_points(str(keep(POINTS, tmp_path)), 0).passport["points"] == 200
    with pytest.raises(DataError, match="does not hold points"):
        keep(np.zeros((5, 7)), tmp_path)
    assert KIND.tasks
