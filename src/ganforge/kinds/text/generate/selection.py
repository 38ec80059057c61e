"""Adversarial selection: more texts are drawn than asked for, and a discriminator chooses those that look most real.

The discriminator, a logistic regression of hashed n-grams, tells real texts from drawn ones, and is calibrated (Platt
1999) on texts that it did not learn from: its logit is then an estimate of log p(real) / p(drawn). Texts are kept with
chances that grow with exp(strength * logit), without replacement (Gumbel-top-k, Kool et al. 2019): with replacement the
few best ones would be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ganforge.kinds.text.measures import Shares, features
from ganforge.kinds.text.networks import Ids

BITS = 16  # of the number of buckets that n-grams are hashed into
PENALTY = 3.0  # inverse of the weights' penalty


@dataclass(frozen=True, slots=True)
class Discriminator:
    """A calibrated discriminator of texts."""

    weights: NDArray[np.float32]  # (2 ** BITS,)
    bias: float
    most: int  # units of the longest n-grams
    auc: float  # on texts that it did not learn from: the chance that it ranks a real one above a drawn one

    def logits(self, texts: Sequence[Ids]) -> Shares:
        """Return log p(real) / p(drawn) of each text (N,)."""
        found: Shares = features(texts, self.most, BITS) @ self.weights.astype(np.float64) + self.bias
        return found


def fit_discriminator(
    real: Sequence[Ids], drawn: Sequence[Ids], unseen: Sequence[Ids], fresh: Sequence[Ids], most: int
) -> Discriminator:
    """Fit a discriminator of real and drawn texts. Args: unseen, fresh other real and drawn ones, to calibrate with."""
    x = vstack([features(real, most, BITS), features(drawn, most, BITS)])
    sides = np.repeat([1, 0], [len(real), len(drawn)])
    fitted = LogisticRegression(C=PENALTY, max_iter=200, class_weight="balanced").fit(x, sides)
    raw = vstack([features(unseen, most, BITS), features(fresh, most, BITS)]) @ fitted.coef_[0]
    other = np.repeat([1, 0], [len(unseen), len(fresh)])
    platt = LogisticRegression(C=1e3, class_weight="balanced").fit(raw[:, None], other)
    slope, bias = max(0.0, float(platt.coef_[0, 0])), float(platt.intercept_[0])
    auc = float(roc_auc_score(other, raw))
    return Discriminator((slope * fitted.coef_[0]).astype(np.float32), bias, most, auc)


def chosen(logits: Shares, count: int, strength: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` places without replacement, in their order, likelier ones with a greater strength * logit."""
    keys = strength * logits + random.gumbel(size=len(logits))
    return np.sort(np.argpartition(-keys, count - 1)[:count])
