"""Discriminators of patches: many scores of each example, and features on the way, as losses of each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganforge.contracts import Loss, Objective, Turn


def mean_of(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of each term over the parts of a discriminator."""
    return {name: torch.as_tensor(sum(part[name] / len(parts) for part in parts)) for name in parts[0]}


def of_examples(terms: Tensor, count: int) -> Tensor:
    """Return means (B,) of terms (B * P,): those of an example's patches follow each other."""
    return terms.reshape(count, -1).mean(1)


def told_apart(objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor, turn: Turn) -> Loss:
    """Return the loss of a discriminator x -> scores (B, P), features. Args: real, fake (B, ...) without graph."""
    judged = objective.discriminator_loss(
        lambda x: critic(x)[0].reshape(-1), real, fake, turn.dials["gamma"], turn.random
    )
    terms, notes = (
        {name: of_examples(value, len(real)) for name, value in found.items()} for found in (judged.terms, judged.notes)
    )
    return Loss(terms, notes)


def judged_by(
    objective: Objective, critic: nn.Module, real: Tensor, fake: Tensor
) -> tuple[Mapping[str, Tensor], Tensor]:
    """Return what an objective makes of a discriminator's scores, (B * P,) each, and the distance (B,) of its features.

    Args: real (B, ...) without graph, fake (B, ...).
    """
    found: list[list[Tensor]] = []

    def score(x: Tensor) -> Tensor:
        scores, features = critic(x)
        found.append(features)
        flat: Tensor = scores.reshape(-1)
        return flat

    judged = objective.generator_loss(score, real, fake)
    with torch.no_grad():
        _, theirs = critic(real)
    apart = torch.stack([(a - b).flatten(1).abs().mean(1) for a, b in zip(found[-1], theirs, strict=True)])
    return judged.terms, apart.mean(0)
