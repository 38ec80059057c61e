"""Prediction of a column from the others by a model of rows, which needs neither its training rows nor a training.

A boosted tree learns from rows that the model draws: what such a tree can do on real rows is the measure `utility` of
every evaluation. Of a class the generator's own guess, as it completes the row, is averaged in: of a model that was
trained for long the tree is better, of one that was not the generator (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ganforge.contracts import Plain
from ganforge.core.seeds import generator_for
from ganforge.errors import InputError, did_you_mean
from ganforge.kinds.tables.append import append_columns
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.similarity import Coding, ranks
from ganforge.kinds.tables.reading.arrays import row_count, take

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel

Floats = NDArray[np.float64]
TAUGHT = 50_000  # generated rows that a tree learns from
MOST_TREES = 500_000  # rows times classes: there is a tree for each class
ENDS = (0.05, 0.95)  # quantiles of a predicted number
GUESSES = 32  # latents whose answers the generator's guess averages
DECIMALS = 6  # of a probability


@dataclass(frozen=True, slots=True)
class Predictor:
    """Boosted trees that predict one column, taught by generated rows."""

    model: RowModel
    column: Column
    coding: Coding
    classes: pd.Index[str]  # of a category, the most frequent first; empty of a number
    trees: tuple[Any, ...]  # one for the classes; of a number one for the mean and one for each of ENDS

    @classmethod
    def fit(cls, model: RowModel, column: Column, seed: int, *, ends: bool = False) -> Predictor:
        """Draw rows and learn from them. Args: ends: also those of the interval of a number."""
        kinds = len(model.codec.known.get(column.name, ())) or 1
        rows = model.draw(max(1_000, min(TAUGHT, MOST_TREES // kinds)), seed=seed)
        rows = take(rows, np.flatnonzero(~pd.isna(rows[column.name])))
        if not row_count(rows):
            raise InputError(f"{column.name!r} cannot be predicted.", "The model draws no row that has a value of it.")
        coding = Coding.fit(rows, model.codec.columns)
        features = coding.features(rows, column.name)
        settings = {"random_state": 0, "categorical_features": coding.categorical(column.name)}
        with threadpool_limits(limits=1, user_api="openmp"):  # as in measures/evaluate.py
            if column.is_number:
                losses = [{"loss": "quantile", "quantile": end} for end in ENDS] if ends else []
                trees = tuple(
                    HistGradientBoostingRegressor(**loss, **settings).fit(features, rows[column.name])
                    for loss in ({}, *losses)
                )
                return cls(model, column, coding, pd.Index([], dtype=object), trees)
            classes = coding.values[column.name]
            codes = ranks(rows[column.name], classes)
            some = len(np.unique(codes)) > 1
            trees = (HistGradientBoostingClassifier(**settings).fit(features, codes),) if some else ()
            return cls(model, column, coding, classes, trees)

    def probabilities(self, plain: Plain) -> Floats:
        """Return the probability of each class (N, K). Args: plain rows (N,) of all learned columns."""
        found: Floats = np.zeros((row_count(plain), len(self.classes)))
        if not self.trees:  # one class only
            found[:, 0] = 1.0
            return found
        tree = self.trees[0]
        found[:, tree.classes_] = tree.predict_proba(self.coding.features(plain, self.column.name))
        codec = self.model.codec
        place = codec.unit_of(self.column.name)
        unit = codec.units[place]
        # The other columns of a combination tell the tree what the generator would say.
        if not isinstance(unit, CategoryUnit) or len(unit.columns) > 1:
            return found
        hidden = {**plain, self.column.name: np.full(row_count(plain), None, object)}
        shares = self.model.shares(hidden, GUESSES, generator_for(0, "predicted classes"))[place]  # (N, codes)
        code = np.searchsorted(unit.starts, np.arange(len(unit.counts)), "right") - 1  # (V,) of each value
        weight = unit.counts / np.add.reduceat(unit.counts, unit.starts[:-1])[code]
        ranked = ranks(unit.values[self.column.name], self.classes)
        known = (ranked >= 0) & (ranked < len(self.classes))
        guess = np.zeros_like(found)
        guess[:, ranked[known]] = (shares[:, code] * weight)[:, known]
        found += guess / np.maximum(guess.sum(axis=1, keepdims=True), 1e-12)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def numbers(self, plain: Plain) -> Floats:
        """Return the mean (N, 1) and, if they were taught, the ends of the interval (N, 3), within the seen range."""
        features = self.coding.features(plain, self.column.name)
        found: Floats = np.stack([tree.predict(features) for tree in self.trees], axis=1)
        found = np.clip(found, self.column.minimum, self.column.maximum)
        found[:, 1:] = np.sort(found[:, 1:], axis=1)
        return found


def predict_table(
    model: RowModel,
    source: object,
    out: Path | None,
    name: str | None,
    *,
    probabilities: bool,
    seed: int,
    force: bool,
) -> pd.DataFrame | Path:
    """Add a column with the prediction of another, which the table need not have, and which is hidden where it does.

    Args: name of the predicted column; probabilities: also one column for each class, or of a number the ends of the
        interval that holds 90 % of such rows. seed: of the rows that the tree learns from. Others as `append_columns`.
    Raises: InputError for a column that cannot be predicted; as `append_columns`.
    """
    column = _column(model, name)
    predictor = Predictor.fit(model, column, seed, ends=probabilities)
    added = [column.model_copy(update={"name": f"{column.name}_predicted", "missing": 0})]
    if column.is_number:
        ends = ("low", "high") if probabilities else ()
        added += [column.model_copy(update={"name": f"{column.name}_{end}", "missing": 0}) for end in ends]
    elif probabilities:
        names = [f"{column.name}_probability_{value}" for value in predictor.classes]
        added += [Column(name=each, kind="decimal", dtype="float64", decimals=DECIMALS) for each in names]

    def compute(plain: Plain) -> Plain:
        if column.is_number:
            return {each.name: values for each, values in zip(added, predictor.numbers(plain).T, strict=True)}
        chances = predictor.probabilities(plain)
        likeliest = predictor.classes.to_numpy()[chances.argmax(axis=1)]
        return dict(zip([each.name for each in added], [likeliest, *(chances.T if probabilities else ())], strict=True))

    return append_columns(model, source, out, added, compute, without=column.name, force=force)


def _column(model: RowModel, name: str | None) -> Column:
    """Return the column to predict. Raises: InputError if there is none, or it was not learned."""
    if name is None:
        raise InputError(
            "--probabilities was given without --predict.", "They are of a column.", "For example: --predict income"
        )
    columns = {column.name: column for column in model.codec.columns}
    if name not in columns:
        raise InputError(
            f"There is no column {name!r} to predict.", "The model did not learn it.", did_you_mean(name, columns)
        )
    if columns[name] not in learned(model.codec.columns):
        raise InputError(
            f"{name!r} cannot be predicted.",
            "It is an identifier or has one value only, so nothing was learned of it.",
            "Name another column.",
        )
    return columns[name]
