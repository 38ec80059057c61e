"""The verb `report`: the page of a run, again."""

from __future__ import annotations

from pathlib import Path

from ganforge.diagnosis import diagnose
from ganforge.reports import write_report
from ganforge.run import Run


def report(run: str | Path) -> Path:
    """Writes report.html again, from what the run folder holds; works on a run in progress too."""
    folder = Run.open(run)
    return write_report(folder, diagnose(folder.history()))
