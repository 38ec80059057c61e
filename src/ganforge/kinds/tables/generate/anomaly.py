"""How unusual a row is for a model of rows: its negative log-likelihood, as far as it can be estimated from drawn rows.

A boosted tree learns to tell rows that the model drew from rows whose columns were drawn one by one. Its log-odds are
the logarithm of how much likelier a row is than its columns by themselves (noise-contrastive estimation: Gutmann and
Hyvarinen 2010); the logarithm of the latter is a sum over columns. docs/log.md compares it with the pseudo-likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.append import append_columns
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.similarity import Coding
from ganforge.kinds.tables.reading.arrays import joined
from ganforge.kinds.tables.rules.conditions import seen_in

if TYPE_CHECKING:
    from ganforge.kinds.tables.codec.codec import TableCodec
    from ganforge.kinds.tables.generate.model import RowModel

Floats = NDArray[np.float64]
TAUGHT = 50_000  # generated rows that the tree learns from
RANKED = 10_000  # other generated rows, beside which a row is ranked
SCORE, PERCENTILE = "anomaly_score", "anomaly_percentile"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The negative log-likelihood of rows, in nats, and how it ranks among generated rows."""

    codec: TableCodec
    coding: Coding
    tree: Any  # generated rows against independent columns
    surprise: tuple[Floats, ...]  # of each unit (K + 1,): -log of the share of each code; the last, of unseen values
    ranked: Floats  # (RANKED,) scores of generated rows, ascending

    @classmethod
    def fit(cls, model: RowModel, seed: int) -> Anomaly:
        """Draw rows and learn from them."""
        rows = model.draw(TAUGHT, seed=seed)
        random = np.random.default_rng(seed_for(seed, "independent columns"))
        apart = {name: random.permutation(values) for name, values in rows.items()}
        coding, codes = Coding.fit(rows, model.codec.columns), model.codec.encode(rows)
        with threadpool_limits(limits=1, user_api="openmp"):  # as in measures/evaluate.py
            tree = HistGradientBoostingClassifier(random_state=0, categorical_features=coding.categorical()).fit(
                coding.features(joined([rows, apart])), np.arange(2 * TAUGHT) < TAUGHT
            )
        surprise = tuple(_surprise(codes[:, place], size) for place, size in enumerate(model.codec.sizes))
        found = cls(model.codec, coding, tree, surprise, np.zeros(0))
        others = found.scores(model.draw(RANKED, seed=seed_for(seed, "ranked rows")))
        return cls(model.codec, coding, tree, surprise, np.sort(others))

    def scores(self, plain: Plain) -> Floats:
        """Return the negative log-likelihood (N,) of plain rows of all learned columns."""
        codes = self.codec.encode(plain)
        for column in self.coding.columns:
            if column.is_number:  # a code has no ends: what lies outside the seen range has none
                outside = ~seen_in(column).holds(plain) & ~np.isnan(plain[column.name])
                codes[outside, self.codec.unit_of(column.name)] = -1
        apart = sum(surprise[codes[:, place]] for place, surprise in enumerate(self.surprise))  # a code -1 is the last
        found: Floats = apart - self.tree.decision_function(self.coding.features(plain))
        return found

    def percentiles(self, scores: Floats) -> Floats:
        """Return the share of generated rows, 0..100, that are less unusual."""
        return np.asarray(100 * np.searchsorted(self.ranked, scores, "left") / len(self.ranked))


def _surprise(codes: NDArray[np.int32], size: int) -> Floats:
    """Return -log of the share of each code, and of an unseen value (size + 1,), each counted half a time more."""
    counts = np.bincount(codes[codes >= 0], minlength=size + 1)[: size + 1] + 0.5
    return np.asarray(-np.log(counts / counts.sum()))


def score_table(model: RowModel, source: object, out: Path | None, *, seed: int, force: bool) -> pd.DataFrame | Path:
    """Add two columns to a table: the negative log-likelihood of each row, and the share of generated rows, in percent,
    that are less unusual. Raises: as `append_columns`."""
    anomaly = Anomaly.fit(model, seed)
    added = [Column(name=name, kind="decimal", dtype="float64", decimals=2) for name in (SCORE, PERCENTILE)]

    def compute(plain: Plain) -> Plain:
        scores = anomaly.scores(plain)
        return {SCORE: scores, PERCENTILE: anomaly.percentiles(scores)}

    return append_columns(model, source, out, added, compute, force=force)
