"""How a player of a game may read real examples: by clipped and noisy gradients, and no other way (DP-SGD).

Source: Abadi et al. 2016, "Deep Learning with Differential Privacy", Algorithm 1. engine/private.py takes such steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganforge.errors import RecipeError

if TYPE_CHECKING:
    from ganforge.contracts import Batch, Loss


@dataclass(frozen=True, slots=True)
class Private:
    """The part of a player's loss that reads real examples, and the noise that hides each of them.

    Neighbours: one example is added or removed. How many examples there are is public, and so is their shape.
    """

    loss: Callable[[Batch], Loss]  # of real examples: each term (B,) depends on its own example and the network alone
    clip: float  # the most that one example moves the sum of gradients: its L2 norm over all weights
    multiplier: float  # of the noise: its deviation is multiplier * clip
    rate: float  # 0..1: the chance of each example to be in a batch
    most_turns: int  # that the price was computed for, over all sessions: no more are ever taken
    turns: int = 1  # of this player in each step of the game

    def __post_init__(self) -> None:
        """Raises: RecipeError for a value that promises nothing."""
        for name, value, least, most in (
            ("clip", self.clip, 0.0, float("inf")),
            ("multiplier", self.multiplier, 0.0, float("inf")),
            ("rate", self.rate, 0.0, 1.0),
        ):
            if not least < value <= most or value == float("inf"):
                raise RecipeError(
                    f"A private player's {name} cannot be {value}.",
                    "The price of its steps is known for values above 0, and for rates up to 1.",
                    f"Choose another {name}, or leave it to the plan.",
                )
        if min(self.turns, self.most_turns) < 1:
            raise RecipeError(
                f"A private player cannot take {self.turns} of {self.most_turns} turns.", "It takes one at least."
            )
