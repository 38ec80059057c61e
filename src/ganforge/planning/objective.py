"""Choose how two players are scored, and how the penalty's weight moves."""

from __future__ import annotations

from ganforge.contracts import Schedule
from ganforge.objectives import OBJECTIVES
from ganforge.planning.draft import DEFAULT_OBJECTIVE, Draft
from ganforge.recipe import Adversary, Recipe


def choose_objective(
    draft: Draft,
    gamma_start: tuple[float, str],
    gamma_end: tuple[float, str],
    order: str = "each player answers the other's newest step",
) -> Adversary:
    """Choose the section `objective`.

    Args: gamma_start, gamma_end the penalty's weight by a rule on the data, with its reason, for objectives whose paper
    gives none; order the reason why the players step in turn.
    """
    name = draft.pinned.get("objective.name", DEFAULT_OBJECTIVE)
    paper = OBJECTIVES[name].gamma
    if paper is not None:
        gamma_start = (paper[0], "the paper's weight")
        gamma_end = (paper[1], "constant, as in the paper" if paper[0] == paper[1] else "as in the paper")
    return draft.choose(
        Adversary,
        name=(name, "relativistic pairing with R1 and R2: converges"),
        gamma_start=gamma_start,
        gamma_end=gamma_end,
        order=("alternating", order),
    )


def gamma_schedule(recipe: Recipe) -> Schedule:
    """The gradient penalty's weight: geometric between its ends, or linear where one is 0."""
    start, end = recipe.adversary.gamma_start, recipe.adversary.gamma_end
    return Schedule(start, end, "geometric" if min(start, end) > 0 else "linear")
