"""Whether a run has a guard, and which: diagnosis and engine are strangers, so they are brought together here."""

from __future__ import annotations

from ganforge.api.request import task_of
from ganforge.diagnosis import diagnose
from ganforge.diagnosis.early import early_signs
from ganforge.engine.guard import Guard
from ganforge.recipe import Recipe
from ganforge.records import Finding, History

UNGUARDED = {
    "regress": "not used: one network that descends has no opponent to lose its balance with",
    "enhance": "not used: the faithful end has no opponent, and the dial turns back whatever the sharp end loses",
}


def with_guard(recipe: Recipe) -> Recipe:
    """The recipe with the choice whether its run is guarded, and the reason."""
    plays = recipe.task not in UNGUARDED
    if not recipe.ask.guard:
        reason = "you asked for no guard"
    elif plays:
        reason = "when the diagnosis finds something wrong, a lever is turned and judged; healthy runs are left alone"
    else:
        reason = UNGUARDED[recipe.task]
    return recipe.model_copy(update={"guard": recipe.ask.guard and plays}).with_reason(guard=reason)


def guard_for(recipe: Recipe) -> Guard | None:
    """A fresh guard for one sitting of a run, or None where the recipe says that there is none."""
    if not recipe.guard:
        return None
    return Guard(_find, task_of(recipe).measured, augments=recipe.data.kind == "pictures")


def _find(history: History) -> tuple[Finding, ...]:
    return (*early_signs(history), *diagnose(history))
