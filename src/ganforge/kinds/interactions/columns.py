"""The columns of a log: which holds users, which items, which ratings and which times, by name and by what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.interactions.rows import WIDE, Rows, texts_of
from ganforge.kinds.interactions.values import NEARLY, Times, numbers_of
from ganforge.recipe import TaskSection

NONE = "none"  # in place of a column of ratings or times: do without
HEAD = 50_000  # rows that columns are found in
FEWEST = 20  # different values of a column that is taken for ids without being called so
LISTED = 8  # columns in a sentence
Role = Literal["user", "item", "rating", "time"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "time")
NAMES: Mapping[Role, tuple[str, ...]] = {  # in small letters, without signs; the first has priority
    "user": ("userid", "user", "uid", "userno", "username", "customerid", "customer", "visitorid", "reviewerid",
             "memberid", "member", "accountid", "personid", "person", "studentid", "student", "readerid", "playerid",
             "clientid", "sessionid", "session", "who"),
    "item": ("itemid", "item", "iid", "movieid", "movie", "filmid", "productid", "product", "asin", "parentasin",
             "bookid", "book", "isbn", "songid", "song", "trackid", "track", "artistid", "artist", "newsid",
             "articleid", "article", "gameid", "game", "courseid", "course", "recipeid", "businessid", "videoid", "sku",
             "what"),
    "rating": ("rating", "ratings", "stars", "score", "overall", "ratingvalue", "bookrating", "preference", "plays",
               "playcount", "listens", "weight", "y"),
    "time": ("timestamp", "time", "datetime", "date", "unixreviewtime", "reviewtime", "unixtime", "ts", "eventtime",
             "createdat", "ratedat", "watchedat", "when"),
}  # fmt: skip
UNNAMED: tuple[Role, ...] = ("user", "item", "rating", "time")  # the columns of a file without names, as MovieLens'


class LogSettings(TaskSection):
    """How a log is read: columns, duplicates, and what counts as liked. The section of each task extends it."""

    key: ClassVar[str] = "interactions"

    user: str | None = None  # names of columns; None: found by names and content
    item: str | None = None
    rating: str | None = None  # "none" for no ratings
    time: str | None = None  # "none" for no times
    duplicates: Literal["last", "sum", "count"] = "last"  # of a pair: the last in time, the sum of ratings, how many
    positive: float | None = None  # the least rating that counts; None: every interaction does
    split: Literal["time", "random"] | None = None  # None: in time where there is time


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a log by what they hold, "" for none, with the reason for each."""

    user: str
    item: str
    rating: str = ""
    time: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)  # "user" -> why

    @property
    def chosen(self) -> dict[str, str]:
        """Role -> name of the column, for those that there are."""
        return {role: name for role in ROLES if (name := getattr(self, role))}


def find_columns(rows: Rows, asked: LogSettings) -> Columns:
    """Find the columns of a log. Args: asked those that a person named. Raises: DataError."""
    head = rows.head(HEAD)
    found: dict[Role, str] = {}
    reasons: dict[str, str] = {}
    for role in ROLES:
        if (given := getattr(asked, role)) is not None:
            found[role], reasons[role] = _given(rows, role, given, found), "you asked for it"
    if not rows.named and not {"user", "item"} <= set(found):
        return _unnamed(rows, head, found, reasons)
    for role in ROLES:
        if role not in found and (name := named_column(rows.names, role, set(found.values()))):
            found[role], reasons[role] = name, "by its name"
    considered: dict[str, str] = {}
    if not (found.get("user") and found.get("item")):
        considered = _by_content(rows, head, found, reasons)
    for role in ("user", "item"):
        if not found.get(role):
            raise _no_column(rows, head, role, found, considered)
    _check_values(head, found)
    return Columns(**{role: found.get(role, "") for role in ROLES}, reasons=reasons)


def _given(rows: Rows, role: Role, given: str, found: Mapping[Role, str]) -> str:
    """Return the column that a person named. Raises: DataError."""
    if given == NONE and role in ("rating", "time"):
        return ""
    if given not in rows.names:
        raise DataError(f"{str(rows.path)!r} has no column {given!r}.", did_you_mean(given, rows.names[:100]))
    if given in found.values():
        other = next(other for other, name in found.items() if name == given)
        raise DataError(
            f"The column {given!r} was named for both {other} and {role}.", "Each is a column of its own.", "Name two."
        )
    return given


def named_column(names: Sequence[str], role: Role, taken: set[str]) -> str:
    """Return the column that is called like a role, "" for none."""
    plain: dict[str, str] = {}
    for name in names:
        if name not in taken:
            plain.setdefault("".join(filter(str.isalnum, name.lower())), name)
    return next((plain[word] for word in NAMES[role] if word in plain), "")


# ---- without names ---------------------------------------------------------------------------------------------------


def _unnamed(rows: Rows, head: pa.Table, found: dict[Role, str], reasons: dict[str, str]) -> Columns:
    """Take columns by their places in a file whose first line holds values. Raises: DataError."""
    if not 2 <= len(rows.names) <= len(UNNAMED):
        if len(rows.names) > WIDE:
            raise _no_column(rows, head, "user", found, {})
        raise DataError(
            f"{str(rows.path)!r} has {len(rows.names)} columns, and its first line holds values, not names.",
            "Without names, columns are taken as user, item, rating and time, of which there are 2 to 4.",
            f"Add a line of names, or name them: --set interactions.user={rows.names[0]} and interactions.item=...",
        )
    if len(rows.names) == 3 and "rating" not in found and "time" not in found:
        order: tuple[Role, ...] = ("user", "item", "time" if _are_moments(head.column(2)) else "rating")
    else:
        order = UNNAMED[: len(rows.names)]
    free = [name for name in rows.names if name not in found.values()]
    for role, name in zip((role for role in order if role not in found), free, strict=False):
        found[role], reasons[role] = name, "by its place: the file has no names"
    _check_values(head, found)
    return Columns(**{role: found.get(role, "") for role in ROLES}, reasons=reasons)


def _are_moments(column: pa.ChunkedArray) -> bool:
    times = Times("")
    times.add(column)
    try:
        return times.result()[1] != "numbers that are an order"
    except DataError:
        return False


# ---- by content ------------------------------------------------------------------------------------------------------


def _by_content(rows: Rows, head: pa.Table, found: dict[Role, str], reasons: dict[str, str]) -> dict[str, str]:
    """Add users and items where the columns that look like ids are as many as are missing.

    Returns: for each column that was considered, why it was not taken.
    """
    missing = [role for role in ("user", "item") if role not in found]
    why = {name: _why_no_ids(head.column(name)) for name in rows.names[:WIDE] if name not in found.values()}
    likely = [name for name, reason in why.items() if not reason]
    called = [name for name in likely if re.search(r"(?:^|[_. -])id$|[a-z]I[dD]$", name)]
    chosen = called if len(called) == len(missing) else likely
    if len(chosen) == len(missing):
        for role, name in zip(missing, chosen, strict=True):
            found[role] = name  # type: ignore[index]
            place = "other" if len(missing) == 1 else "first" if role == "user" else "second"
            reasons[role] = f"the {place} column whose values come again as ids do"
    return {name: reason or "may be ids" for name, reason in why.items()}


def _why_no_ids(column: pa.ChunkedArray) -> str:
    """Return why the values of a column do not look like the ids of users or items; "" if they do."""
    if any(odd(column.type) for odd in (pa.types.is_temporal, pa.types.is_nested, pa.types.is_boolean)):
        return str(column.type)
    texts = texts_of(column).drop_null()
    different = pc.count_distinct(texts).as_py()
    numbers, strange = numbers_of(texts)
    signs = {
        "a different value in each row": different == len(texts),
        f"{different} different values": different < min(FEWEST, len(texts) / 2),
        "numbers with decimals": not strange and (numbers != np.round(numbers)).any(),
        "times": not strange and _are_moments(pa.chunked_array([texts])),
        "sentences": strange and pc.mean(pc.count_substring(texts, " ")).as_py() > 1,
    }
    return next((why for why, found in signs.items() if found), "")


def _no_column(
    rows: Rows, head: pa.Table, role: str, found: Mapping[Role, str], considered: Mapping[str, str]
) -> DataError:
    """Return the error for a file without a column of users or items, with those that were considered."""
    source = str(rows.path)
    if len(rows.names) > WIDE:  # a matrix
        numeric = [name for name in rows.names[1:] if not numbers_of(head.column(name).slice(0, 1_000))[1]]
        if len(numeric) > 0.9 * len(rows.names):
            return DataError(
                f"{source!r} has {len(rows.names):,} columns of numbers and looks like a matrix of users and items.",
                "A log has one row for each interaction: a user, an item, perhaps a rating and a time.",
                "Write it so; in Python: frame.melt(id_vars='user', var_name='item', value_name='rating').dropna()",
            )
    if len(rows.names) == 1:
        return DataError(
            f"{source!r} has a single column, {rows.names[0][:60]!r}.",
            "A log has at least two, users and items, separated by commas, semicolons, tabs, bars or '::'.",
            "Write it again so.",
        )
    listed = "; ".join(f"{name!r}: {why}" for name, why in list(considered.items())[:LISTED])
    more = f" and {len(considered) - LISTED} more" if len(considered) > LISTED else ""
    known = found.get("user") or found.get("item")
    other = f" beside {known!r}" if known else ""
    return DataError(
        f"No column of {source!r} looks like {role}s{other}.",
        f"Considered: {listed}{more}.",
        f"Name it: --set interactions.{role}=COLUMN",
    )


# ---- ratings and times -----------------------------------------------------------------------------------------------


def _check_values(head: pa.Table, found: Mapping[Role, str]) -> None:
    """Check that cells are simple, and ratings numbers. Raises: DataError."""
    for role, name in found.items():
        kind = head.schema.field(name).type if name else pa.null()
        if pa.types.is_nested(kind) or "binary" in str(kind):
            raise DataError(
                f"The column {name!r} of {role}s holds values of the type {kind}.",
                "A cell is a text, a number or a moment.",
                f"Convert it, or name another column: --set interactions.{role}=COLUMN",
            )
    if rating := found.get("rating"):
        numbers, strange = numbers_of(head.column(rating))
        if strange and np.isfinite(numbers).sum() < NEARLY * (len(head) - head.column(rating).null_count):
            raise rating_of_text(rating, strange)


def rating_of_text(name: str, value: str) -> DataError:
    """Return the error for a rating that is not a number."""
    return DataError(
        f"The column of ratings, {name!r}, holds {value[:60]!r}, which is not a number.",
        "A rating is a number: the larger, the better liked.",
        "Write numbers, name another column with --set interactions.rating=NAME, or none to do without.",
    )
