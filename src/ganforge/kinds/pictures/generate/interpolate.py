"""Walks in latent space: videos that interpolate between generated pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.animation import check_film, film_bytes
from ganforge.core.files import refuse_taken, write_whole
from ganforge.errors import InputError
from ganforge.kinds.pictures.write import grid, grid_size

if TYPE_CHECKING:
    from ganforge.kinds.pictures.generate.model import PictureModel


STRAIGHT = 1e-4  # of the sine of an angle: below it the great circle is undefined


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return points on the great-circle arc from start to end, at equal speed (Shoemake 1985).

    A straight line between two normal vectors passes through points nearer to zero than a generator has
    seen: halfway, 0.7 of the length. The arc's length goes linearly from that of start to that of end.

    Args: start, end (Z,); share (S,) in 0..1. Returns: (S, Z). Between parallel or opposite points: the straight line.
    """
    lengths = start.norm(), end.norm()
    cosine = (start @ end / (lengths[0] * lengths[1]).clamp_min(1e-12)).clamp(-1, 1)
    angle = torch.arccos(cosine)
    share = share[:, None]
    if torch.sin(angle) < STRAIGHT:
        return (1 - share) * start + share * end
    near = torch.sin((1 - share) * angle) / torch.sin(angle) * (start / lengths[0])
    far = torch.sin(share * angle) / torch.sin(angle) * (end / lengths[1])
    way: Tensor = ((1 - share) * lengths[0] + share * lengths[1]) * (near + far)
    return way


def closed_walk(keys: Tensor, steps: int) -> Tensor:
    """Return a walk through all keys and back to the first, slow near each key, so that it stays visible.

    Args: keys (K, Z), K >= 2; steps from one key to the next, >= 1. Returns: (K * steps, Z); the first of each `steps`
        is a key, and the last leads to the first, so that the walk can be shown again and again.
    """
    share = torch.arange(steps, dtype=keys.dtype) / steps
    eased = share * share * (3 - 2 * share)
    return torch.cat([slerp(start, end, eased) for start, end in zip(keys, keys.roll(-1, dims=0), strict=True)])


MOST_KEYS = 500  # a block of latents
STEPS = 24  # frames from one key picture to the next
MOST_SIDE_BY_SIDE = 20  # labels whose pictures walk side by side
MOST_BYTES = 2**29  # of all frames: Pillow keeps them until the file is written


@dataclass(frozen=True, slots=True)
class Walk:
    """The frames of a walk, drawn on demand (contracts.Samples)."""

    model: PictureModel
    latents: Tensor  # (S, Z)
    labels: NDArray[np.int64]  # of each frame, side by side; (0,) of a model without labels

    def blocks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield one frame (H, W, C) at a time: a picture of every label, or, without labels, just one."""
        for latent in self.latents:
            if len(self.labels):
                yield grid(self.model.draw(latent.repeat(len(self.labels), 1), self.labels))
            else:
                yield grid(self.model.draw(latent[None], None))

    def value(self) -> NDArray[np.uint8]:
        """All frames (S, H, W, C)."""
        return np.stack(list(self.blocks()))

    def write(self, out: Path, *, force: bool) -> Path:
        """Write a .gif, .webp or .mp4. The path is checked before anything is drawn."""
        place = out.resolve()
        check_film(place.suffix.lower())
        refuse_taken(place, force=force)
        write_whole(place, film_bytes(self.blocks(), place.suffix.lower()))
        return out


def walk_of(model: PictureModel, keys: int, steps: int, label: str | None, seed: int, truncation: float) -> Walk:
    """Return a walk through `keys` random pictures and back to the first.

    Raises: InputError for an unknown label, a number out of range, or a video too long for memory.
    """
    for what, number, least, most in (("key pictures", keys, 2, MOST_KEYS), ("steps", steps, 1, 1000)):
        if number != int(number) or not least <= number <= most:
            raise InputError(
                f"A walk cannot have {number} {what}.", f"It has {least} to {most}.", "Try --interpolate 8."
            )
    model.refuse_impossible(keys, truncation)
    labels = _labels(model, label)
    high, wide = grid_size(max(1, len(labels)), *model.picture_shape()[1:])
    if keys * steps * high * wide * model.picture_shape()[0] > MOST_BYTES:
        raise InputError(
            f"A walk of {keys * steps:,} frames of {wide} x {high} pixels is too long.",
            f"Its frames would take more than {MOST_BYTES / 2**30:g} GiB.",
            "Ask for fewer key pictures, or for one --label.",
        )
    return Walk(model, closed_walk(truncation * model.draw_latents(0, seed=seed)[:keys], steps), labels)


def _labels(model: PictureModel, label: str | None) -> NDArray[np.int64]:
    """Return the labels to show, in their order: none for a model without; the most frequent ones of many."""
    if label is not None:
        return np.array([model.label_index(label)])
    most = np.argsort(-np.array(model.label_shares), kind="stable")[:MOST_SIDE_BY_SIDE]
    return np.sort(most)
