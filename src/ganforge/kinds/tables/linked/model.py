"""A trained model of two linked tables: draws parents, then the children of each, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from ganforge.contracts import Observer, Plain
from ganforge.core.model_files import WEIGHTS, built, parts_of, read_declared, read_description, read_tensors
from ganforge.core.seeds import generator_for, seed_for
from ganforge.errors import DataError, InputError, refused
from ganforge.kinds.tables import ARROW, TEXT
from ganforge.kinds.tables.codec.codec import codec_content, restore_codec
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.columns import MOST_CANDIDATES, LinkedTable, learned
from ganforge.kinds.tables.generate.game import build_row_networks
from ganforge.kinds.tables.generate.model import RowModel, load_rows
from ganforge.kinds.tables.generate.rare import rare_conditions
from ganforge.kinds.tables.linked.families import Families, Relation, mean, previous
from ganforge.kinds.tables.linked.source import DATABASE
from ganforge.kinds.tables.linked.tables import context_units
from ganforge.kinds.tables.linked.write import check_place, write_tables
from ganforge.kinds.tables.networks import RowProduct
from ganforge.kinds.tables.reading.arrays import blank, from_plain, joined, row_count, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.rules.conditions import Condition
from ganforge.recipe import Network, Recipe

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 1_024  # families drawn at once: another number would give other rows for the same seed
MOST_CHILDREN = 1_000_000  # of a parent
MOST_TRIES = 100  # to draw a child whose computed columns keep their rules
REDRAWN = 10  # times that a child is drawn again whose computed columns break a rule
PARTS = ("parents", "children")
NEXT_STEPS = {"sample RUN -n 1000 --out new/": "a folder with both tables: 1,000 parents and their children"}


class LinkedProduct(nn.Module):
    """The stored product of a game over two tables."""

    def __init__(self, parent: RowProduct, child: RowProduct) -> None:
        super().__init__()
        self.parent, self.child = parent, child


@dataclass(frozen=True, slots=True)
class LinkedModel:
    """A model of the parents' rows, and one of a child's row given its context."""

    relation: Relation
    parents: RowModel
    children: RowModel

    def families(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Iterator[Families]:
        """Yield `count` parents with their children, TOGETHER at a time; the first do not depend on `count`.

        Args: conditions on the parents.
        """
        whole, made = -(-count // TOGETHER) * TOGETHER, 0
        blocks = self.parents.blocks(whole, conditions=conditions, seed=seed)
        for first, parents in zip(range(0, whole, TOGETHER), _regrouped(blocks), strict=True):
            drawn = self._children(parents, seed, first, made)
            made += len(drawn.owner)
            wanted = np.arange(first, first + TOGETHER) < count
            yield drawn if wanted.all() else drawn.chosen(wanted)

    def draw(self, count: int, *, seed: int = 0) -> Families:
        """Return all families at once."""
        return together(list(self.families(count, seed=seed)))

    def _children(self, parents: Plain, seed: int, first: int, made: int) -> Families:
        """Draw all children of parents (N,): the first of each, then the second of those that have one, and so on.

        Args: first number of the first parent; made the children of all before, after which identifiers go on.
        """
        relation = self.relation
        own = learned(relation.children)
        counts = parents[relation.count].astype(np.int64)
        size, device = len(counts), next(self.children.network.parameters()).device
        random = generator_for(seed, "sample children", step=first, device="cpu")
        values = np.random.default_rng(seed_for(seed, "sample children's values", step=first))
        last = {column.name: blank(column, size) for column in own}
        sums, seen = ({c.name: np.zeros(size) for c in relation.averaged} for _ in range(2))
        owners, parts = [_NONE], []
        for place in range(int(counts.max(initial=0))):
            rows = np.flatnonzero(counts > place)
            context = {column.name: parents[column.name][rows] for column in learned(relation.parents)}
            context[relation.place] = np.full(len(rows), float(place))
            context |= {previous(column.name): last[column.name][rows] for column in own}
            with np.errstate(invalid="ignore"):
                context |= {mean(c.name): sums[c.name][rows] / seen[c.name][rows] for c in relation.averaged}
            drawn = self._kept(context, random, values, device)
            for column in own:
                last[column.name][rows] = drawn[column.name]
            for column in relation.averaged:
                there = ~np.isnan(drawn[column.name])
                sums[column.name][rows] += np.where(there, drawn[column.name], 0.0)
                seen[column.name][rows] += there
            owners.append(rows)
            parts.append(drawn)
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        children = dict(take(joined(parts), order)) if parts else self._none(values)
        for column in relation.children:
            if column.kind == "identifier":
                children[column.name] = fresh_identifiers(column, len(owner), values, start=made)
        return Families(parents, children, owner[order])

    def _kept(
        self, context: Plain, random: torch.Generator, values: np.random.Generator, device: torch.device
    ) -> Plain:
        """Draw one child for each context (N,), again where a computed column would break a rule or leave its range.

        Raises: InputError for a context in which MOST_TRIES children do.
        """
        drawn = self._next(context, random, values, device)
        if not self.children.codec.computed:
            return drawn
        for _ in range(MOST_TRIES):
            off = np.flatnonzero(~self.children.codec.keeps(drawn, {}))
            if not len(off):
                return drawn
            again = self._next(take(context, off), random, values, device)
            for name, cells in drawn.items():
                cells[off] = again[name]
        raise InputError(
            f"{len(off):,} rows of {self.relation.child.name} cannot be drawn.",
            "In their families no row keeps all rules of its computed columns.",
            "Use another seed, or train with fewer rules.",
        )

    @torch.no_grad()
    def _next(
        self, context: Plain, random: torch.Generator, values: np.random.Generator, device: torch.device
    ) -> Plain:
        """Draw one child for each context (N,), again where a computed column breaks a rule."""
        drawn = {name: column.copy() for name, column in self._draw(context, random, values, device).items()}
        for _ in range(REDRAWN if self.children.codec.computed else 0):
            again = np.flatnonzero(~self.children.codec.keeps(drawn, {}))
            if not len(again):
                break
            other = self._draw(take(context, again), random, values, device)
            for name, column in other.items():
                drawn[name][again] = column
        return drawn

    def _draw(
        self, context: Plain, random: torch.Generator, values: np.random.Generator, device: torch.device
    ) -> Plain:
        """Draw one child for each context (N,): of several candidates the referee's choice, if there is one."""
        model, codec = self.children, self.children.codec
        known = context_units(self.relation, codec)
        codes = torch.zeros(len(next(iter(context.values()))), len(codec.units), dtype=torch.int64, device=device)
        told = np.stack([unit.encode(context) for unit in codec.units[:known]], axis=1)
        codes[:, :known] = torch.from_numpy(told).to(device)
        given = torch.zeros(codes.shape, device=device)
        given[:, :known] = 1.0
        logits, layout, referee = model.logits(codes, given, random), model.layout, model.network.referee
        drawn = layout.draw_codes(logits, random, model.candidates if referee is not None else 1)  # (K, N, U)
        drawn[:, :, :known] = codes[:, :known].clamp_min(0)
        chosen = drawn[0]
        if referee is not None and len(drawn) > 1:
            scores = referee.score_whole((drawn + layout.starts).flatten(0, 1)).view(len(drawn), len(codes)).T
            taken = torch.multinomial(torch.softmax(scores, dim=1).cpu(), 1, generator=random)[:, 0]
            chosen = drawn[taken.to(device), torch.arange(len(codes), device=device)]
        return codec.decode(chosen.cpu().numpy().astype(np.int32), values, given=context)

    def _none(self, values: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Return the columns of no child at all."""
        none = {column.name: blank(column, 0) for column in self.relation.context}
        codes = np.empty((0, len(self.children.codec.units)), np.int32)
        return dict(self.children.codec.decode(codes, values, given=none))

    def frames(self, families: Families) -> dict[str, pd.DataFrame]:
        """Return both tables as they came."""
        relation = self.relation
        key = families.parents[relation.key][families.owner]
        plain = {
            relation.parent.name: families.parents,
            relation.child.name: {**families.children, f"{relation.child.name}.{relation.child.foreign_key}": key},
        }
        made = {}
        for name, columns in relation.written.items():
            mine = {column.name: plain[name][f"{name}.{column.name}"] for column in columns}
            made[name] = as_objects(from_plain(mine, columns), columns)
        return made

    # ---- the methods of contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> LinkedSamples:
        """Draw `count` parents and their children. Args: asked where, conditions on the parents; temperature.

        Raises: InputError for a bad number, what no generated row could meet, or an option for one table alone.
        """
        if count < 1 or count != int(count):
            raise InputError(
                f"{count} rows cannot be drawn.", "It must be a whole number from 1 on.", "Draw, for example, 64."
            )
        for name in asked.keys() - {"where", "temperature"}:
            raise InputError(
                f"--{name} was given, and this run draws two tables.",
                "It works for a run of one table so far.",
                "Leave it out.",
            )
        where = asked.get("where") or ()
        for condition in [where] if isinstance(where, str) else where:
            if str(condition).strip("'\" ").startswith(f"{self.relation.child.name}."):
                raise InputError(
                    f"The condition {condition!r} is on {self.relation.child.name}.",
                    "Children are drawn after their parents, and conditions can be on those alone.",
                    f"Write one on {self.relation.parent.name}, or filter the rows.",
                )
        temperature = asked.get("temperature", 1.0)
        parents, children = (replace(model, temperature=temperature) for model in (self.parents, self.children))
        model = LinkedModel(self.relation, parents, children)
        return LinkedSamples(model, int(count), parents.conditions(where), seed)

    def write(self, samples: LinkedSamples, out: Path, *, force: bool) -> Path:
        """Write a folder with a file for each table, or a SQLite database. Raises: InputError, StorageError."""
        check_place(out, samples.model.relation, force=force)
        return write_tables(samples.blocks(), out, samples.model.relation)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Raise InputError: two tables are only drawn."""
        raise InputError(
            "This run draws two tables.",
            "It cannot fill the cells of given ones yet.",
            "Use: ganforge sample RUN -n 1000 --out new/",
        )

    def next_steps(self) -> Mapping[str, str]:
        """Return commands for a person who has this model (contracts.Model)."""
        return NEXT_STEPS

    def store(self, folder: Path, recipe: Recipe) -> None:
        """Write model.json and model.safetensors: all that `load_generator` needs."""
        tensors: dict[str, Tensor] = {}
        content: dict[str, Any] = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "tables",
            "next_steps": NEXT_STEPS,
            "network": recipe.network.content(),
            "tables": [table.model_dump(mode="json") for table in (self.relation.parent, self.relation.child)],
        }
        for part, model in zip(PARTS, (self.parents, self.children), strict=True):
            codec, arrays = codec_content(model.codec)
            content[part] = {"candidates": model.candidates, "codec": codec}
            weights = model.network.state_dict()
            tensors |= {f"{part}/network/{name}": tensor.contiguous().cpu() for name, tensor in weights.items()}
            kept = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
            tensors |= {f"{part}/codec/{name}": tensor for name, tensor in kept.items()}
        (folder / WEIGHTS).write_bytes(save(tensors))
        (folder / "model.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")


_NONE: NDArray[np.int64] = np.empty(0, np.int64)


def _regrouped(blocks: Iterator[Plain]) -> Iterator[Plain]:
    """Regroup rows in parts of exactly TOGETHER."""
    waiting: list[Plain] = []
    for block in blocks:
        rows = joined([*waiting, block])
        count = row_count(rows)
        for first in range(0, count - count % TOGETHER, TOGETHER):
            yield take(rows, slice(first, first + TOGETHER))
        waiting = [take(rows, slice(count - count % TOGETHER, count))]


def together(parts: Sequence[Families]) -> Families:
    """Concatenate families."""
    firsts = np.cumsum([0, *(len(part) for part in parts)])
    return Families(
        joined([part.parents for part in parts]),
        joined([part.children for part in parts]),
        np.concatenate([part.owner + first for part, first in zip(parts, firsts, strict=False)]),
    )


@dataclass(frozen=True, slots=True)
class LinkedSamples:
    """Families that are drawn when they are requested (contracts.Samples)."""

    model: LinkedModel
    count: int
    conditions: tuple[Condition, ...]
    seed: int

    def blocks(self) -> Iterator[dict[str, pd.DataFrame]]:
        """Yield both tables, by name, for some hundred parents at a time."""
        for families in self.model.families(self.count, conditions=self.conditions, seed=self.seed):
            yield self.model.frames(families)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of these rows."""
        return rare_conditions(self.model.parents.codec, self.conditions)

    def value(self) -> dict[str, pd.DataFrame]:
        """Return both tables by name."""
        parts = list(self.model.families(self.count, conditions=self.conditions, seed=self.seed))
        return self.model.frames(together(parts))


def load_generator(folder: Path, device: str = "cpu") -> RowModel | LinkedModel:
    """Read the model of a run, of one table or of two, which may come from anybody (core/model_files.py).

    Raises: RunError if there is none, if it is damaged, or if it is not a model of rows.
    """
    content = read_description(folder)
    return _linked(folder, content, device) if "tables" in content else load_rows(folder, device)


def _linked(folder: Path, content: Mapping[str, Any], device: str) -> LinkedModel:
    with refused(f"The model at {str(folder)!r}"):
        try:
            relation = Relation.of([LinkedTable.model_validate(table) for table in content["tables"]])
            network = Network.model_validate(content["network"])
            parents, children = (_part(folder, content[part], part, network, device) for part in PARTS)
            _check_fit(relation, parents, children)
        except DataError as error:
            raise ValueError(error.what) from error
    return LinkedModel(relation, parents, children)


def _part(folder: Path, content: Mapping[str, Any], part: str, network: Network, device: str) -> RowModel:
    arrays = parts_of(read_tensors(folder / WEIGHTS), f"{part}/codec/")
    codec = restore_codec(content["codec"], {name: tensor.numpy() for name, tensor in arrays.items()})
    candidates = content["candidates"]
    if not isinstance(candidates, int) or not 1 <= candidates <= MOST_CANDIDATES:
        raise ValueError(f"it draws {candidates!r} candidates for each row")
    judged = any(name.startswith(f"{part}/network/referee.") for name in read_declared(folder / WEIGHTS))

    def build() -> RowProduct:
        generator, referee = build_row_networks(network, codec.sizes)
        return RowProduct(generator, referee if judged else None)

    product = built(folder, build, f"{part}/network/").to(device)
    return RowModel(product, network.need("latent_size"), codec, candidates)


def _check_fit(relation: Relation, parents: RowModel, children: RowModel) -> None:
    """Raises: ValueError where codecs and tables do not fit each other, so that rows could not be written."""
    if not {table.ending for table in (relation.parent, relation.child)} <= {*TEXT, *ARROW, DATABASE}:
        raise ValueError("its tables came in files of another kind")
    expected = relation.parents, (*relation.context, *relation.children)
    for part, model, columns in zip(PARTS, (parents, children), expected, strict=True):
        if [(c.name, c.kind, c.dtype) for c in model.codec.columns] != [(c.name, c.kind, c.dtype) for c in columns]:
            raise ValueError(f"the columns of the {part} are not those of its table")
    last = relation.parents[-1]
    if last.kind != "integer" or not 0 <= (last.minimum or 0) <= (last.maximum or 0) <= MOST_CHILDREN:
        raise ValueError("its parents have no number of children")
    unit = parents.codec.units[parents.codec.unit_of(last.name)]
    if getattr(unit, "high", MOST_CHILDREN) > MOST_CHILDREN:
        raise ValueError("its parents have too many children")
