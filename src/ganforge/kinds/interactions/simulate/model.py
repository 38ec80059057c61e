"""A trained simulator of users, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field

from ganforge.contracts import Model, Observer
from ganforge.core.files import write_through
from ganforge.core.model_files import built, read_description_of
from ganforge.errors import InputError, refused
from ganforge.events import tell_note
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.reading import Reading
from ganforge.kinds.interactions.results import refuse_place, write_table
from ganforge.kinds.interactions.simulate.people import Form, People
from ganforge.kinds.interactions.simulate.plan import SimulateSettings, build_network
from ganforge.kinds.interactions.simulate.walk import Simulator, Walk
from ganforge.recipe import Network, Section

ENDINGS = (".csv",)
MOST_DRAWN = 10**8  # users at once
PART = 10_000  # users in memory while a file is written
USUAL = 10  # next items that are told of each user
ASKED_AT_ONCE = 256  # users whose next items are found together
PER_SECOND = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
NEXT_STEPS = {
    "sample RUN -n 1000 --out synthetic.csv": "users that do not exist, with their sequences in time",
    "apply RUN log.csv --out next.csv": "what each user of a log will probably meet next",
}


class Described(Section):
    """What model.json says of a simulator."""

    items: tuple[str, ...] = Field(repr=False, min_length=2)
    columns: dict[str, str]  # role -> name in the data
    unit: str = "seconds"  # that times are written in: a name of PER_SECOND, "order" or "text"
    whole: bool = True  # whether all times were whole numbers of it
    parts: int = Field(ge=1, le=100)
    levels: int = Field(ge=0, le=1_000)

    @classmethod
    def of(cls, reading: Reading, people: People) -> Described:
        """Describe a product and the log that it learned from."""
        told, time = str(reading.passport.get("time_unit", "")), reading.log.time
        unit = told if told in PER_SECOND else "order" if told.startswith("numbers") else "text"
        return cls(
            items=tuple(reading.log.items.tolist()),
            columns=reading.columns.chosen,
            unit=unit,
            whole=time is None or bool((time * PER_SECOND.get(unit, 1.0) % 1 == 0).all()),
            parts=len(people.mixture.shares),
            levels=0 if people.ratings is None else len(people.ratings.levels),
        )

    def form(self, tastes: int) -> Form:
        """Return the sizes of the product. Raises: ValueError for an item that is there twice, or no columns."""
        if len(set(self.items)) != len(self.items) or not {"user", "item"} <= self.columns.keys():
            raise ValueError("its items are not those of a log")
        return Form(len(self.items), tastes, self.parts, self.levels, "time" in self.columns)

    def written(self, seconds: NDArray[np.float64]) -> list[Any]:
        """Return times as they are written in the data."""
        if self.unit == "text":
            moments = np.clip(np.round(seconds), -6e10, 2.5e11).astype("datetime64[s]")
            return [str(moment).replace("T", " ") for moment in moments]
        numbers = seconds * PER_SECOND.get(self.unit, 1.0)
        return list(np.round(numbers).astype(np.int64) if self.whole else numbers)


@dataclass(frozen=True)
class UserModel(Model):
    """A trained simulator: draws users, and tells what known ones do next."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    people: People
    described: Described

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> DrawnUsers:
        """Draw users. Raises: InputError."""
        if not 1 <= count <= MOST_DRAWN:
            raise InputError(f"{count} users cannot be drawn.", f"It is a whole number from 1 to {MOST_DRAWN:,}.")
        return DrawnUsers(self, count, seed)

    def write(self, samples: DrawnUsers, out: Path, *, force: bool) -> Path:
        """Write a .csv file with the columns of the data. Raises: InputError, StorageError."""
        refuse_place(out, "Users", force=force, endings=ENDINGS)
        write_through(out, samples.fill)
        return out

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Return what each user of a log will probably meet next, best first, and with which chance.

        Args: source a log with the columns of the data, as a path or a frame; out a .csv file, None for a data frame;
            options: count, how many items. Raises: InputError, DataError, StorageError.
        """
        from ganforge.kinds.interactions.simulate.histories import read_histories

        if out is not None:
            out = out.expanduser()
            refuse_place(out, "Next items", force=bool(options.get("force")), endings=ENDINGS)
        if source is None:
            raise InputError("No log was given.", "What users meet next depends on what they met.", "Give a file.")
        log, unknown = read_histories(source, self.described.columns, self.described.items)
        if unknown:
            tell_note(observers, f"{unknown:,} rows have an item that is not in the training data, and are left out", 1)
        table = self.next_items(log, int(options.get("count", USUAL)))
        return table if out is None else write_table(table, out)

    # ---- what it tells

    def next_items(self, log: Log, count: int) -> pd.DataFrame:
        """Return a row for each user and each of his most likely next items. Args: log of the items known here."""
        count = min(count, len(self.described.items))
        items, parts = np.array(self.described.items, object), []
        starts = log.starts()
        for first in range(0, len(log.users), ASKED_AT_ONCE):
            users = range(first, min(first + ASKED_AT_ONCE, len(log.users)))
            chances = self.chances([log.item[starts[user] : starts[user + 1]] for user in users])
            best = np.argsort(-chances, axis=1, kind="stable")[:, :count]
            parts.append(pd.DataFrame({
                self.described.columns["user"]: np.repeat(log.users[users.start : users.stop], count),
                "rank": np.tile(np.arange(1, count + 1), len(users)),
                self.described.columns["item"]: items[best].ravel(),
                "chance": np.take_along_axis(chances, best, 1).ravel().round(6),
            }))  # fmt: skip
        table = pd.concat(parts, ignore_index=True)
        return table[table["chance"] > 0].reset_index(drop=True)

    def chances(self, histories: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        """Return the chance of each item to be the next, (B, I); 0 of those that a user met."""
        simulator = self.people.simulator
        walk, lengths = Walk(simulator, len(histories)), np.array([len(one) for one in histories])
        for step in range(int(lengths.max(initial=0))):
            rows = np.flatnonzero(lengths > step)
            walk.take(torch.tensor([int(histories[row][step]) for row in rows.tolist()]), torch.from_numpy(rows))
        found: NDArray[np.float32] = torch.softmax(walk.scores(simulator.next), 1).numpy()
        return found

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each item, by its id."""
        return {item: place for place, item in enumerate(self.described.items)}


@dataclass(frozen=True, slots=True)
class DrawnUsers:
    """Users drawn on demand (contracts.Samples)."""

    model: UserModel
    count: int
    seed: int
    notes: tuple[str, ...] = ()

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield some users at a time."""
        for first in range(0, self.count, PART):
            yield self._frame(min(PART, self.count - first), first)

    def value(self) -> pd.DataFrame:
        """All of them: a row for each interaction."""
        return pd.concat(list(self.blocks()), ignore_index=True)

    def fill(self, file: Any) -> None:
        """Write all of them into a binary file."""
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        rows = csv.writer(text, lineterminator="\n")
        for place, frame in enumerate(self.blocks()):
            if place == 0:
                rows.writerow(frame.columns)
            rows.writerows(frame.itertuples(index=False))
        text.flush()
        text.detach()

    def _frame(self, count: int, first: int) -> pd.DataFrame:
        described = self.model.described
        log = self.model.people.draw(count, self.seed + (first << 32))
        names = described.columns
        columns: dict[str, Any] = {
            names["user"]: [f"simulated-{first + number}" for number in (log.user + 1).tolist()],
            names["item"]: np.array(described.items, object)[log.item],
        }
        if log.rating is not None:
            assert self.model.people.ratings is not None
            ratings = self.model.people.ratings
            whole = not ratings.exact and bool((ratings.levels == ratings.levels.round()).all())
            columns[names["rating"]] = log.rating.round(0 if whole else 4).astype(np.int64 if whole else float)
        if log.time is not None:
            columns[names["time"]] = described.written(log.time)
        return pd.DataFrame(columns)


def load_users(folder: Path, device: str = "cpu") -> UserModel:
    """Load the simulator of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "simulate", "a simulator of users")
    with refused(f"The model at {str(folder)!r}"):
        network, described = Network.model_validate(content["network"]), Described.model_validate(content["log"])
        settings = SimulateSettings.model_validate(content["settings"])
        form = described.form(settings.tastes)
        people = built(folder, lambda: People(Simulator(build_network(network, settings, form.items)), form))
    return UserModel(people, described)
