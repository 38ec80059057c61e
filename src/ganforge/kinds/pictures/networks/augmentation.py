"""Differentiable augmentation, which keeps the discriminator from memorising few pictures.

The discriminator sees each picture, real or generated, with random changes: each kind of change is applied to each
picture independently with probability p. The generator must then match the distribution of CHANGED pictures. A
share of at least (1 - p)^kinds of them is unchanged, and for p well below 1 only the training pictures' own
distribution leads to it: the changes do not leak into what is generated (Karras et al. 2020, section 2.2). From 0.8 on
that ceases to hold in practice; hence MOST_AUGMENTATION in recipe.py.

Example j of the real batch and example j of the fake one get the same change T. In losses that are a sum
over real and fake this is only a choice of random numbers. In the relativistic one it preserves the equilibrium:
once Tx and Ty are distributed alike, no discriminator gets the mean of softplus(D(Ty) - D(Tx)) below softplus(0),
by Jensen's inequality; but the difference of a pair's scores no longer carries the noise of two unequal changes.

Source: Karras et al. 2020, "Training generative adversarial networks with limited data"; Zhao et al. 2020,
"Differentiable augmentation for data-efficient GAN training". Ranges are ours: small, so that no digit becomes
another one. Resampling is by gather, whose derivatives of every order exist on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.contracts import Dial
from ganforge.core.seeds import Draws

REACH = 1 / 8  # of height and width: the furthest shift
ZOOM = 0.3  # binary logarithm of the largest factor: 1.23
TURN = math.radians(15)  # largest rotation
BRIGHTNESS = 0.4  # largest offset, of values in -1..1
CONTRAST = 0.5  # binary logarithm of the largest factor: 1.41
SATURATION = 1.0  # binary logarithm of the largest factor: 2
CUTOUT = 0.5  # of height and width: the side of the box that is cut out


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of each of B pictures; 0 or 1 means none. Each field but `hole` is float32 (B,)."""

    mirrored: Tensor  # -1 if mirrored, else 1
    down: Tensor  # -1..1 of REACH
    right: Tensor  # -1..1 of REACH
    zoom: Tensor  # factor; above 1 things grow
    turn: Tensor  # radians
    brightness: Tensor  # offset
    contrast: Tensor  # factor
    saturation: Tensor  # factor
    cut: Tensor  # 1 where there is a hole, else 0
    hole: Tensor  # (B, 2): its centre, in shares 0..1 of height and width


def draw_changes(count: int, chance: Dial, draws: Draws, flips: bool = False) -> Changes:
    """Draw random changes for `count` pictures.

    Args: chance 0..1 of each kind of change of each picture. flips: whether pictures may be mirrored, which is done to
        half of those chosen for it; not for letters and digits.
    """
    decided = (draws.uniform(count, 8) < chance).float().unbind(1)
    value = draws.uniform(count, 10, low=-1.0).unbind(1)
    return Changes(
        mirrored=1 - 2 * decided[0] * (value[0] < 0) if flips else torch.ones_like(value[0]),
        down=decided[1] * value[1],
        right=decided[1] * value[2],
        zoom=torch.exp2(ZOOM * decided[2] * value[3]),
        turn=TURN * decided[3] * value[4],
        brightness=BRIGHTNESS * decided[4] * value[5],
        contrast=torch.exp2(CONTRAST * decided[5] * value[6]),
        saturation=torch.exp2(SATURATION * decided[6] * value[7]),
        cut=decided[7],
        hole=0.5 + 0.5 * torch.stack(value[8:], dim=1),
    )


def augment(x: Tensor, changes: Changes) -> Tensor:
    """Apply changes to pictures, differentiable twice with respect to x.

    Args: x (B, C, H, W) or several such batches one after the other, (kB, C, H, W), in -1..1; changes of B pictures,
        applied to each batch alike. Returns: the same shape; brightness and contrast may exceed -1..1.
    """
    batches = x.reshape(-1, len(changes.turn), *x.shape[1:])  # (kB, C, H, W) -> (k, B, C, H, W)
    seen = _coloured(_moved(batches, changes), changes) * (1 - _holes(batches, changes))
    return seen.reshape(x.shape)


def _moved(x: Tensor, changes: Changes) -> Tensor:
    """Mirror, zoom, turn about the centre, then shift by whole pixels; bilinear, mirrored beyond the border."""
    height, width = x.shape[-2:]
    down = (changes.down * REACH * height).round()[:, None, None]
    right = (changes.right * REACH * width).round()[:, None, None]
    # Source of each pixel of the result, from the centre: (B, H, W). Halves are exact, so is a shift alone.
    rows = torch.arange(height, device=x.device)[:, None] - (height - 1) / 2 - down
    columns = torch.arange(width, device=x.device)[None, :] - (width - 1) / 2 - right
    cosine, sine = (f(changes.turn)[:, None, None] / changes.zoom[:, None, None] for f in (torch.cos, torch.sin))
    from_row = cosine * rows + sine * columns + (height - 1) / 2
    from_column = (cosine * columns - sine * rows) * changes.mirrored[:, None, None] + (width - 1) / 2
    top, left = from_row.floor(), from_column.floor()
    low, far = from_row - top, from_column - left  # how far on to the next row and column, 0..1
    weights = torch.stack([(1 - low) * (1 - far), (1 - low) * far, low * (1 - far), low * far], dim=1)
    row_places = torch.stack([_mirrored(top, height), _mirrored(top + 1, height)], dim=1)
    column_places = torch.stack([_mirrored(left, width), _mirrored(left + 1, width)], dim=1)
    places = row_places[:, :, None] * width + column_places[:, None]  # (B, 2, 2, H, W), in the order of the weights
    around = x.flatten(-2).gather(-1, places.flatten(1)[:, None].expand(*x.shape[:3], -1))  # (k, B, C, 4 H W)
    around = around.view(*x.shape[:3], 4, height, width)
    return (around * weights[:, None].to(x.dtype)).sum(3)


def _mirrored(place: Tensor, count: int) -> Tensor:
    """Mirror places beyond 0..count-1 about the outermost pixel's middle, int64."""
    period = 2 * count - 2
    return ((place.long() + count - 1).remainder(period) - (count - 1)).abs()


def _coloured(x: Tensor, changes: Changes) -> Tensor:
    """Change brightness, contrast about mid-grey, and saturation about the mean of the colours, not transparency."""
    offset, contrast, saturation = (
        value.to(x.dtype)[:, None, None, None] for value in (changes.brightness, changes.contrast, changes.saturation)
    )
    channels = x.shape[2]
    colours = channels - 1 if channels in (2, 4) else channels
    coloured = contrast * (x[:, :, :colours] + offset)
    if colours == 3:
        coloured = coloured + (saturation - 1) * (coloured - coloured.mean(2, keepdim=True))
    return torch.cat([coloured, x[:, :, colours:]], dim=2) if colours < channels else coloured


def _holes(x: Tensor, changes: Changes) -> Tensor:
    """Return 1 within the box that is cut out, to mid-grey, and 0 elsewhere: (B, 1, H, W)."""
    height, width = x.shape[-2:]
    rows = (torch.arange(height, device=x.device) + 0.5) / height
    columns = (torch.arange(width, device=x.device) + 0.5) / width
    in_rows = (rows - changes.hole[:, :1]).abs() < CUTOUT / 2  # (B, H)
    in_columns = (columns - changes.hole[:, 1:]).abs() < CUTOUT / 2  # (B, W)
    inside = in_rows[:, :, None] & in_columns[:, None, :]
    return (inside * changes.cut[:, None, None])[:, None].to(x.dtype)
