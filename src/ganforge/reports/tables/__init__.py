"""Pictures of a table: real and generated rows over each other and side by side."""

from ganforge.reports.tables.columns import draw_columns
from ganforge.reports.tables.dependence import draw_dependence
from ganforge.reports.tables.pairs import draw_pairs

__all__ = ["draw_columns", "draw_dependence", "draw_pairs"]
