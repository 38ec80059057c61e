"""The task `recommend`: what each user would like next, shown so that more of the items are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.interactions.data import InteractionsData, asked_of
from ganforge.kinds.interactions.recommend.choice import JUDGES
from ganforge.kinds.interactions.recommend.exposure import SHOWN, Shelf
from ganforge.kinds.interactions.recommend.material import Material, RecommendSettings, open_material
from ganforge.kinds.interactions.recommend.model import NEXT_STEPS, Described
from ganforge.kinds.interactions.recommend.networks import ResidualScores
from ganforge.kinds.interactions.recommend.plan import ABSENT, brief_of, build_game, feed_of, plan_recommender
from ganforge.kinds.interactions.recommend.product import Added, Stored, found
from ganforge.kinds.interactions.recommend.verdict import evaluate_recommender
from ganforge.kinds.interactions.tuning import ranking_of, some_users
from ganforge.measures.intervals import mean_by_bootstrap, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run


class RecommendTask(Task):
    """The task `recommend`: EASE, corrected and shown at prices by validation, and a residual from a game of lists."""

    name: ClassVar[str] = "recommend"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"ndcg": "higher"}
    section: ClassVar[type[TaskSection] | None] = RecommendSettings
    data: ClassVar[type[Data]] = InteractionsData
    unguarded: ClassVar[str | None] = "whether the residual is added is decided by validation when all is done"
    page: ClassVar[Page] = Page(
        nouns="lists",
        judged="users",
        story="A residual changes EASE's lists until a discriminator cannot tell them from what users went on to meet.",
    )

    def plan(self, request: Request, tell: Tell) -> RecommendJob:
        """Read the log and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, RecommendTask, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        asked = asked_of(draft)
        material = open_material(request.source, asked, request.seed)
        return RecommendJob(plan_recommender(draft, material, asked, tell), material, tell)

    def open(self, recipe: Recipe, tell: Tell) -> RecommendJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        material = open_material(recipe.data.source, recipe.section(RecommendSettings), recipe.seed)
        refuse_changed_data(recipe, material.reading.sha256, "The interactions")
        return RecommendJob(recipe, material, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the users received."""
        return build_game(recipe, brief), TensorFeed(recipe.compute.device, **examples)


@dataclass
class RecommendJob(Job):
    """A job with its log and its complete recipe."""

    recipe: Recipe
    material: Material
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.material.reading.passport

    @cached_property
    def feed(self) -> Feed:
        return feed_of(self.material, self._chosen, self.recipe.seed, self.recipe.compute.device)

    def game(self) -> Game:
        """Build the residual and the discriminator, initialised from the seed; the discriminator plays first."""
        return build_game(self.recipe, self.brief())

    def brief(self) -> Mapping[str, bytes]:
        """Return the traits of items."""
        return brief_of(self.material)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Return NDCG@10 on validation of EASE with the residual as it is, without prices."""
        assert isinstance(product, ResidualScores)
        judged, shelf = some_users(self.material.validation, JUDGES), self.material.shelf(self._chosen)
        with_it = Shelf(shelf.scorer, shelf.factor, None, Added(product, 1.0))
        reached = ranking_of(with_it, self.material.fit, judged).ndcg(SHOWN)
        random = np.random.default_rng(seed_for(0, "recommend/look"))
        return with_ends({"ndcg": mean_by_bootstrap(reached, random)})

    def finish(self, product: nn.Module) -> nn.Module:
        """Decide whether the residual is added, and learn EASE from all but the test part."""
        assert isinstance(product, ResidualScores)
        return found(self.material, self._chosen, product)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json, and model.safetensors with weights, prices, ids and what users have met."""
        assert isinstance(product, Stored)
        described = Described.of(product, self._chosen).content()
        write_model_files(folder, product, description_of(self.recipe, NEXT_STEPS, recommender=described))

    def read_product(self, folder: Path) -> nn.Module:
        """Load what `write_model` wrote."""
        described = Described.model_validate(read_description(folder)["recommender"])
        return built(folder, described.stored)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Judge the lists by the test part, beside every rival and by groups."""
        assert isinstance(product, Stored)
        return evaluate_recommender(self.material, self._chosen, product)

    @property
    def _chosen(self) -> RecommendSettings:
        return self.recipe.section(RecommendSettings)
