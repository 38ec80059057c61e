"""A run whose model is there, opened for use."""

from __future__ import annotations

from pathlib import Path

from ganforge.api.sample import TrainedRun
from ganforge.errors import RunError
from ganforge.run import Run


def load(run: str | Path) -> TrainedRun:
    """A finished run. Raises: RunError if there is no model in it."""
    folder = Run.open(run)
    if not folder.model.is_dir():
        raise RunError(f"{run} holds no model yet.", "It was stopped before its end.", f"Use: ganforge resume {run}")
    verdict = folder.read_json(folder.evaluation).get("verdict")
    headline = verdict.get("headline", "") if isinstance(verdict, dict) else ""
    finished = [event for event in folder.read_events() if event["kind"] == "finished"]
    reached = finished[-1].get("reached") if finished else None
    return TrainedRun(folder.folder, str(headline), reached if isinstance(reached, bool) else None)
