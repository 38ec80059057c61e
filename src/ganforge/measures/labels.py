"""Measures of labelled generators: agreement of samples with the requested labels, and balance of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.measures.intervals import Estimate, from_bootstrap, of_share

FEW_OF_LABEL = 10  # training examples, below which a label is told to have few
MISSING = 0.1  # of its training share: a label with less counts as missing


@dataclass(frozen=True, slots=True)
class Readings:
    """Labels that the judge predicts in held-out examples, samples and the reference's samples: (N,) each."""

    held_out: NDArray[np.int64]
    samples: NDArray[np.int64]
    reference: NDArray[np.int64]


def label_scores(
    read: Readings,
    train_labels: NDArray[np.int64],
    asked: NDArray[np.int64] | None,
    reference_asked: NDArray[np.int64],
    judge_accuracy: float,
    random: np.random.Generator,
) -> dict[str, tuple[Estimate, float, float]]:
    """Return (estimate, floor, reference) of label_agreement (for samples requested by label) and class_balance.

    The floor of the agreement is the judge's accuracy on unseen pictures: a perfect generator gets no more.
    """
    due = _shares(train_labels if asked is None else asked, _count(read, train_labels))
    train_due = _shares(train_labels, len(due))
    balance = from_bootstrap(lambda rows: _gap(read.samples[rows], due), len(read.samples), random)
    result = {
        "class_balance": (
            balance,
            _gap(read.held_out, train_due),
            _gap(read.reference, due if asked is not None else train_due),
        )
    }
    if asked is not None:
        agreement = of_share(int((read.samples == asked).sum()), len(asked))
        result["label_agreement"] = (agreement, judge_accuracy, float((read.reference == reference_asked).mean()))
    return result


def class_table(read: Readings, train_labels: NDArray[np.int64], names: Sequence[str]) -> dict[str, Any]:
    """Return the table of labels in evaluation.json, in their order.

    names, training_shares; held_out_shares and sample_shares as the judge predicts them; missing: the labels that are
    due at least 5 times among the samples and get less than a tenth of that. What is due is the smaller of the share in
    the training data and the share that the judge predicts in unseen real pictures: if it never recognises a label in
    real pictures, its absence from the samples means nothing.
    """
    count = _count(read, train_labels)
    words = [names[i] if i < len(names) else str(i) for i in range(count)]
    trained, held_out, drawn = (_shares(part, count) for part in (train_labels, read.held_out, read.samples))
    due = np.minimum(trained, held_out)
    missing = (due * len(read.samples) >= 5) & (drawn < MISSING * due)
    return {
        "names": words,
        "training_shares": trained.tolist(),
        "held_out_shares": held_out.tolist(),
        "sample_shares": drawn.tolist(),
        "missing": [word for word, gone in zip(words, missing, strict=True) if gone],
    }


def _count(read: Readings, train_labels: NDArray[np.int64]) -> int:
    return 1 + max(int(part.max()) for part in (read.held_out, read.samples, read.reference, train_labels))


def _shares(labels: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=count)[:count] / len(labels)


def _gap(classes: NDArray[np.int64], due: NDArray[np.float64]) -> float:
    return float(np.abs(_shares(classes, len(due)) - due).max())
