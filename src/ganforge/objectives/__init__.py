"""How a discriminator and a generator are scored. A new objective is one class and one line here."""

from __future__ import annotations

from ganforge.contracts import Objective
from ganforge.objectives.classical import Hinge, LeastSquares, Minimax, Nonsaturating, Wasserstein
from ganforge.objectives.penalties import squared_slope
from ganforge.objectives.relativistic import R3GAN
from ganforge.objectives.supervised import softened_error, squared_error

OBJECTIVES: dict[str, type[Objective]] = {
    "r3gan": R3GAN,
    "minimax": Minimax,
    "nonsaturating": Nonsaturating,
    "least_squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}

__all__ = ["OBJECTIVES", "softened_error", "squared_error", "squared_slope"]
