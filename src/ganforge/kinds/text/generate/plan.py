"""The plan for new texts: units, network and length; a game of one player, by maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field

from ganforge.contracts import Feed, Game, Loss, Player, Tell, Turn
from ganforge.core.seeds import seed_for
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.text.generate.vocabulary import Vocabulary
from ganforge.kinds.text.reading import Texts
from ganforge.networks.language_model import MODELS, LanguageModel
from ganforge.planning.compute import Pace, at_most, choose_compute, choose_length, choose_pieces, for_one_phase
from ganforge.planning.draft import ASKED, Choice, Draft, choose_data
from ganforge.planning.game import (
    choose_optimiser,
    initialised,
    optimiser_settings,
    refuse_unbuildable,
    size_of,
)
from ganforge.recipe import Data, Network, Recipe, Size, TaskSection

ABSENT = {
    "objective": "The network learns by likelihood; discriminators change its chances afterwards (text.rounds).",
    "augmentation": "A changed text is another text.",
    "network.latent_size": "Units are drawn one after the other; there are no latents.",
    "records.look_samples": "A look takes a third of the held-out texts.",
}
SIZES: dict[Size, tuple[str, int, int]] = {  # network, width, depth
    "tiny": ("gru", 48, 1), "small": ("gru", 192, 1), "medium": ("gru", 384, 1),
    "base": ("transformer", 256, 4), "large": ("transformer", 512, 6),
}  # fmt: skip
RATES = {"gru": 3e-3, "transformer": 1e-3}
BATCH, DROPOUT = 48, 0.4
ROUNDS = 4
EPOCHS, FEW, MOST_EPOCHS = 8.0, 10_000, 40.0  # with FEW texts; with fewer, more
PACE = Pace(
    examples="texts",
    looks="looks at held-out texts",
    seconds_per_look=1.0,
    steady_rate=1_000.0,
    half_life_share=0.01,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0),
    why_marks="the best of them is kept: a text that is learned by heart is no new text",
)


class Writing(TaskSection):
    """The settings of a language model."""

    key: ClassVar[str] = "text"
    derived: ClassVar[Mapping[str, str]] = {"units": "Use --unit.", "size": "Use --unit, or give other data."}

    units: Literal["characters", "words", "subwords"]
    size: int = Field(ge=4, le=2_000_000)  # of the units, V
    dropout: float = Field(DROPOUT, ge=0, lt=1)
    rounds: int = Field(ROUNDS, ge=0, le=10)  # of discriminators at each temperature; 0: none


def build_model(recipe_network: Network, data: Data, chosen: Writing) -> LanguageModel:
    """Build a network with arbitrary weights. Raises: RecipeError for an unknown name."""
    if recipe_network.name not in MODELS:
        raise RecipeError(f"There is no network {recipe_network.name!r}.", did_you_mean(recipe_network.name, MODELS))
    return MODELS[recipe_network.name](
        chosen.size, len(data.label_names), recipe_network.need("width"), recipe_network.need("depth"),
        chosen.dropout, data.shape[0],
    )  # fmt: skip


def build_game(recipe: Recipe) -> Game:
    """Build the game of one player, initialised from the recipe's seed."""
    chosen = recipe.section(Writing)
    network = initialised(
        seed_for(recipe.seed, "networks"), lambda: build_model(recipe.network, recipe.data, chosen)
    ).to(recipe.compute.device)

    def loss(turn: Turn) -> Loss:
        tokens = turn.batch["x"]
        surprise = network.surprise(tokens, turn.batch.get("label"), turn.random)
        return Loss({"surprise": surprise.sum(1) / usual(recipe)})

    return Game((Player("model", network, loss, optimiser_settings(recipe)),), product="model")


def usual(recipe: Recipe) -> float:
    """Return the number that a text's surprise is divided by, about its usual length, so that units count alike."""
    return max(1.0, 0.5 * recipe.data.shape[0])


def plan_texts(
    draft: Draft, texts: Texts, vocabulary: Vocabulary, why: str, length: Choice, feed: Feed, tell: Tell
) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine.

    Args: why the units are these; length L of the feed's rows, with its reason. Raises: RecipeError.
    """
    count, names = len(texts.train), texts.label_names
    draft.explain({"task": ASKED if draft.request.task else "what can be made of texts: more like them"})
    labelled: Mapping[str, Choice] = (
        {"label_names": (names, f"the {len(names)} labels: one model draws each on demand")} if names else {}
    )
    choose_data(draft, "text", ((length[0],), length[1]), texts.sha256, **labelled)
    choose_compute(draft)
    chosen = draft.choose(
        Writing,
        units=(vocabulary.name, why),
        size=(vocabulary.size, "the units, and four more: padding, beginning, end, and whatever is rare"),
        dropout=(DROPOUT, "measured on captions (docs/log.md)"),
        rounds=(ROUNDS, "of discriminators after training, each of what the ones before left (docs/log.md)"),
    )
    size = size_of(draft)
    sized = SIZES[size]
    name = draft.pinned.get("network.name", sized[0])
    network = draft.choose(
        Network,
        name=(
            sized[0],
            f"size {size}: " + ("fast on a processor" if sized[0] == "gru" else "the best of a large size"),
        ),
        width=(sized[1], f"size {size}"),
        depth=(sized[2], f"size {size}: so many layers"),
    )

    def built() -> list[LanguageModel]:
        model = build_model(network, draft[Data], chosen)
        model(torch.zeros(1, 2, dtype=torch.int64), torch.zeros(1, dtype=torch.int64) if names else None)
        return [model]

    refuse_unbuildable(network, built)
    choose_optimiser(
        draft,
        rate=(RATES[name], "found on captions (docs/log.md); falls along a half cosine"),
        warmup=(0.02, "the first steps are small, until the size of the gradients is known"),
        beta1=(0.9, "as usual: nothing moves against this network"),
        batch_size=(min(BATCH, count), f"small: {count:,} training texts"),
    )
    tell("timing", size=size)
    choose_pieces(draft, feed, build=build_game)
    span = for_one_phase(draft, PACE, feed, build=build_game)
    epochs = min(MOST_EPOCHS, EPOCHS * max(1.0, math.sqrt(FEW / count)))
    why = f"{epochs:.0f} times {count:,} texts: more are learned by heart"
    choose_length(
        draft,
        PACE,
        at_most(draft, span, round(epochs * count), why),
        best_by=("likelihood", "of held-out texts: the best look is kept if the last one is worse"),
        patience_looks=(3, "looks in a row that are no better end the run"),
    )
    return draft.recipe()
