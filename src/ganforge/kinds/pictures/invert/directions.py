"""Named directions of a latent space: visible attributes and the direction in which each grows.

Each attribute is measured on the model's own samples and regressed on their latents; the shortest step that raises the
prediction by one standard deviation is the direction. An attribute that the latent does not explain linearly on samples
that the regression never saw has no direction, which is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.kinds.pictures.generate.model import BLOCK, PictureModel

SAMPLES = 8 * BLOCK  # drawn, a quarter of them for validation
EXPLAINED = 0.1  # R^2 on unseen samples from which on a direction counts
RIDGE = 1e-2  # added to the latents' covariance, which is about 1
SEED = 4  # of the samples

Pixels = NDArray[np.float64]  # (N, C, H, W) in 0..1; a fourth channel is the opacity


def brightness(pictures: Pixels) -> NDArray[np.float64]:
    """Return the mean level, (N,)."""
    levels: NDArray[np.float64] = _levels(pictures).mean((1, 2))
    return levels


def contrast(pictures: Pixels) -> NDArray[np.float64]:
    """Return the standard deviation of the levels, (N,)."""
    spread: NDArray[np.float64] = _levels(pictures).std((1, 2))
    return spread


def saturation(pictures: Pixels) -> NDArray[np.float64]:
    """Return the mean difference of a pixel's largest and smallest colour, (N,); 0 for grey pictures."""
    colours = pictures[:, :3]
    spread: NDArray[np.float64] = (colours.max(1) - colours.min(1)).mean((1, 2))
    return spread


def size(pictures: Pixels) -> NDArray[np.float64]:
    """Return the foreground's root mean squared distance from its middle, in pixels.

    The foreground is what differs from the background, the median level of the picture's rim.
    """
    ink, rows, columns = _ink(pictures)
    reach: NDArray[np.float64] = np.sqrt((ink * (rows**2 + columns**2)).sum((1, 2)))
    return reach


def slant(pictures: Pixels) -> NDArray[np.float64]:
    """Return the shear of the foreground, (N,): columns to the right for each row up."""
    ink, rows, columns = _ink(pictures)
    shear: NDArray[np.float64] = -(ink * rows * columns).sum((1, 2)) / np.maximum((ink * rows**2).sum((1, 2)), 1e-9)
    return shear


ATTRIBUTES: Mapping[str, Callable[[Pixels], NDArray[np.float64]]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "size": size,
    "slant": slant,
}


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction: one step along `way` raises the attribute by `unit`, as far as it is linear."""

    name: str
    way: Tensor  # (Z,)
    unit: float  # the attribute's standard deviation among samples of one label
    explained: float  # R^2 on samples that the regression never saw; below EXPLAINED it is not a direction


def named_directions(model: PictureModel) -> tuple[Direction, ...]:
    """Return one direction per attribute that varies among the model's samples, the best explained first."""
    blocks = [model.draw_latents(block, seed=SEED) for block in range(0, SAMPLES, BLOCK)]
    labels = model.draw_labels(SAMPLES, seed=SEED)
    measured: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ATTRIBUTES}
    for number, latents in enumerate(blocks):
        chosen = None if labels is None else labels[number * BLOCK : (number + 1) * BLOCK]
        pictures = model.draw(latents, chosen) / 255.0
        for name, measure in ATTRIBUTES.items():
            measured[name].append(measure(pictures))
    drawn_from: NDArray[np.float64] = torch.cat(blocks).double().numpy()
    found = [_direction(name, drawn_from, np.concatenate(values), labels) for name, values in measured.items()]
    return tuple(sorted((one for one in found if one), key=lambda one: -one.explained))


def _direction(
    name: str, latents: NDArray[np.float64], values: NDArray[np.float64], labels: NDArray[np.int64] | None
) -> Direction | None:
    """Fit a ridge regression of the variation within a label. None if there is none."""
    values = values.copy()
    for label in np.unique(labels) if labels is not None else ():
        values[labels == label] -= values[labels == label].mean()
    values -= float(values.mean())
    if (unit := float(values.std())) < 1e-6:
        return None
    cut = len(values) * 3 // 4
    weights = _ridge(latents[:cut], values[:cut])
    rest = values[cut:] - latents[cut:] @ weights
    explained = 1 - float(rest.var() / max(values[cut:].var(), 1e-12))
    way = torch.from_numpy(unit * weights / max(float(weights @ weights), 1e-12)).float()
    return Direction(name, way, unit, explained)


def _ridge(latents: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = latents.T @ latents / len(latents) + RIDGE * np.eye(latents.shape[1])
    return np.asarray(np.linalg.solve(covariance, latents.T @ values / len(latents)), np.float64)


def _levels(pictures: Pixels) -> Pixels:
    """Return (N, H, W): the mean of the colours, composited on white."""
    opaque = pictures[:, 3] if pictures.shape[1] == 4 else 1.0
    levels: Pixels = 1 - opaque * (1 - pictures[:, :3].mean(1))
    return levels


def _ink(pictures: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    """Return foreground shares (N, H, W) that sum to 1; rows and columns from the foreground's middle."""
    levels = _levels(pictures)
    rim = np.concatenate([levels[:, 0], levels[:, -1], levels[:, :, 0], levels[:, :, -1]], axis=1)
    ink = np.abs(levels - np.median(rim, axis=1)[:, None, None]) + 1e-9
    ink /= ink.sum((1, 2), keepdims=True)
    rows, columns = np.arange(ink.shape[1])[None, :, None], np.arange(ink.shape[2])[None, None, :]
    middle_row, middle_column = (ink * rows).sum((1, 2)), (ink * columns).sum((1, 2))
    return ink, rows - middle_row[:, None, None], columns - middle_column[:, None, None]
