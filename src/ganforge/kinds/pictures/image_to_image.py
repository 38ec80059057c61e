"""A trained network that makes pictures of pictures, and how to read it back. Nothing here opens the training data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.core.validation import refused
from ganforge.errors import InputError, RunError
from ganforge.kinds.pictures.enhance.degradation import read_degradation
from ganforge.kinds.pictures.enhance.game import enhancer_for
from ganforge.kinds.pictures.enhance.settings import Enhancement
from ganforge.kinds.pictures.networks.translator import MirrorAveraged, translator
from ganforge.kinds.pictures.tiles import TILE, Told, in_tiles
from ganforge.planning.model_files import built, read_description
from ganforge.recipe import Data, Network

STRENGTH = 0.5  # of an enhancement where nobody says: between faithful and sharp
FAITHFUL, SHARP = "faithful.", "sharp."  # prefixes of the two ends' weights in the file


@dataclass(frozen=True, slots=True)
class PictureMap:
    """Pictures in, pictures out."""

    network: nn.Module
    task: str
    channels: int  # of what the network takes, 1, 3 or 4
    keeps_grey: bool  # whether the result of a grey picture is grey
    fills: bool = False  # whether holes are filled

    @property
    def factor(self) -> int:
        """How many times larger a result is."""
        return int(cast(int, self.network.factor))

    def __call__(self, picture: NDArray[np.uint8], *, tile: int = TILE, told: Told = lambda share: None) -> Any:
        """One picture of any size, tile by tile.

        Args: picture uint8 (H, W, C); told is called with the share that is done. Returns: uint8 (fH, fW, C').
        """
        device = next(self.network.parameters()).device
        return in_tiles(
            lambda x: self.network(x.to(device)),
            picture,
            reach=int(cast(int, self.network.reach)),
            multiple=int(cast(int, self.network.multiple)),
            factor=self.factor,
            tile=tile,
            told=told,
        )


def dialed(faithful: Mapping[str, torch.Tensor], sharp: Mapping[str, torch.Tensor], strength: float) -> Any:
    """Weights between two networks that grew from one: (1 - strength) faithful + strength sharp.

    Args: strength 0..1. Source: Wang et al. 2018 (ESRGAN), section 3.4, network interpolation.
    """
    return {name: torch.lerp(weight, sharp[name], strength) for name, weight in faithful.items()}


def load_map(folder: Path, strength: float | None = None, device: str = "cpu") -> PictureMap:
    """Reads the model of a run that makes pictures of pictures; it may come from anybody, see stored.py.

    Args: strength 0..1 of an enhancement: 0 faithful, 1 sharp; None is STRENGTH.
    Raises: RunError if there is none, or it is damaged; InputError for a strength that there is not.
    """
    content = read_description(folder)
    task = content.get("task")
    if task not in LOADERS:
        raise RunError(f"{folder} makes no pictures of pictures.", f"Its task is {task}.", "See its report.html.")
    with refused(f"The model at {str(folder)!r}"):
        data, network = Data.model_validate(content["data"]), Network.model_validate(content["network"])
        if len(data.shape) != 3 or data.shape[0] not in (1, 3, 4) or math.prod(data.shape) > 2**22:
            raise ValueError(f"its pictures have the shape {data.shape}")
        found = LOADERS[task](folder, content, data, network, strength)
    found.network.to(device)
    return found


def _translation(folder: Path, content: Any, data: Data, network: Network, strength: float | None) -> PictureMap:
    if strength is not None:
        raise InputError(
            f"The strength {strength:g} was given, and this run translates.",
            "Only an enhancement has a dial between faithful and sharp.",
            "Leave it out.",
        )
    generator = built(folder, lambda: translator(network, data))
    mirrored = content.get("mirrored", False)
    return PictureMap(
        MirrorAveraged(generator) if mirrored else generator, "translate", data.shape[0], keeps_grey=False
    )


def _enhancement(folder: Path, content: Any, data: Data, network: Network, strength: float | None) -> PictureMap:
    wanted = STRENGTH if strength is None else strength
    if not 0 <= wanted <= 1:
        raise InputError(
            f"A strength of {wanted:g} makes no sense.", "It lies in 0..1: 0 is faithful, 1 is sharp.", "Try 0.5."
        )
    chosen = Enhancement.model_validate(content["enhance"])

    def build() -> nn.Module:
        return enhancer_for(chosen, network, data)

    faithful, sharp = built(folder, build, FAITHFUL), built(folder, build, SHARP)
    faithful.load_state_dict(dialed(faithful.state_dict(), sharp.state_dict(), wanted))
    kinds = [step.name for step in read_degradation(chosen.degradation).steps]
    return PictureMap(faithful, "enhance", data.shape[0], keeps_grey="grey" not in kinds, fills="hole" in kinds)


LOADERS: dict[str, Callable[[Path, Any, Data, Network, float | None], PictureMap]] = {
    "translate": _translation,
    "enhance": _enhancement,
}
