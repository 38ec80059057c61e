"""The task `regress`: a table's numeric column from its others. A game of one player, plain backpropagation.

Every result is compared with the closed-form least-squares answer, to which gradient descent on a line should converge,
and which a curve has to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import RecipeError
from ganforge.kinds.tables.figures.columns import draw_predictions
from ganforge.kinds.tables.measures.blocks import solution_block
from ganforge.kinds.tables.regress.model import RegressionModel, build_game, load_regression
from ganforge.kinds.tables.regress.numeric import (
    Numbers,
    NumericTable,
    closed_form,
    column_names,
    open_numeric_table,
    with_ones,
)
from ganforge.kinds.tables.regress.plan import begin, plan_table
from ganforge.measures.intervals import Estimate, from_bootstrap, with_ends
from ganforge.measures.prediction import r_squared, rmse
from ganforge.recipe import Recipe, Request, refuse_changed_data
from ganforge.records import Evaluation, Grade, Meaning, Measure, Page, Verdict
from ganforge.run import Run

SHOWN_THETAS = 32  # features up to which the record of each look has every theta
REACHED = 0.01  # standard deviations of the target: nearer than this to the closed form's answers counts as converged


class Regress(Task):
    """The task of regression: a game of one on a table."""

    name: ClassVar[str] = "regress"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"rmse": "lower", "r2": "higher"}
    unguarded: ClassVar[str | None] = "one network that descends has no opponent to lose its balance with"
    page: ClassVar[Page] = Page(
        nouns="rows",
        judged="rows that it never saw",
        samples="Predictions",
        caption="Left, what the model predicts for rows that it never saw, against what was measured: on the line both "
        "agree. Right, its errors over those of predicting the mean",
        story="One network learns by plain backpropagation: each step lowers the squared error a little. Each chart "
        "shows its predictions at that moment.",
        wide=True,
    )

    def plan(self, request: Request, tell: Tell) -> RegressJob:
        """Open the table and choose everything the person did not. Raises: DataError, RecipeError."""
        draft = begin(request, Regress)
        if request.label is None:
            raise RecipeError(
                "No column to predict was named.",
                f"The numeric columns are: {', '.join(column_names(request.source))}.",
                "Say, for example, --label COLUMN.",
            )
        table = open_numeric_table(request.source, request.label, request.seed)
        tell("reading", count=len(table.train_y) + len(table.held_y), source=request.source)
        return RegressJob(plan_table(draft, table, tell), table, tell)

    def open(self, recipe: Recipe, tell: Tell) -> RegressJob:
        """Open the job of a recipe again. Raises: DataError if the table is missing or has changed."""
        table = open_numeric_table(recipe.data.source, recipe.ask.label or "", recipe.seed)
        refuse_changed_data(recipe, table.sha256(), "The table", "is not the one")
        return RegressJob(recipe, table, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Build the game of one on the rows that were sent."""
        return build_game(recipe, examples["x"].shape[1]), TensorFeed(recipe.compute.device, **examples)


@dataclass(slots=True)
class RegressJob(Job):
    """A regression on an open table with everything chosen."""

    recipe: Recipe
    table: NumericTable
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.table.passport

    @property
    def feed(self) -> Feed:
        return self.table.feed()

    def game(self) -> Game:
        """Build the game of one player, initialised from the seed."""
        return build_game(self.recipe, len(self.table.feature_names))

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw predicted against measured values; return R^2 and RMSE on the held-out rows; for a line every theta too.

        theta_0 is the intercept, theta_1 ... belong to the features in order, all on standardised columns.
        """
        model, table = self._model(product), self.table
        predicted = model.predict(table.held_x)
        drawn = draw_predictions(table.held_y, predicted, table.scaling.y_mean, table.target_name)
        write_whole(run.sample_grid(examples), drawn)
        self.tell("sampled", path=str(run.sample_grid(examples)))
        quality = with_ends({name: _score(score, table.held_y, predicted) for name, score in SCORES.items()})
        theta = model.theta()
        if theta is not None and len(table.feature_names) <= SHOWN_THETAS:
            quality |= {f"theta_{index}": float(value) for index, value in enumerate(theta)}
        return quality

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors into an empty folder."""
        self._model(product).store(folder, self.recipe)

    def read_product(self, folder: Path) -> nn.Module:
        """Read the network that `write_model` wrote. Raises: RunError if it is missing or damaged."""
        return load_regression(folder).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Return R^2 and RMSE on the held-out rows with the closed form's (floor) and the mean's (reference).

        The fact is solution {features, theta (None of a curve), closed_form, units, distance (between the predictions
        of both for the training rows, in standard deviations of the target)}.
        """
        table, model = self.table, self._model(product)
        theta, best = model.theta(), closed_form(table)
        in_units = model.scaling.to_units(best)
        trained, closed = model.predict(table.held_x), with_ones(table.held_x) @ in_units
        measures = _measures(table, trained, closed)
        far = rmse(with_ones(table.train_x) @ in_units, model.predict(table.train_x)) / table.scaling.y_std
        solution = {
            "features": ["intercept", *table.feature_names],
            "theta": model.scaling.to_units(theta).tolist() if theta is not None else None,
            "closed_form": in_units.tolist(),
            "units": f"{table.target_name} per unit of each feature",
            "distance": far,
        }
        return Evaluation(
            measures=tuple(measures),
            verdict=_verdict(measures[0], table, trained, closed, far, linear=theta is not None),
            samples=len(trained),
            held_out=len(table.held_y),
            judge={"kind": "held-out rows", "sentence": "Measured on rows that training never saw."},
            floor="The floor is what the straight line with the least squared error gets, which a formula gives.",
            reference="The reference is the mean of the training rows as the prediction for every row.",
            best="the best straight line",
            simplest="the mean",
            blocks=(solution_block(solution),),
            facts={"solution": solution},
        )

    def _model(self, product: nn.Module) -> RegressionModel:
        return RegressionModel(product, self.table.feature_names, self.table.target_name, self.table.scaling)


SCORES: dict[str, Callable[[Numbers, Numbers], float]] = {"r2": r_squared, "rmse": rmse}


def _measures(table: NumericTable, trained: Numbers, closed: Numbers) -> list[Measure]:
    y, mean = table.held_y, np.full_like(table.held_y, table.scaling.y_mean)
    meanings = {
        "r2": Meaning("higher", f"Share of the variation of {table.target_name} that the features explain."),
        "rmse": Meaning("lower", f"Typical size of an error, in units of {table.target_name}."),
    }
    return [
        Measure.of(
            name,
            _score(score, y, trained, repeats=1000),
            meanings[name],
            floor=score(y, closed),
            reference=score(y, mean),
        )
        for name, score in SCORES.items()
    ]


def _score(
    score: Callable[[Numbers, Numbers], float], measured: Numbers, predicted: Numbers, repeats: int = 200
) -> Estimate:
    """Return a score with its interval over the rows."""
    return _bootstrap(lambda rows: score(measured[rows], predicted[rows]), len(measured), repeats)


def _bootstrap(statistic: Callable[[Any], float], count: int, repeats: int = 1000) -> Estimate:
    return from_bootstrap(statistic, count, np.random.default_rng(seed_for(0, "regress/bootstrap")), repeats=repeats)


def _verdict(
    r2: Measure, table: NumericTable, trained: Numbers, closed: Numbers, far: float, *, linear: bool
) -> Verdict:
    """Judge whether the features help at all, and whether training reached the closed form, or passed it."""
    y, target = table.held_y, table.target_name
    gain = _bootstrap(lambda rows: float(np.mean((y - closed)[rows] ** 2 - (y - trained)[rows] ** 2)), len(y))
    helps = r2.low > max(0.0, r2.reference)
    if linear:
        arrived, away = far < REACHED, f"{far:.2g} standard deviations away."
        if arrived:
            standing = f"Training reached the closed-form answer: its predictions are {away}"
        else:
            standing = (
                f"Training has not reached the closed-form answer: its predictions are still {away} Train longer."
            )
    else:
        arrived = gain.high >= 0
        if gain.low > 0:
            standing = "The curve predicts better than the best straight line."
        elif arrived:
            standing = "The curve predicts no better than the best straight line: prefer the line."
        else:
            standing = "The curve predicts worse than the best straight line: it has learned noise. Prefer the line."
    if helps:
        use = (
            f"the features explain {r2.value:.0%} of the variation of {target} on unseen rows "
            f"(95 % interval {r2.low:.0%} to {r2.high:.0%})."
        )
    else:
        use = f"this model does not help to predict {target}: on unseen rows the mean alone does as well."
    grade: Grade = "failed" if r2.high < r2.reference else "poor" if not helps else "good" if arrived else "fair"
    if grade == "good" and r2.low > 0.9:
        grade = "excellent"
    return Verdict(grade, f"{grade.capitalize()}: {use}", (standing,), None)
