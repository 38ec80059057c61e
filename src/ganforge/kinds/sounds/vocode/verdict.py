"""The verdict on a vocoder: whether it beats what needs no training, and whether the adversary helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganforge.kinds.sounds.comparison import ADVERSARY, Values
from ganforge.measures.intervals import certainly_lower
from ganforge.networks.ends import SHARP
from ganforge.records import GRADES, Verdict

PHASES, BANDS = "Griffin-Lim", "Griffin-Lim of bands"
NEAR = ("spectral_distance", "cepstral_distance")
BOUNDS = (0.92, 1.0, 1.15, 1.4)  # upper ends of the distances beside those of BANDS, for each grade but the last
LITTLE_SECONDS = 300.0  # of training sounds
FEW = 10  # judged sounds, below which little is certain


def judge_vocoder(values: Mapping[str, Values], default: str, passport: Mapping[str, Any]) -> Verdict:
    """Return the verdict.

    Args: values of faithful, perhaps of sharp, and of the methods without training; default the end that is used.
    """
    mine, bands, phases = values[default], values[BANDS], values[PHASES]
    beside = float(np.mean([mine[name].mean() / bands[name].mean() for name in NEAR]))
    grade = GRADES[sum(beside > bound for bound in BOUNDS)]
    wins = [certainly_lower(mine[name], bands[name]) for name in NEAR]
    loses = [certainly_lower(bands[name], mine[name]) for name in NEAR]
    headline = (
        "the sounds are nearer to the recordings than any method without training gets"
        if all(wins)
        else "a method without training, Griffin and Lim's of bands, is nearer to the recordings"
        if all(loses)
        else "on some measures a method without training, Griffin and Lim's of bands, is nearer to the recordings"
        if any(loses)
        else "the sounds are about as near to the recordings as the best method without training gets"
    )
    helps = default == SHARP
    told = ", ".join(
        f"the {name.replace('_', ' ')} is {mine[name].mean():.3g}, theirs {phases[name].mean():.3g} and "
        f"{bands[name].mean():.3g}"
        for name in NEAR
    )
    sentences = [f"Beside Griffin and Lim's method and that of bands: {told}."]
    if SHARP in values:
        sentences.append(ADVERSARY[helps])
    if any(loses):
        sentences.append(
            "Train longer or give more recordings of this voice. What the network has over that method is that it can "
            "be heard while it is made."
        )
    count = len(mine[NEAR[0]])
    if count < FEW:
        sentences.append(f"Only {count} sound{'s were' if count > 1 else ' was'} judged, so little is certain.")
    if passport["seconds"] < LITTLE_SECONDS:
        sentences.append(
            f"There were {passport['seconds']:.0f} s of sound; a voice needs about {LITTLE_SECONDS / 60:.0f} minutes."
        )
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences), helps)
