"""The simplest rival that models a table as a whole: a Gaussian copula. It takes a second where a GAN takes minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.coding import by_frequency, ranks

SENTENCE = (
    "The simplest alternative here is a Gaussian copula: every column keeps its own distribution, "
    "and one table of correlations ties them together."
)
SHORT = "Every column keeps its own distribution, and one table of correlations ties them together."
MOST_LATENT = 0.98  # a correlation that is corrected beyond it would come from noise

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """Each column as a hidden Gaussian whose quantiles are the column's values, and the Gaussians' correlation.

    Numbers lie in their order, missing ones below all others; categories in the order of their frequency, missing being
    one of them, so that a category is an interval of its hidden Gaussian.
    Source: Nelsen 2006, An Introduction to Copulas, section 2.3; the latent Gaussian of a category as in Song 2000.
    """

    ordered: dict[str, NDArray[Any]]  # the values of the rows it was fitted on, in that order
    correlation: Floats  # (C, C)

    @classmethod
    def fit(cls, train: Plain, columns: Sequence[Column]) -> GaussianCopula:
        """Args: train at least two rows; identifier and constant columns are left out."""
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
        """New rows (count,) of every fitted column; each value stands in the training rows."""
        values, vectors = np.linalg.eigh(self.correlation)
        root = vectors * np.sqrt(np.maximum(values, 0))
        hidden = random.standard_normal((count, len(values))) @ root.T  # (count, C)
        drawn = {}
        for i, (name, ordered) in enumerate(self.ordered.items()):
            place = np.minimum((ndtr(hidden[:, i]) * len(ordered)).astype(np.int64), len(ordered) - 1)
            drawn[name] = ordered[place]
        return drawn


def _hidden_means(keys: Floats, order: NDArray[np.int64]) -> Floats:
    """The mean of the hidden Gaussian given the value: normal scores, averaged over rows of the same value."""
    scores = ndtri((np.arange(len(keys)) + 0.5) / len(keys))
    _, group = np.unique(keys[order], return_inverse=True)
    means = np.bincount(group, scores) / np.bincount(group)
    hidden = np.empty(len(keys))
    hidden[order] = means[group]
    return hidden


def _latent_correlation(hidden: Floats) -> Floats:
    """The correlation of the hidden Gaussians (C, C) from the means (N, C) that the values give of them.

    A value that is an interval tells its Gaussian only in part: the means have the share v < 1 of its variance, and
    their covariance is, to first order in the correlation, the hidden one times v of either side. Dividing it out makes
    a rival that does not lose what lies between categories. The result is brought back to a correlation matrix by
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
