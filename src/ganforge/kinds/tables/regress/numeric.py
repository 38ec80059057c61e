"""Numeric tables for regression: one column from the others, standardised, with a fifth of the rows held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.core.seeds import seed_for
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.reading.source import open_source

HELD_OUT = 0.2  # share of the rows
FEWEST_ROWS = 20
Numbers = NDArray[np.float64]


class TableFeed:
    """Standardised rows, drawn by index (contracts.Feed)."""

    def __init__(self, x: Numbers, y: Numbers) -> None:
        """Args: x (N, F) and y (N,), standardised."""
        self._x, self._y = torch.from_numpy(x).float(), torch.from_numpy(y).float()

    @property
    def resident(self) -> bool:
        """Whether all examples live on the training device (contracts.Feed)."""
        return True

    def __len__(self) -> int:
        return len(self._y)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Args: indices (B,) int64. Returns: x float32 (B, F), y float32 (B,)."""
        return {"x": self._x.index_select(0, indices), "y": self._y.index_select(0, indices)}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """x (n, F) and y (n,) of the rows first..last-1."""
        return {"x": self._x[first:last], "y": self._y[first:last]}


@dataclass(frozen=True, kw_only=True)
class NumericTable:
    """A table ready for regression. The arrays are in the units of the file; the feeds are standardised.

    Standardised means (value - mean) / std with the mean and standard deviation (ddof 0) of the training part.
    """

    feature_names: tuple[str, ...]
    target_name: str
    train_x: Numbers  # (N, F)
    train_y: Numbers  # (N,)
    held_x: Numbers
    held_y: Numbers
    x_mean: Numbers  # (F,)
    x_std: Numbers  # (F,)
    y_mean: float
    y_std: float
    train: TableFeed
    held_out: TableFeed
    passport: dict[str, Any]


def open_numeric_table(source: str | Path | pd.DataFrame, target: str, seed: int) -> NumericTable:
    """Opens a table for regression of `target` on all other numeric columns.

    Columns that are not numeric or constant are left out, and rows with missing or infinite values: see the passport.

    Args: source what `open_source` takes, such as the built-in name diabetes (442 patients, column `target`), or a
        frame; seed decides which fifth of the rows is held out.
    Raises: DataError if the table cannot be read, has no such numeric column, or too few rows or columns are left.
    """
    name = "the table" if isinstance(source, pd.DataFrame) else str(source)
    frame = source if isinstance(source, pd.DataFrame) else _read(source)
    frame = frame.rename(columns=str)
    rows_read = len(frame)
    if target not in frame.columns:
        raise DataError(f"{name!r} has no column {target!r}.", do=did_you_mean(target, frame.columns))
    if not frame.columns.is_unique:
        raise DataError(f"{name!r} has several columns of one name.", do="Give each its own name.")
    if not _numeric(frame[target]):
        kind = frame[target].dtype
        raise DataError(f"The column {target!r} is not numeric but {kind}.", "Regression predicts a number.")
    not_numeric = [column for column in frame.columns if not _numeric(frame[column])]
    numeric = {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in frame if name not in not_numeric}
    values = pd.DataFrame(numeric)
    finite = np.isfinite(values.to_numpy()).all(axis=1)
    values = values[finite]
    if len(values) < FEWEST_ROWS:
        raise DataError(
            f"{name!r} has {len(values)} complete rows of {rows_read}.",
            f"At least {FEWEST_ROWS} are needed.",
            "Give more rows, or fill in or remove columns with missing values.",
        )
    order = np.random.default_rng(seed_for(seed, "data/table/held_out")).permutation(len(values))
    held, train = np.sort(order[: round(HELD_OUT * len(values))]), np.sort(order[round(HELD_OUT * len(values)) :])

    training = values.iloc[train]
    constant = [column for column in values.columns if training[column].nunique() < 2]
    if target in constant:
        raise DataError(
            f"The column {target!r} is {training[target].iloc[0]:g} in every row.", "Nothing can be learned."
        )
    features = [column for column in values.columns if column != target and column not in constant]
    if not features:
        raise DataError(f"{name!r} has no numeric column that varies, besides {target!r}.", "Regression needs one.")
    x, y = values[features].to_numpy(), values[target].to_numpy()
    x_mean, x_std = x[train].mean(axis=0), x[train].std(axis=0)
    y_mean, y_std = float(y[train].mean()), float(y[train].std())
    standard_x, standard_y = (x - x_mean) / x_std, (y - y_mean) / y_std
    return NumericTable(
        feature_names=tuple(features),
        target_name=target,
        train_x=x[train],
        train_y=y[train],
        held_x=x[held],
        held_y=y[held],
        x_mean=x_mean,
        x_std=x_std,
        y_mean=y_mean,
        y_std=y_std,
        train=TableFeed(standard_x[train], standard_y[train]),
        held_out=TableFeed(standard_x[held], standard_y[held]),
        passport={
            "source": name,
            "format": "table",
            "count": len(values),
            "train": len(train),
            "held_out": len(held),
            "split": f"{HELD_OUT:.0%} of the rows at random (seed {seed})",
            "target": target,
            "features": features,
            "left_out_not_numeric": not_numeric,
            "left_out_constant": constant,
            "rows_left_out": rows_read - len(values),
        },
    )


def column_names(source: str | Path) -> list[str]:
    """The columns that a table could be asked to predict. Raises: DataError if the table cannot be read."""
    frame = _read(source)
    return [str(column) for column in frame.columns if _numeric(frame[column])]


def _numeric(column: pd.Series[Any]) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column))


def _read(source: str | Path) -> pd.DataFrame:
    return pd.concat(open_source(source).chunks(), ignore_index=True)
