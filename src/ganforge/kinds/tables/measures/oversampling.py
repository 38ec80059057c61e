"""Rows by SMOTE, the habit of people with a label: a mix of a row and one of its neighbours in the same class.

It needs imbalanced-learn, which comes with the extra ganforge[smote].
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.coding import by_frequency, ranks
from ganforge.kinds.tables.reading.plain import row_count

NEIGHBOURS = 5
SENTENCE = "Each row a mix of a training row and one of its nearest neighbours of the same label."

Floats = NDArray[np.float64]


def smote_available() -> bool:
    """Whether imbalanced-learn is installed."""
    return find_spec("imblearn") is not None


def smote_rows(train: Plain, columns: Sequence[Column], label: str, count: int, seed: int) -> Plain | None:
    """About `count` new rows with the training rows' shares of each label; none are training rows.

    A missing number is filled by the median first, because SMOTE cannot do without. Labels of fewer than six rows
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
