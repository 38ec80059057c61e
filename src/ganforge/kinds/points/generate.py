"""The task `generate` on points: a two-player game, generator and discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.exposure import MOST_GENERATED, MOST_TARGETS, Exposure
from ganforge.core.files import write_whole
from ganforge.core.model_files import write_model_files
from ganforge.core.seeds import subset
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError
from ganforge.kinds.points import cloud
from ganforge.kinds.points.measures import MEANINGS, Array, Modes, scores
from ganforge.kinds.points.model import PointModel, load_points
from ganforge.kinds.points.plan import ABSENT, build_game, plan_points
from ganforge.kinds.points.reading import Points, open_points
from ganforge.kinds.points.verdict import MOST_JUDGED, evaluate_points
from ganforge.measures.intervals import with_ends
from ganforge.planning.draft import Draft
from ganforge.planning.exposure import discriminator_scores
from ganforge.recipe import Recipe, Request, refuse_changed_data
from ganforge.records import Block, Evaluation, Figure, Page
from ganforge.run import Run


class Generate(Task):
    """The task `generate` on points."""

    name: ClassVar[str] = "generate"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {name: m.better for name, m in MEANINGS.items()}
    unguarded: ClassVar[str | None] = "points are for seeing what a game does: nothing is mended on the way"
    page: ClassVar[Page] = Page(
        nouns="points",
        judged="generated points",
        samples="Generated points",
        caption="Generated points in colour, over real ones in grey",
        story="Two networks learn against each other: the generator moves points, the discriminator tells them from "
        "real ones. Below is where the same random numbers were moved to at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> GenerateJob:
        """Open the points and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Generate, absent=ABSENT)
        points = open_points(request.source, request.seed)
        tell("reading", count=len(points.train) + len(points.held_out), source=request.source)
        tell("timing", size=request.size or "small")
        return GenerateJob(plan_points(draft, points), points, tell)

    def open(self, recipe: Recipe, tell: Tell) -> GenerateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing, does not fit or has changed."""
        points = open_points(recipe.data.source, recipe.seed)
        refuse_changed_data(recipe, points.sha256, "The points")
        if (len(points.names),) != recipe.data.shape:
            raise DataError(
                f"The points at {recipe.data.source!r} have {len(points.names)} coordinates.",
                f"This run's networks were made for {recipe.data.shape[0]}.",
                "Put the old points back, or train a new run.",
            )
        return GenerateJob(recipe, points, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the points received."""
        return build_game(recipe), TensorFeed(recipe.compute.device, **examples)


@dataclass(slots=True)
class GenerateJob(Job):
    """A job with its points and its complete recipe."""

    recipe: Recipe
    points: Points
    tell: Tell
    _modes: Modes | None = None

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.points.passport

    @property
    def feed(self) -> Feed:
        return self.points.feed(self.points.train, self.recipe.compute.device)

    def game(self) -> Game:
        """Build generator and discriminator, initialised from the seed; the discriminator plays first."""
        return build_game(self.recipe, self.points.feed(self.points.held_out, self.recipe.compute.device))

    def prepare(self) -> None:
        """Find the modes of the real points."""
        self._the_modes()

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw the points generated from a fixed set of latents, and return their measures."""
        model = self._model(product)
        write_whole(run.sample_grid(examples), cloud.png(self._view().frame(model.draw(cloud.MOST_SHOWN, seed=0))))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        count = self.recipe.records.need("look_samples")
        samples = self._scaled(model.draw(count, seed=1))
        return with_ends(scores(self._scaled(self.points.held_out)[:count], samples, self._the_modes()))

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` needs."""
        content = {
            "ganforge": self.recipe.ganforge,
            "kind": "points",
            "task": self.recipe.task,
            "next_steps": self._model(product).next_steps(),
            "network": self.recipe.network.content(),
            "coordinates": self.points.names,
            "centre": self.points.centre.tolist(),
            "scale": self.points.scale,
        }
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the generator that `write_model` wrote."""
        return load_points(folder, self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every measure with other real points, a Gaussian and a mixture; show how the cloud moved."""
        samples = self._scaled(self._model(product).draw(MOST_JUDGED, seed=2))
        train, held_out = self._scaled(self.points.train), self._scaled(self.points.held_out)
        frames = cloud.frames_of(sorted(run.samples.glob("*.png")))
        moved: tuple[Block, ...] = ()
        if frames:
            write_whole(run.figure("cloud"), cloud.animation(frames))
            figure = Figure("pictures/cloud.png", "The moving cloud of generated points", "From noise to points.")
            moved = (Block("How the cloud moves", "Each frame is one look at the training.", (figure,), first=True),)
        return evaluate_points(train, held_out, samples, self._the_modes(), self._place, moved)

    def exposure(self, run: Run, product: nn.Module) -> Exposure:
        """Return scaled points: training and held-out ones, and generated ones."""
        sides = [
            subset(len(side), MOST_TARGETS, f"exposure/{name}")
            for name, side in (("members", self.points.train), ("non-members", self.points.held_out))
        ]
        feeds = self.feed, self.points.feed(self.points.held_out, self.recipe.compute.device)
        white_box, missing = discriminator_scores(run, self.game(), list(zip(feeds, sides, strict=True)))
        members, non_members, generated = (
            self._scaled(part).astype(np.float32)
            for part in (
                self.points.train[sides[0]],
                self.points.held_out[sides[1]],
                self._model(product).draw(MOST_GENERATED, seed=3),
            )
        )
        return Exposure(
            members=members,
            non_members=non_members,
            generated=generated,
            nouns="points",
            features="The coordinates, scaled.",
            trained_on=len(self.points.train),
            white_box=white_box,
            missing=missing,
        )

    def _model(self, product: nn.Module) -> PointModel:
        points, latents = self.points, self.recipe.network.need("latent_size")
        return PointModel(product, latents, points.names, tuple(points.centre.tolist()), points.scale)

    def _view(self) -> cloud.View:
        return cloud.View(self.points.train)

    def _scaled(self, points: Array) -> Array:
        scaled: Array = (points - self.points.centre) / self.points.scale
        return scaled

    def _place(self, scaled: Array) -> str:
        """Format a point (F,) in the units of the data."""
        return "(" + ", ".join(f"{value:.3g}" for value in scaled * self.points.scale + self.points.centre) + ")"

    def _the_modes(self) -> Modes:
        if self._modes is None:
            self._modes = Modes.find(self._scaled(np.asarray(self.points.train)))
        return self._modes
