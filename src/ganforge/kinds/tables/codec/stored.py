"""Arrays of a stored codec, read back: what a stranger may have written is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def listed(arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[Any]) -> NDArray[Any]:
    """Return an array (N,) of exactly this type. Raises: KeyError if it is missing, ValueError if it is another."""
    array = arrays[name]
    if array.ndim != 1 or array.dtype != dtype:
        raise ValueError(f"{name} is of the type {array.dtype} and the shape {array.shape}")
    return array


def rising(values: NDArray[Any]) -> bool:
    """Return whether each value is above the one before it."""
    return bool((np.diff(values) > 0).all())


def climbing(starts: NDArray[Any], end: int) -> bool:
    """Return whether starts rise from 0 to `end`, without an empty span."""
    return bool(len(starts) > 1 and starts[0] == 0 and starts[-1] == end and rising(starts))
