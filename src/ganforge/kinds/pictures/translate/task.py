"""The task `translate`: pictures of one kind to another, from pairs or two unpaired sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.cache import cache_folder
from ganforge.core.model_files import write_model_files
from ganforge.core.seeds import subset
from ganforge.kinds.pictures.image_to_image import load_map, results_of
from ganforge.kinds.pictures.measures.cases import draw_cases, made_blocks
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.kinds.pictures.measures.translation import MEANINGS, Translated, judge_translation, scores_of
from ganforge.kinds.pictures.networks.translator import MirrorAveraged, TranslatorGenerator
from ganforge.kinds.pictures.picture_data import PictureData, reading_again, reading_of, refuse_misfits
from ganforge.kinds.pictures.plan import Translation, model_description, target_size
from ganforge.kinds.pictures.translate.game import build_translation
from ganforge.kinds.pictures.translate.pairs import PairFeed, Pairs, open_pairs
from ganforge.kinds.pictures.translate.plan import ABSENT, plan_translation
from ganforge.kinds.pictures.translate.sides import survey_sides
from ganforge.kinds.pictures.write import side_by_side, write_grid
from ganforge.measures.intervals import with_ends
from ganforge.measures.judge import FLOOR_SHARE, Judge, train_judge
from ganforge.planning.draft import Draft
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Evaluation, Figure, Page
from ganforge.run import Run

SHOWN = 8  # cases in a group of the report, and in the grid of a look
JUDGED = 1_000  # held-out pictures evaluated
LEARNED = 5_000  # pictures of each side that the judge learns from
SCORES = (
    "PSNR in decibels and SSIM: higher is nearer to the truth. KID, the kernel distance: lower is more like real "
    "pictures of the other side. Kept: the share of the input's structure that is still there."
)


class Translate(Task):
    """The task `translate`: a game of two, three or four players on two folders of pictures."""

    name: ClassVar[str] = "translate"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {name: m.better for name, m in MEANINGS.items()}
    section: ClassVar[type[TaskSection] | None] = Translation
    data: ClassVar[type[Data]] = PictureData
    page: ClassVar[Page] = Page(
        nouns="pictures",
        judged="pictures that it never saw",
        samples="Results",
        caption="What the model makes of pictures that it has never seen: the input, the result and, of pairs, the "
        "truth",
        story="One network changes pictures, another tells what it made from real ones. Below are the same pictures, "
        "which training never sees, at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> TranslateJob:
        """Open the pictures and choose every setting not requested."""
        draft = Draft(request, Translate, absent=ABSENT)
        sides = survey_sides(request.source, draft.pinned.get("translate.pairing"), (reading_of(request),) * 2)
        size, why = target_size(sides.native_size, draft)
        tell("reading", count=sum(map(len, sides.names)), source=request.source)
        pairs = open_pairs(sides, size=size, device=draft.device)
        return TranslateJob(plan_translation(draft, pairs, size_reason=why, tell=tell), pairs, tell)

    def open(self, recipe: Recipe, tell: Tell) -> TranslateJob:
        """Recreate the job from its recipe."""
        readings = reading_again(recipe), reading_again(recipe, "values_to")
        sides = survey_sides(recipe.data.source, recipe.section(Translation).pairing, readings)
        _, height, width = recipe.data.shape
        refuse_misfits(recipe, (sides.channels, height, width))
        pairs = open_pairs(sides, size=(height, width), device=recipe.compute.device)
        refuse_changed_data(recipe, pairs.data_hash, "The pictures")
        return TranslateJob(recipe, pairs, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the pictures received."""
        return build_translation(recipe), PairFeed.of_raw(examples, recipe.compute.device)


@dataclass(slots=True)
class TranslateJob(Job):
    """A job with two sides of pictures and its complete recipe."""

    recipe: Recipe
    pairs: Pairs
    tell: Tell
    _judge: Judge | None = None

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.pairs.passport

    @property
    def feed(self) -> Feed:
        return self.pairs.train

    def game(self) -> Game:
        """Build the players of game.py."""
        return build_translation(self.recipe)

    def prepare(self) -> None:
        """Train or load the judge before the clock of training starts."""
        self._the_judge()

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw a grid of fixed held-out inputs, with results and, for pairs, the truth; and return the scores."""
        cases = self._cases(self.finish(product))
        shown = [side[: 2 * SHOWN] for side in _columns(cases).values()]
        write_grid(run.sample_grid(examples), side_by_side(*shown), columns=2 * len(shown))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        real, made = (self._the_judge().features(pictures) for pictures in (cases.real, cases.made))
        return with_ends(scores_of(cases, cases.made, real, made))

    def finish(self, product: nn.Module) -> nn.Module:
        """Return the generator, averaged over a picture and its mirror image if mirroring is allowed."""
        assert isinstance(product, TranslatorGenerator)
        return MirrorAveraged(product) if self._flips else product

    @property
    def _flips(self) -> bool:
        return self.recipe.augmentation is not None and self.recipe.augmentation.flips

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `apply` needs."""
        content = model_description(self.recipe, mirrored=self._flips)
        write_model_files(folder, product.network if isinstance(product, MirrorAveraged) else product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the generator that `write_model` wrote."""
        return load_map(folder, device=self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every measure with copying the input and the nearest pair, and give the verdict.

        The facts are rivals [{name, sentence, measures}] and cases {columns, groups: [{name, sentence}]}.
        """
        x, y = (side.examples() for side in self.pairs.train.sides.values())
        cases, train = self._cases(product), (x, y)
        adversarial = self.recipe.section(Translation).adversarial > 0
        unlearned = y[subset(len(y), self._kept_back("y"), "translate/floor")]
        found = judge_translation(self._the_judge(), cases, train, unlearned, adversarial)
        facts = {**found.facts, "cases": self._drawn(run, cases)}
        write_grid(run.figure("real"), y[subset(len(y), 64, "translate/real")])
        real = Figure("pictures/real.png", "Real pictures of the other side", "Real pictures of the other side.")
        lead = "What the results should look like, as a crowd."
        blocks = (*made_blocks(facts, SCORES), Block("The other side", lead, (real,)))
        return replace(found, facts=facts, blocks=blocks)

    def _drawn(self, run: Run, cases: Translated) -> dict[str, Any]:
        """Draw the worst, the best and some random results, by distance to the truth or to their inputs."""
        order = np.argsort(psnr(cases.truth if cases.truth is not None else cases.given, cases.made), kind="stable")
        nearest = "to the truth" if cases.truth is not None else "to their inputs"
        groups = {
            "worst": (order[:SHOWN], f"The results that are least near {nearest}, by PSNR."),
            "best": (order[::-1][:SHOWN], f"The results that are nearest {nearest}."),
            "random": (subset(len(order), SHOWN, "translate/cases"), "Not chosen by anything."),
        }
        return draw_cases(run, _columns(cases), groups)

    def _cases(self, product: nn.Module) -> Translated:
        """Return held-out pictures of each side; pairs have equal counts, so that the same ones are chosen."""
        sides = self.pairs.held_out.sides.values()
        given, real = (side.examples(subset(len(side), JUDGED, "translate/held out")) for side in sides)
        truth = real if self.pairs.pairing == "paired" else None
        return Translated(given=given, made=results_of(product, given), truth=truth, real=real)

    def _the_judge(self) -> Judge:
        """Return the judge, trained to tell the two sides apart, so that it sees what a translation has to change."""
        if self._judge is None:
            self.tell("judging")
            learned = []
            for name, side in self.pairs.train.sides.items():
                kept_back = self._kept_back(name)
                learned.append(side.examples(subset(len(side), LEARNED + kept_back, "translate/floor")[kept_back:]))
            labels = np.repeat(np.arange(2), [len(side) for side in learned])
            order = subset(len(labels), len(labels), "translate/judge")
            self._judge = train_judge(
                np.concatenate(learned)[order],
                labels[order],
                data_hash=f"{self.pairs.data_hash} sides",
                cache=cache_folder(),
            )
        return self._judge

    def _kept_back(self, side: str) -> int:
        """Return how many training pictures of a side are withheld from the judge, as unseen ones for the floor.

        By that side's own count: a folder of few pictures beside one of many would be withheld entirely.
        """
        held_out, train = (len(part.sides[side]) for part in (self.pairs.held_out, self.pairs.train))
        return min(held_out, JUDGED, max(3, train // FLOOR_SHARE))


def _columns(cases: Translated) -> dict[str, NDArray[np.uint8]]:
    """Return the columns shown for cases, side by side."""
    truth = {} if cases.truth is None else {"truth": cases.truth}
    return {"input": cases.given, "result": cases.made, **truth}
