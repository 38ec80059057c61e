"""The verb `evaluate`: the measures and the verdict of a trained run, again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganforge.api.event_log import Teller
from ganforge.api.load import load
from ganforge.api.stored_run import on_this_machine, recipe_of, reopened
from ganforge.planning.compute import library_threads, use
from ganforge.run import Run


def evaluate(run: str | Path) -> dict[str, Any]:
    """Measures the model again, every measure beside floor and reference; also stored as evaluation.json.

    A run from another machine is measured on the device that is here.
    """
    folder = Run.open(run)
    load(run)
    recipe = on_this_machine(recipe_of(folder))
    use(recipe.compute)
    job = reopened(folder, recipe, Teller(()))
    product = job.read_product(folder.model)
    records = folder.read_records()
    last = records[-1] if records else {"step": 0, "examples": 0}
    with library_threads(recipe.compute):
        content = {"step": last["step"], "examples": last["examples"], **job.evaluate(folder, product).to_json()}
    folder.write_json(folder.evaluation, content)
    return content
