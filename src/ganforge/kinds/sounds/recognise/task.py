"""The task `recognise`: the label of a sound, from a few labelled sounds and many without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from scipy.special import softmax
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.model_files import built, read_description, write_model_files
from ganforge.engine.feed import TensorFeed
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.comparison import grid_of_levels, heard
from ganforge.kinds.sounds.generate.grid import Levels
from ganforge.kinds.sounds.recognise.labelled import Labelled, open_labelled
from ganforge.kinds.sounds.recognise.model import NEXT_STEPS
from ganforge.kinds.sounds.recognise.networks import STUDENT, SUPERVISED, Recogniser
from ganforge.kinds.sounds.recognise.plan import (
    ABSENT,
    FOLDS,
    Recognising,
    build_game,
    initial_recogniser,
    plan_recogniser,
)
from ganforge.kinds.sounds.recognise.verdict import choose, crossed, evaluate_recogniser, fit_linear, scores_of
from ganforge.measures.classification import temperature_of
from ganforge.measures.intervals import with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Evaluation, Page, Sound
from ganforge.run import Run

SHOWN, HEARD = 16, 6  # spectrograms of a look; sounds of the page


class Recognise(Task):
    """The task `recognise`: a game in two stages on levels of sounds."""

    name: ClassVar[str] = "recognise"
    labels: ClassVar[str | None] = "The subfolders are the labels."
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"accuracy": "higher"}
    section: ClassVar[type[TaskSection] | None] = Recognising
    unguarded: ClassVar[str | None] = "labels hold what is learned, and the best method is chosen when all is done"
    page: ClassVar[Page] = Page(
        nouns="pairs of sounds",
        judged="labelled sounds, by networks that never saw their labels",
        samples="Uncertain sounds",
        caption="The sounds of which it is least certain: low sounds below, time to the right",
        story="First a network learns from the labels alone. Then it labels the other sounds, and a new one learns "
        "from those too. Below are the sounds of which it was least certain at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> RecogniseJob:
        """Decode the sounds and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Recognise, absent=ABSENT)
        if request.label is not None:
            raise RecipeError(
                f"--label {request.label} was given, and this task has no use for it.",
                "The subfolders are the labels.",
                "Leave it out.",
            )
        tell("reading", count=0, source=request.source)
        folds = draft.pinned.get("recognise.folds", FOLDS)
        found = open_labelled(request.source, request.options.get("rate"), folds)
        return RecogniseJob(plan_recogniser(draft, found, tell), found, tell)

    def open(self, recipe: Recipe, tell: Tell) -> RecogniseJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        chosen = recipe.section(Recognising)
        found = open_labelled(recipe.data.source, chosen.grid.mel.rate, chosen.folds, chosen.grid)
        refuse_changed_data(recipe, found.sha256, "The sounds")
        return RecogniseJob(recipe, found, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the pairs received."""
        return build_game(recipe), TensorFeed(recipe.compute.device, **examples)


@dataclass(slots=True)
class RecogniseJob(Job):
    """A job with its sounds and its complete recipe."""

    recipe: Recipe
    found: Labelled
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.found.passport

    @property
    def feed(self) -> Feed:
        return self.found.feed(self.recipe.compute.device)

    def game(self) -> Game:
        """Build the networks of every method from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Recognise labelled sounds with networks that never saw their labels; draw the least certain ones."""
        assert isinstance(product, Recogniser)
        later = examples > self.recipe.section(Recognising).student_from * self.recipe.length.examples
        method = STUDENT if later and STUDENT in product.methods else SUPERVISED
        levels, _ = self._unknown()
        certainty = softmax(scores_of(product.of(method)[0], levels, product.device), axis=1).max(1)
        unsure = np.argsort(certainty, kind="stable")[:SHOWN]
        write_whole(run.sample_grid(examples), grid_of_levels(levels[unsure][:, 0]))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        told = crossed(product, self.found, [method])
        return {} if told is None else with_ends({"accuracy": told.accuracy(method)})

    def finish(self, product: nn.Module) -> nn.Module:
        """Fit the linear model, choose a method by cross-validation, and the temperature of its certainties."""
        assert isinstance(product, Recogniser)
        fit_linear(product, self.found)
        told = crossed(product, self.found)
        if told is not None:
            method = choose(told)
            product.choose(method, temperature_of(told.scores[method], told.labels))
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors with every method, all that `apply` needs."""
        assert isinstance(product, Recogniser)
        chosen = self.recipe.section(Recognising)
        content = {
            "ganforge": self.recipe.ganforge,
            "kind": "sounds",
            "task": "recognise",
            "next_steps": NEXT_STEPS,
            "labels": list(self.found.names),
            "method": product.method,
            "methods": list(product.methods),
            "members": chosen.members,
            "network": self.recipe.network.content(),
            "grid": chosen.grid.content(),
        }
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load every method, as `write_model` wrote them."""
        read_description(folder)
        return built(folder, lambda: initial_recogniser(self.recipe)).to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare the methods on labelled sounds that they did not learn from; let uncertain sounds be heard."""
        assert isinstance(product, Recogniser)
        self.tell("judging")
        return evaluate_recogniser(product, self.found, self._listen(run, product))

    def _unknown(self) -> tuple[Levels, int]:
        """Return the sounds without labels, or the labelled ones if there are none, and the place of the first."""
        found = self.found
        return (found.others, len(found.levels)) if len(found.others) else (found.levels, 0)

    def _listen(self, run: Run, product: Recogniser) -> Block:
        """Write the sounds that the page plays."""
        levels, first = self._unknown()
        certainties = softmax(scores_of(product, levels, product.device), axis=1)
        contents: list[Sound] = []
        for number, place in enumerate(np.argsort(certainties.max(1), kind="stable")[:HEARD].tolist()):
            best, second = np.argsort(-certainties[place], kind="stable")[:2]
            waveform, name = self.found.waveforms[first + place], f"uncertain-{number + 1}"
            names = [f"{self.found.names[label]} ({certainties[place][label]:.0%})" for label in (best, second)]
            caption = f"{number + 1}: {names[0]}, or {names[1]}"
            contents.append(heard(run, name, waveform, self.found.grid.mel.rate, caption))
        lead = "The sounds of which it is least certain. A label for each of them teaches it most."
        return Block("Listen", lead, tuple(contents), first=True)
