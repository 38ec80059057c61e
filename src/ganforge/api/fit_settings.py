"""How the engine is to train what a recipe says."""

from __future__ import annotations

from ganforge.api.request import task_of
from ganforge.diagnosis import diagnose
from ganforge.diagnosis.gradients import early_signs
from ganforge.engine.control import Adaptation
from ganforge.engine.fit import FitSettings
from ganforge.engine.guard import Guard
from ganforge.recipe import MOST_AUGMENTATION, Recipe
from ganforge.records import Finding, History

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


def with_guard(recipe: Recipe) -> Recipe:
    """The recipe with the choice whether its run is guarded, and the reason."""
    unguarded = task_of(recipe).unguarded
    reason = "when the diagnosis finds something wrong, a lever is turned and judged; healthy runs are left alone"
    if not recipe.ask.guard:
        reason = "you asked for no guard"
    elif unguarded is not None:
        reason = unguarded
    return recipe.model_copy(update={"guard": recipe.ask.guard and unguarded is None}).with_reason(guard=reason)


def guard_for(recipe: Recipe) -> Guard | None:
    """A fresh guard for one sitting of a run, or None where the recipe says that there is none."""
    if not recipe.guard:
        return None
    return Guard(_find, task_of(recipe).measured, augments=recipe.augmentation is not None)


def _find(history: History) -> tuple[Finding, ...]:
    return (*early_signs(history), *diagnose(history))
