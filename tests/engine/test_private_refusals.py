"""What a private game may not do is refused in words, each before a step is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from private_games import RULE, private_game
from torch import Tensor, nn
from toy_games import TableFeed, points, settings, tiny_pair

from ganforge.contracts import Game, Loss, Objective
from ganforge.core.private import Private
from ganforge.core.world import ALONE, World
from ganforge.engine.control import Adaptation
from ganforge.engine.fit import fit
from ganforge.engine.guard import Guard
from ganforge.engine.private_refusals import refuse_coupling, refuse_unsafe
from ganforge.errors import RecipeError
from ganforge.networks.mlp import MlpPair
from ganforge.objectives import OBJECTIVES, parted

FEED = TableFeed(x=points())


class Judge(nn.Module):
    """Two numbers -> one score, through a layer in between."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.before, self.between, self.after = nn.Linear(2, 8), between, nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.after(self.between(torch.tanh(self.before(x))))[:, 0]
        return score


class MinibatchDeviation(nn.Module):
    """The mean deviation over the batch, added to every example (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.std(0, correction=0).mean()


class Attention(nn.Module):
    """Examples that look at each other."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(x @ x.T, 1) @ x


class Counting(nn.Module):
    """A layer that keeps something of what it saw, as running statistics do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += x.detach().sum(0)
        return x


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"best_by": "kid"}, "cannot keep its best product by 'kid'"),
        ({"patience_looks": 3}, "cannot stop after 3 looks"),
        ({"adaptation": Adaptation(player="discriminator", target=0.6, ramp_examples=1.0, most=1.0)}, "augmentation"),
        ({"seconds_allowed": 60.0}, "cannot change its length"),
        ({"pieces": 2}, "cannot cut a batch into 2 pieces"),
    ],
)
def test_settings_that_read_scores_of_examples_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        fit(private_game(), FEED, settings(10, **changes))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"target": lambda quality: True}, "cannot end when a measure"),
        ({"guard": Guard.__new__(Guard)}, "cannot have a guard"),
    ],
)
def test_a_target_and_a_guard_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        fit(private_game(), FEED, settings(10), **given)


def test_several_processes_are_refused() -> None:
    class Two(World):
        size = 2

    with pytest.raises(RecipeError, match="cannot be shared by 2 processes"):
        refuse_unsafe(private_game(), FEED, settings(10), Two.__new__(Two), judged=False, guarded=False)


@pytest.mark.parametrize("marks", [(0.0,), (1.0,)])
def test_a_look_that_measures_is_refused_and_not_recorded(marks: tuple[float, ...]) -> None:
    with pytest.raises(RecipeError, match="measured 'kid'"):
        fit(private_game(), FEED, settings(10, marks=marks), look=lambda product, state: {"kid": 0.1})
    fit(private_game(), FEED, settings(10, marks=marks), look=lambda product, state: {})


def test_a_watched_player_is_refused() -> None:
    game = private_game()
    watched = replace(game.players[1], watch=lambda dials: {"score_held_out": torch.zeros(1)})
    with pytest.raises(RecipeError, match="'generator' of a private run is watched"):
        fit(Game((game.players[0], watched), game.product), FEED, settings(10))


def test_two_private_players_and_simultaneous_steps_are_refused() -> None:
    first, second = private_game().players[0], private_game().players[0]
    with pytest.raises(RecipeError, match="'discriminator' and 'other' are both private"):
        fit(Game((first, replace(second, name="other")), "discriminator"), FEED, settings(10))
    with pytest.raises(RecipeError, match="cannot be simultaneous"):
        fit(replace(private_game(), order="simultaneous"), FEED, settings(10))


@pytest.mark.parametrize(
    ("between", "words"),
    [
        (nn.BatchNorm1d(8), "'between' of a private player is a BatchNorm1d"),
        (nn.BatchNorm1d(8, track_running_stats=False), "BatchNorm1d"),
        (nn.InstanceNorm1d(8, track_running_stats=True), "InstanceNorm1d"),
        (MinibatchDeviation(), "beside others"),
        (Attention(), "beside others"),
        (Counting(), "changes 'between.seen'"),
    ],
)
def test_networks_that_tie_examples_together_are_refused(between: nn.Module, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        fit(private_game(Judge(between)), FEED, settings(10))


@pytest.mark.parametrize("between", [nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.Identity()])
def test_networks_that_see_one_example_at_a_time_are_not(between: nn.Module) -> None:
    fit(private_game(Judge(between)), FEED, settings(2))


def test_examples_with_labels_are_checked_too() -> None:
    judge = MlpPair(shape=(2,), labels=3, width=8, depth=1).discriminator()
    feed, game = TableFeed(x=points(), label=torch.arange(200) % 3), private_game()
    rule = Private(lambda batch: Loss({"real": judge(batch["x"], batch["label"])}), **RULE)
    refuse_coupling(replace(game.players[0], network=judge), rule, feed)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda judge, x: judge(x) - judge(x).mean(), "beside others"),
        (lambda judge, x: judge(x).mean(), "1 values for 4 examples"),
    ],
)
def test_losses_that_tie_examples_together_are_refused(loss: Any, words: str) -> None:
    _, judge = tiny_pair()
    game = private_game(judge)
    tied = replace(game.players[0], private=Private(lambda batch: Loss({"real": loss(judge, batch["x"])}), **RULE))
    with pytest.raises(RecipeError, match=words):
        fit(Game((tied, game.players[1]), game.product), FEED, settings(10))


class Coupled(Objective):
    couples_examples: ClassVar[bool] = True


@pytest.mark.parametrize(
    ("name", "objective", "words"),
    [
        ("r3gan", OBJECTIVES["r3gan"](), "its generator reads real"),
        ("coupled", Coupled(), "depends on others"),
        ("wasserstein", OBJECTIVES["wasserstein"](), "a real and a fake example together"),
    ],
)
def test_objectives_that_cannot_be_private_are_refused(name: str, objective: Objective, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        parted(name, objective)


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "least_squares", "hinge"])
def test_parts_of_an_objective_add_up_to_its_loss(name: str) -> None:
    scored, (_, judge) = parted(name, OBJECTIVES[name]()), tiny_pair()
    loss = scored.discriminator_loss(judge, points(5), -points(5), 0.0, None)  # type: ignore[arg-type]
    assert torch.equal(loss.terms["real"], scored.on_real(judge(points(5))))
    assert torch.equal(loss.terms["fake"], scored.on_fake(judge(-points(5))))


def test_the_check_leaves_the_network_as_it_was() -> None:
    game = private_game()
    before = {name: value.clone() for name, value in game.players[0].network.state_dict().items()}
    refuse_unsafe(game, FEED, settings(10), ALONE, judged=False, guarded=False)
    assert all(torch.equal(value, before[name]) for name, value in game.players[0].network.state_dict().items())
