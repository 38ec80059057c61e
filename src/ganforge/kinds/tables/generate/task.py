"""The task `generate` on a table: new rows like the given ones, learned by likelihood alone or in a game of two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from safetensors.numpy import load, save
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.exposure import MOST_GENERATED, MOST_TARGETS, Exposure
from ganforge.core.files import write_whole
from ganforge.core.seeds import subset
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, RecipeError, did_you_mean
from ganforge.kinds.tables.autoregressive import AutoregressiveGenerator
from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.columns import RowSettings, TableData, columns_of
from ganforge.kinds.tables.figures.columns import draw_columns, learned_names
from ganforge.kinds.tables.figures.evaluation import write_figures
from ganforge.kinds.tables.generate.apart import pairs_apart, share_apart
from ganforge.kinds.tables.generate.game import build_row_game, code_shares, match_shares, train_referee
from ganforge.kinds.tables.generate.likelihood import held_out_likelihood, likelihood_of, trust_as_measured
from ganforge.kinds.tables.generate.model import RowModel, load_rows
from ganforge.kinds.tables.linked.source import holds_several
from ganforge.kinds.tables.linked.task import LinkedJob, join_tables, plan_tables, reopen_tables
from ganforge.kinds.tables.low_rank import UNIT_AFTER_UNIT, LowRankGenerator
from ganforge.kinds.tables.measures.blocks import first_rows_block, first_rows_of
from ganforge.kinds.tables.measures.evaluate import TABLE_MEANINGS, TABLE_QUICK, evaluate_table
from ganforge.kinds.tables.measures.exposure import expose_rows
from ganforge.kinds.tables.measures.kept_back import with_kept_back
from ganforge.kinds.tables.measures.places import with_places
from ganforge.kinds.tables.measures.similarity import quick_table_quality
from ganforge.kinds.tables.networks import RowGenerator, RowLayout, RowProduct
from ganforge.kinds.tables.plan import begin, choose_rows, choose_values, plan_rows
from ganforge.kinds.tables.reading.plan_file import read_plan
from ganforge.kinds.tables.reading.source import open_source
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.rules import joint_of
from ganforge.kinds.tables.table import InspectedTable, Table, inspect_table, open_table
from ganforge.measures.intervals import with_ends
from ganforge.planning.draft import Draft
from ganforge.planning.exposure import discriminator_scores, score_chosen
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Page
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.tables.impute import Impute

JUDGED = 30_000  # rows in an evaluation, at most: as many as train
PICTURES = 6  # of a run that learns alone, about
ALONE = Page(
    nouns="rows",
    judged="generated rows",
    samples="Columns of generated rows",
    caption="How the values of generated rows are spread, over those of real rows",
    story="The generator draws a row unit after unit, and learns to make the real rows as likely as it can: the simple "
    "way, without an adversary, which was better than a game of two in less time where both were measured. Each chart "
    "shows rows that it made at that moment, over real rows that training never saw.",
    wide=True,
)
BY_LIKELIHOOD = (
    "It learned by likelihood alone, without an adversary: that is simpler than a game of two, and was better in less "
    "time where both were measured. --set network.name=rows plays the game."
)
KEPT_OF_TRAINING = (
    "of what training added to the Gaussian copula that it began from is kept: more makes held-out rows less likely."
)
COPULA_ALONE = (
    "The rows are those of a Gaussian copula: nothing that training added to it made held-out rows likelier. With more "
    "rows it may."
)
SMOOTHER = "Each value is drawn from the training values: --set rows.values=smooth takes a curve through them instead."


class GenerateRows(Task):
    """The task of generating rows like those of a table."""

    name: ClassVar[str] = "generate"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {
        **{name: TABLE_MEANINGS[name].better for name in TABLE_QUICK},
        "likelihood": "higher",
    }
    section: ClassVar[type[TaskSection] | None] = RowSettings
    data: ClassVar[type[Data]] = TableData
    page: ClassVar[Page] = replace(
        ALONE,
        story="The generator learns to write rows like the table's in a game against a discriminator, which learns to "
        "tell its rows from real ones. Each chart shows rows that the generator made at that moment, over real rows "
        "that training never saw.",
    )

    def page_of(self, recipe: Recipe) -> Page:
        """Return the words for a run: of a game of two, or of a generator that learns alone."""
        return ALONE if recipe.network.name in UNIT_AFTER_UNIT else self.page

    def plan(self, request: Request, tell: Tell) -> RowsJob | LinkedJob:
        """Open the table, or two, and choose everything that the person did not. Raises: DataError, RecipeError."""
        if holds_several(request.source):
            return plan_tables(begin(request, GenerateRows), tell)
        return plan_job(begin(request, GenerateRows), tell, self)

    def open(self, recipe: Recipe, tell: Tell) -> RowsJob | LinkedJob:
        """Open the job of a recipe again. Raises: DataError if the table is missing or has changed."""
        if isinstance(recipe.data, TableData) and recipe.data.tables:
            return reopen_tables(recipe, recipe.data, tell)
        return open_job(recipe, tell, self)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Build the game on the rows that were sent."""
        if "families" in brief:
            return join_tables(recipe, brief, examples)
        codec = restore_codec(json.loads(brief["codec"]), load(brief["arrays"]))
        feed = TensorFeed(recipe.compute.device, **examples)
        return build_row_game(recipe, codec, feed), feed

    def look(self, job: RowsJob, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw the columns, and measure the similarity of columns and pairs to those of held-out rows."""
        samples = job.model(product).draw(job.recipe.records.need("look_samples"), seed=1)
        columns = job.table.codec.columns
        if not isinstance(product, AutoregressiveGenerator) or to_draw(run, examples, job.recipe.length.examples):
            drawn = draw_columns(job.table.held_out_rows, samples, columns, learned_names(columns))
            write_whole(run.sample_grid(examples), drawn)
            job.tell("sampled", path=str(run.sample_grid(examples)))
        quality = quick_table_quality(job.table.held_out_rows, samples, columns, job.recipe.ask.label)
        if isinstance(product, AutoregressiveGenerator):
            layout = RowLayout(job.table.codec.sizes, job.recipe.compute.device)
            quality |= with_ends({"likelihood": held_out_likelihood(product, layout, job.table.held_out)})
        return quality

    def evaluate(self, job: RowsJob, run: Run, product: nn.Module) -> Evaluation:
        """Return every measure with floor and rivals, and the verdict.

        The facts are those of evaluate_table, first_rows {columns, rows [[text or None]]}, the first generated rows as
        they are written, and rules {rule: rows that break it} as of `broken`.
        """
        table, columns = job.table, job.table.codec.columns
        count = min(JUDGED, max(len(table.train), 1_000))
        samples = job.model(product).draw(count, seed=2)
        label = None if job.recipe.ask.label == "none" else job.recipe.ask.label
        found = evaluate_table(table.train_rows, table.held_out_rows, samples, columns, label=label, seed=0)
        sides = table.train_rows, table.held_out_rows, samples
        found = with_places(found, run, *sides, columns, joint_of(table.codec.rules))
        first_rows = first_rows_of(samples, columns)
        rules = broken(table.codec.rules, samples, table.train_rows, columns)
        write_figures(run, found.facts, table.train_rows, samples, columns)
        verdict = found.verdict
        if found.facts["copying_suspected"] and job.recipe.section(RowSettings).values == "seen":
            verdict = replace(verdict, sentences=(*verdict.sentences, SMOOTHER))
        if job.recipe.network.name in UNIT_AFTER_UNIT and not job.recipe.section(RowSettings).referee:
            generator = product.generator if isinstance(product, RowProduct) else product
            alone = isinstance(generator, LowRankGenerator) and generator.is_copula_alone
            how = COPULA_ALONE if alone else BY_LIKELIHOOD
            verdict = replace(verdict, sentences=(*verdict.sentences, how), adversarial_helps=None)
        return replace(
            found,
            verdict=verdict,
            facts={**found.facts, "first_rows": first_rows, "rules": rules},
            blocks=(first_rows_block(first_rows), *found.blocks),
        )


def to_draw(run: Run, examples: int, length: int) -> bool:
    """Return whether this look at a generator that learns alone is drawn: a picture takes longer than all the rest."""
    drawn = [int(path.stem) for path in run.samples.glob("*.png")]
    last = max((at for at in drawn if at < examples), default=None)
    return last is None or examples >= length or examples - last >= length / PICTURES


def plan_job(draft: Draft, tell: Tell, task: GenerateRows | Impute) -> RowsJob:
    """Plan the job of a task on rows from its draft. Raises: DataError, RecipeError."""
    inspected = inspect_asked(draft.request)
    tell("reading", count=inspected.survey.rows, source=draft.request.source)
    settings = choose_rows(draft, inspected.rules, inspected.survey.rows)
    table = open_table(inspected, settings, draft.request.seed, draft.device)
    if choose_values(draft, table):
        table = open_table(inspected, draft[RowSettings], draft.request.seed, draft.device)
    return RowsJob(plan_rows(draft, inspected, table, tell), table, tell, task)


def open_job(recipe: Recipe, tell: Tell, task: GenerateRows | Impute) -> RowsJob:
    """Open the job of a recipe again. Raises: DataError if the table is missing or has changed."""
    rows = recipe.section(RowSettings)
    open_source(recipe.data.source)  # a missing file, or one that is not a table, has its own error
    try:
        inspected = inspect_table(recipe.data.source, columns_of(recipe), rows.rules)
    except DataError as error:
        what = f"The table at {recipe.data.source!r} is not the one this run was started with."
        raise DataError(what, error.what, "Put the old table back, or train a new run.") from error
    refuse_changed_data(recipe, inspected.survey.sha256, "The table", "is not the one")
    return RowsJob(recipe, open_table(inspected, rows, recipe.seed, recipe.compute.device), tell, task)


@dataclass(slots=True)
class RowsJob(Job):
    """A task on an open table with everything chosen."""

    recipe: Recipe
    table: Table
    tell: Tell
    task: GenerateRows | Impute

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.table.passport

    @property
    def feed(self) -> Feed:
        return self.table.train

    def game(self) -> Game:
        """Build the game from the seed: of two, in which the discriminator plays first, or of the generator alone."""
        return build_row_game(self.recipe, self.table.codec, self.table.train, self.table.held_out)

    def brief(self) -> Mapping[str, bytes]:
        """Return the codec: JSON, and its arrays as safetensors."""
        content, arrays = codec_content(self.table.codec)
        return {"codec": json.dumps(content).encode(), "arrays": save(arrays)}

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw and measure the model so far, as the task does."""
        return self.task.look(self, run, product, examples)

    def finish(self, product: nn.Module) -> nn.Module:
        """Return the generator with its columns at their shares, and a referee, if the recipe asks for one."""
        assert isinstance(product, RowGenerator | AutoregressiveGenerator)
        self.tell("settling")
        begun, table, referee, apart = perf_counter(), self.table, None, None
        if isinstance(product, RowGenerator) and self.recipe.task == "generate":
            layout = RowLayout(table.codec.sizes, self.recipe.compute.device)
            shares = code_shares(table.codec.sizes, table.train).to(self.recipe.compute.device)
            match_shares(product, layout, shares, self.recipe.network.need("latent_size"), self.recipe.seed)
        if self.recipe.section(RowSettings).referee:
            referee = train_referee(self.recipe, table.codec, product, table.train, table.held_out)
        if isinstance(product, LowRankGenerator) and product.copula is not None and self.recipe.task == "generate":
            layout = RowLayout(table.codec.sizes, self.recipe.compute.device)
            shares = code_shares(table.codec.sizes, table.train).to(self.recipe.compute.device)
            trust = trust_as_measured(product, layout, shares, table.held_out)
            if trust < 1:
                self.tell("noted", sentence=f"{trust:.0%} {KEPT_OF_TRAINING}")
        unseen = self.recipe.section(RowSettings).unseen
        if isinstance(product, AutoregressiveGenerator) and unseen:
            apart = pairs_apart(table.codec, table.train, unseen)
            if pairs := int(apart.sum()) // 2:
                lost = share_apart(apart, table.codec, table.held_out)
                self.tell(
                    "noted",
                    sentence=f"{pairs} pairs of values that never occur are not drawn; {lost:.2%} of "
                    "the held-out rows have one. --set rows.unseen=0 draws all.",
                )
            apart = apart.to(self.recipe.compute.device)
        self.tell("settled", seconds=perf_counter() - begun)
        return RowProduct(product, referee, apart)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors: all that `sample` needs."""
        self.model(product).store(folder, self.recipe)

    def read_product(self, folder: Path) -> nn.Module:
        """Read the generator that `write_model` wrote."""
        return load_rows(folder, self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Evaluate the model, as the task does, and say what it keeps back of the rows."""
        found = self.task.evaluate(self, run, product)
        return with_kept_back(found, self.table.protection, self.recipe.section(RowSettings).rare or 0)

    def exposure(self, run: Run, product: nn.Module) -> Exposure:
        """Return rows as points and as cells: training and held-out ones, and generated ones."""
        white_box, missing = self._white_box(run, product)
        made = self.model(product).draw(MOST_GENERATED, seed=3)
        return expose_rows(self.table, made, white_box=white_box, missing=missing)

    def _white_box(self, run: Run, product: nn.Module) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Return the scores of the run's own networks: the likelihood, or the discriminator's."""
        feeds = ("members", self.table.train), ("non-members", self.table.held_out)
        sides = [(feed, subset(len(feed), MOST_TARGETS, f"exposure/{name}")) for name, feed in feeds]
        layout = RowLayout(self.table.codec.sizes, self.recipe.compute.device)
        generator = product.generator if isinstance(product, RowProduct) else product
        if isinstance(generator, AutoregressiveGenerator):
            first, second = (
                score_chosen(side, lambda batch: likelihood_of(generator, layout, batch["x"])) for side in sides
            )
            return {"likelihood": (first, second)}, {}

        def score(network: nn.Module, batch: Batch) -> Tensor:
            codes = batch["x"]
            told: Tensor = network(layout.one_hot(codes), torch.zeros_like(codes).float())
            return told

        return discriminator_scores(run, self.game(), sides, score)

    def model(self, product: nn.Module) -> RowModel:
        """Return the product as a model of rows."""
        whole = product if isinstance(product, RowProduct) else RowProduct(product, None)
        rows = self.recipe.section(RowSettings)
        return RowModel(
            whole, self.recipe.network.latent_size or 0, self.table.codec, rows.candidates, self.recipe.task
        )


def inspect_asked(request: Request) -> InspectedTable:
    """Inspect the requested table, with a person's corrections. Raises: as `inspect_table`."""
    plan = request.options.get("plan")
    asked, rules = read_plan(plan) if plan else ((), None)
    inspected = inspect_table(request.source, asked, rules, request.options.get("rules", ()))
    names = [column.name for column in inspected.survey.columns]
    if request.label not in (None, "none", *names):
        raise RecipeError(
            f"There is no column {request.label!r} in the table.", did_you_mean(str(request.label), names)
        )
    return inspected
