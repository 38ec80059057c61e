"""The verdict on generated examples of any kind, in words, for users new to GANs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ganforge.measures.labels import FEW_OF_LABEL
from ganforge.measures.neighbours import Copying
from ganforge.records import GRADES, Grade, Measure, Verdict

Gain = Literal["beats", "unproven", "none"]  # against the Gaussian
BOUNDS = (0.25, 0.55, 0.85, 1.15)  # upper ends of the position for each grade but the last
FEW = 50  # unseen pictures, below which the verdict says how few were compared


def judge_run(
    measures: Sequence[Measure],
    copies: Copying,
    classes: Mapping[str, Any] | None,
    conditional: bool,
    compared: int = FEW,
    nouns: str = "pictures",
) -> Verdict:
    """Grade by the position of the Frechet distance between floor and reference.

    The position is log(distance / floor) / log(reference / floor): 0 is as good as real examples, 1 as bad as the
    Gaussian. Up to 0.25 excellent, 0.55 good, 0.85 fair, 1.15 poor, beyond it failed. Then the worst of these limits:
    copying suspected: poor at best; a label missing, coverage under a quarter of the floor's, or no gain over the
    Gaussian: fair at best; diversity under 0.3: failed. The logarithm, because quality is felt in factors: 40 -> 20 is
    a step like 20 -> 10.

    Args: compared, examples on each side; nouns for several of them.
    `adversarial_helps`: the 95 % intervals of BOTH the Frechet and the kernel distance lie wholly below the reference.
    """
    by_name = {measure.name: measure for measure in measures}
    frechet, kid = by_name["frechet_distance"], by_name["kid"]
    gain = _gain(frechet, kid)
    place = position(frechet)
    missing = classes["missing"] if classes is not None else []
    worst = sum(place > bound for bound in BOUNDS)
    collapsed = by_name["diversity"].value < 0.3
    gaps = by_name["coverage"].value < 0.25 * by_name["coverage"].floor
    worst = max(
        worst, 2 if missing or gaps or gain == "none" else 0, 3 if copies.suspected else 0, 4 if collapsed else 0
    )
    grade = GRADES[worst]
    return Verdict(
        grade,
        _headline(grade, gain, copies.suspected, collapsed, missing, nouns),
        (
            *_sentences(by_name, copies, missing, conditional, gain, nouns),
            *_few_of_label(classes, nouns),
            *few_compared(compared, nouns),
        ),
        gain == "beats",
    )


def _few_of_label(classes: Mapping[str, Any] | None, nouns: str) -> tuple[str, ...]:
    few = (classes or {}).get("few")
    if not few:
        return ()
    return (f"Fewer than {FEW_OF_LABEL} training {nouns} are of {_listed(few)}: samples of that may be copies.",)


def few_compared(compared: int, nouns: str = "pictures") -> tuple[str, ...]:
    """Return the sentence on unseen examples that are so few that they decide by chance; or none."""
    if compared >= FEW:
        return ()
    return (
        f"Only {compared} unseen {nouns} could be compared: {compared} others might lead to another grade. "
        f"Give more {nouns} to be sure.",
    )


def _gain(frechet: Measure, kid: Measure) -> Gain:
    """Return whether samples are nearer to real examples than the Gaussian's, by both distances."""
    if frechet.high < frechet.reference and kid.high < kid.reference:
        return "beats"
    return "unproven" if frechet.value < frechet.reference and kid.value < kid.reference else "none"


def position(measure: Measure) -> float:
    """Return a distance's position between floor (0) and reference (1), by ratio; may be outside 0..1."""
    tiny = 1e-6
    floor, value, reference = (max(v, tiny) for v in (measure.floor, measure.value, measure.reference))
    span = math.log(reference / floor)
    if span <= 0.05:  # the Gaussian is as good as real examples: only the distance to the floor is informative
        return max(0.0, math.log(value / floor))
    return math.log(value / floor) / span


def _headline(grade: Grade, gain: Gain, copied: bool, collapsed: bool, missing: Sequence[str], nouns: str) -> str:
    if collapsed:
        return "Failed: the generator repeats nearly the same over and over."
    if copied:
        return f"{grade.capitalize()}: the generator returns {nouns} that it was trained on."
    if gain == "none":
        return f"{grade.capitalize()}: the adversarial training does not beat a simple Gaussian here."
    if missing:
        return (
            f"{grade.capitalize()}: {_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing from the samples."
        )
    if gain == "unproven":
        return f"{grade.capitalize()}: better than a simple Gaussian, but with so few unseen {nouns} not for certain."
    return {
        "excellent": f"Excellent: the samples are almost as close to unseen real {nouns} as other real {nouns} are.",
        "good": f"Good: the samples are much closer to real {nouns} than a simple Gaussian gets.",
        "fair": "Fair: the samples are clearly better than a simple Gaussian, and clearly not real yet.",
        "poor": "Poor: the samples are hardly better than those of a simple Gaussian.",
        "failed": "Failed: the samples are worse than those of a simple Gaussian.",
    }[grade]


def _sentences(
    by_name: Mapping[str, Measure], copies: Copying, missing: Sequence[str], conditional: bool, gain: Gain, nouns: str
) -> tuple[str, ...]:
    frechet, kid, precision, recall = (by_name[name] for name in ("frechet_distance", "kid", "precision", "recall"))
    words = [
        f"The distance to real {nouns} is {_number(frechet.value)} "
        f"({_number(frechet.low)} to {_number(frechet.high)}); real {nouns} among themselves get "
        f"{_number(frechet.floor)}, and a simple Gaussian, which is not a GAN, gets {_number(frechet.reference)}.",
        f"{precision.value:.0%} of the samples look like real {nouns} (real ones: {precision.floor:.0%}, "
        f"the Gaussian: {precision.reference:.0%}), and {recall.value:.0%} of the real variety is covered "
        f"(real ones: {recall.floor:.0%}, the Gaussian: {recall.reference:.0%}).",
    ]
    if gain == "none":
        words.append(
            f"The kernel distance is {_number(kid.value)} against {_number(kid.reference)} for the Gaussian: "
            "train longer, or use the Gaussian."
        )
    if gain == "unproven":
        unsure = frechet if frechet.high >= frechet.reference else kid
        words.append(
            f"The {'Frechet' if unsure is frechet else 'kernel'} distance may be as high as {_number(unsure.high)}, "
            f"and the Gaussian's is {_number(unsure.reference)}: more data, not more training, would settle it."
        )
    if missing:
        words.append(f"Hardly any sample shows {_listed(missing)}.")
    if conditional and "label_agreement" in by_name:
        agreement = by_name["label_agreement"]
        words.append(
            f"{agreement.value:.0%} of the samples show the label that was asked for "
            f"(the judge itself is right {agreement.floor:.0%} of the time)."
        )
    words.append(copies.sentence)
    return tuple(words)


def _listed(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names[:5]] + ([f"{len(names) - 5} more"] if len(names) > 5 else [])
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " and " + quoted[-1]


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
