"""Reopening of a run: changes since then are refused, or reported if the run can go on.

A run of a newer ganforge is refused, and so is changed data until a person accepts it. With another torch, processor
or device it goes on, but not to the same bits: that is reported, and recorded in the run's events.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from typing import Any

import torch

from ganforge import __version__
from ganforge.api.request import recipe_from, task_of
from ganforge.contracts import Job, Tell
from ganforge.core.device import devices_here, survey_machine
from ganforge.engine.control import Journal
from ganforge.errors import ChangedDataError, RecipeError, RunError
from ganforge.recipe import Recipe
from ganforge.run import Run


class Teller(Journal):
    """A log of events before and after training (contracts.Tell)."""

    def __call__(self, kind: str, **content: Any) -> None:
        self.event(kind, 0, **content)


_FACTS = {
    "ganforge": "ganforge",
    "torch": "torch",
    "device": "the device",
    "device_name": "its name",
    "cpu_capability": "the processor's instructions",
    "precision": "the precision",
    "threads": "the number of threads",
}


def recipe_of(folder: Run) -> Recipe:
    """Read the recipe of an existing run.

    Raises: RunError if a newer ganforge wrote it, or it holds what this one does not know.
    """
    content = folder.read_json(folder.recipe)
    made_by = str(content.get("ganforge", ""))
    if _release(made_by) > _release(__version__):
        raise RunError(
            f"{str(folder.folder)!r} was made by ganforge {made_by}, this is {__version__}.",
            "A newer version may mean something else by the same words.",
            "Upgrade: pip install --upgrade ganforge",
        )
    try:
        return recipe_from(content)
    except RecipeError as error:
        raise RunError(
            f"{folder.recipe} cannot be used: {error.what}",
            f"It is damaged, or another version than ganforge {__version__} wrote it.",
            "Use the version that made the run, or train a new one.",
        ) from error


def on_this_machine(recipe: Recipe) -> Recipe:
    """Return the recipe for an available device: its own, or, if that is missing, the one that a plan would choose."""
    if recipe.compute.device in devices_here():
        return recipe
    machine = survey_machine()
    update = {"device": machine.device, "precision": machine.precision, "threads": machine.threads}
    return recipe.model_copy(update={"compute": recipe.compute.model_copy(update=update)})


def reopened(folder: Run, recipe: Recipe, tell: Tell, *, accept_changed_data: bool = False) -> Job:
    """Open the job of a run, with its data. Its recipe stays as it was written.

    Args: accept_changed_data continues with data that has changed, if it still fits; that is an event of the run, and
        need not be given again.
    Raises: DataError if the data is missing, has changed, or does not fit.
    """
    accepted = [event for event in folder.read_events() if event["kind"] == "accepted_changed_data"]
    known = str(accepted[-1]["now"]) if accepted else recipe.data.hash
    task, place = task_of(recipe), located(recipe, folder)
    try:
        job = task.open(_with_data(place, hash=known), tell)
    except ChangedDataError as error:
        if not accept_changed_data:
            raise
        job = task.open(_with_data(place, hash=error.now), tell)
        tell(
            "accepted_changed_data",
            was=known,
            now=error.now,
            sentence=f"The data has changed since the run was started, as you accepted: its sha256 was {known[:12]}, "
            f"is {error.now[:12]}.",
        )
    job.recipe = recipe
    return job


def environment(recipe: Recipe) -> dict[str, Any]:
    """Return what decides the last bits of a run besides its recipe and data."""
    device = recipe.compute.device
    cuda = device.startswith("cuda")
    return {
        "ganforge": __version__,
        "torch": str(torch.__version__),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if cuda else platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": recipe.compute.precision,
        "threads": recipe.compute.threads,
    }


def tell_changes(folder: Run, now: Mapping[str, Any], tell: Tell) -> None:
    """Report how this machine differs from the one of the last start. Call before that start is recorded."""
    started = [event for event in folder.read_events() if event["kind"] == "started"]
    before = started[-1].get("environment") if started else None
    if not isinstance(before, dict):
        return  # a new run, or one of a version that did not write it down
    changed = [
        f"{words} was {before[name]}, is {now[name]}"
        for name, words in _FACTS.items()
        if name in before and before[name] != now[name]
    ]
    if changed:
        sentence = f"Since it was stopped, {'; '.join(changed)}. The run goes on, but its last bits may differ."
        tell("environment_changed", before=before, now=dict(now), sentence=sentence)


def located(recipe: Recipe, folder: Run) -> Recipe:
    """Return the recipe with the path of data that was given in Python: in the run folder's present place."""
    name = recipe.data.source
    return with_source(recipe, str((folder.folder / name).absolute())) if folder.is_given_data(name) else recipe


def with_source(recipe: Recipe, source: str) -> Recipe:
    """Return the recipe with its data at another place."""
    moved = _with_data(recipe, source=source)
    return moved.model_copy(update={"ask": moved.ask.model_copy(update={"source": source})})


def _with_data(recipe: Recipe, **update: str) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=update)})


def _release(version: str) -> tuple[int, ...]:
    """Parse the leading numbers: (0, 12, 3) of "0.12.3.dev4"; () if none, which is older than all."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
