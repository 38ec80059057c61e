"""A trained recommender, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from pydantic import Field
from scipy.sparse import csr_matrix

from ganforge.contracts import Model, Observer
from ganforge.core.files import write_through
from ganforge.core.model_files import built, read_description_of
from ganforge.errors import InputError, refused
from ganforge.events import tell_note
from ganforge.kinds.interactions.features import users_in
from ganforge.kinds.interactions.recommend.exposure import Shelf
from ganforge.kinds.interactions.recommend.material import RecommendSettings
from ganforge.kinds.interactions.recommend.product import Sizes, Stored
from ganforge.kinds.interactions.results import refuse_place
from ganforge.kinds.interactions.scorers import Rows
from ganforge.measures.ranking import blocks, top_items
from ganforge.recipe import Section

COUNT = 10  # items for each user, unless another number is asked for
MOST_COMPARED = 10_000  # ids that an unknown one is compared with
REASONS = 3  # items that a recommendation is explained by
NEXT_STEPS = {
    "apply RUN users.csv --out top.csv -n 10": "the best items for each user of a table, each with its reasons",
    'apply RUN --for "user=ID"': "the same for one user",
    'apply RUN --new "ITEM,ITEM"': "the same for a user who is not in the data, by what he liked",
    "apply RUN users.csv --out top.csv --diversity 0.8": "lists that show more of the items",
    "evaluate RUN": "how good the lists are, for whom, and what they show",
}


class Described(Section):
    """What model.json says of a recommender."""

    user: str  # columns of the log
    item: str
    users: int = Field(ge=1)
    items: int = Field(ge=1)
    interactions: int = Field(ge=1)
    user_bytes: int = Field(ge=1)
    item_bytes: int = Field(ge=1)
    popular: int = Field(ge=0)
    rank: int = Field(ge=0)
    width: int = Field(ge=0, le=10_000)
    exposure: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, stored: Stored, chosen: RecommendSettings) -> Described:
        """Describe a recommender."""
        sizes = {name: getattr(stored.sizes, name) for name in Sizes.__dataclass_fields__}
        return cls(user=chosen.user or "user", item=chosen.item or "item", exposure=chosen.exposure, **sizes)

    def stored(self) -> Stored:
        """Build what model.safetensors must hold."""
        return Stored(Sizes(**{name: getattr(self, name) for name in Sizes.__dataclass_fields__}))

    def opened(self, stored: Stored) -> TrainedRecommender:
        """Return the recommender. Raises: ValueError for interactions that are not of its users and items."""
        starts, met = stored.array("starts"), stored.array("met")
        if starts[0] != 0 or starts[-1] != self.interactions or (np.diff(starts) < 0).any():
            raise ValueError("its interactions are not of its users")
        if met.min() < 0 or met.max() >= self.items:
            raise ValueError("its interactions are not of its items")
        users, items = stored.ids("user"), stored.ids("item")
        if len(set(users)) != self.users or len(set(items)) != self.items:
            raise ValueError("an id is missing, or stands twice")
        return TrainedRecommender(self, stored, users, items)


@dataclass(frozen=True)
class TrainedRecommender(Model):
    """A trained recommender: users in, the best items for each out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    described: Described
    stored: Stored
    users: list[str]
    items: list[str]

    @cached_property
    def _user_rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.users)}

    @cached_property
    def _item_rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.items)}

    @cached_property
    def _history(self) -> csr_matrix:
        return self.stored.history

    def histories(self, users: Sequence[str]) -> csr_matrix:
        """Return what users have met, (B, I); nothing for those who are not known."""
        rows = np.array([self._user_rows.get(user, -1) for user in users], np.int64)
        found = self._history[np.maximum(rows, 0)]
        found.data *= np.repeat(rows >= 0, np.diff(found.indptr))
        found.eliminate_zeros()
        return found

    def history_of(self, items: Sequence[str]) -> csr_matrix:
        """Return the history of a user who met these items, (1, I). Raises: InputError for an unknown one."""
        for item in items:
            if item not in self._item_rows:
                raise InputError(f"There is no item {item!r} in the data.", _near(item, self.items), "Leave it out.")
        rows = np.unique([self._item_rows[item] for item in items])
        return csr_matrix((np.ones(len(rows), np.float32), rows, [0, len(rows)]), shape=(1, len(self.items)))

    def tables(
        self, users: Sequence[str], histories: csr_matrix, count: int, exposure: float, *, seen: bool
    ) -> Iterator[pa.Table]:
        """Yield the best items of users with their reasons, for blocks of users.

        Args: histories (U, I) what each has met; seen whether that may be shown again.
        """
        shelf = self.stored.shelf(exposure)
        for rows in blocks(np.arange(len(users)), len(self.items)):
            yield self._table([users[row] for row in rows], histories[rows], shelf, count, seen)

    def _table(self, users: Sequence[str], history: csr_matrix, shelf: Shelf, count: int, seen: bool) -> pa.Table:
        scores = shelf.scores(history, seen=seen)
        without = np.diff(history.indptr) == 0
        scores[without] = self.stored.array("counts")  # of whom nothing is known gets what most users meet
        top = top_items(scores, count)
        there = top >= 0
        owner: Rows = np.repeat(np.arange(len(users)), there.sum(1))
        chosen = top[there]
        met = np.split(history.indices, history.indptr[1:-1])
        because = [
            ", ".join(self.items[item] for item in reasons)
            for row in range(len(users))
            for reasons in self.stored.reasons(met[row], top[row][there[row]].tolist(), REASONS)
        ]
        return pa.table(
            {
                self.described.user: pa.array([users[row] for row in owner]),
                "place": (np.nonzero(there)[1] + 1).astype(np.int32),
                self.described.item: pa.array([self.items[item] for item in chosen]),
                "score": scores[owner, chosen].astype(np.float64).round(4),
                "because_of": pa.array(because, pa.string()),
            }
        )

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Return the best items for users.

        Args: source a table of users or a list of their ids; None with the options `whom` or `new`. out a .csv or
            .parquet file, None for a data frame. options count, exclude, diversity, whom, new, force.
        Raises: InputError, DataError, StorageError.
        """
        if out is not None:
            out = out.expanduser()
            refuse_place(out, "Lists", force=bool(options.get("force")))
        users, histories = self._asked(source, options)
        unknown = [users[row] for row in np.flatnonzero(np.diff(histories.indptr) == 0)]
        if unknown:
            shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
            tell_note(observers, f"Not in the data, so they get what most users meet: {shown}", len(unknown))
        exposure = options.get("diversity")
        tables = self.tables(
            users,
            histories,
            int(options.get("count") or COUNT),
            self.described.exposure if exposure is None else float(exposure),
            seen=options.get("exclude") == "nothing",
        )
        if out is None:
            return pa.concat_tables(tables).to_pandas()
        write_through(out, lambda file: _written(tables, file, out.suffix.lower()))
        return out

    def _asked(self, source: object, options: Mapping[str, Any]) -> tuple[list[str], csr_matrix]:
        """Return users with what each has met. Raises: InputError, DataError."""
        whom, new = options.get("whom"), options.get("new")
        if whom is not None:
            what, _, value = whom.partition("=")
            if what.strip() == "user":
                return self._known(value.strip())
            if what.strip() != "items":
                raise InputError(
                    f"--for cannot be {whom!r}.", "It names a user, or what somebody liked.", 'Use --for "user=42".'
                )
            new = value
        if new is not None:
            items = [item.strip() for item in new.split(",") if item.strip()]
            if not items:
                raise InputError("No item was named.", "A new user is known by what he liked.", 'Use --new "1,2,3".')
            return ["new"], self.history_of(items)
        users = users_in(source)
        return users, self.histories(users)

    def _known(self, user: str) -> tuple[list[str], csr_matrix]:
        if user not in self._user_rows:
            raise InputError(
                f"There is no user {user!r} in the data.",
                _near(user, self.users),
                'Somebody new is known by what he liked: --new "item1,item2"',
            )
        return [user], self.histories([user])


def _near(word: str, known: Sequence[str]) -> str:
    """Return a sentence with the nearest of the known ids; "" where none is near."""
    near = get_close_matches(word, known[:MOST_COMPARED], n=1, cutoff=0.8)
    return f"Did you mean {near[0]!r}?" if near else ""


def _written(tables: Iterator[pa.Table], file: IO[bytes], ending: str) -> None:
    writer: Any = None
    for table in tables:
        if writer is None:
            writer = (csv.CSVWriter if ending == ".csv" else parquet.ParquetWriter)(file, table.schema)
        writer.write_table(table)
    writer.close()


def load_recommender(folder: Path, device: str = "cpu") -> TrainedRecommender:
    """Load the recommender of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "recommend", "a recommender")
    with refused(f"The model at {str(folder)!r}"):
        described = Described.model_validate(content["recommender"])
        return described.opened(built(folder, described.stored))
