"""The game of two on rows of a table: the generator completes a row from its given cells, or draws it whole.

Given cells are copied from the real row that the discriminator compares with, so a pair differs only in the cells
of the generator. So one model serves generation (nothing given), conditions and imputation (some cells given).
After the game the generator's columns are matched to their shares, and a referee learns to choose among its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.contracts import BoundDiscriminator, Feed, Game, Levers, Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.seeds import Draws, generator_for, seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.copula import Copula
from ganforge.kinds.tables.generate.draw import Chain
from ganforge.kinds.tables.generate.likelihood import likelihood_game
from ganforge.kinds.tables.generate.rare_codes import rare_codes
from ganforge.kinds.tables.generate.scores import fit_scores, spans_of
from ganforge.kinds.tables.low_rank import LOW_RANK, UNIT_AFTER_UNIT, LowRankGenerator
from ganforge.kinds.tables.networks import RowDiscriminator, RowGenerator, RowLayout
from ganforge.kinds.tables.reading.arrays import AT_ONCE
from ganforge.objectives import OBJECTIVES
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Network, Recipe

TEMPERATURE = 0.5  # of the straight-through softmax
FEW = 0.25  # half of the rows from a part are given at most this share of their cells: as conditions do
MOST_HIDDEN = 0.6  # of the cells of a row, in the task impute: a fifth to a third are usually missing
WATCHED = 256  # held-out rows that the discriminator scores at each look
ROUNDS = 6  # of match_shares
LATENTS = 32_768  # over which shares are averaged
RAREST = 1e-6  # share below which a code is not moved: its logarithm would be noise
REFEREE_RATE = 1e-3  # learning rate
REFEREE_WIDTH, REFEREE_DEPTH = 256, 2  # of the referee of an autoregressive generator
MEASURED_ROWS = 5_000  # held-out rows on which the referee's trust is measured
TRUSTS = torch.linspace(0, 1, 11)


def build_row_networks(
    network: Network, sizes: Sequence[int], rare: int | None = None, copula: tuple[int, int] | None = None
) -> tuple[RowGenerator | AutoregressiveGenerator, RowDiscriminator]:
    """Build generator and discriminator, which is twice as wide (docs/log.md); an autoregressive one has a referee.

    Args: rare the number of codes that an autoregressive generator has counts of; copula its dimensions, of
            a unit and of all together (low_rank.py).
    """
    units = tuple(sizes)
    width, depth = network.need("width"), network.need("depth")
    if network.name in UNIT_AFTER_UNIT:
        shared = network.name == LOW_RANK
        alone = (
            LowRankGenerator(units, width, depth, copula)
            if shared
            else AutoregressiveGenerator(units, width, depth, rare)
        )
        return alone, RowDiscriminator(units, REFEREE_WIDTH, REFEREE_DEPTH)
    return RowGenerator(units, network.need("latent_size"), width, depth), RowDiscriminator(units, 2 * width, depth)


def build_row_game(recipe: Recipe, codec: TableCodec, train: TensorFeed, held_out: Feed | None = None) -> Game:
    """Build networks from the recipe's seed, on its device, starting from independent columns.

    An autoregressive generator learns alone, by likelihood; any other one against a discriminator.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        generator, discriminator = build_row_networks(recipe.network, codec.sizes)
    shares = code_shares(codec.sizes, train)
    if isinstance(generator, LowRankGenerator):
        generator.start_from_copula(shares, Copula.of(*fit_scores(train, codec.sizes, spans_of(codec))))
    elif isinstance(generator, AutoregressiveGenerator) and recipe.section(RowSettings).rare_classes:
        generator.start_from(shares, *rare_codes(codec, train))
    else:
        generator.start_from(shares)
    for network in (generator, discriminator):
        network.to(recipe.compute.device)
    if isinstance(generator, AutoregressiveGenerator):
        return likelihood_game(recipe, generator, RowLayout(codec.sizes, recipe.compute.device))
    return row_game(recipe, codec, generator, discriminator, held_out)


@dataclass(frozen=True, slots=True)
class _Hidden:
    """One batch in a turn: the real rows, and masks of the cells that are given."""

    real: Tensor  # (B, P)
    shown: Tensor  # (B, U) ones where the generator sees the cell
    copied: Tensor  # (B, U) ones where the fake has the real row's cell


def row_game(
    recipe: Recipe, codec: TableCodec, generator: nn.Module, discriminator: nn.Module, held_out: Feed | None
) -> Game:
    """Build the game: discriminator first, then generator. In the task `impute` missing cells are not shown or learned.

    held_out: as in planning/game.py.
    """
    rows, device = recipe.section(RowSettings), recipe.compute.device
    objective, latent_size = OBJECTIVES[recipe.adversary.name](), recipe.network.need("latent_size")
    layout = RowLayout(codec.sizes, device)
    there = torch.cat([torch.from_numpy(unit.complete) for unit in codec.units]).to(device)
    firsts = torch.tensor([0, *codec.sizes[:-1]], device=device).cumsum(0)  # (U,) of each unit in `there`
    imputes = recipe.task == "impute"
    gamma = Schedule(recipe.adversary.gamma_start, recipe.adversary.gamma_end, "cosine")

    def hide(turn: Turn) -> _Hidden:
        codes = turn.batch["x"]
        if not imputes:
            shown = draw_given(len(codes), len(codec.units), rows.need("whole"), turn.random)
            return _Hidden(layout.one_hot(codes), shown, shown)
        shown = draw_most(len(codes), len(codec.units), turn.random)
        missing = (~there[codes.clamp_min(0) + firsts]).float()
        return _Hidden(layout.one_hot(codes), shown * (1 - missing), torch.maximum(shown, missing))

    def draw(turn: Turn, hidden: _Hidden) -> tuple[Tensor, Tensor]:
        """Return the fake rows (B, P) and the logits that they were drawn from."""
        latent = turn.random.normal(len(hidden.real), latent_size)
        given = torch.cat([hidden.real * layout.spread(hidden.shown), hidden.shown], dim=1)
        logits: Tensor = generator(latent, given)
        drawn = layout.draw(logits, turn.random, TEMPERATURE)
        return torch.where(layout.spread(hidden.copied) > 0, hidden.real, drawn), logits

    def bind(hidden: _Hidden) -> BoundDiscriminator:
        def score(x: Tensor) -> Tensor:
            result: Tensor = discriminator(x, hidden.copied.repeat(len(x) // len(hidden.copied), 1))
            return result

        return score

    def discriminator_loss(turn: Turn) -> Loss:
        hidden = hide(turn)
        with torch.no_grad():
            fake, _ = draw(turn, hidden)
        return objective.discriminator_loss(bind(hidden), hidden.real, fake, turn.dials["gamma"], turn.random)

    def generator_loss(turn: Turn) -> Loss:
        hidden = hide(turn)
        fake, logits = draw(turn, hidden)
        loss = objective.generator_loss(bind(hidden), hidden.real, fake)
        if rows.reconstruction == 0:
            return loss
        wrong = cross_entropy(layout, logits, hidden.real, 1 - hidden.copied)
        return Loss({**loss.terms, "reconstruction": rows.reconstruction * wrong}, loss.notes)

    def strength(progress: float, levers: Levers) -> dict[str, float]:
        return {"gamma": levers.penalty * gamma.at(progress)}

    def score_held_out(dials: Mapping[str, float]) -> dict[str, Tensor]:
        assert held_out is not None
        chosen = torch.randperm(len(held_out), generator=generator_for(0, "held out"))[:WATCHED]
        codes = held_out.batch(chosen)["x"]
        score: Tensor = discriminator(layout.one_hot(codes), torch.zeros_like(codes).float())
        return {"score_held_out": score.float()}

    steps = optimiser_settings(recipe)
    players = (
        Player(
            "discriminator",
            discriminator,
            discriminator_loss,
            steps,
            dials=strength,
            watch=score_held_out if held_out else None,
        ),
        Player("generator", generator, generator_loss, steps),
    )
    return Game(players, product="generator", order=recipe.adversary.order)


def draw_given(count: int, units: int, whole: float, random: Draws) -> Tensor:
    """Draw which cells are given, (B, U) of zeros and ones: none in a share `whole` of rows, else a random share."""
    share, few, part = torch.split(random.uniform(count, 3), 1, dim=1)  # (B, 1) each
    share = torch.where(few < 0.5, FEW * share, share) * (part >= whole)
    given: Tensor = random.uniform(count, units) < share
    return given.float()


def draw_most(count: int, units: int, random: Draws) -> Tensor:
    """Draw which cells are given where rows are only completed, (B, U): a share between MOST_HIDDEN and all."""
    share = 1 - MOST_HIDDEN * random.uniform(count, 1)
    given: Tensor = random.uniform(count, units) < share
    return given.float()


def cross_entropy(layout: RowLayout, logits: Tensor, real: Tensor, hidden: Tensor) -> Tensor:
    """Return -log p of the real codes of hidden cells, averaged over each row: (B,).

    Args: logits, real (B, P); hidden (B, U) ones where a cell was hidden.
    """
    missed: Tensor = -(layout.probabilities(logits).clamp_min(1e-12).log() * real * layout.spread(hidden)).sum(dim=1)
    mean: Tensor = missed / hidden.sum(dim=1).clamp_min(1.0)
    return mean


def code_shares(sizes: tuple[int, ...], train: Feed) -> Tensor:
    """Return the share of each code, (P,), in at most half a million random training rows. Args: sizes of the units."""
    layout = RowLayout(sizes)
    shares = torch.zeros(layout.width)
    chosen = torch.randperm(len(train), generator=generator_for(0, "row shares"))[:500_000]
    codes = train.batch(chosen)["x"].cpu()
    for unit, size in enumerate(sizes):
        mine = codes[:, unit]
        shares[layout.unit_places(unit)] = torch.bincount(mine[mine >= 0], minlength=size) / len(mine)
    return shares


@torch.no_grad()
def match_shares(generator: RowGenerator, layout: RowLayout, wanted: Tensor, latent_size: int, seed: int) -> None:
    """Match the generator's columns to their shares in the training rows, after the game and in place.

    A game learns the dependence of columns, but only approximates the frequency of each value. Given its
    latent, a unit's code is drawn from a softmax, so adding log(wanted share / present share) to the code's bias moves
    its share there, and the dependence on the latent stays (like iterative proportional fitting; Deming and
    Stephan 1940).

    Args: wanted (P,) the share of each code in its unit.
    """
    for number in range(ROUNDS):
        present = _shares(generator, layout, latent_size, seed, number)
        step = wanted.clamp_min(RAREST).log() - present.clamp_min(RAREST).log()
        generator.logits.bias.add_(torch.where(layout.real, step, 0.0))


def _shares(generator: RowGenerator, layout: RowLayout, latent_size: int, seed: int, number: int) -> Tensor:
    """Return the mean probability of each code over latents, (P,)."""
    device, total = layout.starts.device, torch.zeros(layout.width, device=layout.starts.device)
    for first in range(0, LATENTS, AT_ONCE):
        random = generator_for(seed, f"shares of round {number}", step=first)
        latent = torch.randn(AT_ONCE, latent_size, generator=random).to(device)
        total += layout.probabilities(generator(latent)).sum(dim=0)
    return total / LATENTS


def train_referee(
    recipe: Recipe, codec: TableCodec, generator: nn.Module, train: Feed, held_out: Feed
) -> RowDiscriminator:
    """Train a discriminator after the game to distinguish generated rows from real ones.

    In the game penalties keep a discriminator smooth, and it misses much. The referee has none: its score is the
    logarithm of how much more often a row is real than generated (Goodfellow et al. 2014, proposition 1). Of a few
    candidates for each row one is then taken with probabilities in proportion to exp(score): sampling importance
    resampling with a discriminator (Azadi et al. 2019, "Discriminator rejection sampling"; Turner et al. 2019,
    "Metropolis-Hastings GANs"). Its scores are scaled by what held-out rows support.

    All of it depends on the recipe's seed alone, so that a run that is resumed during it ends with the same bits.
    """
    device, layout = recipe.compute.device, RowLayout(codec.sizes, recipe.compute.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "referee"))
        _, referee = build_row_networks(recipe.network, codec.sizes)
    referee.to(device)
    objective = OBJECTIVES["nonsaturating"]()  # its discriminator's side is plain logistic regression
    latent_size, units = recipe.network.latent_size or 0, len(codec.units)

    def score_loss(turn: Turn) -> Loss:
        real = layout.one_hot(turn.batch["x"])
        fake = _generated(generator, layout, len(real), latent_size, turn.random.generator)

        def score(x: Tensor) -> Tensor:
            told: Tensor = referee(x, torch.zeros(len(x), units, device=x.device))
            return told

        return objective.discriminator_loss(score, real, fake, 0.0, turn.random)

    steps = OptimiserSettings(Schedule(REFEREE_RATE, 0.0, "cosine"), "adam", 0.9, 0.99)
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
    """Draw whole rows (count, P) as one-hots."""
    if isinstance(generator, AutoregressiveGenerator):
        return layout.one_hot(Chain(generator, layout).draw(count, random)[0])
    latent = torch.randn(count, latent_size, generator=random, device=random.device)
    return layout.one_hot(layout.draw_codes(generator(latent), random)[0])


@torch.no_grad()
def _trust(
    referee: RowDiscriminator, layout: RowLayout, generator: nn.Module, held_out: Feed, latent_size: int
) -> float:
    """Find the factor in 0..1 by which scores predict best on rows that the referee has not seen; 0: not at all."""
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
