"""Networks for every kind of data. A new pair is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from torch import nn

from ganforge.networks.mlp import LinearPair, MlpPair


class NetworkPair(Protocol):
    """A generator and its discriminator. A frozen configuration that holds numbers and builds modules."""

    @property
    def latent_size(self) -> int: ...

    def generator(self) -> nn.Module:
        """forward(latent (B, Z), label (B,) int64 or None) -> x (B, ...)."""

    def discriminator(self) -> nn.Module:
        """forward(x (B, ...), label (B,) int64 or None) -> score (B,)."""


Pairs: TypeAlias = Mapping[str, Callable[..., NetworkPair]]
"""The networks that suit a kind of data, by name."""

PAIRS: Pairs = {"mlp": MlpPair, "linear": LinearPair}  # of any kind of data

__all__ = ["PAIRS", "NetworkPair", "Pairs"]
