"""The task `restyle`: lines of one style in another, from files of each style without pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import description_of, write_model_files
from ganforge.core.seeds import subset
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import RecipeError
from ganforge.kinds.text.feed import TOKENS
from ganforge.kinds.text.reading import refuse_unused
from ganforge.kinds.text.restyle.corpus import Styles, open_styles
from ganforge.kinds.text.restyle.edits import MOST_LINES, Line, has_blanks, nearest_of
from ganforge.kinds.text.restyle.measures import Course, Judge
from ganforge.kinds.text.restyle.model import (
    METHODS,
    NEXT_STEPS,
    SELECTED,
    LineRestyler,
    Restyler,
    load_restyler,
    rewritten_by,
)
from ganforge.kinds.text.restyle.networks import Rewriter
from ganforge.kinds.text.restyle.plan import ABSENT, Restyling, build_game, plan_rewriter
from ganforge.kinds.text.restyle.selection import NATURAL, Selection, surprise_by
from ganforge.kinds.text.restyle.verdict import Compared, choose, evaluate_restyler
from ganforge.measures.intervals import mean_of_groups, with_ends
from ganforge.measures.ngrams import Ngrams
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

MOST_JUDGED = 2_000  # lines of each style that judge
MOST_SOURCES, LOOKED = 400, 40  # lines that are rewritten into a style for its scores; at a look
SAYS_THE_SAME = 0.5  # cosine of weighted words from which on a line is a reference
STRENGTHS = (0.125, 0.25, 0.5, 0.75, 1.0)


class Restyle(Task):
    """The task `restyle` on texts."""

    name: ClassVar[str] = "restyle"
    labels: ClassVar[str | None] = "The files or subfolders of a folder, or a column, are the styles."
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"accuracy": "higher", "kept": "higher"}
    section: ClassVar[type[TaskSection] | None] = Restyling
    unguarded: ClassVar[str | None] = "what is used is chosen among many methods when all is done"
    page: ClassVar[Page] = Page(
        nouns="lines",
        judged="rewritten lines",
        samples="Rewritten lines",
        story="A network that begins as the identity learns to repair lines of each style, then to rewrite lines so "
        "that a discriminator takes them for another style. Beside it, edits are found that lead from style to style.",
    )

    def plan(self, request: Request, tell: Tell) -> RestyleJob:
        """Open the lines and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Restyle, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        refuse_unused(request.options, seeds="They are of the task dictionary.")
        styles = _open(request)
        return RestyleJob(plan_rewriter(draft, styles, styles.feed(draft.device), tell), styles, tell)

    def open(self, recipe: Recipe, tell: Tell) -> RestyleJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        styles = _open(recipe.ask)
        refuse_changed_data(recipe, styles.sha256, "The lines")
        return RestyleJob(recipe, styles, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the lines received."""
        counts = np.frombuffer(brief["counts"], np.int64).reshape(len(recipe.data.label_names), -1)
        return build_game(recipe, counts), ArrayFeed.of_raw(examples, recipe.compute.device, TOKENS)


def _open(request: Request) -> Styles:
    if request.label == "none":
        raise RecipeError("--label none was given.", "The labels are the styles.", "Leave it out.")
    return open_styles(request.source, request.label, request.options)


@dataclass
class RestyleJob(Job):
    """A job with its lines and its complete recipe."""

    recipe: Recipe
    styles: Styles
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.styles.passport

    @property
    def feed(self) -> Feed:
        return self.styles.feed(self.recipe.compute.device)

    def game(self) -> Game:
        """Build the rewriter and its discriminator, initialised from the seed."""
        return build_game(self.recipe, self.styles.counts)

    def brief(self) -> Mapping[str, bytes]:
        """Return how often each unit is in each style."""
        return {"counts": self.styles.counts.tobytes()}

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Rewrite some held-out lines into every style by the network alone."""
        assert isinstance(product, Rewriter)
        scored = []
        for course in self._courses:
            some = course.first(LOOKED)
            made = rewritten_by(product, self.styles.units, self._blanks, some.sources, some.style, NATURAL)
            scored.append(some.scores(made))
        names = ("accuracy", "kept")
        return with_ends({name: mean_of_groups([scores[name] for scores in scored]) for name in names})

    def finish(self, product: nn.Module) -> nn.Module:
        """Find the edits of every style, set the adversary's prices, and choose a method for each style."""
        assert isinstance(product, Rewriter)
        self.tell("judging")
        texts, labels, lines = self._learned
        found = [Selection.of(lines, labels, style, self.styles.units) for style in range(len(self.styles.names))]
        content = "\n".join(texts).encode()
        made = Restyler(
            product, len(content), len(texts), [one.prices.shape[1] for one in found], [len(one.ranks) for one in found]
        ).to(self.recipe.compute.device)
        made.texts.copy_(torch.from_numpy(np.frombuffer(content, np.uint8).copy()))
        made.styles.copy_(torch.from_numpy(labels.astype(np.uint8)))
        for style, one in enumerate(found):
            made.get_buffer(f"prices{style}").copy_(torch.from_numpy(one.prices))
            made.get_buffer(f"ranks{style}").copy_(torch.from_numpy(one.ranks))
            made.constants[style] = one.constant
        model = self._model(made)
        model.selections.update(enumerate(found))
        self._compared = self._compare(model)
        for style, compared in enumerate(self._compared):
            made.methods[style] = METHODS.index(choose(compared))
        return made

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `apply` needs."""
        assert isinstance(product, Restyler)
        steps = {command.replace("STYLE", self.styles.names[-1]): what for command, what in NEXT_STEPS.items()}
        content = description_of(
            self.recipe, steps, styles=list(self.styles.names), units=self.styles.units.content(),
            blanks=self._blanks, sizes=product.sizes(),
        )  # fmt: skip
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load what `write_model` wrote."""
        return load_restyler(folder, self.recipe.compute.device).product

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Put held-out lines into every style by every method."""
        assert isinstance(product, Restyler)
        self.tell("judging")
        model = self._model(product)
        compared = self._compared or self._compare(model)
        chosen = [METHODS[method] for method in product.methods.tolist()]
        return evaluate_restyler(compared, chosen, self.styles.passport)

    # ---- parts

    _compared: list[Compared] | None = None

    def _model(self, product: Restyler) -> LineRestyler:
        return LineRestyler(product, self.styles.names, self.styles.units, self._blanks)

    @cached_property
    def _blanks(self) -> bool:
        return has_blanks(self.styles.train)

    @cached_property
    def _learned(self) -> tuple[list[str], Any, list[Line]]:
        """The texts in which edits are found, each in one line, their styles, and their pieces."""
        labels = self.styles.labels
        places = np.sort(np.concatenate([
            own[subset(len(own), MOST_LINES, "restyle/lines")]
            for own in (np.flatnonzero(labels == style) for style in range(len(self.styles.names)))
        ]))  # fmt: skip
        lines = [Line.of(text, self._blanks) for text in self.styles.train.at(places)]
        return [line.text for line in lines], labels[places], lines

    @cached_property
    def _courses(self) -> list[Course]:
        """What is rewritten for the scores of each style."""
        judged, kept = self.styles.judged, []
        labels = judged.labels
        assert labels is not None
        for style in range(len(self.styles.names)):
            own = np.flatnonzero(labels == style)
            kept.append(own[subset(len(own), MOST_JUDGED, "restyle/judged")])
        places = np.concatenate(kept)
        places = places[subset(len(places), len(places), "restyle/order")]
        lines, labels = [Line.of(text, self._blanks) for text in judged.at(places)], labels[places]
        judge = Judge(lines, labels)
        return [self._course(judge, lines, labels, style) for style in range(len(self.styles.names))]

    def _course(self, judge: Judge, lines: Sequence[Line], labels: Any, style: int) -> Course:
        """Choose lines of other styles: first those for which a line of the style says the same."""
        own, others = np.flatnonzero(labels == style), np.flatnonzero(labels != style)
        weighted = judge.weighted([lines[place] for place in np.concatenate([own, others]).tolist()])
        alike, nearest = nearest_of(weighted[: len(own)], weighted[len(own) :])
        pairs = {int(nearest[row]): int(own[row]) for row in np.argsort(alike) if alike[row] >= SAYS_THE_SAME}
        first = list(pairs)[:MOST_SOURCES]
        rest = [int(one) for one in subset(len(others), len(others), "restyle/sources") if int(one) not in pairs]
        chosen = [*first, *rest[: max(0, MOST_SOURCES - len(first))]]
        units = self.styles.units
        ngrams = Ngrams.fit(units.encode_all(lines[place].text for place in own[::2].tolist()), units.size)
        return Course(
            style, [lines[place] for place in others[chosen].tolist()], others[chosen],
            [(row, lines[pairs[place]]) for row, place in enumerate(first)], judge,
            lambda made: surprise_by(ngrams, units, made), [lines[place] for place in own[1::2].tolist()],
        )  # fmt: skip

    def _compare(self, model: LineRestyler) -> list[Compared]:
        compared = []
        for course in self._courses:
            made = model.everything(course.sources, course.style)
            curve = {
                strength: course.scores(model.rewritten(course.sources, course.style, strength, SELECTED))
                for strength in STRENGTHS
            }
            compared.append(Compared.of(course, self.styles.names, made, curve))
        return compared
