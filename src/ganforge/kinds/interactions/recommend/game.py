"""The game: lists of ten that are to look like what users go on to meet, judged beside what they had met before.

A list is the best candidates by EASE's score, plus a residual, plus noise (Gumbel's: a list is a draw without
replacement); its gradient is that of a smooth threshold in place of the hard one. The residual also learns to rank
what was hidden. It begins at 0, so that the game begins at EASE, and EASE has not seen the users whose lists it makes.

Shape letters here: B users, C candidates, H hidden items, F traits of an item.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.contracts import BoundDiscriminator, Game, Loss, Player, Turn
from ganforge.kinds.interactions.recommend.networks import ListDiscriminator, ResidualScores, described
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import gamma_dials, optimiser_settings
from ganforge.recipe import Recipe

NOISE = 0.1  # of lists, in spreads of the candidates' scores
WIDTH = 0.2  # of the smooth threshold
RANKING = 1.0  # weight of ranking what was hidden
ANCHOR = 0.1  # weight of the residual's square


def game_of_lists(recipe: Recipe, residual: ResidualScores, discriminator: ListDiscriminator, traits: Tensor) -> Game:
    """Return the game.

    Args: traits (I + 1, F) of items. Batches have x (B, C), candidates (B, C), kept (B, L), hidden (B, H).
    """
    objective = OBJECTIVES[recipe.adversary.name]()
    score: BoundDiscriminator = discriminator
    nothing = len(traits) - 1  # what lists are filled up with

    def beside(turn: Turn) -> Tensor:
        kept = turn.batch["kept"]
        there = (kept < nothing).to(traits)
        return torch.einsum("bl,blf->bf", there, F.embedding(kept, traits)) / there.sum(1, keepdim=True).clamp(min=1)

    def real(turn: Turn, mean: Tensor) -> Tensor:
        hidden = turn.batch["hidden"]
        return described((hidden < nothing).to(traits), hidden, traits, mean)

    def listed(turn: Turn, added: Tensor, mean: Tensor) -> Tensor:
        """Lists as long as what was hidden."""
        batch = turn.batch
        count = (batch["hidden"] < nothing).sum(1).clamp(max=batch["x"].shape[1] - 1)
        noise = -torch.log(-torch.log(turn.random.uniform(len(batch["x"]), batch["x"].shape[1]).clamp(1e-6, 1 - 1e-6)))
        reached = batch["x"].to(traits) + added + NOISE * noise
        ordered = reached.detach().sort(1, descending=True).values
        edges = (ordered.gather(1, count[:, None] - 1) + ordered.gather(1, count[:, None])) / 2
        soft = torch.sigmoid((reached - edges) / WIDTH)
        hard = (reached.detach() > edges).to(soft)
        return described(hard + soft - soft.detach(), batch["candidates"], traits, mean)

    def added_to(turn: Turn) -> Tensor:
        candidates = turn.batch["candidates"]
        there = candidates < nothing
        added = residual(turn.batch["kept"], candidates.clamp(max=nothing - 1))
        return torch.where(there, added, torch.zeros_like(added))

    def discriminator_loss(turn: Turn) -> Loss:
        mean = beside(turn)
        with torch.no_grad():
            made = listed(turn, added_to(turn), mean)
        return objective.discriminator_loss(score, real(turn, mean), made, turn.dials["gamma"], turn.random)

    def residual_loss(turn: Turn) -> Loss:
        mean, added = beside(turn), added_to(turn)
        terms = objective.generator_loss(score, real(turn, mean), listed(turn, added, mean)).terms
        found = (turn.batch["candidates"][:, :, None] == turn.batch["hidden"][:, None]).any(2).to(added)  # (B, C)
        chances = torch.log_softmax(turn.batch["x"].to(traits) + added, 1)
        ranking = -(found * chances).sum(1) / found.sum(1).clamp(min=1)
        return Loss({**terms, "ranking": RANKING * ranking, "anchor": ANCHOR * added.square().mean(1)})

    settings, dials = optimiser_settings(recipe), gamma_dials(recipe)
    players = (
        Player("discriminator", discriminator, discriminator_loss, settings, dials=dials),
        Player("residual", residual, residual_loss, settings, dials=dials),
    )
    return Game(players, product="residual", order=recipe.adversary.order)
