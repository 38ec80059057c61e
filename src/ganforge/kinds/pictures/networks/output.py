"""The last step of a picture generator: values outside -1..1 are no pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganforge.core.device import widened


class Bounded(torch.autograd.Function):
    """Clips to -1..1; the gradient passes wherever it leads back inside, as in projected gradient descent.

    Plain clipping would stop the gradient of a value outside for good. tanh never reaches the white and black that
    pictures are full of, and the discriminator learns to look for just that: on MNIST, Frechet distance 52 without
    a bound, 17 with tanh, 10.5 with this, after 150,000 pictures shown (docs/log.md).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1.0, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        outward = ((x > 1.0) & (gradient < 0)) | ((x < -1.0) & (gradient > 0))  # a descent step would go further out
        return gradient.masked_fill(outward, 0.0)


def bounded(x: Tensor) -> Tensor:
    """x (B, C, H, W) clipped to -1..1, in float32."""
    picture: Tensor = Bounded.apply(widened(x))  # type: ignore[no-untyped-call]
    return picture
