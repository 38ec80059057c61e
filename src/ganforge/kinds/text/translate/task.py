"""The task `translate` of text: lines of one language in the other, from two texts, in pairs or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import description_of, write_model_files
from ganforge.core.seeds import seed_for, subset
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.text.dictionary.product import description, led_by_lines
from ganforge.kinds.text.feed import TOKENS
from ganforge.kinds.text.reading import refuse_unused
from ganforge.kinds.text.translate.corpus import TwoTexts, open_two_texts
from ganforge.kinds.text.translate.model import (
    METHODS,
    NETWORK,
    NEXT_STEPS,
    SentenceTranslator,
    StoredTranslator,
    load_translator,
)
from ganforge.kinds.text.translate.networks import Translator
from ganforge.kinds.text.translate.plan import ABSENT, Translating, build_game, initial_translator, plan_translator
from ganforge.kinds.text.translate.verdict import Judge, chosen_methods, evaluate_translator
from ganforge.measures.intervals import mean_by_bootstrap, with_ends
from ganforge.measures.sequences import chrf_of_each
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

LOOKED = 100  # held-out lines of a look
TRANSLATED = 3_000  # lines of each language whose translations improve the dictionary


class Translate(Task):
    """The task `translate` on texts."""

    name: ClassVar[str] = "translate"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"chrf": "higher"}
    section: ClassVar[type[TaskSection] | None] = Translating
    unguarded: ClassVar[str | None] = "what it learns from are lines that were written, whatever the adversary says"
    page: ClassVar[Page] = Page(
        nouns="sentences",
        judged="held-out lines",
        story="The network learns each line from its translation: one that was written, or, without pairs, one that "
        "the dictionary made word by word and, later, its own.",
    )

    def plan(self, request: Request, tell: Tell) -> TranslateJob:
        """Read both texts and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Translate, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        texts = _opened(request, draft.pinned.get("translate.pairs"), request.seed)
        feed = texts.feed(draft.device)
        return TranslateJob(plan_translator(draft, texts, feed, tell), texts, feed, tell)

    def open(self, recipe: Recipe, tell: Tell) -> TranslateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        texts = _opened(recipe.ask, recipe.section(Translating).pairs, recipe.seed)
        refuse_changed_data(recipe, texts.corpus.sha256, "The texts")
        return TranslateJob(recipe, texts, texts.feed(recipe.compute.device), tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the lines received."""
        return build_game(recipe, int(brief["units"])), ArrayFeed.of_raw(examples, recipe.compute.device, TOKENS)


def _opened(request: Request, pairs: bool | None, seed: int) -> TwoTexts:
    only = "Lines are translated, one by one."
    refuse_unused(request.options, example=only)
    return open_two_texts(request.source, request.label, request.options, pairs, seed)


@dataclass
class TranslateJob(Job):
    """A job with its two texts and its complete recipe."""

    recipe: Recipe
    texts: TwoTexts
    lines: ArrayFeed
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.texts.corpus.passport

    @property
    def feed(self) -> Feed:
        return self.lines

    def game(self) -> Game:
        """Build the translator, and a discriminator if there is one, initialised from the seed."""
        return build_game(self.recipe, self.texts.units.size)

    def brief(self) -> Mapping[str, bytes]:
        """Return the number of units."""
        return {"units": str(self.texts.units.size).encode()}

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Translate held-out lines into both languages: chrF beside their pairs or, without, of the way back."""
        assert isinstance(product, Translator)
        model, values = self._model(StoredTranslator(product, self.texts.dictionary.stored)), list[float]()
        for side in (0, 1):
            given = self.texts.held[side][:LOOKED]
            made = model.translated(given, 1 - side, NETWORK)
            if self.texts.pairs:
                beside: Sequence[str] = self.texts.held[1 - side][:LOOKED]
            else:
                made, beside = model.translated(made, side, NETWORK), given
            values += chrf_of_each(made, beside).tolist()
        random = np.random.default_rng(seed_for(0, "translate/sentences"))
        return with_ends({"chrf": mean_by_bootstrap(np.array(values), random)})

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose what translates into each language, and improve the dictionary by the network's own translations.

        Lines and their translations, beside each other, tell pairs of words, as lines of people do.
        """
        assert isinstance(product, Translator)
        self.tell("judging")
        stored = StoredTranslator(product, self.texts.dictionary.stored)
        for to, method in enumerate(chosen_methods(self._judge, self._model(stored))):
            stored.methods[to] = METHODS.index(method)
        if not self.texts.pairs and bool((stored.methods == METHODS.index(NETWORK)).all()):
            some = [[own[place] for place in subset(len(own), TRANSLATED, "translate/words").tolist()]
                    for own in self.texts.train]  # fmt: skip
            made = [self._model(stored).by_network(lines, 1 - side) for side, lines in enumerate(some)]
            lines = some[0] + made[1], made[0] + some[1]
            stored.words = led_by_lines(stored.words, self.texts.corpus, lines)
        return stored

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `apply` needs."""
        assert isinstance(product, StoredTranslator)
        content = description_of(
            self.recipe, NEXT_STEPS, dictionary=description(self.texts.corpus, product.words).content(),
            units=self.texts.units.content(), longest=self._longest,
        )  # fmt: skip
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load what `write_model` wrote."""
        return load_translator(folder, self.recipe.compute.device).product

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Translate the other half of the held-out lines by every method."""
        assert isinstance(product, StoredTranslator)
        self.tell("judging")
        untrained = initial_translator(self.recipe, self.texts.units.size).to(self.recipe.compute.device)
        beside = self._model(StoredTranslator(untrained, product.words))
        return evaluate_translator(self._judge, self._model(product), beside)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.texts)

    @property
    def _longest(self) -> int:
        return self.recipe.data.shape[1] - 2

    def _model(self, product: StoredTranslator) -> SentenceTranslator:
        dictionary = replace(self.texts.dictionary, stored=product.words)
        return SentenceTranslator(product, dictionary, self.texts.units, self._longest)
