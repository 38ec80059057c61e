"""The plan of a private table: the schema, the budget and what it buys, each choice with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from ganforge.contracts import Task
from ganforge.errors import RecipeError
from ganforge.kinds.tables.private.cells import cells_of
from ganforge.kinds.tables.private.schema import PublicColumn, Schema, read_schema, schema_for
from ganforge.kinds.tables.private.source import names_and_rows
from ganforge.kinds.tables.private.tree import CHOICE, MOST_CLASSES, PAIRS, TRIPLES
from ganforge.planning.compute import choose_compute
from ganforge.planning.draft import ASKED, Draft, choose_data
from ganforge.privacy.accounting import Release, gaussian_multiplier
from ganforge.privacy.ledger import ADD_REMOVE, OUTSIDE, PUBLIC_COUNT, Ledger, asked_of
from ganforge.privacy.options import read_private
from ganforge.privacy.settings import ABSENT, PrivateSettings, budget_of
from ganforge.recipe import Data, Network, Recipe, Request

TARGET = 0.05  # share of the tree's budget that counts the values of a number to predict, which are merged to classes
THRESHOLD = 0.1  # share of delta for the categories that pass a threshold, where they are bought
RANGES = 0.5  # share of the price of bounds that buys ranges; categories have the rest
SMALL = 3.0  # rows in a mean cell, in deviations of noise, below which little can be hoped for
UNUSED = (("plan", "--plan"), ("rules", "--rule"))


class PrivateTable(Data):
    """A private table: what is public of it."""

    apart: ClassVar[Mapping[str, str]] = {
        **Data.apart,
        **dict.fromkeys(("columns", "left_out", "target", "rows"), "Correct the schema, and give it with --schema."),
    }

    columns: tuple[PublicColumn, ...]
    left_out: tuple[str, ...] = ()
    target: str | None = None
    rows: int = Field(gt=0)

    @property
    def bought(self) -> tuple[str, ...]:
        """Return the columns whose bounds are bought."""
        return tuple(column.name for column in self.columns if column.kind == "unknown")


class PrivateTableSettings(PrivateSettings):
    """The budget of a private table."""

    apart: ClassVar[Mapping[str, str]] = {
        **PrivateSettings.apart,
        "bounds": 'Use --private "epsilon=1,bounds=0.1".',
        "choice": "It follows from --private.",
    }

    bounds: float = Field(0.0, ge=0, lt=1)  # share of the budget that buys ranges and categories

    def multiplier(self, share: float) -> float:
        """Return the noise multiplier of a Gaussian release with a share of the budget (PrivateSettings.multiplier)."""
        delta = self.delta * (1 - THRESHOLD) if self.bounds else self.delta
        return gaussian_multiplier(self.epsilon, delta) / math.sqrt(share)

    @property
    def tree(self) -> float:
        """Return the share of the budget that learns rows."""
        return 1 - self.judge - self.bounds


@dataclass(frozen=True, slots=True)
class Multipliers:
    """The noise of each release of a run, as a multiplier; None where there is no such release."""

    ranges: float | None
    categories: float | None
    target: float | None
    tree: float  # of one release with the whole budget of the tree
    judge: float | None


def multipliers_of(recipe: Recipe) -> Multipliers:
    """Return the noise of each release."""
    settings, data = recipe.section(PrivateTableSettings), _data(recipe)
    bounds, rest = settings.bounds, settings.tree
    counted = _counts_target(data)
    return Multipliers(
        ranges=settings.multiplier(bounds * RANGES) if bounds else None,
        categories=settings.multiplier(bounds * (1 - RANGES)) if bounds else None,
        target=settings.multiplier(rest * TARGET) if counted else None,
        tree=settings.multiplier(rest * (1 - TARGET) if counted else rest),
        judge=settings.multiplier(settings.judge) if settings.judge else None,
    )


def ledger_of(recipe: Recipe) -> Ledger:
    """Return the ledger of a run: it follows from public things alone, before anything is released."""
    data, settings, noise = _data(recipe), recipe.section(PrivateTableSettings), multipliers_of(recipe)
    goal = f" with {data.target!r}" if data.target else ""
    named = {
        "types and ranges of columns, counted on a public grid": noise.ranges,
        "categories, counted above a threshold": noise.categories,
        f"the values of {data.target!r}": noise.target,
        f"the cells of each column{goal}": noise.tree / math.sqrt(PAIRS),
        "how far each pair of columns is from independent": noise.tree / math.sqrt(CHOICE),
        f"the cells of the pairs that were chosen{goal}": noise.tree / math.sqrt(TRIPLES),
        "how many rows a classifier that learned from samples gets right": noise.judge,
    }
    releases = tuple(Release(name, "gaussian", value) for name, value in named.items() if value is not None)
    public = [PUBLIC_COUNT, "The names of the columns are public, and what the schema says of them."]
    if settings.bounds:
        public.append(
            f"{THRESHOLD:.0%} of delta stand for the chance that a category of a single row passes the threshold; "
            "the noise was made for the rest of delta."
        )
    return Ledger(
        record="a row of the table",
        records=data.rows,
        epsilon=settings.epsilon,
        delta=settings.delta,
        releases=releases,
        outside=OUTSIDE,
        public=tuple(public),
        neighbours=ADD_REMOVE,
        asked=asked_of(recipe),
    )


def plan_private(request: Request, task: type[Task]) -> Recipe:
    """Choose everything, each choice with its reason. Raises: DataError, RecipeError."""
    for name, flag in UNUSED:
        if request.options.get(name):
            raise RecipeError(
                f"{flag} was given, and a private run has no use for it.",
                "Rules that are checked against the rows, and what was found in them, tell of the rows.",
                "State what is public with --schema.",
            )
    draft = Draft(request, task, absent=ABSENT, device="cpu")
    asked = read_private(request.options["private"]) if "private" in request.options else None
    bounds = asked.shares.get("bounds", 0.0) if asked else 0.0
    content = read_schema(request.options["schema"]) if request.options.get("schema") else {}
    names, rows = names_and_rows(request.source)
    budget = budget_of(request, rows, also=("bounds",))
    schema = schema_for(names, content, None if request.label == "none" else request.label, bought=bounds > 0)
    draft.explain({"task": "--private asks for it"})
    told = f"{len(schema.columns)} columns of the schema" + (
        f", {len(schema.left_out)} left out" * bool(schema.left_out)
    )
    choose_data(
        draft,
        "tables",
        ((len(schema.columns),), told),
        "",
        columns=(schema.columns, "stated, not read from the data" if content else "their bounds are bought"),
        left_out=(schema.left_out, ""),
        target=(schema.target, ASKED if schema.target else "none was named: columns are learned among themselves"),
        rows=(rows, "their number is public"),
    )
    choose_compute(draft)
    draft.choose(Network, name=("tree", _why(schema)))
    bought = (
        bounds,
        f"of the budget, for the bounds of {_unknown(schema)} columns" if bounds else "every bound is stated",
    )
    draft.choose(PrivateTableSettings, **budget, bounds=bought)
    settings = draft[PrivateTableSettings]
    if settings.tree <= 0:
        raise RecipeError(
            f"judge={settings.judge:g} and bounds={settings.bounds:g} leave nothing of the budget.",
            "Together they must stay below 1.",
            'For example: --private "epsilon=1,bounds=0.1"',
        )
    if bounds and not _unknown(schema):
        raise RecipeError(
            f"bounds={bounds:g} was given, and the schema states every bound.",
            "There is nothing to buy.",
            "Leave it out.",
        )
    draft.explain({"private.epsilon": _hope(draft.recipe())})
    return draft.recipe()


def _why(schema: Schema) -> str:
    given = f"given {schema.target}" if schema.target else "by how they go together"
    return (
        f"a tree over the columns {given}, from noisy counts: no GAN is trained, since at these budgets "
        "what single steps on rows would cost leaves less than counts do"
    )


def _hope(recipe: Recipe) -> str:
    """Say what can be hoped for: rows in a mean cell against the noise."""
    data, noise = _data(recipe), multipliers_of(recipe)
    tables = max(len(data.columns) - 1, 1)
    deviation = noise.tree / math.sqrt(PAIRS) * math.sqrt(tables)
    sizes = [cells_of(column).count for column in data.columns if column.kind != "unknown"]
    mean = data.rows / (2 * max(sum(sizes) / max(len(sizes), 1), 1)) if sizes else data.rows / 20
    told = f"a count has noise of +-{deviation:,.0f} rows, and a mean cell {mean:,.0f} of {data.rows:,} rows"
    if mean < SMALL * deviation / 4:
        return f"{ASKED}; {told}: hardly more than the largest categories can be told from noise"
    return f"{ASKED}; {told}"


def _counts_target(data: PrivateTable) -> bool:
    """Return whether the values of the target are counted by themselves, to be merged into classes."""
    if data.target is None:
        return False
    column = next(column for column in data.columns if column.name == data.target)
    return column.kind == "unknown" or cells_of(column).count > MOST_CLASSES


def _unknown(schema: Schema) -> int:
    return sum(column.kind == "unknown" for column in schema.columns)


def _data(recipe: Recipe) -> PrivateTable:
    if not isinstance(recipe.data, PrivateTable):
        raise RecipeError("The recipe is not of a private table.", do="Use that of a private run.")
    return recipe.data


def overview_rows(columns: tuple[PublicColumn, ...], target: str | None) -> list[tuple[Any, ...]]:
    """Return what a plan shows of each column: name, kind, bounds, cells, whether it is predicted."""
    rows = []
    for column in columns:
        bounds = {
            "category": ", ".join(column.categories[:5]) + ("..." if len(column.categories) > 5 else ""),
            "unknown": "bought",
        }.get(
            column.kind,
            f"{column.low:g} to {column.high:g}" if column.low is not None and column.high is not None else "",
        )
        cells = "" if column.kind == "unknown" else f"{cells_of(column).count:,}"
        rows.append((column.name, column.kind, bounds, cells, "predicted" if column.name == target else ""))
    return rows
