"""A discriminator that knows the training set by heart judges by memory and not by likeness."""

from __future__ import annotations

from collections.abc import Mapping

from ganforge.diagnosis.history import discriminators, looks, measures, middle
from ganforge.records import Finding, History

LOOKS = 3
LEAST_GAP = 0.1  # between training data and samples: below it the discriminator tells nothing apart
LEAST_FALL = 0.25  # from training data to unseen data: less than that is lost in the scores' own noise
FELT_GAP = 0.5  # from it on its judgement moves the generator: softplus(-0.5) is two thirds of softplus(0)


def discriminator_overfits(history: History) -> Finding | None:
    """Held-out real examples score much lower than training ones, measured in the distance from training to fake.

    The three scores are compared within one record, because a relativistic score has no zero and drifts over a run.
    Held-out examples are scored when the product is looked at; the last three looks count.
    Source: Karras et al. 2020 (StyleGAN2-ADA), r_v = (E D_train - E D_validation) / (E D_train - E D_generated).
    """
    for judge in discriminators(history):
        told = [(record.get("notes") or {}).get(judge) or {} for record in looks(history)]
        last_looks = [notes for notes in told if "score_held_out" in notes][-LOOKS:]
        shares = [_share(notes) for notes in last_looks]
        falls = [float(notes["score_real"]) - float(notes["score_held_out"]) for notes in last_looks]
        if len(shares) < LOOKS or not middle(shares) > 0.5 or middle(falls) < LEAST_FALL:
            continue
        share, last = middle(shares), last_looks[-1]
        train, fake, held_out = (float(last[f"score_{kind}"]) for kind in ("real", "fake", "held_out"))
        return Finding(
            ailment="discriminator_overfits",
            severity="note" if train - fake < FELT_GAP else "critical" if share > 0.9 else "warning",
            evidence=f"{judge} scores training examples {train:.3g}, real examples it has never seen {held_out:.3g} "
            f"and samples {fake:.3g}: unseen real data falls {share:.0%} of the way to fake (under 50 % is healthy).",
            cause="There is too little data for a discriminator of this size, so it learns the training set by heart.",
            remedy="More data is the cure. Without it: augmentation that adapts, with "
            "`--set augmentation.target=0.8`, `--size tiny`, fewer `--minutes`, or twice the penalty with "
            "`--set objective.gamma_start=...`.",
        )
    return None


def _share(notes: Mapping[str, float]) -> float:
    """How far unseen real data falls from training data towards fake: 0 not at all, 1 it counts as fake."""
    gap = float(notes["score_real"]) - float(notes["score_fake"])
    return (float(notes["score_real"]) - float(notes["score_held_out"])) / gap if gap > LEAST_GAP else 0.0


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
