"""Two numbers that are learned as one, such as latitude and longitude: a code for each cell of about as many rows.

Cells come from a k-d tree (Bentley 1975). Within one, a point is drawn from the triangle between a training point and
two of its neighbours, so that points stay on a coast or street, where training points are, and are none of these. Only
neighbours of each other count (mutual nearest neighbours: Brito et al. 1997), so no point is drawn between two islands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.numbers import (
    LEAST_SHARE,
    Codes,
    Numbers,
    NumberUnit,
    fit_numbers,
    numbers_content,
    read_numbers,
)
from ganforge.kinds.tables.codec.stored import Arrays, climbing, listed
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.conditions import Condition, all_of

KEPT = 20_000  # points
CELLS = 4  # for each span that a column of numbers is cut into
ROWS_FOR_A_CELL = 30
NEIGHBOURS = 8
ALONE = 0.1  # of the way to the nearest point, that a point without neighbours is moved at most
FEWEST = 2  # rows of a point that is drawn as it is, where rare values are not kept back
NEAR = 3  # points of a cell, nearest to a given coordinate, of which one is drawn


@dataclass(frozen=True, kw_only=True)
class JointUnit:
    """Two columns. Its codes: both missing, if there are such rows; the cells; then each column without the other."""

    columns: tuple[str, str]
    points: Numbers  # (M, 2) cell by cell
    counts: Numbers  # (M,) rows of each
    starts: NDArray[np.int64]  # (K' + 1,) where each cell begins in points
    fixed: NDArray[np.bool_]  # (M,) which are drawn as they are
    with_missing: bool
    axes: tuple[
        NumberUnit, NumberUnit
    ]  # each column by itself: its range and decimals, and its codes without the other
    halves: tuple[bool, bool]  # whether training had rows with this column alone

    @property
    def size(self) -> int:
        return self._first_alone + sum(axis.size for axis, half in zip(self.axes, self.halves, strict=True) if half)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Return which codes stand for a point, (K,)."""
        codes = np.arange(self.size)
        return (codes >= self.with_missing) & (codes < self._first_alone)

    @property
    def _first_alone(self) -> int:
        return self.with_missing + len(self.starts) - 1

    @cached_property
    def _scale(self) -> Numbers:
        spread = self.points.std(axis=0)
        return np.where(spread > 0, spread, 1.0)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points / self._scale)

    @cached_property
    def _cell_of(self) -> NDArray[np.int64]:
        """Return the cell of each point, (M,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @cached_property
    def _neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Numbers]:
        """Return mutual neighbours of each point (M, k), the first of a row being so many (M,), and how far a point
        may move towards one (M,), as a share of the way."""
        count = min(NEIGHBOURS + 1, len(self.points))
        _, near = self._tree.query(self.points / self._scale, count)
        near = near.reshape(len(self.points), -1)
        mutual = (near[near] == np.arange(len(near))[:, None, None]).any(axis=2)
        mutual &= near != np.arange(len(near))[:, None]
        order = np.argsort(~mutual, axis=1, kind="stable")
        near, many = np.take_along_axis(near, order, axis=1), mutual.sum(axis=1)
        return near, np.maximum(many, 1), np.where(many > 0, 1.0, ALONE)

    def _codes_alone(self) -> list[tuple[int, int]]:
        """Return the column, 0 or 1, and the first code of each that stands without the other."""
        found, first = [], self._first_alone
        for axis in (0, 1):
            if self.halves[axis]:
                found.append((axis, first))
                first += self.axes[axis].size
        return found

    def encode(self, plain: Plain) -> Codes:
        """Return (N,) codes: the cell of the nearest point; -1 for missing cells such as training did not have."""
        values = np.stack([plain[name] for name in self.columns], axis=1)
        gone = np.isnan(values)
        _, nearest = self._tree.query(np.where(gone, 0.0, values) / self._scale)
        codes = np.where(gone.any(axis=1), -1, self._cell_of[nearest] + self.with_missing)
        codes[gone.all(axis=1)] = 0 if self.with_missing else -1
        for axis, first in self._codes_alone():
            mine = gone[:, 1 - axis] & ~gone[:, axis]
            codes[mine] = self.axes[axis].encode_values(values[mine, axis]) + first
        return codes.astype(np.int32)

    def allowed(self, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
        """Return which codes can stand for values that meet all conditions, (K,).

        Where no point does, the nearest cell: `decode` moves its points.
        """
        asked = self._asked(conditions)
        met = self._meeting(asked)
        if not met.any() and not any(each.nothing for each in asked):
            met[np.argmin((np.abs(self.points - self._inside(self.points, asked)) / self._scale).sum(axis=1))] = True
        cells = np.bincount(self._cell_of[met], minlength=len(self.starts) - 1) > 0
        alone = [self.axes[axis].allowed((asked[axis],)) & asked[1 - axis].missing for axis, _ in self._codes_alone()]
        both = np.full(int(self.with_missing), asked[0].missing and asked[1].missing)
        return np.concatenate([both, cells, *alone])

    def meeting(self, conditions: Sequence[Condition]) -> Numbers:
        """Return which share of the training rows of each code meets all conditions, (K,): above 0 where `allowed`."""
        met = np.where(self._meeting(self._asked(conditions)), self.counts, 0.0)
        cells = np.add.reduceat(met, self.starts[:-1]) / np.add.reduceat(self.counts, self.starts[:-1])
        shares = np.ones(self.size)
        shares[int(self.with_missing) : self._first_alone] = np.maximum(cells, LEAST_SHARE)
        return np.where(self.allowed(conditions), shares, 0.0)

    def decode(self, codes: Codes, conditions: Sequence[Condition], random: np.random.Generator) -> dict[str, Numbers]:
        """Draw a point for each code (N,) that meets all conditions, with certainty."""
        asked = self._asked(conditions)
        met = self._meeting(asked)
        rows = np.concatenate([[0.0], np.cumsum(np.where(met, self.counts, 0.0))])
        cells = np.clip(codes - self.with_missing, 0, len(self.starts) - 2)
        begin, end = rows[self.starts[cells]], rows[self.starts[cells + 1]]
        chosen = np.searchsorted(rows, begin + random.random(len(codes)) * (end - begin), "right") - 1
        any_of = self.starts[cells] + (random.random(len(codes)) * np.diff(self.starts)[cells]).astype(np.int64)
        chosen = np.where(end > begin, np.minimum(chosen, self.starts[cells + 1] - 1), any_of)
        drawn = self._inside(self._moved(chosen, asked, random), asked)
        drawn[codes < self.with_missing] = np.nan
        for axis, first in self._codes_alone():
            mine = (codes >= first) & (codes < first + self.axes[axis].size)
            alone = self.axes[axis].decode((codes[mine] - first).astype(np.int32), (asked[axis],), random)
            drawn[mine, axis], drawn[mine, 1 - axis] = alone[self.columns[axis]], np.nan
        return {name: drawn[:, axis] for axis, name in enumerate(self.columns)}

    def _moved(self, chosen: NDArray[np.int64], asked: Sequence[Condition], random: np.random.Generator) -> Numbers:
        """Return a random point of the triangle of each chosen point (N,) and two neighbours, (N, 2); of a fixed one
        itself. A point that meets the conditions is moved only as far as it still does."""
        near, many, share = self._neighbours
        picks = (random.random((len(chosen), 2)) * many[chosen, None]).astype(np.int64)
        ways = self.points[near[chosen[:, None], picks]] - self.points[chosen, None]  # (N, 2, 2)
        weights = np.sort(random.random((len(chosen), 2)), axis=1)
        weights = np.stack([weights[:, 0], weights[:, 1] - weights[:, 0]], axis=1) * share[chosen, None]
        start, shift = self.points[chosen], np.einsum("ni,nij->nj", weights, ways)
        ends = np.array([[each.low, each.high] for each in asked])  # (2, 2)
        bound = np.where(shift > 0, ends[:, 1], ends[:, 0])
        room = np.divide(bound - start, shift, out=np.ones_like(shift), where=shift != 0)
        shift *= np.clip(room, 0.0, 1.0).min(axis=1)[:, None]
        return np.where(self.fixed[chosen, None], start, start + shift)

    def filled(
        self,
        given: Numbers,
        likely: NDArray[np.floating[Any]],
        conditions: Sequence[Condition],
        random: np.random.Generator | None,
    ) -> Numbers:
        """Return points (N, 2) in which what is there of `given` (N, 2) stays; see complete.fill for the others."""
        cells = likely[:, int(self.with_missing) : self._first_alone]
        cells = np.where(cells.sum(axis=1, keepdims=True) > 0, cells, 1.0)
        asked, found = self._asked(conditions), given.copy()
        whole = np.isnan(given).all(axis=1)
        if random is None:
            found[whole] = self._guess(cells[whole])
        elif whole.any():
            codes = _drawn(cells[whole], random) + self.with_missing
            found[whole] = np.stack(list(self.decode(codes.astype(np.int32), conditions, random).values()), axis=1)
        for axis in (0, 1):
            rows = np.flatnonzero(~np.isnan(given[:, axis]) & np.isnan(given[:, 1 - axis]))
            found[rows, 1 - axis] = self._other(axis, given[rows, axis], cells[rows], random)
        return np.where(np.isnan(given), self._inside(found, asked), given)

    def _guess(self, cells: NDArray[np.floating[Any]]) -> Numbers:
        """Return the point that is nearest to the mean of cells, each as likely as said, (N, 2)."""
        sums = np.add.reduceat(self.points * self.counts[:, None], self.starts[:-1], axis=0)
        means = sums / np.add.reduceat(self.counts, self.starts[:-1])[:, None]
        _, nearest = self._tree.query((cells @ means) / cells.sum(axis=1, keepdims=True) / self._scale)
        found: Numbers = self.points[nearest]
        return found

    def _other(
        self, axis: int, given: Numbers, cells: NDArray[np.floating[Any]], random: np.random.Generator | None
    ) -> Numbers:
        """Return the other coordinate (N,) of points that have about the given one (N,)."""
        mine = self.points[:, axis]
        least, most = (reduce.reduceat(mine, self.starts[:-1]) for reduce in (np.minimum, np.maximum))
        apart = np.maximum(np.maximum(least - given[:, None], given[:, None] - most), 0.0)  # (N, K')
        density = 1 / np.maximum(most - least, 1e-9 * self._scale[axis])
        weights = np.where(apart <= apart.min(axis=1, keepdims=True), (cells + 1e-12) * density, 0.0)
        chosen = weights.argmax(axis=1) if random is None else _drawn(weights, random)
        found = np.empty(len(given))
        for cell in np.unique(chosen):
            rows, points = np.flatnonzero(chosen == cell), np.arange(self.starts[cell], self.starts[cell + 1])
            order = points[np.argsort(mine[points], kind="stable")]
            at = np.searchsorted(mine[order], given[rows])
            step = np.zeros(len(rows), np.int64) if random is None else random.integers(-1, NEAR - 1, len(rows))
            found[rows] = self.points[order[np.clip(at + step, 0, len(order) - 1)], 1 - axis]
        return found

    def _asked(self, conditions: Sequence[Condition]) -> list[Condition]:
        """Return the condition on each column."""
        return [all_of([each for each in conditions if each.column == name], name) for name in self.columns]

    def _meeting(self, asked: Sequence[Condition]) -> NDArray[np.bool_]:
        """Return which points meet conditions, (M,)."""
        plain = {name: self.points[:, axis] for axis, name in enumerate(self.columns)}
        return np.asarray(asked[0].holds(plain) & asked[1].holds(plain))

    def _inside(self, points: Numbers, asked: Sequence[Condition]) -> Numbers:
        """Return points (N, 2) with their decimals, moved to the nearest values that meet the conditions."""
        moved = []
        for axis, (unit, each) in enumerate(zip(self.axes, asked, strict=True)):
            values = unit.rounded(points[:, axis], max(unit.low, each.low), min(unit.high, each.high))
            if each.numbers is not None and len(each.numbers):
                named = np.sort(each.numbers)
                values = named[np.abs(values[:, None] - named).argmin(axis=1)]
            moved.append(values)
        return np.stack(moved, axis=1)


def _drawn(weights: NDArray[np.floating[Any]], random: np.random.Generator) -> NDArray[np.int64]:
    """Draw a place (N,) in proportion to weights (N, K)."""
    rising = np.cumsum(weights, axis=1)
    aim = random.random((len(weights), 1)) * rising[:, -1:]
    places: NDArray[np.int64] = np.minimum((rising <= aim).sum(axis=1), weights.shape[1] - 1)
    return places


def fit_joint(columns: tuple[Column, Column], plain: Plain, spans: int, rare: int, seed: int) -> JointUnit:
    """Fit the unit on training rows (N,). Args: spans, rare as for `fit_numbers`.

    A point of fewer than `rare` rows is replaced by one near it, so that the model holds none of these.
    """
    names = columns[0].name, columns[1].name
    values = np.stack([plain[name] for name in names], axis=1)
    gone = np.isnan(values)
    alone = [~gone[:, axis] & gone[:, 1 - axis] for axis in (0, 1)]
    axes = [
        fit_numbers(
            column.model_copy(update={"missing": 0}), values[alone[axis], axis], len(values), spans, "seen", rare
        )
        for axis, column in enumerate(columns)
    ]
    ends = np.array([[axis.low, axis.high] for axis in axes])
    there = values[~gone.any(axis=1)]
    there = there[((there >= ends[:, 0]) & (there <= ends[:, 1])).all(axis=1)]
    points, counts = np.unique(there, axis=0, return_counts=True)
    if len(points) > KEPT:
        kept = np.random.default_rng(seed).choice(len(points), KEPT, replace=False, p=counts / counts.sum())
        points, counts = points[np.sort(kept)], counts[np.sort(kept)]
    if not len(points):
        points, counts = np.array([[axis.low for axis in axes]]), np.ones(1, np.int64)
    cells = max(1, min(CELLS * spans, len(there) // ROWS_FOR_A_CELL))
    parts = _cells(points, counts, np.where(points.std(axis=0) > 0, points.std(axis=0), 1.0), cells)
    order = np.concatenate(parts)
    unit = JointUnit(
        columns=names,
        points=points[order],
        counts=counts[order].astype(np.float64),
        starts=np.concatenate([[0], np.cumsum([len(part) for part in parts])]),
        fixed=counts[order] >= max(rare, FEWEST),
        with_missing=bool(gone.all(axis=1).any()),
        axes=(axes[0], axes[1]),
        halves=(bool(alone[0].any()), bool(alone[1].any())),
    )
    if rare < 2:
        return unit
    random = np.random.default_rng(seed)
    free = [Condition(name, missing=True) for name in names]
    moved = unit._inside(unit._moved(np.arange(len(order)), free, random), free)
    return JointUnit(**{**_parts(unit), "points": moved})


def _parts(unit: JointUnit) -> dict[str, Any]:
    return {name: getattr(unit, name) for name in JointUnit.__dataclass_fields__}


def _cells(points: Numbers, counts: NDArray[np.int64], scale: Numbers, cells: int) -> list[NDArray[np.int64]]:
    """Return the points of each cell, halves of halves along the wider side, so that each has about as many rows."""
    open_parts, found = [(np.arange(len(points)), cells)], []
    while open_parts:
        part, wanted = open_parts.pop()
        if wanted < 2 or len(part) < 2:
            found.append(part)
            continue
        axis = int((np.ptp(points[part], axis=0) / scale).argmax())
        part = part[np.argsort(points[part, axis], kind="stable")]
        rows = np.cumsum(counts[part])
        cut = int(np.clip(np.searchsorted(rows, rows[-1] * (wanted // 2) / wanted), 1, len(part) - 1))
        open_parts += [(part[cut:], wanted - wanted // 2), (part[:cut], wanted // 2)]
    return found


# ---- as JSON and arrays, and back ---------------------------------------------------------------------------------


def joint_content(unit: JointUnit, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return the unit's JSON content, and add its arrays under this name."""
    for axis, column in enumerate(unit.columns):
        arrays[f"{name}/points/{column}"] = unit.points[:, axis].copy()
    arrays |= {f"{name}/counts": unit.counts, f"{name}/starts": unit.starts, f"{name}/fixed": unit.fixed}
    axes = [numbers_content(axis, f"{name}/axis{place}", arrays) for place, axis in enumerate(unit.axes)]
    about = {"columns": list(unit.columns), "with_missing": unit.with_missing, "halves": list(unit.halves)}
    return {**about, "axes": axes}


def read_joint(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> JointUnit:
    """Build the unit from `joint_content`'s output. Raises: ValueError, KeyError if its parts do not fit."""
    first, second = map(str, content["columns"])
    points = np.stack([listed(arrays, f"{name}/points/{column}", np.float64) for column in (first, second)], axis=1)
    counts, starts = listed(arrays, f"{name}/counts", np.float64), listed(arrays, f"{name}/starts", np.int64)
    fixed = listed(arrays, f"{name}/fixed", np.bool_)
    axes = [read_numbers(axis, f"{name}/axis{place}", arrays) for place, axis in enumerate(content["axes"])]
    one, other = map(bool, content["halves"])
    fits = len(points) == len(counts) == len(fixed) and climbing(starts, len(points)) and np.isfinite(points).all()
    if not fits or not (counts > 0).all() or [axis.column for axis in axes] != [first, second]:
        raise ValueError(f"the points of {first} and {second} do not fit each other")
    if any(axis.with_missing for axis in axes):
        raise ValueError(f"the columns {first} and {second} cannot be missing by themselves")
    return JointUnit(
        columns=(first, second), points=points, counts=counts, starts=starts, fixed=fixed,
        with_missing=bool(content["with_missing"]), axes=(axes[0], axes[1]), halves=(one, other),
    )  # fmt: skip
