"""The choice of a method for each style, and the verdict: what the adversary adds, where a simple way does as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganforge.kinds.text.restyle.edits import Line
from ganforge.kinds.text.restyle.measures import MEANINGS, Course
from ganforge.kinds.text.restyle.model import (
    COPY,
    EXPECTED,
    METHODS,
    NEAREST,
    NETWORK,
    RERANKED,
    SELECTED,
    SUFFIX,
    TEMPLATE,
)
from ganforge.measures.intervals import Estimate, mean_of_groups, measures_of, rival, rival_rows, values_of
from ganforge.records import GRADES, Block, Evaluation, Grade, Rows, Verdict

SLACK = 0.1  # below the share of real lines that the judge knows
MOST_ENDING, OF_REAL = 0.05, 1.5  # share of one ending; or so many times that of real lines
BOUNDS = (1.0, 0.5, 0.25)  # of the way from copies to real lines, in accuracy, for the first three grades
SHOWN = 8
SENTENCES = {
    SELECTED: "What similar lines of the style have, at prices of an adversary.",
    NETWORK: "Rewritten by the network, which played against a discriminator of styles.",
    EXPECTED: "What similar lines of the style have most, whatever the adversary says.",
    RERANKED: "Of 15 templates the one most typical and least surprising.",
    TEMPLATE: "Without what marks other styles, and with what the most similar line of the style has.",
    NEAREST: "The most similar line of the style, whatever it says.",
    SUFFIX: "The same words at the end of every line.",
    COPY: "The line as it is.",
}
HEADS = {"accuracy": "right style", "common_ending": "one ending"}
Scores = Mapping[str, Estimate]


@dataclass(frozen=True)
class Compared:
    """The scores of every method for one style."""

    name: str
    scores: Mapping[str, Scores]  # by method
    curve: Mapping[float, Scores]  # of the selection, by strength
    real: Estimate  # share of real lines of the style that the judge knows
    real_ending: float  # share of their most common ending
    real_perplexity: float
    examples: tuple[tuple[str, ...], ...]  # source, and what some methods made of it
    sources: int

    @classmethod
    def of(
        cls, course: Course, names: Sequence[str], made: Mapping[str, Sequence[Line]], curve: Mapping[float, Scores]
    ) -> Compared:
        """Measure what every method made."""
        known, ending, perplexity = course.real()
        columns = (SELECTED, NETWORK, TEMPLATE)
        examples = tuple(
            (course.sources[place].text, *(made[method][place].text for method in columns))
            for place in range(min(SHOWN, len(course.sources)))
        )
        scores = {method: course.scores(made[method]) for method in METHODS}
        return cls(names[course.style], scores, curve, known, ending, perplexity, examples, len(course.sources))

    def fits(self, method: str) -> bool:
        """Return whether a method's lines are as typical as real ones, without one ending for many."""
        found = self.scores[method]
        most = max(MOST_ENDING, OF_REAL * self.real_ending + 2.5 / self.sources)
        return found["accuracy"].high >= self.real.value - SLACK and found["common_ending"].value <= most

    def content(self, method: str) -> float:
        """Return the mean of what is kept and, where there are references, of what is as there."""
        found = self.scores[method]
        return float(np.mean([found[name].value for name in ("kept", "reference") if name in found]))


def choose(compared: Compared) -> str:
    """Return the method that is used: the best in content of those that fit, the simpler of equals.

    Where none fits it is the most typical one. The nearest line never is: it says something else.
    """
    fitting = [method for method in METHODS if method != NEAREST and compared.fits(method)]
    if fitting:
        return max(fitting, key=lambda method: (compared.content(method), -METHODS.index(method)))
    return max((SELECTED, TEMPLATE, NETWORK), key=lambda method: compared.scores[method]["accuracy"].value)


def evaluate_restyler(compared: Sequence[Compared], chosen: Sequence[str], passport: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation. Args: chosen the method that is used for each style."""
    names = [name for name in MEANINGS if all(name in one.scores[COPY] for one in compared)]
    both = list(zip(compared, chosen, strict=True))
    scored = {name: mean_of_groups([one.scores[method][name] for one, method in both], math.inf) for name in names}
    copies = {name: float(np.mean([one.scores[COPY][name].value for one in compared])) for name in names}
    floors = {
        "accuracy": float(np.mean([one.real.value for one in compared])),
        "reference": 1.0,
        "kept": 1.0,
        "perplexity": float(np.mean([one.real_perplexity for one in compared])),
        "common_ending": float(np.mean([one.real_ending for one in compared])),
    }
    blocks, rivals = list[Block](), dict[str, Any]()
    for one, method in both:
        order = (method, *(other for other in METHODS[::-1] if other != method))
        rows = [rival(other, SENTENCES[other], values_of(one.scores[other])) for other in order]
        rivals[one.name] = rows
        heads = ("strength", *names)
        curve = tuple(
            (f"{strength:g}", *(f"{found[name].value:.3f}" for name in names)) for strength, found in one.curve.items()
        )
        blocks += [
            Block(
                f"Into {one.name}: lines", "Held-out lines of other styles.",
                (Rows(("as it was", SELECTED, NETWORK, TEMPLATE), one.examples),), first=True,
            ),
            Block(
                f"Into {one.name}: every method",
                f"The judge knows {one.real.value:.0%} of real lines; {one.real_ending:.1%} of these have the most "
                "common ending.",
                (
                    rival_rows(rows, HEADS),
                    Rows(heads, curve, f"{SELECTED.capitalize()} by strength.", tuple(range(len(heads)))),
                ),
            ),
        ]  # fmt: skip
    return Evaluation(
        measures=measures_of(scored, MEANINGS, floors, copies),
        verdict=_verdict(both, passport),
        samples=sum(one.sources for one in compared),
        held_out=int(passport["held_out"]),
        judge={
            "kind": "classifier",
            "sentence": "A linear classifier of runs of words in lines that no method has seen; it knows "
            f"{floors['accuracy']:.0%} of real lines.",
        },
        floor="The floor is what real lines of the style get, and the source itself for what is kept.",
        reference="The reference is the line as it is.",
        best="real lines",
        simplest="a copy",
        blocks=tuple(blocks),
        facts={"rivals": rivals, "methods": {one.name: method for one, method in both}},
    )


def _verdict(both: Sequence[tuple[Compared, str]], passport: Mapping[str, Any]) -> Verdict:
    ways, sentences = list[float](), list[str]()
    helps = []
    for one, method in both:
        mine, copy, suffix = one.scores[method], one.scores[COPY], one.scores[SUFFIX]
        way = (mine["accuracy"].value - copy["accuracy"].value) / max(one.real.value - copy["accuracy"].value, 0.05)
        known = one.real.low > 1 / len(both)
        ways.append(0.0 if not known else way if one.fits(method) else min(way, 0.3))
        sentences.append(
            f"Into {one.name}, by {method}: {mine['accuracy'].value:.0%} are taken for {one.name} "
            f"({mine['accuracy'].low:.0%} to {mine['accuracy'].high:.0%}; real lines {one.real.value:.0%}, copies "
            f"{copy['accuracy'].value:.0%}), {mine['kept'].value:.0%} is kept, and {mine['common_ending'].value:.1%} "
            "have the most common ending."
        )
        if not known:
            sentences.append(
                f"The judge knows {one.real.value:.0%} of real lines of {one.name} (at least {one.real.low:.0%}), so "
                "these shares tell nothing: give more lines."
            )
        elif method not in (SELECTED, NETWORK):
            sentences.append(f"For {one.name} you need no adversary: {method} does as well.")
        elif one.content(SUFFIX) >= one.content(method) and suffix["accuracy"].value >= mine["accuracy"].value:
            sentences.append(
                f"By scores alone a constant suffix does as well: {suffix['accuracy'].value:.0%}, "
                f"{suffix['kept'].value:.0%} kept, and one ending on every line."
            )
        helps.append(method == NETWORK or (method == SELECTED and not one.fits(EXPECTED) and one.fits(SELECTED)))
    worst = min(ways)
    grade: Grade = GRADES[min(sum(worst < bound - 0.15 for bound in BOUNDS), 3)]
    used = ", ".join(dict.fromkeys(method for _, method in both))
    return Verdict(
        grade,
        f"{grade.capitalize()}: {np.mean([one.scores[method]['accuracy'].value for one, method in both]):.0%} of lines "
        f"are taken for the style that was asked for, by {used}.",
        (*sentences[:6], *[f"{passport['both']:,} lines of several styles were left out."] * (passport["both"] > 0)),
        any(helps),
    )
