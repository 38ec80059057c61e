"""One self-contained page that says what a run made, whether it is any good, how it got there, and how to go on."""

from __future__ import annotations

from ganforge.report.page import write_report
from ganforge.report.tensorboard import TensorBoard

__all__ = ["TensorBoard", "write_report"]
