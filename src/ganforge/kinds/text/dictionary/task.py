"""The task `dictionary`: the words of two texts, and what each is in the other language."""

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
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.text.dictionary.corpus import Corpus, open_corpus
from ganforge.kinds.text.dictionary.game import Rotations
from ganforge.kinds.text.dictionary.matching import csls
from ganforge.kinds.text.dictionary.model import NEXT_STEPS, Described, Stored
from ganforge.kinds.text.dictionary.plan import ABSENT, DictionarySettings, build_game, plan_dictionary, sides_of
from ganforge.kinds.text.dictionary.product import description, found
from ganforge.kinds.text.dictionary.vectors import Array
from ganforge.kinds.text.dictionary.verdict import evaluate_dictionary
from ganforge.kinds.text.reading import refuse_unused
from ganforge.measures.intervals import mean_by_bootstrap, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run


class DictionaryTask(Task):
    """The task `dictionary`: a game on rotations of word vectors, then self-learning from every beginning."""

    name: ClassVar[str] = "dictionary"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"criterion": "higher"}
    section: ClassVar[type[TaskSection] | None] = DictionarySettings
    unguarded: ClassVar[str | None] = "of several restarts the best is taken when all is done, beside other beginnings"
    page: ClassVar[Page] = Page(
        nouns="words",
        judged="frequent words",
        story="Each restart turns the words of one language until a discriminator cannot tell them from the other's.",
    )

    def plan(self, request: Request, tell: Tell) -> DictionaryJob:
        """Read both texts and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, DictionaryTask, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        only = "Words are what is translated, of all lines."
        refuse_unused(request.options, unit=only, example=only)
        corpus = _corpus(request, request.source)
        return DictionaryJob(plan_dictionary(draft, corpus, tell), corpus, tell)

    def open(self, recipe: Recipe, tell: Tell) -> DictionaryJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        corpus = _corpus(recipe.ask, recipe.data.source)
        refuse_changed_data(recipe, corpus.sha256, "The texts")
        return DictionaryJob(recipe, corpus, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the vectors received."""
        others = np.frombuffer(brief["others"], np.float32).reshape(-1, *recipe.data.shape)
        return build_game(recipe, torch.from_numpy(others.copy())), TensorFeed(recipe.compute.device, **examples)


def _corpus(request: Request, source: str) -> Corpus:
    return open_corpus(source, request.label, request.options.get("text"), request.options.get("seeds"))


@dataclass(slots=True)
class DictionaryJob(Job):
    """A job with its two languages and its complete recipe."""

    recipe: Recipe
    corpus: Corpus
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.corpus.passport

    @property
    def feed(self) -> Feed:
        return TensorFeed(self.recipe.compute.device, x=self._sides[0])

    def game(self) -> Game:
        """Build rotations and discriminators, initialised from the seed; the discriminators play first."""
        return build_game(self.recipe, self._sides[1])

    def brief(self) -> Mapping[str, bytes]:
        """Return the words of the other language, as the game has them."""
        return {"others": self._sides[1].numpy().tobytes()}

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Return the criterion of the best restart as it is, without self-learning, over frequent words."""
        chosen = self.recipe.section(DictionarySettings)
        one, other = (language.vectors(chosen.dimensions, chosen.frequent) for language in self.corpus.languages)
        y = torch.from_numpy(np.ascontiguousarray(other)).T
        best = [csls(torch.from_numpy(one @ rotation) @ y).amax(1).double().numpy() for rotation in _rotations(product)]
        random = np.random.default_rng(seed_for(0, "translate/look"))
        return with_ends({"criterion": mean_by_bootstrap(max(best, key=lambda scores: float(scores.mean())), random)})

    def finish(self, product: nn.Module) -> nn.Module:
        """Go on from every beginning by self-learning, choose, and find the dictionary of all words."""
        return found(self.corpus, _rotations(product), self.recipe.seed)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json with the words, and model.safetensors with their translations."""
        assert isinstance(product, Stored)
        described = description(self.corpus, product).content()
        write_model_files(folder, product, description_of(self.recipe, NEXT_STEPS, dictionary=described))

    def read_product(self, folder: Path) -> nn.Module:
        """Load the dictionary that `write_model` wrote."""
        described = Described.model_validate(read_description(folder)["dictionary"])
        return built(folder, described.stored)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every beginning with what is known, and with each other."""
        assert isinstance(product, Stored)
        return evaluate_dictionary(product, self.corpus)

    @property
    def _sides(self) -> tuple[torch.Tensor, torch.Tensor]:
        return sides_of(self.corpus, self.recipe.section(DictionarySettings))


def _rotations(product: nn.Module) -> list[Array]:
    """Return the rotations of all restarts, each the nearest to what was learned."""
    assert isinstance(product, Rotations)
    left, _, right = torch.linalg.svd(product.weight.detach().cpu())
    return list((left @ right).numpy())
