"""Is a generated table any good? Columns, pairs, what models learn from it, whether it can be told, and copies."""

from ganforge.metrics.tables.copula import GaussianCopula
from ganforge.metrics.tables.evaluate import TableEvaluation, evaluate_table
from ganforge.metrics.tables.meanings import TABLE_MEANINGS, TABLE_QUICK
from ganforge.metrics.tables.quick import quick_table_quality

__all__ = [
    "TABLE_MEANINGS",
    "TABLE_QUICK",
    "GaussianCopula",
    "TableEvaluation",
    "evaluate_table",
    "quick_table_quality",
]
