"""Choose how the players step, and what the engine is told of it."""

from __future__ import annotations

from ganforge.contracts import OptimiserSettings, Schedule
from ganforge.planning.draft import Choice, Draft
from ganforge.recipe import Optimiser, Recipe

KIND = ("adam", "a step size for each weight, which layers of different scale need")
BETA1 = (0.0, "no momentum: each step of one player changes the other's task")
BETA2 = (0.99, "a memory of about 100 steps for the size of the gradients")
RATE_END = (0.0, "the last steps settle what was learned")
PLAIN = "Plain steps, which `sgd` takes, have no moments."


def choose_optimiser(
    draft: Draft,
    *,
    rate: Choice,
    warmup: Choice,
    batch_size: Choice,
    kind: Choice = KIND,
    rate_end: Choice = RATE_END,
    beta1: Choice = BETA1,
    beta2: Choice = BETA2,
) -> Optimiser:
    """Choose the section `optimiser`; plain steps (sgd) have no betas."""
    plain = draft.pinned.get("optimiser.kind", kind[0]) == "sgd"
    if plain:
        draft.leave_out({"optimiser.beta1": PLAIN, "optimiser.beta2": PLAIN})
    moments: dict[str, Choice] = {} if plain else {"beta1": beta1, "beta2": beta2}
    return draft.choose(
        Optimiser,
        kind=kind,
        learning_rate_start=rate,
        learning_rate_end=rate_end,
        warmup=warmup,
        **moments,
        batch_size=batch_size,
    )


def optimiser_settings(recipe: Recipe) -> OptimiserSettings:
    """How a player steps: its learning rate moves along a half cosine."""
    chosen = recipe.optimiser
    rate = Schedule(chosen.learning_rate_start, chosen.learning_rate_end, "cosine", chosen.warmup)
    betas = {"beta1": chosen.beta1, "beta2": chosen.beta2}
    return OptimiserSettings(rate, chosen.kind, **{name: beta for name, beta in betas.items() if beta is not None})
