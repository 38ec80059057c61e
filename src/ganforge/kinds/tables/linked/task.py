"""The task `generate` on two linked tables: parents, and their children given them, in one game of two."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load, save
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Job, Plain, Tell
from ganforge.core.files import write_whole
from ganforge.core.seeds import generator_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE
from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, restore_codec
from ganforge.kinds.tables.columns import Column, RowSettings, TableData
from ganforge.kinds.tables.figures.columns import draw_columns, learned_names
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs, score_matrix
from ganforge.kinds.tables.generate.game import LATENTS, build_row_game, code_shares, match_shares, train_referee
from ganforge.kinds.tables.generate.model import RowModel
from ganforge.kinds.tables.linked.evaluate import PARTS, evaluate_tables
from ganforge.kinds.tables.linked.families import Families
from ganforge.kinds.tables.linked.judge import measured, with_gap
from ganforge.kinds.tables.linked.model import LinkedModel, LinkedProduct, load_generator
from ganforge.kinds.tables.linked.parts import part_of
from ganforge.kinds.tables.linked.tables import OpenTables, inspect_tables, open_tables
from ganforge.kinds.tables.measures.blocks import first_rows_block, first_rows_of
from ganforge.kinds.tables.measures.kept_back import with_kept_back
from ganforge.kinds.tables.measures.similarity import quick_table_quality
from ganforge.kinds.tables.networks import RowGenerator, RowLayout, RowProduct
from ganforge.kinds.tables.plan import choose_rows, plan_learning
from ganforge.kinds.tables.rules.checks import broken
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, refuse_changed_data
from ganforge.records import Block, Evaluation
from ganforge.run import Run

FEWEST_JUDGED, MOST_JUDGED = 1_000, 30_000  # parents in an evaluation
LEAST_SHARE = 0.25  # of the referees' examples, for each of them


def plan_tables(draft: Draft, tell: Tell) -> LinkedJob:
    """Plan the job of two tables from its draft. Raises: DataError, RecipeError, InputError."""
    request = draft.request
    if request.options.get("plan") or request.label not in (None, "none"):
        given = "--plan" if request.options.get("plan") else f"--label {request.label}"
        raise RecipeError(f"{given} was given with two tables.", "It is for one table alone so far.", "Leave it out.")
    if draft.pinned.get("network.name") == AUTOREGRESSIVE:
        raise RecipeError(
            f"The network {AUTOREGRESSIVE!r} was given with two tables.",
            "Parents and children are learned in one game, which it does not play.",
            "Leave it out.",
        )
    inspected = inspect_tables(request.source, request.options.get("rules", ()))
    relation, families = inspected.relation, inspected.families
    tell("reading", count=len(families) + len(families.owner), source=request.source)
    settings = choose_rows(draft, inspected.rules, min(len(families), len(families.owner)))
    opened = open_tables(inspected, settings, request.seed, draft.device)
    columns = len(relation.parent.columns) - 1, len(relation.child.columns)
    draft.choose(
        TableData,
        source=(request.source, "you gave it"),
        kind=("tables", "found there"),
        shape=(columns, f"{columns[0]} and {columns[1]} columns, learned as {len(opened.table.codec.units)} units"),
        tables=((relation.parent, relation.child), inspected.why),
        hash=(inspected.sha256, ""),
    )
    return LinkedJob(plan_learning(draft, opened.table, tell), opened, tell)


def reopen_tables(recipe: Recipe, data: TableData, tell: Tell) -> LinkedJob:
    """Open the job of a recipe again. Raises: DataError if a table is missing or has changed."""
    rows = recipe.section(RowSettings)
    try:
        inspected = inspect_tables(data.source, rows.rules, data.tables, find=False)
    except DataError as error:
        what = f"The tables at {data.source!r} are not the ones this run was started with."
        raise DataError(what, error.what, "Put the old tables back, or train a new run.") from error
    refuse_changed_data(recipe, inspected.sha256, "The tables")
    return LinkedJob(recipe, open_tables(inspected, rows, recipe.seed, recipe.compute.device), tell)


def join_tables(recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
    """Build the game of two on the rows that were sent."""
    codecs = [restore_codec(json.loads(brief[part]), load(brief[f"{part}_arrays"])) for part in ("parents", "children")]
    units = tuple(unit for codec in codecs for unit in codec.units)
    feed = TensorFeed(recipe.compute.device, **examples)
    return build_row_game(recipe, TableCodec((), (), units, {}), feed), feed


@dataclass(slots=True)
class LinkedJob(Job):
    """The task on two open tables with everything chosen."""

    recipe: Recipe
    tables: OpenTables
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.tables.table.passport

    @property
    def feed(self) -> Feed:
        return self.tables.table.train

    def game(self) -> Game:
        """Build generator and discriminator of both tables; the discriminator plays first."""
        table = self.tables.table
        return build_row_game(self.recipe, table.codec, table.train, table.held_out)

    def brief(self) -> Mapping[str, bytes]:
        """Return both codecs: JSON, and their arrays as safetensors."""
        told: dict[str, bytes] = {}
        for part, codec in (("parents", self.tables.parents), ("children", self.tables.children)):
            content, arrays = codec_content(codec)
            told |= {part: json.dumps(content).encode(), f"{part}_arrays": save(arrays)}
        return told

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw the children's columns, and measure both tables, the children beside their parent and sibling."""
        held_out, relation = self.tables.held_out, self.tables.relation
        rows = self.recipe.records.need("look_samples")
        share = len(held_out) / max(len(held_out) + len(held_out.owner), 1)
        made = self.model(product).draw(max(200, round(rows * share)), seed=1)
        names = learned_names(relation.children)
        drawn = draw_columns(held_out.children, made.children, relation.children, names)
        write_whole(run.sample_grid(examples), drawn)
        self.tell("sampled", path=str(run.sample_grid(examples)))
        wide = (*relation.context, *relation.children)
        scores = [
            quick_table_quality(held_out.parents, made.parents, relation.parents),
            quick_table_quality(held_out.children, made.children, wide),
        ]
        names = [name for name in scores[1] if any(name in one for one in scores)]
        return {name: float(np.mean([one[name] for one in scores if name in one])) for name in names}

    def finish(self, product: nn.Module) -> nn.Module:
        """Return a generator for each table, with its columns at their shares, and referees if the recipe asks."""
        assert isinstance(product, RowGenerator)
        self.tell("settling")
        begun, tables, recipe = perf_counter(), self.tables, self.recipe
        parents, children = self._parts(product)
        latent_size, device = recipe.network.need("latent_size"), recipe.compute.device
        for part, codec, feeds in (
            (parents, tables.parents, tables.parent_feeds),
            (children, tables.children, tables.child_feeds),
        ):
            layout, shares = RowLayout(codec.sizes, device), code_shares(codec, feeds[0]).to(device)
            match_shares(part, layout, shares, latent_size, recipe.seed, _contexts(layout, feeds[0], recipe.seed))
        referees = self._referees(parents, children)
        self.tell("settled", seconds=perf_counter() - begun)
        return LinkedProduct(RowProduct(parents, referees[0]), RowProduct(children, referees[1]))

    def _referees(self, parents: RowGenerator, children: RowGenerator) -> tuple[Any, Any]:
        """Train a referee for each table. They share the recipe's examples as the tables share the rows."""
        tables, rows = self.tables, self.recipe.section(RowSettings)
        if not rows.referee:
            return None, None
        feeds = tables.parent_feeds, tables.child_feeds
        share = len(feeds[0][0]) / (len(feeds[0][0]) + len(feeds[1][0]))
        share = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
        found = []
        for part, codec, (train, held_out), mine in (
            (parents, tables.parents, feeds[0], share),
            (children, tables.children, feeds[1], 1 - share),
        ):
            settings = rows.model_copy(update={"referee": max(1, round(mine * rows.referee))})
            own = self.recipe.model_copy(update={"own": settings})
            found.append(train_referee(own, codec, part, train, held_out))
        return found[0], found[1]

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors: all that `sample` needs."""
        self.model(product).store(folder, self.recipe)

    def read_product(self, folder: Path) -> nn.Module:
        """Read the generators that `write_model` wrote."""
        found = load_generator(folder, self.recipe.compute.device)
        assert isinstance(found, LinkedModel)
        return LinkedProduct(found.parents.network, found.children.network)

    def model(self, product: nn.Module) -> LinkedModel:
        """Return the product, also one in training, as a model of both tables."""
        tables, latent_size = self.tables, self.recipe.network.need("latent_size")
        if isinstance(product, LinkedProduct):
            parts = product.parent, product.child
        else:
            assert isinstance(product, RowGenerator)
            generators = self._parts(product)
            parts = RowProduct(generators[0], None), RowProduct(generators[1], None)
        candidates = self.recipe.section(RowSettings).candidates
        parents, children = (
            RowModel(part, latent_size, codec, candidates)
            for part, codec in zip(parts, (tables.parents, tables.children), strict=True)
        )
        return LinkedModel(tables.relation, parents, children)

    def _parts(self, product: RowGenerator) -> tuple[RowGenerator, RowGenerator]:
        sizes, latent_size = self.tables.table.codec.sizes, self.recipe.network.need("latent_size")
        first, second = len(self.tables.parents.units), len(self.tables.children.units)
        return part_of(product, sizes, latent_size, 0, first), part_of(product, sizes, latent_size, first, second)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Return every measure with floor and rivals, and the verdict; the facts are those of evaluate_tables."""
        tables, relation = self.tables, self.tables.relation
        train = tables.train
        made = self.model(product).draw(min(MOST_JUDGED, max(len(train), FEWEST_JUDGED)), seed=2)
        found = evaluate_tables(relation, train, tables.held_out, made)
        real, drawn = (with_gap(relation, families.children) for families in (train, made))
        _draw(run, PARTS[0], found.facts[relation.parent.name], relation.parents, train.parents, made.parents)
        _draw(run, PARTS[1], found.facts[relation.child.name], measured(relation), real, drawn)
        first = made.chosen(np.arange(len(made)) < len(tables.held_out))
        rules = broken(tables.parents.rules, first.parents, train.parents, tables.parents.columns)
        rules |= broken(tables.children.rules, first.children, train.children, tables.children.columns)
        blocks = (*self._first_rows(made), *found.blocks)
        found = replace(found, facts={**found.facts, "rules": rules}, blocks=blocks)
        return with_kept_back(found, tables.table.protection, self.recipe.section(RowSettings).rare or 0)

    def _first_rows(self, made: Families) -> list[Block]:
        """Show the first parents, and the first children."""
        relation = self.tables.relation
        sides = (
            (relation.parent.name, relation.parents, made.parents),
            (
                relation.child.name,
                relation.children,
                made.children,
            ),
        )
        return [
            replace(first_rows_block(first_rows_of(rows, columns)), title=f"What it makes: {name}")
            for name, columns, rows in sides
        ]


def _contexts(layout: RowLayout, feed: TensorFeed, seed: int) -> Tensor | None:
    """Return what the generator is given in LATENTS random training rows, (LATENTS, P + U); None for whole rows."""
    if "given" not in feed.tensors:
        return None
    chosen = torch.randint(len(feed), (LATENTS,), generator=generator_for(seed, "contexts of shares"))
    batch = feed.batch(chosen)
    given = batch["given"].float()
    return torch.cat([layout.one_hot(batch["x"]) * layout.spread(given), given], dim=1)


def _draw(run: Run, part: str, facts: Mapping[str, Any], columns: Sequence[Column], real: Plain, drawn: Plain) -> None:
    """Draw the figures of one table, as for a table alone."""
    worst = [column["name"] for column in facts["columns"]]
    write_whole(run.figure(f"{part}-columns"), draw_columns(real, drawn, columns, worst))
    scores = {(pair["columns"][0], pair["columns"][1]): pair["score"] for pair in facts["pairs"]}
    if scores:
        write_whole(run.figure(f"{part}-pairs"), draw_pairs(real, drawn, columns, list(scores)))
        matrix = score_matrix(scores, [column.name for column in columns])
        write_whole(run.figure(f"{part}-dependence"), draw_dependence(*matrix))
