"""Reading of a log of interactions, with what is known of its items and users.

Memory holds codes and numbers of 20 bytes for each interaction, and each id once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
from ganforge.kinds.interactions.places import Places, find_places
from ganforge.kinds.interactions.rows import open_rows
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
    rows = open_rows(places.log)
    columns = find_columns(rows, asked)
    notes = _Notes(str(source))
    raw = _read(places, columns, asked, notes)
    log = _checked(_folded(raw, asked, notes), str(source))
    items, users = (read_features(place, role, log, notes.warnings) for role, place in places.beside.items())
    passport = {
        **notes.facts,
        "columns": columns.chosen,
        "reasons": dict(columns.reasons),
        **facts_of(log),
        "left_out": dict(notes.left_out),
        "item_features": len(items.names) if items else 0,
        "user_features": len(users.names) if users else 0,
        "warnings": notes.warnings + [f"{count:,} rows were left out: {why}." for why, count in notes.left_out.items()],
    }
    return Reading(log, columns, items, users, passport, _digest(log, items, users))


@dataclass
class _Notes:
    """What is told of a reading."""

    source: str
    facts: dict[str, Any] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # why -> rows
    warnings: list[str] = field(default_factory=list)


# ---- from rows to codes ----------------------------------------------------------------------------------------------


def _read(places: Places, columns: Columns, asked: LogSettings, notes: _Notes) -> Log:
    """Read every row whose cells are there, in the order of the file."""
    rows = open_rows(places.log)
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
    rating = np.concatenate(ratings) if columns.rating and ratings else None
    ratings.clear()
    time, unit = times.result() if columns.time else (None, "")
    notes.facts |= {"source": notes.source, "rows": len(user), "time_unit": unit}
    if floats or item_floats:
        notes.warnings.append("Ids such as 7.0 are read as 7.")
    there = np.ones(len(user), bool)
    for name, holes in (("user", user < 0), ("item", item < 0), ("rating", _holes(rating)), ("time", _holes(time))):
        if holes is not None and (count := int((there & holes).sum())):
            notes.left_out[f"they have no usable {name}"] = count
            there &= ~holes
    if strange and not there.all() and rating is not None and np.isnan(rating).mean() > MOST_LEFT_OUT:
        raise rating_of_text(columns.rating, strange)
    _refuse_many_holes(notes, len(user), columns)
    log = Log(user_ids, item_ids, user, item, rating, time)
    return log if there.all() else log.taken(there)


def _holes(values: NDArray[Any] | None) -> NDArray[np.bool_] | None:
    return None if values is None else np.isnan(values)


def _refuse_many_holes(notes: _Notes, rows: int, columns: Columns) -> None:
    why, count = notes.left_out.most_common(1)[0] if notes.left_out else ("", 0)
    if count > MOST_LEFT_OUT * rows:
        role = why.split()[-1]
        optional = role in ("rating", "time")
        raise DataError(
            f"{count:,} of the {rows:,} rows of {notes.source!r} have no usable {role} in {columns.chosen[role]!r}.",
            "They would be left out, which is more than slips.",
            f"--set interactions.{role}=none does without it." if optional else f"Name another column: "
            f"--set interactions.{role}=COLUMN",
        )  # fmt: skip


# ---- order and duplicates --------------------------------------------------------------------------------------------


def _folded(raw: Log, asked: LogSettings, notes: _Notes) -> Log:
    """Bring interactions into the order of a log, fold duplicates, and keep those that count as liked."""
    log = _in_order(raw)
    kept, ratings = np.ones(len(log), bool), log.rating
    if asked.duplicates != "last":
        ratings = np.ones(len(log), np.float32) if ratings is None or asked.duplicates == "count" else ratings.copy()
    starts = log.starts()
    first = 0
    while first < len(log.users):
        after = max(first + 1, int(np.searchsorted(starts, starts[first] + AT_ONCE, side="right")) - 1)
        begin, end = starts[first], starts[after]
        pairs = (log.user[begin:end].astype(np.int64) - first) * len(log.items) + log.item[begin:end]
        order = np.argsort(pairs, kind="stable")
        firsts = np.flatnonzero(np.diff(pairs[order], prepend=-1))
        lasts = order[np.append(firsts[1:], len(order)) - 1] if len(order) else order
        kept[begin:end] = False
        kept[begin + lasts] = True
        if asked.duplicates != "last" and len(order):
            assert ratings is not None
            ratings[begin + lasts] = np.add.reduceat(ratings[begin:end][order], firsts)
        first = after
    folded = len(log) - int(kept.sum())
    notes.facts |= {"duplicates": folded, "duplicates_folded_by": asked.duplicates}
    if folded:
        how = {"last": "the last one counts", "sum": "their ratings are added", "count": "their number is the rating"}
        notes.warnings.append(
            f"{folded:,} rows repeat a pair of user and item: {how[asked.duplicates]} (interactions.duplicates)."
        )
    log = Log(log.users, log.items, log.user, log.item, ratings, log.time)
    if asked.positive is not None:
        kept &= _liked(log, asked.positive, kept, notes)
    return _without_empty(log.taken(kept))


def _liked(log: Log, least: float, kept: NDArray[np.bool_], notes: _Notes) -> NDArray[np.bool_]:
    """Return which interactions are rated well enough. Raises: DataError if there are no ratings, or none is."""
    if log.rating is None:
        raise DataError(
            f"interactions.positive is {least:g}, and {notes.source!r} has no column of ratings.",
            "It is the least rating that counts as liked.",
            "Name one with --set interactions.rating=COLUMN, or leave interactions.positive out.",
        )
    liked = log.rating >= least
    if not (liked & kept).any():
        raise DataError(
            f"interactions.positive is {least:g}, and the largest rating is {log.rating[kept].max():g}.",
            "No interaction would count.",
            "Choose a smaller one.",
        )
    notes.facts["not_liked"] = int((kept & ~liked).sum())
    return liked


def _in_order(log: Log) -> Log:
    """Sort by users, and within a user by time; of equal times as in the file. By users it takes one pass."""
    count = len(log)
    rows = csr_matrix((np.ones(count, np.bool_), log.user, np.arange(count + 1)), shape=(count, len(log.users)))
    order = rows.tocsc().indices
    del rows
    log = log.taken(order)
    if log.time is None:
        return log
    starts = log.starts()
    places = np.arange(count)
    first = 0
    while first < len(log.users):
        after = max(first + 1, int(np.searchsorted(starts, starts[first] + AT_ONCE, side="right")) - 1)
        begin, end = starts[first], starts[after]
        places[begin:end] = begin + np.lexsort((log.time[begin:end], log.user[begin:end]))
        first = after
    return log.taken(places)


def _without_empty(log: Log) -> Log:
    """Leave out users and items without interactions."""
    users, items = log.counts() > 0, np.bincount(log.item, minlength=len(log.items)) > 0
    if users.all() and items.all():
        return log
    user, item = (np.cumsum(there) - 1 for there in (users, items))
    return Log(
        log.users[users],
        log.items[items],
        user[log.user].astype(np.int32),
        item[log.item].astype(np.int32),
        log.rating,
        log.time,
    )


def _checked(log: Log, source: str) -> Log:
    """Check that something can be learned and judged. Raises: DataError."""
    for what, ids in (("user", log.users), ("item", log.items)):
        if len(ids) < 2:
            raise DataError(
                f"{source!r} has one {what} alone{f', {ids[0]!r}' if len(ids) else ''}."
                if len(ids)
                else f"{source!r} has no usable rows.",
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
    values, counts = np.unique(rating[: AT_ONCE * 4], return_counts=True)
    if len(values) > 2 * BINS:
        counts, edges = np.histogram(rating, BINS)
        values = edges[:-1]
    return {
        "mean": float(rating.mean(dtype=np.float64)),
        "values": [float(value) for value in values],
        "counts": counts.tolist(),
    }


def shown_time(seconds: float) -> str:
    """Return a moment as a day."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _digest(log: Log, *features: Features | None) -> str:
    """Return the sha256 of a log and of what is known beside it."""
    digest = hashlib.sha256()
    for ids in (log.users, log.items, *(each.ids for each in features if each)):
        digest.update("\n".join(ids.tolist()).encode() + b"\0")
    arrays = (log.user, log.item, log.rating, log.time, *(each.values for each in features if each))
    for array in arrays:
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()
