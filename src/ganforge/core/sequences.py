"""Sequences of units: what stands around them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

PAD, BEGIN, END = 0, 1, 2  # units that are no part of a sequence
Ids: TypeAlias = NDArray[np.int32]
"""The units (L,) of a sequence, without beginning and end."""
