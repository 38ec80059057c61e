"""Two tables opened for training: linked, split by parents, and held as codes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
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
from ganforge.kinds.tables.codec.numbers import NumberUnit
from ganforge.kinds.tables.codec.protection import Protection
from ganforge.kinds.tables.columns import Column, LinkedTable, OtherReference, RowSettings, learned
from ganforge.kinds.tables.linked.families import Families, Relation, previous
from ganforge.kinds.tables.linked.likelihood import FamilySizes
from ganforge.kinds.tables.linked.link import Link, choose_link, match_rows, other_references
from ganforge.kinds.tables.linked.source import NamedTable, read_tables
from ganforge.kinds.tables.reading.arrays import row_count, take, to_plain
from ganforge.kinds.tables.reading.survey import TableSurvey, survey_table
from ganforge.kinds.tables.rules.checks import check_rules
from ganforge.kinds.tables.rules.discovery import find_rules
from ganforge.kinds.tables.rules.rules import Ordered, Rule, combined, joint_of, rule_columns, rule_in_words
from ganforge.kinds.tables.table import (
    FITTED_ROWS,
    agree_rules,
    check_identifiers,
    choose_held_out,
    count_values,
)

FEW_CODES = 8  # of a number, up to which each is learned by itself
FEWEST_STEPS = 30  # from a child to the next, from which on a number that never falls is no accident
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
    """Two tables ready for training."""

    relation: Relation
    parents: TableCodec
    children: TableCodec  # of its context and its own columns
    feed: TensorFeed  # what `family_game` learns from: x (L, C + V) and parents (L, U), -1 where there are fewer
    held_out_codes: Mapping[str, torch.Tensor]  # the same of the held-out rows, as many as there are
    train: Families
    held_out: Families
    passport: Mapping[str, Any]
    protection: Protection

    @property
    def sizes(self) -> FamilySizes:
        """Return how many codes each unit has."""
        return sizes_of(self.relation, self.parents, self.children)


def sizes_of(relation: Relation, parents: TableCodec, children: TableCodec) -> FamilySizes:
    """Return how many codes each unit has: the first units of children stand for their context."""
    names = {column.name for column in relation.context}
    known = sum(names >= set(unit.columns) for unit in children.units)
    unordered = [
        int(unit.with_missing) if isinstance(unit, NumberUnit) and unit.size > FEW_CODES else unit.size
        for unit in children.units[:known]
    ]
    return FamilySizes(parents.sizes, children.sizes[:known], tuple(unordered), children.sizes[known:])


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
        link = Link(child.name, str(child.foreign_key), parent.name, str(parent.primary_key))
        for table, column in ((link.parent, link.key), (link.child, link.reference)):
            if table not in frames or column not in frames[table].columns:
                raise DataError(f"{source!r} has no column {table}.{column} any more.", "The tables were changed.")
    else:
        link, rules = choose_link(frames, rules)
    owner, orphans = match_rows(link, frames)
    upper, lower = tables[link.parent], tables[link.child]
    if len(upper.frame) < FEWEST_PARENTS:
        raise DataError(
            f"{link.parent!r} has {len(upper.frame)} rows.",
            f"At least {FEWEST_PARENTS} are needed to learn how many {link.child} belong to each.",
            "Give more rows.",
        )
    counts = np.bincount(owner[owner >= 0], minlength=len(upper.frame))
    parent_frame, parent_survey = _parents(upper, link, counts, known)
    others = other_references(link, frames, owner)
    kept = np.flatnonzero(owner >= 0)
    child_frame, owner = lower.frame.iloc[kept].reset_index(drop=True), owner[kept]
    child_frame, child_survey = _children(lower, child_frame, link, others, known)
    order = _order(child_frame, child_survey.columns, owner)
    relation = Relation.of(
        (
            LinkedTable(name=upper.name, ending=upper.ending, columns=parent_survey.columns, primary_key=link.key),
            LinkedTable(
                name=lower.name,
                ending=lower.ending,
                columns=child_survey.columns,
                parent=upper.name,
                foreign_key=link.reference,
                others=others,
                order=order,
            ),
        )
    )
    families = families_of(relation, {upper.name: parent_frame, lower.name: child_frame}, owner)
    parent_rules, child_rules = _rules(relation, families, rules, find=find)
    digest = hashlib.sha256(f"{parent_survey.sha256} {child_survey.sha256} {link}".encode()).hexdigest()
    passport = {
        "source": str(upper.source.facts.get("source", "")) or upper.name,
        "format": f"two tables ({upper.ending}, {lower.ending})",
        "tables": [f"{name}: {rows:,} rows" for name, rows in ((link.parent, len(counts)), (link.child, len(owner)))],
        "rows": len(counts) + len(owner),
        "link": str(link),
        "without_children": int((counts == 0).sum()),
        "most_children": int(counts.max()),
        "missing": {c.name: c.missing for c in (*relation.parents, *relation.children) if c.missing},
        "warnings": [*parent_survey.passport["warnings"], *child_survey.passport["warnings"], *filter(None, [orphans])],
    }
    told = f"{order} gives their order" if order else "their order is that of the file"
    why = f"{link.why}; {told}" if link.why else told
    return InspectedTables(relation, why, families, parent_rules, child_rules, digest, passport)


def _parents(
    table: NamedTable, link: Link, counts: NDArray[np.int64], known: Sequence[LinkedTable]
) -> tuple[pd.DataFrame, TableSurvey]:
    """Return the rows of the parents with their numbers of children (N,) as the last column, and their survey."""
    count = f"number of {link.child}"
    while count in table.frame.columns:
        count += "_"
    forced = [Column(name=link.key, kind="identifier", dtype=""), Column(name=count, kind="integer", dtype="")]
    asked = next((each.columns for each in known if each.name == link.parent), forced)
    frame = _as_text(table.frame, [link.key]).assign(**{count: counts})
    return frame, _survey(table, frame, asked)


def _children(
    table: NamedTable,
    frame: pd.DataFrame,
    link: Link,
    others: Mapping[str, OtherReference],
    known: Sequence[LinkedTable],
) -> tuple[pd.DataFrame, TableSurvey]:
    """Return the rows of the children and their survey, in which references are copies of keys."""
    does = dict.fromkeys(others, f"the {link.key} of a row of {link.parent}, drawn by chance")
    does[link.reference] = f"the {link.key} of its row of {link.parent}"
    columns = next((each.columns for each in known if each.name == link.child), ())
    asked = [column for column in columns if column.name not in does]
    frame = _as_text(frame, list(does))
    survey = _survey(table, frame, [*asked, *(Column(name=name, kind="category", dtype="") for name in does)])
    why = {"kind": "identifier", "why": "it refers to the key"}
    told = [c.model_copy(update={**why, "does": does[c.name]}) if c.name in does else c for c in survey.columns]
    if not learned(told):
        raise DataError(
            f"{link.child!r} has no column that can be learned.",
            f"Besides what refers to {link.parent!r} it has only names, numbers that count, or one value.",
            f"Train on {link.parent!r} alone.",
        )
    return frame, replace(survey, columns=tuple(told))


def _as_text(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a frame whose keys are not categoricals: new keys are not among their categories."""
    texts = {key: frame[key].astype("str") for key in keys if isinstance(frame[key].dtype, pd.CategoricalDtype)}
    return frame.assign(**texts)


def _survey(table: NamedTable, frame: Any, asked: Sequence[Column]) -> TableSurvey:
    return survey_table(table.source_of(frame), [column for column in asked if column.name in frame.columns])


def _order(frame: pd.DataFrame, columns: Sequence[Column], owner: NDArray[np.int64]) -> str | None:
    """Return the column in whose order siblings stand: the first with a date, or a number that never falls in the file.

    Args: owner (M,) the parent's row of each child.
    """
    full = [column for column in columns if column.is_number and not column.missing]
    dates = [column.name for column in full if column.kind == "datetime"]
    if dates:
        return dates[0]
    rows = np.argsort(owner, kind="stable")
    siblings = owner[rows][1:] == owner[rows][:-1]
    plain = to_plain(frame, columns)
    for column in full:
        steps = np.diff(plain[column.name][rows])[siblings]
        if len(steps) >= FEWEST_STEPS and (steps >= 0).all() and (steps > 0).mean() > 0.5:
            return column.name
    return None


def families_of(relation: Relation, frames: Mapping[str, pd.DataFrame], owner: NDArray[np.int64]) -> Families:
    """Return the families of two tables, by name, siblings in their order.

    Args: owner (M,) the row of each child's parent.
    """
    counts = np.bincount(owner, minlength=len(frames[relation.parent.name])).astype(np.float64)
    plain = [
        {f"{name}.{column}": values for column, values in to_plain(frames[name], columns).items()}
        for name, columns in relation.written.items()
    ]
    children = {column.name: plain[1][column.name] for column in relation.children}
    when = children[relation.order] if relation.order else np.zeros(len(owner))
    rows = np.lexsort((np.arange(len(owner)), when, owner))
    parents = {**plain[0], relation.count: counts}
    return Families(parents, relation.with_context(parents, take(children, rows), owner[rows]), owner[rows])


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
    codes = (
        _tensor(of_parents.encode(parents, families.parents)),
        _tensor(of_children.encode(children, families.children)),
    )
    held, theirs = torch.from_numpy(held_out), torch.from_numpy(owned)
    rows = max(int((~held).sum()), int((~theirs).sum()))
    train = {"parents": _padded(codes[0][~held], rows), "x": _padded(codes[1][~theirs], rows)}
    families_of = families.chosen(~held_out), families.chosen(held_out)
    return OpenTables(
        relation=relation,
        parents=parents,
        children=children,
        feed=TensorFeed(device, **train),
        held_out_codes={"parents": codes[0][held].to(device), "x": codes[1][theirs].to(device)},
        train=families_of[0],
        held_out=families_of[1],
        passport={
            **inspected.passport,
            "train": len(families_of[0]),
            "held_out": len(families_of[1]),
            "rules": [words for words, _ in inspected.rules],
        },
        protection=_protection(relation, of_parents, of_children),
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
    units = [names for names in unit_columns(columns, agreed) if names not in joint_of(agreed)]
    counts = count_values([(0, rows)], held_out, units, columns)
    sample = _sample(take(rows, np.flatnonzero(~held_out)), FITTED_ROWS)
    return fit_codec(columns, agreed, sample, counts, settings, seed)


def _protection(relation: Relation, parents: Protection, children: Protection) -> Protection:
    """Return what is kept back of both tables: a child's context is its parent's and its sibling's."""
    context = {column.name for column in relation.context}
    own = [each for each in children.kept if not context >= set(each.columns)]
    return Protection(kept=(*parents.kept, *own))


def _tensor(codes: NDArray[np.int32]) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.int16))


def _padded(codes: torch.Tensor, rows: int) -> torch.Tensor:
    return torch.nn.functional.pad(codes, (0, 0, 0, rows - len(codes)), value=-1)
