"""The task `generate` on pictures: a two-player game, generator and discriminator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.exposure import MOST_GENERATED, MOST_TARGETS, Exposure
from ganforge.core.labels import Labels
from ganforge.core.model_files import write_model_files
from ganforge.core.seeds import subset
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.kinds.pictures.game import build_game
from ganforge.kinds.pictures.generate.model import PictureModel, load_model
from ganforge.kinds.pictures.measures.evaluate import (
    INCEPTION,
    generated_blocks,
    inception_available,
    inception_features,
)
from ganforge.kinds.pictures.picture_data import PictureData, reading_again, reading_of, refuse_misfits
from ganforge.kinds.pictures.plan import model_description, plan_pictures, target_size
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.part import Survey
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import BY_LOOKING, Reading
from ganforge.kinds.pictures.write import side_by_side, write_grid
from ganforge.measures.gaussian import gaussian_reference
from ganforge.measures.generated import MEANINGS, QUICK, small_versions
from ganforge.measures.neighbours import nearest_with_index
from ganforge.planning.draft import Draft
from ganforge.planning.evaluator import Evaluator
from ganforge.planning.exposure import discriminator_scores
from ganforge.recipe import Data, Recipe, Request, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

GRID = 64  # pictures in a sample grid
JUDGED, LOOKED_AT = 5000, 2000  # samples in an evaluation; held-out pictures in a look
PAIRS = 32  # samples shown beside their nearest training picture
TRAIN_SUBSET = 10_000  # training pictures for the judge, and for comparison with samples
TRAIN_SUBSET_BYTES = 2**29  # at most
EXPOSED_SIDE, EXPOSED_BYTES = 32, 2**29  # pixels, and bytes of generated pictures, that attacks are given


class Generate(Task):
    """The task `generate` on pictures."""

    name: ClassVar[str] = "generate"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {name: MEANINGS[name].better for name in QUICK}
    data: ClassVar[type[Data]] = PictureData
    page: ClassVar[Page] = Page(
        nouns="pictures",
        judged="generated pictures",
        samples="Generated pictures",
        caption="Every picture here was made by the model",
        note="None was chosen by hand.",
        story="Two networks learn against each other: the generator makes pictures, the discriminator tells them from "
        "real ones. Below is what the generator made of the same random numbers at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> GenerateJob:
        """Open the pictures and choose every setting not requested."""
        draft = Draft(request, Generate)
        found = _survey(request, reading_of(request))
        size, why = target_size(found.native_size, draft)
        tell("reading", count=found.count, source=request.source)
        pictures = open_pictures(found, size=size, device=draft.device)
        return GenerateJob(plan_pictures(draft, pictures, size_reason=why, tell=tell), pictures, tell)

    def open(self, recipe: Recipe, tell: Tell) -> GenerateJob:
        """Recreate the job from its recipe."""
        found = _survey(recipe.ask, reading_again(recipe))
        _, height, width = recipe.data.shape
        pictures = open_pictures(found, size=(height, width), device=recipe.compute.device)
        refuse_changed_data(recipe, pictures.data_hash, "The pictures")
        refuse_misfits(recipe, pictures.shape, pictures.label_names)
        return GenerateJob(recipe, pictures, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the pictures received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, PICTURES)


@dataclass(slots=True)
class GenerateJob(Job):
    """A job with its pictures and its complete recipe."""

    recipe: Recipe
    pictures: Pictures
    tell: Tell
    evaluator: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(
            self.pictures.train,
            self.pictures.held_out,
            self.pictures.data_hash,
            self.tell,
            judged=JUDGED,
            looked=LOOKED_AT,
            most=min(TRAIN_SUBSET, max(1000, TRAIN_SUBSET_BYTES // math.prod(self.recipe.data.shape))),
        )

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.pictures.passport

    @property
    def feed(self) -> Feed:
        return self.pictures.train

    def game(self) -> Game:
        """Build generator and discriminator, initialised from the seed; the discriminator plays first."""
        return build_game(self.recipe, self.pictures.held_out)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw a grid from a fixed set of latents, and measure quickly."""
        model = self._model(product)
        labels = np.arange(GRID) % len(self.recipe.data.label_names) if self.recipe.data.label_names else None
        write_grid(run.sample_grid(examples), model.draw_pictures(GRID, labels=labels, seed=self.recipe.seed))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        count = self.recipe.records.need("look_samples")
        samples = model.draw_pictures(count, labels=model.draw_labels(count, seed=1), seed=1)
        return self.evaluator.quick(samples)

    def prepare(self) -> None:
        """Train or load the judge before the clock of training starts."""
        self.evaluator.prepare()
        known, labels = self.evaluator.judge.settings, self.pictures.train.labels
        if labels is not None and known.kind == "classifier":
            learned = self.evaluator.split.learned
            chance = float(np.bincount(labels[learned]).max() / len(learned))
            self.tell("judged", accuracy=known.accuracy, chance=chance, checked=len(learned) - known.learned_from)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` needs."""
        write_model_files(folder, product, model_description(self.recipe, label_shares=self._label_shares()))

    def read_product(self, folder: Path) -> nn.Module:
        """Load the generator that `write_model` wrote."""
        return load_model(folder, self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every measure with real pictures and a Gaussian, and give the verdict.

        The facts are classes {names, training_shares, held_out_shares, sample_shares, missing} or None, nearest (a
        sentence on copying) and copying_suspected.
        """
        model, judge = self._model(product), self.evaluator.judge
        labels = model.draw_labels(JUDGED, seed=2)
        samples = model.draw_pictures(JUDGED, labels=labels, seed=2)
        seen, seen_labels = self.evaluator.seen()
        evaluation = self.evaluator.evaluate(
            (seen, seen_labels),
            samples,
            labels,
            self.recipe.data.label_names,
            nouns="pictures",
            blocks=generated_blocks,
            rulers={"inception_frechet_distance": (inception_features, INCEPTION)} if inception_available()[0] else {},
        )
        write_grid(run.figure("real"), seen[:GRID])
        write_grid(run.figure("reference"), gaussian_reference(seen, seen_labels, GRID, 0))
        _, nearest = nearest_with_index(judge.features(samples[:PAIRS]), judge.features(seen), k=1)
        write_grid(run.figure("nearest"), side_by_side(samples[:PAIRS], seen[nearest[:, 0]]), columns=8)
        return evaluation

    def exposure(self, run: Run, product: nn.Module) -> Exposure:
        """Return pictures as pixels: training and held-out ones, and generated ones with the labels' shares."""
        model, pixels = self._model(product), math.prod(self.recipe.data.shape)
        sides = [
            (feed, subset(len(feed), MOST_TARGETS, f"exposure/{name}"))
            for name, feed in (("members", self.pictures.train), ("non-members", self.pictures.held_out))
        ]
        count = min(MOST_GENERATED, max(1_000, EXPOSED_BYTES // pixels))
        made = model.draw_pictures(count, labels=model.draw_labels(count, seed=3), seed=3)
        members, non_members, generated = (
            small_versions(part, EXPOSED_SIDE) for part in (*(feed.examples(chosen) for feed, chosen in sides), made)
        )
        white_box, missing = discriminator_scores(run, self.game(), sides)
        return Exposure(
            members=members,
            non_members=non_members,
            generated=generated,
            nouns="pictures",
            features=f"Pixels, of pictures averaged down to at most {EXPOSED_SIDE} a side.",
            trained_on=len(self.pictures.train),
            white_box=white_box,
            missing=missing,
        )

    def _model(self, product: nn.Module) -> PictureModel:
        return PictureModel(
            product, self.recipe.network.need("latent_size"), self.recipe.data.label_names, self._label_shares()
        )

    def _label_shares(self) -> tuple[float, ...]:
        """Return the share of each label in training; samples are drawn with the same shares."""
        return Labels.counted(self.recipe.data.label_names, self.pictures.train.labels).shares


def _survey(request: Request, reading: Reading = BY_LOOKING) -> Survey:
    """Survey the source, with its labels unless the user wants none."""
    return survey(request.source, labels=False if request.label == "none" else request.label, reading=reading)
