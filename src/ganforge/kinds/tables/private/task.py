"""The task `private` of tables: noisy counts are released once, and a tree of them is the model. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Task, Tell
from ganforge.core.noise import PrivateNoise
from ganforge.errors import DataError, InputError
from ganforge.kinds.tables.private.bounds import Bought, bounded, release_categories, release_ranges
from ganforge.kinds.tables.private.cells import Cells, cells_of
from ganforge.kinds.tables.private.counts import Codes, counted, groups_of, projected
from ganforge.kinds.tables.private.evaluate import evaluate_private
from ganforge.kinds.tables.private.model import PrivateRows, PrivateTableModel, load_private
from ganforge.kinds.tables.private.plan import (
    THRESHOLD,
    Multipliers,
    PrivateTable,
    PrivateTableSettings,
    ledger_of,
    multipliers_of,
    plan_private,
)
from ganforge.kinds.tables.private.source import encoded
from ganforge.kinds.tables.private.tree import (
    Layout,
    Tree,
    forest_of,
    margins_of,
    release_choice,
    release_pairs,
    release_triples,
    tree_of,
)
from ganforge.privacy.release import ReleaseJob, Releases
from ganforge.privacy.settings import UNGUARDED, UNTRAINED, why_once
from ganforge.recipe import Data, Recipe, Request, TaskSection
from ganforge.records import Evaluation, Page
from ganforge.run import Run

CLASSES = 6  # groups of the values of a number to predict


class PrivateTableTask(Task):
    """The task of learning a table under differential privacy."""

    name: ClassVar[str] = "private"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {}
    section: ClassVar[type[TaskSection] | None] = PrivateTableSettings
    data: ClassVar[type[Data]] = PrivateTable
    unguarded: ClassVar[str | None] = UNGUARDED
    untrained: ClassVar[str | None] = UNTRAINED
    keeps_data: ClassVar[bool] = False
    labels: ClassVar[str | None] = None
    page: ClassVar[Page] = Page(
        nouns="rows",
        judged="rows drawn from the release",
        caption="Rows that are drawn from noisy counts",
        story="No network was trained: every row is drawn from counts that were released once.",
    )

    def page_of(self, recipe: Recipe) -> Page:
        """Return the words of the run's pages, with the price of its one look."""
        once = why_once(recipe.section(PrivateTableSettings))
        return replace(self.page, once=once)

    def plan(self, request: Request, tell: Tell) -> PrivateTableJob:
        """Choose everything, from the schema and the number of rows. Raises: DataError, RecipeError."""
        recipe = plan_private(request, PrivateTableTask)
        job = PrivateTableJob(recipe, tell)
        tell("reading", count=job.data.rows, source=request.source)
        return job

    def open(self, recipe: Recipe, tell: Tell) -> PrivateTableJob:
        """Open the job of a recipe again. The table is read when something of it is still to be released."""
        return PrivateTableJob(recipe, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Refuse: a release has no game."""
        raise InputError("A private table is not trained by several processes.", UNTRAINED, "Start one.")


@dataclass(slots=True)
class PrivateTableJob(ReleaseJob):
    """A release of a table with everything chosen."""

    recipe: Recipe
    tell: Tell
    _codes: list[Codes] | None = field(default=None, repr=False)

    @property
    def data(self) -> PrivateTable:
        assert isinstance(self.recipe.data, PrivateTable)
        return self.recipe.data

    @property
    def passport(self) -> Mapping[str, Any]:
        """Return the data passport: public facts alone."""
        data = self.data
        facts: dict[str, Any] = {"source": data.source, "rows": data.rows, "columns": len(data.columns)}
        notes = ["Nothing in this passport was read from the rows but their number."]
        if data.left_out:
            notes.append(f"Left out, as the schema says: {', '.join(data.left_out)}.")
        return {**facts, "notes": notes}

    @property
    def noise(self) -> Multipliers:
        return multipliers_of(self.recipe)

    def product(self, run: Run) -> nn.Module:
        """Release the counts, and make the tree of them."""
        releases = Releases(run, ledger_of(self.recipe), self.tell)
        columns = self._columns(releases)
        cells = [cells_of(column) for column in columns]
        names = [column.name for column in columns]
        target = self.data.target
        place = names.index(target) if target is not None else None
        classes = self._classes(releases, cells, place)
        rest = [i for i in range(len(columns)) if i != place]
        layout = Layout(
            rows=self.data.rows,
            sizes=tuple(cells[i].count for i in rest),
            ordered=tuple(cells[i].ordered for i in rest),
            classes=len(classes),
            multiplier=self.noise.tree,
        )

        def label() -> Codes:
            if place is None:
                return np.zeros(self.data.rows, np.int64)
            of_cell = np.argmax(classes, axis=0)
            return np.asarray(of_cell[self._encoded(cells)[place]])

        def codes() -> list[Codes]:
            found = self._encoded(cells)
            return [found[i] for i in rest]

        def of_pairs(noise: PrivateNoise) -> Bought:
            return release_pairs(layout, codes(), label(), noise)

        pairs = releases.once("pairs", of_pairs, "The cells of each column were counted, with noise.")
        margins = margins_of(layout, pairs)

        def of_choice(noise: PrivateNoise) -> Bought:
            return release_choice(layout, margins, codes(), label(), noise)

        choice = releases.once("choice", of_choice, "It was measured which columns go together, with noise.")
        edges = forest_of(layout, margins, choice)

        def of_triples(noise: PrivateNoise) -> Bought:
            return release_triples(layout, margins, edges, codes(), label(), noise)

        triples = releases.once("triples", of_triples, f"{len(edges)} pairs of columns were counted, with noise.")
        tree = tree_of(layout, margins, edges, pairs, triples)
        product = PrivateRows.of(_arrays(tree, classes if place is not None else None))
        product.columns, product.edges = columns, edges  # for _model
        self._codes = None
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors into an empty folder."""
        self._model(product).store(folder, self.recipe)

    def read_product(self, folder: Path) -> nn.Module:
        """Read the product that `write_model` wrote. Raises: RunError if it is missing or damaged."""
        model = load_private(folder)
        model.network.columns, model.network.edges = model.columns, model.edges
        return model.network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Return what a classifier is worth that learned from samples, counted once on the private rows, with noise."""
        releases = Releases(run, ledger_of(self.recipe), self.tell)
        return evaluate_private(self._model(product), self.recipe, releases, self.noise.judge, self.data)

    def _model(self, product: nn.Module) -> PrivateTableModel:
        assert isinstance(product, PrivateRows)
        return PrivateTableModel(product, product.columns, self.data.target, product.edges)

    def _columns(self, releases: Releases) -> tuple[Any, ...]:
        """Return the columns with their bounds, which are bought where nobody stated them."""
        data, noise = self.data, self.noise
        if not data.bought:
            return data.columns
        names, source, rows = data.bought, data.source, data.rows
        delta = self.recipe.section(PrivateTableSettings).delta * THRESHOLD
        assert noise.ranges is not None and noise.categories is not None
        first, second = noise.ranges, noise.categories
        ranges = releases.once(
            "ranges",
            lambda noise: release_ranges(source, names, rows, first, noise),
            f"The ranges of {len(names)} columns were bought.",
        )
        words = releases.once(
            "categories",
            lambda noise: release_categories(source, names, rows, second, delta, noise),
            f"The categories of {len(names)} columns were bought.",
        )
        columns, lost = bounded(data.columns, ranges, words, first * math.sqrt(len(names)))
        if lost:
            self.tell("released", sentence=f"Left out, since noise hides their values: {', '.join(lost)}.")
        if len(columns) < 2 or data.target in lost:
            raise DataError(
                f"Nothing but noise was found in {', '.join(map(repr, lost[:5]))}.",
                "The budget is too small for so few rows.",
                "State their bounds with --schema, or raise epsilon.",
            )
        return tuple(columns)

    def _classes(self, releases: Releases, cells: list[Cells], place: int | None) -> Any:
        """Return how often each cell of the target has each class, (C, F): each cell belongs to one."""
        if place is None:
            return np.ones((1, 1))
        size, multiplier = cells[place].count, self.noise.target
        if multiplier is None:
            return np.eye(size)
        count = multiplier

        def of_target(noise: PrivateNoise) -> Bought:
            table = counted([self._encoded(cells)[place]], [size])
            return {"counts": table + noise.gaussian(size, count)}

        counts = releases.once("target", of_target, "The values of the column to predict were counted, with noise.")
        mass = projected(counts["counts"], self.data.rows)
        groups = groups_of(mass, CLASSES, count, ordered=cells[place].ordered)
        return np.where(groups[None] == np.arange(groups.max() + 1)[:, None], mass[None] + 1e-9, 0.0)

    def _encoded(self, cells: list[Cells]) -> list[Codes]:
        if self._codes is None:
            self._codes = encoded(self.data.source, cells, self.data.rows)
        return self._codes


def _arrays(tree: Tree, target: Any) -> dict[str, Any]:
    """Return the arrays of a tree by name (PrivateRows)."""
    arrays: dict[str, Any] = {"classes": tree.classes}
    for i, (fine, group, coarse) in enumerate(zip(tree.fine, tree.groups, tree.coarse, strict=True)):
        arrays |= {f"fine{i}": fine, f"group{i}": group, f"coarse{i}": coarse}
    arrays |= {f"triple{k}": table for k, table in enumerate(tree.triples)}
    return arrays if target is None else arrays | {"target": target}
