"""Families: the rows of a parent table, and those of its child table in their order, each with its context.

The context of a child's row is what it is drawn from: the columns of its parent, the number of its earlier siblings,
the columns of the previous one, and the means of the numbers of all earlier ones. Columns are named with their table,
`orders.amount`, because both tables may use a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import DataError
from ganforge.kinds.tables.columns import Column, LinkedTable, OtherReference, learned
from ganforge.kinds.tables.reading.arrays import joined, row_count, take

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """A parent table and its child table, and how the codecs name their columns."""

    parent: LinkedTable  # its last column is the number of children
    child: LinkedTable

    @classmethod
    def of(cls, tables: Sequence[LinkedTable]) -> Relation:
        """Return the relation of two tables. Raises: DataError if they are not a parent and its child."""
        if len(tables) != 2 or tables[1].parent != tables[0].name:
            raise DataError(
                f"{len(tables)} tables cannot be learned together yet.",
                "There must be a parent table and one with its children.",
                "Give two of them at a time.",
            )
        found = cls(*tables)
        names = {column.name for column in found.child.columns}
        if found.parent.primary_key not in {column.name for column in found.parent.columns} or not names.issuperset(
            found.child.references
        ):
            raise DataError("The tables are not linked.", "A key, or the column that refers to it, is missing.")
        return found

    @cached_property
    def parents(self) -> tuple[Column, ...]:
        """Return the parent's columns, the number of children last."""
        return tuple(in_table(column, self.parent.name) for column in self.parent.columns)

    @cached_property
    def children(self) -> tuple[Column, ...]:
        """Return the child's own columns: all but those that refer to rows of its parent's table."""
        mine = (column for column in self.child.columns if column.name not in self.child.references)
        return tuple(in_table(column, self.child.name) for column in mine)

    @property
    def written(self) -> dict[str, tuple[Column, ...]]:
        """Return the columns of both tables as they came, by the tables' names: without the number of children."""
        return {self.parent.name: self.parent.columns[:-1], self.child.name: self.child.columns}

    @property
    def key(self) -> str:
        """Return the name of the parent's key."""
        return f"{self.parent.name}.{self.parent.primary_key}"

    @property
    def count(self) -> str:
        """Return the name of the column with the number of children."""
        return self.parents[-1].name

    @property
    def order(self) -> str | None:
        """Return the name of the column in whose order siblings stand."""
        return None if self.child.order is None else f"{self.child.name}.{self.child.order}"

    @property
    def place(self) -> str:
        """Return the name of the column with the number of earlier siblings."""
        return f"earlier {self.child.name}"

    @cached_property
    def averaged(self) -> tuple[Column, ...]:
        """Return the child's columns whose means over earlier siblings are known."""
        return tuple(column for column in self.children if column.kind in ("integer", "decimal"))

    @cached_property
    def context(self) -> tuple[Column, ...]:
        """Return the columns that are known before a child is drawn."""
        most = max(0.0, (self.parents[-1].maximum or 1.0) - 1.0)
        place = Column(name=self.place, kind="integer", dtype="int64", minimum=0.0, maximum=most)
        seen = [
            column.model_copy(update={"name": previous(column.name), "missing": max(1, column.missing)})
            for column in learned(self.children)
        ]
        means = [
            Column(
                name=mean(column.name),
                kind="decimal",
                dtype="float64",
                missing=1,
                minimum=column.minimum,
                maximum=column.maximum,
            )
            for column in self.averaged
        ]
        return (*learned(self.parents), place, *seen, *means)

    def with_context(self, parents: Plain, children: Plain, owner: Rows) -> Plain:
        """Return the child's rows with their context.

        Args: parents (N,); children (M,) own columns, siblings beside each other in their order; owner (M,) the row of
            each one's parent.
        """
        first = np.ones(len(owner), bool)
        first[1:] = owner[1:] != owner[:-1]
        starts = np.flatnonzero(first)
        begin = starts[np.cumsum(first) - 1] if len(starts) else starts  # of the siblings of each row, (M,)
        wide = {column.name: parents[column.name][owner] for column in learned(self.parents)}
        wide[self.place] = (np.arange(len(owner)) - begin).astype(np.float64)
        for column in learned(self.children):
            values = children[column.name]
            before = np.roll(values, 1)
            before[first] = np.nan if column.is_number else None
            wide[previous(column.name)] = before
        for column in self.averaged:
            values = children[column.name]
            there = ~np.isnan(values)
            sums, counts = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.where(there, values, 0.0), there))
            earlier = counts[:-1] - counts[begin]
            with np.errstate(invalid="ignore", divide="ignore"):
                wide[mean(column.name)] = np.where(earlier > 0, (sums[:-1] - sums[begin]) / earlier, np.nan)
        return {**wide, **children}


@dataclass(frozen=True, slots=True)
class Families:
    """Parents, and their children with context, siblings beside each other in their order."""

    parents: Plain  # (N,)
    children: Plain  # (M,)
    owner: Rows  # (M,) ascending: the row of each one's parent

    def __len__(self) -> int:
        """Return the number of parents."""
        return row_count(self.parents)

    def chosen(self, wanted: NDArray[np.bool_]) -> Families:
        """Return some of the parents with all their children. Args: wanted (N,)."""
        mine = wanted[self.owner]
        return Families(
            take(self.parents, np.flatnonzero(wanted)),
            take(self.children, np.flatnonzero(mine)),
            (np.cumsum(wanted) - 1)[self.owner[mine]],
        )


def together(parts: Sequence[Families]) -> Families:
    """Concatenate families."""
    firsts = np.cumsum([0, *(len(part) for part in parts)])
    return Families(
        joined([part.parents for part in parts]),
        joined([part.children for part in parts]),
        np.concatenate([part.owner + first for part, first in zip(parts, firsts, strict=False)]),
    )


def other_keys(other: OtherReference, keys: NDArray[Any], owner: Rows, random: np.random.Generator) -> NDArray[Any]:
    """Draw what other column refers to for children (M,): their own parent, or any other one. Args: keys (N,)."""
    another = (owner + random.integers(1, max(len(keys), 2), len(owner))) % max(len(keys), 1)
    drawn: NDArray[Any] = keys[np.where(random.random(len(owner)) < other.same, owner, another)].astype(object)
    drawn[random.random(len(owner)) < other.missing] = None
    return drawn


def in_table(column: Column, table: str) -> Column:
    """Return a column under its name among several tables."""
    return column.model_copy(update={"name": f"{table}.{column.name}"})


def previous(name: str) -> str:
    """Return the name of a column's value in the previous sibling."""
    return f"previous {name}"


def mean(name: str) -> str:
    """Return the name of a column's mean over all earlier siblings."""
    return f"mean of earlier {name}"
