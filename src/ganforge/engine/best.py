"""The best product so far, by one measure of the looks, and whether the run should end with it.

Adversarial training does not descend: the last product need not be the best one. A copy of the moving average's weights
is kept at the look with the highest score. At the end it replaces the final average only when it is better by more than
half the width of the final look's interval: the highest of many noisy scores is partly luck.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

PREFIX = "best/"  # of its tensors in a checkpoint


@dataclass(frozen=True, slots=True)
class Standing:
    """The results of the looks so far: the scalar part, which a checkpoint keeps."""

    score: float = 0.0  # of the newest look that gave one; higher is better
    margin: float = 0.0  # half the width of its 95 % interval
    examples: int = 0  # shown at that look; 0 if there was none
    best_score: float = float("-inf")
    best_examples: int = 0
    unbeaten: int = 0  # looks in a row that did not beat the best
    plateau_length: int = 0  # in examples: what the run was shortened to because nothing got better; 0 if it was not
    kept_best: bool = False  # whether the run ended with the best instead of the final average

    def looked(self, score: float, margin: float, examples: int) -> Standing:
        """Return the standing after one more look. A score that is not a number beats nothing."""
        seen = replace(self, score=score, margin=margin, examples=examples)
        if score > self.best_score:
            return replace(seen, best_score=score, best_examples=examples, unbeaten=0)
        return replace(seen, unbeaten=self.unbeaten + 1)

    def rewound(self, back: Standing) -> Standing:
        """Return the standing after a return to a checkpoint at `back`: with its length, and the best so far."""
        return replace(self, unbeaten=0, plateau_length=back.plateau_length)

    def prefers_best(self, examples: int) -> bool:
        """Return whether the run, at its end after `examples`, should give the best instead of the final average.

        Not if the final average was not looked at: then nothing shows that it is worse.
        """
        if self.examples != examples or self.best_examples == 0:
            return False
        return not self.score >= self.best_score - self.margin  # so that a score that is not a number loses


class Best:
    """A copy of the product's weights at the look with the highest score."""

    def __init__(self, measure: str) -> None:
        """Args: measure a key of the looks' quality, higher is better, with its interval in {measure}_low and _high."""
        self.measure = measure
        self._weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def look(self, standing: Standing, quality: Mapping[str, float], product: nn.Module, examples: int) -> Standing:
        """Record a look, and the product's weights if it is the best so far. A look without the measure is ignored."""
        if self.measure not in quality:
            return standing
        score = float(quality[self.measure])
        width = quality.get(f"{self.measure}_high", score) - quality.get(f"{self.measure}_low", score)
        after = standing.looked(score, 0.5 * width, examples)
        if after.best_score > standing.best_score:
            self._weights = {name: tensor.detach().clone() for name, tensor in product.state_dict().items()}
        return after

    def put_into(self, product: nn.Module) -> None:
        """Copy the best weights into the product. Requires a look."""
        product.load_state_dict(self._weights)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Return the tensors for a checkpoint: none before the first look."""
        for name, tensor in self._weights.items():
            yield f"{PREFIX}{name}", tensor

    def restore(self, stored: Mapping[str, Tensor], product: nn.Module) -> None:
        """Restore what `tensors` returned, on the product's device."""
        places = product.state_dict()
        self._weights = {
            name.removeprefix(PREFIX): tensor.to(places[name.removeprefix(PREFIX)].device)
            for name, tensor in stored.items()
        }
