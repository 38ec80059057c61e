"""Numeric tables for regression: one column from the others, standardised, with a fifth of the rows held out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.reading.source import open_source

HELD_OUT = 0.2  # share of the rows
FEWEST_ROWS = 20
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The standardisation of a table's numbers for a network: (value - mean) / std, ddof 0."""

    x_mean: Numbers  # (F,)
    x_std: Numbers  # (F,), > 0
    y_mean: float
    y_std: float  # > 0

    def fits(self, features: int) -> bool:
        """Return whether it is valid for so many features: finite numbers, and deviations above 0."""
        numbers = np.concatenate([self.x_mean, self.x_std, [self.y_mean, self.y_std]])
        shapes = self.x_mean.shape == self.x_std.shape == (features,)
        return bool(shapes and np.isfinite(numbers).all() and (self.x_std > 0).all() and self.y_std > 0)

    def to_units(self, theta: Numbers) -> Numbers:
        """Rescale standardised theta (1 + F,), intercept first, to intercept and slope per unit of each column."""
        slopes = self.y_std * theta[1:] / self.x_std
        intercept = self.y_mean + self.y_std * theta[0] - slopes @ self.x_mean
        return np.concatenate([[intercept], slopes])


@dataclass(frozen=True, kw_only=True)
class NumericTable:
    """A table ready for regression. The arrays are in the units of the file; the scaling is of the training part."""

    feature_names: tuple[str, ...]
    target_name: str
    train_x: Numbers  # (N, F)
    train_y: Numbers  # (N,)
    held_x: Numbers
    held_y: Numbers
    scaling: Scaling
    passport: dict[str, Any]

    def standardised(self) -> tuple[Numbers, Numbers]:
        """Return the standardised training rows x (N, F) and y (N,)."""
        scaling = self.scaling
        return (self.train_x - scaling.x_mean) / scaling.x_std, (self.train_y - scaling.y_mean) / scaling.y_std

    def feed(self) -> TensorFeed:
        """Return a feed of the standardised training rows."""
        x, y = (torch.from_numpy(part).float() for part in self.standardised())
        return TensorFeed(x=x, y=y)

    def sha256(self) -> str:
        """Return the hash of the names and numbers for training and evaluation."""
        content = hashlib.sha256("\0".join((*self.feature_names, self.target_name)).encode())
        for part in (self.train_x, self.train_y, self.held_x, self.held_y):
            content.update(np.ascontiguousarray(part).tobytes())
        return content.hexdigest()


def open_numeric_table(source: str | Path | pd.DataFrame, target: str, seed: int) -> NumericTable:
    """Open a table for regression of `target` on all other numeric columns.

    Columns that are not numeric or constant are left out, and rows with missing or infinite values: see the passport.

    Args: source what `open_source` takes, such as the built-in name diabetes (442 patients, column `target`), or a
        frame; seed decides which fifth of the rows is held out.
    Raises: DataError if the table cannot be read, has no such numeric column, or too few rows or columns are left.
    """
    name = "the table" if isinstance(source, pd.DataFrame) else str(source)
    frame = (source if isinstance(source, pd.DataFrame) else _read(source)).rename(columns=str)
    if target not in frame.columns:
        raise DataError(f"{name!r} has no column {target!r}.", do=did_you_mean(target, frame.columns))
    if not frame.columns.is_unique:
        raise DataError(f"{name!r} has several columns of one name.", do="Give each its own name.")
    numeric = _numeric_columns(frame)
    if target not in numeric:
        kind = frame[target].dtype
        raise DataError(f"The column {target!r} is not numeric but {kind}.", "Regression predicts a number.")
    values = pd.DataFrame({column: frame[column].to_numpy(np.float64, na_value=np.nan) for column in numeric})
    values = values[np.isfinite(values.to_numpy()).all(axis=1)]
    if len(values) < FEWEST_ROWS:
        raise DataError(
            f"{name!r} has {len(values)} complete rows of {len(frame)}.",
            f"At least {FEWEST_ROWS} are needed.",
            "Give more rows, or fill in or remove columns with missing values.",
        )
    order = np.random.default_rng(seed_for(seed, "data/table/held_out")).permutation(len(values))
    held, train = np.sort(order[: round(HELD_OUT * len(values))]), np.sort(order[round(HELD_OUT * len(values)) :])
    training = values.iloc[train]
    constant = [column for column in numeric if training[column].nunique() < 2]
    if target in constant:
        raise DataError(
            f"The column {target!r} is {training[target].iloc[0]:g} in every row.", "Nothing can be learned."
        )
    features = [column for column in numeric if column != target and column not in constant]
    if not features:
        raise DataError(f"{name!r} has no numeric column that varies, besides {target!r}.", "Regression needs one.")
    x, y = values[features].to_numpy(), values[target].to_numpy()
    return NumericTable(
        feature_names=tuple(features),
        target_name=target,
        train_x=x[train],
        train_y=y[train],
        held_x=x[held],
        held_y=y[held],
        scaling=Scaling(
            x_mean=x[train].mean(axis=0),
            x_std=x[train].std(axis=0),
            y_mean=float(y[train].mean()),
            y_std=float(y[train].std()),
        ),
        passport={
            "source": name,
            "format": "table",
            "count": len(values),
            "train": len(train),
            "held_out": len(held),
            "split": f"{HELD_OUT:.0%} of the rows at random (seed {seed})",
            "target": target,
            "features": features,
            "left_out_not_numeric": [column for column in frame.columns if column not in numeric],
            "left_out_constant": constant,
            "rows_left_out": len(frame) - len(values),
        },
    )


def column_names(source: str | Path) -> list[str]:
    """Return the columns that could be predicted. Raises: DataError if the table cannot be read."""
    return _numeric_columns(_read(source))


def closed_form(table: NumericTable) -> Numbers:
    """Return the standardised theta (1 + F,) that minimises the squared error on the training rows, in closed form.

    Computed on standardised columns, whose numbers have one scale. If columns are collinear many thetas
    are equally good; this is the one of least norm, to which gradient descent from zero converges.
    """
    x, y = table.standardised()
    return np.asarray(np.linalg.lstsq(with_ones(x), y, rcond=None)[0], dtype=np.float64)


def with_ones(x: Numbers) -> Numbers:
    """Prepend a column of ones for the intercept: (N, F) -> (N, 1 + F)."""
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)


def _numeric_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns of numbers and booleans, but not complex numbers."""
    is_numeric, is_complex = pd.api.types.is_numeric_dtype, pd.api.types.is_complex_dtype
    return [str(name) for name, dtype in frame.dtypes.items() if is_numeric(dtype) and not is_complex(dtype)]


def _read(source: str | Path) -> pd.DataFrame:
    return pd.concat(open_source(source).chunks(), ignore_index=True)
