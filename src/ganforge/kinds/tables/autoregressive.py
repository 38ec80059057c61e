"""A generator that draws a row unit after unit, each given those before it, and so knows how likely a row is.

The chance of a row is the product of the chances of its units, each given the ones before; any order of the units gives
such a product. A small network for each unit sees the units that come before it as one-hots. Its training draws
for each step which units are given, so that it also knows every unit given any others, as conditions and holes need it.
Source: Uria, Murray and Larochelle 2014, "A deep and tractable density estimator".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.core.device import widened
from ganforge.kinds.tables.networks import MOST_LOGIT, NEVER, SLOPE, RowLayout

AUTOREGRESSIVE = "autoregressive"  # its name in a recipe


class AutoregressiveGenerator(nn.Module):
    """The given units of a row -> logits of every code of every unit, by one small network for each unit."""

    never: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int, depth: int, *, columns: bool = True) -> None:
        """Args: columns: each code tells each unit something of its own; else a subclass says what (low_rank.py)."""
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

    def forward(self, x: Tensor, layout: RowLayout, before: Tensor | None = None) -> Tensor:
        """Return logits (B, P) of each unit given the others that come before it.

        Args: x (B, P) the given units as one-hots, zeros for the others; before (U, U) ones at [i, j] where unit i
            comes before unit j; None: every given unit is before all others.
        """
        hidden = self._hidden(self._first(x, layout, before), slice(None))
        parts = []
        for bucket in layout.buckets:
            weights = self.weights[bucket.places].view(len(bucket.units), bucket.size, -1).transpose(1, 2)
            part = torch.bmm(hidden[list(bucket.units)], weights)  # (units, B, size)
            parts.append(part.transpose(0, 1).flatten(1))
        return self._finished(torch.cat(parts, dim=1), slice(None))

    def logits_of(self, unit: int, given: Tensor, layout: RowLayout) -> Tensor:
        """Return logits (B, K) of one unit's codes, given those of others. Args: given as `given` returns it."""
        hidden = self._hidden(self._first_of(unit, given, layout)[None], slice(unit, unit + 1))[0]
        mine = layout.unit_places(unit)
        return self._finished(hidden @ self.weights[mine].T, mine)

    def given(self, codes: Tensor, layout: RowLayout) -> Tensor:
        """Return what `logits_of` needs to know of the given units: here codes (B, U), -1 where not given."""
        return codes

    def with_unit(self, given: Tensor, unit: int, codes: Tensor, new: Tensor, layout: RowLayout) -> Tensor:
        """Return `given` with one more unit. Args: codes (B,) of it; new (B,) bool, which of them it lacks."""
        return given.index_copy(1, torch.tensor([unit], device=given.device), codes[:, None])

    def _first(self, x: Tensor, layout: RowLayout, before: Tensor | None) -> Tensor:
        """Return the first layer's sums (U, B, W)."""
        columns: Tensor = self.columns
        if before is not None:
            columns = columns * before.index_select(0, layout.unit_of)[:, :, None]
        units, width = self.bias.shape
        return (x @ columns.flatten(1)).view(len(x), units, width).transpose(0, 1) + self.bias[:, None]

    def _first_of(self, unit: int, given: Tensor, layout: RowLayout) -> Tensor:
        """Return the first layer's sums for one unit, (B, W). Args: given (B, U) codes."""
        columns = F.pad(self.columns[:, unit], (0, 0, 0, 1))  # (P + 1, W) zeros for what is not given
        places = torch.where(given >= 0, given + layout.starts, len(columns) - 1)
        return F.embedding_bag(places, columns, mode="sum") + self.bias[unit]

    def _hidden(self, hidden: Tensor, units: slice) -> Tensor:
        """Return what the last layer sees, (U', B, W), from the first layer's sums."""
        for block, shift in zip(self.blocks, self.shifts, strict=True):
            hidden = hidden + torch.bmm(F.leaky_relu(hidden, SLOPE), block[units]) + shift[units]
        return F.leaky_relu(hidden, SLOPE)

    def _finished(self, logits: Tensor, places: slice) -> Tensor:
        return (widened(logits) + self.logits_bias[places]).clamp(-MOST_LOGIT, MOST_LOGIT) + self.never[places]

    @torch.no_grad()
    def start_from(self, shares: Tensor) -> None:
        """Initialise to independent columns: the bias of each code's logit is the logarithm of its share.

        Args: shares (P,) of each code in its unit, 0 where padded.
        """
        self.logits_bias.copy_(shares.clamp_min(1e-6).log())
        self.weights.mul_(0.3)  # so that at first the shares decide


def uniform(*shape: int) -> nn.Parameter:
    """Return weights drawn as torch's linear layers do. Args: shape (P, inputs) or (U, inputs, outputs)."""
    inputs = shape[-2] if len(shape) == 3 else shape[-1]
    return nn.Parameter((2 * torch.rand(shape) - 1) / inputs**0.5)
