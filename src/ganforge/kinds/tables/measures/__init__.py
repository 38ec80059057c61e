"""Is a generated table any good? Columns, pairs, what models learn from it, whether it can be told, and copies."""

from ganforge.kinds.tables.measures.evaluate import TABLE_MEANINGS, TABLE_QUICK, evaluate_table
from ganforge.kinds.tables.measures.monitoring import quick_table_quality
from ganforge.kinds.tables.measures.rivals import GaussianCopula

__all__ = ["TABLE_MEANINGS", "TABLE_QUICK", "GaussianCopula", "evaluate_table", "quick_table_quality"]
