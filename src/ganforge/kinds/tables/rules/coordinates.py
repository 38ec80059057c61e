"""Pairs of columns that are latitude and longitude, by their names, ranges and decimals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.rules import Joint

NAMES = (("lat", "latitude"), ("lon", "lng", "long", "longitude"))
LETTERS = (("y",), ("x",))  # of many other things as well, so more decimals are needed
DECIMALS, DECIMALS_OF_LETTERS = 2, 4
FEWEST_ROWS = 100  # with both values
RANGES = (90.0, 180.0)  # degrees, on either side of 0


def find_coordinates(plain: Plain, columns: Sequence[Column]) -> list[tuple[Joint, str]]:
    """Find columns whose names differ in one word alone, lat and lon or the like, each pair with the reason.

    Args: plain rows (N,).
    """
    found: list[tuple[Joint, str]] = []
    numbers = [column for column in columns if column.kind == "decimal" and column.distinct > 1]
    for lat in numbers:
        for lon in numbers:
            decimals = _named(lat.name, lon.name)
            if decimals is None or any(name in rule.columns for rule, _ in found for name in (lat.name, lon.name)):
                continue
            both = [plain[column.name] for column in (lat, lon)]
            there = ~(np.isnan(both[0]) | np.isnan(both[1]))
            fits = all(
                np.abs(values[there]).max() <= most and (column.decimals is None or column.decimals >= decimals)
                for column, values, most in zip((lat, lon), both, RANGES, strict=True)
                if there.sum() >= FEWEST_ROWS
            )
            if fits and there.sum() >= FEWEST_ROWS:
                first, second = sorted((lat, lon), key=columns.index)
                why = (
                    f"by their names and ranges {lat.name} and {lon.name} are latitude and longitude: they are learned "
                    "as one, and drawn near points of training rows."
                )
                found.append((Joint((first.name, second.name)), why))
    return found


def is_latitude(name: str) -> bool:
    """Return whether a column is by its name a latitude, or y."""
    return any(word in (*NAMES[0], *LETTERS[0]) for word in words_of(name))


@lru_cache(10_000)  # every name is compared with every other one
def words_of(name: str) -> tuple[str, ...]:
    """Split a name: `StartAge`, `start_age` and `start age` are all (start, age)."""
    return tuple(re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))


def _named(lat: str, lon: str) -> int | None:
    """Return how many decimals columns of such names need to be coordinates; None for other names."""
    first, second = words_of(lat), words_of(lon)
    changed = [(a, b) for a, b in zip(first, second, strict=False) if a != b]
    if len(first) != len(second) or len(changed) != 1:
        return None
    for names, decimals in ((NAMES, DECIMALS), (LETTERS, DECIMALS_OF_LETTERS)):
        if changed[0][0] in names[0] and changed[0][1] in names[1]:
            return decimals
    return None
