"""A trained generator of pictures, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Observer
from ganforge.core.device import memory_bytes
from ganforge.core.labels import Labels
from ganforge.core.levels import to_uint8
from ganforge.core.model_files import built, read_description
from ganforge.core.seeds import generator_for
from ganforge.errors import InputError, RunError, refused
from ganforge.kinds.pictures.networks import PICTURE_PAIRS
from ganforge.kinds.pictures.picture_data import PictureData
from ganforge.kinds.pictures.plan import NEXT_STEPS
from ganforge.kinds.pictures.reading.values import Range
from ganforge.networks import Pairs
from ganforge.planning.game import network_pair
from ganforge.recipe import Network

if TYPE_CHECKING:
    from ganforge.kinds.pictures.generate.interpolate import Walk

BLOCK = 500  # latents drawn at once: another number would give other pictures for the same seed
MOST_NUMBERS = 2**22  # of one picture: convolutions with few weights can draw pictures larger than memory
MOST_PIXELS = 2**20  # of all pictures in one pass through the network: bounds the memory of its activations


@dataclass(frozen=True, slots=True)
class PictureModel:
    """A generator: latents in, pictures out."""

    network: nn.Module
    latent_size: int
    label_names: tuple[str, ...]
    label_shares: tuple[float, ...]
    values: Range | None = None  # of black and white in files of more than 8 bits, as those that were learned from

    def draw_pictures(
        self, count: int, *, labels: NDArray[np.int64] | None = None, seed: int = 0, truncation: float = 1.0
    ) -> NDArray[np.uint8]:
        """Draw pictures.

        Besides the pictures returned it needs the memory of one pass, which MOST_PIXELS bounds.

        Args: labels (count,) for a model with labels, None draws them with their shares in training; truncation in
            (0, 1]: latents are drawn nearer to their mean, which gives cleaner and less varied pictures.
        Returns: (count, C, H, W) uint8. The latents of the first pictures do not depend on `count`.
        """
        pictures, first = np.empty((count, *self.picture_shape()), np.uint8), 0
        for block in self.blocks(count, labels=labels, seed=seed, truncation=truncation):
            pictures[first : first + len(block)] = block
            first += len(block)
        return pictures

    def blocks(
        self, count: int, *, labels: NDArray[np.int64] | None = None, seed: int = 0, truncation: float = 1.0
    ) -> Iterator[NDArray[np.uint8]]:
        """Draw the same, at most BLOCK at a time."""
        if self.label_names and labels is None:
            labels = self.draw_labels(count, seed=seed)
        for block in range(0, count, BLOCK):
            latents = truncation * self.draw_latents(block, seed=seed)[: count - block]
            place = slice(block, block + len(latents))
            yield self.draw(latents, labels[place] if labels is not None else None)

    def draw_latents(self, block: int, *, seed: int) -> Tensor:
        """Draw the latents (BLOCK, Z) that `draw_pictures` uses from index `block` on, a multiple of BLOCK."""
        return torch.randn(BLOCK, self.latent_size, generator=generator_for(seed, "sample", step=block))

    @torch.no_grad()
    def draw(self, latents: Tensor, labels: NDArray[np.int64] | None) -> NDArray[np.uint8]:
        """Generate pictures (N, C, H, W) uint8 from latents (N, Z) and, for a model with labels, labels (N,)."""
        device = next(self.network.parameters()).device
        channels, height, width = self.picture_shape()
        pictures = np.empty((len(latents), channels, height, width), np.uint8)
        at_once = max(1, MOST_PIXELS // (height * width))
        for first in range(0, len(latents), at_once):
            place = slice(first, first + at_once)
            label = torch.from_numpy(labels[place]).to(device) if labels is not None else None
            pictures[place] = to_uint8(self.network(latents[place].to(device), label)).cpu().numpy()
        return pictures

    @torch.no_grad()
    def picture_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a picture, found by drawing one."""
        device = next(self.network.parameters()).device
        label = torch.zeros(1, dtype=torch.int64, device=device) if self.label_names else None
        _, channels, height, width = self.network(torch.zeros(1, self.latent_size, device=device), label).shape
        return channels, height, width

    def refuse_impossible(self, count: int, truncation: float) -> None:
        """Raise InputError for an invalid number, or for more pictures than this machine can hold."""
        if count < 1 or count != int(count):
            raise InputError(
                f"{count} pictures cannot be drawn.", "It must be a whole number from 1 on.", "Draw, for example, 64."
            )
        if not 0 < truncation <= 1:
            raise InputError(
                f"A truncation of {truncation:g} makes no sense.", "It lies in 0..1, without 0.", "Try 0.7."
            )
        needed, there = 2 * count * math.prod(self.picture_shape()), memory_bytes()  # the pictures, and their file
        if needed > there / 2:
            raise InputError(
                f"{count:,} pictures cannot be drawn at once.",
                f"They need {needed / 2**30:,.1f} GiB; half of this machine's memory is {there / 2**31:,.1f} GiB.",
                "Draw fewer, several times, each with another --seed.",
            )

    def draw_labels(self, count: int, seed: int) -> NDArray[np.int64] | None:
        """Draw (count,) labels with their shares in training; None for a model without labels."""
        return Labels(self.label_names, self.label_shares).draw(count, seed)

    def label_index(self, label: str) -> int:
        """Return the index of a label's name. Raises: InputError with the nearest name."""
        return Labels(self.label_names, self.label_shares).index(label)

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> PictureSamples | Walk:
        """Sample pictures, or with `interpolate` a walk.

        Args: asked: label, truncation, interpolate. Raises: InputError.
        """
        label, truncation = asked.get("label"), float(asked.get("truncation", 1.0))
        if (keys := asked.get("interpolate")) is not None:
            from ganforge.kinds.pictures.generate.interpolate import STEPS, walk_of

            return walk_of(self, keys, STEPS, label, seed, truncation)
        self.refuse_impossible(count, truncation)
        labels = self.draw_labels(count, seed=seed) if label is None else np.full(int(count), self.label_index(label))
        return PictureSamples(self, int(count), labels, seed, truncation)

    def write(self, samples: PictureSamples | Walk, out: Path, *, force: bool) -> Path:
        """Write pictures as in write.py, a walk as a video. Raises: InputError, StorageError."""
        return samples.write(out, force=force)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Raise InputError: a generator of pictures takes no input."""
        raise InputError(
            "This run draws pictures from nothing.",
            "There is nothing that it could be applied to.",
            "Use: ganforge sample RUN --out new.png",
        )

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS["generate"]

    # ---- verbs of models of pictures only

    def interpolate(
        self, keys: int, out: Path, *, label: str | None, steps: int, seed: int, truncation: float, force: bool
    ) -> Path:
        """Write a video of a walk in latent space; see `api.interpolate`."""
        from ganforge.kinds.pictures.generate.interpolate import walk_of

        return walk_of(self, keys, steps, label, seed, truncation).write(out, force=force)

    def invert(self, *given: Any, **options: Any) -> Any:
        """Find the latents of pictures; see kinds/pictures/invert/inversion.py."""
        from ganforge.kinds.pictures.invert.inversion import invert

        return invert(self, *given, **options)

    def augment(self, *given: Any, **options: Any) -> Any:
        """Enlarge a labelled data set; see kinds/pictures/augment.py."""
        from ganforge.kinds.pictures.augment import augment

        return augment(self, *given, **options)


@dataclass(frozen=True, slots=True)
class PictureSamples:
    """Pictures drawn on demand (contracts.Samples)."""

    model: PictureModel
    count: int
    labels: NDArray[np.int64] | None  # (count,)
    seed: int
    truncation: float

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield some hundred pictures (N, C, H, W) at a time."""
        return self.model.blocks(self.count, labels=self.labels, seed=self.seed, truncation=self.truncation)

    def value(self) -> NDArray[np.uint8]:
        """All pictures (count, C, H, W)."""
        return self.model.draw_pictures(self.count, labels=self.labels, seed=self.seed, truncation=self.truncation)

    def write(self, out: Path, *, force: bool) -> Path:
        """Write a grid, a folder or an array. The path is checked before anything is drawn."""
        from ganforge.kinds.pictures.write import check_place, write_pictures

        check_place(out, (self.count, *self.model.picture_shape()), force=force)
        write_pictures(self.value(), out, labels=self.labels, label_names=self.model.label_names, force=force)
        return out


def load_model(folder: Path, device: str = "cpu") -> PictureModel:
    """Load the model of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged, or does not draw pictures.
    """
    content = read_description(folder)
    if content.get("task") != "generate" or content.get("kind") == "tables":
        raise RunError(
            f"{folder} draws no pictures.", f"Its task is {content.get('task')}.", "See its report.html instead."
        )
    return described_model(folder, content, PICTURE_PAIRS, device)


def described_model(folder: Path, content: Mapping[str, Any], pairs: Pairs, device: str) -> PictureModel:
    """Load the generator that model.json declares, one of `pairs`. Raises: RunError if it is damaged."""
    with refused(f"The model at {str(folder)!r}"):
        data, network = PictureData.model_validate(content["data"]), Network.model_validate(content["network"])
        if min(data.shape) < 1 or math.prod(data.shape) > MOST_NUMBERS:
            raise ValueError(f"its pictures have the shape {data.shape}, of at most {MOST_NUMBERS:,} numbers")
        labels = Labels(data.label_names, tuple(content["label_shares"]))
        pair = network_pair(network, data, pairs)
        generator = built(folder, pair.generator).to(device)
    return PictureModel(generator, pair.latent_size, labels.names, labels.shares, data.values)
