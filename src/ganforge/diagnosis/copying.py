"""Samples that are training examples: the model has learnt by heart."""

from __future__ import annotations

from ganforge.diagnosis.history import measures
from ganforge.records import Finding, History


def copying(history: History) -> Finding | None:
    """The evaluation suspects copying: the same rule as the verdict's, so that the two never disagree.

    A distance may convict a model and never acquits one (arXiv 2505.01524, "the DCR delusion"), so silence here is not
    a proof of privacy.
    """
    if not history.evaluation.get("copying_suspected"):
        return None
    measure = measures(history).get("copying", {})
    numbers = (
        f"{float(measure['value']):.1%} of the samples lie unusually close to one training example (95 % interval "
        f"{float(measure['low']):.1%} to {float(measure['high']):.1%}); of real examples that were never shown, "
        f"{float(measure['floor']):.1%} do."
        if measure
        else str(history.evaluation.get("nearest", ""))
    )
    return Finding(
        ailment="copying",
        severity="critical",
        evidence=numbers,
        cause="The model reproduces training examples instead of inventing new ones: too little data for its size, "
        "trained for too long, or many duplicates in the data.",
        remedy="Do not publish these samples if the data is private. Add more data or remove duplicates (see the data "
        "passport), train a smaller network with `--size tiny`, or stop earlier with `--minutes`.",
    )
