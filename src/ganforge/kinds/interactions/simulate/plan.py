"""The plan for simulated users: the network, its length; a game of one player, by maximum likelihood."""

from __future__ import annotations

import math

from pydantic import Field

from ganforge.contracts import Feed, Game, Loss, Player, Tell, Turn
from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.data import InteractionsData, choose_log, log_choices
from ganforge.kinds.interactions.reading import Reading
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.people import MOST_ROUNDS
from ganforge.kinds.interactions.simulate.sequences import LONGEST, WINDOW, Users
from ganforge.planning.compute import Pace, at_most, choose_compute, choose_length, choose_pieces, for_one_phase
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_optimiser, choose_sized, initialised, optimiser_settings, refuse_unbuildable
from ganforge.recipe import Network, Recipe, Size

ABSENT = {
    "objective": "The network learns by likelihood; discriminators change its chances (interactions.rounds).",
    "augmentation": "A changed sequence is another user.",
    "network.latent_size": "A taste has interactions.tastes numbers.",
    "records.look_samples": "A look takes the held-out users that choose.",
}
SIZES: dict[Size, tuple[int, int]] = {"tiny": (16, 1), "small": (96, 1), "medium": (128, 1), "base": (256, 1),
                                      "large": (512, 1)}  # fmt: skip
TASTES, TINY_TASTES, DROPOUT, PULL = 32, 4, 0.4, 0.1
ROUNDS = 3
RATE, BATCH = 3e-3, 16
EPOCHS, FEW, MOST_EPOCHS = 14.0, 1_000, 40.0  # with FEW examples; with fewer, more
PACE = Pace(
    examples="parts of sequences",
    looks="looks at held-out users",
    seconds_per_look=2.0,
    steady_rate=200.0,
    half_life_share=0.01,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.25, 0.5, 0.7, 0.85, 1.0),
    why_marks="the best of them is kept: a user who is learned by heart is no new user",
)


class SimulateSettings(LogSettings):
    """How a log is read, and the settings of a simulator of users."""

    tastes: int = Field(TASTES, ge=1, le=512)  # numbers of a taste, Z
    dropout: float = Field(DROPOUT, ge=0, lt=1)
    pull: float = Field(PULL, ge=0)  # of tastes towards the normal distribution
    rounds: int = Field(ROUNDS, ge=0, le=MOST_ROUNDS)  # of discriminators after training; 0: none


def items_of(recipe: Recipe) -> int:
    """Return how many items there are."""
    assert isinstance(recipe.data, InteractionsData)
    return recipe.data.items


def build_network(recipe_network: Network, chosen: SimulateSettings, items: int) -> Behaviour:
    """Build a network with arbitrary weights."""
    return Behaviour(items, recipe_network.need("width"), chosen.tastes, chosen.dropout, chosen.pull)


def build_game(recipe: Recipe) -> Game:
    """Build the game of one player, initialised from the recipe's seed."""
    chosen = recipe.section(SimulateSettings)
    network = initialised(
        seed_for(recipe.seed, "networks"), lambda: build_network(recipe.network, chosen, items_of(recipe))
    ).to(recipe.compute.device)

    def loss(turn: Turn) -> Loss:
        return Loss({"surprise": network.surprise(turn.batch["x"], turn.random) / WINDOW})

    return Game((Player("behaviour", network, loss, optimiser_settings(recipe)),), product="behaviour")


def length_of(users: Users) -> tuple[int, str]:
    """Return the length of a row of the feed, with its reason."""
    longest = int(users.train.counts().max())
    if longest <= LONGEST:
        return 2 + longest, f"the longest sequence has {longest:,} interactions"
    return 2 + LONGEST, f"of longer sequences the last {LONGEST:,} interactions are learned from"


def plan_simulation(draft: Draft, asked: LogSettings, reading: Reading, users: Users, feed: Feed, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine. Raises: RecipeError."""
    log, tiny = reading.log, draft.request.size == "tiny"
    length, why = length_of(users)
    draft.explain({"task": ASKED if draft.request.task else "users that do not exist"})
    choose_log(draft, reading, ((length,), why))
    choose_compute(draft)
    chosen = draft.choose(
        SimulateSettings,
        **log_choices(reading, asked),
        tastes=(TINY_TASTES, "size tiny") if tiny else (TASTES, "measured on MovieLens (docs/log.md)"),
        dropout=(DROPOUT, "measured on MovieLens (docs/log.md)"),
        pull=(PULL, "less than the bound on the likelihood asks for: tastes stay apart"),
        rounds=(ROUNDS, "of discriminators after training (docs/log.md)"),
    )
    network = choose_sized(draft, "gru", "fast on a processor, and as good as others here", SIZES, "so many layers")
    refuse_unbuildable(network, lambda: [build_network(network, chosen, len(log.items))])
    examples = len(feed)
    choose_optimiser(
        draft,
        rate=(RATE, "found on MovieLens (docs/log.md); falls along a half cosine"),
        warmup=(0.05, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "as usual: nothing moves against this network"),
        batch_size=(min(BATCH, examples), f"small: {examples:,} parts of sequences"),
    )
    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build_game)
    span = for_one_phase(draft, PACE, feed, build=build_game)
    epochs = min(MOST_EPOCHS, EPOCHS * max(1.0, math.sqrt(FEW / examples)))
    why = f"{epochs:.0f} times {examples:,} parts of sequences: more are learned by heart"
    choose_length(
        draft,
        PACE,
        at_most(draft, span, round(epochs * examples), why),
        best_by=("likelihood", "of held-out users: the best look is kept if the last one is worse"),
        patience_looks=(3, "looks in a row that are no better end the run"),
    )
    return draft.recipe()
