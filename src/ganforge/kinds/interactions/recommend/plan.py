"""The plan of a recommender: what validation chooses, and the game whose residual may be added."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from ganforge.contracts import Game, Tell
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.data import choose_log, log_choices
from ganforge.kinds.interactions.recommend.choice import choose
from ganforge.kinds.interactions.recommend.examples import examples_of, traits_of
from ganforge.kinds.interactions.recommend.game import game_of_lists
from ganforge.kinds.interactions.recommend.material import Material, RecommendSettings
from ganforge.kinds.interactions.recommend.networks import ListDiscriminator, ResidualScores
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_fixed,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_alone, choose_objective, choose_optimiser, initialised
from ganforge.recipe import Optimiser, Recipe, Size

NETWORK = "lists"
WIDTHS: dict[Size, int] = {"tiny": 8, "small": 32, "medium": 32, "base": 64, "large": 64}
BATCH, STEPS = 128, 300
ABSENT = {
    "augmentation": "A part of what each user met is hidden instead.",
    "network.latent_size": "Lists are drawn by noise on the scores, not from a latent.",
    "network.depth": "The residual has one hidden layer, the discriminator two.",
    "records.look_samples": "A look takes all users who have something to be found.",
}
PACE = Pace(
    examples="lists",
    looks="looks",
    seconds_per_look=1.0,
    steady_rate=5_000.0,
    half_life_share=0.1,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.5, 1.0),
    why_marks="few: whether the residual is added is decided after the last step",
)


def plan_recommender(draft: Draft, material: Material, asked: LogSettings, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine. Raises: RecipeError."""
    draft.explain({"task": ASKED})
    items = material.fit.shape[1]
    tell("timing", size=draft.request.size or "small")
    pinned = draft.pinned.of(RecommendSettings.key)
    choices = log_choices(material.reading, asked) | choose(material, pinned)
    chosen = draft.choose(RecommendSettings, **choices)
    choose_log(draft, material.reading, ((items,), "a score for each item"))
    choose_compute(draft)
    choose_alone(
        draft,
        NETWORK,
        "it changes the scores of a user's best candidates by what he has met",
        WIDTHS,
        "scores are corrected, not learned anew",
    )
    feed = feed_of(material, chosen, draft.request.seed, draft.device)
    gamma = (0.05, "at 1 the discriminator hardly learns: means over ten items differ little (docs/log.md)")
    choose_objective(draft, gamma, (gamma[0], "constant: it is a short game"))
    choose_optimiser(
        draft,
        rate=(1e-3, "at 5e-3 the residual leaves EASE's lists (docs/log.md)"),
        warmup=(0.0, "none is needed: the residual begins at 0"),
        batch_size=(min(BATCH, len(feed)), "users"),
    )
    build = partial(build_game, brief=brief_of(material))
    choose_pieces(draft, feed, build=build)
    examples = STEPS * draft[Optimiser].batch_size
    why = f"{STEPS} steps: a longer game ranks worse (docs/log.md)"
    choose_length(draft, PACE, for_fixed(draft, PACE, feed, examples, why, build=build))
    return draft.recipe()


# ---- the game and its examples ---------------------------------------------------------------------------------------


def feed_of(material: Material, chosen: RecommendSettings, seed: int, device: str) -> TensorFeed:
    """Return users with candidates and a hidden part."""
    return TensorFeed(device, **examples_of(material, chosen, seed))


def brief_of(material: Material) -> dict[str, bytes]:
    """Return what the game needs besides its examples, for any process."""
    return {"traits": traits_of(material.fit).tobytes()}


def build_game(recipe: Recipe, brief: Mapping[str, bytes]) -> Game:
    """Build both networks on the recipe's device, with their losses. Args: brief as `brief_of`."""
    (items,), device = recipe.data.shape, recipe.compute.device
    traits = torch.from_numpy(np.frombuffer(brief["traits"], np.float32).reshape(items + 1, -1).copy()).to(device)
    width = recipe.network.need("width")
    residual = initialised(seed_for(recipe.seed, "networks"), lambda: ResidualScores(items, width))
    discriminator = initialised(
        seed_for(recipe.seed, "networks/discriminator"), lambda: ListDiscriminator(traits.shape[1], 2 * width)
    )
    return game_of_lists(recipe, residual.to(device), discriminator.to(device), traits)
