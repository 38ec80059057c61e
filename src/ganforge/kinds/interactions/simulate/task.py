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
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.core.seeds import generator_for, seed_for
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import RecipeError
from ganforge.kinds.interactions.reading import Reading, read_log
from ganforge.kinds.interactions.simulate.adversary import learn
from ganforge.kinds.interactions.simulate.measures import Judge
from ganforge.kinds.interactions.simulate.model import NEXT_STEPS, Described
from ganforge.kinds.interactions.simulate.networks import Behaviour
from ganforge.kinds.interactions.simulate.people import Form, People
from ganforge.kinds.interactions.simulate.plan import (
    ABSENT,
    SimulateSettings,
    build_game,
    build_network,
    plan_simulation,
    length_of,
)
from ganforge.kinds.interactions.simulate.population import Gaps, Mixture, Ratings, traits_of
from ganforge.kinds.interactions.simulate.sequences import TOKENS, Users, WindowRows, divide
from ganforge.kinds.interactions.simulate.verdict import evaluate_people
from ganforge.kinds.interactions.simulate.walk import Simulator
from ganforge.kinds.interactions.simulate.weights import weigh
from ganforge.measures.intervals import certainly_lower, means_by_bootstrap, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run


class Simulate(Task):
    """The task `simulate`."""

    name: ClassVar[str] = "simulate"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"likelihood": "higher"}
    section: ClassVar[type[TaskSection] | None] = SimulateSettings
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
        pinned = draft.pinned.of(SimulateSettings.key)
        asked = {name: value for name, value in pinned.items() if name in LogSettingsFields}
        reading = read_log(request.source, LogSettings(**asked))
        job = SimulateJob(draft.recipe() if False else None, reading, divide(reading.log, request.source), tell)  # type: ignore
        return job

    def open(self, recipe: Recipe, tell: Tell) -> SimulateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        reading = read_log(recipe.data.source, recipe.section(SimulateSettings))
        refuse_changed_data(recipe, reading.sha256, "The interactions")
        return SimulateJob(recipe, reading, divide(reading.log, recipe.data.source), tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the sequences received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, TOKENS)
