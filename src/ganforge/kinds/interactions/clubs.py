"""The built-in data set: users with tastes, items of eight clubs, and evenings on which they meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ganforge.core.cache import kept_or_filled

USERS, ITEMS, CLUBS = 600, 200, 8
TASTE = 0.75  # chance that the next item is of one of a user's own two clubs
NEXT = 0.5  # chance that it is then the one that follows in the club's series
BEGIN, DAY = 1_672_531_200, 86_400  # the first day of 2023
NAMES = ("chess", "choir", "climbing", "cooking", "dance", "film", "garden", "theatre")


def stored_clubs() -> Path:
    """Return the folder with the data set, written on first use."""
    return kept_or_filled("interactions", "clubs 1", write_clubs)


def write_clubs(folder: Path) -> None:
    """Write interactions.csv, items.csv and users.csv: the same bytes each time."""
    random = np.random.default_rng(19)
    club = np.arange(ITEMS) % CLUBS
    popularity = 1 / (1 + np.arange(ITEMS) // CLUBS) ** 0.7  # within a club
    tastes = np.stack([random.permutation(CLUBS)[:2] for _ in range(USERS)])
    rows: list[tuple[str, str, int, int]] = []
    for user in range(USERS):
        time = BEGIN + int(random.integers(300)) * DAY + int(random.integers(DAY))
        last, seen = -1, set[int]()
        for _ in range(4 + int(random.geometric(1 / 21))):
            own = random.random() < TASTE
            follows = last + CLUBS
            if not (own and last >= 0 and random.random() < NEXT and follows < ITEMS):
                chosen = int(tastes[user, int(random.random() < 0.4)] if own else random.integers(CLUBS))
                weight = popularity * (club == chosen)
                follows = int(np.searchsorted(np.cumsum(weight), random.random() * weight.sum(), side="right"))
            if follows in seen:
                continue
            seen.add(follows)
            last = follows
            rating = 3 + int(club[follows] in tastes[user]) + int(random.integers(-1, 2))
            rows.append((f"u{user:03d}", f"i{follows:03d}", rating, time))
            time += int(random.integers(1, 10) ** 2) * DAY // 8
    users, items, ratings, times = (list(column) for column in zip(*rows, strict=True))
    _write(folder / "interactions.csv", {"user": users, "item": items, "rating": ratings, "time": times})
    prices = 5 + 5 * (club % 3) + random.integers(0, 4, ITEMS)
    _write(
        folder / "items.csv",
        {"item": [f"i{item:03d}" for item in range(ITEMS)], "club": [NAMES[own] for own in club], "price": prices},
    )
    ages = 20 + 5 * tastes[:, 0] + random.integers(0, 15, USERS)
    _write(folder / "users.csv", {"user": [f"u{user:03d}" for user in range(USERS)], "age": ages})


def _write(path: Path, columns: dict[str, object]) -> None:
    pa.csv.write_csv(pa.table(columns), path)
