"""The task `impute`: a table's missing cells from the others. The game of rows, trained to complete them.

A cell that is missing in training is neither shown nor learned from; the cross-entropy of hidden cells is added to
the adversarial loss, because a filled table needs the best guess of each single cell.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Plain, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.seeds import seed_for
from ganforge.kinds.tables.columns import LEARNED, Column, RowSettings, TableData
from ganforge.kinds.tables.figures.columns import draw_columns, learned_names
from ganforge.kinds.tables.generate.task import GenerateRows, RowsJob, open_job, plan_job
from ganforge.kinds.tables.measures.blocks import filling_blocks
from ganforge.kinds.tables.measures.similarity import by_frequency
from ganforge.kinds.tables.plan import begin
from ganforge.kinds.tables.reading.arrays import row_count
from ganforge.measures.intervals import Estimate, from_bootstrap, rival, with_ends
from ganforge.recipe import Data, Recipe, Request, TaskSection
from ganforge.records import Evaluation, Grade, Meaning, Measure, Page, Verdict
from ganforge.run import Run

HIDDEN = 0.2  # share of the cells, as in the papers
NEIGHBOURS, MOST_ROWS = 5, 5_000  # of k-nearest neighbours, and training rows that rivals learn from
MOST_ONE_HOT = 20  # texts of a column that rivals distinguish; rarer ones they never fill in
LEAST_ERROR = 1e-3  # below which errors are as good as none


@dataclass(frozen=True, slots=True)
class MaskedRows:
    """Rows with hidden cells, and which cells were hidden, (N,) for each learned column."""

    truth: Plain
    rows: Plain
    hidden: dict[str, NDArray[np.bool_]]


def mask_cells(plain: Plain, columns: Sequence[Column], seed: int) -> MaskedRows:
    """Hide a fifth of the present cells, at random and independently (missing completely at random)."""
    random = np.random.default_rng(seed_for(seed, "metrics/hidden cells"))
    rows, hidden = dict(plain), {}
    for column in columns:
        if column.kind in LEARNED:
            values = plain[column.name]
            hidden[column.name] = (random.random(len(values)) < HIDDEN) & ~pd.isna(values)
            rows[column.name] = values.copy()
            rows[column.name][hidden[column.name]] = np.nan if column.is_number else None
    return MaskedRows(plain, rows, hidden)


def filling_scores(holes: MaskedRows, filled: Plain, columns: Sequence[Column]) -> dict[str, Estimate]:
    """Return `rmse` over hidden cells of numbers, each column scaled by its range, and `accuracy` over categories.

    With 95 % intervals by bootstrap over cells. Source: the measure of Yoon et al. 2018, GAIN.
    """
    errors, right = [], []
    for column in columns:
        if column.name not in holes.hidden:
            continue
        cells = holes.hidden[column.name]
        truth, told = holes.truth[column.name][cells], filled[column.name][cells]
        if column.is_number:
            width = (column.maximum or 0.0) - (column.minimum or 0.0)
            errors.append((truth - told) / (width or 1.0))
        else:
            right.append(truth == told)
    scores = {}
    random = np.random.default_rng(seed_for(0, "metrics/imputation"))
    if errors and len(squares := np.concatenate(errors) ** 2):
        scores["rmse"] = from_bootstrap(lambda cells: float(np.sqrt(squares[cells].mean())), len(squares), random)
    if right and len(hits := np.concatenate(right).astype(np.float64)):
        scores["accuracy"] = from_bootstrap(lambda cells: float(hits[cells].mean()), len(hits), random)
    return scores


def by_means(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Fill with a column's mean, or its most frequent value: the simplest rival."""
    filled = dict(rows)
    for column in columns:
        values, there = rows[column.name], ~pd.isna(train[column.name])
        if column.kind in LEARNED and there.any():
            known = pd.Series(train[column.name][there])
            guess = float(known.mean()) if column.is_number else known.mode()[0]
            filled[column.name] = np.where(pd.isna(values), guess, values)
    return filled


def by_neighbours(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Fill with the mean, or the most frequent value, of the nearest training rows by the present cells."""
    from sklearn.impute import KNNImputer

    return _by_imputer(KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True), train, rows, columns)


def by_regression(train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Fill each column from all others by ridge regression, in rounds (iterative imputation)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it makes the next line possible
    from sklearn.impute import IterativeImputer
    from sklearn.linear_model import Ridge

    imputer = IterativeImputer(Ridge(alpha=0.1), max_iter=10, tol=0.01, keep_empty_features=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last round is taken as it is
        return _by_imputer(imputer, train, rows, columns)


def _by_imputer(imputer: object, train: Plain, rows: Plain, columns: Sequence[Column]) -> Plain:
    """Fill by an imputer of scikit-learn for numbers: categories are one column of 0 and 1 for each frequent value, and
    become the value whose column is filled with the most.
    """
    learned_ones = [column for column in columns if column.kind in LEARNED]
    filled = dict(by_means(train, rows, columns))
    known, asked = (
        np.concatenate([_as_numbers(table[column.name], column, train) for column in learned_ones], axis=1)
        for table in (train, rows)
    )
    told, place = imputer.fit(known[:MOST_ROWS]).transform(asked), 0  # type: ignore[attr-defined]
    for column in learned_ones:
        values = rows[column.name]
        if column.is_number:
            low, width = _range(column)
            filled[column.name], place = np.where(np.isnan(values), told[:, place] * width + low, values), place + 1
            continue
        texts = np.array(by_frequency(train[column.name])[:MOST_ONE_HOT], object)
        if len(texts):
            guess = texts[told[:, place : place + len(texts)].argmax(axis=1)]
            filled[column.name] = np.where(pd.isna(values), guess, values)
        place += len(texts)
    return filled


def _as_numbers(values: NDArray[Any], column: Column, train: Plain) -> NDArray[np.float64]:
    """Return a column (N,) as numbers (N, D), NaN where missing: scaled by its range, or 0 and 1 for each text."""
    if column.is_number:
        low, width = _range(column)
        return ((values - low) / width)[:, None]
    texts = np.array(by_frequency(train[column.name])[:MOST_ONE_HOT], object)
    codes: NDArray[np.float64] = (values[:, None] == texts[None, :]) / np.sqrt(2)  # different ones are one apart
    codes[pd.isna(values)] = np.nan
    return codes


def _range(column: Column) -> tuple[float, float]:
    """Return the least value and the width of a column of numbers; a width of 1 where all are equal."""
    low = column.minimum or 0.0
    return low, ((column.maximum or 0.0) - low) or 1.0


SIMPLEST = "means and most frequent values"
RIVALS: Mapping[str, tuple[Callable[..., Plain], str]] = {
    SIMPLEST: (by_means, "Every hole of a column gets the same value."),
    "k-nearest neighbours": (by_neighbours, "The mean of the five nearest training rows."),
    "iterative linear regression": (by_regression, "Each column from all others, round after round."),
}
MEANINGS = {
    "rmse": Meaning("lower", "Typical error of a filled number, as a share of its column's range."),
    "accuracy": Meaning("higher", "Share of filled categories that are just what was hidden."),
}
WORDS = {"rmse": "typical error", "accuracy": "share of right categories"}


class Impute(Task):
    """The task of imputation: a game of two on a table with missing cells."""

    name: ClassVar[str] = "impute"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {
        **{name: meaning.better for name, meaning in MEANINGS.items()},
        "filling": "higher",
    }
    section: ClassVar[type[TaskSection] | None] = RowSettings
    data: ClassVar[type[Data]] = TableData
    page: ClassVar[Page] = Page(
        nouns="rows",
        judged="rows with hidden cells",
        samples="Filled cells",
        caption="How the values that were filled in are spread, over those that were hidden",
        story="Cells of rows that training never sees are hidden, and filled by the model. Each chart shows what it "
        "filled in at that moment, over what the cells held.",
        wide=True,
    )

    def plan(self, request: Request, tell: Tell) -> RowsJob:
        """Open the table and choose everything the person did not. Raises: DataError, RecipeError."""
        return plan_job(begin(request, Impute), tell, self)

    def open(self, recipe: Recipe, tell: Tell) -> RowsJob:
        """Open the job of a recipe again. Raises: DataError if the table is missing or has changed."""
        return open_job(recipe, tell, self)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Build the game as for generating rows."""
        return GenerateRows().join(recipe, brief, examples)

    def look(self, job: RowsJob, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Fill hidden cells of held-out rows, draw them over the true values, and measure."""
        columns = job.table.codec.columns
        holes = mask_cells(job.table.held_out_rows, columns, seed=1)  # other cells than those of the evaluation
        filled = job.model(product).complete(holes.rows, seed=1)
        write_whole(run.sample_grid(examples), _drawn(holes, filled, columns, learned_names(columns)))
        job.tell("sampled", path=str(run.sample_grid(examples)))
        scores = filling_scores(holes, filled, columns)
        return with_ends({**scores, "filling": filling(scores)})

    def evaluate(self, job: RowsJob, run: Run, product: nn.Module) -> Evaluation:
        """Return errors on hidden cells of held-out rows, with those of fillings that are not a GAN.

        The facts are rivals [{name, sentence, measures}].
        """
        table, columns = job.table, job.table.codec.columns
        holes = mask_cells(table.held_out_rows, columns, seed=0)
        filled = job.model(product).complete(holes.rows, seed=2)
        mine = filling_scores(holes, filled, columns)
        rivals = {
            name: filling_scores(holes, fill(table.train_rows, holes.rows, columns), columns)
            for name, (fill, _) in RIVALS.items()
        }
        write_whole(run.figure("columns"), _drawn(holes, filled, columns, list(holes.hidden)))
        told = [
            rival(name, sentence, {measure: score.value for measure, score in scores.items()})
            for name, sentence, scores in (
                ("this model", "", mine),
                *((name, sentence, rivals[name]) for name, (_, sentence) in RIVALS.items()),
            )
        ]
        judged = row_count(holes.rows)
        return Evaluation(
            measures=tuple(
                Measure.of(name, its, MEANINGS[name], floor=math.nan, reference=rivals[SIMPLEST][name].value)
                for name, its in mine.items()
            ),
            verdict=verdict(mine, rivals),
            samples=judged,
            held_out=judged,
            judge={
                "kind": "hidden cells",
                "sentence": f"Measured on {HIDDEN:.0%} of the cells of rows that training never saw, hidden at random.",
            },
            floor="The floor is unknown: how much of a cell the others tell cannot be known beforehand.",
            reference=f"The reference is not a GAN: {SIMPLEST}.",
            simplest=SIMPLEST,
            blocks=filling_blocks(told),
            facts={"rivals": told},
        )


def _drawn(holes: MaskedRows, filled: Plain, columns: Sequence[Column], names: Sequence[str]) -> bytes:
    """Draw a PNG of the true and filled values of hidden cells of some columns."""
    held, told = ({name: rows[name][cells] for name, cells in holes.hidden.items()} for rows in (holes.truth, filled))
    return draw_columns(held, told, columns, names, ("hidden values", "filled in"))


def filling(scores: Mapping[str, Estimate]) -> Estimate:
    """Return the score by which the best model is kept: the mean of 1 - rmse and accuracy, or the one that exists."""
    right = [
        Estimate(1 - score.value, 1 - score.high, 1 - score.low) if name == "rmse" else score
        for name, score in scores.items()
    ]
    return Estimate(*(fmean(getattr(score, end) for score in right) for end in ("value", "low", "high")))


def verdict(mine: Mapping[str, Estimate], rivals: Mapping[str, Mapping[str, Estimate]]) -> Verdict:
    """Judge in words whether the model fills better than each rival, by its errors in numbers and categories together.

    They are compared by the mean of the logarithms of their ratios: half the error in one is worth twice that in the
    other. A difference is certain if it is there at the worse end of the intervals too.
    """
    best = min(rivals, key=lambda name: _log_error(rivals[name], "value"))
    ahead = _log_error(rivals[best], "value") - _log_error(mine, "value")
    sure = _log_error(rivals[best], "value") > _log_error(mine, "worse")
    grade: Grade = "fair"
    if sure:
        grade, what = "good", f"hidden cells are filled better than by {best}, the best of the simple fillings."
    elif ahead > 0:
        what = f"hidden cells are filled as well as by {best}; a difference is not certain."
    elif _log_error(rivals[SIMPLEST], "value") > _log_error(mine, "value"):
        what = f"better than {SIMPLEST}, but {best} fills hidden cells better: use it here."
    else:
        grade, what = "failed", f"{best} fills hidden cells better than this model."
    sentences = []
    for measure, score in mine.items():
        others = ", ".join(f"{rival}: {told[measure].value:.3g}" for rival, told in rivals.items() if measure in told)
        sentences.append(f"The {WORDS[measure]} is {score.value:.3g} ({score.low:.3g} to {score.high:.3g}); {others}.")
        behind = _log_error({measure: score}, "value") > _log_error({measure: rivals[best][measure]}, "value")
        if len(mine) > 1 and behind == (ahead > 0):
            sentences[-1] += f" In this alone {best} {'is better' if behind else 'is not better'}."
    return Verdict(grade, f"{grade.capitalize()}: {what}", tuple(sentences), None)


def _log_error(scores: Mapping[str, Estimate], end: Literal["value", "worse"]) -> float:
    """Return the mean logarithm of the errors: the rmse, and the share of wrong categories."""
    worse = {"rmse": "high", "accuracy": "low"}
    errors = [
        value if name == "rmse" else 1 - value
        for name, score in scores.items()
        for value in [getattr(score, worse[name] if end == "worse" else "value")]
    ]
    return fmean(math.log(max(error, LEAST_ERROR)) for error in errors)
