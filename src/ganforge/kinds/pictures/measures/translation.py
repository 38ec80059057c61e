"""Measures of a translation, compared with copying the input and the nearest training pair; and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.pictures.measures.psnr_ssim import mean_of, psnr, ssim
from ganforge.measures.distances import kernel_distance, kernel_gain
from ganforge.measures.generated import small_versions
from ganforge.measures.intervals import Estimate, rival
from ganforge.measures.judge import Judge
from ganforge.measures.neighbours import nearest_with_index
from ganforge.measures.verdict import few_compared
from ganforge.records import Evaluation, Grade, Meaning, Measure, Verdict

Pictures = NDArray[np.uint8]
Features = NDArray[np.float32]
MEANINGS = {
    "psnr": Meaning(
        "higher", "How near the result is to the truth, in decibels: 6 more halve the typical error of a pixel."
    ),
    "ssim": Meaning("higher", "How much of the truth's structure the result shows: 1 is all of it, 0 none."),
    "kid": Meaning("lower", "Kernel distance: how unlike real pictures of the other side the results are, as a crowd."),
    "kept": Meaning(
        "higher", "How much of the input's structure is still there: 1 is all of it. Copying keeps everything."
    ),
}
COPYING, NEAREST = "the input, copied", "the nearest training pair"
RECOLOURED = "the input, recoloured"
LEAST_KEPT = 0.1  # SSIM between input and result below which a translation has lost its subject
UNKNOWN = (
    "Whether the adversarial part helped is unknown: to see it, train the same network without it, by "
    "--set task.adversarial=0, and compare the kernel distances."
)
ALONE = "The network was trained on the distance to the truth alone: no discriminator had a say."
SENTENCES = {
    COPYING: "Nothing is changed.",
    NEAREST: "What belongs to the training input that is most like this one.",
    RECOLOURED: "Each channel is shifted and scaled to the other side's mean and spread; nothing is learned.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """Held-out inputs and their results. Each uint8 (N, C, H, W)."""

    given: Pictures
    made: Pictures
    truth: Pictures | None  # of pairs
    real: Pictures  # held-out pictures of the other side; of pairs the truth again


def scores_of(cases: Translated, result: Pictures, real: Features, seen: Features) -> dict[str, Estimate]:
    """Compute every measure of results (N, C, H, W) for the inputs of the cases.

    Args: real, seen the judge's features of cases.real and of the results, (M, D) and (N, D).
    """
    kid = kernel_distance(real, seen)
    if cases.truth is None:
        return {"kid": kid, "kept": mean_of(ssim(cases.given, result))}
    return {"psnr": mean_of(psnr(cases.truth, result)), "ssim": mean_of(ssim(cases.truth, result)), "kid": kid}


def judge_translation(
    judge: Judge, cases: Translated, train: tuple[Pictures, Pictures], unlearned: Pictures, adversarial: bool
) -> Evaluation:
    """Return measures, rivals and verdict; the facts are the rivals.

    Args: train pictures of A and B; of pairs in the same order. unlearned: of B, real ones that the judge was not
        trained on, for the floor. adversarial: whether a discriminator was used.
    """
    real, made = judge.features(cases.real), judge.features(cases.made)
    mine = scores_of(cases, cases.made, real, made)
    results = {COPYING: cases.given}
    if cases.truth is not None:
        _, nearest = nearest_with_index(small_versions(cases.given), small_versions(train[0]), k=1)
        results[NEAREST] = train[1][nearest[:, 0]]
    else:
        results[RECOLOURED] = recoloured(cases.given, *train)
    seen = {name: judge.features(result) for name, result in results.items()}
    rivals = {name: scores_of(cases, result, real, seen[name]) for name, result in results.items()}
    ahead = {} if cases.truth is None else {name: gains(cases.truth, cases.made, r) for name, r in results.items()}
    closer = {name: kernel_gain(real, features, made) for name, features in seen.items()}
    floor = kernel_distance(real, judge.features(unlearned)).value
    floors = {"kid": floor, "kept": 1.0}
    measures = tuple(
        Measure.of(
            name, its, MEANINGS[name], floor=floors.get(name, float("nan")), reference=rivals[COPYING][name].value
        )
        for name, its in mine.items()
    )
    told = [
        rival(name, SENTENCES.get(name, ""), {measure: found.value for measure, found in scores.items()})
        for name, scores in {"this model": mine, **rivals}.items()
    ]
    found = verdict(mine, rivals, ahead, closer, adversarial)
    return Evaluation(
        measures=measures,
        verdict=replace(found, sentences=(*found.sentences, *few_compared(len(cases.given)))),
        samples=len(cases.made),
        held_out=len(cases.given),
        judge=judge.description,
        floor="The floor of the kernel distance is that of real pictures of the other side against others of them; "
        "for the rest it is unknown.",
        reference=f"The reference is not a GAN: {COPYING}.",
        best="real pictures",
        simplest="a copy of the input",
        facts={"rivals": told},
    )


def gains(truth: Pictures, made: Pictures, rival: Pictures) -> dict[str, Estimate]:
    """Return how much nearer to the truth the results are than a rival's, paired by picture.
    A hard picture is hard for both: the mean of the differences varies far less than the difference of the means."""
    return {
        name: mean_of(measure(truth, made) - measure(truth, rival))
        for name, measure in (("psnr", psnr), ("ssim", ssim))
    }


def recoloured(pictures: Pictures, of: Pictures, to: Pictures) -> Pictures:
    """Match each channel's mean and deviation of pictures (N, C, H, W) to those of another side.

    Source: Reinhard et al. 2001, "Color transfer between images", equations 10 and 11, here in the pictures' own
    channels and over whole sets, whose training pictures are `of` and `to`.
    """
    means, spreads = ([f(side, (0, 2, 3), keepdims=True) for side in (of, to)] for f in (np.mean, np.std))
    scaled = (pictures - means[0]) * (spreads[1] / np.maximum(spreads[0], 1.0)) + means[1]
    colours: Pictures = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return colours


def verdict(
    mine: Mapping[str, Estimate],
    rivals: Mapping[str, Mapping[str, Estimate]],
    ahead: Mapping[str, Mapping[str, Estimate]],
    closer: Mapping[str, Estimate],
    adversarial: bool,
) -> Verdict:
    """Return the verdict: whether results are nearer to the truth, or to the other side, than non-translations.

    Args: ahead `gains` over each rival; empty if no truth is known. closer: by how much the kernel distance
        is smaller than each rival's, computed jointly so that common terms cancel.
    Returns: adversarial_helps: without pairs only the discriminator requires a change, so that it helps if it
        is certain that the results are closer than copies. With pairs that is unknown: the same network was not trained
        without it.
    """
    sentences = [_sentence(name, mine, rivals) for name in mine]
    if "psnr" not in mine:
        return _verdict_without_truth(mine, closer, sentences)
    sentences.append(UNKNOWN if adversarial else ALONE)
    worse = [name for name, gain in ahead[COPYING].items() if gain.value <= 0]
    if worse:
        headline = f"Failed: copying the input is nearer to the truth ({' and '.join(_named(name) for name in worse)})."
        return Verdict("failed", headline, tuple(sentences), None)
    behind = [name for name, gain in ahead[NEAREST].items() if gain.value <= 0]
    if behind:
        headline = (
            "Fair: nearer to the truth than copying the input, but the nearest training pair is nearer still "
            f"({' and '.join(_named(name) for name in behind)})."
        )
        return Verdict("fair", headline, tuple(sentences), None)
    certain = all(gain.low > 0 for found in ahead.values() for gain in found.values())
    alike = closer[COPYING].value > 0
    grade: Grade = "good" if alike and certain else "fair"
    rest = "and more like the other side" if alike else "but no more like the other side"
    chance = "" if certain else "; with so few pictures that is not certain"
    headline = (
        f"{grade.title()}: nearer to the truth than copying the input or the nearest training pair, {rest}{chance}."
    )
    return Verdict(grade, headline, tuple(sentences), None)


def _verdict_without_truth(
    mine: Mapping[str, Estimate], closer: Mapping[str, Estimate], sentences: Sequence[str]
) -> Verdict:
    helps = closer[COPYING].low > 0
    if closer[COPYING].value <= 0:
        headline = "Failed: the results are no more like the other side than the inputs are. Copy the inputs instead."
        return Verdict("failed", headline, tuple(sentences), False)
    if mine["kept"].value < LEAST_KEPT:
        headline = "Poor: the results are like the other side, but little of the inputs is left in them."
        return Verdict("poor", headline, tuple(sentences), helps)
    if closer[RECOLOURED].value <= 0:
        headline = (
            "Fair: the results are more like the other side than the inputs, but inputs that are merely recoloured are "
            "more so still. Recolouring needs no training."
        )
        return Verdict("fair", headline, tuple(sentences), helps)
    if helps and closer[RECOLOURED].low > 0:
        headline = "Good: the results are clearly more like the other side than the inputs, recoloured or not."
        return Verdict("good", headline, tuple(sentences), True)
    headline = (
        "Fair: the results are more like the other side than the inputs, recoloured or not, but perhaps by chance."
    )
    return Verdict("fair", headline, tuple(sentences), helps)


def _named(name: str) -> str:
    return {"psnr": "PSNR", "ssim": "SSIM", "kid": "Kernel distance", "kept": "Structure kept"}[name]


def _sentence(name: str, mine: Mapping[str, Estimate], rivals: Mapping[str, Mapping[str, Estimate]]) -> str:
    found = mine[name]
    others = ", ".join(f"{rival}: {scores[name].value:.3g}" for rival, scores in rivals.items())
    return f"{_named(name)} {found.value:.3g} ({found.low:.3g} to {found.high:.3g}); {others}."
