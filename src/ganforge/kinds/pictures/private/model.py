"""The loading of a released mixture: a model of pictures like any other, without the data."""

from __future__ import annotations

import math
from pathlib import Path

from ganforge.core.labels import Labels
from ganforge.core.model_files import built, read_description_of
from ganforge.errors import refused
from ganforge.kinds.pictures.generate.model import MOST_NUMBERS, PictureModel
from ganforge.kinds.pictures.picture_data import PictureData
from ganforge.kinds.pictures.private.network import MixturePair
from ganforge.networks import Pairs
from ganforge.planning.game import network_pair
from ganforge.recipe import Network

MIXTURE = "mixture"
PAIRS: Pairs = {MIXTURE: MixturePair}


def load_mixture(folder: Path, device: str = "cpu") -> PictureModel:
    """Load the model of a private run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "private", "a private model of pictures")
    with refused(f"The model at {str(folder)!r}"):
        data, network = PictureData.model_validate(content["data"]), Network.model_validate(content["network"])
        if min(data.shape) < 1 or math.prod(data.shape) > MOST_NUMBERS:
            raise ValueError(f"its pictures have the shape {data.shape}, of at most {MOST_NUMBERS:,} numbers")
        labels = Labels(data.label_names, tuple(content["label_shares"]))
        pair = network_pair(network, data, PAIRS)
        generator = built(folder, pair.generator).to(device)
    return PictureModel(generator, pair.latent_size, labels.names, labels.shares, data.values)
