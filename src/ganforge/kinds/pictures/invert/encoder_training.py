"""The game of one player that teaches an encoder to undo a generator: plain backpropagation on the generator's samples.

No training picture is needed, and there is no end of examples: each batch is a fresh one. The generator stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Game, Loss, Observer, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.precision import widened
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.fit import FitSettings, fit
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.networks.encoder import build_encoder

WIDTH = 32
EXAMPLES, BATCH = 64_000, 64  # about a minute of one core at 28 x 28 pixels
RATE = 1e-3
PICTURE_WEIGHT = 10.0  # of the squared difference of pictures beside that of latents: both are then of one size
NUMBERS = 2**22  # of all latents that are drawn from


@dataclass(frozen=True, slots=True)
class LatentFeed:
    """Latents as examples (contracts.Feed), each with a label where the model has some."""

    latents: Tensor  # (N, Z), on the training device
    labels: Tensor | None  # (N,) int64

    @classmethod
    def of(cls, model: PictureModel, device: torch.device | str) -> LatentFeed:
        """As many as NUMBERS allow, labels with their shares in training."""
        count = min(65_536, max(4 * BATCH, NUMBERS // model.latent_size))
        latents = torch.randn(count, model.latent_size, generator=generator_for(0, "encoder/latents"))
        drawn = model.draw_labels(count, seed=seed_for(0, "encoder/labels"))
        return cls(latents.to(device), None if drawn is None else torch.from_numpy(drawn).to(device))

    @property
    def resident(self) -> bool:
        """Whether all examples live on the training device (contracts.Feed)."""
        return True

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, indices: Tensor) -> Batch:
        """x: latents (B, Z), and label (B,) where there are labels."""
        chosen = indices.to(self.latents.device, non_blocking=True)
        x = {"x": self.latents.index_select(0, chosen)}
        return x if self.labels is None else {**x, "label": self.labels.index_select(0, chosen)}

    def raw(self, first: int, last: int) -> Batch:
        """x (n, Z), and label (n,) where there are labels."""
        x = {"x": self.latents[first:last].cpu()}
        return x if self.labels is None else {**x, "label": self.labels[first:last].cpu()}


def encoder_game(model: PictureModel, encoder: nn.Module) -> Game:
    """One player, which minimises |E(G(z)) - z|^2 / Z + PICTURE_WEIGHT |G(E(G(z))) - G(z)|^2 / (C H W).

    The first term alone spreads its care evenly over directions of the latent that change much and ones that change
    nothing to be seen; the second one knows which are which.
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
    """An encoder of a model's pictures. It is a function of the model and of `examples` alone, to the bit.

    Raises: Interrupted when `stop` says so: nothing is kept.
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
    """An untrained encoder for a model's pictures, on the processor."""
    shape = model.picture_shape()
    return build_encoder(shape, model.latent_size, len(model.label_names), WIDTH, seed_for(0, "encoder/network"))
