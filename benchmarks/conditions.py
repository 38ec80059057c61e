"""Ten random conditions on Adult: does every row meet them, and do the other columns follow the real rows that do?

A condition is on one to three columns: text equal to a value or in a set, a number in a range. At least 400 real rows
meet it, at most half of all, and each of its parts leaves out at least a tenth of them. For each, 10,000 rows are
drawn. The distance of a column is the total variation between two sets of rows, 0 to 1, numbers in ten bins of equally
many rows of the whole table; it is meaned over the columns without a condition. The real rows that meet a condition are
cut into two random halves: the distance of as many generated rows to the second half is held against that of the first
half to the second; ten cuts, meaned. Bars: all rows meet the condition, the mean of the ten ratios is at most 1.5, and
10,000 rows take at most 2 s, loading the model included.

    python benchmarks/conditions.py ADULT.csv [--seconds 150] [--seeds 0 1 2] [--run RUN]

--run takes a finished run, such as adult.py --runs keeps, instead of training.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from adult import split
from table_results import Bar, Stopwatch, conclude, tell

import ganforge as gf
from ganforge.core.seeds import seed_for

if TYPE_CHECKING:
    from ganforge.api.sample import TrainedRun

CONDITIONS, ROWS, CUTS, FEWEST, BINS = 10, 10_000, 10, 400, 10
BARS = {
    "satisfied": Bar(1.0, "at least"),
    "mean_ratio": Bar(1.5, "at most"),
    "slowest": Bar(2.0, "at most"),
}
Where = Mapping[str, Any]


def met(where: Where, frame: pd.DataFrame) -> pd.Series[bool]:
    """Which rows meet a condition, by pandas alone, (N,)."""
    rows = pd.Series(True, index=frame.index)
    for name, wanted in where.items():
        match wanted:
            case (low, high):
                rows &= frame[name].between(-np.inf if low is None else low, np.inf if high is None else high)
            case [*values]:
                rows &= frame[name].isin(values)
            case value:
                rows &= frame[name] == value
    return rows


def random_conditions(whole: pd.DataFrame) -> list[dict[str, Any]]:
    """Always the same conditions, each met by enough rows."""
    random = np.random.default_rng(seed_for(0, "benchmarks/conditions"))
    found: list[dict[str, Any]] = []
    while len(found) < CONDITIONS:
        names = random.choice(whole.columns, 1 + len(found) % 3, replace=False)
        where = {str(name): _wanted(whole[name], random) for name in names}
        says_something = all(met({name: wanted}, whole).mean() <= 0.9 for name, wanted in where.items())
        if says_something and FEWEST <= met(where, whole).sum() <= len(whole) / 2:
            found.append(where)
    return found


def _wanted(column: pd.Series[Any], random: np.random.Generator) -> Any:
    """A range of numbers, open at one end or none; a text; or a list of two to four."""
    if pd.api.types.is_numeric_dtype(column):
        low, high = sorted(int(value) for value in random.choice(column, 2))
        return [(low, high), (low, None), (None, high)][random.integers(3)]
    texts = [str(text) for text in random.permutation(column.unique())]
    return texts[0] if random.random() < 0.5 else texts[: random.integers(2, 5)]


def as_codes(frame: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Every column as small whole numbers: texts by their place, numbers by their bin of the whole table."""
    codes = {}
    for name in whole:
        if pd.api.types.is_numeric_dtype(whole[name]):
            ends = np.unique(whole[name].quantile(np.arange(1, BINS) / BINS))
            codes[name] = np.searchsorted(ends, frame[name], side="left")
        else:
            codes[name] = pd.Index(whole[name].unique()).get_indexer(frame[name])
    return pd.DataFrame(codes)


def distance(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Total variation of two sets of rows as codes, 0 to 1, meaned over the columns."""
    shares = [[frame[name].value_counts(normalize=True) for frame in (one, other)] for name in one]
    return float(np.mean([a.sub(b, fill_value=0.0).abs().sum() / 2 for a, b in shares]))


def compare(trained: TrainedRun, where: Where, whole: pd.DataFrame, seed: int) -> dict[str, float]:
    """One condition: what was drawn, how far from the real rows, and how long it took."""
    watch = Stopwatch()
    generated = trained.sample(ROWS, where=where, seed=seed)
    seconds = watch.seconds()
    others = [name for name in whole if name not in where]
    made = as_codes(generated, whole)[others]
    real = as_codes(whole[met(where, whole)], whole)[others]
    half = min(len(real) // 2, ROWS)
    random = np.random.default_rng(seed_for(seed, "benchmarks/conditions/cuts"))
    mine, floor = [], []
    for _ in range(CUTS):
        order = random.permutation(len(real))
        first, second = real.iloc[order[:half]], real.iloc[order[half : 2 * half]]
        floor.append(distance(first, second))
        mine.append(distance(made.iloc[random.permutation(ROWS)[:half]], second))
    return {
        "real_rows": float(len(real)),
        "satisfied": float(met(where, generated).mean()) if len(generated) == ROWS else 0.0,
        "distance": float(np.mean(mine)),
        "of_real_halves": float(np.mean(floor)),
        "ratio": float(np.mean(mine) / np.mean(floor)),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--run")
    asked = parser.parse_args()
    train, test = split(asked.table)
    whole = pd.concat([train, test], ignore_index=True)
    conditions, totals = random_conditions(whole), []
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as folder:
            trained = (
                gf.load(asked.run)
                if asked.run
                else gf.train(train, minutes=asked.seconds / 60, seed=seed, run=Path(folder, "run"))
            )
            results = [compare(trained, where, whole, seed) for where in conditions]
        for where, result in zip(conditions, results, strict=True):
            tell(seed=seed, where=where, **result)
        totals.append(
            {
                "satisfied": min(result["satisfied"] for result in results),
                "mean_ratio": float(np.mean([result["ratio"] for result in results])),
                "slowest": max(result["seconds"] for result in results),
            }
        )
        tell(seed=seed, **totals[-1])
    conclude(totals, BARS)


if __name__ == "__main__":
    main()
