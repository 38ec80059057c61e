"""The verdict on a vocoder: whether it beats Griffin and Lim's phases, and whether the adversary helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.records import GRADES, Verdict

Values = Mapping[str, NDArray[np.float64]]  # a measure of each sound, by its name
BOUNDS = (0.8, 0.92, 1.0, 1.15)  # upper ends of the distances beside Griffin and Lim's, for each grade but the last
WORSE = 1.03  # of the spectral distance, from which the sharp end is further off
LITTLE_SECONDS = 300.0  # of training sounds


def certainly_lower(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Return whether the mean difference of pairs is below 0 by two standard errors."""
    apart = one - other
    return len(apart) > 1 and float(apart.mean()) < -2 * float(apart.std(ddof=1)) / len(apart) ** 0.5


def prefers_sharp(faithful: Values, sharp: Values) -> bool:
    """Return whether the sharp end is certainly less smooth, and hardly further from the truth."""
    far = sharp["spectral_distance"].mean() > WORSE * faithful["spectral_distance"].mean()
    return not far and certainly_lower(sharp["fine_structure"], faithful["fine_structure"])


def judge_vocoder(values: Mapping[str, Values], default: str, passport: Mapping[str, Any]) -> Verdict:
    """Return the verdict. Args: values of faithful, sharp, Griffin-Lim and untrained; default the end that is used."""
    mine, phases = values[default], values["Griffin-Lim"]
    names = ("spectral_distance", "cepstral_distance")
    beside = float(np.mean([mine[name].mean() / phases[name].mean() for name in names]))
    grade = GRADES[sum(beside > bound for bound in BOUNDS)]
    beats = [certainly_lower(mine[name], phases[name]) for name in names]
    helps = default == "sharp"
    headline = (
        "the sounds are nearer to the recordings than Griffin and Lim's method gets"
        if all(beats)
        else "on some measures Griffin and Lim's method, which needs no training, is as near to the recordings"
        if any(beats)
        else "Griffin and Lim's method, which needs no training, is as near to the recordings or nearer"
    )
    sentences = [
        f"The spectral distance is {mine[names[0]].mean():.3f}, Griffin and Lim's {phases[names[0]].mean():.3f}; the "
        f"cepstral distance {mine[names[1]].mean():.2f} dB against {phases[names[1]].mean():.2f} dB.",
        "The adversary makes spectra less smooth at hardly a price, so the sharp end is used."
        if helps
        else "The adversary does not make it certainly better: the end without it is used; --strength 1 is the other.",
    ]
    if not all(beats):
        sentences.append("Train longer, give more recordings of this voice, or use Griffin and Lim's method.")
    if passport["seconds"] < LITTLE_SECONDS:
        sentences.append(
            f"There were {passport['seconds']:.0f} s of sound; a voice needs about {LITTLE_SECONDS / 60:.0f} minutes."
        )
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences), helps)
