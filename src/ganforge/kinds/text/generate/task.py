"""The task `generate` on texts: a language model by likelihood, then discriminators that correct what it draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.labels import Labels
from ganforge.core.model_files import description_of, write_model_files
from ganforge.core.seeds import seed_for, subset
from ganforge.core.sequences import Ids
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import DataError
from ganforge.kinds.text.feed import TOKENS, UnitRows
from ganforge.kinds.text.generate.curve import TEMPERATURES, Judges, perplexity, picture
from ganforge.kinds.text.generate.model import GUIDED, NEXT_STEPS, Asked, TextModel, Writer, load_writer
from ganforge.kinds.text.generate.plan import ABSENT, Writing, build_game, plan_texts
from ganforge.kinds.text.generate.selection import Guide, learn_guide
from ganforge.kinds.text.generate.verdict import SHOWN, Compared, evaluate_texts
from ganforge.kinds.text.generate.vocabulary import UNKNOWN, Vocabulary, known
from ganforge.kinds.text.reading import Lines, Texts, open_texts, refuse_unused
from ganforge.kinds.text.units import choose_units
from ganforge.measures.intervals import Estimate, certainly_lower, with_ends
from ganforge.measures.ngrams import Ngrams
from ganforge.networks.language_model import LanguageModel, surprise_of
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

MOST_REAL = 8_000  # training texts that discriminators and n-grams learn from
MOST_DRAWN, DRAWN_UNITS = 9_000, 400_000  # texts of a round; units that they have at most
MOST_JUDGED = 2_000  # texts of a point of the curve
MOST_LOOKED = 1_000  # held-out texts of a look
CHOICES = (0.8, 0.9, 1.0)  # temperatures of which one is drawn at when nothing is asked
GUIDED_AT = (0.7, 0.8, 0.9, 1.0)  # of the curve with the adversary
FEWEST_HELD_OUT = 12
FEWEST_CALIBRATING = 20  # held-out texts without rare words, with which a discriminator is calibrated
COMPARED = 25_000  # training texts among which copies are sought at once
NAMES = {"words": "word", "characters": "character", "subwords": "subword"}


class Generate(Task):
    """The task `generate` on texts."""

    name: ClassVar[str] = "generate"
    labels: ClassVar[str | None] = (
        "The files or subfolders of a folder, or a column, are labels. All are learned; `sample --label` draws one; "
        "--label none ignores them."
    )
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"likelihood": "higher", "perplexity": "lower"}
    section: ClassVar[type[TaskSection] | None] = Writing
    unguarded: ClassVar[str | None] = "a network that learns by likelihood needs none: the best look is kept"
    page: ClassVar[Page] = Page(
        nouns="texts",
        judged="drawn texts",
        samples="Texts",
        story="A network learns the chance of each next unit. Then discriminators tell its texts from real ones, and "
        "the chances are changed until they no longer can.",
    )

    def plan(self, request: Request, tell: Tell) -> GenerateJob:
        """Open the texts and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Generate, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        refuse_unused(request.options, seeds="They are of the task dictionary.")
        texts = _open(request)
        units, why = choose_units(texts.train, request.options.get("unit"))
        vocabulary = Vocabulary.of(units)
        rows = UnitRows(texts.train, vocabulary)
        feed = ArrayFeed(rows, texts.train.labels, draft.device, form=TOKENS)
        length = rows.length, rows.why
        return GenerateJob(plan_texts(draft, texts, vocabulary, why, length, feed, tell), texts, vocabulary, tell)

    def open(self, recipe: Recipe, tell: Tell) -> GenerateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        texts = _open(recipe.ask)
        refuse_changed_data(recipe, texts.sha256, "The texts")
        chosen = recipe.section(Writing)
        vocabulary = Vocabulary.of(choose_units(texts.train, chosen.units)[0])
        if vocabulary.size != chosen.size:  # where changed data is accepted
            raise DataError(
                f"The texts at {recipe.data.source!r} have {vocabulary.size:,} units now, and had {chosen.size:,}.",
                "The network knows those that it began with.", "Put the old texts back, or train a new run.",
            )  # fmt: skip
        return GenerateJob(recipe, texts, vocabulary, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the texts received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, TOKENS)


def _open(request: Request) -> Texts:
    options = request.options
    found = open_texts(request.source, text=options.get("text"), label=request.label, example=options.get("example"))
    if len(found.held_out) < FEWEST_HELD_OUT:
        raise DataError(
            f"Of the different texts of {request.source!r} {len(found.held_out)} could be held out.",
            f"At least {FEWEST_HELD_OUT} are needed, to choose and to judge with: a tenth of all.",
            f"Give {10 * FEWEST_HELD_OUT} different texts or more.",
        )
    return found


@dataclass(slots=True)
class GenerateJob(Job):
    """A job with its texts and its complete recipe."""

    recipe: Recipe
    texts: Texts
    vocabulary: Vocabulary
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.texts.passport

    @property
    def feed(self) -> Feed:
        return ArrayFeed(self._rows, self.texts.train.labels, self.recipe.compute.device, form=TOKENS)

    def game(self) -> Game:
        """Build the network, initialised from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Measure the likelihood of held-out texts that no evaluation uses."""
        assert isinstance(product, LanguageModel)
        looked = self._held_out(0)
        some = looked.at(subset(len(looked), MOST_LOOKED, "text/look"))
        found = perplexity(*self._surprise(product, some))
        likelihood = Estimate(*(-float(np.log(one)) for one in (found.value, found.high, found.low)))
        return with_ends({"likelihood": likelihood, "perplexity": found})

    def finish(self, product: nn.Module) -> nn.Module:
        """Learn the guides, and choose by held-out texts that no evaluation uses whether and how warmly to draw."""
        assert isinstance(product, LanguageModel)
        writer = Writer(product).to(self.recipe.compute.device)
        rounds, unseen = self.recipe.section(Writing).rounds, known(self._units(self._held_out(0)))
        real = self._real()
        if rounds and len(unseen) >= FEWEST_CALIBRATING and len(known(real)) >= FEWEST_CALIBRATING:
            self.tell("judging")
            for place, temperature in enumerate(GUIDED):
                draw = partial(self._round, writer, temperature)
                weights, ranked = learn_guide(draw, real, unseen, self.vocabulary.most, rounds)
                writer.guides[place] = torch.from_numpy(weights)
                writer.ranked[place] = ranked[0]
        self._choose(writer)
        return writer

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` needs."""
        content = description_of(
            self.recipe,
            NEXT_STEPS,
            data=self.recipe.data.content(),
            text=self.recipe.section(Writing).content(),
            units=self.vocabulary.content(),
            label_shares=self._labels.shares,
        )
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the network and the guides that `write_model` wrote."""
        return load_writer(folder, self.recipe.compute.device).writer

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare texts at every temperature, with and without the adversary, with real ones and n-grams."""
        assert isinstance(product, Writer)
        self.tell("judging")
        found = compare_texts(self, product, self._held_out(1))
        write_whole(run.figure("curve"), picture(found.plain, found.guided, (found.real, found.ngrams)))
        shown, before = (self._shown(product, Asked(found.temperature, one)) for one in (found.strength, 0.0))
        return evaluate_texts(found, shown, before)

    # ---- parts

    def _held_out(self, part: int) -> Lines:
        """Return a third of the held-out texts, which chooses (part 0), or the others, which judge."""
        third = np.arange(len(self.texts.held_out)) % 3 == 0
        return self.texts.held_out.at(third if part == 0 else ~third)

    def _units(self, lines: Sequence[str]) -> list[Ids]:
        """Return the units of texts, as long as rows of the feed are."""
        return [text[: self._longest] for text in self.vocabulary.encoded(lines)]

    def _real(self) -> list[Ids]:
        chosen = np.sort(subset(len(self.texts.train), MOST_REAL, "text/real"))
        units = self._units(self.texts.train.at(chosen))
        return [units[place] for place in subset(len(units), len(units), "text/order")]

    def _blocks(self) -> Iterator[list[Ids]]:
        """Yield the training texts as units, some at a time."""
        rows = self._rows
        for first in range(0, len(rows), COMPARED):
            yield rows.texts(first, first + COMPARED)

    def _surprise(self, network: LanguageModel, lines: Lines) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return surprise_of(network, self._units(lines), lines.labels, unscored=UNKNOWN)

    def _drawn(
        self, writer: Writer, temperature: float, guide: Guide | None, purpose: str, most: int = MOST_DRAWN
    ) -> list[Ids]:
        count = max(100, min(most, DRAWN_UNITS // self._longest, len(self.texts.train)))
        labels = self._labels.draw(count, seed_for(self.recipe.seed, purpose))
        asked = Asked(temperature, 1.0)
        return self._model(writer).draw_with(guide, count, asked, labels, self.recipe.seed, purpose)

    def _round(self, writer: Writer, temperature: float, guide: Guide | None, number: int) -> list[Ids]:
        return self._drawn(writer, temperature, guide, f"text/round {number} {temperature}")

    def _choose(self, writer: Writer) -> None:
        """Choose the temperature of the lowest reverse perplexity, and the guide if that is certainly lower with it."""
        chosen, size = self._units(self._held_out(0)), self.recipe.section(Writing).size
        best: list[tuple[float, float, NDArray[np.float64]]] = []
        for strength in (0.0, 1.0) if writer.guides.any() else (0.0,):
            losses = []
            for temperature in CHOICES:
                guide = writer.guide(temperature, strength, self.vocabulary.most)
                drawn = self._drawn(writer, temperature, guide, f"text/choice {strength} {temperature}", MOST_JUDGED)
                losses.append(Ngrams.fit(drawn, size).surprise(chosen, UNKNOWN)[0])
            place = int(np.argmin([lost.sum() for lost in losses]))
            best.append((strength, CHOICES[place], losses[place]))
        strength, temperature, _ = best[-1] if certainly_lower(best[-1][2], best[0][2]) else best[0]
        writer.strength.fill_(strength)
        writer.temperature.fill_(temperature)

    def drawn_at(
        self, writer: Writer, strength: float, temperatures: Sequence[float], most: int = MOST_JUDGED
    ) -> dict[str, list[Ids]]:
        """Draw texts at each temperature, by name; none where a guide is asked for that is not there."""
        found = {}
        for temperature in temperatures:
            guide = writer.guide(temperature, strength, self.vocabulary.most)
            if strength == 0 or guide is not None:
                name = name_of(strength, temperature)
                found[name] = self._drawn(writer, temperature, guide, f"text/judged {name}", most)
        return found

    def judges(self, held_out: Sequence[str]) -> Judges:
        """Return the judges that held-out texts make."""
        return Judges.of(self._units(held_out), self.recipe.section(Writing).size, self.vocabulary.most, self._longest)

    def _shown(self, writer: Writer, asked: Asked) -> list[str]:
        model = self._model(writer)
        labels = self._labels.draw(SHOWN, self.recipe.seed)
        return [self.vocabulary.text_of(ids) for ids in model.draw(SHOWN, asked, labels, self.recipe.seed)]

    def _model(self, writer: Writer) -> TextModel:
        return TextModel(writer, self.vocabulary, self._labels, self._longest)

    @property
    def _rows(self) -> UnitRows:
        return UnitRows(self.texts.train, self.vocabulary, self.recipe.data.shape[0])

    @property
    def _labels(self) -> Labels:
        return Labels.counted(self.texts.label_names, self.texts.train.labels)

    @property
    def _longest(self) -> int:
        return self.recipe.data.shape[0] - 2


def name_of(strength: float, temperature: float) -> str:
    """Return the name of a point of the curve."""
    return f"{'guided' if strength else 'plain'} {temperature:g}"


def compare_texts(
    job: GenerateJob, writer: Writer, held_out: Lines, most: int = MOST_JUDGED, networks: int = 1
) -> Compared:
    """Measure a writer beside its rivals.

    Args: held_out texts that neither trained nor chose anything; most texts of a point of the curve;
        networks how many judge, beside n-grams.
    """
    judges, real, seed = job.judges(held_out), job._real(), job.recipe.seed
    plain, guided = job.drawn_at(writer, 0.0, TEMPERATURES, most), job.drawn_at(writer, 1.0, GUIDED_AT, most)
    count, strength, temperature = len(next(iter(plain.values()))), float(writer.strength), float(writer.temperature)
    ngrams = Ngrams.fit(real, job.recipe.section(Writing).size)
    random = np.random.default_rng(seed_for(seed, "text/n-grams"))
    drawn = {"n-grams": known(ngrams.sample(2 * count, random, job._longest))[:count]}
    points, copies = judges.points({**plain, **guided, **drawn}, job._blocks())
    curve, first = [points[name] for name in plain], points.get(name_of(1.0, GUIDED[0]))
    gains = {} if first is None else {
        "n-grams": judges.beyond(first, curve),
        "small networks": judges.beyond(first, curve, networks),
    }  # fmt: skip
    return Compared(
        mine=points[name_of(strength, round(temperature, 2))],
        plain=curve,
        guided=[points[name] for name in guided],
        real=judges.real_point("training texts", known(real)[:count]),
        ngrams=points["n-grams"],
        held_out_copies=copies,
        perplexity=perplexity(*job._surprise(writer.network, held_out)),
        ngram_perplexity=perplexity(*ngrams.surprise(job._units(held_out), UNKNOWN)),
        gains=gains,
        strength=strength,
        temperature=round(temperature, 2),
        ranked=writer.ranked.tolist(),
        unit=NAMES[job.vocabulary.name],
        texts=len(held_out),
    )
