"""The task `impute`: a table's missing cells from those that are there. The game of rows, learned to complete them.

A cell that is missing in training is neither shown nor learned from; the cross-entropy of hidden cells stands beside
the adversarial loss, because the best guess of a single cell is what a person wants of a filled table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import ClassVar, Literal

from torch import nn

from ganforge.contracts import Batch, Feed, Game, Plain, Task, Tell
from ganforge.core.files import write_whole
from ganforge.kinds.tables.columns import Column, TableData
from ganforge.kinds.tables.figures import draw_columns
from ganforge.kinds.tables.generate.task import GenerateRows, RowsJob, learned_names, open_job, plan_job
from ganforge.kinds.tables.measures.blocks import filling_blocks
from ganforge.kinds.tables.measures.imputation import (
    HIDDEN,
    Holes,
    by_means,
    by_neighbours,
    by_regression,
    filling_scores,
    hide,
)
from ganforge.kinds.tables.plan import begin
from ganforge.kinds.tables.settings import RowSettings
from ganforge.measures.intervals import Estimate, rival, with_ends
from ganforge.recipe import Data, Recipe, Request, TaskSection
from ganforge.records import Evaluation, Grade, Meaning, Measure, Page, Verdict
from ganforge.run import Run

SIMPLEST = "means and most frequent values"
RIVALS: dict[str, Callable[..., Plain]] = {
    SIMPLEST: by_means,
    "k-nearest neighbours": by_neighbours,
    "iterative linear regression": by_regression,
}
SENTENCES = {
    SIMPLEST: "Every hole of a column gets the same value.",
    "k-nearest neighbours": "The mean of the five training rows that are nearest by their numbers.",
    "iterative linear regression": "Each number from all others, round after round.",
}
MEANINGS = {
    "rmse": Meaning("lower", "Typical error of a filled number, as a share of its column's range."),
    "accuracy": Meaning("higher", "Share of filled categories that are just what was hidden."),
}
WATCHED: dict[str, Literal["lower", "higher"]] = {"rmse": "lower", "accuracy": "higher", "filling": "higher"}


class Impute(Task):
    """Turns a table with holes into a game of two."""

    name: ClassVar[str] = "impute"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = WATCHED
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
        """Opens the table and chooses everything the person did not. Raises: DataError, RecipeError."""
        return plan_job(begin(request, Impute), tell, self)

    def open(self, recipe: Recipe, tell: Tell) -> RowsJob:
        """The same job again from its recipe. Raises: DataError if the table is gone or has changed."""
        return open_job(recipe, tell, self)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """As for generating rows."""
        return GenerateRows().join(recipe, brief, examples)

    def look(self, job: RowsJob, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Hidden cells of held-out rows, filled: drawn over what they held, and measured."""
        holes, columns = _holes(job, seed=1), job.table.codec.columns
        filled = job.model(product).complete(holes.rows, seed=1)
        write_whole(run.sample_grid(examples), _drawn(holes, filled, columns, learned_names(columns)))
        job.tell("sampled", path=str(run.sample_grid(examples)))
        scores = filling_scores(holes, filled, columns)
        scores["filling"] = filling(scores)
        return with_ends(scores)

    def evaluate(self, job: RowsJob, run: Run, product: nn.Module) -> Evaluation:
        """Errors on hidden cells of held-out rows, beside those of fillings that are not a GAN.

        The facts are rivals [{name, sentence, measures}].
        """
        table, holes = job.table, _holes(job, seed=0)
        columns = table.codec.columns
        filled = job.model(product).complete(holes.rows, seed=2)
        mine = filling_scores(holes, filled, columns)
        rivals = {
            name: filling_scores(holes, fill(table.train_rows, holes.rows, columns), columns)
            for name, fill in RIVALS.items()
        }
        write_whole(run.figure("columns"), _drawn(holes, filled, columns, list(holes.hidden)))
        told = [
            rival(name, SENTENCES.get(name, ""), {measure: score.value for measure, score in scores.items()})
            for name, scores in {"this model": mine, **rivals}.items()
        ]
        judged = len(next(iter(holes.rows.values())))
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


def _holes(job: RowsJob, seed: int) -> Holes:
    """Other cells are hidden when the model is judged than when the best one is chosen."""
    return hide(job.table.held_out_rows, job.table.codec.columns, seed)


def _drawn(holes: Holes, filled: Plain, columns: Sequence[Column], names: Sequence[str]) -> bytes:
    """A PNG of what hidden cells of some columns held and what they were filled with."""
    told = {name: filled[name][cells] for name, cells in holes.hidden.items()}
    held = {name: holes.truth[name][cells] for name, cells in holes.hidden.items()}
    return draw_columns(held, told, columns, names, ("hidden values", "filled in"))


def filling(scores: Mapping[str, Estimate]) -> Estimate:
    """One number by which the best model is kept: the mean of 1 - rmse and accuracy, of those that there are."""
    right = [
        Estimate(1 - score.value, 1 - score.high, 1 - score.low) if WATCHED[name] == "lower" else score
        for name, score in scores.items()
    ]
    values, lows, highs = ([getattr(score, end) for score in right] for end in ("value", "low", "high"))
    return Estimate(fmean(values), fmean(lows), fmean(highs))


def verdict(mine: Mapping[str, Estimate], rivals: Mapping[str, Mapping[str, Estimate]]) -> Verdict:
    """Whether the model fills better than each rival, by the first measure that the table has, in words."""
    name = next(iter(mine))
    sign = 1.0 if WATCHED[name] == "lower" else -1.0
    best = min(rivals, key=lambda rival: sign * rivals[rival][name].value)
    ahead = sign * (rivals[best][name].value - mine[name].value)
    sure = sign * (rivals[best][name].value - (mine[name].high if sign > 0 else mine[name].low)) > 0
    above_simplest = sign * (rivals[SIMPLEST][name].value - mine[name].value) > 0
    grade: Grade = "good" if sure else "fair" if ahead > 0 or above_simplest else "failed"
    words = {"rmse": "typical error", "accuracy": "share of right categories"}
    told = {
        measure: f"The {words[measure]} is {mine[measure].value:.3g} ({mine[measure].low:.3g} to "
        f"{mine[measure].high:.3g}); "
        + ", ".join(f"{rival}: {scores[measure].value:.3g}" for rival, scores in rivals.items() if measure in scores)
        + "."
        for measure in mine
    }
    if sure:
        headline = f"Good: hidden cells are filled better than by {best}, the best of the simple fillings."
    elif ahead > 0:
        headline = f"Fair: hidden cells are filled as well as by {best}; a difference is not certain."
    elif above_simplest:
        headline = f"Fair: better than {SIMPLEST}, but {best} fills hidden cells better: use it here."
    else:
        headline = f"Failed: {best} fills hidden cells better than this model."
    return Verdict(grade, headline, tuple(told.values()), None)
