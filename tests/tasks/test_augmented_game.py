"""How strongly the players of a game see through augmentation: as the recipe says, and more where a lever says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganforge.contracts import Game, Levers, Turn
from ganforge.core.seeds import Draws, generator_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import Interrupted, RecipeError
from ganforge.kinds.pictures import game as from_recipe
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import MOST_AUGMENTATION, Request, read_recipe
from ganforge.run import Run

CONTENT: dict[str, Any] = {
    "ganforge": "0",
    "task": "generate",
    "ask": {"source": "toy"},
    "data": {"source": "toy", "kind": "pictures", "shape": [1, 8, 8], "label_names": ["a", "b"]},
    "network": {"name": "conv", "latent_size": 4, "width": 4},
    "objective": {"name": "r3gan"},
    "length": {"examples": 64},
}
AS_ASKED = Levers()


class FewPictures:
    """Six random pictures with labels."""

    @property
    def resident(self) -> bool:
        return True

    def __len__(self) -> int:
        return 6

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        pictures = torch.rand(6, 1, 8, 8, generator=generator_for(0, "test/few")) * 2 - 1
        return {"x": pictures[indices], "label": indices % 2}


def game(name: str = "r3gan", **augmentation: Any) -> Game:
    recipe = read_recipe({**CONTENT, "objective": {"name": name}, "augmentation": augmentation})
    return build_game(recipe, FewPictures())


def losses(game: Game, levers: Levers = AS_ASKED) -> dict[str, Tensor]:
    """Each player's loss of one turn, (B,)."""
    told = {}
    for player in game.players:
        dials = player.dials(0.3, levers)
        turn = Turn(FewPictures().batch(torch.arange(6)), Draws(generator_for(0, player.name)), dials)
        told[player.name] = torch.stack(list(player.loss(turn).terms.values())).sum(0).detach()
    return told


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, bool]:
    return {name: torch.equal(one[name], other[name]) for name in one}


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_both_players_see_it_whoever_asked_for_it(name: str) -> None:
    plain, asked, turned = (
        losses(game(name=name)),
        losses(game(name=name, strength=0.6)),
        losses(game(name=name), Levers(augmentation=0.6)),
    )
    assert same(plain, asked) == {"discriminator": False, "generator": False}
    assert same(asked, turned) == {"discriminator": True, "generator": True}


def test_at_strength_0_nothing_is_drawn_or_computed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = losses(game(name="wasserstein"))

    def never(*given: object) -> None:
        pytest.fail("augmentation was asked for nothing")

    monkeypatch.setattr(from_recipe, "draw_changes", never)
    monkeypatch.setattr(from_recipe, "augment", never)
    assert all(same(plain, losses(game(name="wasserstein", flips=True))).values())


def test_the_lever_is_the_least_strength_and_goes_no_higher_than_what_does_not_leak() -> None:
    asked = game(strength=0.6)
    assert all(same(losses(asked), losses(asked, Levers(augmentation=0.3))).values())
    most = losses(game(strength=MOST_AUGMENTATION))
    assert all(same(most, losses(asked, Levers(augmentation=1.0))).values())


def test_held_out_pictures_are_scored_as_the_training_pictures_are_seen() -> None:
    """Else a discriminator that knows nothing by heart would seem to: it likes changed real pictures better."""

    def held_out(game: Game, levers: Levers = AS_ASKED) -> Tensor:
        discriminator = game.players[0]
        assert discriminator.watch is not None
        return discriminator.watch(discriminator.dials(0.3, levers))["score_held_out"].detach()

    plain, asked = game(), game(strength=0.6)
    assert not torch.equal(held_out(plain), held_out(asked))
    assert torch.equal(held_out(plain, Levers(augmentation=0.6)), held_out(asked))


def test_flips_change_what_is_seen_only_together_with_augmentation() -> None:
    assert all(same(losses(game()), losses(game(flips=True))).values())
    assert not any(same(losses(game(strength=0.5)), losses(game(strength=0.5, flips=True))).values())


def test_more_than_does_not_leak_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"augmentation\.strength cannot be 0\.9"):
        game(strength=0.9)


@pytest.mark.parametrize("name", ["strength", "target", "flips"])
def test_a_table_has_nothing_to_augment_and_says_so(name: str) -> None:
    setting = {f"augmentation.{name}": "true" if name == "flips" else "0.5"}
    with pytest.raises(RecipeError, match="a cell has no neighbour"):
        GenerateRows().plan(Request(source="wine", examples=2_000, settings=setting), lambda *a, **k: None)


def test_recipes_from_before_there_was_any_have_none() -> None:
    assert read_recipe(CONTENT).augmentation is None


def test_a_resumed_run_sees_the_same_changes(tmp_path: Path) -> None:
    def go(run: Run | None, steps: int, stop: Callable[[], bool] = lambda: False) -> dict[str, Tensor]:
        settings = FitSettings(
            seed=3, batch_size=4, length_examples=4 * steps, half_life_examples=8, record_every_steps=2
        )
        return fit(game(strength=0.7, flips=True), FewPictures(), settings, run=run, stop=stop).product.state_dict()

    asked = iter(range(100))
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(Interrupted):
        go(Run(tmp_path), 9, lambda: next(asked) == 4)
    resumed, never_stopped = go(Run(tmp_path), 9), go(None, 9)
    assert all(torch.equal(resumed[name], never_stopped[name]) for name in resumed)
