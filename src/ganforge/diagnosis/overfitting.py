"""A discriminator that knows the training set by heart judges by memory and not by likeness."""

from __future__ import annotations

from ganforge.contracts import Finding, History
from ganforge.diagnosis.reading import discriminators, middle, series, window


def discriminator_overfits(history: History) -> Finding | None:
    """Held-out real examples score much lower than training ones, measured in the distance from training to fake.

    Source: Karras et al. 2020 (StyleGAN2-ADA), r_v = (E D_train - E D_validation) / (E D_train - E D_generated).
    """
    for judge in discriminators(history):
        train = middle(window(series(history, "notes", judge, "score_real")))
        fake = middle(window(series(history, "notes", judge, "score_fake")))
        held_out = middle(window(series(history, "notes", judge, "score_held_out")))
        gap = train - fake
        if not gap > 0.1:  # also when one is missing: NaN compares false
            continue
        share = (train - held_out) / gap
        if not share > 0.5:
            continue
        return Finding(
            ailment="discriminator_overfits",
            severity="critical" if share > 0.9 else "warning",
            evidence=f"{judge} scores training examples {train:.3g}, real examples it has never seen {held_out:.3g} "
            f"and samples {fake:.3g}: unseen real data falls {share:.0%} of the way to fake (under 50 % is healthy).",
            cause="There is too little data for a discriminator of this size, so it learns the training set by heart.",
            remedy="More data is the cure. Without it: `--size tiny`, fewer `--minutes`, or twice the penalty with "
            "`--set objective.gamma_start=...`.",
        )
    return None
