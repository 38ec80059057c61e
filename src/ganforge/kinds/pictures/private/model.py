"""The loading of a released mixture: a model of pictures like any other, without the data."""

from __future__ import annotations

from pathlib import Path

from ganforge.core.model_files import read_description_of
from ganforge.kinds.pictures.generate.model import PictureModel, described_model
from ganforge.kinds.pictures.private.network import MixturePair
from ganforge.networks import Pairs

MIXTURE = "mixture"
PAIRS: Pairs = {MIXTURE: MixturePair}


def load_mixture(folder: Path, device: str = "cpu") -> PictureModel:
    """Load the model of a private run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "private", "a private model of pictures")
    return described_model(folder, content, PAIRS, device)
