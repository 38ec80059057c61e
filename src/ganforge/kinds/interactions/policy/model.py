"""A trained policy, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field

from ganforge.contracts import Model, Observer
from ganforge.core.model_files import built, read_description_of
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.events import tell_note
from ganforge.kinds.interactions.features import users_in
from ganforge.kinds.interactions.policy.product import Sizes, Stored
from ganforge.kinds.interactions.policy.rewards import Rows
from ganforge.kinds.interactions.results import refuse_place, write_table
from ganforge.recipe import Section

COUNT = 10  # items for each user, unless another number is asked for
BLOCK = 1 << 24  # users times items at once
NEXT_STEPS = {
    "apply RUN users.csv --out actions.csv -n 5": "items for users, drawn by the policy, with their probabilities",
    'apply RUN --for "user=ID"': "the same for one user",
    "evaluate RUN": "what the policy is worth, beside others, and whether the log can tell",
}


class Described(Section):
    """What model.json says of a policy."""

    user: str  # the column of users
    users: tuple[str, ...] = Field(repr=False)
    items: tuple[str, ...] = Field(repr=False)
    ratings: int = Field(ge=1)
    factors: int = Field(ge=1, le=1_000)
    traits: int = Field(ge=1, le=1_000)
    width: int = Field(ge=0, le=10_000)
    excludes: bool  # whether what users had is left out

    def stored(self) -> Stored:
        """Build what model.safetensors must hold. Raises: ValueError for an id that stands twice."""
        if len(set(self.users)) != len(self.users) or len(set(self.items)) != len(self.items):
            raise ValueError("an id stands twice")
        return Stored(Sizes(len(self.users), len(self.items), self.ratings, self.factors, self.traits, self.width))

    def opened(self, stored: Stored) -> TrainedPolicy:
        """Return the policy. Raises: ValueError for ratings that are not of its users and items."""
        starts, met = stored.get_buffer("starts"), stored.get_buffer("met")
        if starts[0] != 0 or starts[-1] != self.ratings or (starts.diff() < 0).any():
            raise ValueError("its ratings are not of its users")
        if met.min() < 0 or met.max() >= len(self.items):
            raise ValueError("its ratings are not of its items")
        if not stored.get_buffer("shares").sum() > 0 or not stored.chosen.beta > 0:
            raise ValueError("it is not a policy")
        return TrainedPolicy(self, stored)


@dataclass(frozen=True)
class TrainedPolicy(Model):
    """A policy: users in, items with their probabilities out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    described: Described
    stored: Stored

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.described.users)}

    def drawn(self, users: Sequence[str], count: int, seed: int, *, exclude_seen: bool) -> pd.DataFrame:
        """Draw items for users, no item twice for one user: the first is drawn by the policy, and so on without it.

        They are the highest log p + Gumbel noise, which draws without replacement (Kool et al. 2019). The
        noise depends on the seed and the user alone. A user who is not known gets items by the mean reward of each.
        """
        rows = np.array([self._rows.get(user, -1) for user in users], np.int64)
        size = max(1, BLOCK // len(self.described.items))
        parts = [
            self._drawn(users[start : start + size], rows[start : start + size], count, seed, exclude_seen)
            for start in range(0, len(users), size)
        ]
        return pd.concat(parts, ignore_index=True)

    def _drawn(self, users: Sequence[str], rows: Rows, count: int, seed: int, exclude_seen: bool) -> pd.DataFrame:
        rewards = self.stored.rewards
        expected = rewards.of(rows)
        base = self.stored.base(rows, exclude_seen=exclude_seen)
        policy = self.stored.chosen.of(base, self.stored.preferred(rows, expected))
        kept = min(count, policy.shape[1])
        noise = np.stack(
            [np.random.default_rng(seed_for(seed, f"policy/{user}")).gumbel(size=policy.shape[1]) for user in users]
        )
        with np.errstate(divide="ignore"):
            keys = np.log(policy) + noise
        items = np.argsort(-keys, axis=1, kind="stable")[:, :kept]
        earned = np.take_along_axis(rewards.possible(expected), items, 1)
        found = pd.DataFrame(
            {
                self.described.user: np.repeat(np.asarray(users, object), kept),
                "place": np.tile(np.arange(1, kept + 1), len(users)),
                "item": np.asarray(self.described.items, object)[items.ravel()],
                "probability": np.take_along_axis(policy, items, 1).ravel(),
                "expected_reward": earned.ravel().astype(np.float64).round(4),
            }
        )
        return found[found["probability"] > 0]

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Draw items for users.

        Args: source a table of users, a list of their ids, or None with the option `whom`; out a .csv or .parquet file,
            None for a data frame; options count, exclude, whom, seed, force.
        Raises: InputError, DataError, StorageError.
        """
        for name in ("diversity", "new"):
            if options.get(name) is not None:
                raise InputError(f"A policy has no --{name}.", "It belongs to a recommender.", "Leave it out.")
        if out is not None:
            out = out.expanduser()
            refuse_place(out, "Actions", force=bool(options.get("force")))
        users = self._asked(options["whom"]) if options.get("whom") is not None else users_in(source)
        unknown = [user for user in users if user not in self._rows]
        if unknown:
            shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
            tell_note(observers, f"Not in the data, so by mean rewards alone: {shown}", len(unknown))
        excluded = options.get("exclude", "seen" if self.described.excludes else "nothing") == "seen"
        seed = int(options.get("seed") or 0)
        found = self.drawn(users, int(options.get("count") or COUNT), seed, exclude_seen=excluded)
        return found if out is None else write_table(found, out)

    def _asked(self, whom: str) -> list[str]:
        name, _, user = whom.partition("=")
        if name.strip() != "user" or user.strip() not in self._rows:
            raise InputError(
                f"--for {whom!r} is not a user of the data.",
                did_you_mean(user.strip(), self._rows) if user else "It names one user.",
                'For example: --for "user=42"',
            )
        return [user.strip()]


def load_policy(folder: Path, device: str = "cpu") -> TrainedPolicy:
    """Load the policy of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "policy", "a policy")
    with refused(f"The model at {str(folder)!r}"):
        described = Described.model_validate(content["policy"])
        return described.opened(built(folder, described.stored))
