"""Objectives of discriminator and generator. A new objective is one class and one line here."""

from __future__ import annotations

from ganforge.contracts import Objective
from ganforge.objectives.losses import (
    R3GAN,
    Hinge,
    LeastSquares,
    Minimax,
    Nonsaturating,
    Wasserstein,
    parted,
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

__all__ = ["OBJECTIVES", "parted", "softened_error", "squared_error", "squared_slope"]
