"""Columns that are computed from others: `fahrenheit = 1.8 * celsius + 32`, `total = net + tax`, `pay = hours * rate`.

Found by forward selection, which adds to a column's regression the column that explains most of what is left
(orthogonal least squares: Chen et al. 1989), once over the values, for sums, and once over their logarithms, for
products. Coefficients are rounded as far as all rows still agree. A few rows may break a relation: the fit leaves out
those that are far off (least trimmed squares: Rousseeuw 1984).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.arrays import take
from ganforge.kinds.tables.rules.checks import apart, slack
from ganforge.kinds.tables.rules.curves import find_curve
from ganforge.kinds.tables.rules.expressions import (
    FUNCTIONS,
    Expression,
    Function,
    Operation,
    columns_of,
    evaluate,
)
from ganforge.kinds.tables.rules.regression import DIGITS, FEWEST_ROWS, correlations, rounded, trimmed, within
from ganforge.kinds.tables.rules.rules import Computed, rule_columns, rule_in_words

SEARCHED = 3_000  # rows that relations are searched on; they are checked on all
MOST_SEARCHED = 50_000  # rows that the coefficients of one are fitted on, where fewer did not suffice
MOST_COLUMNS = 150  # of numbers, that are searched
MOST_BASES = 16  # columns that one is computed from
MOST_NEAR = 1  # the same, where the relation is not exact: errors of several add up (docs/log.md)
TRIED_ROWS = 12  # on which all sums of two columns are compared with all columns
NEAR = 0.1  # spread of what is left, in spreads of the column, up to which a relation counts that is not exact
FEW_VALUES = 32  # of a column that is learned just as well by itself, unless its relation is exact
HOLDING = 0.95  # share of the rows that must keep an exact relation, for the others to be exceptions
LEAST_ALIKE = 0.4  # correlation of columns of which one may be a function of the other
LARGEST = 1e100  # value of exp(x) that is looked at
MOST_TIES = 0.6  # share of rows whose value is halfway between two of its last digits
PROMISING = 0.3  # spread of what is left in a regression that exceptions may have spoilt
BY_CHANCE = -30.0  # natural logarithm of the probability that an independent column would look so
POWERS = np.array([1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0])
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Found:
    """A relation, the share of the rows that keep it exactly, and the spread of what is left in the others' spreads."""

    rule: Computed
    holding: float
    left: float
    product: bool
    turns: bool = True  # whether it can be solved for another of its columns

    @property
    def exact(self) -> bool:
        return self.holding >= HOLDING


def find_relations(plain: Plain, columns: Sequence[Column], ordered: frozenset[str]) -> list[tuple[Computed, str]]:
    """Find columns that are computed from others, each with the reason; no circles.

    Of two columns that decide each other the one with more different values is learned, the other one computed; of a
    sum or product the column that varies most is computed, so that it does not magnify errors of the others.

    Args: plain rows (N,) in random order; ordered the columns of found orders, for which only exact relations count.
    """
    numbers = [column for column in columns if column.is_number and column.distinct > 1][:MOST_COLUMNS]
    search = _Search({column.name: column for column in numbers}, take(plain, slice(0, SEARCHED)), ordered)
    found: list[tuple[Computed, str]] = []

    def keep(relation: _Found) -> bool:
        rule, why = _on_all_rows(relation.rule, plain, search.columns)
        if not rule.exact and search.columns[rule.target].distinct <= FEW_VALUES:
            return False  # such as answers from 1 to 5, which rounded means of others nearly always hit
        if relation.exact and not rule.exact:  # more rows tell its coefficients better
            mine = {name: search.columns[name] for name in rule_columns(rule)}
            better = _Search(mine, take(plain, slice(0, MOST_SEARCHED)), ordered).best(rule.target)
            rule, why = _on_all_rows(better.rule, plain, mine) if better else (rule, why)
        if why:
            search.computed.add(rule.target)
            found.append((rule, why))
        return bool(why)

    for relation in search.sums_of_two():
        keep(relation)
    places = {column.name: place for place, column in enumerate(numbers)}
    for column in sorted(numbers, key=lambda column: (column.distinct, -places[column.name])):
        while column.name not in search.computed:
            best = search.best(column.name)
            if best is None or not keep(best):
                break
    return found


def _on_all_rows(rule: Computed, plain: Plain, columns: Mapping[str, Column]) -> tuple[Computed, str]:
    """Return the relation as all rows keep it, and why it was found; "" if it is not worth keeping."""
    far = apart(rule, plain)
    there = ~np.isnan(far)
    broken = int(there.sum() - _holding(far, slack(rule, plain, columns)).sum())
    names = listed(columns_of(rule.expression))
    if broken == 0:
        return rule, f"computed from {names}: it holds in all {there.sum():,} rows that have all of them"
    if 1 - broken / there.sum() >= HOLDING:
        why = f"computed from {names}, and {broken:,} of {there.sum():,} rows are exceptions"
    else:
        left, spread = np.std(np.sort(far[there])[: int(HOLDING * there.sum())]), np.nanstd(plain[rule.target])
        why = (
            f"computed from {names}: what is left is {left / spread:.1%} as wide, and learned" if left < spread else ""
        )
    return Computed(rule.target, rule.expression, exact=False), why


class _Search:
    """The search for one table: correlations of all columns, of values and of logarithms."""

    def __init__(self, columns: Mapping[str, Column], plain: Plain, ordered: frozenset[str]) -> None:
        self.columns, self.computed, self._plain, self._ordered = columns, set[str](), plain, ordered
        self._names = list(columns)
        values = np.stack([plain[name] for name in self._names], axis=1) if columns else np.zeros((0, 0))
        with np.errstate(all="ignore"):
            logs = np.where(values == 0, np.nan, np.log(np.abs(values)))
        moments = [column.kind == "datetime" for column in columns.values()]
        logs[:, moments] = np.nan
        self._spaces = [correlations(values), correlations(logs)]
        self._values, self._logs = values, logs

    def sums_of_two(self) -> Iterator[_Found]:
        """Yield the relations c = a + b that hold to the last digit, which regressions may take for c = 1.19 * a."""
        complete = np.flatnonzero(np.isfinite(self._values).all(axis=1))[:TRIED_ROWS]
        tried, count = self._values[complete], len(self._names)
        if len(tried) < TRIED_ROWS:
            return
        for first in range(count):
            sums = tried[:, first, None] + tried[:, first + 1 :]  # (rows, second)
            off = np.abs(sums[:, :, None] - tried[:, None, :]).max(axis=0)  # (second, sum)
            same = off <= 1e-9 * np.abs(tried).max(axis=0)
            for second, total in zip(*np.nonzero(same), strict=True):
                target, names = self._names[total], (self._names[first], self._names[first + 1 + second])
                found = self._judged(Computed(target, Operation("+", *names)))
                if (
                    found
                    and found.exact
                    and target not in {*names, *self.computed}
                    and self._balanced(target, names, [1.0, 1.0])
                ):
                    yield found

    def best(self, target: str) -> _Found | None:
        """Return the best relation that computes this column, or one of those that it would be computed from."""
        best: _Found | None = None
        for space, fit in zip(self._spaces, (self._sum, self._product), strict=True):
            for chosen in self._chosen(space, self._names.index(target)):
                found = fit(target, chosen)
                if found and not found.exact and len(chosen) > MOST_NEAR:
                    continue
                if found and (best is None or (found.exact, -2 * found.left) > (best.exact, -best.left)):
                    best = found
                if best and best.exact:
                    break
            if best and best.exact:
                break
        if (best is None or best.holding < 1) and self.columns[target].kind != "datetime":
            curve = self._curve(target)
            both = [each for each in (best, curve) if each]
            best = max(both, key=lambda each: (each.exact, each.holding if each.exact else -each.left), default=None)
        if best is None or (not best.exact and not self._may_be_near(best.rule)):
            return None
        return self._turned(best) if best.turns else best

    def _may_be_near(self, rule: Computed) -> bool:
        target = self.columns[rule.target]
        return target.distinct > FEW_VALUES and target.kind != "datetime" and not self._ordered & {*rule_columns(rule)}

    def _chosen(self, related: Numbers, target: int) -> Iterator[list[str]]:
        """Yield sets of columns that explain the target, each with one more column than the last."""
        chosen: list[int] = []
        free = [
            place
            for place, name in enumerate(self._names)
            if place != target and name not in self.computed and np.isfinite(related[place, target])
        ]
        while free and len(chosen) < MOST_BASES:
            theirs = related[np.ix_(chosen, free)]
            inverse = np.linalg.pinv(related[np.ix_(chosen, chosen)], hermitian=True)
            weights = inverse @ theirs
            new = 1 - (theirs * weights).sum(axis=0)  # what of each free column the chosen ones do not explain
            gain = (related[target, free] - related[target, chosen] @ weights) ** 2
            gain = np.where(new > 1e-9, gain / np.maximum(new, 1e-9), 0.0)
            place = int(np.argmax(gain))
            if gain[place] <= 1e-12:
                return
            chosen.append(free.pop(place))
            explained = related[target, chosen]
            left = 1 - explained @ np.linalg.pinv(related[np.ix_(chosen, chosen)], hermitian=True) @ explained
            if left <= PROMISING**2:
                yield [self._names[place] for place in sorted(chosen)]

    def _sum(self, target: str, chosen: Sequence[str]) -> _Found | None:
        """Return the linear relation of a column with the chosen ones."""
        y, x = self._plain[target], np.stack([self._plain[name] for name in chosen], axis=1)
        fitted = self._fitted(target, chosen, x, y)
        if fitted is None:
            return None
        *factors, constant = fitted
        if not self._balanced(target, chosen, factors):
            return None
        return self._judged(Computed(target, _linear(chosen, factors, constant)))

    def _product(self, target: str, chosen: Sequence[str]) -> _Found | None:
        """Return the relation of a column with the product of powers of the chosen ones."""
        places = [self._names.index(name) for name in chosen]
        y, x = self._logs[:, self._names.index(target)], self._logs[:, places]
        there = np.isfinite(y) & np.isfinite(x).all(axis=1)
        if there.sum() < max(FEWEST_ROWS, 5 * (len(chosen) + 1)):
            return None
        beta = trimmed(np.column_stack([x, np.ones(len(y))])[there], y[there])
        powers = [float(POWERS[np.argmin(np.abs(POWERS - found))]) for found in beta[:-1]]
        if any(abs(power - found) > 0.1 for power, found in zip(powers, beta, strict=False)):
            return None
        ratio = np.exp(y[there] - x[there] @ np.array(powers))
        found: _Found | None = None
        for digits in range(DIGITS):
            factor = float(f"{np.median(ratio):.{digits + 1}g}")
            trial = self._judged(Computed(target, _powers(chosen, powers, factor)), product=True)
            if trial and (found is None or trial.holding > found.holding):
                found = trial
        return found

    def _function(self, target: str, base: str) -> _Found | None:
        """Return a column as a function with a name, such as log, of another one, where that holds exactly."""
        exact = []
        for name in FUNCTIONS:
            function = Function(name, base)
            values = evaluate(function, self._plain)
            if ((np.abs(values) < LARGEST) != np.isfinite(self._plain[base])).any():
                continue  # of zero, a negative number, or a very large one
            fitted = self._fitted(target, [base], values[:, None], self._plain[target])
            found = self._judged(Computed(target, _linear([function], fitted[:1], fitted[1]))) if fitted else None
            exact += [found] if found and found.exact else []
        return min(exact, key=lambda found: len(repr(found.rule)), default=None)

    def _curve(self, target: str) -> _Found | None:
        """Return the best relation of a column that is a monotone function of another one."""
        y, fewest = self._plain[target], self.columns[target].distinct
        alike = np.abs(self._spaces[0][self._names.index(target)]) >= LEAST_ALIKE
        free = (n for n, may in zip(self._names, alike, strict=True) if may and n not in {target, *self.computed})
        curves = []
        for name in free:
            if self.columns[name].distinct >= fewest:
                rows = {name: self._plain[name], target: y}
                loose = slack(Computed(target, name), rows, self.columns)
                curve = find_curve(name, rows[name], y, loose) if np.isfinite(loose).sum() >= FEWEST_ROWS else None
                curves += [self._function(target, name) or self._judged(Computed(target, curve))] if curve else []
        best = max((found for found in curves if found), key=lambda found: (found.exact, -found.left), default=None)
        return replace(best, turns=False) if best else None

    def _balanced(self, target: str, chosen: Sequence[str], factors: Sequence[float]) -> bool:
        """Return whether datetimes add up: a datetime is another one and numbers, a number has as many on each side."""
        moments = [
            factor for name, factor in zip(chosen, factors, strict=True) if self.columns[name].kind == "datetime"
        ]
        if {abs(factor) for factor in moments} - {1.0}:
            return not any(moments)
        scales = {
            (c.resolution, c.zone) for c in (self.columns[name] for name in (target, *chosen)) if c.kind == "datetime"
        }
        return len(scales) <= 1 and sum(moments) == (self.columns[target].kind == "datetime")

    def _fitted(self, target: str, chosen: Sequence[str], x: Numbers, y: Numbers) -> list[float] | None:
        """Return the coefficients and the constant, rounded as far as the rows agree; None for too few rows."""
        there = np.isfinite(y) & np.isfinite(x).all(axis=1)
        x, y = np.column_stack([x[there], np.ones(there.sum())]), y[there]
        if len(y) < max(FEWEST_ROWS, 5 * (len(chosen) + 1)):
            return None
        rows = {name: self._plain[name][there] for name in (target, *chosen)}
        loose = slack(Computed(target, _linear(chosen, [1.0] * len(chosen), 0.0)), rows, self.columns)
        beta = trimmed(x, y)
        near = np.abs(y - x @ beta) <= 1.5 * loose
        exact = near.mean() >= HOLDING
        if exact:
            x, y, loose = x[near], y[near], loose[near]
            beta = within(x, y, loose)
        spread = np.maximum(x.std(axis=0), 1e-300)
        order = [*sorted(range(len(chosen)), key=lambda place: -abs(beta[place]) * spread[place]), len(chosen)]
        decimals = self.columns[target].decimals if self.columns[target].kind == "decimal" else 0
        return rounded(x, y, beta, order, loose, decimals) if exact else [float(f"{value:.6g}") for value in beta]

    def _judged(self, rule: Computed, *, product: bool = False) -> _Found | None:
        """Return a relation with how well it fits; None if it fits badly, or independent columns might look so."""
        far = apart(rule, self._plain)
        there = ~np.isnan(far)
        if there.sum() < FEWEST_ROWS:
            return None
        holding = float(_holding(far, slack(rule, self._plain, self.columns))[there].mean())
        values = self._plain[rule.target][there]
        kept = np.sort(far[there])[: math.ceil(HOLDING * there.sum())]
        spread = float(np.std(values))
        left = float(np.sqrt(np.mean(kept**2))) / spread if spread else np.inf
        if (holding < HOLDING and left > NEAR) or self._chance(rule, values) > BY_CHANCE:
            return None
        return _Found(rule, holding, left, product)

    def _chance(self, rule: Computed, values: Numbers) -> float:
        """Return the log probability that an independent column of these values (N,) would fit as well.

        Each row but those that the coefficients are fitted on must agree; all sets of columns were tried.
        """
        _, rows = np.unique(values, return_counts=True)
        bases = len(columns_of(rule.expression))
        mean = float((rows * np.log(rows / rows.sum())).sum()) / rows.sum()
        return float((HOLDING * rows.sum() - 2 * bases) * mean) + bases * math.log(len(self._names))

    def _turned(self, found: _Found) -> _Found:
        """Return the relation solved for another of its columns, where that is better.

        Of two columns the one is computed that more rows agree with, or with fewer digits; of several the one that
        varies most.
        """
        names, exact = rule_columns(found.rule), found.exact
        fit = self._product if found.product else self._sum
        turned = [fit(name, [other for other in names if other != name]) for name in names[1:]]
        there = [found, *(each for each in turned if each and each.exact == exact)]
        if len(names) == 2 and not exact:
            return found
        if len(names) == 2:
            return max(
                there, key=lambda each: (each.holding, -len(rule_in_words(each.rule, tuple(self.columns.values()))))
            )
        values = self._logs if found.product else self._values
        return max(there, key=lambda each: float(np.nanstd(values[:, self._names.index(each.rule.target)])))


def _holding(far: Numbers, loose: Numbers) -> NDArray[np.bool_]:
    """Return which rows (N,) keep a relation, of how far they are and may be: none that could be rounded either way
    where these are most, since then something else decides it."""
    within_, ties = far <= loose, np.abs(far - loose) <= 1e-6 * loose
    return np.asarray(within_ & ~ties if ties.sum() > MOST_TIES * within_.sum() else within_)


def _linear(names: Sequence[Expression], factors: Sequence[float], constant: float) -> Expression:
    """Return `2 * a - b + 1`, the terms with a plus first."""
    terms: list[tuple[float, Expression]] = []
    for name, factor in zip(names, factors, strict=True):
        if factor:
            part = round(1 / abs(factor)) if abs(factor) < 1 else 1
            whole: Expression = name if abs(factor) == 1 else Operation("*", abs(factor), name)
            third = part > 1 and 1 / part == abs(factor) and len(repr(factor)) > DIGITS + 3
            terms.append((factor, Operation("/", name, float(part)) if third else whole))
    if constant or not terms:
        terms.append((constant, abs(constant)))
    terms.sort(key=lambda term: term[0] < 0)
    (sign, found), *rest = terms
    if sign < 0:
        found = Operation("-", 0.0, found)
    for sign, term in rest:
        found = Operation("-" if sign < 0 else "+", found, term)
    return found


def listed(names: Sequence[str]) -> str:
    """Return names as a list in a sentence, at most five of them."""
    *first, last = names if len(names) <= 5 else (*names[:4], f"{len(names) - 4} more")
    return f"{', '.join(first)} and {last}" if first else last


def _powers(names: Sequence[str], powers: Sequence[float], factor: float) -> Expression:
    """Return `2 * a * b / c ^ 2`, the factors above the line first."""
    whole: Expression = factor
    for name, power in sorted(zip(names, powers, strict=True), key=lambda pair: pair[1] < 0):
        term: Expression = name if abs(power) == 1 else Operation("^", name, abs(power))
        whole = term if whole == 1.0 and power > 0 else Operation("*" if power > 0 else "/", whole, term)
    return whole
