"""Holes filled: the error of ganforge's task `impute` beside mean, neighbours, iterative regression and a forest.

20 % of all cells are removed at random, the same for everybody. The error is the root mean square over the removed
cells, columns scaled to 0..1 by their range in the whole table; every method sees the table with holes and nothing
else. Published by GAIN (Yoon et al. 2018, table 2), which is the bar: spam 0.0513, letter 0.1198, breast 0.0546.

The rivals are scikit-learn's. neighbours: 10 of them, weighted by distance. iterative: Bayesian ridge regression, at
most 10 rounds. forest: as missForest, 4 rounds, 30 trees on a third of the columns, leaves of at least 5 rows (R's
default for regression).

A TABLE is a file of numbers (spam.csv and letter.csv of the UCI repository, without the column to predict), or the word
breast_cancer for scikit-learn's.

    python benchmarks/imputation.py TABLE... [--minutes 2] [--seeds 0 1 2] [--methods mean ... ganforge]
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - this import is how it is switched on
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from table_results import Bar, Stopwatch, conclude, tell

import ganforge as gf
from ganforge.core.seeds import seed_for

MISSING = 0.2
GAIN = {"spam": 0.0513, "letter": 0.1198, "breast_cancer": 0.0546}
Cells = NDArray[np.float64]


def whole_table(name: str) -> pd.DataFrame:
    """A table of numbers without holes (N, F)."""
    if name == "breast_cancer":
        return load_breast_cancer(as_frame=True).data
    return pd.read_csv(name).rename(columns=str.strip)


def holes_in(frame: pd.DataFrame, seed: int) -> NDArray[np.bool_]:
    """Which cells are removed, (N, F)."""
    return np.random.default_rng(seed_for(seed, "benchmarks/imputation")).random(frame.shape) < MISSING


def by_rival(name: str, scaled: Cells, seed: int) -> Cells:
    """The table scaled to 0..1, its holes NaN, filled (N, F)."""
    forest = RandomForestRegressor(30, max_features=1 / 3, min_samples_leaf=5, random_state=seed)
    rivals = {
        "mean": SimpleImputer(),
        "neighbours": KNNImputer(n_neighbors=10, weights="distance"),
        "iterative": IterativeImputer(max_iter=10, random_state=seed),
        "forest": IterativeImputer(forest, max_iter=4, random_state=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of rounds is part of the rival
        return np.asarray(rivals[name].fit_transform(scaled))


def by_ganforge(frame: pd.DataFrame, minutes: float, seed: int) -> pd.DataFrame:
    """A frame with holes, filled by a model that was trained on it."""
    with tempfile.TemporaryDirectory() as folder:
        trained = gf.train(frame, task="impute", minutes=minutes, seed=seed, run=Path(folder, "run"))
        return gf.apply(trained.folder, frame)


def with_holes(frame: pd.DataFrame, holes: NDArray[np.bool_]) -> pd.DataFrame:
    """The frame as a file would give it: whole numbers stay whole, beside missing ones."""
    whole = [name for name in frame if (frame[name] % 1 == 0).all()]
    return frame.astype(dict.fromkeys(whole, "Int64")).mask(holes)


def compare(table: str, methods: list[str], minutes: float, seed: int) -> dict[str, float]:
    """The error of each method on one table with one set of holes."""
    frame, name = whole_table(table), Path(table).stem
    holes = holes_in(frame, seed)
    low, span = frame.min(), frame.max() - frame.min()
    scaled = ((frame - low) / span.where(span > 0, 1.0)).to_numpy(np.float64)
    ways: dict[str, Callable[[], Cells]] = {
        rival: lambda rival=rival: by_rival(rival, np.where(holes, np.nan, scaled), seed)  # type: ignore[misc]
        for rival in methods
        if rival != "ganforge"
    }
    if "ganforge" in methods:
        ways["ganforge"] = lambda: (
            (by_ganforge(with_holes(frame, holes), minutes, seed).astype(float) - low) / span
        ).to_numpy(np.float64)
    errors = {}
    for method, fill in ways.items():
        watch = Stopwatch()
        errors[method] = float(np.sqrt(np.mean((fill() - scaled)[holes] ** 2)))
        tell(data=name, method=method, seed=seed, rmse=errors[method], seconds=watch.seconds(), gain=GAIN.get(name))
    return errors


def main() -> None:
    everybody = ["mean", "neighbours", "iterative", "forest", "ganforge"]
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="+")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=everybody, default=everybody)
    asked = parser.parse_args()
    for table in asked.tables:
        results = [compare(table, asked.methods, asked.minutes, seed) for seed in asked.seeds]
        name = Path(table).stem
        if name in GAIN:
            for method in asked.methods:
                conclude(results, {method: Bar(GAIN[name], "at most")}, data=name)


if __name__ == "__main__":
    main()
