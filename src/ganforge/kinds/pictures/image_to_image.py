"""A trained image-to-image network, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Model, Observer
from ganforge.core.conversion import TellOf, convert_all
from ganforge.core.levels import HALF, to_uint8
from ganforge.core.model_files import built, read_description
from ganforge.errors import DataError, InputError, RunError, refused
from ganforge.kinds.pictures.enhance.degradation import read_degradation
from ganforge.kinds.pictures.enhance.game import enhancer_for
from ganforge.kinds.pictures.networks.translator import MirrorAveraged, translator
from ganforge.kinds.pictures.picture_data import PictureData
from ganforge.kinds.pictures.picture_file import (
    WRITTEN,
    assemble,
    check_size,
    made_bytes,
    open_picture,
    write_picture,
)
from ganforge.kinds.pictures.picture_folder import PICTURES
from ganforge.kinds.pictures.plan import NEXT_STEPS, Enhancement
from ganforge.kinds.pictures.reading.values import Range
from ganforge.networks.ends import Ends, interpolated
from ganforge.recipe import Data, Network

TILE = 192  # pixels of a tile's side, without its surroundings
AT_ONCE = 2**20  # pixels in one pass
TileFunction: TypeAlias = Callable[[Tensor], Tensor]
"""x (1, C, H, W) in -1..1 -> (1, C', factor * H, factor * W) in -1..1."""
Progress: TypeAlias = Callable[[float], None]
"""Called with the share 0..1 that is done."""


@torch.no_grad()
def in_tiles(
    network: TileFunction,
    picture: NDArray[np.uint8],
    *,
    reach: int,
    multiple: int = 1,
    factor: int = 1,
    tile: int = TILE,
    progress: Progress = lambda share: None,
) -> NDArray[np.uint8]:
    """Apply a network to a whole picture in tiles.

    The result equals one pass over the whole picture, up to the rounding of sums, whose order in a convolution
    depends on the size.

    Args: picture uint8 (H, W, C) of any size; reach pixels of input, beyond a pixel, that its result depends on;
        multiple what both sides must be divisible by: the picture is padded by mirroring, and cropped again; factor how
        many times larger the result is.
    Returns: uint8 (factor * H, factor * W, C').
    """
    size = picture.shape[:2]
    high, wide = (side + -side % multiple for side in size)
    around = -(-reach // multiple) * multiple  # so that every tile begins at a multiple, like the whole picture
    step = max(multiple, tile // multiple * multiple)
    result: NDArray[np.uint8] | None = None
    places = [(top, left) for top in range(0, high, step) for left in range(0, wide, step)]
    for number, (top, left) in enumerate(places):
        first_row, first_column = max(0, top - around), max(0, left - around)
        rows = _mirrored(first_row, min(top + step + around, high), size[0])
        columns = _mirrored(first_column, min(left + step + around, wide), size[1])
        window = picture[np.ix_(rows, columns)].transpose(2, 0, 1)
        x = torch.from_numpy(np.ascontiguousarray(window))[None].float().sub_(HALF).div_(HALF)
        made = to_uint8(network(x))[0].cpu().numpy().transpose(1, 2, 0)
        if result is None:
            result = np.empty((factor * size[0], factor * size[1], made.shape[2]), np.uint8)
        here = result[factor * top : factor * (top + step), factor * left : factor * (left + step)]
        inner = made[factor * (top - first_row) :, factor * (left - first_column) :]
        here[:] = inner[: here.shape[0], : here.shape[1]]
        progress((number + 1) / len(places))
    assert result is not None  # a picture has at least one pixel
    return result


def _mirrored(first: int, last: int, size: int) -> NDArray[np.int64]:
    """Return the rows first..last of an array of `size` rows that is mirrored beyond its end."""
    places = np.arange(first, last) % (2 * size)
    return np.minimum(places, 2 * size - 1 - places)


@torch.no_grad()
def results_of(network: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Apply a network to equally sized pictures uint8 (N, C, H, W), some at a time."""
    device, parts = next(network.parameters()).device, []
    at_once = max(1, AT_ONCE // (pictures.shape[2] * pictures.shape[3]))
    for first in range(0, len(pictures), at_once):
        x = torch.from_numpy(pictures[first : first + at_once]).to(device).float().sub_(HALF).div_(HALF)
        parts.append(to_uint8(network(x.contiguous(memory_format=torch.channels_last))).cpu().numpy())
    return np.concatenate(parts)


STRENGTH = 0.5  # default of an enhancement: between faithful and sharp
FAITHFUL, SHARP = "faithful.", "sharp."  # prefixes of the two ends' weights in the file


@dataclass(frozen=True, slots=True)
class PictureMap(Model):
    """A network: pictures in, pictures out."""

    network: nn.Module
    task: str
    channels: int  # of the input, 1, 3 or 4
    keeps_grey: bool  # whether the result of a grey picture is grey
    fills: bool = False  # whether holes are filled
    values: Range | None = None  # of black and white in files of more than 8 bits, as those that were learned from
    ends: Ends | None = None  # of an enhancement: faithful and sharp, on the CPU

    @property
    def factor(self) -> int:
        """The factor by which a result is larger."""
        return int(cast(int, self.network.factor))

    def __call__(self, picture: NDArray[np.uint8], *, tile: int = TILE, progress: Progress = lambda share: None) -> Any:
        """Apply the network to one picture of any size, tile by tile.

        Args: picture uint8 (H, W, C); progress is called with the share done. Returns: uint8 (fH, fW, C').
        """
        device = next(self.network.parameters()).device
        return in_tiles(
            lambda x: self.network(x.to(device)),
            picture,
            reach=int(cast(int, self.network.reach)),
            multiple=int(cast(int, self.network.multiple)),
            factor=self.factor,
            tile=tile,
            progress=progress,
        )

    def at(self, strength: float) -> PictureMap:
        """Return the map at another strength 0..1 between faithful and sharp. Raises: InputError for a translation."""
        if self.ends is None:
            raise InputError(
                f"The strength {strength:g} was given, and this run translates.",
                "Only an enhancement has a dial between faithful and sharp.",
                "Leave it out.",
            )
        return replace(self, network=interpolated(self.network, self.ends, strength))

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Apply the network to a picture file, a folder, or an array (H, W) or (H, W, C), which is returned as one.

        Args: out a file or folder, required except for an array; options strength (0..1), force.
        A file of a folder that cannot be used, or whose result cannot be written, is skipped and told.
        Raises: InputError, DataError for a file or if a folder has no usable one, StorageError.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        if not isinstance(source, str | Path):
            return model._array(np.asarray(source))
        force = bool(options.get("force"))
        return convert_all(source, out, model._file, observers, written=WRITTEN, sought=PICTURES, force=force)

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS[self.task]

    def _file(self, original: Path, target: Path, tell: TellOf) -> tuple[str, ...]:
        """Convert one file. Returns: what was changed in it."""
        lightness = self.task == "enhance" and self.keeps_grey
        given = open_picture(
            original,
            self.channels,
            lightness=lightness,
            holes=self.fills,
            values=self.values,
            made_bytes=self.factor**2 * made_bytes(target),
        )
        check_size(target, self.factor * given.pixels.shape[1], self.factor * given.pixels.shape[0])
        image = assemble(
            given,
            self(given.pixels, progress=lambda share: tell("applied", share=share, path=str(target))),
            keep_grey=self.keeps_grey,
        )
        return (*given.notes, *write_picture(image, target, given))

    def _array(self, picture: NDArray[Any]) -> NDArray[np.uint8]:
        """Apply the network to an array, in the same layout."""
        pixels = picture[..., None] if picture.ndim == 2 else picture
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != self.channels or 0 in pixels.shape:
            raise DataError(
                f"A {picture.dtype} array of shape {picture.shape} is not a picture for this model.",
                f"It takes uint8 of shape (height, width, {self.channels}).",
                "Convert it, or give a file, which is converted by itself.",
            )
        made: NDArray[np.uint8] = self(pixels)
        return made[..., 0] if picture.ndim == 2 and made.shape[2] == 1 else made


def load_map(folder: Path, strength: float | None = None, device: str = "cpu") -> PictureMap:
    """Load the image-to-image model of a run, which may be untrusted; see core/model_files.py.

    Args: strength of an enhancement, as in `PictureMap.at`; None is STRENGTH.
    Raises: RunError if it is missing or damaged; InputError for an invalid strength.
    """
    content = read_description(folder)
    task = str(content.get("task"))
    if task not in LOADERS:
        raise RunError(f"{folder} makes no pictures of pictures.", f"Its task is {task}.", "See its report.html.")
    with refused(f"The model at {str(folder)!r}"):
        data, network = PictureData.model_validate(content["data"]), Network.model_validate(content["network"])
        if len(data.shape) != 3 or data.shape[0] not in (1, 3, 4) or math.prod(data.shape) > 2**22:
            raise ValueError(f"its pictures have the shape {data.shape}")
        found = LOADERS[task](folder, content, data, network)
        found = replace(found if strength is None else found.at(strength), values=data.values)
    found.network.to(device)
    return found


def _translation(folder: Path, content: Any, data: Data, network: Network) -> PictureMap:
    generator = built(folder, lambda: translator(network, data))
    mirrored = content.get("mirrored", False)
    return PictureMap(
        MirrorAveraged(generator) if mirrored else generator, "translate", data.shape[0], keeps_grey=False
    )


def _enhancement(folder: Path, content: Any, data: Data, network: Network) -> PictureMap:
    chosen = Enhancement.model_validate(content["enhance"])

    def build() -> nn.Module:
        return enhancer_for(chosen, network, data)

    faithful, sharp = built(folder, build, FAITHFUL), built(folder, build, SHARP)
    ends = (faithful.state_dict(), sharp.state_dict())
    between = interpolated(faithful, ends, STRENGTH)
    kinds = [step.name for step in read_degradation(chosen.degradation).steps]
    grey, holes = "grey" not in kinds, "hole" in kinds
    return PictureMap(between, "enhance", data.shape[0], keeps_grey=grey, fills=holes, ends=ends)


LOADERS: dict[str, Callable[[Path, Any, Data, Network], PictureMap]] = {
    "translate": _translation,
    "enhance": _enhancement,
}
