"""A trained private table: draws rows from its tree. All that it holds follows from what was released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ganforge.contracts import Observer, Plain
from ganforge.core.model_files import WEIGHTS, built, read_declared, read_description_of, write_model_files
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, refused
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.private.cells import Cells, cells_of
from ganforge.kinds.tables.private.counts import Codes, Numbers
from ganforge.kinds.tables.private.schema import PublicColumn
from ganforge.kinds.tables.private.tree import Tree, draw
from ganforge.kinds.tables.reading.arrays import from_plain, joined, row_count, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.reading.write import write_table
from ganforge.kinds.tables.rules.conditions import Condition, in_words, parse_where
from ganforge.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 8_192  # rows drawn at once: another number would give other rows for the same seed
MOST_EMPTY = 50  # blocks without a row that meets the conditions
UNABLE = {
    "given": "It draws whole rows.",
    "balance": "Draw each part with --where.",
    "fair": "Its tree is what was released.",
    "temperature": "Its chances are counts.",
}
NEXT_STEPS = {
    "sample RUN -n 1000 --out new.csv": "new rows",
    "privacy RUN": "what was released, and what it cost",
}


class PrivateRows(nn.Module):
    """The numbers of a tree, as buffers, with the columns and edges that they belong to."""

    columns: tuple[PublicColumn, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()  # between columns without the target, by place

    def __init__(self, sizes: Mapping[str, Sequence[int]]) -> None:
        """Args: sizes of each buffer, by name."""
        super().__init__()
        self.names = tuple(sizes)
        for name, size in sizes.items():
            kind = torch.int64 if name.startswith("group") else torch.float64
            self.register_buffer(name, torch.zeros(tuple(size), dtype=kind))

    @classmethod
    def of(cls, arrays: Mapping[str, Numbers | Codes]) -> PrivateRows:
        """Return the module of arrays by name."""
        made = cls({name: array.shape for name, array in arrays.items()})
        made.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()})
        return made

    def array(self, name: str) -> Any:
        return getattr(self, name).cpu().numpy()


@dataclass(frozen=True, slots=True)
class PrivateTableModel:
    """A tree, and the columns that its cells belong to."""

    network: PrivateRows
    columns: tuple[PublicColumn, ...]
    target: str | None
    edges: tuple[tuple[int, int], ...]  # between columns without the target, by place

    @property
    def cells(self) -> tuple[Cells, ...]:
        return tuple(map(cells_of, self.columns))

    @property
    def written(self) -> tuple[Column, ...]:
        """Return the columns of a table that is drawn."""
        return tuple(column.column for column in self.columns)

    @property
    def tree(self) -> Tree:
        """Return the tree over the columns without the target."""
        count = len(self.columns) - (self.target is not None)
        of = self.network.array
        return Tree(
            of("classes"),
            tuple(of(f"fine{i}") for i in range(count)),
            tuple(of(f"group{i}") for i in range(count)),
            tuple(of(f"coarse{i}") for i in range(count)),
            self.edges,
            tuple(of(f"triple{k}") for k in range(len(self.edges))),
        )

    def codes(self, count: int, random: np.random.Generator) -> list[Codes]:
        """Draw the cells of rows, (count,) of each column."""
        label, found = draw(self.tree, count, random)
        if self.target is None:
            return found
        values = self.network.array("target")  # (C, F): how often each cell of the target has each class
        rising = np.cumsum(values, axis=1)[label]
        aim = random.random(count) * rising[:, -1]
        cell = np.minimum((rising <= aim[:, None]).sum(1), values.shape[1] - 1)
        found.insert([column.name for column in self.columns].index(self.target), cell)
        return found

    def blocks(self, count: int, conditions: Sequence[Condition], seed: int) -> Iterator[Plain]:
        """Yield plain rows that meet all conditions, `count` in all. The first rows do not depend on `count`.

        Raises: InputError where hardly any row meets the conditions.
        """
        done, step, empty = 0, 0, 0
        cells = self.cells
        while done < count:
            random = np.random.default_rng(seed_for(seed, "sample private rows", step=step))
            plain = {
                each.column.name: each.decode(code, random)
                for each, code in zip(cells, self.codes(BLOCK, random), strict=True)
            }
            meets = np.ones(BLOCK, bool)
            for condition in conditions:
                meets &= condition.holds(plain)
            kept = take(plain, np.flatnonzero(meets)[: count - done])
            step, empty = step + 1, 0 if row_count(kept) else empty + 1
            if empty == MOST_EMPTY:
                words = " and ".join(in_words(condition, self.written) for condition in conditions)
                raise InputError(f"None of {MOST_EMPTY * BLOCK:,} rows that were drawn meets {words}.", do="Widen it.")
            if row_count(kept):
                yield kept
            done += row_count(kept)

    # ---- the methods of contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> PrivateRowSamples:
        """Draw new rows. Args: asked `where`, conditions. Raises: InputError for other options."""
        if count < 1 or count != int(count):
            raise InputError(f"{count} rows cannot be drawn.", "It must be a whole number from 1 on.", "Draw 64, say.")
        for name, why in UNABLE.items():
            if asked.get(name) is not None:
                raise InputError(f"A private table cannot use --{name}.", why, "Leave it out.")
        known = {column.name: column.categories for column in self.columns if column.kind == "category"}
        return PrivateRowSamples(self, int(count), parse_where(asked.get("where") or (), self.written, known), seed)

    def write(self, samples: PrivateRowSamples, out: Path, *, force: bool) -> Path:
        """Write a table's file as the rows are drawn. Raises: InputError, StorageError."""
        return write_table(samples.blocks(), out, self.written, force=force)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Refuse: rows are drawn, not completed."""
        raise InputError(
            "This run is a private table.", "It draws rows and completes none.", "Use: ganforge sample RUN"
        )

    def next_steps(self) -> Mapping[str, str]:
        """Return commands for a person who has this model."""
        return NEXT_STEPS

    def store(self, folder: Path, recipe: Recipe) -> None:
        """Write model.json and model.safetensors: all that `load_private` needs."""
        content = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "tables",
            "next_steps": NEXT_STEPS,
            "network": recipe.network.content(),
            "columns": [column.content() for column in self.columns],
            "target": self.target,
            "edges": [list(edge) for edge in self.edges],
        }
        write_model_files(folder, self.network, content)


@dataclass(frozen=True, slots=True)
class PrivateRowSamples:
    """Rows that are drawn when they are requested (contracts.Samples)."""

    model: PrivateTableModel
    count: int
    conditions: tuple[Condition, ...]
    seed: int

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield some thousand rows at a time, with the dtypes of the columns."""
        for plain in self.model.blocks(self.count, self.conditions, self.seed):
            yield from_plain(plain, self.model.written)

    def value(self) -> pd.DataFrame:
        """Return all rows."""
        plain = joined(list(self.model.blocks(self.count, self.conditions, self.seed)))
        return as_objects(from_plain(plain, self.model.written), self.model.written)


def load_private(folder: Path, device: str = "cpu") -> PrivateTableModel:
    """Read the model of a run, which may come from anybody (core/model_files.py).

    Raises: RunError if there is none, if it is damaged, or if it is not of a private table.
    """
    content = read_description_of(folder, "private", "a private table")
    with refused(f"The model at {str(folder)!r}"):
        columns = tuple(PublicColumn.model_validate(each) for each in content["columns"])
        target, edges = content["target"], tuple((int(a), int(b)) for a, b in content["edges"])
        shapes = {name: each.shape for name, each in read_declared(folder / WEIGHTS).items()}
        _check_shapes(columns, target, edges, shapes)
        network = built(folder, lambda: PrivateRows(shapes)).to(device)
        model = PrivateTableModel(network, columns, target, edges)
        _check_numbers(model)
    return model


def _check_shapes(
    columns: Sequence[PublicColumn], target: Any, edges: Sequence[tuple[int, int]], shapes: Mapping[str, Sequence[int]]
) -> None:
    """Raise ValueError or KeyError where the arrays of a file do not belong to these columns."""
    if any(column.kind == "unknown" for column in columns) or target not in (None, *(each.name for each in columns)):
        raise ValueError("its columns have no bounds, or its target is none of them")
    rest = [cells_of(column) for column in columns if column.name != target]
    (classes,) = shapes["classes"]
    coarse = []
    for place, cells in enumerate(rest):
        coarse.append(tuple(shapes[f"coarse{place}"])[1])
        if tuple(shapes[f"fine{place}"]) != (classes, cells.count) or tuple(shapes[f"group{place}"]) != (cells.count,):
            raise ValueError(f"the cells of {cells.column.name!r} do not fit its bounds")
    if target is not None:
        size = cells_of(next(column for column in columns if column.name == target)).count
        if tuple(shapes["target"]) != (classes, size):
            raise ValueError("the classes do not fit the target")
    parts = list(range(len(rest)))
    for place, (left, right) in enumerate(edges):
        if not 0 <= min(left, right) <= max(left, right) < len(rest) or parts[left] == parts[right]:
            raise ValueError("its edges are not a forest")
        parts = [parts[left] if part == parts[right] else part for part in parts]
        if tuple(shapes[f"triple{place}"]) != (classes, coarse[left], coarse[right]):
            raise ValueError("a table of three columns does not fit them")


def _check_numbers(model: PrivateTableModel) -> None:
    tree = model.tree
    for numbers in (tree.classes, *tree.fine, *tree.coarse, *tree.triples):
        if not np.isfinite(numbers).all() or (numbers < 0).any():
            raise ValueError("it holds counts that are none")
    for group, coarse in zip(tree.groups, tree.coarse, strict=True):
        if (group < 0).any() or (group >= coarse.shape[1]).any():
            raise ValueError("it holds groups that are none")
