"""One self-contained page that says what a run made, whether it is any good, how it got there, and how to go on."""

from __future__ import annotations

from ganforge.reports.layers import flows, in_words, late
from ganforge.reports.page import Said, write_diagnosis, write_report
from ganforge.reports.tensorboard import TensorBoard

__all__ = ["Said", "TensorBoard", "flows", "in_words", "late", "write_diagnosis", "write_report"]
