"""Choose into how many pieces each batch is cut, which the cores of a processor compute side by side."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ganforge.contracts import Feed, Game
from ganforge.core.device import THREADS
from ganforge.engine.fit import FitSettings
from ganforge.engine.profile import StepCost, cost_of_step
from ganforge.objectives import OBJECTIVES
from ganforge.planning.compute import use
from ganforge.planning.draft import Draft
from ganforge.recipe import Adversary, Compute, Optimiser, Recipe

FLOPS_PER_START = 2e6  # see pieces_for; measured on digits and tables (docs/log.md)
FEWEST_EXAMPLES = 2  # in a piece: translation without pairs moves the examples of a batch apart by one


def choose_pieces(draft: Draft, feed: Feed, *, build: Callable[[Recipe], Game]) -> None:
    """Revise `compute.pieces` once network, objective and batch are chosen, for runs on a processor.

    What a step costs is counted and not timed, so that the same command gives the same pieces on a busy machine.
    A person who has pinned pieces or threads is left with them, and examples that an objective ties together stay in
    one piece. Args: build the game of a recipe, of which one step is played.
    """
    compute, batch = draft[Compute], draft[Optimiser].batch_size
    if compute.device != "cpu" or THREADS == 1 or {"compute.pieces", "compute.threads"} & set(draft.pinned):
        return
    if OBJECTIVES[draft[Adversary].name].couples_examples:
        return
    recipe, before = draft.recipe(), torch.get_num_threads()
    use(recipe.compute)
    settings = FitSettings(
        seed=recipe.seed, batch_size=batch, length_examples=batch, half_life_examples=1000, precision=compute.precision
    )
    try:
        cost = cost_of_step(build(recipe), feed, settings)
    finally:
        torch.set_num_threads(before)
    pieces, arithmetic = pieces_for(cost, batch, THREADS), f"a step of {cost.flops:.2g} multiplications and additions"
    why = f"{arithmetic} is not worth dividing" if pieces == 1 else f"{arithmetic} is divided among {THREADS} cores"
    draft.revise(Compute, pieces=(pieces, why))


def pieces_for(cost: StepCost, batch: int, cores: int) -> int:
    """Number of equal pieces: at most one for each core, each of at least FEWEST_EXAMPLES.

    Every further piece starts all operations of a step once more. That costs little, also where no other core is free,
    if the step has FLOPS_PER_START multiplications and additions for each operation that is started again.
    """
    worth = 1 + int(cost.flops / (FLOPS_PER_START * cost.operations))
    most = max(1, min(worth, cores, batch // FEWEST_EXAMPLES))
    return next(pieces for pieces in range(most, 0, -1) if batch % pieces == 0)
