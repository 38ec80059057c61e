"""One self-contained page that says what a run made, whether it is any good, how it got there, and how to go on."""

from __future__ import annotations

from ganforge.reports.page import write_report
from ganforge.reports.tensorboard import TensorBoard

__all__ = ["TensorBoard", "write_report"]
