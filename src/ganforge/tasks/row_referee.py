"""The referee: a discriminator that learns, after the game, what still tells generated rows from real ones.

In the game a discriminator is held smooth by its penalties, and misses much. The referee has none: its score is the
logarithm of how much more often a row is real than generated (Goodfellow et al. 2014, proposition 1). Of a few
candidates for each row one is then taken with probabilities in proportion to exp(score): sampling importance resampling
with a discriminator (Azadi et al. 2019, "Discriminator rejection sampling"; Turner et al. 2019, "Metropolis-Hastings GANs").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganforge.contracts import Feed, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import generator_for, seed_for
from ganforge.data.tables.codec import TableCodec
from ganforge.engine.fit import FitSettings, fit
from ganforge.networks.tabular import RowDiscriminator, RowGenerator, RowLayout
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import Recipe
from ganforge.tasks.row_game import build_row_networks, draw_given

LEARNING_RATE = 1e-3
MEASURED_ROWS = 5_000  # held-out rows on which its trust is measured
TRUSTS = torch.linspace(0, 1, 11)


def train_referee(
    recipe: Recipe, codec: TableCodec, generator: RowGenerator, train: Feed, held_out: Feed
) -> RowDiscriminator:
    """A referee of the generator's rows, trusted as far as held-out rows bear it out.

    Everything it does follows from the recipe's seed, so that a run that is resumed during it ends with the same bits.
    """
    assert recipe.rows is not None
    device, layout = recipe.compute.device, RowLayout(codec.sizes, recipe.compute.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "referee"))
        _, referee = build_row_networks(recipe.network, codec.sizes)
    referee.to(device)
    objective = OBJECTIVES["nonsaturating"]()  # its discriminator's side is plain logistic regression
    whole = recipe.rows.whole

    def score_loss(turn: Turn) -> Loss:
        codes = turn.batch["x"]
        given = draw_given(len(codes), len(codec.units), whole, turn.random)
        real = layout.one_hot(codes)
        fake = _completed(generator, layout, real, given, turn.random, recipe.network.latent_size)

        def score(x: Tensor) -> Tensor:
            told: Tensor = referee(x, given.repeat(len(x) // len(given), 1))
            return told

        return objective.discriminator_loss(score, real, fake, 0.0, turn.random)

    steps = OptimiserSettings(Schedule(LEARNING_RATE, 0.0, "cosine"), "adam", 0.9, 0.99)
    examples = recipe.rows.referee
    settings = FitSettings(
        seed=seed_for(recipe.seed, "referee game"),
        batch_size=recipe.optimiser.batch_size,
        length_examples=examples,
        half_life_examples=0.05 * examples,
        precision=recipe.compute.precision,
        device=device,
    )
    fitted = fit(Game((Player("referee", referee, score_loss, steps),), product="referee"), train, settings)
    product = fitted.product
    assert isinstance(product, RowDiscriminator)
    product.trust(_trust(product, layout, generator, held_out, recipe.network.latent_size))
    return product


@torch.no_grad()
def _completed(
    generator: nn.Module, layout: RowLayout, real: Tensor, given: Tensor, random: torch.Generator, latent_size: int
) -> Tensor:
    """Rows (B, P) with what is given of real ones and the rest generated."""
    latent = torch.randn(len(real), latent_size, generator=random, device=real.device)
    copied = layout.spread(given)
    logits = generator(latent, torch.cat([real * copied, given], dim=1))
    return torch.where(copied > 0, real, layout.draw(logits, random, 1.0))


@torch.no_grad()
def _trust(
    referee: RowDiscriminator, layout: RowLayout, generator: nn.Module, held_out: Feed, latent_size: int
) -> float:
    """The factor in 0..1 by which scores predict best on rows that the referee has not learned from; 0: not at all."""
    random = generator_for(0, "referee trust", device=layout.starts.device)
    chosen = torch.randperm(len(held_out), generator=generator_for(0, "referee rows"))[:MEASURED_ROWS]
    real = layout.one_hot(held_out.batch(chosen)["x"])
    none = torch.zeros(len(real), len(layout.sizes), device=real.device)
    fake = _completed(generator, layout, real, none, random, latent_size)
    real_score, fake_score = referee(real, none), referee(fake, none)
    centre = torch.cat([real_score, fake_score]).median()  # only differences between candidates count later
    losses = [
        float(torch.nn.functional.softplus(-trust * (real_score - centre)).mean())
        + float(torch.nn.functional.softplus(trust * (fake_score - centre)).mean())
        for trust in TRUSTS.tolist()
    ]
    return float(TRUSTS[int(torch.tensor(losses).argmin())])
