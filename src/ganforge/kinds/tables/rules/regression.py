"""Linear regressions for relations: robust correlations, trimmed fits, fits within tolerances, few digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
FEWEST_ROWS = 30
CUT = 0.05  # of the values of a column at each end count as the innermost of them, in correlations
DIGITS = 8  # of rounded coefficients
SMALLEST_PART = 1e-3  # of coefficients that are tried as parts, such as a third
CHECKED = 1_000  # rows within whose tolerances coefficients are looked for


def correlations(values: Numbers) -> Numbers:
    """Return the correlations (P, P) of columns of values (N, P), each pair over the rows that have both.

    Values at the ends are cut, so that single errors do not hide a relation. NaN where too few rows have both.
    """
    there = np.isfinite(values)
    known = np.zeros_like(values)
    for column, present, cut in zip(values.T, there.T, known.T, strict=True):
        if present.sum() >= FEWEST_ROWS:
            inner = np.clip(column[present], *np.quantile(column[present], [CUT, 1 - CUT]))
            cut[present] = (inner - inner.mean()) / (inner.std() or 1.0)
    both = there.astype(np.float64).T @ there.astype(np.float64)
    with np.errstate(all="ignore"):
        mean = known.T @ there / both  # of the first column, over the rows that have the second one too
        spread = np.sqrt((known**2).T @ there / both - mean**2)
        found = (known.T @ known / both - mean * mean.T) / (spread * spread.T)
    return np.where(both >= FEWEST_ROWS, np.clip(found, -1.0, 1.0), np.nan)


def trimmed(x: Numbers, y: Numbers) -> Numbers:
    """Return the least-squares coefficients (P,) of x (N, P) on y (N,), over the nine tenths that fit best."""
    kept = np.ones(len(y), dtype=bool)
    scale = np.maximum(np.abs(x).max(axis=0), 1e-300)
    for _ in range(8):
        beta = np.linalg.lstsq(x[kept] / scale, y[kept], rcond=None)[0] / scale
        off = np.abs(y - x @ beta)
        now = off <= np.quantile(off, 0.9)
        if (now == kept).all():
            break
        kept = now
    return np.asarray(beta)


def rounded(
    x: Numbers, y: Numbers, beta: Numbers, order: Sequence[int], loose: Numbers, decimals: int | None
) -> list[float]:
    """Return the coefficients (P,), with as few digits as leave as many rows (N,) within `loose`.

    All have as many digits, or are parts such as a third; or else each has its own number, one after the other. Those
    that are rounded to nothing are 0. A value that lies halfway between two of its last digits is within both: so
    rows that come back to the digit must not become fewer either.
    """

    def holding(trial: Numbers) -> tuple[int, int]:
        computed = x @ trial
        again = computed if decimals is None else np.round(computed, decimals)
        return int((np.abs(y - computed) <= loose).sum()), int((np.abs(y - again) <= 1e-6 * loose).sum())

    best = holding(beta)
    through_zero = np.append(within(x[:, :-1], y, loose), 0.0)
    for start in (through_zero, beta):
        small = (np.abs(start) < 1) & (np.abs(start) > SMALLEST_PART)
        part = np.where(small, 1 / np.rint(1 / np.where(small, start, 1.0)), np.rint(start))
        part[-1] = np.round(start[-1], 2)  # the constant
        for trial in (*(np.round(start, k) for k in range(3)), part, *(np.round(start, k) for k in range(3, DIGITS))):
            if all(now >= before for now, before in zip(holding(trial), best, strict=True)):
                return [float(value) + 0.0 for value in trial]
    beta, fixed = beta.copy(), np.zeros(len(beta), dtype=bool)
    for place in order:
        for digits in range(DIGITS + 1):
            trial, now = beta.copy(), fixed.copy()
            trial[place], now[place] = round(float(beta[place]), digits), True
            if not now.all():
                rest = y - x[:, now] @ trial[now]
                trial[~now] = np.linalg.lstsq(x[:, ~now], rest, rcond=None)[0]
            held = holding(trial)
            if all(count >= before for count, before in zip(held, best, strict=True)):
                beta, fixed, best = trial, now, held
                break
        else:
            fixed[place] = True
    return [float(value) + 0.0 for value in beta]


def within(x: Numbers, y: Numbers, loose: Numbers) -> Numbers:
    """Return the coefficients (P,) of x (N, P) on y (N,) whose largest error, in parts of `loose`, is the smallest;
    those of least squares where these keep all rows within `loose`."""
    from scipy.optimize import linprog

    beta = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64)
    off = np.abs(y - x @ beta) / loose
    if x.shape[1] == 0 or off.max(initial=0.0) <= 1:
        return beta
    hard = np.argsort(-off)[:CHECKED]  # of those that are far off
    scale = np.maximum(np.abs(x).max(axis=0), 1e-300)
    a, rest = x[hard] / scale, (y - x @ beta)[hard]
    rows = np.block([[a, -loose[hard, None]], [-a, -loose[hard, None]]])
    aim = np.append(np.zeros(x.shape[1]), 1.0)
    found = linprog(aim, rows, np.concatenate([rest, -rest]), bounds=[(None, None)] * x.shape[1] + [(0, None)])
    better = beta + found.x[:-1] / scale if found.success else beta
    return better if (np.abs(y - x @ better) <= loose).sum() > (off <= 1).sum() else beta
