"""Copies of training rows: nearness to training against unseen rows, exact copies, and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.core.format import percent
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.measures.similarity import by_frequency, ranks
from ganforge.kinds.tables.reading.arrays import joined, row_count, take
from ganforge.measures import neighbours
from ganforge.measures.intervals import Estimate, of_share

MOST_NEAR = 5_000  # rows on each side whose nearest rows are searched
MOST_ONE_HOT = 50  # texts of a column that are distinguished; the rarer ones count as one
NEARER, MORE_COPIES = 0.53, 0.02  # from which on nearness, or copies beyond those among unseen rows, are reported

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Copies:
    """nearer: the share of rows that are nearer to a training row than to an unseen one, equally many of each.

    exact: the share that equal some training row; unseen_exact the same share among held-out rows. repeats: the share
    of generated rows that equal another one, beside that among as many real rows.
    """

    nearer: Estimate
    exact: Estimate
    unseen_exact: Estimate
    repeats: float
    real_repeats: float

    @property
    def suspected(self) -> bool:
        """Return whether the intervals, not only the values, show that training rows are returned."""
        return self.nearer.low > NEARER or self.exact.low > self.unseen_exact.high + MORE_COPIES

    @property
    def sentence(self) -> str:
        """Describe the result in words."""
        words = (
            f"{percent(self.nearer.value)} of the generated rows lie nearer to a training row than to an unseen real "
            f"one (50 % is right), and {percent(self.exact.value)} equal a training row exactly "
            f"(of unseen real rows, {percent(self.unseen_exact.value)} do)."
        )
        if self.suspected:
            return words + " That is more than chance: the generator returns training rows."
        return words + " There is no sign that training rows are copied."


def copies(train: Plain, held_out: Plain, samples: Plain, columns: Sequence[Column]) -> Copies:
    """Look for training rows among the samples.

    Args: all in random order, because the front of each is compared: as many training rows as there are held-out ones
        for nearness, at most 5,000; every training row given for exact copies.
    """
    n = min(MOST_NEAR, row_count(train), row_count(held_out))
    known = np.unique(row_hashes(train, columns))
    hashes, unseen = row_hashes(samples, columns), row_hashes(held_out, columns)
    m = min(len(hashes), len(unseen))
    return Copies(
        nearer_share(
            take(train, slice(0, n)), take(held_out, slice(0, n)), take(samples, slice(0, MOST_NEAR)), columns
        ),
        of_share(int(np.isin(hashes, known).sum()), len(hashes)),
        of_share(int(np.isin(unseen, known).sum()), len(unseen)),
        1 - len(np.unique(hashes[:m])) / m,
        1 - len(np.unique(unseen[:m])) / m,
    )


def nearer_share(train: Plain, held_out: Plain, rows: Plain, columns: Sequence[Column]) -> Estimate:
    """Return the share of `rows` nearer to a training row, ties counting half, with Wilson's interval.

    Numbers are standardised, a different text or a missing value instead of one counts as a distance of one.
    """
    points, *sides = row_points((rows, train, held_out), joined([train, held_out]), columns)
    share, independent = neighbours.nearer_share(points, *sides)
    trials = max(1, round(independent))
    rounded = of_share(round(share * trials), trials)
    return Estimate(share, min(rounded.low, share), max(rounded.high, share))


def row_hashes(table: Plain, columns: Sequence[Column]) -> NDArray[np.uint64]:
    """Return a hash for each row, (N,); equal rows have equal ones."""
    frame = pd.DataFrame({column.name: table[column.name] for column in learned(columns)}, copy=False)
    hashes: NDArray[np.uint64] = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashes


def row_points(tables: Sequence[Plain], real: Plain, columns: Sequence[Column]) -> list[NDArray[np.float32]]:
    """Return each table as points (N, D). Args: real rows of both real sides: scaled by one, points would favour it."""
    parts: list[list[Floats]] = [[] for _ in tables]
    for column in learned(columns):
        known = real[column.name]
        if column.is_number:
            there = known[~np.isnan(known)]
            mean, spread = (float(there.mean()), float(there.std()) or 1.0) if len(there) else (0.0, 1.0)
        else:
            texts = by_frequency(known)[:MOST_ONE_HOT]
        for mine, table in zip(parts, tables, strict=True):
            values = table[column.name]
            if column.is_number:
                gone = np.isnan(values)
                mine += [np.where(gone, 0.0, (values - mean) / spread)[:, None], gone[:, None].astype(np.float64)]
            else:
                mine.append(np.eye(len(texts) + 2)[ranks(values, texts)] / np.sqrt(2))  # different ones are one apart
    return [np.concatenate(mine, axis=1).astype(np.float32) for mine in parts]
