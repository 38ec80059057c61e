"""Ways through a latent space whose points lie near a sphere, as standard normal numbers in many dimensions do."""

from __future__ import annotations

import torch
from torch import Tensor

STRAIGHT = 1e-4  # of the sine of an angle: below it there is no telling which great circle is meant


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Points on the arc of the great circle from start to end, at equal speed (Shoemake 1985).

    A straight line between two normal vectors would pass through points that are too near to zero for a generator to
    have met: halfway, 0.7 of the length. The arc's length goes linearly from that of start to that of end.

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
    """Through all keys in turn and back to the first, slow near each key, so that it is seen before it changes.

    Args: keys (K, Z), K >= 2; steps from one key to the next, >= 1. Returns: (K * steps, Z); the first of each `steps`
        is a key, and the last leads to the first, so that the walk can be shown again and again.
    """
    share = torch.arange(steps, dtype=keys.dtype) / steps
    eased = share * share * (3 - 2 * share)
    return torch.cat([slerp(start, end, eased) for start, end in zip(keys, keys.roll(-1, dims=0), strict=True)])
