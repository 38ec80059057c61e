"""Pictures of a table: real and generated rows over each other and side by side."""

from ganforge.kinds.tables.figures.columns import draw_columns
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs, score_matrix

__all__ = ["draw_columns", "draw_dependence", "draw_pairs", "score_matrix"]
