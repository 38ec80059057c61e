"""What is known of items or users, from a table beside a log, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Features:
    """Numbers of items or of users."""

    ids: NDArray[np.str_]  # (N,)
    names: tuple[str, ...]  # (F,) such as "genre=Comedy"
    values: NDArray[np.float32]  # (N, F)
    missing: NDArray[np.bool_]  # (N, F) what was not there; its value is 0
