"""The rivals of a generator of rows: independent columns, a Gaussian copula, and SMOTE.

A copula is the simplest one that models a table as a whole; it takes a second where a GAN takes minutes. SMOTE,
common for labelled data, needs imbalanced-learn, which comes with the extra ganforge[smote].
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import FEWEST_COMPARED, Column, learned
from ganforge.kinds.tables.measures.scoring import MOST_ROWS, Real, subset
from ganforge.kinds.tables.measures.similarity import by_frequency, ranks
from ganforge.kinds.tables.reading.arrays import row_count, take

SENTENCE = (
    "The simplest alternative here is a Gaussian copula: every column keeps its own distribution, "
    "and one table of correlations ties them together."
)
SHORT = "Every column keeps its own distribution, and one table of correlations ties them together."
INDEPENDENT_SENTENCE = "Every column drawn by itself from the training rows."
SMOTE_SENTENCE = "Each row a mix of a training row and one of its nearest neighbours of the same label."
NEIGHBOURS = 5  # of SMOTE
MOST_MIXED = 5_000  # training rows that SMOTE looks for neighbours among
MOST_LATENT = 0.98  # a correlation that is corrected beyond it would come from noise

Floats = NDArray[np.float64]


def rivals_of(real: Real, count: int) -> list[tuple[str, str, Plain]]:
    """Return name, sentence and rows of each rival: methods that are not GANs and learn from the same rows."""
    random = np.random.default_rng(seed_for(real.seed, "metrics/tables/rivals"))
    base = take(real.train, slice(0, 2 * MOST_ROWS))
    found = [
        ("independent columns", INDEPENDENT_SENTENCE, independent_columns(base, count, random)),
        ("Gaussian copula", SHORT, GaussianCopula.fit(base, real.columns).sample(count, random)),
    ]
    classes = {column.name for column in learned(real.columns) if not column.is_number}
    if real.label in classes and smote_available():
        mixed = smote_rows(take(base, slice(0, MOST_MIXED)), real.columns, str(real.label), count, real.seed)
        rows = subset(mixed, real.columns, count, real.seed, "smote") if mixed else {}
        if row_count(rows) >= FEWEST_COMPARED:
            found.append(("SMOTE", SMOTE_SENTENCE, rows))
    return found


def independent_columns(train: Plain, count: int, random: np.random.Generator) -> Plain:
    """Draw `count` rows with each column by itself: correct marginals, no dependence."""
    total = row_count(train)
    drawn = {}
    for name, values in train.items():
        rows = random.permutation(total)[:count] if count <= total else random.integers(0, total, count)
        drawn[name] = values[rows]
    return drawn


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """Each column as a hidden Gaussian whose quantiles are the column's values, and the Gaussians' correlation.

    Numbers keep their order, missing ones below all others; categories in the order of their frequency, missing being
    one of them, so that a category is an interval of its hidden Gaussian.
    Source: Nelsen 2006, An Introduction to Copulas, section 2.3; the latent Gaussian of a category as in Song 2000.
    """

    ordered: dict[str, NDArray[Any]]  # the values of the rows it was fitted on, in that order
    correlation: Floats  # (C, C)

    @classmethod
    def fit(cls, train: Plain, columns: Sequence[Column]) -> GaussianCopula:
        """Fit the copula. Args: train at least two rows; identifier and constant columns are left out."""
        chosen = learned(columns)
        ordered, hidden = {}, []
        for column in chosen:
            values = train[column.name]
            keys = values if column.is_number else ranks(values, by_frequency(values)).astype(np.float64)
            keys = np.where(pd.isna(values), -np.inf, keys)  # missing below all others
            order = np.argsort(keys, kind="stable")
            ordered[column.name] = values[order]
            hidden.append(_hidden_means(keys, order))
        return cls(ordered, _latent_correlation(np.stack(hidden, axis=1)))

    def sample(self, count: int, random: np.random.Generator) -> Plain:
        """Draw new rows (count,) of every fitted column; each value is in the training rows."""
        values, vectors = np.linalg.eigh(self.correlation)
        root = vectors * np.sqrt(np.maximum(values, 0))
        hidden = random.standard_normal((count, len(values))) @ root.T  # (count, C)
        drawn = {}
        for i, (name, ordered) in enumerate(self.ordered.items()):
            place = np.minimum((ndtr(hidden[:, i]) * len(ordered)).astype(np.int64), len(ordered) - 1)
            drawn[name] = ordered[place]
        return drawn


def _hidden_means(keys: Floats, order: NDArray[np.int64]) -> Floats:
    """Return the mean of the hidden Gaussian given the value: normal scores, averaged over rows of the same value."""
    scores = ndtri((np.arange(len(keys)) + 0.5) / len(keys))
    _, group = np.unique(keys[order], return_inverse=True)
    means = np.bincount(group, scores) / np.bincount(group)
    hidden = np.empty(len(keys))
    hidden[order] = means[group]
    return hidden


def _latent_correlation(hidden: Floats) -> Floats:
    """Estimate the correlation of the hidden Gaussians (C, C) from their means given the values (N, C).

    A value that is an interval determines its Gaussian only in part: the means have the share v < 1 of its variance and
    their covariance is, to first order in the correlation, the hidden one times v of either side. Dividing it out makes
    a rival that keeps the dependence between categories. The result is projected to a correlation matrix by
    dropping negative eigenvalues.
    """
    covariance = np.atleast_2d(np.cov(hidden, rowvar=False, ddof=0))
    share = np.maximum(np.diag(covariance), 1e-12)
    latent = np.clip(covariance / np.outer(share, share), -MOST_LATENT, MOST_LATENT)
    latent[share < 1e-9] = 0.0  # one value only
    latent[:, share < 1e-9] = 0.0
    np.fill_diagonal(latent, 1.0)
    values, vectors = np.linalg.eigh(latent)
    positive = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    result: Floats = positive / np.outer(scale, scale)
    return result


def smote_available() -> bool:
    """Return whether imbalanced-learn is installed."""
    return find_spec("imblearn") is not None


def smote_rows(train: Plain, columns: Sequence[Column], label: str, count: int, seed: int) -> Plain | None:
    """Draw about `count` new rows with the training rows' shares of each label; none are training rows.

    A missing number is filled by the median first, because SMOTE requires numbers. Labels of fewer than six rows
    cannot be mixed and are left out.

    Args: train plain columns; label one of them, a category. Returns: None where no label has six rows.
    """
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    chosen = [column for column in learned(columns) if column.name != label]
    labels = train[label]
    known = by_frequency(labels)
    codes = known.get_indexer(labels)
    sizes = np.bincount(codes[codes >= 0], minlength=len(known))
    able = sizes > NEIGHBOURS
    if not able.any() or not chosen:
        return None
    wanted = np.round(count * sizes / sizes.sum()).astype(int) * able
    use = np.isin(codes, np.flatnonzero(able))
    texts = {column.name: by_frequency(train[column.name]) for column in chosen if not column.is_number}
    matrix = np.stack([_coded(train[column.name], texts.get(column.name)) for column in chosen], axis=1)[use]
    category = [i for i, column in enumerate(chosen) if column.name in texts]
    settings: dict[str, Any] = {
        "sampling_strategy": {int(i): int(sizes[i] + wanted[i]) for i in np.flatnonzero(able)},
        "k_neighbors": NEIGHBOURS,
        "random_state": seed_for(seed, "metrics/tables/smote") % 2**32,
    }
    if not category:
        maker = SMOTE(**settings)
    elif len(category) == len(chosen):
        maker = SMOTEN(**settings)
    else:
        maker = SMOTENC(category, **settings)
    with warnings.catch_warnings():  # its neighbour search warns of settings that are its own
        warnings.simplefilter("ignore")
        rows, classes = maker.fit_resample(matrix, codes[use])
    rows, classes = rows[use.sum() :], classes[use.sum() :]  # the training rows come first
    made: dict[str, NDArray[Any]] = {label: known.to_numpy()[classes]}
    for i, column in enumerate(chosen):
        made[column.name] = _decoded(rows[:, i], column, texts.get(column.name))
    return made if row_count(made) else None


def _coded(values: NDArray[Any], known: Any) -> Floats:
    if known is not None:
        return ranks(values, known).astype(np.float64)  # -1 for missing
    middle = np.nanmedian(values) if not np.isnan(values).all() else 0.0
    return np.where(np.isnan(values), middle, values)


def _decoded(values: Floats, column: Column, known: Any) -> NDArray[Any]:
    if known is None:
        return values if column.kind == "decimal" else np.round(values)
    codes = np.round(values).astype(int)
    texts: NDArray[Any] = np.asarray(known.to_numpy(), object)[codes]
    texts[codes < 0] = None
    return texts
