"""Learning from examples without labels: from a teacher's labels, and from what a discriminator of K labels says.

Shape letters here: K labels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator
from ganforge.core.device import widened


def realness(labels: Callable[[Tensor], Tensor], found: list[Tensor]) -> BoundDiscriminator:
    """Return how real examples are, Z / (Z + 1) as a logit (Salimans et al. 2016), from scores (B, K) of their labels.

    Args: found where these scores are added.
    """

    def score(x: Tensor) -> Tensor:
        found.append(widened(labels(x)))
        return found[-1].logsumexp(1)

    return score


def learned_from(
    teacher: nn.Module, thresholds: Tensor, clear: Tensor, scores: Tensor, share: float
) -> dict[str, Tensor]:
    """Return the losses (B,) on examples to which a teacher gives labels, and of the certainty from which they count.

    The certainty is the quantile of each label at which the best `share` of its examples begin: the pinball loss
    (Koenker and Bassett 1978) finds it while training goes on, example by example.
    Args: thresholds (K,) the certainty of each label; clear what the teacher sees; scores (B, K) of what is learned.
    """
    with torch.no_grad():
        certainty, label = widened(teacher(clear)).softmax(1).max(1)
    beyond = certainty - thresholds.index_select(0, label)
    counts = (beyond >= 0).to(scores)
    return {
        "given": F.cross_entropy(scores, label, reduction="none") * counts,
        "threshold": torch.maximum((1 - share) * beyond, -share * beyond),
    }
