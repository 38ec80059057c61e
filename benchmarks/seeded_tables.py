"""Two large tables that a seed makes, for other_tables.py: one of any number of columns, one of any number of rows.

Neither was made with a method in mind; what they hold is what tables of surveys, sensors and trips hold.

wide_table    hidden factors, one for every twelve columns; each column hangs on three of them, and every fourth one on
              the column before it as well. Of twenty columns eleven are numbers (normal, log-normal with cents, counts,
              mostly zero, or heavy-tailed), six are categories of 2 to 30 words, one is a truth, one a day and one a
              moment. A third of the columns miss cells, the more the higher a factor. The first column is `label`, yes
              or no.
trips_table   a fleet's trips: a moment with rush hours and seasons, two of 260 zones, distance, minutes, fare, tip, and
              how it was paid. Distance hangs on both zones, minutes on distance and hour, the fare on both, the tip on
              the fare and on how it was paid.

    python benchmarks/seeded_tables.py wide OUT.parquet ROWS COLUMNS [SEED]
    python benchmarks/seeded_tables.py trips OUT.parquet ROWS [SEED]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for

Numbers = NDArray[np.float64]
SHAPES = "nlcnzlhnclnCCCCCCtdm"  # of twenty columns; see _column
FIRST_DAY, FIRST_SECOND = np.datetime64("2021-01-01", "D"), np.datetime64("2023-01-01", "s")
ZONES, DAYS = 260, 365
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 8, 6, 6, 7, 7, 7, 8, 9, 11, 11, 9, 7, 6, 5, 3], dtype=np.float64)


def wide_table(rows: int, columns: int, seed: int = 0) -> pd.DataFrame:
    """Args: rows, columns > 1; seed decides everything. Returns: the table above, always the same."""
    random = np.random.default_rng(seed_for(seed, "benchmarks/wide_table"))
    factors = random.standard_normal((rows, max(3, columns // 12)))
    made: dict[str, Any] = {}
    before = random.standard_normal(rows)
    for place in range(columns):
        chosen = random.choice(factors.shape[1], 3, replace=False)
        signal = factors[:, chosen] @ random.normal(0, 0.6, 3) + random.uniform(0.3, 1) * random.standard_normal(rows)
        if place % 4 == 3:
            signal = 0.5 * signal + before
        before = signal = (signal - signal.mean()) / signal.std()
        if place == 0:
            made["label"] = np.where(signal > 0.7, "yes", "no").astype(object)
            continue
        shape = SHAPES[(place - 1) % len(SHAPES)]
        values = _column(shape, signal, random)
        if random.random() < 1 / 3:
            gone = random.random(rows) < random.uniform(0.02, 0.4) / (1 + np.exp(-factors[:, chosen[0]]))
            values = pd.Series(values).mask(gone)
        made[f"{shape}{place}"] = values
    return pd.DataFrame(made)


def _column(shape: str, signal: Numbers, random: np.random.Generator) -> Any:
    """Return a column (N,) that rises, or changes, with a standard normal signal."""
    values: Any
    match shape:
        case "n":
            values = np.round(random.uniform(-50, 50) + random.uniform(1, 20) * signal, int(random.integers(0, 4)))
        case "l":
            values = np.round(np.exp(random.uniform(0, 8) + random.uniform(0.4, 1.2) * signal), 2)
        case "c":
            values = random.poisson(np.exp(random.uniform(0, 2.5) + 0.5 * signal)).astype(np.float64)
        case "z":
            values = np.where(signal > random.uniform(0, 1), np.round(100 * np.expm1(np.abs(signal))), 0.0)
        case "h":
            values = np.round(10 * np.sign(signal) * np.abs(signal) ** 2.5, 1)
        case "C":
            levels = int(random.integers(2, 31))
            pull = random.normal(0, 1, levels) * signal[:, None] + random.normal(0, 1, levels)  # (N, levels)
            words = np.array([f"w{level:02d}" for level in range(levels)], dtype=object)
            values = words[(pull + random.gumbel(size=pull.shape)).argmax(axis=1)]
        case "t":
            values = signal > random.uniform(-1, 1)
        case "d":
            values = (FIRST_DAY + np.clip(500 + 150 * signal, 0, 1_000).astype(np.int64)).astype("datetime64[s]")
        case _:
            second = np.clip(43_200 + 9_000 * signal, 0, 86_399).astype(np.int64)
            values = FIRST_SECOND + random.integers(0, DAYS, len(signal)) * 86_400 + second
    return values


def trips_table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Args: rows > 0; seed decides everything. Returns: the table above, (rows, 14), always the same."""
    random = np.random.default_rng(seed_for(seed, "benchmarks/trips_table"))
    places = random.normal(0, 5, (ZONES, 2))  # in kilometres
    sizes = 1 / np.arange(4, ZONES + 4)
    day = random.choice(DAYS, rows, p=_shares(1 + 0.3 * np.sin(np.arange(DAYS) * 2 * np.pi / DAYS)))
    weekend = (day % 7) >= 5
    hour = random.choice(24, rows, p=_shares(HOURS))
    hour = np.where(weekend & (random.random(rows) < 0.3), (hour + 5) % 24, hour)
    start = random.choice(ZONES, rows, p=_shares(sizes))
    end = np.where(random.random(rows) < 0.15, start, random.choice(ZONES, rows, p=_shares(sizes)))
    straight = np.sqrt(((places[start] - places[end]) ** 2).sum(axis=1))
    distance = np.round((0.8 + 1.3 * straight) * np.exp(0.2 * random.standard_normal(rows)), 2)
    speed = np.where((hour >= 7) & (hour <= 18) & ~weekend, 16.0, 26.0) * np.exp(0.15 * random.standard_normal(rows))
    minutes = np.round(2 + 60 * distance / speed, 1)
    vendor = random.choice(3, rows, p=[0.55, 0.35, 0.1])
    fare = np.round(3 + 1.6 * distance + 0.35 * minutes + (vendor == 2) * 2 + 0.4 * random.standard_normal(rows), 1)
    paid = random.choice(4, rows, p=[0.7, 0.25, 0.03, 0.02])
    generous = random.random(rows) < np.where(paid == 0, 0.85, 0.02)
    tip = np.where(
        generous, np.round(fare * random.choice([0.1, 0.15, 0.2, 0.25], rows, p=[0.2, 0.3, 0.35, 0.15]), 2), 0.0
    )
    rating = np.clip(np.round(4.4 + 0.3 * generous - 0.02 * (minutes - 20) + 0.5 * random.standard_normal(rows)), 1, 5)
    moment = FIRST_SECOND + day * 86_400 + hour * 3_600 + random.integers(0, 3_600, rows)
    zones = np.array([f"Z{number:03d}" for number in range(ZONES)], dtype=object)
    return pd.DataFrame(
        {
            "started": moment,
            "from": zones[start],
            "to": zones[end],
            "vendor": np.array(["north", "south", "pool"], dtype=object)[vendor],
            "passengers": 1 + np.minimum(random.poisson(0.6, rows), 5),
            "distance": distance,
            "minutes": minutes,
            "fare": fare,
            "paid": np.array(["card", "cash", "voucher", "dispute"], dtype=object)[paid],
            "tip": tip,
            "toll": np.where((straight > 9) & (random.random(rows) < 0.7), 6.5, 0.0),
            "rating": np.where(random.random(rows) < 0.6, np.nan, rating),
            "shared": (vendor == 2) & (random.random(rows) < 0.8),
            "tipped": np.where(tip > 0, "yes", "no").astype(object),
        }
    )


def _shares(weights: Numbers) -> Numbers:
    return weights / weights.sum()


if __name__ == "__main__":
    made, out, *numbers = sys.argv[1:]
    table = {"wide": wide_table, "trips": trips_table}[made]
    table(*[int(number) for number in numbers]).to_parquet(out, index=False)
