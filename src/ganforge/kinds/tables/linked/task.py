"""The task `generate` on two linked tables: parents, and their children given them, both learned by likelihood."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Tell
from ganforge.core.files import write_whole
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE
from ganforge.kinds.tables.columns import RowSettings, TableData
from ganforge.kinds.tables.figures.columns import draw_columns, learned_names
from ganforge.kinds.tables.figures.evaluation import write_figures
from ganforge.kinds.tables.generate.apart import pairs_apart
from ganforge.kinds.tables.linked.evaluate import PARTS, evaluate_tables
from ganforge.kinds.tables.linked.families import Families
from ganforge.kinds.tables.linked.judge import measured, with_gap
from ganforge.kinds.tables.linked.likelihood import (
    FamilyGenerator,
    FamilyLayout,
    FamilySizes,
    family_game,
    likelihood_of_families,
)
from ganforge.kinds.tables.linked.model import LinkedModel, load_families, model_of
from ganforge.kinds.tables.linked.tables import OpenTables, inspect_tables, open_tables
from ganforge.kinds.tables.measures.blocks import first_rows_block, first_rows_of
from ganforge.kinds.tables.measures.kept_back import with_kept_back
from ganforge.kinds.tables.measures.similarity import quick_table_quality
from ganforge.kinds.tables.plan import choose_rows, explain_kept_back, plan_alone
from ganforge.kinds.tables.rules.checks import broken
from ganforge.measures.intervals import with_ends
from ganforge.planning.draft import Draft, choose_data
from ganforge.recipe import Recipe, refuse_changed_data
from ganforge.records import Block, Evaluation
from ganforge.run import Run

FEWEST_JUDGED, MOST_JUDGED = 1_000, 30_000  # parents in an evaluation
WHY = "draws parents, and then children given them, unit after unit; learned by likelihood (docs/log.md)"
NO_REFEREE = "Two tables are drawn unit after unit: no referee chooses among their rows."


def plan_tables(draft: Draft, tell: Tell) -> LinkedJob:
    """Plan the job of two tables from its draft. Raises: DataError, RecipeError, InputError."""
    request = draft.request
    if request.options.get("plan") or request.label not in (None, "none"):
        given = "--plan" if request.options.get("plan") else f"--label {request.label}"
        raise RecipeError(f"{given} was given with two tables.", "It is for one table alone so far.", "Leave it out.")
    if (name := draft.pinned.get("network.name", AUTOREGRESSIVE)) != AUTOREGRESSIVE:
        raise RecipeError(
            f"The network {name!r} was given with two tables.",
            f"Parents and children are learned by likelihood, with the network {AUTOREGRESSIVE!r}.",
            "Leave it out.",
        )
    draft.leave_out({"rows.referee": NO_REFEREE, "rows.candidates": NO_REFEREE, "rows.reconstruction": NO_REFEREE})
    inspected = inspect_tables(request.source, request.options.get("rules", ()))
    relation, families = inspected.relation, inspected.families
    tell("reading", count=len(families) + len(families.owner), source=request.source)
    settings = choose_rows(draft, inspected.rules, min(len(families), len(families.owner)))
    opened = open_tables(inspected, settings, request.seed, draft.device)
    columns = len(relation.parent.columns) - 1, len(relation.child.columns)
    units = len(opened.parents.units) + len(opened.children.units)
    why = f"{columns[0]} and {columns[1]} columns, learned as {units} units"
    tables = ((relation.parent, relation.child), inspected.why)
    choose_data(draft, "tables", (columns, why), inspected.sha256, tables=tables)
    explain_kept_back(draft, opened.protection)
    recipe = plan_alone(
        draft,
        opened.feed,
        tell,
        lambda network: (FamilyGenerator(network, opened.sizes),),
        lambda recipe: family_game(recipe, opened.sizes, opened.feed),
        WHY,
    )
    return LinkedJob(recipe, opened, tell)


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
    """Build the game of one on the rows that were sent."""
    sizes = FamilySizes(**{part: tuple(codes) for part, codes in json.loads(brief["families"]).items()})
    feed = TensorFeed(recipe.compute.device, **examples)
    return family_game(recipe, sizes, feed), feed


@dataclass(slots=True)
class LinkedJob(Job):
    """The task on two open tables with everything chosen."""

    recipe: Recipe
    tables: OpenTables
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.tables.passport

    @property
    def feed(self) -> Feed:
        return self.tables.feed

    def game(self) -> Game:
        """Build the generators of both tables, which learn alone."""
        return family_game(self.recipe, self.tables.sizes, self.tables.feed)

    def brief(self) -> Mapping[str, bytes]:
        """Return the numbers of codes as JSON."""
        return {"families": json.dumps(asdict(self.tables.sizes)).encode()}

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
        quality = {name: float(np.mean([one[name] for one in scores if name in one])) for name in names}
        assert isinstance(product, FamilyGenerator)
        layout = FamilyLayout(self.tables.sizes, self.recipe.compute.device)
        return quality | with_ends({"likelihood": likelihood_of_families(product, layout, self.tables.held_out_codes)})

    def finish(self, product: nn.Module) -> nn.Module:
        """Return the generators, with the pairs of values of a parent that never occur."""
        assert isinstance(product, FamilyGenerator)
        self.tell("settling")
        begun = perf_counter()
        parents = TensorFeed(x=self.tables.feed.tensors["parents"])
        apart = pairs_apart(self.tables.parents, parents, self.recipe.section(RowSettings).need("unseen"))
        product.parent.apart = apart.to(self.recipe.compute.device)
        self.tell("settled", seconds=perf_counter() - begun)
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors: all that `sample` needs."""
        assert isinstance(product, FamilyGenerator)
        self.model(product).store(folder, self.recipe, product)

    def read_product(self, folder: Path) -> nn.Module:
        """Read the generators that `write_model` wrote."""
        return load_families(folder, self.recipe.compute.device)[1]

    def model(self, product: nn.Module) -> LinkedModel:
        """Return the product, also one in training, as a model of both tables."""
        assert isinstance(product, FamilyGenerator)
        tables = self.tables
        return model_of(tables.relation, tables.parents, tables.children, product, self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Return every measure with floor and rivals, and the verdict; the facts are those of evaluate_tables."""
        tables, relation = self.tables, self.tables.relation
        train = tables.train
        made = self.model(product).draw(min(MOST_JUDGED, max(len(train), FEWEST_JUDGED)), seed=2)
        found = evaluate_tables(relation, train, tables.held_out, made)
        real, drawn = (with_gap(relation, families.children) for families in (train, made))
        facts = found.facts
        write_figures(run, facts[relation.parent.name], train.parents, made.parents, relation.parents, f"{PARTS[0]}-")
        write_figures(run, facts[relation.child.name], real, drawn, measured(relation), f"{PARTS[1]}-")
        first = made.chosen(np.arange(len(made)) < len(tables.held_out))
        rules = broken(tables.parents.rules, first.parents, train.parents, tables.parents.columns)
        rules |= broken(tables.children.rules, first.children, train.children, tables.children.columns)
        blocks = (*self._first_rows(made), *found.blocks)
        found = replace(found, facts={**facts, "rules": rules}, blocks=blocks)
        return with_kept_back(found, tables.protection, self.recipe.section(RowSettings).rare or 0)

    def _first_rows(self, made: Families) -> list[Block]:
        """Show the first parents, and the first children."""
        relation = self.tables.relation
        sides = (
            (relation.parent.name, relation.parents, made.parents),
            (relation.child.name, relation.children, made.children),
        )
        return [
            replace(first_rows_block(first_rows_of(rows, columns)), title=f"What it makes: {name}")
            for name, columns, rows in sides
        ]
