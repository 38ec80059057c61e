"""Objectives of discriminator and generator. A new objective is one class and one line here."""

from __future__ import annotations

from ganforge.contracts import Objective
from ganforge.errors import RecipeError
from ganforge.objectives.losses import (
    R3GAN,
    Hinge,
    LeastSquares,
    Minimax,
    Nonsaturating,
    Wasserstein,
    softened_error,
    squared_error,
    squared_slope,
)

OBJECTIVES: dict[str, type[Objective]] = {
    "r3gan": R3GAN,
    "minimax": Minimax,
    "nonsaturating": Nonsaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}


def refuse_coupled(name: str, *, pieces: int = 1, processes: int = 1, private: bool = False) -> None:
    """Refuse to split a batch whose examples the objective `name` couples, because that would change the loss.

    Args: pieces into which a batch is split; processes that share it; private whether each example's gradient is
        clipped separately. Raises: RecipeError.
    """
    if not OBJECTIVES[name].couples_examples:
        return
    splits = {
        f"compute.pieces is {pieces}": pieces > 1,
        f"{processes} processes train together": processes > 1,
        "private training takes each example by itself": private,
    }
    for split, happens in splits.items():
        if happens:
            raise RecipeError(
                f"The objective {name!r} cannot be trained so: {split}.",
                "Its loss of one example depends on all others of the batch, which are not together then.",
                "Choose another --objective, or train the batch as a whole in one process.",
            )


__all__ = ["OBJECTIVES", "refuse_coupled", "softened_error", "squared_error", "squared_slope"]
