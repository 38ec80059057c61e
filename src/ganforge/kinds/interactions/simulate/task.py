"""The task `simulate`: behaviour by likelihood, then discriminators that correct the users that it draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import description_of, write_model_files
from ganforge.core.seeds import Draws, generator_for, subset
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import RecipeError
from ganforge.kinds.interactions.data import InteractionsData, asked_of
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.simulate.model import NEXT_STEPS, Described, load_users
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.people import People
from ganforge.kinds.interactions.simulate.plan import (
    ABSENT,
    SimulateSettings,
    build_game,
    length_of,
    plan_simulation,
)
from ganforge.kinds.interactions.simulate.product import correct, keep_apart, people_of
from ganforge.kinds.interactions.simulate.sequences import TOKENS, WINDOW, Users, WindowRows, divide
from ganforge.kinds.interactions.simulate.verdict import evaluate_people
from ganforge.measures.intervals import means_by_bootstrap, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

MOST_LOOKED, LOOKED_AT_ONCE = 300, 50  # parts of sequences of held-out users in a look, and at once


class Simulate(Task):
    """The task `simulate`."""

    name: ClassVar[str] = "simulate"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"likelihood": "higher"}
    section: ClassVar[type[TaskSection] | None] = SimulateSettings
    data: ClassVar[type[Data]] = InteractionsData
    unguarded: ClassVar[str | None] = "a network that learns by likelihood needs none: the best look is kept"
    page: ClassVar[Page] = Page(
        nouns="parts of sequences",
        judged="drawn users",
        story="A network learns lasting tastes and what follows what. Then users are drawn from both.",
    )

    def plan(self, request: Request, tell: Tell) -> SimulateJob:
        """Read the log and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Simulate, absent=ABSENT)
        if request.label is not None:
            raise RecipeError(f"There is no label {request.label!r}.", str(self.labels), "Leave --label out.")
        tell("reading", count=0, source=request.source)
        asked = asked_of(draft)
        reading = read_log(request.source, asked)
        users = divide(reading.log, request.source)
        feed = ArrayFeed(WindowRows(users.train, length_of(users)[0] - 2), device=draft.device, form=TOKENS)
        return SimulateJob(plan_simulation(draft, asked, reading, users, feed, tell), reading, users, tell)

    def open(self, recipe: Recipe, tell: Tell) -> SimulateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        reading = read_log(recipe.data.source, recipe.section(SimulateSettings))
        refuse_changed_data(recipe, reading.sha256, "The interactions")
        return SimulateJob(recipe, reading, divide(reading.log, recipe.data.source), tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the sequences received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, TOKENS)


@dataclass(slots=True)
class SimulateJob(Job):
    """A job with its log, its users, and its complete recipe."""

    recipe: Recipe
    reading: Reading
    users: Users
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.reading.passport

    @property
    def feed(self) -> Feed:
        rows = WindowRows(self.users.train, self.recipe.data.shape[0] - 2)
        return ArrayFeed(rows, device=self.recipe.compute.device, form=TOKENS)

    def game(self) -> Game:
        """Build the network, initialised from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Measure the likelihood of what the users that choose met."""
        assert isinstance(product, Behaviour)
        rows = WindowRows(self.users.chooses, self.recipe.data.shape[0] - 2)
        chosen = subset(len(rows), MOST_LOOKED, "interactions/look")
        lost = []
        with torch.no_grad():
            for first in range(0, len(chosen), LOOKED_AT_ONCE):
                x = torch.from_numpy(rows[chosen[first : first + LOOKED_AT_ONCE]]).long()
                random = Draws(generator_for(0, "interactions/look", step=first))
                lost.append(product.surprise(x.to(self.recipe.compute.device), random).double().cpu().numpy())
        return with_ends(means_by_bootstrap({"likelihood": -np.concatenate(lost) / WINDOW}, "interactions/look"))

    def finish(self, product: nn.Module) -> nn.Module:
        """Learn what stands beside the network, and the guides; choose by held-out users that no evaluation uses."""
        assert isinstance(product, Behaviour)
        self.tell("judging")
        people = people_of(product.cpu(), self.users, self.recipe.seed)
        keep_apart(people, self.users, self.recipe.seed)
        rounds = self.recipe.section(SimulateSettings).rounds
        if rounds:
            correct(people, self.users, rounds, self.recipe.seed)
        return people

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json with the items, and model.safetensors."""
        assert isinstance(product, People)
        described = Described.of(self.reading, product).content()
        settings = self.recipe.section(SimulateSettings).content()
        content = description_of(self.recipe, NEXT_STEPS, log=described, settings=settings)
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the simulator that `write_model` wrote."""
        return load_users(folder).people

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare drawn users with real ones, and with those of simpler methods."""
        assert isinstance(product, People)
        self.tell("judging")
        return evaluate_people(product, self.users, self.recipe.seed)
