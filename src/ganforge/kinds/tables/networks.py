"""Networks for rows of codes: a generator that completes a row from its given cells, and its discriminator.

A row is one code for each of U units; side by side as one-hots they are x (B, P). Units of similar size are padded to
one size and grouped, so that all softmaxes of a row are a few tensor operations, not one for each unit. Padded
places are never drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.core.seeds import Draws

NEVER = -1e4  # the logit of a place that no unit has
MOST_LOGIT = 4e3  # in size: so that NEVER stays below all others, however large the weights have become
SLOPE = 0.2  # of leaky rectifiers below zero
SPREAD = 2.0  # units are grouped whose sizes differ by less than this factor


@dataclass(frozen=True, slots=True)
class Bucket:
    """Units that are padded to one size, and where their places begin."""

    units: tuple[int, ...]
    size: int
    start: int

    @property
    def places(self) -> slice:
        return slice(self.start, self.start + len(self.units) * self.size)

    def cut(self, x: Tensor) -> Tensor:
        """x (B, P) -> the bucket's part of it, (B, units, size)."""
        return x[:, self.places].view(len(x), len(self.units), self.size)


class RowLayout:
    """The places of the codes of each unit in x (B, P). It holds index tensors on one device and no weights."""

    def __init__(self, sizes: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        """Args: sizes (U,) the number of codes of each unit, each at least 1."""
        self.sizes, self.buckets = sizes, _buckets(sizes)
        starts = [0] * len(sizes)
        for bucket in self.buckets:
            for number, unit in enumerate(bucket.units):
                starts[unit] = bucket.start + number * bucket.size
        self.width = sum(len(bucket.units) * bucket.size for bucket in self.buckets)  # P
        self.starts = torch.tensor(starts, device=device)  # (U,)
        self.unit_of = torch.zeros(self.width, dtype=torch.int64, device=device)  # (P,)
        self.real = torch.zeros(self.width, dtype=torch.bool, device=device)  # (P,) False where padded
        for start, size in zip(starts, sizes, strict=True):
            self.real[start : start + size] = True
        for bucket in self.buckets:
            self.unit_of[bucket.places] = torch.tensor(bucket.units, device=device).repeat_interleave(bucket.size)
        together = [unit for bucket in self.buckets for unit in bucket.units]
        self.to_units = torch.tensor(together, device=device).argsort()  # from the buckets' order to the units'

    def one_hot(self, codes: Tensor) -> Tensor:
        """Encode codes (B, U) int64 -> x (B, P) float32; the code -1 gives zeros."""
        x = torch.zeros(len(codes), self.width, device=codes.device)
        return x.scatter_(1, codes.clamp_min(0) + self.starts, (codes >= 0).to(x.dtype))

    def spread(self, given: Tensor) -> Tensor:
        """A number for each unit (B, U) -> the same at all places of that unit (B, P)."""
        return given.index_select(1, self.unit_of)

    def draw(self, logits: Tensor, random: Draws, temperature: float) -> Tensor:
        """Draw one code of each unit with the probabilities softmax(logits), as x (B, P) of exact zeros and ones.

        The gradient is that of a softmax of the same Gumbel noise at `temperature` (straight-through Gumbel-softmax).
        Source: Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017.
        """
        noisy, parts = logits + _gumbel(logits, random), []
        for bucket in self.buckets:
            part = bucket.cut(noisy)
            soft = torch.softmax(part / temperature, dim=2)
            hard = torch.zeros_like(part).scatter_(2, part.argmax(dim=2, keepdim=True), 1.0)
            parts.append((hard - soft.detach() + soft).flatten(1) if soft.requires_grad else hard.flatten(1))
        return torch.cat(parts, dim=1)

    def draw_codes(self, logits: Tensor, random: torch.Generator, count: int = 1) -> Tensor:
        """Draw each row `count` times independently as codes (count, B, U) int64, without gradient.

        By inversion of the cumulative probabilities: one random number for a code, where Gumbel noise takes one for
        each place.
        """
        shape = (len(logits), len(self.sizes), count)
        aims, codes = torch.rand(shape, generator=random, device=random.device).to(logits.device), []
        first = 0
        for bucket in self.buckets:
            rising = torch.softmax(bucket.cut(logits), dim=2).cumsum(dim=2)  # (B, units, size)
            aim = aims[:, first : first + len(bucket.units)] * rising[:, :, -1:]  # (B, units, count)
            codes.append(torch.searchsorted(rising, aim, right=True).clamp_max_(bucket.size - 1))
            first += len(bucket.units)
        return torch.cat(codes, dim=1).index_select(1, self.to_units).permute(2, 0, 1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the softmax over each unit's places, (B, P)."""
        return torch.cat([torch.softmax(bucket.cut(logits), dim=2).flatten(1) for bucket in self.buckets], dim=1)

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """Return the logarithm of the softmax over each unit's places, (B, P)."""
        return torch.cat([torch.log_softmax(bucket.cut(logits), dim=2).flatten(1) for bucket in self.buckets], dim=1)

    def unit_places(self, unit: int) -> slice:
        """Return the places of the codes of one unit in x."""
        start = int(self.starts[unit])
        return slice(start, start + self.sizes[unit])


class RowGenerator(nn.Module):
    """Latent and the given cells of a row -> logits of every code. Residual layers without normalisation."""

    never: Tensor

    def __init__(self, sizes: tuple[int, ...], latent_size: int, width: int, depth: int) -> None:
        super().__init__()
        layout = RowLayout(sizes)
        self.enter = nn.Linear(latent_size + layout.width + len(sizes), width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.logits = nn.Linear(width, layout.width)
        self.register_buffer("never", torch.where(layout.real, 0.0, NEVER), persistent=False)

    def forward(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """latent (B, Z), given (B, P + U): x where it is given, else 0, then which units are -> logits (B, P).

        None is the same as zeros: nothing is given.
        """
        if given is None:
            hidden = F.linear(latent, self.enter.weight[:, : latent.shape[1]], self.enter.bias)
        else:
            hidden = self.enter(torch.cat([latent, given], dim=1))
        for block in self.blocks:
            hidden = hidden + block(F.leaky_relu(hidden, SLOPE))
        logits: Tensor = self.logits(F.leaky_relu(hidden, SLOPE))
        return widened(logits).clamp(-MOST_LOGIT, MOST_LOGIT) + self.never

    @torch.no_grad()
    def start_from(self, shares: Tensor) -> None:
        """Initialise to independent columns: the bias of each code's logit is the logarithm of its share.

        Args: shares (P,) of each code in its unit, 0 where padded.
        """
        self.logits.bias.copy_(shares.clamp_min(1e-6).log())
        self.logits.weight.mul_(0.3)  # so that at first the shares decide


class RowDiscriminator(nn.Module):
    """x, and which units were given to the generator -> score. Fully connected."""

    def __init__(self, sizes: tuple[int, ...], width: int, depth: int) -> None:
        super().__init__()
        self.places = RowLayout(sizes).width  # P
        inputs = self.places + len(sizes)
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Linear(inputs, width), nn.LeakyReLU(SLOPE)]
            inputs = width
        self.judge = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        """x (B, P), given (B, U) of zeros and ones -> score (B,)."""
        score: Tensor = self.judge(torch.cat([x, given], dim=1))[:, 0]
        return score

    @torch.no_grad()
    def score_whole(self, places: Tensor) -> Tensor:
        """Return the score (B,) of rows without given cells: a one-hot row selects columns of the first layer.

        Args: places (B, U) int64, the index of each unit's one in x.
        """
        first, *others = self.judge
        assert isinstance(first, nn.Linear)
        columns = first.weight[:, : self.places].T.contiguous()  # (P, width)
        hidden = F.embedding_bag(places, columns, mode="sum") + first.bias
        for layer in others:
            hidden = layer(hidden)
        return hidden[:, 0]

    @torch.no_grad()
    def trust(self, factor: float) -> None:
        """Multiply every score by a factor."""
        last = self.judge[-1]
        assert isinstance(last, nn.Linear)
        last.weight.mul_(factor)
        last.bias.mul_(factor)


class RowProduct(nn.Module):
    """The stored product of a game of rows: the generator, and the referee that chooses among its rows, if any."""

    apart: Tensor | None

    def __init__(self, generator: nn.Module, referee: RowDiscriminator | None, apart: Tensor | None = None) -> None:
        """Args: apart (P, P) bool, symmetric: two codes that never stand in one drawn row; None for no such pairs."""
        super().__init__()
        self.generator, self.referee = generator, referee
        self.register_buffer("apart", apart)


def _buckets(sizes: tuple[int, ...]) -> tuple[Bucket, ...]:
    """Group units by size, smallest first; a new bucket begins where padding would waste more than it saves."""
    groups: list[list[int]] = []
    for unit in sorted(range(len(sizes)), key=lambda unit: sizes[unit]):
        if groups and sizes[unit] <= SPREAD * sizes[groups[-1][0]] + 2:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    buckets, start = [], 0
    for group in groups:
        size = max(sizes[unit] for unit in group)
        buckets.append(Bucket(tuple(group), size, start))
        start += len(group) * size
    return tuple(buckets)


def _gumbel(like: Tensor, random: Draws) -> Tensor:
    """Draw Gumbel noise of the shape of `like`. From uniform numbers: torch's exponential_ takes four times as long."""
    uniform = random.uniform(*like.shape, low=1e-9, high=1 - 1e-7)
    return uniform.log_().neg_().log_().neg_()
