"""The plan for pictures: every rule holds where it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganforge.core import device
from ganforge.errors import RecipeError
from ganforge.recipe import Recipe, Request
from ganforge.tasks import plan_pictures
from ganforge.tasks.generate import Generate
from ganforge.tasks.plan_pictures import gamma_rule, target_size


def silent(kind: str, **content: Any) -> None:
    pass


def plan(source: Path | str, **asked: Any) -> Recipe:
    return Generate().plan(Request(source=str(source), **asked), silent).recipe


def write_pictures(path: Path, contrast: float, side: int = 16) -> Path:
    random = np.random.default_rng(0).normal(size=(200, side, side))
    np.savez(path, x=np.clip(127.5 + 40 * contrast * random, 0, 255).astype(np.uint8))
    return path


def test_gamma_follows_the_square_of_the_contrast(tmp_path: Path) -> None:
    """A discriminator that sees x/2 has to be twice as steep to say the same: the weight must be a quarter."""
    whole = plan(write_pictures(tmp_path / "whole.npz", 1.0), examples=640)
    half = plan(write_pictures(tmp_path / "half.npz", 0.5), examples=640)
    assert whole.objective.gamma_start / half.objective.gamma_start == pytest.approx(4.0, rel=0.1)
    assert whole.objective.gamma_end == pytest.approx(0.1 * whole.objective.gamma_start)
    assert f"{whole.objective.gamma_start:g}" == f"{gamma_rule(_squared_distance(tmp_path / 'whole.npz')):g}"


def _squared_distance(path: Path) -> float:
    """Twice the summed variance: the mean squared distance of two independent pictures, in -1..1."""
    x = np.load(path)["x"] / 127.5 - 1.0
    return float(2 * x.var(axis=0).sum())


@pytest.mark.parametrize(
    ("rate", "minutes", "size"),
    [(10_000.0, 1.0, "base"), (3000.0, 1.0, "small"), (2000.0, 0.2, "tiny"), (50.0, 5.0, "tiny")],
)
def test_the_network_is_the_largest_that_sees_enough_pictures(
    rate: float, minutes: float, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_pictures, "measure_rate", lambda recipe, feed: rate)
    chosen = plan("digits8", minutes=minutes)
    assert chosen.network == plan_pictures.SIZES[size]
    assert chosen.length.examples <= rate * 60 * minutes
    assert chosen.length.seconds_allowed == 60 * minutes
    assert plan("digits8", minutes=minutes, size="large").network == plan_pictures.SIZES["large"]


@pytest.mark.parametrize("faster", [1, 2])
def test_it_trains_on_as_many_threads_as_are_faster(faster: int, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = device.survey_machine()
    if machine.threads == 1:
        pytest.skip("one core")

    def rate(recipe: Recipe, feed: object) -> float:
        return 2000.0 if (recipe.compute.threads == 1) == (faster == 1) else 1000.0

    monkeypatch.setattr(plan_pictures, "measure_rate", rate)
    chosen = plan("digits8", minutes=1.0)
    assert (chosen.compute.threads == 1) == (faster == 1)
    assert "one makes" in chosen.reasons["compute.threads"]


@pytest.mark.parametrize(
    ("native", "asked", "expected"),
    [
        ((28, 28), {}, (28, 28)),
        ((48, 64), {}, (48, 64)),
        ((28, 28), {"resolution": 16}, (16, 16)),
        (None, {}, (32, 32)),
        (None, {"minutes": 60.0}, (64, 64)),
        (None, {"examples": 1000}, (64, 64)),
        ((200, 200), {"minutes": 2.0}, (32, 32)),
    ],
)
def test_the_resolution_suits_data_machine_and_time(
    native: tuple[int, int] | None,
    asked: dict[str, Any],
    expected: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor = replace(device.survey_machine(), device="cpu")
    monkeypatch.setattr(plan_pictures, "survey_machine", lambda: processor)
    size, why = target_size(native, Request(source="x", **asked))
    assert size == expected
    assert why


def test_every_choice_that_was_made_has_a_reason() -> None:
    chosen = plan("digits8", examples=640)
    for name in ("data.shape", "network.width", "objective.gamma_start", "optimiser.batch_size", "compute.threads"):
        assert chosen.reasons[name]


def test_minutes_and_examples_together_are_refused() -> None:
    with pytest.raises(RecipeError, match="Both"):
        plan("digits8", minutes=1.0, examples=100)


def test_an_unknown_objective_gets_the_nearest_name() -> None:
    with pytest.raises(RecipeError) as caught:
        plan("digits8", objective="hinj", examples=64)
    assert "hinge" in str(caught.value)
