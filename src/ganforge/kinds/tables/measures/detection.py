"""Can a boosted tree tell generated rows from real ones that the generator never saw? 0.5 is guessing, 1 is always."""

from __future__ import annotations

import numpy as np

from ganforge.contracts import Plain
from ganforge.kinds.tables.measures.sides import joined, row_count, take
from ganforge.kinds.tables.measures.trees import TreeView, auc, auc_standard_error, fit_classes
from ganforge.measures.intervals import Estimate, from_standard_error

FEWEST = 10  # rows of each kind


def detection(view: TreeView, held_out: Plain, samples: Plain, random: np.random.Generator) -> Estimate:
    """The mean of two areas under the curve: a tree learns on one half of all rows and judges the other, both ways.

    Args: held_out and samples equally many rows, at least 10. The interval is Hanley and McNeil's for all rows.
    """
    n = min(row_count(held_out), row_count(samples))
    table = joined([take(held_out, slice(0, n)), take(samples, slice(0, n))])
    features, made = view.matrix(table), np.arange(2 * n) >= n
    halves = np.zeros(2 * n, bool)
    for start in (0, n):  # as many of each kind in either half
        halves[start + random.permutation(n)[: n // 2]] = True
    areas = []
    for learn in (halves, ~halves):
        model = fit_classes(features[learn], made[learn].astype(np.int64), view.categorical())
        areas.append(auc(made[~learn], model.predict_proba(features[~learn])[:, 1]))
    area = float(np.mean(areas))
    return from_standard_error(area, auc_standard_error(area, n, n), 0.0, 1.0)
