"""Columns that are learned as one, such as latitude and longitude: do generated points lie where real ones do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.files import write_whole
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.pairs import draw_pairs
from ganforge.kinds.tables.measures.rivals import GaussianCopula
from ganforge.kinds.tables.rules.coordinates import is_latitude
from ganforge.measures.intervals import score
from ganforge.measures.neighbours import K, neighbour_scores
from ganforge.records import Block, Estimate, Evaluation, Figure, Meaning, Measure, Prose, Rows
from ganforge.run import Run

COMPARED = 5_000  # points of each side
MEANING = Meaning(
    "higher", "Share of points that lie where real ones do: within the reach of a training point's fifth neighbour."
)
Floats = NDArray[np.float64]
Pair = tuple[str, str]


def with_places(
    found: Evaluation, run: Run, train: Plain, held_out: Plain, samples: Plain, columns: Sequence[Column],
    pairs: Sequence[Pair],
) -> Evaluation:  # fmt: skip
    """Return the evaluation with a measure of the worst pair, a sentence and a map of each; the figure is written.

    Of each pair precision and coverage are measured, beside those of unseen real points and of a Gaussian copula.
    """
    scored = {pair: each for pair in pairs if (each := _scores(train, held_out, samples, columns, pair))}
    if not scored:
        return found
    worst = min(scored, key=lambda pair: scored[pair][0]["precision"].value - scored[pair][1]["precision"].value)
    mine, real, copula = (side["precision"] for side in scored[worst])
    measure = Measure.of("places", mine, MEANING, floor=real.value, reference=copula.value)
    sentences = tuple(_sentence(pair, *(side["precision"] for side in sides)) for pair, sides in scored.items())
    off = [sentence for sentence in sentences if " although " in sentence]
    figure = Figure("pictures/places.png", "Points of real rows beside those of generated ones", wide=True)
    maps = [tuple(sorted(pair, key=is_latitude)) for pair in scored]  # the longitude is the x
    write_whole(run.figure("places"), draw_pairs(train, samples, columns, [(x, y) for x, y in maps]))
    heads = ("Pair", "On the map", "Unseen real points", "Copula", "Places reached", "Unseen real points", "Copula")
    rows = tuple(
        (" and ".join(pair), *(score(side[name].value) for name in ("precision", "coverage") for side in sides))
        for pair, sides in scored.items()
    )
    block = Block(
        "On the map",
        "Two numbers that are learned as one. On the map: the share of points within the reach of a training point's "
        "fifth neighbour. Places reached: the share of training points that have another one so near.",
        (figure, Prose(sentences), Rows(heads, rows, numeric=(1, 2, 3, 4, 5, 6))),
    )
    verdict = replace(found.verdict, sentences=(*found.verdict.sentences, *off[:1]))
    return replace(found, measures=(*found.measures, measure), verdict=verdict, blocks=(*found.blocks, block))


def _scores(
    train: Plain, held_out: Plain, samples: Plain, columns: Sequence[Column], pair: Pair
) -> list[dict[str, Estimate]] | None:
    """Return the neighbour scores of generated points, unseen real ones and a copula's; None for too few points."""
    mine = [column for column in columns if column.name in pair]
    base = {name: train[name] for name in pair}
    copula = GaussianCopula.fit(base, mine).sample(COMPARED, np.random.default_rng(seed_for(0, "places")))
    real, *sides = (_points(side, pair) for side in (train, samples, held_out, copula))
    count = min(len(points) for points in (real, *sides))
    if count <= 2 * K:
        return None
    spread = np.where(real.std(axis=0) > 0, real.std(axis=0), 1.0)
    return [neighbour_scores(real / spread, points[:count] / spread) for points in sides]


def _points(plain: Plain, pair: Pair) -> Floats:
    """Return at most COMPARED points (N, 2) without missing parts."""
    points = np.stack([plain[name] for name in pair], axis=1)
    there: Floats = points[~np.isnan(points).any(axis=1)][:COMPARED]
    return there


def _sentence(pair: Pair, mine: Estimate, real: Estimate, copula: Estimate) -> str:
    names = " and ".join(pair)
    if mine.high < real.low:
        return (
            f"{names}: {1 - mine.value:.1%} of the points lie where no real ones are, although {1 - real.value:.1%} of "
            "unseen real points do."
        )
    return (
        f"{names}: {mine.value:.1%} of the points lie where real ones do, as {real.value:.1%} of unseen real points "
        f"and {copula.value:.1%} of a copula's."
    )
