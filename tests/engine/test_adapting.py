"""The strength of the augmentation follows what the discriminator knows by heart, by the records alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_games import Killed, Notebook, kill_after

from ganforge.contracts import Levers
from ganforge.core.seeds import generator_for
from ganforge.engine.control import Adaptation, adapted
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.pictures.game import build_game
from ganforge.recipe import read_recipe
from ganforge.run import Run

HOW = Adaptation(player="discriminator", target=0.8, ramp_examples=1000, most=0.8)


class FewPictures:
    """Eight random pictures."""

    @property
    def resident(self) -> bool:
        return True

    def __len__(self) -> int:
        return 8

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        return {"x": (torch.rand(8, 1, 8, 8, generator=generator_for(0, "test/few")) * 2 - 1)[indices]}


def after(share: float, strength: float, examples: int = 100) -> float:
    record = {"step": 1, "notes": {"discriminator": {"ranked_right": share}}}
    return adapted(Levers(adapted=strength), record, examples, HOW).adapted


def test_it_rises_above_the_target_and_falls_below_by_what_was_shown() -> None:
    assert after(0.9, 0.3) == pytest.approx(0.4)
    assert after(0.7, 0.3) == pytest.approx(0.2)
    assert after(0.9, 0.3, examples=50) == pytest.approx(0.35)


def test_it_stays_between_nothing_and_what_does_not_leak() -> None:
    assert after(0.7, 0.05) == 0.0
    assert after(1.0, 0.79) == HOW.most


def test_a_record_that_tells_nothing_moves_nothing_and_the_guards_lever_is_left_alone() -> None:
    levers = Levers(augmentation=0.3, adapted=0.1)
    assert adapted(levers, {"notes": {"generator": {}}}, 100, HOW) == levers
    moved = adapted(levers, {"notes": {"discriminator": {"ranked_right": 1.0}}}, 100, HOW)
    assert (moved.augmentation, moved.seen_through(0.0)) == (0.3, 0.3)
    assert Levers(augmentation=0.3, adapted=0.5).seen_through(0.4) == 0.5


def train(
    run: Run | None, target: float, stop: Callable[[], bool] = lambda: False
) -> tuple[dict[str, Tensor], list[float]]:
    """The product's weights, and the strength after each record."""
    recipe = read_recipe(
        {
            "ganforge": "0",
            "task": "generate",
            "ask": {"source": "toy"},
            "data": {"source": "toy", "kind": "pictures", "shape": [1, 8, 8]},
            "network": {"name": "conv", "latent_size": 4, "width": 4},
            "objective": {"name": "r3gan"},
            "length": {"examples": 64},
        }
    )
    settings = FitSettings(
        seed=0,
        batch_size=4,
        length_examples=4 * 30,
        half_life_examples=20,
        record_every_steps=3,
        checkpoint_every_steps=6,
        adaptation=Adaptation(player="discriminator", target=target, ramp_examples=60, most=0.8) if target else None,
    )
    seen = Notebook()
    made = fit(build_game(recipe), FewPictures(), settings, run=run, observers=(seen,), stop=stop)
    return made.product.state_dict(), [record.get("augmentation", 0.0) for record in seen.records]


def test_a_target_that_is_never_passed_changes_nothing_to_the_bit() -> None:
    plain, healthy = train(None, 0.0)[0], train(None, 1.0)
    assert not any(healthy[1])
    assert all(torch.equal(plain[name], healthy[0][name]) for name in plain)


def test_a_killed_run_goes_on_with_the_same_strength_to_the_bit(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    whole, strengths = train(None, 0.3)
    assert max(strengths) > 0.2
    run = Run(tmp_path)
    with pytest.raises(Killed):
        train(run, 0.3, stop=kill_after(17))
    resumed, _ = train(run, 0.3)
    assert [record["augmentation"] for record in run.read_records()] == strengths
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
