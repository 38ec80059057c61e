"""The columns of a log: which holds users, which items, which ratings and which times, by name and by what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ganforge.errors import DataError, did_you_mean
from ganforge.recipe import TaskSection

NONE = "none"  # in place of a column of ratings or times: do not use one
Duplicates = Literal["last", "sum", "count"]


class LogSettings(TaskSection):
    """How a log is read: columns, duplicates, and what counts as liked. The section of each task extends it."""

    key: ClassVar[str] = "interactions"

    user: str | None = None  # names of columns; None: found by names and content
    item: str | None = None
    rating: str | None = None  # "none" for no ratings
    time: str | None = None  # "none" for no times
    duplicates: Duplicates = "last"  # of a user and an item: the last in time, the sum of ratings, or how many
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


NAMES = {  # as they are called, in small letters and without signs; the first has priority
    "user": ("userid", "user", "uid", "u", "customerid", "customer", "visitorid", "reviewerid", "memberid", "student",
             "studentid", "s", "personid", "person", "accountid", "account", "who"),
    "item": ("itemid", "item", "iid", "i", "movieid", "movie", "productid", "product", "asin", "bookid", "book", "isbn",
             "songid", "song", "trackid", "track", "artistid", "artist", "newsid", "articleid", "article", "d", "what"),
    "rating": ("rating", "ratings", "score", "stars", "overall", "value", "preference", "plays", "count",
               "weight", "y"),
    "time": ("timestamp", "time", "datetime", "date", "unixreviewtime", "ts", "createdat", "when", "at"),
}  # fmt: skip


def find_columns(names: list[str], asked: LogSettings) -> Columns:
    """Find the columns of a log. Args: names of all; asked those that a person named. Raises: DataError."""
    found: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for role, known in NAMES.items():
        given = getattr(asked, role)
        if given is not None:
            if given not in names and given != NONE:
                raise DataError(f"There is no column {given!r}.", did_you_mean(given, names))
            found[role], reasons[role] = "" if given == NONE else given, "you asked for it"
            continue
        plain = {"".join(filter(str.isalnum, name.lower())): name for name in names if name not in found.values()}
        found[role] = next((plain[word] for word in known if word in plain), "")
        if found[role]:
            reasons[role] = "by its name"
    for role in ("user", "item"):
        if not found[role]:
            raise DataError(f"No column looks like {role}s.", f"The columns are {', '.join(names)}.",
                            f"Name one: --set interactions.{role}=...")  # fmt: skip
    return Columns(**found, reasons=reasons)
