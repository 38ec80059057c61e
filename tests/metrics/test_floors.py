"""A floor is what real examples get that nobody learned from: never what the training part says of itself.

The sides are drawn apart from each other on purpose, so that a floor of the wrong side is another number.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganforge.contracts import Job
from ganforge.kinds.pictures.enhance.task import patch_features
from ganforge.kinds.pictures.generate import task as generate
from ganforge.kinds.pictures.measures.translation import Translated, judge_translation
from ganforge.kinds.pictures.translate import task as translate
from ganforge.kinds.points.measures import Modes, sliced_wasserstein
from ganforge.kinds.points.verdict import evaluate_points
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.evaluate import evaluate_table
from ganforge.measures.distances import frechet_distance, kernel_distance
from ganforge.measures.generated import evaluate_samples
from ganforge.planning import evaluator
from ganforge.recipe import Request
from ganforge.run import Run

Images = NDArray[np.uint8]


class Eye:
    """A judge that has learned nothing: it sees the means of the columns of a picture."""

    settings, description = SimpleNamespace(accuracy=0.0), {"kind": "none", "sentence": ""}

    def features(self, pictures: Images) -> NDArray[np.float32]:
        return (pictures.astype(np.float32) / 255).mean(axis=(1, 2))

    def classes(self, pictures: Images) -> None:
        return None


def noise(light: int, seed: int, count: int = 90) -> Images:
    return np.random.default_rng(seed).integers(light, light + 100, (count, 1, 8, 8), np.uint8)


def test_of_pictures_it_is_the_distance_of_unlearned_to_held_out_ones() -> None:
    held_out, unlearned, see = noise(0, 1), noise(120, 2), Eye().features
    found = evaluate_samples(Eye(), noise(40, 3), held_out, noise(60, 4), unlearned=unlearned)  # type: ignore[arg-type]
    for name, distance in (("frechet_distance", frechet_distance), ("kid", kernel_distance)):
        expected = distance(see(held_out), see(unlearned)).value
        assert found.measure(name).floor == pytest.approx(expected, rel=1e-4), name


def test_of_translated_pictures_it_is_the_distance_of_unlearned_ones_of_the_other_side() -> None:
    real, unlearned, see = noise(0, 1), noise(120, 2), Eye().features
    cases = Translated(given=noise(60, 3), made=noise(80, 4), truth=None, real=real)
    sides = noise(20, 5), noise(40, 6)
    found = judge_translation(Eye(), cases, sides, unlearned, adversarial=True)  # type: ignore[arg-type]
    assert found.measure("kid").floor == pytest.approx(kernel_distance(see(real), see(unlearned)).value, rel=1e-4)


def test_of_enhanced_pictures_it_is_that_of_two_halves_of_the_truth_and_results_stand_in_the_place_of_one() -> None:
    truth = np.random.default_rng(0).integers(0, 255, (12, 1, 96, 96), np.uint8)
    real, other, seen = patch_features(Eye(), truth, {"truth": truth, "darker": truth // 2})  # type: ignore[arg-type]
    np.testing.assert_array_equal(seen["truth"], other)
    assert not np.array_equal(seen["darker"], other)
    halves = [{row.tobytes() for row in half} for half in (real, other)]
    assert not halves[0] & halves[1]
    assert len(halves[0]) + len(halves[1]) == 12 * 9


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_of_points_it_is_what_training_points_get_as_samples_against_held_out_ones(shift: float) -> None:
    random = np.random.default_rng(0)
    train, held_out = random.normal(size=(600, 2)) + shift, random.normal(size=(600, 2))
    found = evaluate_points(train, held_out, train, Modes.find(train), str, ()).measure("sliced_wasserstein")
    assert found.floor == pytest.approx(found.value, rel=1e-6)
    assert found.floor == pytest.approx(sliced_wasserstein(held_out, train).value, rel=1e-6)


def test_of_rows_it_is_what_held_out_rows_get_as_samples_against_training_ones() -> None:
    random = np.random.default_rng(0)

    def rows(count: int, slope: float) -> dict[str, NDArray[Any]]:
        x = random.normal(size=count)
        return {"x": x, "y": slope * x + random.normal(size=count)}

    columns = tuple(Column(name=name, kind="decimal", dtype="float64", distinct=300) for name in "xy")
    train, held_out = rows(600, slope=1.0), rows(300, slope=-1.0)
    found = evaluate_table(train, held_out, held_out, columns, label=None, seed=0)
    for name in ("table_quality", "column_shapes", "column_pairs"):
        measure = found.measure(name)
        assert measure.floor == pytest.approx(measure.value, rel=1e-6), name
    assert found.measure("column_pairs").floor < 0.6  # their correlations are 0.7 and -0.7


class Seen(Exception):  # noqa: N818 - not an error: nothing more is asked
    """What a task was about to measure."""


def measured(job: Job, module: Any, measure: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a task shows its judge to learn from, and what it gives to the function `measure` of its module."""
    seen: dict[str, Any] = {}

    def learn(pictures: Images, labels: object, **more: object) -> Any:
        seen["learned"] = pictures
        return Eye()

    def stop(judge: object, *given: Any, **named: Any) -> None:
        seen["given"] = given
        seen.update(named)
        raise Seen

    monkeypatch.setattr(module, "train_judge", learn)
    monkeypatch.setattr(module, measure, stop)
    with pytest.raises(Seen):
        job.evaluate(Run(folder), job.game().product_player.network)
    return seen


def keys(pictures: Images) -> set[bytes]:
    return {picture.tobytes() for picture in pictures}


def test_no_judge_learns_from_the_pictures_of_the_floor_or_from_held_out_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (300, 8, 8), np.uint8)
    np.savez(tmp_path / "x.npz", x=pictures)
    request = Request(source=str(tmp_path / "x.npz"), examples=64, size="tiny")
    job = generate.Generate().plan(request, lambda kind, **content: None)
    seen = measured(job, evaluator, "evaluate_samples", tmp_path, monkeypatch)
    train, held_out, samples = seen["given"]
    assert len(train) and len(held_out) and len(samples) and len(seen["unlearned"])
    assert keys(seen["unlearned"]) <= keys(job.pictures.train.examples())
    assert keys(held_out) <= keys(job.pictures.held_out.examples())
    assert not keys(seen["learned"]) & (keys(seen["unlearned"]) | keys(held_out))
    assert not keys(held_out) & keys(train)


def test_no_judge_of_sides_learns_from_the_pictures_of_the_floor_or_from_held_out_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, light in (("A", 0), ("B", 120)):
        (tmp_path / "sides" / side).mkdir(parents=True)
        for number, picture in enumerate(noise(light, light, 60)):
            Image.fromarray(picture[0]).save(tmp_path / "sides" / side / f"{number}.png")
    request = Request(source=str(tmp_path / "sides"), task="translate", examples=64, size="tiny")
    job = translate.Translate().plan(request, lambda kind, **content: None)
    seen = measured(job, translate, "judge_translation", tmp_path, monkeypatch)
    cases, train, unlearned, _ = seen["given"]
    assert len(unlearned) and keys(unlearned) <= keys(train[1])
    assert not keys(seen["learned"]) & (keys(unlearned) | keys(cases.real) | keys(cases.given))
