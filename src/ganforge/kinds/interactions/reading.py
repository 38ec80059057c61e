"""Reading of a log of interactions, with what is known of its items and users.

Memory holds codes and numbers of 20 bytes for each interaction, and each id once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ganforge.errors import DataError
from ganforge.kinds.interactions.columns import Columns, LogSettings, find_columns, rating_of_text
from ganforge.kinds.interactions.features import Features, read_features
from ganforge.kinds.interactions.ids import Ids
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.places import find_places
from ganforge.kinds.interactions.rows import Rows, open_rows
from ganforge.kinds.interactions.values import Times, numbers_of

MOST_LEFT_OUT = 0.1  # share of the rows without a user, an item, a rating or a time
AT_ONCE = 1 << 21  # interactions whose duplicates are looked for at once
FEWEST = 3  # interactions of a user of whom some can be held out
FEW = 5  # interactions up to which a user is listed as one with few
BINS = 10  # of a histogram of ratings


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that was read, and what is known beside it."""

    log: Log
    columns: Columns
    items: Features | None
    users: Features | None
    passport: Mapping[str, Any]
    sha256: str  # of all of it


def read_log(source: str | Path, asked: LogSettings) -> Reading:
    """Read a log of interactions and the tables of items and users beside it.

    Args: source a file, a folder, or a name of BUILT_IN; asked how it is read. Raises: DataError.
    """
    places = find_places(source)
    opened = open_rows(places.log)
    columns = find_columns(opened, asked)
    notes = _Notes(str(source))
    rows = _read(opened, columns, notes)
    _sort(rows)
    _fold(rows, asked, notes)
    log = _checked(_log_of(rows), str(source))
    items, users = (read_features(place, role, log, notes.warnings) for role, place in places.beside.items())
    facts = facts_of(log)
    passport = {
        **notes.facts,
        "columns": columns.chosen,
        "reasons": dict(columns.reasons),
        **facts,
        "left_out": dict(notes.left_out),
        "item_features": len(items.names) if items else 0,
        "user_features": len(users.names) if users else 0,
        "warnings": [*notes.told(), *_warnings(facts)],
    }
    return Reading(log, columns, items, users, passport, _digest(log, items, users))


@dataclass
class _Notes:
    """What is told of a reading."""

    source: str
    facts: dict[str, Any] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # why -> rows
    warnings: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """Return what is told of rows that were read."""
        left_out = (f"{_rows(count)} {why} {_was(count)} left out." for why, count in self.left_out.items())
        return [*left_out, *self.warnings]


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


# ---- from rows to codes ----------------------------------------------------------------------------------------------


@dataclass
class _Rows:
    """The content of a log while it is brought into order: column by column, so that one is in memory twice at most."""

    users: NDArray[np.str_]
    items: NDArray[np.str_]
    columns: dict[str, NDArray[Any]]  # user, item; rating and time where there are such

    def __len__(self) -> int:
        return len(self.columns["user"])

    def take(self, kept: NDArray[Any]) -> None:
        """Keep some rows. Args: kept a mask (N,) or their places."""
        if kept.dtype != bool or not kept.all():
            for name in self.columns:
                self.columns[name] = self.columns[name][kept]

    def starts(self) -> NDArray[np.int64]:
        """Return where the rows of each user begin, once they are in order, (U + 1,)."""
        counts = np.bincount(self.columns["user"], minlength=len(self.users))
        return np.concatenate([[0], np.cumsum(counts)])

    def blocks(self) -> Iterator[slice]:
        """Yield the rows of some users after the other."""
        starts, first = self.starts(), 0
        while first < len(self.users):
            after = max(first + 1, int(np.searchsorted(starts, starts[first] + AT_ONCE, side="right")) - 1)
            if starts[after] > starts[first]:
                yield slice(int(starts[first]), int(starts[after]))
            first = after


def _read(rows: Rows, columns: Columns, notes: _Notes) -> _Rows:
    """Read every row whose cells are there, in the order of the file."""
    users, items, times = Ids("user", columns.user), Ids("item", columns.item), Times(columns.time)
    ratings: list[NDArray[np.float32]] = []
    strange = ""
    for part in rows.parts(list(columns.chosen.values())):
        users.add(part.column(columns.user))
        items.add(part.column(columns.item))
        if columns.rating:
            numbers, odd = numbers_of(part.column(columns.rating))
            ratings.append(numbers.astype(np.float32))
            strange = strange or odd
        if columns.time:
            times.add(part.column(columns.time))
    user_ids, user, floats = users.result()
    item_ids, item, item_floats = items.result()
    found: dict[str, NDArray[Any]] = {"user": user, "item": item}
    notes.facts |= {"source": notes.source, "rows": len(user)}
    if columns.rating:
        found["rating"] = np.concatenate(ratings) if ratings else np.empty(0, np.float32)
        ratings.clear()
    if columns.time:
        found["time"], notes.facts["time_unit"] = times.result()
    if floats or item_floats:
        notes.warnings.append("Ids such as 7.0 are read as 7.")
    there = np.ones(len(user), bool)
    for name, values in found.items():
        holes = there & (np.isnan(values) if values.dtype.kind == "f" else values < 0)
        if holes.any():
            notes.left_out[f"without a usable {name}"] = int(holes.sum())
            there &= ~holes
    _refuse_many_holes(notes, len(user), columns, strange)
    if lines := rows.ragged.get("lines", 0):
        notes.left_out["with too few or too many fields"] = lines
    content = _Rows(user_ids, item_ids, found)
    content.take(there)
    return content


def _refuse_many_holes(notes: _Notes, rows: int, columns: Columns, strange: str) -> None:
    """Raises: DataError if more rows than a few would be left out. Args: strange a rating that is not a number."""
    why, count = notes.left_out.most_common(1)[0] if notes.left_out else ("", 0)
    if count <= MOST_LEFT_OUT * rows:
        return
    role = why.split()[-1]
    if role == "rating" and strange:
        raise rating_of_text(columns.rating, strange)
    raise DataError(
        f"{count:,} of the {rows:,} rows of {notes.source!r} have no usable {role} in {columns.chosen[role]!r}.",
        "They would be left out, which is more than slips.",
        f"Do without it: --set interactions.{role}=none"
        if role in ("rating", "time")
        else f"Name another column: --set interactions.{role}=COLUMN",
    )


# ---- order and duplicates --------------------------------------------------------------------------------------------


def _sort(rows: _Rows) -> None:
    """Sort by users, and within a user by time; of equal times as in the file. By users it takes one pass."""
    count = len(rows)
    placed = (np.ones(count, np.bool_), rows.columns["user"], np.arange(count + 1, dtype=np.int32))
    order = csr_matrix(placed, shape=(count, len(rows.users))).tocsc().indices
    del placed
    time = rows.columns.get("time")
    rows.columns["user"] = rows.columns["user"][order]
    if time is not None:
        for block in rows.blocks():
            own = order[block]
            order[block] = own[np.lexsort((time[own], rows.columns["user"][block]))]
    del time
    for name in rows.columns:
        if name != "user":
            rows.columns[name] = rows.columns[name][order]


def _fold(rows: _Rows, asked: LogSettings, notes: _Notes) -> None:
    """Fold rows that repeat a pair, which are in order, and keep those that count as liked. Raises: DataError."""
    kept, how = np.zeros(len(rows), bool), asked.duplicates
    if how != "last" and (how == "count" or "rating" not in rows.columns):
        rows.columns["rating"] = np.ones(len(rows), np.float32)
    ratings = rows.columns.get("rating")
    for block in rows.blocks():
        user = rows.columns["user"][block].astype(np.int64)
        pairs = (user - user[0]) * len(rows.items) + rows.columns["item"][block]
        order = np.argsort(pairs, kind="stable")
        firsts = np.flatnonzero(np.diff(pairs[order], prepend=-1))
        lasts = block.start + order[np.append(firsts[1:], len(order)) - 1]
        kept[lasts] = True
        if how != "last" and ratings is not None:
            ratings[lasts] = np.add.reduceat(ratings[block][order], firsts)
    folded = len(rows) - int(kept.sum())
    notes.facts |= {"duplicates": folded, "duplicates_folded_by": how}
    if folded:
        words = {"last": "the last one counts", "sum": "ratings are added", "count": "their number is the rating"}
        notes.warnings.append(
            f"{_rows(folded)} repeated a pair of user and item: {words[how]} (interactions.duplicates)."
        )
    if asked.positive is not None:
        kept &= _liked(ratings, asked.positive, kept, notes)
    rows.take(kept)


def _liked(
    ratings: NDArray[np.float32] | None, least: float, kept: NDArray[np.bool_], notes: _Notes
) -> NDArray[np.bool_]:
    """Return which interactions are rated well enough. Raises: DataError if there are no ratings, or none is."""
    if ratings is None:
        raise DataError(
            f"interactions.positive is {least:g}, and {notes.source!r} has no column of ratings.",
            "It is the least rating that counts as liked.",
            "Name one with --set interactions.rating=COLUMN, or leave interactions.positive out.",
        )
    liked = ratings >= least
    if not (liked & kept).any():
        raise DataError(
            f"interactions.positive is {least:g}, and the largest rating is {ratings[kept].max():g}.",
            "No interaction would count.",
            "Choose a smaller one.",
        )
    notes.facts["not_liked"] = int((kept & ~liked).sum())
    return liked


def _log_of(rows: _Rows) -> Log:
    """Return the log of rows, without users and items that none of them has."""
    found = rows.columns
    for name in ("user", "item"):
        ids = getattr(rows, f"{name}s")
        there = np.bincount(found[name], minlength=len(ids)) > 0
        if not there.all():
            setattr(rows, f"{name}s", ids[there])
            found[name] = (np.cumsum(there, dtype=np.int32) - 1)[found[name]]
    return Log(rows.users, rows.items, found["user"], found["item"], found.get("rating"), found.get("time"))


def _checked(log: Log, source: str) -> Log:
    """Check that something can be learned and judged. Raises: DataError."""
    for what, ids in (("user", log.users), ("item", log.items)):
        if len(ids) < 2:
            raise DataError(
                f"{source!r} has one {what} alone, {str(ids[0])!r}." if len(ids) else f"{source!r} has no usable rows.",
                "What others liked is what recommendations are learned from.",
                f"Give a log of several {what}s, or name the right column: --set interactions.{what}=COLUMN",
            )
    if log.counts().max() < FEWEST:
        raise DataError(
            f"No user of {source!r} has {FEWEST} interactions or more.",
            "Of each user some are held out, to choose and to judge by.",
            "Give a longer log, or check the column of users: --set interactions.user=COLUMN",
        )
    return log


# ---- what is told ----------------------------------------------------------------------------------------------------


def facts_of(log: Log) -> dict[str, Any]:
    """Return the facts of a log for a passport and for comparing it with a simulated one."""
    counts, popular = log.counts(), np.bincount(log.item, minlength=len(log.items))
    facts: dict[str, Any] = {
        "users": len(log.users),
        "items": len(log.items),
        "interactions": len(log),
        "density": len(log) / (len(log.users) * len(log.items)),
        "per_user": _spread(counts),
        "per_item": _spread(popular),
        "users_with_few": int((counts <= FEW).sum()),
        "users_with_all": int((counts == len(log.items)).sum()),
    }
    if log.time is not None:
        facts["time"] = _time_facts(log)
    if log.rating is not None:
        facts["ratings"] = _rating_facts(log.rating)
    return facts


def _spread(counts: NDArray[np.int64]) -> dict[str, float]:
    return {"least": int(counts.min()), "median": float(np.median(counts)), "most": int(counts.max())}


def _time_facts(log: Log) -> dict[str, Any]:
    """Return the span of the times, and the share of interactions at the time of the user's previous one."""
    assert log.time is not None
    same = (np.diff(log.time) == 0) & (np.diff(log.user) == 0)
    span = [float(log.time.min()), float(log.time.max())]
    return {"first": span[0], "last": span[1], "tied": float(same.sum() / max(1, len(log) - 1))}


def _rating_facts(rating: NDArray[np.float32]) -> dict[str, Any]:
    values, counts = np.unique(rating, return_counts=True)
    if len(values) > 2 * BINS:
        counts, edges = np.histogram(rating, BINS)
        values = edges[:-1]
    return {
        "mean": float(rating.mean(dtype=np.float64)),
        "values": [float(value) for value in values],
        "counts": counts.tolist(),
    }


def _warnings(facts: Mapping[str, Any]) -> list[str]:
    """Return what is told of a log."""
    found = []
    if full := facts["users_with_all"]:
        found.append(f"{full:,} user{'s have' if full > 1 else ' has'} met every item: nothing is left to recommend.")
    if "time" in facts and facts["time"]["first"] < 0:
        found.append("Some of the times lie before 1970: check the column.")
    return found


def _digest(log: Log, *features: Features | None) -> str:
    """Return the sha256 of a log and of what is known beside it."""
    digest = hashlib.sha256()
    for ids in (log.users, log.items, *(each.ids for each in features if each)):
        digest.update("\n".join(ids.tolist()).encode() + b"\0")
    arrays = (log.user, log.item, log.rating, log.time, *(each.values for each in features if each))
    for array in arrays:
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()
