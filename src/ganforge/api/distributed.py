"""The start of a run in several processes: the leader opens the data and sends every other process its part.

So each example is read once and is held by one process besides the leader, and neither the data nor the run folder has
to be accessible from the other machines.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganforge.api.request import recipe_from, task_of
from ganforge.contracts import Batch, Feed, Job
from ganforge.core.stop import StopRequest
from ganforge.core.world import AT_ONCE_BYTES, World, leave, meet, stretch
from ganforge.engine.fit import FitSettings, fit
from ganforge.errors import Interrupted, WorldError
from ganforge.planning.compute import use
from ganforge.planning.draft import refuse_coupled
from ganforge.recipe import Recipe


class PartFeed:
    """A feed of a range of the examples, indexed by their places among all of them (contracts.Feed)."""

    def __init__(self, part: Feed, first: int, count: int) -> None:
        """Args: part the examples from `first` on, of `count` in all."""
        self._part, self._first, self._count = part, first, count

    @property
    def resident(self) -> bool:
        """Return whether all examples are on the training device (contracts.Feed)."""
        return self._part.resident

    def __len__(self) -> int:
        return self._count

    def batch(self, indices: Tensor) -> Batch:
        """Args: indices (B,) int64 among all examples, of this stretch alone."""
        return self._part.batch(indices - self._first)

    def raw(self, first: int, last: int) -> Batch:
        """Args: first, last among all examples, of this stretch alone."""
        return self._part.raw(first - self._first, last - self._first)


IN_MEMORY_BYTES = 2**30  # of received examples; more are kept in a temporary file


class Crew:
    """The leader's view of the other processes: they wait until it briefs or dismisses them, or fails.

    A context; alone it does nothing.
    """

    def __init__(self, world: World) -> None:
        self.world, self._waiting = world, world.size > 1

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = isinstance(error, WorldError | Interrupted | KeyboardInterrupt)  # what stops this one stops all
        if self._waiting and not lost:
            meet(self.world)
            self.world.tell({"failed": str(error) if error else ""})
            leave(self.world)

    def check(self, recipe: Recipe) -> None:
        """Raises: RecipeError if these processes cannot share the batches of a recipe, or a batch cannot be cut."""
        self.world.share_of(recipe.optimiser.batch_size)
        if recipe.objective is not None:
            refuse_coupled(recipe.objective.name, pieces=recipe.compute.pieces, processes=self.world.size)

    def brief(self, folder: Path, job: Job) -> None:
        """Send the others the job, and each of them its examples. Raises: as `check`."""
        self.check(job.recipe)
        if self.world.size == 1:
            return
        brief, feed = dict(job.brief()), job.feed
        first = feed.raw(0, 1)
        kinds = {name: [str(tensor.dtype).removeprefix("torch."), *tensor.shape[1:]] for name, tensor in first.items()}
        self._waiting = False
        meet(self.world)
        recipe = job.recipe.to_json()
        self.world.tell(
            {"run": str(folder), "recipe": recipe, "brief": list(brief), "examples": len(feed), "kinds": kinds}
        )
        for content in brief.values():
            self.world.tell_bytes(content)
        step = _rows_at_once(kinds)
        for rank in range(1, self.world.size):
            first_row, last_row = stretch(len(feed), World(rank, self.world.size))
            for start in range(first_row, last_row, step):
                part = feed.raw(start, min(start + step, last_row))
                for name in kinds:
                    self.world.send(part[name].contiguous(), rank)


def follow(world: World, settings_of: Callable[[Recipe], FitSettings]) -> Path | None:
    """Train with the leader until it ends or stops.

    Args: settings_of as the leader uses it.
    Returns: the run folder, on the leader's machine; None if there was nothing to train.
    Raises: WorldError if the leader is lost or could not begin; Interrupted.
    """
    meet(world)
    told = world.tell(None)
    if "failed" in told:
        leave(world)
        if not told["failed"]:
            return None
        raise WorldError("The leading process could not begin.", str(told["failed"]), "")
    recipe = recipe_from(told["recipe"])
    brief = {name: world.tell_bytes(b"") for name in told["brief"]}
    first, last = stretch(told["examples"], world)
    with tempfile.TemporaryDirectory(prefix="ganforge-") as place, StopRequest() as stop:
        examples = _received(world, told["kinds"], last - first, Path(place))
        use(recipe.compute)
        game, part = task_of(recipe).join(recipe, brief, examples)
        fit(game, PartFeed(part, first, told["examples"]), settings_of(recipe), stop=stop, world=world)
    return Path(told["run"])


def _received(world: World, kinds: dict[str, list[Any]], count: int, folder: Path) -> Batch:
    examples: dict[str, Tensor] = {}
    for name, (dtype, *shape) in kinds.items():
        kind = np.dtype(dtype)
        if count * prod(shape) * kind.itemsize <= IN_MEMORY_BYTES:
            examples[name] = torch.from_numpy(np.empty((count, *shape), kind))
        else:
            examples[name] = torch.from_numpy(np.memmap(folder / name, kind, "w+", shape=(count, *shape)))
    step = _rows_at_once(kinds)
    for start in range(0, count, step):
        for name in kinds:
            world.receive(examples[name][start : start + step])
    return examples


def _rows_at_once(kinds: dict[str, list[Any]]) -> int:
    row_bytes: int = sum(np.dtype(dtype).itemsize * prod(shape) for dtype, *shape in kinds.values())
    return max(1, AT_ONCE_BYTES // row_bytes)
