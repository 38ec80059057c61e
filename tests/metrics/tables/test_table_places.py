"""The measure of coordinates sees points in the sea, and a point where real ones are is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.places import with_places
from ganforge.records import Evaluation, Verdict
from ganforge.run import Run

COLUMNS = tuple(Column(name=name, kind="decimal", dtype="float64", decimals=5) for name in ("lat", "lon"))


def ring(count: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    angle, far = random.uniform(0, 2 * np.pi, count), random.normal(1, 0.02, count)
    return {"lat": 48 + far * np.sin(angle), "lon": 9 + far * np.cos(angle)}


def evaluated(samples: dict[str, np.ndarray], folder: Path, pairs: tuple[tuple[str, str], ...]) -> Evaluation:
    (folder / "pictures").mkdir()
    verdict = Verdict("good", "Good.", ("First.",), None)
    found = Evaluation(measures=(), verdict=verdict, samples=1, held_out=1, judge={}, floor="", reference="")
    return with_places(found, Run(folder), ring(2_000, 0), ring(500, 1), samples, COLUMNS, pairs)


@pytest.mark.parametrize("sea", [False, True])
def test_points_in_the_sea_are_measured_told_and_drawn(tmp_path: Path, *, sea: bool) -> None:
    samples = ring(1_000, 2)
    if sea:
        samples["lat"] = np.random.default_rng(3).permutation(samples["lat"])
    found = evaluated(samples, tmp_path, (("lat", "lon"),))
    measure = found.measure("places")
    assert measure.floor > 0.9 and measure.reference < 0.5  # of a copula most points lie in the sea
    assert (measure.value < 0.5) if sea else (measure.value > 0.9)
    assert len(found.verdict.sentences) == 1 + sea
    assert not sea or " of the points lie where no real ones are, although " in found.verdict.sentences[1]
    assert (tmp_path / "pictures/places.png").stat().st_size > 1_000 and found.blocks[0].title == "On the map"


def test_without_coordinates_or_with_too_few_points_nothing_is_said(tmp_path: Path) -> None:
    few = {name: np.where(np.arange(500) < 9, values, np.nan) for name, values in ring(500, 2).items()}
    found = evaluated(few, tmp_path, (("lat", "lon"),))
    assert found.measures == () and found.blocks == ()
