"""Networks for every kind of data. A new pair is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import TypeAlias

import torch
from torch import nn

from ganforge.contracts import NetworkPair
from ganforge.core.device import memory_bytes
from ganforge.errors import RecipeError, did_you_mean
from ganforge.networks.mlp import LinearPair, MlpPair
from ganforge.recipe import Data, Network

TRAINED_BYTES = 16  # of a weight: itself, its gradient, and two moments, in float32

Pairs: TypeAlias = Mapping[str, Callable[..., NetworkPair]]
"""The networks that suit a kind of data, by name."""

PAIRS: Pairs = {"mlp": MlpPair, "linear": LinearPair}  # of any kind of data


def dials_of(name: str, pairs: Pairs) -> tuple[str, ...]:
    """Return those of latent_size, width and depth that a pair has. Raises: RecipeError for an unknown name."""
    if name not in pairs:
        raise RecipeError(f"There is no network {name!r}.", did_you_mean(name, pairs))
    takes = signature(pairs[name]).parameters
    return tuple(dial for dial in ("latent_size", "width", "depth") if dial in takes)


def network_pair(network: Network, data: Data, pairs: Pairs) -> NetworkPair:
    """Return the pair of `pairs` that a recipe names. Raises: RecipeError for an unknown or unsuitable one."""
    dials = {dial: getattr(network, dial) for dial in dials_of(network.name, pairs)}
    given = {dial: value for dial, value in dials.items() if value is not None}
    return pairs[network.name](shape=data.shape, labels=len(data.label_names), **given)


def refuse_unbuildable(network: Network, build: Callable[[], Sequence[nn.Module]]) -> None:
    """Call `build` on torch's meta device, where tensors have shapes but neither memory nor values.

    Raises: RecipeError, before anything is timed or written, if that fails, or if training the modules that it returns
        needs more memory than this machine has.
    """
    try:
        with torch.device("meta"):
            modules = build()
    except (RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(
            f"The network {_described(network)} cannot be built.",
            f"torch says: {str(error).splitlines()[0].rstrip('.')}.",
            "Choose other values, or leave them to the plan.",
        ) from error
    needed = TRAINED_BYTES * sum(weight.numel() for module in modules for weight in module.parameters())
    there = memory_bytes()
    if needed > there:
        raise RecipeError(
            f"The network {_described(network)} is too large.",
            f"Its weights take {needed / 1e9:,.0f} GB in training, and this machine has {there / 1e9:,.0f} GB.",
            "Choose a smaller width or depth, or leave them to the plan.",
        )


def _described(network: Network) -> str:
    dials = {"width": network.width, "depth": network.depth}
    said = " and ".join(f"{name} {value}" for name, value in dials.items() if value is not None)
    return f"{network.name!r}{f' of {said}' if said else ''}"


def refuse_unbuildable_pair(network: Network, data: Data, pairs: Pairs) -> None:
    """Build the pair that a recipe names and send one example through it, as above. Raises: RecipeError."""
    pair = network_pair(network, data, pairs)

    def build() -> Sequence[nn.Module]:
        generator, discriminator = pair.generator(), pair.discriminator()
        label = torch.zeros(1, dtype=torch.int64) if data.label_names else None
        discriminator(generator(torch.zeros(1, pair.latent_size), label), label)
        return generator, discriminator

    refuse_unbuildable(network, build)


__all__ = ["PAIRS", "Pairs", "dials_of", "network_pair", "refuse_unbuildable", "refuse_unbuildable_pair"]
