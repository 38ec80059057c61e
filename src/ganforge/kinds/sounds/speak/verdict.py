"""The verdict on a voice: how well it is understood, beside recordings, and whether the adversary helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganforge.kinds.sounds.comparison import Values
from ganforge.kinds.sounds.speak.corpus import ENOUGH_SECONDS
from ganforge.measures.intervals import certainly_lower
from ganforge.records import GRADES, Verdict

WITHOUT, SHARP, RECORDINGS, MEANS = "without adversary", "with adversary", "recordings", "sign means"
BOUNDS = (0.02, 0.08, 0.2, 0.4)  # more of the signs that are misheard than in recordings, for each grade but the last
TRUSTED = 0.2  # of the letters of recordings that a reader mishears: beyond, it cannot tell how good a voice is
WORSE = 1.02  # of the mel distance, from which the sharp decoder is further off


def prefers_sharp(without: Values, sharp: Values) -> bool:
    """Return whether the adversary makes spectra certainly less smooth, and hardly further off or harder to read."""
    far = sharp["mel_distance"].mean() > WORSE * without["mel_distance"].mean()
    misread = certainly_lower(without["reading_errors"], sharp["reading_errors"])
    return not far and not misread and certainly_lower(sharp["variance_gap"], without["variance_gap"])


def judge_voice(values: Mapping[str, Values], default: str, passport: Mapping[str, Any]) -> Verdict:
    """Return the verdict. Args: values of each method; default the one that speaks."""
    errors = {name: float(own["reading_errors"].mean()) for name, own in values.items()}
    mine, natural, simple = errors[default], errors[RECORDINGS], errors[MEANS]
    grade = GRADES[sum(mine - natural > bound for bound in BOUNDS)]
    helps = default == SHARP
    if mine >= simple:
        grade, headline = GRADES[-1], "it is not understood better than a mean spectrum for each sign"
    elif natural > TRUSTED:
        grade = max(grade, "poor", key=GRADES.index)
        headline = "the reader has not learned to read the recordings, so it cannot tell that the voice is understood"
    elif mine - natural <= BOUNDS[1]:
        headline = "sentences that it never heard are read nearly as well as recordings"
    else:
        headline = "sentences that it never heard are harder to read than recordings"
    sentences = [
        f"A reader trained on recordings mishears {mine:.0%} of the signs, of recordings {natural:.0%}, and "
        f"{simple:.0%} where each sign is its mean spectrum.",
        "The adversary makes spectra less smooth at hardly a price, so it is used."
        if helps
        else "The adversary does not make it certainly better: the voice without it speaks; --strength 1 is the other.",
    ]
    if passport["seconds"] < ENOUGH_SECONDS:
        sentences.append(
            f"There were {passport['seconds'] / 60:.1f} minutes of speech; a voice needs about "
            f"{ENOUGH_SECONDS / 60:.0f}."
        )
    if grade in GRADES[2:]:
        sentences.append("Train longer, or give more recordings with their texts.")
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences), helps)
