"""The task `policy`: what to show to whom, so that more of it is liked, as far as a log can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.interactions.data import InteractionsData
from ganforge.kinds.interactions.policy.game import Discriminator
from ganforge.kinds.interactions.policy.material import Material, PolicySettings, open_material, tastes
from ganforge.kinds.interactions.policy.model import NEXT_STEPS, Described
from ganforge.kinds.interactions.policy.plan import ABSENT, PRICE, build_game, feed_of, plan_policy, told
from ganforge.kinds.interactions.policy.product import Stored, found, scored, spread_of
from ganforge.kinds.interactions.policy.rewards import Rows
from ganforge.kinds.interactions.policy.tilt import Array, tilted
from ganforge.kinds.interactions.policy.verdict import evaluate_policy
from ganforge.measures.intervals import with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run


class PolicyTask(Task):
    """The task `policy`: a reward model, a policy in closed form, and an adversary that may correct its rewards."""

    name: ClassVar[str] = "policy"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"value": "higher"}
    section: ClassVar[type[TaskSection] | None] = PolicySettings
    data: ClassVar[type[Data]] = InteractionsData
    unguarded: ClassVar[str | None] = "what the adversary adds is decided by draws it has not seen, when all is done"
    page: ClassVar[Page] = Page(
        nouns="users",
        judged="logged choices",
        story="A discriminator tells what users liked from what the policy would give them; the policy answers it.",
    )

    def plan(self, request: Request, tell: Tell) -> PolicyJob:
        """Read the log and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, PolicyTask, absent=ABSENT, device="cpu")
        tell("reading", count=0, source=request.source)
        asked = PolicySettings.model_validate(draft.pinned.of(PolicySettings.key))
        material = open_material(request.source, asked, request.seed)
        return PolicyJob(plan_policy(draft, material, asked, tell), material, tell)

    def open(self, recipe: Recipe, tell: Tell) -> PolicyJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        material = open_material(recipe.data.source, recipe.section(PolicySettings), recipe.seed)
        refuse_changed_data(recipe, material.reading.sha256, "The interactions")
        return PolicyJob(recipe, material, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the users received."""
        return build_game(recipe, brief), TensorFeed(recipe.compute.device, **examples)


@dataclass(slots=True)
class PolicyJob(Job):
    """A job with its log and its complete recipe."""

    recipe: Recipe
    material: Material
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.material.reading.passport

    @property
    def feed(self) -> Feed:
        return feed_of(self.material, self.recipe.compute.device)

    def game(self) -> Game:
        """Build the discriminator, initialised from the seed."""
        return build_game(self.recipe, self.brief())

    def brief(self) -> Mapping[str, bytes]:
        """Return the base policy and the scale of the rewards."""
        return told(self.material)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Return the value, by the draws to choose by, of the policy that the discriminator learns against."""
        assert isinstance(product, Discriminator)
        rewards, situations = self.material.fitted, self.material.to_choose
        spread, signs = spread_of(situations, rewards), tastes(self.material.split.fit, self.material.liked_from)

        def policies(users: Rows, base: Array) -> Iterator[Array]:
            preferred = rewards.of(users) + np.float32(spread) * scored(product, signs[users])
            yield tilted(base, preferred, PRICE * spread, "kl")

        (its,) = situations.worths(policies, rewards)
        return with_ends({"value": its.value})

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the policy by validation, and learn its rewards anew from all but the test part."""
        assert isinstance(product, Discriminator)
        return found(self.material, product)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json with the ids, and model.safetensors with the policy."""
        assert isinstance(product, Stored)
        train = self.material.split.train
        described = Described(
            user=self.material.reading.columns.user,
            users=tuple(train.users.tolist()),
            items=tuple(train.items.tolist()),
            ratings=len(train),
            factors=product.get_buffer("user_factors").shape[1],
            traits=product.get_buffer("user_traits").shape[1],
            width=product.discriminator.encoder.out_features if product.discriminator else 0,
            excludes=self.material.propensities is None,
        )
        write_model_files(folder, product, description_of(self.recipe, NEXT_STEPS, policy=described.content()))

    def read_product(self, folder: Path) -> nn.Module:
        """Load the policy that `write_model` wrote."""
        return built(folder, Described.model_validate(read_description(folder)["policy"]).stored)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Estimate what the policy and its rivals are worth, by the test part."""
        assert isinstance(product, Stored)
        return evaluate_policy(product, self.material)
