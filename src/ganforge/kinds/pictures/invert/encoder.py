"""An encoder that estimates the latent of a picture in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge import __version__
from ganforge.contracts import Batch, Game, Loss, Observer, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.device import widened
from ganforge.core.files import sha256_of, write_folder
from ganforge.core.model_files import WEIGHTS, built, read_description, write_model_files
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import RunError, StorageError, refused
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.invert.optimise import invert_pictures
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.networks.conv import SLOPE, halvings, lowest_size, pad_to_stages, stages_of
from ganforge.planning.game import initialised
from ganforge.run import Run

WIDEST = 4  # channels at the lowest size are at most this many times `width`
HIDDEN = 256


class Encoder(nn.Module):
    """Picture (B, C, H, W) in -1..1 (and label (B,)) -> latent (B, Z).

    The label enters before the last layer but one: the same strokes have another latent under another label.
    """

    def __init__(self, shape: tuple[int, ...], latent_size: int, labels: int, width: int) -> None:
        """Args: shape (C, H, W); labels how many there are, 0 for none; width channels at half the picture's size."""
        super().__init__()
        channels, height, size = shape
        widths = [width * min(2**k, WIDEST) for k in range(stages_of(height, size))]
        self.downward = halvings(channels, *widths)
        self.gather = nn.Linear(widths[-1] * math.prod(lowest_size(height, size, len(widths))), HIDDEN)
        self.embed = nn.Embedding(labels, HIDDEN) if labels else None
        self.mix = nn.Linear(HIDDEN, HIDDEN)
        self.latent = nn.Linear(HIDDEN, latent_size)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        x = pad_to_stages(x, len(self.downward))
        for layer in self.downward:
            x = F.leaky_relu(layer(x), SLOPE)
        hidden = self.gather(x.flatten(1))
        if self.embed is not None and label is not None:
            hidden = hidden + self.embed(label)
        hidden = F.leaky_relu(self.mix(F.leaky_relu(hidden, SLOPE)), SLOPE)
        latent: Tensor = self.latent(hidden)
        return latent


WIDTH = 32
EXAMPLES, BATCH = 64_000, 64  # about a minute of one core at 28 x 28 pixels
RATE = 1e-3
PICTURE_WEIGHT = 10.0  # of the squared difference of pictures relative to that of latents: makes them similar
NUMBERS = 2**22  # of all training latents


@dataclass(frozen=True, slots=True)
class LatentFeed:
    """A feed of latents (contracts.Feed), with labels if the model has them."""

    latents: Tensor  # (N, Z), on the training device
    labels: Tensor | None  # (N,) int64

    @classmethod
    def of(cls, model: PictureModel, device: torch.device | str) -> LatentFeed:
        """Draw as many latents as NUMBERS allow, labels with their shares in training."""
        count = min(65_536, max(4 * BATCH, NUMBERS // model.latent_size))
        latents = torch.randn(count, model.latent_size, generator=generator_for(0, "encoder/latents"))
        drawn = model.draw_labels(count, seed=seed_for(0, "encoder/labels"))
        return cls(latents.to(device), None if drawn is None else torch.from_numpy(drawn).to(device))

    @property
    def resident(self) -> bool:
        """True if all examples are on the training device (contracts.Feed)."""
        return True

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, indices: Tensor) -> Batch:
        """Return x, latents (B, Z), and label (B,) if there are labels."""
        chosen = indices.to(self.latents.device, non_blocking=True)
        x = {"x": self.latents.index_select(0, chosen)}
        return x if self.labels is None else {**x, "label": self.labels.index_select(0, chosen)}

    def raw(self, first: int, last: int) -> Batch:
        """Return x (n, Z), and label (n,) if there are labels."""
        x = {"x": self.latents[first:last].cpu()}
        return x if self.labels is None else {**x, "label": self.labels[first:last].cpu()}


def encoder_game(model: PictureModel, encoder: nn.Module) -> Game:
    """Build a player that minimises |E(G(z)) - z|^2 / Z + PICTURE_WEIGHT |G(E(G(z))) - G(z)|^2 / (C H W).

    The first term alone weights directions of the latent that change much and ones without visible effect equally;
    the second one tells them apart.
    """
    generator = model.network

    def loss(turn: Turn) -> Loss:
        latent, label = turn.batch["x"], turn.batch.get("label")
        with torch.no_grad():
            picture = widened(generator(latent, label))
        found = encoder(picture, label)
        again = generator(found, label)
        return Loss(
            {
                "latents": (widened(found) - latent).square().mean(1),
                "pictures": PICTURE_WEIGHT * (widened(again) - picture).square().mean((1, 2, 3)),
            }
        )

    rate = Schedule(RATE, 0.0, "cosine", warmup=0.02)
    return Game((Player("encoder", encoder, loss, OptimiserSettings(rate, beta1=0.9)),), product="encoder")


def train_encoder(
    model: PictureModel,
    *,
    examples: int = EXAMPLES,
    observers: Sequence[Observer] = (),
    stop: Callable[[], bool] = lambda: False,
) -> nn.Module:
    """Train an encoder of a model's pictures. Bit-reproducible from the model and `examples` alone.

    Raises: Interrupted if `stop` requests it: nothing is kept.
    """
    device = next(model.network.parameters()).device
    encoder = new_encoder(model).to(device)
    settings = FitSettings(
        seed=0,
        batch_size=BATCH,
        length_examples=examples,
        half_life_examples=0.05 * examples,
        record_every_steps=20,
    )
    product = fit(encoder_game(model, encoder), LatentFeed.of(model, device), settings, observers=observers, stop=stop)
    return product.product.eval().requires_grad_(False)


def new_encoder(model: PictureModel) -> nn.Module:
    """Build an untrained encoder for a model's pictures, on the CPU."""
    shape, labels = model.picture_shape(), len(model.label_names)
    return initialised(seed_for(0, "encoder/network"), lambda: Encoder(shape, model.latent_size, labels, WIDTH))


OWN = 16  # pictures drawn by the model to measure their inversion


@dataclass(frozen=True, slots=True)
class Found:
    """An encoder, and the floor: decibels of inversions of the model's own pictures, lowest first."""

    encoder: nn.Module
    own_decibels: tuple[float, ...]


def encoder_of(
    run: Run,
    model: PictureModel,
    *,
    examples: int = EXAMPLES,
    observers: Sequence[Observer] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """Return the encoder stored in a run, or train one and store it there.

    A folder that is damaged, or belongs to another model, is replaced. If the run cannot be written the encoder is
    used all the same, and trained again the next time. Raises: Interrupted.
    """
    model_hash = sha256_of(run.model / WEIGHTS)
    device = next(model.network.parameters()).device
    with suppress(RunError):
        content = read_description(run.encoder)
        with refused(f"The encoder at {str(run.encoder)!r}"):
            own = tuple(float(number) for number in content["own_decibels"])
            if content["model"] == model_hash and content["examples"] == examples and len(own) == OWN:
                return Found(built(run.encoder, lambda: new_encoder(model)).to(device), own)
    encoder = train_encoder(model, examples=examples, observers=observers, stop=stop)
    own = _own_decibels(model, encoder)
    about = {"ganforge": __version__, "model": model_hash, "examples": examples, "own_decibels": own}
    with suppress(StorageError):
        write_folder(run.encoder, lambda folder: write_model_files(folder, encoder, about))
    return Found(encoder, own)


def _own_decibels(model: PictureModel, encoder: nn.Module) -> tuple[float, ...]:
    labels = np.arange(OWN) % len(model.label_names) if model.label_names else None
    drawn = model.draw_pictures(OWN, labels=labels, seed=3)
    decibels = psnr(drawn, invert_pictures(model, encoder, drawn).pictures)
    return tuple(sorted(round(float(number), 3) for number in decibels))
