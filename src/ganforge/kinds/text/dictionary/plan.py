"""The plan of a dictionary: the vectors' dimensions, the restarts of the adversary, and its length."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Game, Tell
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import RecipeError
from ganforge.kinds.text.dictionary.corpus import Corpus
from ganforge.kinds.text.dictionary.game import Discriminators, Rotations, game_of_rotations
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_fixed,
)
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.planning.game import choose_alone, choose_objective, choose_optimiser, initialised
from ganforge.recipe import Optimiser, Recipe, Size, TaskSection

WIDTHS: dict[Size, int] = {"tiny": 16, "small": 128, "medium": 128, "base": 256, "large": 256}
ROTATIONS = "rotations"
DIMENSIONS, RESTARTS, FREQUENT, RATE = 60, 4, 1_000, 4.0
BATCH, STEPS = 256, 1_500
GAMMA = 1.0
TRAIT_WEIGHT = 0.5  # of traits beside coordinates of unit variance
ABSENT = {
    "augmentation": "A vector has nothing that could be changed without changing its word.",
    "network.latent_size": "Nothing is drawn from noise.",
    "network.depth": "A discriminator has two hidden layers; what it judges is a rotation.",
    "records.look_samples": "A look takes the frequent words.",
}
PACE = Pace(
    examples="words",
    looks="looks",
    seconds_per_look=0.5,
    steady_rate=10_000.0,
    half_life_share=0.01,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.25, 0.5, 0.75, 1.0),
    why_marks="few: whether two languages match is known after the last step",
)


class DictionarySettings(TaskSection):
    """The settings of a dictionary."""

    key: ClassVar[str] = "dictionary"

    dimensions: Annotated[int, Field(ge=2, le=200)] = DIMENSIONS  # of the vectors that the adversary rotates
    frequent: Annotated[int, Field(ge=10, le=20_000)] = FREQUENT  # words of either language that it sees
    restarts: Annotated[int, Field(ge=1, le=64)] = RESTARTS  # rotations that learn at once, each from another beginning
    rate: Annotated[float, Field(gt=0, le=8)] = RATE  # of the rotations' steps, which falls to 0; at 10 they leave them


def initial_rotations(recipe: Recipe) -> Rotations:
    """Draw the rotations from the recipe's seed."""
    chosen = recipe.section(DictionarySettings)
    return initialised(seed_for(recipe.seed, "networks"), lambda: Rotations(chosen.restarts, chosen.dimensions))


def build_game(recipe: Recipe, others: Tensor) -> Game:
    """Build rotations and discriminators on the recipe's device, with their losses. Args: others (N, F + M)."""
    chosen = recipe.section(DictionarySettings)
    discriminators = initialised(
        seed_for(recipe.seed, "networks/discriminators"),
        lambda: Discriminators(chosen.restarts, recipe.data.shape[0], recipe.network.need("width")),
    )
    device = recipe.compute.device
    return game_of_rotations(
        recipe, initial_rotations(recipe).to(device), discriminators.to(device), others.to(device), chosen.rate
    )


def sides_of(corpus: Corpus, chosen: DictionarySettings) -> tuple[Tensor, Tensor]:
    """Return frequent words of both languages, each (N, F + M): vectors, then traits."""
    sides = []
    for language in corpus.languages:
        vectors = language.vectors(chosen.dimensions, chosen.frequent)
        scaled = vectors / vectors.std(axis=0).mean()
        sides.append(
            np.concatenate([scaled, TRAIT_WEIGHT * language.traits(chosen.frequent)], axis=1, dtype=np.float32)
        )
    count = min(map(len, sides))
    return torch.from_numpy(sides[0][:count]), torch.from_numpy(sides[1][:count])


def plan_dictionary(draft: Draft, corpus: Corpus, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine. Raises: RecipeError."""
    draft.explain({"task": ASKED})
    names = tuple(language.name for language in corpus.languages)
    smallest = min(len(language.words) for language in corpus.languages)
    most = corpus.languages[0].components.shape[1]
    chosen = draft.choose(
        DictionarySettings,
        dimensions=(
            min(DIMENSIONS, most),
            "the first of the vectors': more are matched later, from the words that these found",
        ),
        frequent=(min(FREQUENT, smallest), "rare words have poor vectors"),
        restarts=(RESTARTS, "side by side in one game: which of them succeeds is known at the end"),
        rate=(RATE, "found on captions (docs/log.md)"),
    )
    if chosen.dimensions > most:
        raise RecipeError(
            f"dictionary.dimensions is {chosen.dimensions}, and the vectors have {most}.",
            f"That is what the {smallest:,} words of the smaller language allow.",
            "Use fewer, or give more text.",
        )
    inputs = chosen.dimensions + corpus.languages[0].places.shape[1]
    shape = ((inputs,), f"{chosen.dimensions} coordinates, and traits: how frequent, how long, where in a line")
    choose_data(draft, "text", shape, corpus.sha256, label_names=(names, _what_is_known(corpus)))
    choose_compute(draft)
    choose_alone(
        draft, ROTATIONS, "what is near stays near: two languages differ by a rotation", WIDTHS, "of the discriminators"
    )
    choose_objective(
        draft,
        (GAMMA, "for vectors of unit variance (docs/log.md)"),
        (GAMMA, "constant: the rotations' own rate falls to 0"),
        name=("r3gan", "relativistic pairing with R1 and R2: others do not hold an exact solution"),
    )
    choose_optimiser(
        draft,
        rate=(1e-3, "of the discriminators"),
        rate_end=(1e-3, "constant: they must follow to the end"),
        warmup=(0.0, "none is needed"),
        beta1=(0.5, "as for vectors in MUSE"),
        batch_size=(min(BATCH, chosen.frequent), "words of either language"),
    )
    words, others = sides_of(corpus, chosen)
    feed, build = TensorFeed(draft.device, x=words), partial(build_game, others=others)
    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build)
    examples = STEPS * draft[Optimiser].batch_size
    why = f"{STEPS:,} steps, after which nothing moves"
    choose_length(draft, PACE, for_fixed(draft, PACE, feed, examples, why, build=build))
    return draft.recipe()


def _what_is_known(corpus: Corpus) -> str:
    """Return what the plan says of the two texts."""
    lines = "their lines are translations" if corpus.passport["parallel"] else "their lines are not translations"
    known = ", ".join(f"{len(pairs):,} pairs from {name}" for name, pairs in corpus.known.items())
    return f"the two texts: {lines}; {known or 'no pair of words is known'}"
