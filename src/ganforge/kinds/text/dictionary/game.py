"""The adversarial game on rotations: several restarts at once, each a rotation and a discriminator of its own.

Shape letters here: R restarts, F dimensions of a vector, M traits of a word.

A rotation W learns by W <- W - rate (skew(G W') W + pull (W W' - 1) W), G the gradient of its loss: steps along
the rotations, which fall back to them by themselves (Ablin and Peyre 2022, "Fast and accurate optimization on the
orthogonal manifold without retraction"). This is linear in G, so it is the gradient that the plain optimiser is given:
such a run is resumed to the bit, and two processes train as one. On Euclidean gradients, as in Conneau et al. 2018, the
game fails on texts of this size even where an exact rotation exists (docs/log.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, optimiser_settings
from ganforge.recipe import Recipe

PULL = 0.1  # towards the rotations
SLOPE = 0.2  # of leaky ReLU


class _OnRotations(torch.autograd.Function):
    """The identity, whose gradient G becomes the first part of the step in the head of this file."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (weight,), (gradient,) = ctx.saved_tensors, gradients
        turned = weight.mT @ (len(weight) * gradient)  # the loss is a mean over restarts: each has its own gradient
        field: Tensor = weight @ (turned - turned.mT)
        return field


class Rotations(nn.Module):
    """R rotations (F, F), drawn at random or given: x (B, F) -> (B, R, F)."""

    def __init__(self, restarts: int, dimensions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(restarts, dimensions, dimensions))[0])

    def pull(self) -> Tensor:
        """Return how far each is from a rotation, (R,): its gradient is the second part of the step."""
        weight = self.weight
        beyond = weight.mT @ weight - torch.eye(weight.shape[-1]).to(weight)
        return PULL / 4 * beyond.square().sum((1, 2))

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = _OnRotations.apply(self.weight)  # type: ignore[no-untyped-call]
        return torch.einsum("bf,rfg->brg", x, weight)


class Discriminators(nn.Module):
    """R discriminators of two hidden layers: x (N * R, F + M), the restarts of one word in a row -> scores (N * R,)."""

    def __init__(self, restarts: int, inputs: int, width: int) -> None:
        super().__init__()
        sizes = [(inputs, width), (width, width), (width, 1)]
        bounds = [ends[0] ** -0.5 for ends in sizes]  # as of nn.Linear
        pairs = list(zip(sizes, bounds, strict=True))
        self.weights = nn.ParameterList(torch.empty(restarts, *ends).uniform_(-bound, bound) for ends, bound in pairs)
        self.biases = nn.ParameterList(
            torch.empty(restarts, 1, out).uniform_(-bound, bound) for (_, out), bound in pairs
        )

    def forward(self, x: Tensor) -> Tensor:
        restarts = len(self.biases[0])
        hidden = x.view(-1, restarts, x.shape[1]).transpose(0, 1)  # (R, N, F + M)
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, F.leaky_relu(hidden, SLOPE) if place else hidden, weight)
        scores: Tensor = hidden[..., 0].transpose(0, 1).flatten()
        return scores


def game_of_rotations(
    recipe: Recipe, rotations: Rotations, discriminators: Discriminators, others: Tensor, rate: float
) -> Game:
    """Return the game: discriminators tell words of the other language from rotated ones, beside their traits.

    Batches have x (B, F + M). Args: others (N, F + M) words of the other language, of which each word of a batch meets
        one at random; rate of the rotations' steps, at the beginning.
    """
    objective, dimensions, restarts = (
        OBJECTIVES[recipe.adversary.name](),
        rotations.weight.shape[-1],
        len(rotations.weight),
    )

    def rotated(turn: Turn) -> Tensor:
        vectors, traits = turn.batch["x"].to(rotations.weight).tensor_split([dimensions], 1)
        turned = rotations(vectors)
        return torch.cat([turned, traits[:, None].expand(-1, restarts, -1)], 2).flatten(0, 1)

    def real(turn: Turn) -> Tensor:
        drawn = (turn.random.uniform(len(turn.batch["x"])) * len(others)).long().clamp(max=len(others) - 1)
        return others[drawn].to(rotations.weight).repeat_interleave(restarts, 0)

    score: BoundDiscriminator = discriminators

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            made = rotated(turn)
        return objective.discriminator_loss(score, real(turn), made, turn.dials["gamma"], turn.random)

    def rotation_loss(turn: Turn) -> Loss:
        terms = objective.generator_loss(score, real(turn), rotated(turn)).terms
        return Loss({**terms, "pull": (restarts * rotations.pull()).repeat(len(turn.batch["x"]))})

    settings, dials = optimiser_settings(recipe), gamma_dials(recipe)
    steady = replace(settings, learning_rate=replace(settings.learning_rate, shape="constant"))
    falling = OptimiserSettings(Schedule(rate, 0.0, "linear"), "sgd")
    players = (
        Player("discriminators", discriminators, discriminator_loss, steady, dials=dials),
        Player("rotations", rotations, rotation_loss, falling, dials=dials),
    )
    return Game(players, product="rotations", order=recipe.adversary.order)
