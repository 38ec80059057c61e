"""The referee: a discriminator that learns, after the game, what still tells generated rows from real ones.

In the game a discriminator is held smooth by its penalties, and misses much. The referee has none: its score is the
logarithm of how much more often a row is real than generated (Goodfellow et al. 2014, proposition 1). Of a few
candidates for each row one is then taken with probabilities in proportion to exp(score): sampling importance resampling
with a discriminator (Azadi et al. 2019, "Discriminator rejection sampling"; Turner et al. 2019, "Metropolis-Hastings
GANs").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganforge.contracts import Feed, Game, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.networks import RowDiscriminator, RowGenerator, RowLayout
from ganforge.kinds.tables.settings import RowSettings
from ganforge.objectives import OBJECTIVES
from ganforge.recipe import Recipe

LEARNING_RATE = 1e-3
MEASURED_ROWS = 5_000  # held-out rows on which its trust is measured
TRUSTS = torch.linspace(0, 1, 11)


def train_referee(
    recipe: Recipe, codec: TableCodec, generator: RowGenerator, train: Feed, held_out: Feed
) -> RowDiscriminator:
    """A referee of the generator's rows, trusted as far as held-out rows bear it out.

    Everything it does follows from the recipe's seed, so that a run that is resumed during it ends with the same bits.
    """
    device, layout = recipe.compute.device, RowLayout(codec.sizes, recipe.compute.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "referee"))
        _, referee = build_row_networks(recipe.network, codec.sizes)
    referee.to(device)
    objective = OBJECTIVES["nonsaturating"]()  # its discriminator's side is plain logistic regression
    latent_size, units = recipe.network.need("latent_size"), len(codec.units)

    def score_loss(turn: Turn) -> Loss:
        real = layout.one_hot(turn.batch["x"])
        fake = _generated(generator, layout, len(real), latent_size, turn.random.generator)

        def score(x: Tensor) -> Tensor:
            told: Tensor = referee(x, torch.zeros(len(x), units, device=x.device))
            return told

        return objective.discriminator_loss(score, real, fake, 0.0, turn.random)

    steps = OptimiserSettings(Schedule(LEARNING_RATE, 0.0, "cosine"), "adam", 0.9, 0.99)
    examples = recipe.section(RowSettings).referee
    settings = FitSettings(
        seed=seed_for(recipe.seed, "referee game"),
        batch_size=recipe.optimiser.batch_size,
        length_examples=examples,
        half_life_examples=0.05 * examples,
        precision=recipe.compute.precision,
        pieces=recipe.compute.pieces,
    )
    fitted = fit(Game((Player("referee", referee, score_loss, steps),), product="referee"), train, settings)
    product = fitted.product
    assert isinstance(product, RowDiscriminator)
    product.trust(_trust(product, layout, generator, held_out, latent_size))
    return product


@torch.no_grad()
def _generated(
    generator: nn.Module, layout: RowLayout, count: int, latent_size: int, random: torch.Generator
) -> Tensor:
    """Rows (count, P) as one-hots, drawn whole."""
    logits = generator(torch.randn(count, latent_size, generator=random, device=random.device))
    return layout.one_hot(layout.draw_codes(logits, random)[0])


@torch.no_grad()
def _trust(
    referee: RowDiscriminator, layout: RowLayout, generator: nn.Module, held_out: Feed, latent_size: int
) -> float:
    """The factor in 0..1 by which scores predict best on rows that the referee has not learned from; 0: not at all."""
    random = generator_for(0, "referee trust", device=layout.starts.device)
    chosen = torch.randperm(len(held_out), generator=generator_for(0, "referee rows"))[:MEASURED_ROWS]
    real = layout.one_hot(held_out.batch(chosen)["x"])
    none = torch.zeros(len(real), len(layout.sizes), device=real.device)
    fake = _generated(generator, layout, len(real), latent_size, random)
    real_score, fake_score = referee(real, none), referee(fake, none)
    centre = torch.cat([real_score, fake_score]).median()  # only differences between candidates count later
    losses = [
        float(torch.nn.functional.softplus(-trust * (real_score - centre)).mean())
        + float(torch.nn.functional.softplus(trust * (fake_score - centre)).mean())
        for trust in TRUSTS.tolist()
    ]
    return float(TRUSTS[int(torch.tensor(losses).argmin())])
