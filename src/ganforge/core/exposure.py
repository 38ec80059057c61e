"""What attacks on a trained run are given: training examples, others that no training saw, and what the model makes.

A job fills it (contracts.Job.exposure); the attacks (privacy/attacks.py) know no kind of data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Features: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float64]

MOST_TARGETS = 5_000  # members, and non-members, that are attacked
MOST_GENERATED = 10_000  # examples that attacks compare with


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The columns of a table as numbers (n, C), for attacks on single columns; NaN where a value is missing."""

    names: tuple[str, ...]
    numeric: tuple[bool, ...]  # False: a code of a text, of which only equality counts
    members: Scores  # (N, C)
    non_members: Scores  # (M, C)
    generated: Scores  # (G, C)


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Examples in random order, as features of one scale, in which a Euclidean distance means something."""

    members: Features  # (N, F) examples that the model was trained on
    non_members: Features  # (M, F) examples of the same source that training never saw
    generated: Features  # (G, F)
    nouns: str  # "pictures"
    features: str  # what the features are, a sentence
    trained_on: int  # how many examples the model was trained on in all
    white_box: Mapping[str, tuple[Scores, Scores]] = field(default_factory=dict)
    """A network of the run -> its scores of members (N,) and non-members (M,): higher for what it was trained on."""
    missing: Mapping[str, str] = field(default_factory=dict)  # an attack that could not be made -> why, a sentence
    cells: Cells | None = None
