"""A generator that draws a row unit after unit, each given those before it, and so knows how likely a row is.

The chance of a row is the product of the chances of its units, each given the ones before; any order of the units gives
such a product. A small network for each unit sees the units that come before it as one-hots. Its training draws
for each step which units are given, so that it also knows every unit given any others, as conditions and holes need it.
Source: Uria, Murray and Larochelle 2014, "A deep and tractable density estimator".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.kinds.tables.networks import MOST_LOGIT, NEVER, SLOPE, RowLayout

AUTOREGRESSIVE = "autoregressive"  # its name in a recipe
LEAST_SHARE = 1e-6  # of a code, of which a logarithm is taken


class AutoregressiveGenerator(nn.Module):
    """The given units of a row -> logits of every code of every unit, by one small network for each unit."""

    never: Tensor
    rare: Tensor
    ratios: Tensor

    def __init__(
        self, sizes: tuple[int, ...], width: int, depth: int, rare: int | None = None, *, columns: bool = True
    ) -> None:
        """Build the networks.

        Args: rare the number of rare codes that were counted (generate/rare_codes.py); None: they were not; columns:
            each code tells each unit something of its own; else a subclass says what (low_rank.py).
        """
        super().__init__()
        layout = RowLayout(sizes)
        units, places = len(sizes), layout.width
        if columns:
            weights = torch.randn(places, units, width) / units**0.5
            for unit in range(units):
                weights[layout.unit_places(unit), unit] = 0.0  # and stays so: no unit is trained to see itself
            self.columns = nn.Parameter(weights)  # what each code tells each unit
        self.bias = nn.Parameter(torch.zeros(units, width))
        self.blocks = nn.ParameterList([uniform(units, width, width) for _ in range(depth)])
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(units, 1, width)) for _ in range(depth)])
        self.weights = uniform(places, width)  # of the logit of each code, from its unit's network
        self.logits_bias = nn.Parameter(torch.zeros(places))
        self.register_buffer("never", torch.where(layout.real, 0.0, NEVER), persistent=False)
        self.register_buffer("rare", torch.zeros(rare or 0, dtype=torch.int64), persistent=rare is not None)
        self.register_buffer("ratios", torch.zeros(rare or 0, places), persistent=rare is not None)

    def forward(self, x: Tensor, layout: RowLayout, before: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        """Return logits (B, P) of each unit given the others that come before it.

        Args: x (B, P) the given units as one-hots, zeros for the others; before (U, U) ones at [i, j] where unit i
            comes before unit j; None: every given unit is before all others; told (B, U, W) what each unit's network
            is told besides, in its first layer.
        """
        hidden = self._first(x, layout, before)
        hidden = hidden if told is None else hidden + told.transpose(0, 1)
        hidden = self._hidden(hidden, slice(None))
        parts = []
        for bucket in layout.buckets:
            weights = self.weights[bucket.places].view(len(bucket.units), bucket.size, -1).transpose(1, 2)
            part = torch.bmm(hidden[list(bucket.units)], weights)  # (units, B, size)
            parts.append(part.transpose(0, 1).flatten(1))
        logits = torch.cat(parts, dim=1)
        known = self._known(x, layout, before)
        return self._finished(logits if known is None else logits + known, slice(None))

    def logits_of(self, unit: int, given: Any, layout: RowLayout, told: Tensor | None = None) -> Tensor:
        """Return logits (B, K) of one unit's codes, given those of others.

        Args: given as `given` returns it; told as for `forward`.
        """
        hidden = self._first_of(unit, given, layout)
        hidden = hidden if told is None else hidden + told[:, unit]
        hidden = self._hidden(hidden[None], slice(unit, unit + 1))[0]
        mine = layout.unit_places(unit)
        logits = hidden @ self.weights[mine].T
        known = self._known_of(unit, given, layout)
        return self._finished(logits if known is None else logits + known, mine)

    def given(self, codes: Tensor, layout: RowLayout, order: Sequence[int]) -> Any:
        """Return what `logits_of` needs to know of the given units: here the codes.

        Args: codes (B, U), -1 where not given; order (U,) the units as they are drawn.
        """
        return codes

    def with_unit(self, given: Any, unit: int, codes: Tensor, new: Tensor, layout: RowLayout) -> Any:
        """Return `given` with one more unit. Args: codes (B,) of it; new (B,) bool, which of them it lacks."""
        return given.index_copy(1, torch.tensor([unit], device=given.device), codes[:, None])

    def _first(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor:
        """Return the first layer's sums (U, B, W)."""
        columns: Tensor = self.columns
        if before is not None:
            columns = columns * before.index_select(0, layout.unit_of)[:, :, None]
        units, width = self.bias.shape
        return (x @ columns.flatten(1)).view(len(x), units, width).transpose(0, 1) + self.bias[:, None]

    def _first_of(self, unit: int, given: Any, layout: RowLayout) -> Tensor:
        """Return the first layer's sums for one unit, (B, W). Args: given as `given` returns it."""
        columns = F.pad(self.columns[:, unit], (0, 0, 0, 1))  # (P + 1, W) zeros for what is not given
        return F.embedding_bag(_places(given, layout), columns, mode="sum") + self.bias[unit]

    def _known(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor | None:
        """Return what is added to all logits, (B, P), and was counted before training; None for nothing."""
        return self._counted(x, layout, before) if len(self.rare) else None

    def _known_of(self, unit: int, given: Any, layout: RowLayout) -> Tensor | None:
        """Return what `_known` does for one unit, (B, K)."""
        return self._counted_of(layout.unit_places(unit), given, layout) if len(self.rare) else None

    def _counted_of(self, mine: slice, given: Tensor, layout: RowLayout) -> Tensor:
        """Return what `_counted` does for one unit, (B, K). Args: mine its places."""
        pairs = torch.zeros(layout.width + 1, mine.stop - mine.start, device=given.device)
        here = (self.rare >= mine.start) & (self.rare < mine.stop)
        pairs[:-1, self.rare[here] - mine.start] = self.ratios[here].T
        pairs[self.rare] = self.ratios[:, mine]
        return F.embedding_bag(_places(given, layout), pairs, mode="sum")

    def _counted(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor:
        """Return what rare codes in x (B, P) add to the logits of all others, and others to theirs, (B, P)."""
        there, back = self.ratios, self.ratios.T.index_fill(0, self.rare, 0.0)  # (R, P), (P, R): a pair counts once
        if before is not None:
            mine, theirs = layout.unit_of[self.rare], layout.unit_of
            there, back = there * before[mine][:, theirs], back * before[theirs][:, mine]
        return (x[:, self.rare] @ there).index_add(1, self.rare, x @ back)

    def _hidden(self, hidden: Tensor, units: slice) -> Tensor:
        """Return what the last layer sees, (U', B, W), from the first layer's sums."""
        for block, shift in zip(self.blocks, self.shifts, strict=True):
            hidden = hidden + torch.bmm(F.leaky_relu(hidden, SLOPE), block[units]) + shift[units]
        return F.leaky_relu(hidden, SLOPE)

    def _finished(self, logits: Tensor, places: slice) -> Tensor:
        return (widened(logits) + self.logits_bias[places]).clamp(-MOST_LOGIT, MOST_LOGIT) + self.never[places]

    @torch.no_grad()
    def start_from(self, shares: Tensor, rare: Tensor | None = None, ratios: Tensor | None = None) -> None:
        """Initialise to independent columns: the bias of each code's logit is the logarithm of its share.

        Args: shares (P,) of each code in its unit, 0 where padded; rare (R,), ratios (R, P) as `rare_codes` gives them.
        """
        self.logits_bias.copy_(shares.clamp_min(LEAST_SHARE).log())
        if rare is not None and ratios is not None and len(rare):
            self.register_buffer("rare", rare)
            self.register_buffer("ratios", ratios)
        self.weights.mul_(0.3)  # so that at first the shares decide


def _places(codes: Tensor, layout: RowLayout) -> Tensor:
    """Return the places in x of codes (B, U); one more than there are where they are not given."""
    return torch.where(codes >= 0, codes + layout.starts, layout.width)


def uniform(*shape: int) -> nn.Parameter:
    """Return weights drawn as torch's linear layers do. Args: shape (P, inputs) or (U, inputs, outputs)."""
    inputs = shape[-2] if len(shape) == 3 else shape[-1]
    return nn.Parameter((2 * torch.rand(shape) - 1) / inputs**0.5)
