"""A network between two that began as one."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor, nn

Ends: TypeAlias = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""The weights of both networks by name."""
Built = TypeVar("Built", bound=nn.Module)


def interpolated(network: Built, ends: Ends, strength: float) -> Built:
    """Return a copy of a network with the weights (1 - strength) one + strength other.

    Args: strength 0..1. Source: Wang et al. 2018 (ESRGAN), section 3.4, network interpolation.
    """
    one, other = ends
    made = deepcopy(network)
    made.load_state_dict({name: torch.lerp(weight, other[name], strength) for name, weight in one.items()})
    return made
