"""Attacks on the columns of a table: singling out, linkability and attribute inference, the risks of anonymisation.

They are the three of the Article 29 Working Party (opinion 05/2014), as anonymeter measures them (Giomi et al. 2023):
what generated rows tell of training rows, beside what they tell of rows that no training saw. Here each target has a
score, so that the two sides are compared as in every other attack (measures/membership.py).

Shape letters: T targets, G generated rows, C columns. Cells are float64, NaN where a value is missing; a column that is
not numeric holds codes of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.measures.neighbours import rows_at_once

Floats = NDArray[np.float64]

TARGETS = 1_000  # on each side
PREDICATES = 2_000  # that are tried
MOST_COLUMNS = 4  # of a predicate
SPLITS = 4  # of the columns into two halves
NEAR = 0.05  # of a column's standard deviation: a number that is guessed so well is guessed right


def singled_out(
    sides: Sequence[Floats], generated: Floats, numeric: Sequence[bool], random: np.random.Generator
) -> list[Floats]:
    """Return 1 for each row that some predicate singles out within its own side, else 0: (T,) for each side.

    A predicate joins conditions on one to four columns with the values of a generated row: a text is equal, a number is
    at least or at most as large, whichever is rarer. Those that single out one generated row are tried on the sides.

    Args: sides (T, C) and generated (T, C) equally many rows: how many there are decides how often one is alone.
    """
    found = [np.zeros(len(side)) for side in sides]
    middle = [float(np.nanmedian(column)) if not np.isnan(column).all() else 0.0 for column in generated.T]
    for _ in range(PREDICATES):
        row = generated[random.integers(len(generated))]
        chosen = random.permutation(generated.shape[1])[: random.integers(1, MOST_COLUMNS + 1)]
        if _matches(generated, row, chosen, numeric, middle).sum() != 1:
            continue
        for side, marks in zip(sides, found, strict=True):
            matched = np.flatnonzero(_matches(side, row, chosen, numeric, middle))
            if len(matched) == 1:
                marks[matched] = 1.0
    return found


def linked(targets: Floats, generated: Floats, numeric: Sequence[bool], random: np.random.Generator) -> Floats:
    """Return how often two halves of a target's columns are nearest to one and the same generated row, (T,) in 0..1.

    Then somebody who holds the halves in two data sets, without a common key, can join them by the generated rows.
    """
    size = generated.shape[1]
    halves = [random.permutation(size) for _ in range(SPLITS)]
    found = np.zeros(len(targets))
    for part, apart in _distances(targets, generated, numeric):
        for order in halves:
            first, second = (apart[torch.from_numpy(side)].sum(0).argmin(1) for side in np.array_split(order, 2))
            found[part] += (first == second).double().numpy() / SPLITS
    return found


def inferred(targets: Floats, generated: Floats, numeric: Sequence[bool]) -> Floats:
    """Return whether each cell of a target is right in the generated row nearest to the other cells, (T, C) of 0 and 1.

    A number is right within NEAR standard deviations.
    """
    near, found = NEAR * _spreads(generated), np.zeros(targets.shape)
    for part, apart in _distances(targets, generated, numeric):
        total = apart.sum(0)
        for place, number in enumerate(numeric):
            guess = generated[(total - apart[place]).argmin(1).numpy(), place]
            truth = targets[part, place]
            right = np.abs(guess - truth) <= (near[place] if number else 0.0)
            found[part, place] = right | (np.isnan(guess) & np.isnan(truth))
    return found


def _matches(
    rows: Floats, row: Floats, chosen: NDArray[np.integer], numeric: Sequence[bool], middle: Sequence[float]
) -> NDArray[np.bool_]:
    """Return which rows (T, C) meet the predicate that a row (C,) gives on the chosen columns."""
    met = np.ones(len(rows), dtype=bool)
    for place in chosen:
        values, value = rows[:, place], row[place]
        if np.isnan(value):
            met &= np.isnan(values)
        elif numeric[place]:
            met &= values >= value if value >= middle[place] else values <= value
        else:
            met &= values == value
    return met


def _distances(targets: Floats, generated: Floats, numeric: Sequence[bool]) -> Iterator[tuple[slice, Tensor]]:
    """Yield the distances of each column, (C, t, G), for a part of the targets at a time (Gower 1971).

    Numbers are apart by their difference in standard deviations, at most 1; different texts by 1, as is a missing value
    from one that is there.
    """
    spread = _spreads(generated)
    scale = np.where(np.asarray(numeric), spread, 1.0)
    made, there = (torch.from_numpy((x / scale).astype(np.float32).T.copy()) for x in (generated, targets))
    rows = rows_at_once(len(generated))
    for start in range(0, len(targets), rows):
        part = slice(start, min(start + rows, len(targets)))
        apart = (there[:, part, None] - made[:, None]).abs_()
        words = ~torch.tensor(list(numeric))
        apart[words] = (apart[words] != 0).float()
        apart.clamp_(max=1.0).nan_to_num_(nan=1.0)
        apart[there[:, part, None].isnan() & made[:, None].isnan()] = 0.0
        yield part, apart


def _spreads(generated: Floats) -> Floats:
    """Return the standard deviation of each column, (C,); 1 where it has none."""
    spread = np.array(
        [float(np.std(column[~np.isnan(column)])) if not np.isnan(column).all() else 0.0 for column in generated.T]
    )
    return np.where(spread > 0, spread, 1.0)
