"""The game of one on rows of a table: the generator maximises the likelihood of each unit given those before it."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ganforge.contracts import Feed, Game, Loss, Player, Turn
from ganforge.core.seeds import Draws
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.low_rank import LowRankGenerator
from ganforge.kinds.tables.networks import RowLayout
from ganforge.measures.intervals import from_standard_error
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Recipe
from ganforge.records import Estimate

FEW = 0.25  # of the steps that give some units, half give at most this share of them: as conditions do
MEASURED_ROWS = 5_000
TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
TRUST_ROWS = 1_000  # of many columns, which a trust is measured on
MOST_PLACES = 2**24  # of all rows whose likelihood is computed in one pass


def likelihood_game(recipe: Recipe, generator: AutoregressiveGenerator, layout: RowLayout) -> Game:
    """Build the game. A share `rows.whole` of the steps teaches to draw whole rows, the others to complete them."""
    whole: float = recipe.section(RowSettings).need("whole")

    def loss(turn: Turn) -> Loss:
        x = layout.one_hot(turn.batch["x"])
        told = generator(x, layout, draw_before(len(layout.sizes), whole, turn.random))
        return Loss({"surprise": -log_likelihood(layout, told, x)})

    player = Player("generator", generator, loss, optimiser_settings(recipe))
    return Game((player,), product="generator")


def draw_before(units: int, whole: float, random: Draws) -> Tensor:
    """Draw which units each unit is given, (U, U): ones at [i, j] where unit j is given unit i.

    By chance `whole` those before it in the units' order, as whole rows are drawn. Else some units are given: either
    they come first and the others follow in order, as rows under conditions are drawn, or all others are given these
    alone, as holes are filled. It is the same in all processes that share a batch.
    """
    drawn = torch.rand(units + 4, generator=random.generator, device=random.device)
    part, few, share, alone = drawn[:4]
    share = torch.where(few < 0.5, FEW * share, share) * (part >= whole)
    given = drawn[4:] < share
    ranks = torch.arange(units, device=random.device) + units * ~given
    before = ranks[:, None] < ranks
    return torch.where((part >= whole) & (alone < 0.5), before & given[:, None], before).float()


def log_likelihood(layout: RowLayout, logits: Tensor, x: Tensor) -> Tensor:
    """Return the logarithm of the chance of the codes x (B, P) by logits (B, P), summed over units: (B,)."""
    return (layout.log_probabilities(logits) * x).sum(dim=1)


@torch.no_grad()
def likelihood_of(
    generator: AutoregressiveGenerator, layout: RowLayout, codes: Tensor, temperature: float = 1.0
) -> Tensor:
    """Return the log-likelihood of rows of codes (B, U) in nats, (B,); a code -1 counts as unknown, and as certain."""
    units = len(layout.sizes)
    before = torch.ones(units, units, device=codes.device).triu(1)
    found = []
    for part in torch.split(codes, max(1, MOST_PLACES // layout.width)):
        x = layout.one_hot(part)
        found.append(log_likelihood(layout, generator(x, layout, before) / temperature, x))
    return torch.cat(found)


@torch.no_grad()
def trust_as_measured(generator: LowRankGenerator, layout: RowLayout, shares: Tensor, held_out: Feed) -> float:
    """Keep as much of what training added to a copula as makes held-out rows likeliest; return that part, 0 to 1.

    Of few rows and many columns training may know only the rows by heart. Args: shares (P,) as training began.
    """
    found = []
    for factor in TRUSTS:
        tried = copy.deepcopy(generator)
        tried.trust(factor, shares)
        found.append(held_out_likelihood(tried, layout, held_out, TRUST_ROWS).value)
    best = TRUSTS[max(range(len(TRUSTS)), key=lambda number: found[number])]
    generator.trust(best, shares)
    return best


def held_out_likelihood(
    generator: AutoregressiveGenerator, layout: RowLayout, held_out: Feed, most: int = MEASURED_ROWS
) -> Estimate:
    """Return the mean log-likelihood of the first held-out rows, at most so many, in nats a row."""
    rows = held_out.batch(torch.arange(min(most, len(held_out))))["x"]
    told = likelihood_of(generator, layout, rows).double()
    return from_standard_error(float(told.mean()), float(told.std(correction=0)) / len(told) ** 0.5)
