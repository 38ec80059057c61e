"""The adversarial game on pairs of features and audience.

One head of the generator is told the features, and draws an audience: a residual of a like item, which it corrects;
the other one is told an audience, and draws features. A discriminator of each compares with the true pairs. The first
head begins at 0: at exactly the draws that need no adversary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganforge.contracts import Game, Loss, Player, Turn
from ganforge.kinds.interactions.invent.networks import Discriminators, Inventor
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, optimiser_settings
from ganforge.recipe import Recipe


def game_of_items(recipe: Recipe, inventor: Inventor, discriminators: Discriminators, residuals: Tensor) -> Game:
    """Return the game: discriminators first, then the generator.

    Batches have x (B, F + 2 D), codes, expected audience and residual, and near (B, K) places of residuals of like
    items; all audiences are in units of the residuals'. Args: residuals (N, D) of known items.
    """
    objective, dimensions = OBJECTIVES[recipe.adversary.name](), residuals.shape[1]

    def parts(turn: Turn) -> tuple[Tensor, Tensor, Tensor]:
        x = turn.batch["x"]
        codes, expected, residual = x.tensor_split([x.shape[1] - 2 * dimensions, x.shape[1] - dimensions], 1)
        return codes, expected, residual

    def with_audience(codes: Tensor, expected: Tensor, residual: Tensor) -> Tensor:
        return torch.cat([codes, expected, residual, expected + residual], 1)

    def real(turn: Turn) -> tuple[Tensor, Tensor]:
        codes, expected, residual = parts(turn)
        return with_audience(codes, expected, residual), torch.cat([codes, expected + residual], 1)

    def made(turn: Turn) -> tuple[Tensor, Tensor]:
        codes, expected, residual = parts(turn)
        near, random, count = turn.batch["near"], turn.random, len(codes)
        chosen = (random.uniform(count) * near.shape[1]).long().clamp(max=near.shape[1] - 1)
        start = residuals[near.gather(1, chosen[:, None])[:, 0]]
        residual_made = inventor.residual(codes, expected, start, random.normal(count, inventor.latent))
        audience = expected + residual
        codes_made = inventor.codes(
            audience, random.normal(count, inventor.latent), random.uniform(count, inventor.draws)
        )
        return with_audience(codes, expected, residual_made), torch.cat([codes_made, audience], 1)

    scores = (discriminators.of_audience, discriminators.of_item)

    def discriminator_loss(turn: Turn) -> Loss:
        with torch.no_grad():
            fakes = made(turn)
        gamma = turn.dials["gamma"]
        return _added(
            *(
                objective.discriminator_loss(score, true, fake, gamma, turn.random)
                for score, true, fake in zip(scores, real(turn), fakes, strict=True)
            )
        )

    def generator_loss(turn: Turn) -> Loss:
        return _added(
            *(
                objective.generator_loss(score, true, fake)
                for score, true, fake in zip(scores, real(turn), made(turn), strict=True)
            )
        )

    settings, dials = optimiser_settings(recipe), gamma_dials(recipe)
    players = (
        Player("discriminators", discriminators, discriminator_loss, settings, dials=dials),
        Player("inventor", inventor, generator_loss, settings, dials=dials),
    )
    return Game(players, product="inventor", order=recipe.adversary.order)


def _added(one: Loss, other: Loss) -> Loss:
    """Return the loss of both games; what is noted of them is the mean."""
    return Loss(
        {name: term + other.terms[name] for name, term in one.terms.items()},
        {name: (note + other.notes[name]) / 2 for name, note in one.notes.items()},
    )
