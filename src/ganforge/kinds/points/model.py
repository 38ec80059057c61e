"""A trained generator of points, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Model
from ganforge.core.files import refuse_taken, write_through
from ganforge.core.model_files import built, read_description
from ganforge.core.seeds import generator_for
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.kinds.points import DIMENSIONS, cloud
from ganforge.kinds.points.networks import POINT_PAIRS
from ganforge.planning.game import network_pair
from ganforge.recipe import Data, Network

BLOCK = 8_192  # points drawn at once: another number would give other points for the same seed
ENDINGS = (".csv", ".npy", ".png")
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PointModel(Model):
    """A trained generator: maps latents to points in the units of the data."""

    network: nn.Module
    latent_size: int
    names: tuple[str, ...]  # of the coordinates
    centre: tuple[float, ...]
    scale: float

    def draw(self, count: int, seed: int) -> Array:
        """Draw points (count, F). The first ones do not depend on `count`."""
        return np.concatenate(list(self.blocks(count, seed)))

    @torch.no_grad()
    def blocks(self, count: int, seed: int) -> Iterator[Array]:
        """Yield the points of `draw`, at most BLOCK at a time."""
        device = next(self.network.parameters()).device
        for first in range(0, count, BLOCK):
            latents = torch.randn(BLOCK, self.latent_size, generator=generator_for(seed, "sample points", step=first))
            x = self.network(latents.to(device)).double().cpu().numpy()[: count - first]
            yield x * self.scale + np.array(self.centre)

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> PointSamples:
        """Sample points (contracts.Model). Raises: InputError for a number below 1."""
        if count < 1:
            raise InputError(f"{count} points cannot be drawn.", "It must be a whole number from 1 on.")
        return PointSamples(self, count, seed)

    def write(self, samples: PointSamples, out: Path, *, force: bool) -> Path:
        """Write a .csv, an .npy array, or a .png picture of them. Raises: InputError, StorageError."""
        self.check_place(out, force=force)
        fill = {".csv": self._text, ".npy": self._array, ".png": self._picture}[out.suffix.lower()]
        write_through(out, lambda file: fill(file, samples))
        return out

    def check_place(self, out: Path, *, force: bool) -> None:
        """Raise InputError for another suffix, a folder or, without force, an existing file."""
        if out.suffix.lower() not in ENDINGS:
            near = did_you_mean(out.suffix, ENDINGS)
            raise InputError(f"Points cannot be written as {out.name!r}.", near, f"Use one of {', '.join(ENDINGS)}.")
        refuse_taken(out, force=force)

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return {
            "sample RUN -n 1000 --out new.csv": "new points",
            "sample RUN -n 4000 --out new.png": "a picture of them",
        }

    def _text(self, file: Any, samples: PointSamples) -> None:
        text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
        text.write(",".join(self.names) + "\n")
        for block in samples.blocks():
            text.writelines(",".join(f"{value:.9g}" for value in row) + "\n" for row in block)
        text.detach()

    def _array(self, file: Any, samples: PointSamples) -> None:
        np.save(file, samples.value(), allow_pickle=False)

    def _picture(self, file: Any, samples: PointSamples) -> None:
        points = samples.value()
        file.write(cloud.png(cloud.View(points).frame(points)))


@dataclass(frozen=True, slots=True)
class PointSamples:
    """Points drawn on demand (contracts.Samples)."""

    model: PointModel
    count: int
    seed: int

    def blocks(self) -> Iterator[Array]:
        """Yield some thousand points (N, F) at a time."""
        return self.model.blocks(self.count, self.seed)

    def value(self) -> Array:
        """All points (count, F)."""
        return self.model.draw(self.count, self.seed)


def load_points(folder: Path, device: str = "cpu") -> PointModel:
    """Load the model of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description(folder)
    with refused(f"The model at {str(folder)!r}"):
        network, names = Network.model_validate(content["network"]), tuple(map(str, content["coordinates"]))
        centre, scale = tuple(map(float, content["centre"])), float(content["scale"])
        if len(names) not in DIMENSIONS or len(centre) != len(names) or not np.isfinite([*centre, scale]).all():
            raise ValueError(f"{len(names)} coordinates with {len(centre)} finite means are not points")
        data = Data(source="", kind="points", shape=(len(names),))
        generator = built(folder, lambda: network_pair(network, data, POINT_PAIRS).generator()).to(device)
    return PointModel(generator, network.need("latent_size"), names, centre, scale)
