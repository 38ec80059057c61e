"""The verb `sample`: new examples of a trained model, written to a file or handed to a program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.api.model import model_and_options
from ganforge.errors import RunError
from ganforge.run import Run


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run whose model is there. Made by `train`, `resume` or `load`."""

    folder: Path
    verdict: str  # one sentence
    reached: bool | None  # whether the target of `until` was reached; None when there was none

    def sample(self, n: int, *, seed: int = 0, **options: Any) -> Any:
        """Draws n examples: pictures as uint8 (n, C, H, W), the rows of a table as a data frame.

        Args: options of the kind of data. Of pictures: label, one of the labels' names; truncation in (0, 1]. Of rows:
            where, conditions that every row meets: {"sex": "Female", "age": (60, None)} or ["sex=Female", "age>=60"].
        Raises: InputError for an unknown label, an impossible condition, an option of another kind of data, or a number
            that makes no sense.
        """
        model, asked = model_and_options(self.folder, "sample", options)
        return model.sample(n, asked, seed).value()


def sample(run: str | Path, n: int, out: str | Path, *, seed: int = 0, force: bool = False, **options: Any) -> Path:
    """Draws n pictures into a .png (one grid), a folder (one file each), or .npz; or n rows into a table's file.

    A million rows need no more memory than a few thousand: they are written as they are drawn.

    Args: options of the kind of data, as for `TrainedRun.sample`; of pictures also interpolate, the number of pictures
        that a film walks through instead.
    Raises: RunError, InputError for an unknown label, suffix or condition, a bad number, more pictures than fit the
        memory or the grid, or something that exists; force replaces a file, and a folder of samples but no other.
    """
    model, asked = model_and_options(run, "sample", options)
    return model.write(model.sample(n, asked, seed), Path(out), force=force)


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
