"""The choice among methods by cross-validation on the labelled sounds alone, and the evaluation of the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.kinds.sounds.generate.grid import Levels
from ganforge.kinds.sounds.recognise.labelled import EVERY, Labelled
from ganforge.kinds.sounds.recognise.networks import (
    ADVERSARIAL,
    FULL,
    LINEAR,
    METHODS,
    STUDENT,
    SUPERVISED,
    Linear,
    Recogniser,
    summary_of,
)
from ganforge.measures.classification import Crossed, Scores, calibration_error, confusions, reliability
from ganforge.measures.intervals import Estimate, measures_of, rival, rival_rows
from ganforge.records import GRADES, Block, Evaluation, Meaning, Verdict

AT_ONCE = 256  # sounds in one pass
INVERSE_PENALTY = 0.1  # of the linear model: best of .01 to 10 on spoken digits
BOUNDS = (0.95, 0.85, 0.7)  # accuracies of the first three grades
SENTENCES = {
    LINEAR: "Logistic regression on means, deviations and quantiles of cepstra: no network.",
    SUPERVISED: "A small network that learned from the labels alone.",
    STUDENT: "The same network, which also learned from what the one before said of sounds without labels.",
    ADVERSARIAL: "The same as self-training, and against a generator of sounds.",
}
NAMED = {
    LINEAR: "the linear model",
    SUPERVISED: "the supervised network",
    STUDENT: "self-training",
    ADVERSARIAL: "the adversary",
}
MEANINGS = {
    "accuracy": Meaning("higher", "Share of labelled sounds whose label is found by networks that never saw it."),
    "calibration_error": Meaning("lower", "How far the mean certainty is from the share of right labels."),
}


@torch.no_grad()
def scores_of(network: Callable[[Tensor], Tensor], levels: Levels, device: torch.device) -> Scores:
    """Return what a network on a device says of levels 0..255 (N, 1, M, frames), taken as 0..1."""
    parts = [
        network(torch.from_numpy(np.array(levels[first : first + AT_ONCE])).to(device) / FULL)
        for first in range(0, len(levels), AT_ONCE)
    ]
    scores: Scores = torch.cat(parts).double().cpu().numpy()
    return scores


@torch.no_grad()
def fit_linear(product: Recogniser, found: Labelled) -> None:
    """Fit the linear models, of all labels and of each fold's others. Every sound tells the scale of the features."""
    every = scores_of(summary_of, np.concatenate([found.levels, found.others]), torch.device("cpu"))
    mean, scale = every.mean(0), every.std(0).clip(1e-3)
    known = (every[: len(found.levels)] - mean) / scale
    for member, model in enumerate(product.of(LINEAR)):
        assert isinstance(model, Linear)
        seen = found.folds != member - 1 if member else np.ones(len(known), bool)
        fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(known[seen], found.labels[seen])
        weight, bias = fitted.coef_, fitted.intercept_
        if len(weight) == 1:  # of two labels scikit-learn tells the second one's alone
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        for buffer, values in ((model.mean, mean), (model.scale, scale), (model.weight, weight), (model.bias, bias)):
            buffer.copy_(torch.from_numpy(values))


def crossed(product: Recogniser, found: Labelled, methods: Sequence[str] | None = None) -> Crossed | None:
    """Recognise each labelled sound with the networks that never saw its label; None where every sound was learned."""
    places = np.flatnonzero(found.folds != EVERY)
    if not len(places):
        return None
    scores: dict[str, Scores] = {}
    for method in methods or product.methods:
        own = np.zeros((len(places), len(found.names)))
        for fold in np.unique(found.folds[places]):
            here = found.folds[places] == fold
            own[here] = scores_of(product.of(method)[int(fold) + 1], found.levels[places[here]], product.device)
        scores[method] = own
    return Crossed(scores, found.labels[places], found.folds[places])


def choose(found: Crossed) -> str:
    """Return the method of the highest accuracy; of equal ones the simpler."""
    return max(found.scores, key=lambda method: (found.right(method).mean(), -METHODS.index(method)))


def evaluate_recogniser(product: Recogniser, found: Labelled, heard: Block) -> Evaluation:
    """Return the evaluation. Args: heard the block of uncertain sounds."""
    told, method = crossed(product, found), product.method
    about: dict[str, Any] = {
        "samples": 0 if told is None else len(told.labels),
        "held_out": 0 if told is None else len(told.labels),
        "judge": {
            "kind": "cross-validation",
            "sentence": "Each labelled sound is recognised by a network that did not learn from its fold. The one that "
            "is used learned from all labels, and is likely to be better.",
        },
        "floor": "The floor is every label right, and a certainty as large as the share of right labels.",
        "reference": "The reference is the linear model, and certainties that were not calibrated.",
        "best": "no error",
        "simplest": "the linear model",
    }
    if told is None:
        return Evaluation(measures=(), verdict=_unmeasured(method), blocks=(heard,), facts={"method": method}, **about)
    accuracies = {one: told.accuracy(one) for one in product.methods}
    right, certainties = told.right(method), told.certainties(method).max(1)
    raw = softmax(told.scores[method], axis=1).max(1)
    random = np.random.default_rng(seed_for(0, "recognise/calibration"))
    scored = {"accuracy": accuracies[method], "calibration_error": calibration_error(certainties, right, random)}
    uncalibrated = float(abs(raw.mean() - right.mean()))
    simplest = {"accuracy": accuracies[LINEAR].value, "calibration_error": uncalibrated}
    rivals = [
        rival(one, SENTENCES[one], {"accuracy": accuracies[one].value, "low": accuracies[one].low,
                                    "high": accuracies[one].high})
        for one in (method, *(one for one in product.methods if one != method))
    ]  # fmt: skip
    return Evaluation(
        measures=measures_of(scored, MEANINGS, {"accuracy": 1.0, "calibration_error": 0.0}, simplest),
        verdict=_verdict(told, method, accuracies, found),
        blocks=(
            heard,
            Block(
                "Methods",
                "The one with the highest share of right labels was chosen, the simpler one of equals.",
                (rival_rows(rivals, {"accuracy": "right", "low": "at least", "high": "at most"}),),
            ),
            Block(
                "Which labels are confused",
                "Labels that were found, for each true one.",
                (confusions(told.labels, told.scores[method].argmax(1), found.names, "sounds"),),
            ),
            Block(
                "Is the certainty right?",
                "Sounds by their certainty.",
                (reliability(certainties, right, "sounds"),),
            ),
        ),
        facts={"rivals": rivals, "method": method, "temperature": float(product.temperature)},
        **about,
    )


def _unmeasured(method: str) -> Verdict:
    why = "Every label has one sound, and all of them were learned: nothing is left to measure with or to choose by."
    do = "Give two or more sounds of each label. Certainties are not calibrated."
    return Verdict("poor", f"Poor: how good it is could not be measured; {NAMED[method]} is used.", (why, do), None)


def _verdict(told: Crossed, method: str, accuracies: Mapping[str, Estimate], found: Labelled) -> Verdict:
    mine, labels = accuracies[method], len(found.names)
    chance = float(np.bincount(told.labels, minlength=labels).max() / len(told.labels))
    grade = GRADES[sum(mine.value < bound for bound in BOUNDS)] if mine.low > chance else "failed"
    headline = f"{mine.value:.0%} of labels are found ({mine.low:.0%} to {mine.high:.0%}) by {NAMED[method]}"
    sentences = [f"Always the most frequent label would be right for {chance:.0%}."]
    for other in METHODS:
        if other in accuracies and other != method:
            gain = told.gain(method, other, np.random.default_rng(seed_for(0, "recognise/bootstrap")))
            sure = "certainly better than" if gain.low > 0 else "not certainly better than"
            sentences.append(
                f"{NAMED[method].capitalize()} is {sure} {NAMED[other]}: {100 * gain.value:+.0f} points "
                f"({100 * gain.low:+.0f} to {100 * gain.high:+.0f})."
            )
    folds = len(np.unique(told.folds))
    sentences.append(
        f"Measured on {len(told.labels):,} labelled sounds, each by a network that learned from {1 - 1 / folds:.0%} of "
        "the labels; of sounds unlike all of these, such as other voices, it tells nothing."
    )
    if chance == mine.value or grade in ("poor", "failed"):
        sentences.append("Label more sounds: those under Listen first.")
    helps = None if ADVERSARIAL not in accuracies else method == ADVERSARIAL
    return Verdict(grade, f"{grade.capitalize()}: {headline}.", tuple(sentences[:7]), helps)
