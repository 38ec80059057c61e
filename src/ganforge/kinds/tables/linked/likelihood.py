"""Parents and children learned by likelihood: their generators, and the game of one in which both learn.

Parents are rows like those of a table alone. A child is drawn unit after unit too, and the network of each unit also
sees the child's context: its parent and the siblings before it (families.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Game, Loss, Player, Turn
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.generate.game import code_shares
from ganforge.kinds.tables.generate.likelihood import MEASURED_ROWS, draw_before, likelihood_of, log_likelihood
from ganforge.kinds.tables.networks import RowLayout, RowProduct
from ganforge.measures.intervals import from_standard_error
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Network, Recipe
from ganforge.records import Estimate

WAVES = 4  # that stand for the ordered codes of a number in the context, where one for each code learns less from few
MORE_LAYERS = 1  # of a child's networks than of a parent's: the context comes in through the first (docs/log.md)
SCALE = 0.3  # of the context's first weights: at first a child's own units decide


@dataclass(frozen=True, slots=True)
class FamilySizes:
    """How many codes each unit has."""

    parents: tuple[int, ...]
    context: tuple[int, ...]  # of a child
    unordered: tuple[int, ...]  # of the context's codes: so many, the first ones, have no order
    own: tuple[int, ...]  # units of a child, which are drawn


class ChildGenerator(nn.Module):
    """The context of a child and the given units of its row -> the logits of every code of its units."""

    def __init__(self, sizes: FamilySizes, width: int, depth: int) -> None:
        super().__init__()
        self.rows = AutoregressiveGenerator(sizes.own, width, depth + MORE_LAYERS)
        shape = features(sizes).shape[1], len(sizes.own), width
        self.context = nn.Parameter(SCALE * torch.randn(shape) / len(sizes.context) ** 0.5)

    def told(self, context: Tensor) -> Tensor:
        """Return what the networks of the units are told of the context, (B, U, W). Args: context (B, F)."""
        return (context @ self.context.flatten(1)).view(len(context), *self.context.shape[1:])


def features(sizes: FamilySizes) -> Tensor:
    """Return what stands for each code of the context, (P, F): one-hots, and waves over the codes of a number.

    The waves are cos(pi k r) of the rank r in 0..1, k = 0..WAVES-1: what depends on a number is smooth in it.
    """
    layout, parts = RowLayout(sizes.context), []
    for unit, (size, unordered) in enumerate(zip(sizes.context, sizes.unordered, strict=True)):
        rank = (torch.arange(size - unordered) + 0.5) / max(size - unordered, 1)
        waves = torch.cos(torch.pi * rank[:, None] * torch.arange(WAVES if size > unordered else 0))
        part = torch.zeros(layout.width, unordered + waves.shape[1])
        part[layout.unit_places(unit)] = torch.block_diag(torch.eye(unordered), waves)  # type: ignore[no-untyped-call]
        parts.append(part)
    return torch.cat(parts, dim=1)


class FamilyGenerator(nn.Module):
    """The generators of parents and children: what is trained, and the stored product."""

    def __init__(self, network: Network, sizes: FamilySizes) -> None:
        super().__init__()
        width, depth = network.need("width"), network.need("depth")
        self.parent = RowProduct(AutoregressiveGenerator(sizes.parents, width, depth), None)
        self.child = ChildGenerator(sizes, width, depth)


class FamilyLayout:
    """The layouts of the codes of parents and children."""

    def __init__(self, sizes: FamilySizes, device: torch.device | str = "cpu") -> None:
        self.parents, self.context, self.own = (
            RowLayout(part, device) for part in (sizes.parents, sizes.context, sizes.own)
        )
        self.features = features(sizes).to(device)  # (P, F)
        self.before = torch.ones(len(sizes.own), len(sizes.own), device=device).triu(1)

    def told(self, generator: ChildGenerator, codes: Tensor) -> Tensor:
        """Return what the networks of a child's units are told of its context (B, U, W). Args: codes (B, C)."""
        return generator.told(self.context.one_hot(codes) @ self.features)

    def of_children(self, generator: ChildGenerator, codes: Tensor) -> Tensor:
        """Return the log-likelihood (B,) of children given their context. Args: codes (B, C + U), -1 for unknown."""
        known = len(self.context.sizes)
        told, x = self.told(generator, codes[:, :known]), self.own.one_hot(codes[:, known:])
        return log_likelihood(self.own, generator.rows(x, self.own, self.before, told), x)


def family_game(recipe: Recipe, sizes: FamilySizes, train: TensorFeed) -> Game:
    """Build the game of one from the recipe's seed, on its device, starting from independent columns.

    An example is a row of the parents (`parents`) and one of the children with its context (`x`), which do not belong
    together; where there are fewer of one, -1 stands in its place, and nothing is learned of it.
    """
    layout = FamilyLayout(sizes, recipe.compute.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        generator = FamilyGenerator(recipe.network, sizes)
    parents, children = generator.parent.generator, generator.child
    assert isinstance(parents, AutoregressiveGenerator)
    parents.start_from(code_shares(sizes.parents, TensorFeed(x=train.tensors["parents"])))
    children.rows.start_from(code_shares(sizes.own, TensorFeed(x=train.tensors["x"][:, len(sizes.context) :])))
    generator.to(recipe.compute.device)
    whole: float = recipe.section(RowSettings).need("whole")

    def loss(turn: Turn) -> Loss:
        x = layout.parents.one_hot(turn.batch["parents"])
        told = parents(x, layout.parents, draw_before(len(sizes.parents), whole, turn.random))
        return Loss(
            {
                "parents": -log_likelihood(layout.parents, told, x),
                "children": -layout.of_children(children, turn.batch["x"]),
            }
        )

    player = Player("generator", generator, loss, optimiser_settings(recipe))
    return Game((player,), product="generator")


@torch.no_grad()
def likelihood_of_families(generator: FamilyGenerator, layout: FamilyLayout, held_out: Batch) -> Estimate:
    """Return the mean log-likelihood of held-out parents and that of children, added, in nats.

    Args: held_out codes of `parents` (N, U) and, as `x`, of children (M, C + V).
    """
    parents = generator.parent.generator
    assert isinstance(parents, AutoregressiveGenerator)
    told = (
        likelihood_of(parents, layout.parents, held_out["parents"][:MEASURED_ROWS]).double(),
        layout.of_children(generator.child, held_out["x"][:MEASURED_ROWS]).double(),
    )
    value = sum(float(part.mean()) for part in told if len(part))
    variance = sum(float(part.var(correction=0)) / len(part) for part in told if len(part))
    return from_standard_error(value, variance**0.5)
