"""The section `data` of a recipe for a log, and the choices of how it is read."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from ganforge.core.format import percent
from ganforge.kinds.interactions.columns import NONE, ROLES, LogSettings
from ganforge.kinds.interactions.reading import Reading
from ganforge.planning.draft import ASKED, Choice, Draft, choose_data
from ganforge.recipe import Data, Recipe
from ganforge.records import Rows

NO_COLUMN = {
    "rating": "no column is called a rating: that a user met an item is all that is known",
    "time": "no column is called a time: the order of interactions is not known",
}


class InteractionsData(Data):
    """A log, with what was found in it."""

    users: int = Field(ge=2)
    items: int = Field(ge=2)
    interactions: int = Field(ge=1)
    first: float | None = None  # the first and the last moment, in seconds since 1970; None where there are no moments
    last: float | None = None


def asked_of(draft: Draft) -> LogSettings:
    """Return how a person wants the log to be read."""
    pinned = draft.pinned.of(LogSettings.key)
    return LogSettings.model_validate({name: pinned[name] for name in LogSettings.model_fields if name in pinned})


def log_choices(reading: Reading, asked: LogSettings) -> dict[str, Choice]:
    """Return the choices of how the log is read, for the section of a task."""
    columns = reading.columns
    chosen: dict[str, Choice] = {
        role: (getattr(columns, role) or NONE, columns.reasons.get(role) or NO_COLUMN[role]) for role in ROLES
    }
    folded = reading.passport["duplicates"]
    told = f"of a pair of user and item that comes again: {folded:,} rows" if folded else "no pair comes twice"
    chosen["duplicates"] = (asked.duplicates, told)
    timed = "the last interactions of each user are judged by"
    random = "there are no times"
    chosen["split"] = ("time", timed) if reading.log.time is not None else ("random", random)
    return chosen


def choose_log(draft: Draft, reading: Reading, shape: Choice) -> InteractionsData:
    """Choose the section `data`. Args: shape of an example, with its reason."""
    log, found = reading.log, "found there"
    moments = log.time is not None and reading.passport["time_unit"] != "numbers that are an order"
    span = reading.passport["time"] if moments else {"first": None, "last": None}
    data = choose_data(
        draft,
        "interactions",
        shape,
        reading.sha256,
        users=(len(log.users), found),
        items=(len(log.items), found),
        interactions=(len(log), "different pairs of a user and an item"),
        first=(span["first"], "seconds since 1970"),
        last=(span["last"], "seconds since 1970"),
    )
    assert isinstance(data, InteractionsData)
    return data


def overview_of(recipe: Recipe) -> tuple[Rows, ...]:
    """Return what is in the log (contracts.Kind)."""
    data = recipe.data
    if not isinstance(data, InteractionsData):
        return ()
    chosen = recipe.section(LogSettings)
    dense = percent(data.interactions / data.users / data.items)
    rows = [
        ("users", f"{data.users:,}", f"in the column {chosen.user!r}: {_why(recipe, 'user')}"),
        ("items", f"{data.items:,}", f"in the column {chosen.item!r}: {_why(recipe, 'item')}"),
        (
            "interactions",
            f"{data.interactions:,}",
            f"{dense} of all pairs",
        ),
        ("ratings", str(chosen.rating), _why(recipe, "rating")),
        ("times", str(chosen.time), _why(recipe, "time")),
    ]
    if data.first is not None and data.last is not None:
        rows.append(("from", _day(data.first), f"to {_day(data.last)}"))
    return (Rows(("what", "found", "where, or why"), tuple(rows)),)


def _why(recipe: Recipe, role: str) -> str:
    return recipe.reasons.get(f"{LogSettings.key}.{role}", ASKED)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
