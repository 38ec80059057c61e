"""The quality score of the package SDMetrics, for people who know it. It comes with the extra ganforge[sdmetrics]."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec

import pandas as pd

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.measures.sides import is_number, measured


def sdmetrics_available() -> bool:
    """Whether SDMetrics is installed."""
    return find_spec("sdmetrics") is not None


def sdmetrics_quality(real: Plain, rows: Plain, columns: Sequence[Column]) -> float:
    """Its QualityReport of `rows` against `real`, 0..1; datetimes go in as numbers.

    Raises: ModuleNotFoundError if SDMetrics is not installed; see `sdmetrics_available`.
    """
    chosen = measured(columns)
    kinds = {c.name: {"sdtype": "numerical" if is_number(c) else "categorical"} for c in chosen}
    with warnings.catch_warnings():  # of its own name, and of columns that do not vary, which our own sentences tell of
        warnings.simplefilter("ignore")
        from sdmetrics.reports.single_table import QualityReport

        report = QualityReport()
        report.generate(_frame(real, chosen), _frame(rows, chosen), {"columns": kinds}, verbose=False)
    return float(report.get_score())


def _frame(table: Plain, columns: Sequence[Column]) -> pd.DataFrame:
    return pd.DataFrame({column.name: table[column.name] for column in columns})
