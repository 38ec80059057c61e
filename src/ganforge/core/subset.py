"""Some of many, in random order."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import generator_for


def subset(available: int, wanted: int, purpose: str) -> NDArray[np.int64]:
    """At most `wanted` indices in random order, always the same for the same purpose.

    The order matters: data often lies sorted by label, and whoever takes the first few must not get one label only.
    Of one purpose, fewer are the beginning of more.
    """
    return torch.randperm(available, generator=generator_for(0, purpose))[:wanted].clone().numpy()  # not the rest too
