"""Two networks that began as one: faithful, and sharp, which an adversary has judged too; and those between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Generic, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

FAITHFUL, SHARP = "faithful", "sharp"
Ends: TypeAlias = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""The weights of both networks by name."""
Built = TypeVar("Built", bound=nn.Module)


class BothEnds(nn.Module, Generic[Built]):
    """Both networks. forward returns the faithful one's result."""

    faithful: Built
    sharp: Built
    strength: Tensor | None  # of the one that is used: 0 faithful, 1 sharp; None where each person chooses

    def __init__(self, faithful: Built, sharp: Built, *, chosen: bool = True) -> None:
        """Args: chosen whether one of them is used, and which is stored."""
        super().__init__()
        self.faithful, self.sharp = faithful, sharp
        self.register_buffer("strength", torch.zeros(()) if chosen else None)

    def forward(self, given: Any) -> Tensor:
        made: Tensor = self.faithful(given)
        return made


def product_of(build: Callable[[], Built], *, both: bool) -> Built | BothEnds[Built]:
    """Build a network, or both, which have the same weights if `build` always gives the same."""
    return BothEnds(build(), build()) if both else build()


def ends_of(product: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of a product by name, faithful first."""
    return {FAITHFUL: product.faithful, SHARP: product.sharp} if isinstance(product, BothEnds) else {FAITHFUL: product}


def strength_of(product: nn.Module) -> float:
    """Return the strength of the network that is used: 0 faithful, 1 sharp."""
    stored = product.strength if isinstance(product, BothEnds) else None
    return 0.0 if stored is None else float(stored.clamp(0, 1))


def opened(product: Built | BothEnds[Built], device: str) -> tuple[Built, Ends | None]:
    """Return the network that a stored product uses, on a device, and the weights of both, where there are two."""
    if not isinstance(product, BothEnds):
        return product.to(device), None
    ends = (product.faithful.state_dict(), product.sharp.state_dict())
    return interpolated(product.faithful, ends, strength_of(product)).to(device), ends


def interpolated(network: Built, ends: Ends, strength: float) -> Built:
    """Return a copy of a network with the weights (1 - strength) one + strength other.

    Args: strength 0..1. Source: Wang et al. 2018 (ESRGAN), section 3.4, network interpolation.
    """
    one, other = ends
    made = deepcopy(network)
    made.load_state_dict({name: torch.lerp(weight, other[name], strength) for name, weight in one.items()})
    return made
