"""A trained model of two linked tables: draws parents, then the children of each, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save

from ganforge.contracts import Observer, Plain
from ganforge.core.model_files import WEIGHTS, built, parts_of, read_description, read_tensors
from ganforge.core.seeds import generator_for, seed_for
from ganforge.errors import DataError, InputError, refused
from ganforge.kinds.tables import ARROW, TEXT
from ganforge.kinds.tables.autoregressive import AUTOREGRESSIVE
from ganforge.kinds.tables.codec.codec import TableCodec, codec_content, decode_unit, restore_codec, type_of
from ganforge.kinds.tables.codec.gaps import GapUnit
from ganforge.kinds.tables.codec.identifiers import fresh_identifiers
from ganforge.kinds.tables.columns import LinkedTable, learned
from ganforge.kinds.tables.generate.draw import Chain, drawn
from ganforge.kinds.tables.generate.model import RowModel, load_rows
from ganforge.kinds.tables.generate.rare import rare_conditions
from ganforge.kinds.tables.linked.families import Families, Relation, mean, other_keys, previous, together
from ganforge.kinds.tables.linked.likelihood import ChildGenerator, FamilyGenerator, FamilyLayout
from ganforge.kinds.tables.linked.source import DATABASE
from ganforge.kinds.tables.linked.tables import sizes_of
from ganforge.kinds.tables.linked.write import check_place, write_tables
from ganforge.kinds.tables.networks import NEVER, RowLayout
from ganforge.kinds.tables.reading.arrays import blank, from_plain, joined, take
from ganforge.kinds.tables.reading.frames import as_objects
from ganforge.kinds.tables.rules.conditions import Condition
from ganforge.recipe import Network, Recipe

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 1_024  # families drawn at once: another number would give other rows for the same seed
MOST_CHILDREN = 1_000_000  # of a parent
MOST_TRIES = 100  # to draw a child whose computed columns keep their rules
PARTS = ("parents", "children")
NEXT_STEPS = {"sample RUN -n 1000 --out new/": "a folder with both tables: 1,000 parents and their children"}


@dataclass(frozen=True, slots=True)
class ChildModel:
    """A model of a child's row given its context."""

    generator: ChildGenerator
    codec: TableCodec  # of context and own columns
    layout: FamilyLayout
    temperature: float = 1.0  # of every softmax

    @torch.no_grad()
    def draw(self, context: Plain, random: torch.Generator, values: np.random.Generator) -> Plain:
        """Draw one child for each context (N,), unit after unit. A code becomes a value before the next one is drawn:

        so no distance is drawn that leads beyond the range which was seen (GapUnit).
        """
        known, device = len(self.layout.context.sizes), self.layout.context.starts.device
        told = np.stack([unit.encode(context) for unit in self.codec.units[:known]], axis=1)
        layout, count = self.layout.own, len(told)
        context_told = self.layout.told(self.generator, torch.from_numpy(told).long().to(device))
        chain = Chain(self.generator.rows, layout, None, self.temperature, context_told)
        codes = torch.full((count, len(layout.sizes)), -1, device=device)
        plain = dict(context)
        for place, unit in enumerate(self.codec.units[known:]):
            logits = chain.logits(place, codes)
            if isinstance(unit, GapUnit):
                logits = torch.where(torch.from_numpy(unit.reachable(plain)).to(device), logits, NEVER)
            codes[:, place] = drawn(logits, random)
            plain |= decode_unit(unit, codes[:, place].cpu().numpy().astype(np.int32), (), values, plain)
        plain |= {name: np.full(count, value, type_of(value)) for name, value in self.codec.constants.items()}
        return plain

    def keeping_rules(self, context: Plain, random: torch.Generator, values: np.random.Generator) -> Plain:
        """Draw as `draw`, again where a computed column breaks a rule or leaves its range.

        Raises: InputError for a context in which MOST_TRIES children do.
        """
        made = self.draw(context, random, values)
        for _ in range(MOST_TRIES if self.codec.computed else 0):
            off = np.flatnonzero(~self.codec.keeps(made, {}))
            if not len(off):
                return made
            again = self.draw(take(context, off), random, values)
            for name, cells in made.items():
                cells[off] = again[name]
        if not self.codec.computed:
            return made
        raise InputError(
            f"{len(off):,} rows cannot be drawn.",
            "In their families no row keeps all rules of its computed columns.",
            "Use another seed, or train with fewer rules.",
        )


@dataclass(frozen=True, slots=True)
class LinkedModel:
    """A model of the parents' rows, and one of a child's row given its context."""

    relation: Relation
    parents: RowModel
    children: ChildModel

    def families(self, count: int, *, conditions: Sequence[Condition] = (), seed: int = 0) -> Iterator[Families]:
        """Yield `count` parents with their children, TOGETHER at a time.

        The first do not depend on `count`, but for other references in them. Args: conditions on the parents.
        """
        whole, made = -(-count // TOGETHER) * TOGETHER, 0
        parents = self.parents.draw(whole, conditions=conditions, seed=seed)  # which `write` keeps in memory as well
        for first in range(0, whole, TOGETHER):
            drawn = self._children(take(parents, slice(first, first + TOGETHER)), seed, first, made)
            made += len(drawn.owner)
            wanted = np.arange(first, first + TOGETHER) < count
            yield self._with_others(drawn if wanted.all() else drawn.chosen(wanted), seed, first)

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
        random = generator_for(seed, "sample children", step=first, device="cpu")
        values = np.random.default_rng(seed_for(seed, "sample children's values", step=first))
        last = {column.name: blank(column, len(counts)) for column in own}
        sums, seen = ({c.name: np.zeros(len(counts)) for c in relation.averaged} for _ in range(2))
        owners, parts = [], []
        for place in range(max(1, int(counts.max(initial=0)))):
            rows = np.flatnonzero(counts > place)
            context = {column.name: parents[column.name][rows] for column in learned(relation.parents)}
            context[relation.place] = np.full(len(rows), float(place))
            context |= {previous(column.name): last[column.name][rows] for column in own}
            with np.errstate(invalid="ignore"):
                context |= {mean(c.name): sums[c.name][rows] / seen[c.name][rows] for c in relation.averaged}
            drawn = self.children.keeping_rules(context, random, values)
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
        children = dict(take(joined(parts), order))
        for column in relation.children:
            if column.kind == "identifier":
                children[column.name] = fresh_identifiers(column, len(owner), values, start=made)
        return Families(parents, children, owner[order])

    def _with_others(self, families: Families, seed: int, first: int) -> Families:
        """Add what other columns refer to: rows of these parents, so that they too are there whatever the count."""
        values = np.random.default_rng(seed_for(seed, "sample other references", step=first))
        keys, child = families.parents[self.relation.key], self.relation.child
        others = {
            f"{child.name}.{name}": other_keys(other, keys, families.owner, values)
            for name, other in child.others.items()
        }
        return replace(families, children={**families.children, **others})

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
        model = LinkedModel(
            self.relation,
            replace(self.parents, temperature=temperature),
            replace(self.children, temperature=temperature),
        )
        return LinkedSamples(model, int(count), model.parents.conditions(where), seed)

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

    def store(self, folder: Path, recipe: Recipe, network: FamilyGenerator) -> None:
        """Write model.json and model.safetensors: all that `load_generator` needs."""
        tensors = {f"network/{name}": tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
        content: dict[str, Any] = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "tables",
            "next_steps": NEXT_STEPS,
            "network": recipe.network.content(),
            "tables": [table.model_dump(mode="json") for table in (self.relation.parent, self.relation.child)],
        }
        for part, codec in zip(PARTS, (self.parents.codec, self.children.codec), strict=True):
            content[part], arrays = codec_content(codec)
            kept = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
            tensors |= {f"{part}/{name}": tensor for name, tensor in kept.items()}
        (folder / WEIGHTS).write_bytes(save(tensors))
        (folder / "model.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", "utf-8")


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
    return load_families(folder, device)[0] if "tables" in content else load_rows(folder, device)


def model_of(
    relation: Relation, parents: TableCodec, children: TableCodec, network: FamilyGenerator, device: str
) -> LinkedModel:
    """Return a network, trained or not, as a model of two tables."""
    layout = FamilyLayout(sizes_of(relation, parents, children), device)
    return LinkedModel(relation, RowModel(network.parent, 0, parents), ChildModel(network.child, children, layout))


def load_families(folder: Path, device: str = "cpu") -> tuple[LinkedModel, FamilyGenerator]:
    """Read a model of two tables, and its network. Raises: as `load_generator`."""
    content = read_description(folder)
    with refused(f"The model at {str(folder)!r}"):
        try:
            relation = Relation.of([LinkedTable.model_validate(table) for table in content["tables"]])
            network = Network.model_validate(content["network"])
            if network.name != AUTOREGRESSIVE:
                raise ValueError("it was learned in a game of two, as two tables are not any more")
            tensors = read_tensors(folder / WEIGHTS)
            parents, children = (
                restore_codec(
                    content[part], {name: array.numpy() for name, array in parts_of(tensors, f"{part}/").items()}
                )
                for part in PARTS
            )
            _check_fit(relation, parents, children)
        except DataError as error:
            raise ValueError(error.what) from error
        sizes = sizes_of(relation, parents, children)

        def build() -> FamilyGenerator:
            generator = FamilyGenerator(network, sizes)
            places = RowLayout(sizes.parents).width
            generator.parent.apart = torch.zeros(places, places, dtype=torch.bool)
            return generator

        generator = built(folder, build, "network/").to(device)
    return model_of(relation, parents, children, generator, device), generator


def _check_fit(relation: Relation, parents: TableCodec, children: TableCodec) -> None:
    """Raises: ValueError where codecs and tables do not fit each other, so that rows could not be written."""
    if not {table.ending for table in (relation.parent, relation.child)} <= {*TEXT, *ARROW, DATABASE}:
        raise ValueError("its tables came in files of another kind")
    expected = relation.parents, (*relation.context, *relation.children)
    for part, codec, columns in zip(PARTS, (parents, children), expected, strict=True):
        if [(c.name, c.kind, c.dtype) for c in codec.columns] != [(c.name, c.kind, c.dtype) for c in columns]:
            raise ValueError(f"the columns of the {part} are not those of its table")
    last = relation.parents[-1]
    if last.kind != "integer" or not 0 <= (last.minimum or 0) <= (last.maximum or 0) <= MOST_CHILDREN:
        raise ValueError("its parents have no number of children")
    unit = parents.units[parents.unit_of(last.name)]
    if getattr(unit, "high", MOST_CHILDREN) > MOST_CHILDREN:
        raise ValueError("its parents have too many children")
