"""How the engine is to train what a recipe says."""

from __future__ import annotations

from ganforge.engine.adaptive_augmentation import Adaptation
from ganforge.engine.fit import FitSettings
from ganforge.recipe import MOST_AUGMENTATION, Recipe

RAMP_SHARE = 0.25  # of a run: how fast the strength of the augmentation can go from 0 to 1


def fit_settings(recipe: Recipe) -> FitSettings:
    """Everything that decides the numbers of a run, from its recipe."""
    return FitSettings(
        seed=recipe.seed,
        batch_size=recipe.optimiser.batch_size,
        length_examples=recipe.length.examples,
        half_life_examples=recipe.average.half_life_examples,
        precision=recipe.compute.precision,
        pieces=recipe.compute.pieces,
        capture=recipe.compute.capture is not False,
        record_every_steps=recipe.records.every_steps,
        checkpoint_every_steps=recipe.records.checkpoint_every_steps,
        marks=recipe.records.marks,
        seconds_allowed=recipe.length.seconds_allowed,
        best_by=recipe.records.best_by,
        patience_looks=recipe.records.patience_looks or 0,
        adaptation=_adaptation(recipe),
    )


def _adaptation(recipe: Recipe) -> Adaptation | None:
    """How the augmentation adapts, or None where it does not."""
    if recipe.augmentation is None or not recipe.augmentation.target:
        return None
    return Adaptation(
        player="discriminator",
        target=recipe.augmentation.target,
        ramp_examples=RAMP_SHARE * recipe.length.examples,
        most=MOST_AUGMENTATION,
    )
