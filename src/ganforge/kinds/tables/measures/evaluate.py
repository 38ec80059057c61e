"""The evaluation of a generator of tables: every measure with real rows and a Gaussian copula, and a verdict."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ganforge.contracts import Plain
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import FEWEST_COMPARED, Column, learned
from ganforge.kinds.tables.measures.blocks import table_blocks
from ganforge.kinds.tables.measures.rare_values import rare_sentences
from ganforge.kinds.tables.measures.rivals import SENTENCE, rivals_of
from ganforge.kinds.tables.measures.scoring import MOST_ROWS, Real, Score, subset
from ganforge.kinds.tables.measures.verdict import (
    column_sentence,
    is_off,
    judge_table,
    lost_values,
    pair_sentence,
    shown,
)
from ganforge.kinds.tables.reading.arrays import row_count, take
from ganforge.measures.intervals import rival
from ganforge.records import Estimate, Evaluation, Meaning, Measure

TABLE_MEANINGS: dict[str, Meaning] = {
    "table_quality": Meaning("higher", "How alike single columns and pairs of columns are; the mean of the next two."),
    "column_shapes": Meaning("higher", "How alike each column's values are spread, column by column; 1 is the same."),
    "column_pairs": Meaning(
        "higher", "How alike two columns go together, over the pairs that depend on each other; 1 is the same."
    ),
    "sdmetrics_quality": Meaning("higher", "The quality score as the package SDMetrics computes it, for comparison."),
    "utility": Meaning(
        "higher",
        "What a model that learns from generated rows can do on real ones, as a share of what real rows teach it.",
    ),
    "label_score": Meaning(
        "higher", "How well a model that learns from generated rows predicts the label of real ones (AUC, or R^2)."
    ),
    "detection": Meaning(
        "lower", "How well a model tells generated rows from unseen real ones: 0.5 is guessing, 1 is always right."
    ),
    "nearer_to_train": Meaning(
        "lower", "Share of rows that lie nearer to a training row than to an unseen one: 0.5 is right, more is copying."
    ),
    "exact_copies": Meaning("lower", "Share of rows that equal a training row in every column."),
}

TABLE_QUICK = ("table_quality", "column_shapes", "column_pairs")  # measured during training


MOST_PAIRS = 200  # that are listed, the worst ones
SIDES = ("score", "floor", "reference")  # of the generated rows, of real ones, of the copula's
PERFECT = 0.5  # of detection and nearness: what a perfect generator gets, by symmetry
JUDGE = {
    "kind": "held-out rows",
    "sentence": "Measured with real rows that training never saw, and with boosted trees.",
}
FLOOR = "The floor is what unseen real rows get in place of generated ones, and what training on real rows gives."


def evaluate_table(
    train: Plain, held_out: Plain, samples: Plain, columns: Sequence[Column], *, label: str | None, seed: int
) -> Evaluation:
    """Compare generated rows with real ones, and rivals that are not GANs in the same way.

    Columns and pairs are compared with the training rows, in sets as large as the held-out one, because the floor is
    what the held-out rows get in their place. Memory is bounded: at most 200,000 training rows are searched for copies,
    60,000 are compared, and 30,000 of held-out and generated rows each; the seed decides which.

    Args: train, held_out, samples: plain columns by name, in any order of rows; identifier and constant columns are
        left out. Give as many samples as training rows, up to 30,000: the trees learn from them. label: the column that
        matters most, or None.
    Returns: facts, columns and pairs worst first: columns [{name, kind, score, floor, reference, sentence ("" where it
        is right)}], pairs [{columns, score, floor, reference, counts, sentence}], targets [{name, measure, generated,
        low, high, real, reference}], label (how the other columns predict it: {name, skill, low, high, held_out} or
        None), rivals [{name, sentence, measures}], nearest (a sentence on copying), copying_suspected.
    Raises: DataError for fewer than 10 rows on a side or without a column to measure.
    """
    _refuse_too_few(train, held_out, samples, columns)
    # Boosted trees wait for each other's threads at every leaf: on two cores that others use as well, two threads took
    # 590 s for Adult where one takes 40.
    with threadpool_limits(limits=1, user_api="openmp"):
        real = Real.prepare(train, held_out, columns, label, seed)
        rows = subset(samples, columns, MOST_ROWS, seed, "samples")
        rivals = {name: (sentence, drawn) for name, sentence, drawn in rivals_of(real, row_count(rows))}
        scores = {name: real.score(drawn, name) for name, (_, drawn) in rivals.items()}
        mine, best, copula = real.score(rows, "samples"), real.score_real(), scores["Gaussian copula"]
        label_found = _label(real)
    listed_columns = _columns(real, rows, (mine, best, copula))
    lost = [
        f"{column.name}: no row has {shown(value)}, which is common in the real rows."
        for column in real.coding.columns
        for value in lost_values(column, real.train[column.name], rows[column.name])
    ]
    rare = rare_sentences(real.train, rows, columns)[:1]
    facts = {
        "columns": listed_columns,
        "pairs": _pairs(real, rows, (mine, best, copula)),
        "targets": _targets(real, mine, copula),
        "label": label_found,
        "rivals": [
            rival(name, sentence, {measure: estimate.value for measure, estimate in score.measures.items()})
            for name, sentence, score in (
                ("this model", "The generated rows.", mine),
                *((name, rivals[name][0], score) for name, score in scores.items()),
                ("held-out real rows", "Real rows that training never saw: the best that can be hoped for.", best),
            )
        ],
        "nearest": mine.copies.sentence,
        "copying_suspected": mine.copies.suspected,
    }
    return Evaluation(
        measures=(*_measures(mine, best, copula), *_package_measure(real, rows, rivals["Gaussian copula"][1], mine)),
        verdict=judge_table(
            mine,
            best,
            copula,
            scores["independent columns"],
            held_out=row_count(real.held_out),
            off=[*rare, *(column["sentence"] for column in listed_columns if column["sentence"])],
            lost=lost,
            columns=columns,
            label=label,
        ),
        samples=row_count(rows),
        held_out=row_count(real.held_out),
        judge=JUDGE,
        floor=FLOOR,
        reference=SENTENCE,
        best="real rows",
        simplest="a Gaussian copula",
        blocks=table_blocks(facts),
        facts=facts,
    )


def _measures(mine: Score, best: Score, copula: Score) -> list[Measure]:
    floors = {name: estimate.value for name, estimate in best.measures.items()}
    floors |= {"detection": PERFECT, "nearer_to_train": PERFECT, "exact_copies": mine.copies.unseen_exact.value}
    return [
        Measure.of(name, its, TABLE_MEANINGS[name], floor=floors[name], reference=copula.measures[name].value)
        for name, its in mine.measures.items()
    ]


def _package_measure(real: Real, rows: Plain, copula: Plain, mine: Score) -> list[Measure]:
    """Return SDMetrics' own score if it is installed, with the width of ours: the definitions are nearly the same."""
    if not sdmetrics_available():
        return []
    size = row_count(real.held_out)
    value, floor, reference = (
        sdmetrics_quality(take(real.train, slice(0, MOST_ROWS)), take(part, slice(0, size)), real.columns)
        for part in (rows, real.held_out, copula)
    )
    own, name = mine.similarity.quality, "sdmetrics_quality"
    found = Estimate(value, value - (own.value - own.low), min(1.0, value + (own.high - own.value)))
    return [Measure.of(name, found, TABLE_MEANINGS[name], floor=floor, reference=reference)]


def sdmetrics_available() -> bool:
    """Return whether SDMetrics is installed; it comes with the extra ganforge[sdmetrics]."""
    return find_spec("sdmetrics") is not None


def sdmetrics_quality(real: Plain, rows: Plain, columns: Sequence[Column]) -> float:
    """Return SDMetrics' QualityReport of `rows` against `real`, 0..1; datetimes are passed as numbers.

    Raises: ModuleNotFoundError if SDMetrics is not installed; see `sdmetrics_available`.
    """
    kinds = {c.name: {"sdtype": "numerical" if c.is_number else "categorical"} for c in learned(columns)}
    with warnings.catch_warnings():  # of its own name, and of columns that do not vary, which our own sentences report
        warnings.simplefilter("ignore")
        from sdmetrics.reports.single_table import QualityReport

        report = QualityReport()
        frames = (pd.DataFrame({name: table[name] for name in kinds}) for table in (real, rows))
        report.generate(*frames, {"columns": kinds}, verbose=False)
    return float(report.get_score())


def _columns(real: Real, rows: Plain, sides: tuple[Score, Score, Score]) -> list[dict[str, Any]]:
    """Compare the columns. Args: sides the results of the generated rows, real ones and the copula's."""
    similarity, best, found = sides[0].similarity, sides[1].similarity, []
    off = is_off(similarity.by_column, best.by_column, min(row_count(rows), row_count(real.held_out)))
    for place, column in enumerate(real.coding.columns):
        scores = dict(zip(SIDES, (float(side.similarity.by_column[place]) for side in sides), strict=True))
        sentence = column_sentence(column, real.train[column.name], rows[column.name]) if off[place] else ""
        found.append({"name": column.name, "kind": column.kind, **scores, "sentence": sentence})
    return sorted(found, key=lambda column: column["score"])


def _pairs(real: Real, rows: Plain, sides: tuple[Score, Score, Score]) -> list[dict[str, Any]]:
    """Compare the pairs. Args: as for `_columns`."""
    similarity, best, found = sides[0].similarity, sides[1].similarity, []
    off = is_off(similarity.by_pair, best.by_pair, min(row_count(rows), row_count(real.held_out)))
    pairs = np.stack(np.triu_indices(len(similarity.names), 1), axis=1)
    for i, j in pairs[np.argsort(similarity.by_pair[*pairs.T], kind="stable")][:MOST_PAIRS]:
        scores = dict(zip(SIDES, (float(side.similarity.by_pair[i, j]) for side in sides), strict=True))
        first, second, sentence = real.coding.columns[i], real.coding.columns[j], ""
        if off[i, j]:
            theirs, made = ((side[first.name], side[second.name]) for side in (real.train, rows))
            sentence = pair_sentence(first, second, theirs, made)
        counts = bool(similarity.related[i, j])
        found.append({"columns": [first.name, second.name], **scores, "counts": counts, "sentence": sentence})
    return found


def _targets(real: Real, mine: Score, copula: Score) -> list[dict[str, Any]]:
    found = []
    for target in real.targets:
        got = mine.utility.scores[target.name]
        told: dict[str, Any] = {"name": target.name, "measure": target.measure}
        ends = {"generated": got.value, "low": got.low, "high": got.high}
        reference = copula.utility.scores[target.name].value
        found.append({**told, **ends, "real": float(target.real[0]), "reference": reference})
    return found


def _label(real: Real) -> dict[str, Any] | None:
    skill = real.label_skill()
    if skill is None:
        return None
    told = {"name": real.label, "skill": skill.value, "low": skill.low, "high": skill.high}
    return {**told, "held_out": row_count(real.held_out)}


def _refuse_too_few(train: Plain, held_out: Plain, samples: Plain, columns: Sequence[Column]) -> None:
    if not learned(columns):
        raise DataError(
            "There is no column to measure.", "All are identifiers or constant.", "Give a table with others."
        )
    for name, table in (("training", train), ("held-out", held_out), ("generated", samples)):
        if row_count(table) < FEWEST_COMPARED:
            raise DataError(
                f"There are only {row_count(table)} {name} rows.",
                f"The measures need at least {FEWEST_COMPARED}.",
                "Give more rows.",
            )
