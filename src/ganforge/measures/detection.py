"""Logistic regressions that tell real examples from made ones by sparse features: as judges, and as discriminators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ganforge.measures.intervals import Estimate, from_standard_error

PENALTY = 3.0  # inverse of the penalty of a discriminator's weights


def chance_to_tell(real: csr_matrix, made: csr_matrix) -> Estimate:
    """Return the chance that a classifier ranks a real example above a made one, neither of which it learned from.

    A logistic regression of the features (N, F) and (M, F) learns from every other example and judges those between
    them; and the other way round. The interval is that of the two halves' areas under the curve (DeLong et al. 1988, by
    the variance of placements).
    """
    areas, variances = [], []
    for half in (0, 1):
        learned, judged = [part[half::2] for part in (real, made)], [part[1 - half :: 2] for part in (real, made)]
        side = np.repeat([1, 0], [part.shape[0] for part in learned])
        judge = LogisticRegression(C=10.0, max_iter=300, class_weight="balanced").fit(vstack(learned), side)
        ours, theirs = (judge.decision_function(part) for part in judged)
        above = np.searchsorted(np.sort(theirs), ours) / len(theirs)
        below = 1 - np.searchsorted(np.sort(ours), theirs, side="right") / len(ours)
        areas.append(float(above.mean()))
        variances.append(above.var() / len(above) + below.var() / len(below))
    return from_standard_error(float(np.mean(areas)), float(np.sqrt(np.sum(variances)) / 2), least=0.0, most=1.0)


def discriminate(
    real: csr_matrix, made: csr_matrix, unseen: csr_matrix, fresh: csr_matrix
) -> tuple[NDArray[np.float32], float]:
    """Fit a discriminator, calibrated (Platt 1999) on examples that it did not learn from.

    Args: features (N, F) each; unseen, fresh other real and made examples, to calibrate with.
    Returns: weights (F,) whose sum over an example's features is log p(real) / p(made) but for a constant, and the
        chance that it ranks an unseen example above a fresh one.
    """
    x = vstack([real, made])
    scale = np.float32(1 / np.sqrt(max(1.0, x.sum() / x.shape[0])))
    sides = np.repeat([1, 0], [real.shape[0], made.shape[0]])
    fitted = LogisticRegression(C=PENALTY, max_iter=200, class_weight="balanced").fit(x * scale, sides)
    weights = fitted.coef_[0] * scale
    raw = vstack([unseen, fresh]) @ weights
    other = np.repeat([1, 0], [unseen.shape[0], fresh.shape[0]])
    platt = LogisticRegression(C=1e3, class_weight="balanced").fit(raw[:, None], other)
    return (max(0.0, float(platt.coef_[0, 0])) * weights).astype(np.float32), float(roc_auc_score(other, raw))
