"""What this machine can do at most: multiply matrices, and move bytes. Measured when it is asked, as both vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch

SIDES = {"cuda": 8192, "cpu": 1536}  # of the matrices: large enough to fill the device, small enough for a second
COPIED_BYTES = {"cuda": 2**30, "cpu": 2**28}  # beyond every cache
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The best of a few rounds each."""

    flops_per_second: float  # of one large product of random matrices, 2 n^3 operations
    bytes_per_second: float  # of one large copy, each byte counted as read and as written


def measure_ceilings(device: torch.device, precision: str) -> Ceilings:
    """Args: precision "float32" or "bfloat16", that of the product."""
    side = SIDES.get(device.type, 4096)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))  # zeros may be faster
    result = torch.empty_like(one)
    flops = 2 * side**3 / _fastest(lambda: torch.mm(one, other, out=result), device)
    count = COPIED_BYTES.get(device.type, 2**28)
    given, taken = (torch.randint(256, (count,), dtype=torch.uint8, device=device) for _ in range(2))
    return Ceilings(flops, 2 * count / _fastest(lambda: taken.copy_(given), device))


def wait_for(device: torch.device) -> None:
    """Until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds."""
    seconds = []
    for _ in range(1 + ROUNDS):  # the first one chooses kernels and touches memory
        wait_for(device)
        begun = perf_counter()
        work()
        wait_for(device)
        seconds.append(perf_counter() - begun)
    return min(seconds[1:])
