"""Networks for every kind of data. A new pair is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ganforge.contracts import NetworkPair
from ganforge.networks.mlp import LinearPair, MlpPair

Pairs: TypeAlias = Mapping[str, Callable[..., NetworkPair]]
"""The networks that suit a kind of data, by name."""

PAIRS: Pairs = {"mlp": MlpPair, "linear": LinearPair}  # of any kind of data

__all__ = ["PAIRS", "Pairs"]
