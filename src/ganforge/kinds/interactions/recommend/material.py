"""What a recommender learns from, chooses by and is judged by: a log in three parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.recommend.exposure import Shelf, factor_of
from ganforge.kinds.interactions.scorers import Floats, Scorer
from ganforge.kinds.interactions.split import By, Split, split_log
from ganforge.kinds.interactions.tuning import methods_for

FEWEST_USERS = 20  # with interactions to judge by: intervals are over users


class RecommendSettings(LogSettings):
    """How a log is read, and how items are scored and shown."""

    penalty: Annotated[float, Field(gt=0)] = 300.0  # of EASE, on the squares of its weights
    correction: Annotated[float, Field(ge=0, le=1)] = 0.0  # power of popularity that scores are divided by
    exposure: Annotated[float, Field(ge=0, le=1)] = (
        0.0  # 0: the best lists; 1: items are shown as often as users meet them
    )


@dataclass
class Material:
    """A log, opened and split."""

    reading: Reading
    by: By
    split: Split
    _fitted: tuple[float, Scorer] | None = None  # EASE of the part `fit`, by its penalty: it is asked for several times

    def fitted(self, penalty: float) -> Scorer:
        """Return EASE of the part `fit`."""
        if self._fitted is None or self._fitted[0] != penalty:
            self._fitted = None  # before there are two of them
            self._fitted = penalty, ease_of(self.fit, penalty)
        return self._fitted[1]

    def shelf(self, chosen: RecommendSettings) -> Shelf:
        """Return EASE of the part `fit`, corrected for popularity, without prices."""
        return Shelf(self.fitted(chosen.penalty), factor_of(counts_of(self.fit), chosen.correction))

    @cached_property
    def fit(self) -> csr_matrix:
        """What models learn from that are compared by validation, (U, I)."""
        return self.split.fit.matrix()

    @cached_property
    def validation(self) -> csr_matrix:
        """What everything is chosen by, (U, I)."""
        return self.split.validation.matrix()

    @cached_property
    def train(self) -> csr_matrix:
        """What a model learns from that is judged by the test part, (U, I)."""
        return self.split.train.matrix()

    @cached_property
    def test(self) -> csr_matrix:
        """What is judged by once, (U, I)."""
        return self.split.test.matrix()


def counts_of(matrix: csr_matrix) -> Floats:
    """Return how many users met each item, (I,)."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float32)


def ease_of(matrix: csr_matrix, penalty: float) -> Scorer:
    """Return EASE in the form that the size of a log allows."""
    method = methods_for(matrix)[0]["EASE"]
    others = {name: values[0] for name, values in method.axes.items() if name != "penalty"}
    return method.fit(matrix, penalty=penalty, **others)


def shelf_of(matrix: csr_matrix, chosen: RecommendSettings) -> Shelf:
    """Return EASE, corrected for popularity, without prices."""
    return Shelf(ease_of(matrix, chosen.penalty), factor_of(counts_of(matrix), chosen.correction))


def open_material(source: str | Path, asked: LogSettings, seed: int) -> Material:
    """Read a log and split it. Raises: DataError, also if too few users can be judged by."""
    reading = read_log(source, asked)
    by: By = asked.split or ("random" if reading.log.time is None else "time")
    split = split_log(reading.log, by, seed)
    judged = len(np.unique(split.test.user))
    if judged < FEWEST_USERS:
        raise DataError(
            f"Only {judged} users of {str(source)!r} have at least 3 interactions.",
            f"A recommender is judged by intervals over users, of whom at least {FEWEST_USERS} are needed.",
            "Give a longer log.",
        )
    return Material(reading, by, split)
