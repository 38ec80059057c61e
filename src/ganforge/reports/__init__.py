"""A self-contained HTML report on a run: its results, their quality, its course, and next steps."""

from __future__ import annotations

from ganforge.reports.layers import flows, in_words, late
from ganforge.reports.page import Said, write_diagnosis, write_report
from ganforge.reports.tensorboard import TensorBoard

__all__ = ["Said", "TensorBoard", "flows", "in_words", "late", "write_diagnosis", "write_report"]
