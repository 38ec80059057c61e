"""What a recommender learns from, chooses by and is judged by: a log in three parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_matrix

from ganforge.core.seeds import seed_for
from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import LogSettings
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.recommend.exposure import Shelf, factor_of
from ganforge.kinds.interactions.scorers import Floats, Scorer
from ganforge.kinds.interactions.split import By, split_by, split_log
from ganforge.kinds.interactions.tuning import methods_for

FOLDS = 4  # of users: a scorer learns from those whose candidates it does not give
MOST_USERS = 5_000  # of a fold, whose lists the game sees
FEWEST_USERS, FEWEST_MET = 20, 5  # users with so many interactions: intervals are over users, and each part needs some


class RecommendSettings(LogSettings):
    """How a log is read, and how items are scored and shown."""

    penalty: Annotated[float, Field(gt=0)] = 300.0  # of EASE, on the squares of its weights
    correction: Annotated[float, Field(ge=0, le=1)] = 0.0  # power of popularity that scores are divided by
    exposure: Annotated[float, Field(ge=0, le=1)] = (
        0.0  # 0: the best lists; 1: items are shown as often as users meet them
    )


@dataclass
class Material:
    """A log, opened and split. Matrices have a 1 where a user met an item."""

    reading: Reading
    by: By
    known: Log  # the part `fit` of the users whose lists the game sees
    fit: csr_matrix  # (U, I) what models learn from that are compared by validation
    validation: csr_matrix  # (U, I) what everything is chosen by
    train: csr_matrix  # (U, I) both: what a model learns from that is judged by the test part
    test: csr_matrix  # (U, I) what is judged by once
    _fitted: tuple[float, Scorer] | None = None  # EASE of the part `fit`, by its penalty: it is asked for several times

    def fitted(self, penalty: float) -> Scorer:
        """Return EASE of the part `fit`."""
        if self._fitted is None or self._fitted[0] != penalty:
            self.forget()
            self._fitted = penalty, ease_of(self.fit, penalty)
        return self._fitted[1]

    def forget(self) -> None:
        """Give back the memory of EASE of the part `fit`."""
        self._fitted = None

    def shelf(self, chosen: RecommendSettings) -> Shelf:
        """Return EASE of the part `fit`, corrected for popularity, without prices."""
        return Shelf(self.fitted(chosen.penalty), factor_of(counts_of(self.fit), chosen.correction))


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


def drawn_users(count: int, seed: int) -> tuple[np.random.Generator, NDArray[np.int64], NDArray[np.bool_]]:
    """Return random numbers for what follows, each user's fold (U,), and whether the game sees lists of his (U,)."""
    random = np.random.default_rng(seed_for(seed, "recommend/examples"))
    fold = random.integers(0, FOLDS, count)
    drawn = np.zeros(count, bool)
    drawn[random.permutation(count)[: FOLDS * MOST_USERS]] = True
    return random, fold, drawn


def open_material(source: str | Path, asked: LogSettings, seed: int) -> Material:
    """Read a log and split it. Raises: DataError, also if too few users can be judged by."""
    reading = read_log(source, asked)
    by = split_by(source, reading.log, asked.split)
    usable = int((reading.log.counts() >= FEWEST_MET).sum())
    if usable < FEWEST_USERS:
        raise DataError(
            f"Only {usable} users of {str(source)!r} have at least {FEWEST_MET} interactions.",
            f"Some are learned from, others chosen and judged by: at least {FEWEST_USERS} such users are needed.",
            "Give a longer log.",
        )
    split = split_log(reading.log, by, seed)
    known = split.fit.taken(drawn_users(len(reading.log.users), seed)[2][split.fit.user])
    parts = (split.fit, split.validation, split.train, split.test)
    return Material(reading, by, known, *(part.matrix() for part in parts))
