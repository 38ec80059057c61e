"""The verb `runs`: a summary line for each run of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganforge.errors import RunError
from ganforge.run import Run, held_by


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the table of runs."""

    folder: Path
    data: str
    task: str
    state: str  # "finished", "stopped at 43 %", "training, 43 % (process 4711)", "damaged"
    quality: str  # the first measure beside its floor, or ""
    verdict: str


def runs(folder: str | Path = "runs") -> list[RunSummary]:
    """List the runs in a folder, oldest first. Raises: RunError if the folder is missing."""
    path = Path(folder)
    if not path.is_dir():
        raise RunError(f"There is no folder {str(folder)!r}.", "No run has been made here.", "Use: ganforge train DATA")
    found = [Run(entry) for entry in path.iterdir() if (entry / "recipe.json").is_file()]
    return [summary(run) for run in sorted(found, key=lambda run: run.recipe.stat().st_mtime)]


def summary(run: Run) -> RunSummary:
    """Summarise a run folder. One that cannot be read has a line too: it must not hide the others."""
    try:
        return _read(run)
    except (RunError, LookupError, TypeError, ValueError, AttributeError):  # any error that a damaged file can cause
        return RunSummary(run.folder, "", "", "damaged", "", "")


def _read(run: Run) -> RunSummary:
    recipe = run.read_json(run.recipe)
    evaluation, records = run.read_json(run.evaluation), run.read_records()
    holder = held_by(run.lock)
    progress = records[-1]["progress"] if records else 0.0
    if holder is not None:
        state = f"training, {progress:.0%} ({holder})"
    elif run.finished():
        state = "finished"
    else:
        state = f"stopped at {progress:.0%}"
    measures = evaluation.get("measures") or []
    first = measures[0] if measures else None
    quality = f"{first['name']} {first['value']:.3g} (floor {first['floor']:.3g})" if first else ""
    verdict = str(evaluation.get("verdict", {}).get("headline", ""))
    return RunSummary(run.folder, str(recipe["data"]["source"]), str(recipe["task"]), state, quality, verdict)
