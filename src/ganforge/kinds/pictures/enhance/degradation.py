"""Degradations of good pictures that a network learns to undo: `downscale:2`, `noise:25,jpeg:20`, ...

Steps are separated by commas and applied in order. A range such as `noise:0-50` is drawn anew for each picture:
one blind model for all of it. The result is rounded to the 256 levels of a file.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ganforge.core.levels import HALF, to_uint8
from ganforge.core.seeds import Draws
from ganforge.errors import RecipeError, did_you_mean

FACTORS = (2, 3, 4)
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
HOLE = (8.0, 24.0)  # pixels of a hole's sides by default
FILL = 0.0  # of values in -1..1: the middle grey that a hole is filled with
# The least and the most allowed, and what the number is.
KNOWN = {
    "downscale": (2.0, 4.0, "the factor, 2, 3 or 4"),
    "noise": (0.0, 255.0, "the standard deviation, of levels 0 to 255"),
    "blur": (0.0, 10.0, "the standard deviation, in pixels"),
    "jpeg": (1.0, 95.0, "the quality, 1 to 95"),
    "grey": (0.0, 0.0, "nothing: the colours are taken away"),
    "hole": (1.0, 48.0, "the side of a box that is filled with grey, in pixels"),
}
WHOLE = ("jpeg", "hole")  # steps with an integer
SHOWN = "downscale:4, noise:25, noise:0-50, blur:1.5, jpeg:20, grey, hole, or several such as downscale:2,noise:10"


@dataclass(frozen=True, slots=True)
class Step:
    """One degradation, with a strength between low and high."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Degradation:
    """Steps in order. `factor` is how many times smaller the result is."""

    steps: tuple[Step, ...]

    @property
    def factor(self) -> int:
        return int(next((step.low for step in self.steps if step.name == "downscale"), 1))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)

    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Degrade pictures.

        Args: x (B, C, H, W) in -1..1, H and W multiples of the factor. Returns: (B, C, H / factor, W / factor) in
            -1..1, of whole levels.
        """
        for step in self.steps:
            strength = step.low + (step.high - step.low) * draws.uniform(len(x))
            x = _made(step, x, strength.to(x.dtype), draws)
        return x.add(1).mul(HALF).round().clamp(0, 2 * HALF).div(HALF).sub(1)


def read_degradation(text: str) -> Degradation:
    """Parse a degradation. Raises: RecipeError naming the unknown word."""
    words = [word.strip().lower() for word in text.split(",")]
    steps = tuple(_step(word) for word in words)
    if len({step.name for step in steps}) != len(steps):
        raise RecipeError(
            f"The degradation {text!r} names one step twice.",
            "Each kind of damage is done once.",
            "Give a range, such as noise:10-30.",
        )
    return Degradation(steps)


def _step(word: str) -> Step:
    name, colon, number = word.partition(":")
    if name not in KNOWN:
        raise RecipeError(f"There is no degradation {word!r}.", did_you_mean(name, KNOWN), f"Known are {SHOWN}.")
    least, most, meaning = KNOWN[name]
    if name == "grey" or (name == "hole" and not colon):
        if colon:
            raise RecipeError(f"The degradation {word!r} has a number.", "grey has no strength.", "Say just grey.")
        return Step(name, *(HOLE if name == "hole" else (0.0, 0.0)))
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)(?:-(\d+\.?\d*|\.\d+))?", number)
    low = float(found[1]) if found else math.nan
    high = float(found[2]) if found and found[2] else low
    whole = name == "downscale" and (low not in FACTORS or low != high)
    if not found or whole or not least <= low <= high <= most:
        raise RecipeError(
            f"The degradation {word!r} is not understood.",
            f"Behind {name}: stands {meaning}"
            + ("." if name == "downscale" else f", from {least:g} to {most:g}, or a range of it such as 10-30."),
            f"Known are {SHOWN}.",
        )
    return Step(name, low, high)


def _made(step: Step, x: Tensor, strength: Tensor, draws: Draws) -> Tensor:
    """Apply one step. Args: strength (B,)."""
    match step.name:
        case "downscale":
            return resized(x, 1 / step.low)
        case "noise":
            return x + strength[:, None, None, None] / HALF * draws.normal(len(x), *x.shape[1:])
        case "blur":
            return _blurred(x, strength, math.ceil(3 * step.high))
        case "jpeg":
            return _compressed(x, strength)
        case "grey":
            return greyed(x)
        case _:
            return _holed(x, strength, draws)


def resized(x: Tensor, scale: float) -> Tensor:
    """Resize with a bicubic kernel, widened for downscaling as in Pillow's BICUBIC and MATLAB's imresize.

    Source: Keys 1981 with a = -1/2. (Without `antialias`, torch takes a = -3/4 also for enlarging.)
    """
    size = [round(side * scale) for side in x.shape[-2:]]
    return F.interpolate(x, size, mode="bicubic", antialias=True)


def greyed(x: Tensor) -> Tensor:
    """Replace colour pictures (B, 3, H, W) by their luma in three channels; grey ones are unchanged."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.chunk(3, dim=1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).expand_as(x)


def _blurred(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Blur each picture with a Gaussian of its own width, along rows, then columns; the border is repeated."""
    places = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (places / sigma.clamp_min(1e-3)[:, None]).square())  # (B, K)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(x.shape[1], 0)
    flat = x.reshape(1, -1, *x.shape[2:])  # every channel of every picture is one channel of its own group
    padded = F.pad(flat, (radius,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel[:, None, None], groups=len(kernel))
    return F.conv2d(across, kernel[:, None, :, None], groups=len(kernel)).reshape(x.shape)


def _compressed(x: Tensor, quality: Tensor) -> Tensor:
    """Compress with JPEG and decode, by Pillow on the CPU.
    Only inputs of a network pass through here, so no gradient is needed."""
    done = []
    for levels, wanted in zip(to_uint8(x).permute(0, 2, 3, 1).cpu().numpy(), quality.tolist(), strict=True):
        file = io.BytesIO()
        Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).save(file, "JPEG", quality=round(wanted))
        done.append(np.asarray(Image.open(file)).reshape(levels.shape))
    back = torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2).to(device=x.device, dtype=x.dtype)
    return back / HALF - 1


def _holed(x: Tensor, side: Tensor, draws: Draws) -> Tensor:
    """Fill one random box in each picture, wholly inside, with middle grey, as for areas that a user paints over."""
    place = draws.uniform(len(x), 2)
    inside = []
    for axis, length in enumerate(x.shape[2:]):
        size = side.round().clamp_max(length)
        first = (place[:, axis] * (length - size + 1)).floor()
        there = torch.arange(length, device=x.device)[None, :]
        inside.append((there >= first[:, None]) & (there < (first + size)[:, None]))
    return x.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], FILL)
