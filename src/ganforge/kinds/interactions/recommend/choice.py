"""What validation chooses: the penalty of EASE, the correction for popularity, and how evenly items are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ganforge.core.seeds import seed_for
from ganforge.kinds.interactions.recommend.exposure import (
    KNOTS,
    SHOWN,
    Shelf,
    factor_of,
    price_table,
    prices_at,
)
from ganforge.kinds.interactions.recommend.material import Material, counts_of
from ganforge.kinds.interactions.scorers import Floats
from ganforge.kinds.interactions.tuning import mean_ndcg, methods_for, ranking_of, search, some_users
from ganforge.measures.ranking import gini
from ganforge.planning.draft import Choice

CORRECTIONS = (0.0, 0.1, 0.2, 0.3, 0.4)
NOTICEABLE = 0.005  # share of EASE's NDCG@10 on validation that a correction must gain, and that even lists may lose
KEPT = 0.5  # share of the gain over EASE on validation that more even lists must keep
JUDGES = 5_000  # users that choose, and from whose lists prices are found


def table_of(shelf: Shelf, matrix: csr_matrix) -> Floats:
    """Return the prices of all items at each of KNOTS, (K, I), from the lists of some users."""
    users = np.flatnonzero(np.diff(matrix.indptr))
    if len(users) > JUDGES:
        random = np.random.default_rng(seed_for(0, "recommend/prices"))
        users = np.sort(random.choice(users, JUDGES, replace=False))
    return price_table(shelf, matrix[users], counts_of(matrix))


def choose(material: Material, pinned: Mapping[str, Any]) -> dict[str, Choice]:
    """Choose penalty, correction and exposure by NDCG@10 on validation. Args: pinned what a person has chosen."""
    fit, judged = material.fit, some_users(material.validation, JUDGES)
    counts = counts_of(fit)
    powers = [pinned["correction"]] if "correction" in pinned else list(CORRECTIONS)
    penalty, why = _penalty(fit, judged, pinned)
    scorer = material.fitted(penalty)

    def reached(power: float) -> float:
        return mean_ndcg(ranking_of(Shelf(scorer, factor_of(counts, power)), fit, judged))

    ease = reached(0.0)
    corrected = {power: ease if power == 0 else reached(power) for power in powers}
    power = max(corrected, key=lambda one: corrected[one])
    if 0.0 in corrected and corrected[power] < (1 + NOTICEABLE) * ease:
        power = 0.0
    exposure, evenness = _exposure(Shelf(scorer, factor_of(counts, power)), fit, judged, ease)
    best = f"NDCG@10 {corrected[power]:.4f} on validation, EASE's {ease:.4f}"
    return {
        "penalty": (penalty, why),
        "correction": (power, f"{best}: the best of {len(corrected)}, where that gains {NOTICEABLE:.1%}"),
        "exposure": (exposure, evenness),
    }


def _penalty(fit: csr_matrix, judged: csr_matrix, pinned: Mapping[str, Any]) -> tuple[float, str]:
    """Choose the penalty of EASE, with the reason, where there are many items among popular ones."""
    if "penalty" in pinned:
        return pinned["penalty"], ""
    method = methods_for(fit)[0]["EASE"]
    found = search(method, fit, judged)
    among = f" among the {method.popular:,} most popular items" if method.popular else ""
    return found.best["penalty"], f"NDCG@10 {found.score:.4f} on validation{among}, the best of {len(found.tried)}"


def _exposure(shelf: Shelf, fit: csr_matrix, judged: csr_matrix, ease: float) -> tuple[float, str]:
    """Choose how evenly items are shown, with the reason: nearly EASE's accuracy and half of what is gained are kept.

    Args: ease its NDCG@10.
    """
    table = table_of(shelf, fit)
    tried: list[tuple[float, float, float]] = []  # NDCG@10, Gini, exposure
    for knot in KNOTS:
        ranking = ranking_of(Shelf(shelf.scorer, shelf.factor, prices_at(table, knot)), fit, judged)
        tried.append((mean_ndcg(ranking), gini(ranking.top[:, :SHOWN], ranking.items), knot))
    best = max(tried)[0]
    bar = (1 - NOTICEABLE) * ease + KEPT * max(0.0, best - ease)
    score, _, exposure = min((one for one in tried if one[0] >= bar), key=lambda one: one[1], default=tried[0])
    return exposure, (
        f"the most even lists that keep half of what the best ones gain over EASE on validation, to {NOTICEABLE:.1%}: "
        f"NDCG@10 {score:.4f}, {best:.4f} and {ease:.4f}"
    )
