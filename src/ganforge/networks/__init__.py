"""The networks. A new pair is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from ganforge.contracts import NetworkPair
from ganforge.errors import RecipeError, did_you_mean
from ganforge.networks.conv import ConvPair
from ganforge.networks.linear import LinearPair
from ganforge.networks.mlp import MlpPair
from ganforge.networks.points import PointsPair
from ganforge.networks.resnet import ResnetPair
from ganforge.recipe import Data, Network

PAIRS: dict[str, Callable[..., NetworkPair]] = {
    "conv": ConvPair,
    "resnet": ResnetPair,
    "mlp": MlpPair,
    "points": PointsPair,
    "linear": LinearPair,
}


def network_pair(network: Network, data: Data) -> NetworkPair:
    """The pair that a recipe names. Raises: RecipeError for an unknown name."""
    if network.name not in PAIRS:
        raise RecipeError(f"There is no network {network.name!r}.", did_you_mean(network.name, PAIRS))
    return PAIRS[network.name](
        shape=data.shape,
        labels=len(data.label_names),
        latent_size=network.latent_size,
        width=network.width,
        depth=network.depth,
    )


__all__ = ["PAIRS", "network_pair"]
