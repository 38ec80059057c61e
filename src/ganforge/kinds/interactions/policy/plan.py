"""The plan of a policy: what the adversary is shown, for how long, and where what it adds is decided."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from ganforge.contracts import Game, Tell
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.interactions.data import choose_log, log_choices
from ganforge.kinds.interactions.policy.choice import base_policy
from ganforge.kinds.interactions.policy.game import Discriminator, game_of_policy
from ganforge.kinds.interactions.policy.material import MOST_CELLS, Material, PolicySettings, dense, shares_of, tastes
from ganforge.kinds.interactions.policy.product import spread_of
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_fixed,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import choose_alone, choose_optimiser, initialised, optimiser_settings
from ganforge.recipe import Optimiser, Recipe, Size

NETWORK = "profiles"
WIDTHS: dict[Size, int] = {"tiny": 4, "small": 32, "medium": 32, "base": 64, "large": 128}
BATCH, PASSES = 64, 20
PRICE = 0.25  # of the policy that the adversary is shown, in spreads of the expected rewards
ABSENT = {
    "objective": "The policy is the best answer to the discriminator, whose loss is of positive and unlabelled ones.",
    "augmentation": "A half of what each user met is hidden at random instead.",
    "network.latent_size": "Nothing is drawn from noise.",
    "network.depth": "The discriminator has one hidden layer.",
    "records.look_samples": "A look takes the draws to choose by.",
}
PACE = Pace(
    examples="users",
    looks="looks",
    seconds_per_look=1.0,
    steady_rate=2_000.0,
    half_life_share=0.05,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.5, 1.0),
    why_marks="few: what the adversary adds is decided after the last step",
)


def plan_policy(draft: Draft, material: Material, asked: PolicySettings, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine. Raises: RecipeError."""
    draft.explain({"task": ASKED})
    draft.choose(PolicySettings, **log_choices(material.reading, asked))
    choose_log(draft, material.reading, ((len(material.split.fit.items),), "the items: each is an action"))
    choose_compute(draft)
    choose_alone(
        draft,
        NETWORK,
        "it scores all items by all that a user met",
        WIDTHS,
        "few, for a score is corrected, not learned anew",
    )
    choose_optimiser(
        draft,
        rate=(3e-3, "found on films (docs/log.md)"),
        warmup=(0.0, "none is needed"),
        beta1=(0.5, "some momentum: the opponent moves slowly"),
        batch_size=(BATCH, "users"),
    )
    feed, build = feed_of(material, draft.device), partial(build_game, material=told(material))
    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build)
    examples = PASSES * max(len(feed), draft[Optimiser].batch_size)
    why = f"{PASSES} passes over the users, after which it only learns them by heart"
    choose_length(draft, PACE, for_fixed(draft, PACE, feed, examples, why, build=build))
    return draft.recipe()


# ---- the game and its examples -------------------------------------------------------------------------------------


def told(material: Material) -> dict[str, bytes]:
    """Return what the game needs besides its examples, for any process."""
    fit = material.split.fit
    base = base_policy(shares_of(fit), None, 1)[0]
    spread = spread_of(material.to_choose, material.fitted)
    assert fit.rating is not None
    prior = float((fit.rating >= material.liked_from).mean())
    return {"base": base.tobytes(), "numbers": np.array([spread, prior]).tobytes()}


def build_game(recipe: Recipe, material: Mapping[str, bytes]) -> Game:
    """Build the discriminator on the recipe's device, with its loss. Args: material as `told`."""
    base = np.frombuffer(material["base"], np.float64)
    spread, prior = np.frombuffer(material["numbers"], np.float64).tolist()
    network = initialised(
        seed_for(recipe.seed, "networks"), lambda: Discriminator(len(base), recipe.network.need("width"))
    )
    device = recipe.compute.device
    logits = torch.from_numpy(np.log(np.maximum(base, 1e-12)).astype(np.float32)).to(device)
    return game_of_policy(optimiser_settings(recipe), network.to(device), logits, PRICE * spread, prior, spread)


def feed_of(material: Material, device: str) -> TensorFeed:
    """Return what users liked and did not, and the rewards that are expected of them, at most so many as fit."""
    fit = material.split.fit
    users = np.flatnonzero(fit.counts())[: max(1, MOST_CELLS // len(fit.items))]
    signs = tastes(fit, material.liked_from)[users]
    return TensorFeed(
        device, x=torch.from_numpy(dense(signs).astype(np.int8)), rewards=torch.from_numpy(material.fitted.of(users))
    )
