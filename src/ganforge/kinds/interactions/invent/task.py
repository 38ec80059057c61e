"""The task `invent`: who would like an item that nobody has met, and what items would please a group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.interactions.data import InteractionsData
from ganforge.kinds.interactions.invent.audience import Array, Audiences
from ganforge.kinds.interactions.invent.codes import Codes
from ganforge.kinds.interactions.invent.material import Material, open_material
from ganforge.kinds.interactions.invent.model import NEXT_STEPS
from ganforge.kinds.interactions.invent.networks import Inventor
from ganforge.kinds.interactions.invent.plan import (
    ABSENT,
    InventSettings,
    build_game,
    codes_of,
    examples_of,
    fitted,
    forms_of,
    plan_invention,
    scale_of,
)
from ganforge.kinds.interactions.invent.product import Described, Stored, correct
from ganforge.kinds.interactions.invent.spread import drawn_residuals, nearest
from ganforge.kinds.interactions.invent.verdict import evaluate_invention
from ganforge.measures.energy import energy_scores
from ganforge.measures.intervals import certainly_lower, mean_by_bootstrap, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run


class Invent(Task):
    """The task `invent`: a regression on features, and a game on what it does not know."""

    name: ClassVar[str] = "invent"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"energy": "lower"}
    section: ClassVar[type[TaskSection] | None] = InventSettings
    data: ClassVar[type[Data]] = InteractionsData
    unguarded: ClassVar[str | None] = "the adversary is taken only where it helps on items that it has not seen"
    page: ClassVar[Page] = Page(
        nouns="items",
        judged="unseen items",
        story="A regression tells the expected audience of an item by its features. The generator learns what it may "
        "be instead, and what features an audience asks for; discriminators compare with the items of the data.",
    )

    def plan(self, request: Request, tell: Tell) -> InventJob:
        """Read the log and its items, and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Invent, absent=ABSENT)
        asked = InventSettings.model_validate(draft.pinned.of(InventSettings.key))
        tell("reading", count=0, source=request.source)
        material = open_material(request.source, asked, request.seed)
        return InventJob(plan_invention(draft, material, asked, tell), material, tell)

    def open(self, recipe: Recipe, tell: Tell) -> InventJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        material = open_material(recipe.data.source, recipe.section(InventSettings), recipe.seed)
        refuse_changed_data(recipe, material.reading.sha256, "The interactions")
        return InventJob(recipe, material, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the items received."""
        forms = [(str(form), int(count)) for form, count in json.loads(brief["forms"])]
        dimensions = recipe.section(InventSettings).need("dimensions")
        residuals = np.frombuffer(brief["residuals"], np.float32).reshape(-1, dimensions)
        return build_game(recipe, forms, torch.from_numpy(residuals.copy())), TensorFeed(
            recipe.compute.device, **examples
        )


@dataclass
class InventJob(Job):
    """A job with its log and its complete recipe."""

    recipe: Recipe
    material: Material
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.material.passport

    @cached_property
    def codes(self) -> Codes:
        """The codes of items."""
        return codes_of(self.material, self.recipe.section(InventSettings))

    @cached_property
    def known(self) -> Audiences:
        """The audiences of all items but those that judge."""
        return fitted(self.material, self.recipe.section(InventSettings), self.codes)

    @cached_property
    def _examples(self) -> tuple[TensorFeed, torch.Tensor]:
        return examples_of(self.material, self.known)

    @property
    def feed(self) -> Feed:
        return TensorFeed(self.recipe.compute.device, **self._examples[0].tensors)

    def game(self) -> Game:
        """Build generator and discriminators, initialised from the seed; the discriminators play first."""
        return build_game(self.recipe, forms_of(self.codes), self._examples[1])

    def brief(self) -> Mapping[str, bytes]:
        """Return the forms of columns and the residuals, as the game has them."""
        return {"forms": json.dumps(forms_of(self.codes)).encode(), "residuals": self._examples[1].numpy().tobytes()}

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Return the energy score of audiences of the items that choose."""
        assert isinstance(product, Inventor)
        _, corrected = self._energies(product)
        return with_ends({"energy": mean_by_bootstrap(corrected, np.random.default_rng(seed_for(0, "invent/look")))})

    def finish(self, product: nn.Module) -> nn.Module:
        """Fit the regression again, to all items, and keep the corrections where they certainly help."""
        assert isinstance(product, Inventor)
        start, corrected = self._energies(product)
        material, chosen, known = self.material, self.recipe.section(InventSettings), self.known
        targets = material.matrix.T @ known.tastes
        everything = Audiences.fit(
            self.codes.encoded(material.features), known.similarity, known.tastes, targets, chosen.need("penalty")
        )
        ids = {"users": material.reading.log.users, "items": material.features.ids}
        layers = (self.recipe.network.need("width"), self.recipe.network.need("depth"))
        stored = Stored.of(self.codes, everything, deepcopy(product).cpu(), ids, layers)
        for name, value in {"centre": known.fitted.mean, "scale": scale_of(known)}.items():
            stored.keep(name, value)
        stored.keep("corrected", certainly_lower(corrected, start))
        return stored

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json, and model.safetensors with the audiences of all items."""
        assert isinstance(product, Stored)
        content = description_of(self.recipe, NEXT_STEPS, invent=product.described.model_dump(mode="json"))
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the model that `write_model` wrote."""
        described = Described.model_validate(read_description(folder)["invent"])
        return built(folder, described.stored)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Judge by the items that nothing was learned from, beside other methods."""
        assert isinstance(product, Stored)
        return evaluate_invention(product, self.material, self.known, self.codes)

    def _energies(self, inventor: Inventor) -> tuple[Array, Array]:
        """Return the energy scores of the items that choose, (V,): without and with the generator's corrections."""
        known, own = self.known, self.material.part[self.material.known] == 1
        codes, expected = known.codes[own], known.fitted.left_out[own]
        near = nearest(known, known.codes, known.fitted.left_out, itself=True)[own]
        residuals, scale = drawn_residuals(known, near, seed=0), scale_of(known)
        here = deepcopy(inventor).cpu()
        corrected = correct(here, codes, expected, residuals, (known.fitted.mean, scale), seed=0)
        truth = known.residuals[own] / scale
        return energy_scores(residuals / scale, truth), energy_scores(corrected / scale, truth)
