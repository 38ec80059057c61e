"""Search for the latent from which a generator draws a given picture, or the nearest it can draw.

An encoder estimates it, and gradient descent on the latent improves the estimate and a few random ones: the loss has
many local minima, most of which the estimate avoids (Zhu et al. 2016, "Generative visual manipulation on the natural
image manifold", section 4, initialise in the same way).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Schedule
from ganforge.core.device import widened
from ganforge.core.seeds import generator_for
from ganforge.kinds.pictures.generate.model import MOST_PIXELS, PictureModel

PULL = 1e-4  # weight of |z|^2 / Z, the prior's exponent, beside the mean squared difference of values in -1..1
MOST_LABELS = 8  # that the descent starts from, selected by the encoder's guess for every one
RESTARTS = 2  # random starts beside the encoder's guess
SHORT, LONG = 40, 300  # steps of the descent, from every start and from those kept
KEPT = 3  # starts that are followed to the end
SHORT_RATE, LONG_RATE = Schedule(0.1, 0.05), Schedule(0.1, 1e-3)  # steps of a latent's numbers, which are about 1


@dataclass(frozen=True, slots=True)
class Inverted:
    """The inversions of N pictures."""

    latents: Tensor  # (N, Z)
    labels: NDArray[np.int64] | None  # (N,) for a model with labels: given, or the best fit
    pictures: NDArray[np.uint8]  # (N, C, H, W): drawn from the latents


@dataclass(frozen=True, slots=True)
class _Beginnings:
    """Several starts (P, S) for each of P pictures, in the order of their loss if known."""

    latents: Tensor  # (P, S, Z)
    labels: Tensor | None  # (P, S)

    def best(self, losses: Tensor, count: int) -> _Beginnings:
        """Return the `count` starts of each picture with the least loss. Args: losses (P, S)."""
        order = losses.argsort(dim=1, stable=True)[:, :count]
        latents = self.latents.gather(1, order[..., None].expand(*order.shape, self.latents.shape[2]))
        return _Beginnings(latents, None if self.labels is None else self.labels.gather(1, order))


def invert_pictures(
    model: PictureModel,
    encoder: nn.Module,
    pictures: NDArray[np.uint8],
    *,
    label: int | None = None,
    seed: int = 0,
    steps: int = LONG,
) -> Inverted:
    """Find the latents of pictures (N, C, H, W), each independently of the others.

    The loss is the mean squared difference of the pictures in -1..1, plus PULL |z|^2 / Z from the prior of z.

    Args: label of all pictures, None to find the best fit; seed of the random starts; steps of the descent.
    """
    tried = 1 if label is not None or not model.label_names else len(model.label_names)
    beginnings = max(tried, min(tried, MOST_LABELS) * (1 + RESTARTS))
    at_once = max(1, MOST_PIXELS // (beginnings * math.prod(pictures.shape[1:])))
    parts = [
        _invert(model, encoder, pictures[first : first + at_once], label, seed, steps)
        for first in range(0, len(pictures), at_once)
    ]
    latents = torch.cat([found.latents[:, 0] for found in parts]).cpu()
    labels = None
    if parts[0].labels is not None:
        labels = torch.cat([found.labels[:, 0] for found in parts if found.labels is not None]).cpu().numpy()
    return Inverted(latents, labels, model.draw(latents, labels))


def _invert(
    model: PictureModel, encoder: nn.Module, pictures: NDArray[np.uint8], label: int | None, seed: int, steps: int
) -> _Beginnings:
    """Return the best start of each picture after the descent: (P, 1)."""
    device = next(model.network.parameters()).device
    target = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).float() / 127.5 - 1  # (P, C, H, W)
    guessed = _guesses(model, encoder, target, label)
    if guessed.labels is not None:
        guessed = guessed.best(_losses(model, guessed, target), MOST_LABELS)
    begun = _with_restarts(guessed, seed)
    begun, losses = _descend(model, begun, target, SHORT, SHORT_RATE)
    begun, losses = _descend(model, begun.best(losses, KEPT), target, steps, LONG_RATE)
    return begun.best(losses, 1)


@torch.no_grad()
def _guesses(model: PictureModel, encoder: nn.Module, target: Tensor, label: int | None) -> _Beginnings:
    """Return the encoder's guess for every possible label."""
    if not model.label_names:
        return _Beginnings(encoder(target, None)[:, None], None)
    asked = torch.arange(len(model.label_names)) if label is None else torch.tensor([label])
    labels = asked.to(target.device).expand(len(target), -1)  # (P, S)
    latents = [encoder(target, column.contiguous()) for column in labels.unbind(1)]
    return _Beginnings(torch.stack(latents, dim=1), labels.contiguous())


def _with_restarts(guessed: _Beginnings, seed: int) -> _Beginnings:
    """Add random starts to each guess, of the same label; the same ones for every picture."""
    count, guesses, size = guessed.latents.shape
    drawn = torch.randn(RESTARTS, guesses, size, generator=generator_for(seed, "invert")).to(guessed.latents.device)
    latents = torch.cat([guessed.latents, *(0.5 * drawn).unsqueeze(1).expand(-1, count, -1, -1)], dim=1)
    labels = None if guessed.labels is None else guessed.labels.repeat(1, 1 + RESTARTS)
    return _Beginnings(latents, labels)


def _descend(
    model: PictureModel, begun: _Beginnings, target: Tensor, steps: int, rate: Schedule
) -> tuple[_Beginnings, Tensor]:
    """Run Adam on every start independently. Returns: the results, and their losses (P, S)."""
    latents = begun.latents.clone().requires_grad_(True)
    moving = _Beginnings(latents, begun.labels)
    optimiser = torch.optim.Adam([latents], lr=rate.start, betas=(0.9, 0.99))
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate.at(step / steps)
        (latents.grad,) = torch.autograd.grad(_losses(model, moving, target).sum(), latents)
        optimiser.step()
    ended = _Beginnings(latents.detach(), begun.labels)
    with torch.no_grad():
        return ended, _losses(model, ended, target)


def _losses(model: PictureModel, begun: _Beginnings, target: Tensor) -> Tensor:
    """Return the loss (P, S) of each picture and start."""
    count, beginnings, size = begun.latents.shape
    labels = None if begun.labels is None else begun.labels.flatten()
    drawn = widened(model.network(begun.latents.reshape(-1, size), labels)).view(count, beginnings, *target.shape[1:])
    difference = (drawn - target[:, None]).square().flatten(2).mean(2)
    return difference + PULL * begun.latents.square().mean(2)
