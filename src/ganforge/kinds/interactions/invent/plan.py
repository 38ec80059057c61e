"""The plan of new items: what their features count, the networks of the adversary, and its length."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganforge.contracts import Game, Tell
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.data import choose_log, log_choices
from ganforge.kinds.interactions.invent.audience import Array, Audiences, Form, Similarity, tastes_of
from ganforge.kinds.interactions.invent.choice import Choice, choose
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.game import game_of_items
from ganforge.kinds.interactions.invent.material import Material
from ganforge.kinds.interactions.invent.networks import Discriminators, Inventor
from ganforge.kinds.interactions.invent.spread import nearest
from ganforge.planning.compute import (
    Pace,
    choose_compute,
    choose_length,
    choose_pieces,
    for_fixed,
)
from ganforge.planning.draft import ASKED, Draft
from ganforge.planning.game import (
    choose_objective,
    choose_optimiser,
    choose_sized,
    initialised,
    refuse_unbuildable_game,
)
from ganforge.recipe import Optimiser, Recipe, Size

SIZES: dict[Size, tuple[int, int]] = {"tiny": (16, 1), "small": (128, 2), "medium": (128, 2), "base": (256, 2),
                                      "large": (512, 2)}  # fmt: skip
LATENT = 8
BATCH, STEPS, RATE, GAMMA = 128, 1_500, 1e-3, 1.0
ABSENT = {
    "augmentation": "A feature that is changed is another item.",
    "network.latent_size": "Noise has so many numbers as items differ in ways that features do not tell: a few.",
    "records.look_samples": "A look takes the items that choose.",
}
PACE = Pace(
    examples="items",
    looks="looks",
    seconds_per_look=0.5,
    steady_rate=10_000.0,
    half_life_share=0.02,
    most_steps=100,
    marks=lambda seconds: (0.0, 0.25, 0.5, 0.75, 1.0),
    why_marks="few: whether the adversary helps is known at the end",
)


class InventSettings(LogSettings):
    """How a log is read, and how the audience of an item follows from its features."""

    dimensions: Annotated[int, Field(ge=1, le=256)] | None = None  # of an audience
    columns: tuple[str, ...] | None = None  # of the table of items that count
    form: Form | None = None  # of the similarity
    width: Annotated[float, Field(gt=0)] | None = None  # of ranks: so far apart, numbers are alike by 1 / e
    penalty: Annotated[float, Field(gt=0)] | None = None  # of the regression


def fitted(material: Material, chosen: InventSettings, codes: Codes) -> Audiences:
    """Fit the regression on all items but those that judge."""
    matrix = material.matrix[:, material.known]
    known = codes.encoded(material.features_of(material.known))
    tastes = tastes_of(matrix, chosen.need("dimensions"))
    similarity = Similarity.of(codes, known, chosen.need("form"), chosen.need("width"))
    return Audiences.fit(known, similarity, tastes, matrix.T @ tastes, chosen.need("penalty"))


def codes_of(material: Material, chosen: InventSettings) -> Codes:
    """Return the codes of a run, by the items that it learns from."""
    return Codes.of(material.features_of(material.known), chosen.need("columns"))


def examples_of(material: Material, known: Audiences) -> tuple[TensorFeed, Tensor]:
    """Return the items that the game learns from, as its batches, and the residuals (N, D) of all known ones."""
    mean, scale = known.fitted.mean, scale_of(known)
    own = material.part[material.known] == 0
    near = nearest(known, known.codes, known.fitted.left_out, itself=True)
    parts = known.codes, (known.fitted.left_out - mean) / scale, known.residuals / scale
    x = torch.cat([torch.from_numpy(part).float() for part in parts], 1)
    feed = TensorFeed(x=x[own], near=torch.from_numpy(near[own]))
    return feed, torch.from_numpy(known.residuals / scale).float()


def scale_of(known: Audiences) -> Array:
    """Return the unit of audiences in networks, (D,): the standard deviation of residuals."""
    return np.asarray(known.residuals.std(0) + 1e-9)


def forms_of(codes: Codes) -> list[tuple[str, int]]:
    """Return the form of each column, and how many codes it has."""
    return [(part.form, len(part.column.features)) for part in codes.parts]


def build_inventor(recipe: Recipe, forms: list[tuple[str, int]], dimensions: int) -> Inventor:
    """Build the generator of a recipe."""
    return Inventor(forms, dimensions, LATENT, recipe.network.need("width"), recipe.network.need("depth"))


def build_game(recipe: Recipe, forms: list[tuple[str, int]], residuals: Tensor) -> Game:
    """Build the networks, initialised from the recipe's seed, on its device, with their losses."""
    device, dimensions = recipe.compute.device, residuals.shape[1]
    width, depth = recipe.network.need("width"), recipe.network.need("depth")
    inventor, discriminators = initialised(
        seed_for(recipe.seed, "networks"),
        lambda: (
            build_inventor(recipe, forms, dimensions),
            Discriminators(sum(count for _, count in forms), dimensions, width, depth),
        ),
    )
    return game_of_items(recipe, inventor.to(device), discriminators.to(device), residuals.to(device))


def plan_invention(draft: Draft, material: Material, asked: InventSettings, tell: Tell) -> Recipe:
    """Choose every setting, with its reason; times a few steps on this machine. Raises: RecipeError."""
    draft.explain({"task": ASKED if draft.request.task else "items that nobody has met"})
    known = material.features_of(material.known)
    names = [column.name for column in known.coding.columns]
    for name in asked.columns or ():
        if name not in names:
            raise RecipeError(f"The table of items has no column {name!r}.", did_you_mean(name, names))
    matrix = material.matrix[:, material.known]
    choice = choose(known, matrix, asked.dimensions, asked.columns, asked.form, asked.width)
    chosen = draft.choose(
        InventSettings,
        **log_choices(material.reading, asked)
        | {"split": ("random", "whole items are kept to judge by, whenever they were met")},
        dimensions=(choice.dimensions, _why_dimensions(choice)),
        columns=(choice.columns, _why_columns(choice)),
        form=(choice.form, _why_form(choice)),
        width=(choice.width, "found on left-out items: numbers so far apart in ranks are hardly alike"),
        penalty=(choice.penalty, f"found on left-out items: NDCG@20 {choice.ndcg:.3f} over users"),
    )
    codes = codes_of(material, chosen)
    audiences = fitted(material, chosen, codes)
    feed, residuals = examples_of(material, audiences)
    build = partial(build_game, forms=forms_of(codes), residuals=residuals)
    shape = ((feed.tensors["x"].shape[1],), "features, expected audience, and what it lacks of the true one")
    choose_log(draft, material.reading, shape)
    choose_compute(draft)
    choose_sized(draft, "inventor", "audiences from features, and features from audiences", SIZES, "hidden layers")
    choose_objective(
        draft,
        (GAMMA, "for audiences of unit variance (docs/log.md)"),
        (GAMMA, "constant: the generator begins where it may stay"),
        name=("r3gan", "relativistic pairing with R1 and R2: it does not leave a beginning that is right"),
    )
    choose_optimiser(
        draft,
        rate=(RATE, "found on MovieLens: at 3e-4 invented features are easier to tell (docs/log.md)"),
        warmup=(0.0, "none is needed"),
        batch_size=(min(BATCH, len(feed)), f"of {len(feed):,} items"),
    )
    refuse_unbuildable_game(draft, build)
    tell("timing", size=draft.request.size or "small")
    choose_pieces(draft, feed, build=build)
    examples = STEPS * draft[Optimiser].batch_size
    why = f"{STEPS:,} steps, after which nothing moves"
    choose_length(draft, PACE, for_fixed(draft, PACE, feed, examples, why, build=build))
    return draft.recipe()


def _why_dimensions(choice: Choice) -> str:
    """Return what the plan says of the size of an audience."""
    told = ", ".join(f"{score:.3f} with {size}" for size, score in choice.sizes.items())
    return f"found on left-out items: NDCG@20 {told}; fewer are less noise"


def _why_columns(choice: Choice) -> str:
    """Return what the plan says of the columns that count."""
    told = ", ".join(f"{score:.3f} without {name!r}" for name, score in choice.without.items())
    return f"found on left-out items: NDCG@20 {told}" if told else "there is no other one"


def _why_form(choice: Choice) -> str:
    """Return what the plan says of the form of the similarity."""
    told = ", ".join(f"{form} {score:.3f}" for form, score in choice.forms.items())
    return f"found on left-out items: NDCG@20 {told}; linear is a ridge"
