"""A trained model of new items, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Model, Observer
from ganforge.core.model_files import built, read_description_of
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.events import tell_note
from ganforge.kinds.interactions.features import Features, encode, rows_of
from ganforge.kinds.interactions.frames import write_frame
from ganforge.kinds.interactions.invent.audience import Array, Audiences
from ganforge.kinds.interactions.invent.product import Described, Stored
from ganforge.kinds.interactions.places import find_places
from ganforge.kinds.interactions.results import refuse_place, write_table

FORMAT = "%.6g"  # of numbers in text
COUNT = 10  # users of each new item
CHANCE = 0.9  # that an interval holds what it is of
CANDIDATES, FEWEST_CANDIDATES = 40, 400  # drawn for each invented item; for all of them at least
KEENNESS = 2.0  # standard deviations of liking, by which audiences to invent for are drawn
FAR = 0.95  # share of known items that are nearer to another one than an invented one may be
AT_ONCE = 256  # new items
NEXT_STEPS = {
    "apply RUN new_items.csv --out who.csv": "who would like new items, by their features",
    'sample RUN -n 5 --for "users=ID1,ID2" --out ideas.csv': "features of items that these users would like",
}


@dataclass(frozen=True)
class Inventions(Model):
    """Audiences of new items, and new items for an audience."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    stored: Stored

    @cached_property
    def known(self) -> Audiences:
        """The audiences of the known items."""
        return self.stored.known()

    @cached_property
    def users(self) -> NDArray[np.str_]:
        """The ids of the users."""
        return self.stored.ids("users")

    # ---- who would like new items

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Tell who would like new items.

        Args: source a table of items with their features, or a data frame; out a .csv or .parquet file, None for a
            data frame; options count (users of each item), seed, force.
        Raises: InputError, DataError, StorageError.
        """
        for name in ("exclude", "diversity", "whom", "new"):
            if options.get(name) is not None:
                raise InputError(
                    f"--{'for' if name == 'whom' else name} is of a recommender.",
                    "This run knows new items by their features.",
                    "Use: ganforge apply RUN new_items.csv",
                )
        if out is not None:
            refuse_place(out, "A table", force=bool(options.get("force")))
        features = self._read(source)
        for sentence in self.notes(features):
            tell_note(observers, sentence, 1)
        table = self.audience(features, options.get("count") or COUNT, options.get("seed") or 0)
        return table if out is None else write_table(table, out, FORMAT)

    def _read(self, source: object) -> Features:
        coding = self.stored.described.codes.coding
        if isinstance(source, str | Path):
            path = Path(source).expanduser()
            table = find_places(path).beside["item"] if path.is_dir() else path
            if table is None or not table.is_file():
                raise InputError(
                    f"There is no table of items at {str(source)!r}.",
                    "A row for each item, with its features, is needed.",
                    "Use: ganforge apply RUN new_items.csv",
                )
            return encode(table, "item", coding)
        with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
            return encode(write_frame(source, Path(folder) / "items.parquet"), "item", coding)

    def notes(self, features: Features) -> Iterator[str]:
        """Yield what a person should know of new items: what is missing, and what was never seen."""
        lacking = self.stored.described.codes.missing(features)
        columns = len(self.stored.described.codes.columns)
        nothing = [str(features.ids[row]) for row, names in enumerate(lacking) if len(names) == columns]
        some = sorted({name for names in lacking if len(names) < columns for name in names})
        if some:
            count = sum(0 < len(names) < columns for names in lacking)
            items = f"{count:,} item{'s' * (count != 1)}"
            yield f"{', '.join(some)} is missing of {items}: the mean of known ones stands for it"
        if nothing:
            yield f"nothing is known of {_few(nothing)}: what is told of them holds for any item"
        if features.unknown:
            own = self.stored.described.codes.columns
            strange = [word for word in features.unknown if word.partition("=")[0] in own]
            if strange:
                yield f"not seen often enough in training to say anything: {_few(strange)}"

    def audience(self, features: Features, count: int = COUNT, seed: int = 0) -> pd.DataFrame:
        """Return the users of each item with the highest chance to meet it, and how sure that is.

        Columns: item, user, score with its 90 % interval, how many users the item will have with its 90 % interval.
        """
        encoded, count = self.stored.described.codes.encoded(features), min(count, len(self.users))
        parts = []
        for first in range(0, len(encoded), AT_ONCE):
            codes = encoded[first : first + AT_ONCE]
            expected = self.known.predict(codes)
            drawn = self.stored.draw(self.known, codes, expected, seed, corrected=self.stored.is_corrected)
            sizes = self.known.sizes(drawn)
            for row, ident in enumerate(features.ids[first : first + AT_ONCE].tolist()):
                chances = self.known.tastes @ expected[row]
                users = np.argsort(-chances, kind="stable")[:count]
                low, high = _ends(drawn[row] @ self.known.tastes[users].T)
                fewest, most = _ends(sizes[row])
                parts.append(
                    pd.DataFrame(
                        {
                            "item": ident,
                            "user": self.users[users],
                            "score": np.clip(chances[users], 0, 1),
                            "low": np.clip(np.minimum(low, chances[users]), 0, 1),
                            "high": np.clip(np.maximum(high, chances[users]), 0, 1),
                            "audience": round(float(self.known.sizes(expected[row]))),
                            "audience_low": round(float(fewest)),
                            "audience_high": round(float(most)),
                        }
                    )
                )
        return pd.concat(parts, ignore_index=True)

    # ---- what items a group would like

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> Ideas:
        """Invent items that a group of users would like. Args: asked whom: "users=ID1,ID2"; without it, all users."""
        if count < 1:
            raise InputError(f"{count} items cannot be invented.", "It must be a whole number from 1 on.")
        group = self.group(asked["whom"]) if asked.get("whom") else np.arange(len(self.users))
        return Ideas(self.invented(group, count, seed))

    def group(self, text: str) -> NDArray[np.int64]:
        """Read "users=ID1,ID2". Raises: InputError for another form, and for users who are not in the data."""
        what, _, named = text.partition("=")
        ids = np.array([part.strip() for part in named.split(",") if part.strip()], str)
        if what.strip() not in ("user", "users") or not len(ids):
            raise InputError(
                f"--for {text!r} cannot be read.", "It names users of the data.", 'For example: --for "users=1,2"'
            )
        rows = rows_of(ids, self.users)
        if (rows < 0).any():
            unknown = str(ids[rows < 0][0])
            raise InputError(
                f"There is no user {unknown!r} in the data that this run learned from.",
                did_you_mean(unknown, self.users[:10_000].tolist()) or "Only those are known.",
            )
        return rows

    def invented(self, group: NDArray[np.int64], count: int, seed: int) -> pd.DataFrame:
        """Return items by their features, those first whose expected audience has the most of the group.

        Audiences of known items that the group likes are drawn, and the generator draws features for each. Rows that
        are farther from every known item than such are from each other are left out. Of several rows with the same
        words the best comes first, and the others after all words.
        Columns: the features; score, the mean chance of the group to meet it; better_than, the share of known items
        that would please the group less; nearest, the known item that is most like it.
        """
        codes = self.candidates(group, max(FEWEST_CANDIDATES, CANDIDATES * count), seed)
        rows = pd.DataFrame(self.stored.described.codes.rows(codes))
        liking = self.known.tastes[group].mean(0)
        score, known_scores = self.known.predict(codes) @ liking, self.known.fitted.left_out @ liking
        _, items = self._nearest(codes)
        order = np.argsort(-score, kind="stable")
        order = order[~rows.iloc[order].duplicated().to_numpy()]
        words = codes[order][:, ~self.stored.described.codes.numbers]
        again = pd.DataFrame(words).duplicated().to_numpy() if words.size else np.zeros(len(order), bool)
        order = np.concatenate([order[~again], order[again]])[:count]
        found = rows.iloc[order].reset_index(drop=True)
        found["score"] = np.clip(score[order], 0, 1)
        found["better_than"] = np.searchsorted(np.sort(known_scores), score[order]) / len(known_scores)
        found["nearest"] = self.stored.ids("items")[items[order]]
        return found

    def candidates(self, group: NDArray[np.int64], count: int, seed: int) -> Array:
        """Return codes (at most count, F) of items that are as near to known ones as these are to each other."""
        liked = self.known.targets @ self.known.tastes[group].mean(0)
        keen = KEENNESS * (liked - liked.mean()) / max(1e-12, liked.std())
        chances = np.exp(keen - keen.max())
        random = np.random.default_rng(seed_for(seed, "invent/audiences"))
        drawn = random.choice(len(liked), count, p=chances / chances.sum())
        codes = self.stored.invented(self.known.targets[drawn], seed)
        apart, _ = self._nearest(codes)
        kept = apart <= self.usual_distance
        return np.asarray(codes[kept] if kept.any() else codes[np.argsort(apart)[:1]])

    @cached_property
    def usual_distance(self) -> float:
        """How far the known items, but for a few, are at most from the nearest other one."""
        apart, _ = self._nearest(self.known.codes, itself=True)
        return float(np.quantile(apart, FAR))

    def _nearest(self, codes: Array, *, itself: bool = False) -> tuple[Array, NDArray[np.int64]]:
        """Return the squared distance (Q,) to the nearest known item, and its place: how many words differ, about."""
        known, squares = self.known.codes, (self.known.codes**2).sum(1)
        apart, places = np.empty(len(codes)), np.empty(len(codes), np.int64)
        for first in range(0, len(codes), AT_ONCE):
            block = codes[first : first + AT_ONCE]
            between = np.maximum(0, (block**2).sum(1)[:, None] + squares - 2 * block @ known.T)
            if itself:
                between[np.arange(len(block)), first + np.arange(len(block))] = np.inf
            places[first : first + AT_ONCE] = between.argmin(1)
            apart[first : first + AT_ONCE] = between.min(1)
        return apart, places

    def write(self, samples: Ideas, out: Path, *, force: bool) -> Path:
        """Write invented items as .csv or .parquet. Raises: InputError, StorageError."""
        refuse_place(out, "A table", force=force)
        return write_table(samples.value(), out, FORMAT)


@dataclass(frozen=True)
class Ideas:
    """Invented items (contracts.Samples)."""

    table: pd.DataFrame

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield all of them at once: they are few."""
        yield self.table

    def value(self) -> pd.DataFrame:
        """Return the items, a row each."""
        return self.table


def _ends(draws: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the ends (2, ...) of the interval that holds the share CHANCE of draws (S, ...)."""
    return np.asarray(np.quantile(draws, ((1 - CHANCE) / 2, (1 + CHANCE) / 2), axis=0))


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(map(repr, names[:3]))}{more}"


def load_inventions(folder: Path, device: str = "cpu") -> Inventions:
    """Load the model of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "invent", "a model of new items")
    with refused(f"The model at {str(folder)!r}"):
        described = Described.model_validate(content["invent"])
        stored = built(folder, described.stored)
        count = described.counts
        for name in ("users", "items"):
            if len(stored.ids(name)) != count[name]:
                raise ValueError(f"it has {count[name]} {name}, and other ids")
        landmarks = stored.get_buffer("landmarks")
        if int(landmarks.min()) < 0 or int(landmarks.max()) >= count["items"]:
            raise ValueError("a landmark is not one of its items")
        return Inventions(stored)
