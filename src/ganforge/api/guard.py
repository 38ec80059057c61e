"""Whether a run has a guard, and which: diagnosis and engine are strangers, so they are brought together here."""

from __future__ import annotations

from ganforge.api.request import task_of
from ganforge.diagnosis import diagnose
from ganforge.diagnosis.early import early_signs
from ganforge.engine.guard import Guard
from ganforge.recipe import Recipe
from ganforge.records import Finding, History


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
