"""The key by which the rows of one table belong to those of another: found by its values and names, or asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.errors import DataError, InputError, RecipeError, did_you_mean
from ganforge.kinds.tables.columns import OtherReference
from ganforge.kinds.tables.reading.arrays import arrow_from, is_text
from ganforge.kinds.tables.reading.column_types import is_identifier_by_name
from ganforge.kinds.tables.rules.syntax import quoted_name, unquoted
from ganforge.kinds.tables.table import ASKED

MOST_ORPHANS = 0.01  # of the rows of a child: so many may be left out
FEWEST_ROWS = 10  # of a child that are left
PLAIN_NAMES = ("", "id", "ids", "key", "no", "nr", "num", "number", "code", "index", "uuid", "guid", "pk")
Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Link:
    """`child.reference -> parent.key`: each row of the child belongs to the row of the parent with its key."""

    child: str
    reference: str
    parent: str
    key: str
    why: str = ""

    def __str__(self) -> str:
        return f"{_dotted(self.child, self.reference)} -> {_dotted(self.parent, self.key)}"


def _dotted(table: str, column: str) -> str:
    name = f"{table}.{column}"
    return quoted_name(name, [name])


def keys(column: pd.Series[Any]) -> NDArray[np.object_] | None:
    """Return the values (N,) as texts, None where missing; None for a column that cannot be a key.

    Whole numbers with missing ones among them are often written as 1.0.
    """
    array = arrow_from(column)
    array = array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array
    if pa.types.is_floating(array.type) and pc.all(pc.equal(array, pc.round(array))).as_py():
        array = array.cast(pa.int64())
    if not is_text(array.type) and not pa.types.is_integer(array.type):
        return None
    return np.asarray(array.cast(pa.string()).to_numpy(zero_copy_only=False), object)


def choose_link(frames: Frames, rules: Sequence[str]) -> tuple[Link, tuple[str, ...]]:
    """Return the link that a rule asks for, or the one that is found, and the other rules.

    Raises: RecipeError for a rule that names what is not there, or a second link; DataError where none is found;
        InputError where several may be meant.
    """
    asked = [(rule, link) for rule in rules if (link := read_link(rule, frames)) is not None]
    if len(asked) > 1:
        raise RecipeError(
            f"Both {asked[0][0]!r} and {asked[1][0]!r} were given.",
            "Two tables are linked by one key.",
            "Leave one of them out.",
        )
    others = tuple(rule for rule in rules if rule not in [rule for rule, _ in asked])
    return (asked[0][1] if asked else find_link(frames)), others


def read_link(rule: str, frames: Frames) -> Link | None:
    """Read `orders.customer_id -> customers.id`; None for another rule. Raises: RecipeError for an unknown column."""
    sides = [_column_named(side.strip(), frames) for side in rule.split("->")]
    if len(sides) != 2 or sides[0] is None or sides[1] is None or sides[0][0] == sides[1][0]:
        return None
    for table, column in (sides[0], sides[1]):
        if column not in frames[table].columns and "," in column:
            return None  # seen combinations of several columns
        if column not in frames[table].columns:
            raise RecipeError(
                f"There is no column {column!r} in {table!r}.",
                f"The rule {rule!r} names it. {did_you_mean(column, frames[table].columns)}",
                "Correct the rule.",
            )
    return Link(*sides[0], *sides[1], why=ASKED)


def _column_named(text: str, frames: Frames) -> tuple[str, str] | None:
    text = unquoted(text)
    found = [(name, text[len(name) + 1 :]) for name in frames if text.startswith(f"{name}.")]
    return max(found, key=lambda pair: len(pair[0]), default=None)


def find_link(frames: Frames) -> Link:
    """Find the key: unique in one table, all values of a column of the other one in it, and names that say so.

    Raises: DataError where there is none, InputError where several may be meant.
    """
    texts = {name: {str(column): keys(frame[column]) for column in frame} for name, frame in frames.items()}
    found: list[tuple[Link, bool]] = []
    for parent, columns in texts.items():
        for key, values in columns.items():
            if values is None or pd.isna(values).any() or len(pd.unique(values)) < len(values):
                continue
            for child in (name for name in frames if name != parent):
                for reference, theirs in texts[child].items():
                    if theirs is not None and _refers(theirs, values):
                        found.append((Link(child, reference, parent, key), names_agree(reference, key, parent)))
    named = [link for link, agree in found if agree]
    chosen = named or [link for link, _ in found if _is_no_accident(link, frames)]
    if len(chosen) == 1:
        link = chosen[0]
        names = "and the names say so" if named else "and no other column is like that"
        why = f"found: {link.key} names each row of {link.parent}, every {link.reference} of {link.child} is one of "
        return Link(link.child, link.reference, link.parent, link.key, f"{why}them, {names}")
    if not found:
        _refuse_several_columns(frames)
        first, second = list(frames)[:2]
        raise DataError(
            f"No column of {first!r} or {second!r} is a key of the other.",
            "A key has no value twice in its own table, and all values of a column of the other table are among them.",
            'If there is one, name it: --rule "orders.customer_id -> customers.id", say.',
        )
    several = chosen or [link for link, _ in found]
    listed = ", ".join(f'--rule "{link}"' for link in several[:4])
    raise InputError(
        f"The key of the tables {' and '.join(map(repr, frames))} is not clear.",
        f"{len(several)} pairs of columns could be it." if len(several) > 1 else "The values fit, the names do not.",
        f"Say which: {listed}{' or another' if len(several) > 4 else ''}.",
    )


def _refuse_several_columns(frames: Frames) -> None:
    """Raises: DataError if columns of one name in both tables are together a key of one of them."""
    for parent, child in permutations(frames, 2):
        names = [name for name in frames[parent] if name in frames[child] and keys(frames[parent][name]) is not None]
        whole = frames[parent][names]
        if len(names) < 2 or whole.duplicated().any():
            continue
        if len(frames[child][names].merge(whole)) >= (1 - MOST_ORPHANS) * len(frames[child]):
            listed = " and ".join(map(repr, names))
            raise DataError(
                f"The key of {parent!r} is {listed} together.",
                "A key is one column so far.",
                "Join these columns into one in both tables.",
            )


def _refers(references: NDArray[np.object_], values: NDArray[np.object_]) -> bool:
    """Return whether references are among the values of a key, but for a few."""
    there = ~pd.isna(references)
    inside = int(pd.Index(references[there]).isin(pd.Index(values)).sum())
    return inside > 0 and len(references) - inside <= MOST_ORPHANS * len(references)


def _is_no_accident(link: Link, frames: Frames) -> bool:
    """Return whether values that fit suffice: texts, or numbers of a column whose name says that it refers to a row.

    Small whole numbers of any column may be among those of a key by chance.
    """
    column = frames[link.child][link.reference]
    is_name = is_text(arrow_from(frames[link.parent][link.key]).type)
    return is_name or (is_identifier_by_name(link.reference) and not column.is_unique)


def names_agree(reference: str, key: str, parent: str) -> bool:
    """Return whether a column's name says that it refers to a key: customer_id to the id of customers."""
    mine, theirs, table = (re.sub(r"[\W_]+", "", name.lower()) for name in (reference, key, parent))
    if theirs not in PLAIN_NAMES and mine == theirs:
        return True
    one = re.sub(r"ies$", "y", table) if table.endswith("ies") else re.sub(r"(?<=[sxh])es$|s$", "", table)
    return any(
        mine == f"{name}{end}" for name in (one, table, table.removesuffix("s")) for end in (theirs, *PLAIN_NAMES)
    )


def match_rows(link: Link, frames: Frames) -> tuple[NDArray[np.int64], str]:
    """Return the parent's row (N,) of each row of the child, -1 for an orphan; and a sentence about these, or "".

    Raises: DataError for a key that is missing or comes twice, for too many orphans, and for a column of other types.
    """
    values, references = keys(frames[link.parent][link.key]), keys(frames[link.child][link.reference])
    for name, found in ((f"{link.parent}.{link.key}", values), (f"{link.child}.{link.reference}", references)):
        if found is None:
            raise DataError(
                f"The column {name!r} cannot be a key.", "A key is a text or a whole number.", "Name another column."
            )
    assert values is not None and references is not None
    index = pd.Index(values)
    if pd.isna(values).any() or index.has_duplicates:
        twice = index[index.duplicated()]
        what = (
            f"holds {twice[0]!r} {int((values == twice[0]).sum())} times" if len(twice) else "has rows without a value"
        )
        raise DataError(
            f"The key {link.key!r} of {link.parent!r} {what}.",
            f"A row of {link.child!r} could not tell which row it belongs to.",
            "Correct the rows, or name another key with --rule.",
        )
    rows = index.get_indexer(pd.Index(references)).astype(np.int64)
    orphans = int((rows < 0).sum())
    example = references[int(np.argmax(rows < 0))] if orphans else None
    named = "no value" if example is None or pd.isna(example) else f"{example!r}, say"
    if orphans > MOST_ORPHANS * len(rows) or len(rows) - orphans < FEWEST_ROWS:
        raise DataError(
            f"Of {len(rows):,} rows of {link.child!r} {orphans:,} belong to no row of {link.parent!r}."
            if orphans
            else f"{link.child!r} has {len(rows)} rows.",
            f"Their {link.reference!r} is not among {link.key!r}: {named}."
            if orphans
            else f"At least {FEWEST_ROWS} are needed to learn from.",
            "Add the missing rows, leave these out, or name another key with --rule." if orphans else "Give more rows.",
        )
    said = f"{orphans:,} rows of {link.child} belong to no row of {link.parent} ({named}) and were left out."
    return rows, said if orphans else ""


def other_references(link: Link, frames: Frames, owner: NDArray[np.int64]) -> dict[str, OtherReference]:
    """Return the other columns of the child whose values are keys of the parent, by name or since they cannot be else.

    Args: owner (M,) the parent's row of each row of the child, -1 for an orphan.
    """
    values = keys(frames[link.parent][link.key])
    assert values is not None
    index, found = pd.Index(values), {}
    for name in frames[link.child].columns.drop(link.reference):
        other = Link(link.child, str(name), link.parent, link.key)
        theirs = keys(frames[link.child][name])
        there = ~pd.isna(theirs) if theirs is not None else np.zeros(0, bool)
        if theirs is None or not _refers(theirs[there], values):
            continue
        if names_agree(other.reference, link.key, link.parent) or _is_no_accident(other, frames):
            rows = index.get_indexer(pd.Index(theirs))
            same = float((rows == owner)[there].mean())
            found[other.reference] = OtherReference(missing=float(1 - there.mean()), same=same)
    return found
