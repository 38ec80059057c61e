"""The rivals of ganforge on tables, in an environment of their own; called by table_rivals.py, without ganforge.

ctgan        CTGAN at its defaults: 300 epochs
copula       a Gaussian copula of the package copulas, which picks the best of its parametric distributions for each
             column (with its kernel densities it took over 6 GB and ten minutes on Adult without an end)
smote        imbalanced-learn's SMOTE for tables of numbers and text, once for each value of the label
gaussian     a Gaussian copula over the values that were seen, for any columns and any number of them: numbers and dates
             in their order, others by frequency, holes before all; each value is an interval of its hidden Gaussian
independent  every column shuffled by itself: the floor

It reads a Parquet file of training rows, writes one of as many generated rows, and prints the seconds for fitting as
JSON.

    python benchmarks/rival_models.py RIVAL TRAIN OUT [--label income] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

Sampler = Callable[[int], pd.DataFrame]


def is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def fit_ctgan(train: pd.DataFrame, label: str | None, seed: int) -> Sampler:
    """Only for tables without holes and dates."""
    import torch
    from ctgan import CTGAN

    torch.manual_seed(seed)
    np.random.seed(seed)  # CTGAN draws from it
    model = CTGAN(verbose=False, enable_gpu=False)
    model.fit(train, [name for name in train if not is_number(train[name])])
    return model.sample


def fit_copula(train: pd.DataFrame, label: str | None, seed: int) -> Sampler:
    """Each value that is no number becomes an interval as wide as it is frequent, a row a random place in it.

    Numbers and dates with holes become two columns: the numbers, holes filled with others of the column, and whether
    there is a hole.
    """
    from copulas.multivariate import GaussianMultivariate
    from copulas.univariate import ParametricType, UniformUnivariate, Univariate

    random = np.random.default_rng(seed)
    columns = {name: _Column(train[name]) for name in train}
    coded = pd.DataFrame({key: part for column in columns.values() for key, part in column.coded(random).items()})
    search = {
        name: Univariate(parametric=ParametricType.PARAMETRIC)
        if name in columns and columns[name].in_order
        # a place in intervals as wide as they are frequent is uniform by construction
        else UniformUnivariate()
        for name in coded
    }
    model = GaussianMultivariate(distribution=search)
    np.random.seed(seed)  # copulas draws from it
    model.set_random_state(seed)
    model.fit(coded)

    def sample(count: int) -> pd.DataFrame:
        drawn = model.sample(count)
        return pd.DataFrame({name: column.decoded(drawn) for name, column in columns.items()})

    return sample


class _Column:
    """One column of a table as columns of numbers for a copula, and back."""

    def __init__(self, values: pd.Series[Any]) -> None:
        self.name, self.dtype, self._values = str(values.name), values.dtype, values
        self.hole = f"{self.name} is missing"
        self.is_date = pd.api.types.is_datetime64_any_dtype(values)
        self.in_order = self.is_date or is_number(values)
        if not self.in_order:
            texts = values.astype(object).where(values.notna(), None)
            shares = texts.value_counts(normalize=True, dropna=False)
            self._texts, self._ends = shares.index.to_numpy(object), np.cumsum(shares.to_numpy())

    def coded(self, random: np.random.Generator) -> dict[str, Any]:
        values = self._values
        if not self.in_order:
            place = pd.Index(self._texts).get_indexer(values.astype(object).where(values.notna(), None))
            starts = np.append(0.0, self._ends)[place]
            return {self.name: random.uniform(starts, self._ends[place])}
        holes = values.isna().to_numpy()
        numbers = values.astype("int64" if self.is_date else "float64").to_numpy(np.float64).copy()
        numbers[holes] = random.choice(numbers[~holes], holes.sum())
        return {self.name: numbers} if not holes.any() else {self.name: numbers, self.hole: self._hole(holes, random)}

    def _hole(self, holes: Any, random: np.random.Generator) -> Any:
        """0 to the share of holes where there is one, from there to 1 where there is a value."""
        share = holes.mean()
        return np.where(holes, random.uniform(0, share, len(holes)), random.uniform(share, 1, len(holes)))

    def decoded(self, drawn: pd.DataFrame) -> Any:
        numbers = drawn[self.name].to_numpy(np.float64)
        if not self.in_order:
            texts = self._texts[np.minimum(np.searchsorted(self._ends, numbers), len(self._texts) - 1)]
            return pd.Series(texts, dtype=object).astype(self.dtype)
        seen = self._values.dropna().astype("int64" if self.is_date else "float64")
        made = pd.Series(np.clip(numbers, seen.min(), seen.max()))
        if self.is_date or (seen % 1 == 0).all():
            made = made.round().astype("int64")
        if self.hole in drawn:
            made = made.astype("Int64" if made.dtype == "int64" else "float64")
            made = made.mask(drawn[self.hole].to_numpy() < self._values.isna().mean())
        return made.astype(self.dtype)


def fit_smote(train: pd.DataFrame, label: str | None, seed: int) -> Sampler:
    """As many new rows of each value of the label as there are real ones. Only for tables without holes."""
    from imblearn.over_sampling import SMOTE, SMOTENC

    rows, labels = train.drop(columns=label), train[label]
    texts = [name for name in rows if not is_number(rows[name])]
    wanted = (2 * labels.value_counts()).to_dict()  # it returns the real rows first
    settings: dict[str, Any] = {"sampling_strategy": wanted, "random_state": seed}
    maker = SMOTENC(texts, **settings) if texts else SMOTE(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, classes = maker.fit_resample(rows, labels)
    return lambda count: made.assign(**{str(label): classes}).iloc[len(train) :][list(train)].iloc[:count]


def fit_independent(train: pd.DataFrame, label: str | None, seed: int) -> Sampler:
    random = np.random.default_rng(seed)
    return lambda count: pd.DataFrame({name: random.permutation(train[name].to_numpy())[:count] for name in train})


def fit_gaussian(train: pd.DataFrame, label: str | None, seed: int) -> Sampler:
    """Each row's hidden Gaussian is the mean over its value's interval, and a draw the value at the Gaussian's rank."""
    ordered, hidden = {}, np.empty(train.shape)
    normal = ndtri((np.arange(len(train)) + 0.5) / len(train))
    for place, (name, values) in enumerate(train.items()):
        is_date = pd.api.types.is_datetime64_any_dtype(values)
        if is_date or is_number(values):
            keys = values.astype("int64").where(values.notna(), -np.inf) if is_date else values.fillna(-np.inf)
        else:
            keys = values.map(values.value_counts().rank(method="first", ascending=False)).fillna(-np.inf)
        numbers = keys.to_numpy(np.float64)
        order = np.argsort(numbers, kind="stable")
        ordered[name] = values.iloc[order].reset_index(drop=True)
        hidden[order, place] = pd.Series(normal).groupby(numbers[order]).transform("mean")
    share = np.maximum(hidden.var(axis=0), 1e-12)  # of the hidden variance that the values tell
    latent = np.clip(np.cov(hidden, rowvar=False, ddof=0) / np.outer(share, share), -0.98, 0.98)
    np.fill_diagonal(latent, 1.0)
    variances, vectors = np.linalg.eigh(latent)
    root = vectors * np.sqrt(np.maximum(variances, 1e-6))
    root /= np.sqrt((root**2).sum(axis=1, keepdims=True))
    random = np.random.default_rng(seed)

    def sample(count: int) -> pd.DataFrame:
        places = (ndtr(random.standard_normal((count, len(root))) @ root.T) * len(train)).astype(int)
        places = np.minimum(places, len(train) - 1)
        drawn = [values.iloc[places[:, place]].to_numpy() for place, values in enumerate(ordered.values())]
        return pd.DataFrame(dict(zip(ordered, drawn, strict=True)))

    return sample


RIVALS = {
    "ctgan": fit_ctgan,
    "copula": fit_copula,
    "gaussian": fit_gaussian,
    "smote": fit_smote,
    "independent": fit_independent,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("train")
    parser.add_argument("out")
    parser.add_argument("--label")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    train = pd.read_parquet(asked.train)
    started = perf_counter()
    sample = RIVALS[asked.rival](train, asked.label, asked.seed)
    seconds = perf_counter() - started
    sample(len(train)).to_parquet(asked.out, index=False)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
