"""Two tables opened for training: linked, split by parents, and held as one matrix of codes.

A row of codes has a cell for every unit of the parents, then for every unit of the children with their context. The row
of a parent has none of the child's cells, that of a child none of the parent's, and `given` says which cells are not
drawn: absent ones, and a child's context. So one game learns both (generate/game.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.seeds import seed_for
from ganforge.engine.feed import TensorFeed
from ganforge.errors import DataError, RecipeError
from ganforge.kinds.tables.codec.codec import TableCodec, unit_columns
from ganforge.kinds.tables.codec.fit import fit_codec
from ganforge.kinds.tables.codec.protection import Protection
from ganforge.kinds.tables.columns import Column, LinkedTable, RowSettings, learned
from ganforge.kinds.tables.linked.families import Families, Relation, previous
from ganforge.kinds.tables.linked.link import Link, choose_link, match_rows
from ganforge.kinds.tables.linked.source import NamedTable, read_tables
from ganforge.kinds.tables.reading.arrays import row_count, take, to_plain
from ganforge.kinds.tables.reading.survey import TableSurvey, survey_table
from ganforge.kinds.tables.rules.checks import check_rules
from ganforge.kinds.tables.rules.discovery import find_rules
from ganforge.kinds.tables.rules.rules import Ordered, Rule, combined, rule_columns, rule_in_words
from ganforge.kinds.tables.table import (
    FITTED_ROWS,
    Table,
    agree_rules,
    check_identifiers,
    choose_held_out,
    count_values,
)

FEWEST_PARENTS = 20  # of which a tenth are held out


@dataclass(frozen=True, slots=True)
class InspectedTables:
    """Two tables analysed, not yet encoded."""

    relation: Relation
    why: str  # they are linked so
    families: Families
    parent_rules: Mapping[Rule, str]
    child_rules: Mapping[Rule, str]  # besides the order of siblings
    sha256: str
    passport: dict[str, Any]

    @property
    def rules(self) -> tuple[tuple[str, str], ...]:
        """Return the rules in words, each with its reason."""
        mine, theirs = self.relation.parents, (*self.relation.context, *self.relation.children)
        return (
            *((rule_in_words(rule, mine), why) for rule, why in self.parent_rules.items()),
            *((rule_in_words(rule, theirs), why) for rule, why in self.child_rules.items()),
        )


@dataclass(frozen=True, slots=True)
class OpenTables:
    """Two tables ready for training: as one table of codes, and each by itself."""

    relation: Relation
    parents: TableCodec
    children: TableCodec  # of its context and its own columns
    table: Table  # what the game and its plan see
    parent_feeds: tuple[TensorFeed, TensorFeed]  # x (N, U): training and held-out rows of the parents alone
    child_feeds: tuple[TensorFeed, TensorFeed]  # x (M, V) and given (M, V)
    train: Families
    held_out: Families

    @property
    def drawn(self) -> int:
        """Return the place of the first unit of children that is not context."""
        return context_units(self.relation, self.children)


def context_units(relation: Relation, children: TableCodec) -> int:
    """Return the number of units of children that stand for their context: the first ones."""
    return unit_count(children.units, {column.name for column in relation.context})


def unit_count(units: Sequence[Any], names: set[str]) -> int:
    """Return how many units stand for these columns."""
    return sum(names >= set(unit.columns) for unit in units)


def inspect_tables(
    source: str, rules: Sequence[str] = (), known: Sequence[LinkedTable] = (), *, find: bool = True
) -> InspectedTables:
    """Read the tables of a source, find how they are linked and what rules they keep.

    Args: rules in words that are asked for; known the tables of a recipe that is opened again; find whether to look for
        more rules. Raises: DataError, RecipeError, InputError where several keys may be meant.
    """
    tables = {table.name: table for table in read_tables(source)}
    if len(tables) != 2:
        named = ", ".join(tables) if tables else "none"
        raise DataError(
            f"{source!r} holds {len(tables)} tables: {named}.",
            "Two tables can be learned together, a parent and its children; more cannot yet.",
            "Leave out the others, or join them first.",
        )
    frames = {name: table.frame for name, table in tables.items()}
    if known:
        relation = Relation.of(known)
        parent, child = relation.parent, relation.child
        link, others = Link(child.name, str(child.foreign_key), parent.name, str(parent.primary_key)), tuple(rules)
        _refuse_others(source, frames, link)
    else:
        link, others = choose_link(frames, rules)
    owner, orphans = match_rows(link, frames)
    return _inspected(tables, link, owner, others, known, find, [orphans] if orphans else [])


def _refuse_others(source: str, frames: Mapping[str, Any], link: Link) -> None:
    for table, column in ((link.parent, link.key), (link.child, link.reference)):
        if table not in frames or column not in frames[table].columns:
            raise DataError(f"{source!r} has no column {table}.{column} any more.", "The tables were changed.")


def _inspected(
    tables: Mapping[str, NamedTable],
    link: Link,
    owner: NDArray[np.int64],
    asked: Sequence[str],
    known: Sequence[LinkedTable],
    find: bool,
    warnings: list[str],
) -> InspectedTables:
    """Args: owner (M,) the parent's row of each row of the child, -1 for an orphan."""
    upper, lower = tables[link.parent], tables[link.child]
    if len(upper.frame) < FEWEST_PARENTS:
        raise DataError(
            f"{link.parent!r} has {len(upper.frame)} rows.",
            f"At least {FEWEST_PARENTS} are needed to learn how many {link.child} belong to each.",
            "Give more rows.",
        )
    count = f"number of {link.child}"
    while count in upper.frame.columns:
        count += "_"
    counts = np.bincount(owner[owner >= 0], minlength=len(upper.frame))
    parent_frame = _with_text(upper.frame, link.key).assign(**{count: counts})
    asked_of = {table.name: [c for c in table.columns if c.name != table.foreign_key] for table in known}
    forced = [Column(name=link.key, kind="identifier", dtype=""), Column(name=count, kind="integer", dtype="")]
    parent_survey = _survey(upper, parent_frame, asked_of.get(link.parent, forced))
    kept = np.flatnonzero(owner >= 0)
    child_frame, owner = _with_text(lower.frame, link.reference).iloc[kept].reset_index(drop=True), owner[kept]
    child_survey = _survey(lower, child_frame, asked_of.get(link.child, [_text_of(link)]))
    order = next((c.name for c in child_survey.columns if c.kind == "datetime" and not c.missing), None)
    relation = _relation(upper, lower, link, parent_survey, child_survey, order)
    parents = _named(to_plain(parent_frame, parent_survey.columns), link.parent)
    children = _named(to_plain(child_frame, child_survey.columns), link.child)
    children.pop(f"{link.child}.{link.reference}")
    when = children[relation.order] if relation.order else np.zeros(len(owner))
    sorted_rows = np.lexsort((np.arange(len(owner)), when, owner))
    children, owner = dict(take(children, sorted_rows)), owner[sorted_rows]
    families = Families(parents, relation.with_context(parents, children, owner), owner)
    parent_rules, child_rules = _rules(relation, families, asked, find=find)
    digest = hashlib.sha256(f"{parent_survey.sha256} {child_survey.sha256} {link}".encode()).hexdigest()
    passport = {
        "source": str(upper.source.facts.get("source", "")) or upper.name,
        "format": f"two tables ({upper.ending}, {lower.ending})",
        "tables": [
            f"{name}: {rows:,} rows"
            for name, rows in ((link.parent, len(parents[relation.count])), (link.child, len(owner)))
        ],
        "rows": len(counts) + len(owner),
        "link": str(link),
        "without_children": int((counts == 0).sum()),
        "most_children": int(counts.max()),
        "missing": {c.name: c.missing for c in (*relation.parents, *relation.children) if c.missing},
        "warnings": [*parent_survey.passport["warnings"], *child_survey.passport["warnings"], *warnings],
    }
    return InspectedTables(relation, _why(link, relation), families, parent_rules, child_rules, digest, passport)


def _with_text(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return a frame whose key is not a categorical: new keys are not among its categories."""
    return (
        frame.assign(**{key: frame[key].astype("str")}) if isinstance(frame[key].dtype, pd.CategoricalDtype) else frame
    )


def _text_of(link: Link) -> Column:
    return Column(name=link.reference, kind="category", dtype="")


def _survey(table: NamedTable, frame: Any, asked: Sequence[Column]) -> TableSurvey:
    return survey_table(table.source_of(frame), [column for column in asked if column.name in frame.columns])


def _relation(
    upper: NamedTable, lower: NamedTable, link: Link, parent: TableSurvey, child: TableSurvey, order: str | None
) -> Relation:
    does = {"kind": "identifier", "does": f"the {link.key} of its row of {link.parent}", "why": "it refers to the key"}
    columns = tuple(c.model_copy(update=does) if c.name == link.reference else c for c in child.columns)
    return Relation.of(
        (
            LinkedTable(name=upper.name, ending=upper.ending, columns=parent.columns, primary_key=link.key),
            LinkedTable(
                name=lower.name,
                ending=lower.ending,
                columns=columns,
                parent=upper.name,
                foreign_key=link.reference,
                order=order,
            ),
        )
    )


def _why(link: Link, relation: Relation) -> str:
    order = f"{relation.child.order} gives their order" if relation.child.order else "their order is that of the file"
    return f"{link.why}; {order}" if link.why else order


def _named(plain: Plain, table: str) -> dict[str, NDArray[Any]]:
    return {f"{table}.{name}": values for name, values in plain.items()}


# ---- rules of two tables --------------------------------------------------------------------------------------------


def _rules(
    relation: Relation, families: Families, asked: Sequence[str], *, find: bool
) -> tuple[dict[Rule, str], dict[Rule, str]]:
    """Return the rules of the parents, and those of the children, which may compare them with their parent.

    Raises: RecipeError for a rule that cannot be kept between two tables; as `agree_rules`.
    """
    told, own = learned(relation.parents), relation.children
    theirs = [rule for rule in asked if f"{relation.parent.name}." in rule and f"{relation.child.name}." not in rule]
    sample = _sample(families.parents, FITTED_ROWS) if find else None
    parents = agree_rules(theirs, sample, [(0, families.parents)], relation.parents)
    mine = [rule for rule in asked if rule not in theirs]
    children = agree_rules(mine, None, [(0, families.children)], (*told, *own))
    for rule in children:
        names = set(rule_columns(rule))
        across = names & {column.name for column in told} and names & {column.name for column in own}
        if across and not (isinstance(rule, Ordered) and rule.upper in {column.name for column in own}):
            raise RecipeError(
                f"The rule {rule_in_words(rule, (*told, *own))!r} cannot be kept between two tables.",
                f"Rows of {relation.child.name} are drawn after that of {relation.parent.name}, which nothing changes.",
                "Use a <= with the column of the parent on its lower side, or rules within a table.",
            )
    if find:
        _add_found(relation, families, children)
    return parents, children


def _add_found(relation: Relation, families: Families, kept: dict[Rule, str]) -> None:
    """Add the rules that are found among the child's own columns, and that its order is never below a parent's date."""
    told, own = learned(relation.parents), relation.children
    sample = _sample(families.children, FITTED_ROWS)
    found = dict(agree_rules((), sample, [(0, families.children)], own))
    dates = [column for column in told if column.kind == "datetime"]
    for column in own:
        if column.name == relation.order and dates:
            found |= {
                rule: why
                for rule, why in find_rules(sample, (*dates, column))
                if isinstance(rule, Ordered) and rule.upper == column.name
            }
    for rule, why in agree_found(found, families.children, (*told, *own)).items():
        with suppress(RecipeError):
            combined([*kept, rule], (*told, *own))
            kept.setdefault(rule, why)


def agree_found(found: Mapping[Rule, str], rows: Plain, columns: Sequence[Column]) -> dict[Rule, str]:
    """Return the found rules that every row keeps."""
    kept = {}
    for rule, why in found.items():
        with suppress(DataError):
            check_rules([rule], rows, columns, 1)
            kept[rule] = why
    return kept


def _sample(plain: Plain, most: int) -> Plain:
    random = np.random.default_rng(seed_for(0, "data/tables/sample"))
    return take(plain, random.permutation(row_count(plain))[:most])


# ---- codes ----------------------------------------------------------------------------------------------------------


def open_tables(inspected: InspectedTables, settings: RowSettings, seed: int, device: str) -> OpenTables:
    """Fit both codecs on the training families, and encode all rows. The seed decides which parents are held out.

    Raises: DataError for identifiers whose type does not have room for new ones.
    """
    relation, families = inspected.relation, inspected.families
    check_identifiers((*relation.parents, *relation.children))
    held_out = choose_held_out(len(families), seed)
    siblings = [Ordered(previous(relation.order), relation.order)] if relation.order else []
    child_rules = [*siblings, *inspected.child_rules]
    child_columns = (*relation.context, *relation.children)
    owned, mine = held_out[families.owner], list(inspected.parent_rules)
    parents, of_parents = _fit(relation.parents, mine, families.parents, held_out, settings, seed)
    children, of_children = _fit(child_columns, child_rules, families.children, owned, settings, seed)
    parent_codes = of_parents.encode(parents, families.parents)
    child_codes = of_children.encode(children, families.children)
    context = context_units(relation, children)
    given = np.broadcast_to(np.arange(len(children.units)) < context, child_codes.shape).astype(np.uint8)
    masks = {"train": (~held_out, ~owned), "held_out": (held_out, owned)}
    feeds = {
        part: (
            TensorFeed(device, x=_tensor(parent_codes[rows])),
            TensorFeed(device, x=_tensor(child_codes[own]), given=torch.from_numpy(given[own])),
        )
        for part, (rows, own) in masks.items()
    }
    train, unseen = families.chosen(~held_out), families.chosen(held_out)
    table = Table(
        codec=TableCodec((), (), (*parents.units, *children.units), {}),
        train=_both(*feeds["train"], device, even=True),
        held_out=_both(*feeds["held_out"], device, even=False),
        train_rows=train.children,
        held_out_rows=unseen.children,
        sha256=inspected.sha256,
        passport={
            **inspected.passport,
            "train": len(train),
            "held_out": len(unseen),
            "rules": [words for words, _ in inspected.rules],
        },
        protection=_protection(relation, of_parents, of_children),
    )
    return OpenTables(
        relation=relation,
        parents=parents,
        children=children,
        table=table,
        parent_feeds=(feeds["train"][0], feeds["held_out"][0]),
        child_feeds=(feeds["train"][1], feeds["held_out"][1]),
        train=train,
        held_out=unseen,
    )


def _fit(
    columns: Sequence[Column],
    rules: Sequence[Rule],
    rows: Plain,
    held_out: NDArray[np.bool_],
    settings: RowSettings,
    seed: int,
) -> tuple[TableCodec, Protection]:
    agreed = combined(rules, columns)
    counts = count_values([(0, rows)], held_out, unit_columns(columns, agreed), columns)
    sample = _sample(take(rows, np.flatnonzero(~held_out)), FITTED_ROWS)
    return fit_codec(columns, agreed, sample, counts, settings, seed)


def _protection(relation: Relation, parents: Protection, children: Protection) -> Protection:
    """Return what is kept back of both tables: a child's context is its parent's and its sibling's."""
    context = {column.name for column in relation.context}
    own = [each for each in children.kept if not context >= set(each.columns)]
    return Protection(kept=(*parents.kept, *own))


def _tensor(codes: NDArray[np.int32]) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.int16))


def _both(parents: TensorFeed, children: TensorFeed, device: str, *, even: bool) -> TensorFeed:
    """Return both tables as one of codes. Args: even repeats the smaller one until it is about a third of the rows."""
    rows, own, given = parents.tensors["x"], children.tensors["x"], children.tensors["given"]
    sizes = len(rows), len(own)
    times = [max(1, round(max(sizes) / (2 * size))) if even and size else 1 for size in sizes]
    rows, own, given = rows.repeat(times[0], 1), own.repeat(times[1], 1), given.repeat(times[1], 1)
    x = torch.full((len(rows) + len(own), rows.shape[1] + own.shape[1]), -1, dtype=torch.int16, device=device)
    told = torch.ones(x.shape, dtype=torch.uint8, device=device)
    x[: len(rows), : rows.shape[1]], x[len(rows) :, rows.shape[1] :] = rows, own
    told[: len(rows), : rows.shape[1]], told[len(rows) :, rows.shape[1] :] = 0, given
    return TensorFeed(device, x=x, given=told)
