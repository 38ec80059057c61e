"""The verbs `evaluate` and `report`: the measures and the verdict of a trained run, and its page, again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from ganforge.api.request import task_of
from ganforge.api.sample import load
from ganforge.api.stored_run import Teller, on_this_machine, recipe_of, reopened
from ganforge.contracts import Job
from ganforge.diagnosis import diagnose
from ganforge.planning.compute import library_threads, use
from ganforge.reports import write_report
from ganforge.run import Run


def evaluate(run: str | Path) -> dict[str, Any]:
    """Measure the model again, every measure beside floor and reference; also stored as evaluation.json.

    A run from another machine is measured on the device that is here.
    """
    folder = Run.open(run)
    load(run)
    recipe = on_this_machine(recipe_of(folder))
    use(recipe.compute)
    job = reopened(folder, recipe, Teller(()))
    records = folder.read_records()
    last = records[-1] if records else {"step": 0, "examples": 0}
    return evaluated(folder, job, job.read_product(folder.model), last["step"], last["examples"])


def evaluated(folder: Run, job: Job, product: nn.Module, step: int, examples: int) -> dict[str, Any]:
    """Evaluate a product and write evaluation.json, and the words of its pages. Returns: what evaluation.json holds.

    Args: step, examples: how far the product was trained.
    """
    with library_threads(job.recipe.compute):
        content = {"step": step, "examples": examples, **job.evaluate(folder, product).to_json()}
    folder.write_json(folder.page, asdict(task_of(job.recipe).page))  # a run of an older version has none
    folder.write_json(folder.evaluation, content)
    return content


# ---- report ----------------------------------------------------------------------------------------------------------


def report(run: str | Path) -> Path:
    """Write report.html again, from what the run folder holds; works on a run in progress too."""
    folder = Run.open(run)
    return write_report(folder, diagnose(folder.history()))
