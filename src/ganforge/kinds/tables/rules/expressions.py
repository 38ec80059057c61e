"""Expressions over columns, `1.8 * celsius + 32` or `quantity * price`: read, written, computed and solved.

An expression is a column, a number, or an operation on two expressions. What a condition on a computed column leaves to
the columns that it is computed from is found by interval arithmetic, outwards from the columns and back (HC4-revise:
Benhamou et al. 1999, Revising hull and box consistency).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.errors import RecipeError, did_you_mean
from ganforge.kinds.tables.rules.syntax import columns_named, quoted_name, starting_names
from ganforge.kinds.tables.rules.values import number_text

Numbers = NDArray[np.float64]
Range = tuple[Any, Any]  # the ends of an interval, or of many, (N,) each
ANY: Range = (-math.inf, math.inf)
LONGEST = 8_000  # letters of an expression
SHOWN = 120  # of these that people are shown
MOST_KNOTS = 128  # of a curve
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_KNOT = re.compile(r"\s*,\s*(-?\d[^\s:,)]*)\s*:\s*(-?\d[^\s:,)]*)", re.ASCII)
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operation:
    """`left sign right`; the right side of ^ is a number."""

    sign: str  # one of + - * / ^
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of a column: straight lines between knots (x, y), x ascending, and level beyond the ends."""

    column: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError for knots that are not in order, or too many."""
        steps, ends = np.diff(self.x), [*self.x, *self.y]
        if not 2 <= len(self.x) <= MOST_KNOTS or (steps <= 0).any() or not np.isfinite(ends).all():
            raise ValueError(f"a curve has 2 to {MOST_KNOTS} knots, ascending")

    def at(self, x: Any) -> Any:
        """Return the values at x, (N,) or one number."""
        return np.interp(x, self.x, self.y)

    @property
    def sign(self) -> int:
        """Return 1 where it never falls, -1 where it never rises; 0 else."""
        steps = np.diff(self.y)
        return 1 if (steps >= 0).all() else -1 if (steps <= 0).all() else 0


@dataclass(frozen=True, slots=True)
class Function:
    """`log(inner)`."""

    name: str  # in FUNCTIONS
    inner: Expression


FUNCTIONS: dict[str, tuple[Any, Any]] = {  # each with its inverse
    "log": (np.log, np.exp), "log10": (np.log10, lambda value: np.float_power(10, value)), "exp": (np.exp, np.log),
}  # fmt: skip
Expression = str | float | Operation | Curve | Function  # a column, a number, or what is done with these


def columns_of(expression: Expression) -> tuple[str, ...]:
    """Return the columns of an expression, each once, in the order of their first mention."""
    if isinstance(expression, Operation):
        return tuple(dict.fromkeys((*columns_of(expression.left), *columns_of(expression.right))))
    if isinstance(expression, Curve):
        return (expression.column,)
    if isinstance(expression, Function):
        return columns_of(expression.inner)
    return (expression,) if isinstance(expression, str) else ()


def times_named(expression: Expression, column: str) -> int:
    """Return how often an expression names a column."""
    if isinstance(expression, Operation):
        return times_named(expression.left, column) + times_named(expression.right, column)
    if isinstance(expression, Function):
        return times_named(expression.inner, column)
    return int((expression.column if isinstance(expression, Curve) else expression) == column)


# ---- as text --------------------------------------------------------------------------------------------------------


def expression_in_words(expression: Expression, names: Collection[str]) -> str:
    """Format an expression as a person would type it; `read_expression` reads it as exactly this one."""
    if isinstance(expression, str):
        return quoted_name(expression, names)
    if isinstance(expression, float):
        return number_text(expression)
    if isinstance(expression, Curve):
        knots = (f"{number_text(x)}: {number_text(y)}" for x, y in zip(expression.x, expression.y, strict=True))
        return f"curve({', '.join([quoted_name(expression.column, names), *knots])})"
    if isinstance(expression, Function):
        return f"{expression.name}({expression_in_words(expression.inner, names)})"
    mine = _PRECEDENCE[expression.sign]
    left, right = (expression_in_words(side, names) for side in (expression.left, expression.right))
    if _precedence(expression.left) < mine or (expression.sign == "^" and isinstance(expression.left, Operation)):
        left = f"({left})"
    if _precedence(expression.right) <= mine or right.startswith("-"):
        right = f"({right})"
    return f"{left} {expression.sign} {right}"


def shown(text: str) -> str:
    """Return an expression or a rule as people are shown it: of a long curve the beginning; plan.json has all of it."""
    return shorten(text, SHOWN, placeholder=" ...")


def _precedence(expression: Expression) -> int:
    return _PRECEDENCE[expression.sign] if isinstance(expression, Operation) else 4


def read_expression(text: str, names: Collection[str]) -> Expression:
    """Parse an expression of columns, numbers, + - * / ^ and parentheses.

    Raises: RecipeError for another form, an unknown column, an exponent that is not a number, or one column or none.
    """
    if len(text) > LONGEST:
        raise RecipeError(f"The expression has {len(text):,} letters.", f"At most {LONGEST:,} are read.", "Shorten it.")
    reader = _Reader(text, names)
    try:
        expression = reader.sum()
        if not reader.left.strip():
            return expression
    except RecursionError as error:
        raise RecipeError("The expression cannot be read.", "It has too many parentheses.", "Shorten it.") from error
    raise reader.refused()


class _Reader:
    """A recursive-descent parser: `left` is what is still to be read."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.text, self.left, self._names = text, text, names

    def sum(self) -> Expression:
        found = self._product()
        while sign := self._sign("+-"):
            found = Operation(sign, found, self._product())
        return found

    def _product(self) -> Expression:
        found = self._power()
        while sign := self._sign("*/"):
            found = Operation(sign, found, self._power())
        return found

    def _power(self) -> Expression:
        found = self._atom()
        while self._sign("^"):
            exponent = self._atom()
            if not isinstance(exponent, float) or exponent == 0:
                raise RecipeError(f"{self.text!r} cannot be read.", "An exponent is a number.", "Write x ^ 2, say.")
            found = Operation("^", found, exponent)
        return found

    def _atom(self) -> Expression:
        self.left = self.left.lstrip()
        if number := _NUMBER.match(self.left):
            self.left = self.left[number.end() :]
            return float(number[0])
        if self._sign("-"):
            inner = self._atom()
            return -inner if isinstance(inner, float) else Operation("-", 0.0, inner)
        if self.left.startswith("curve("):
            return self._curve()
        if function := re.match(rf"({'|'.join(FUNCTIONS)})\(", self.left):
            self.left = self.left[function.end() :]
            inner = self.sum()
            if self._sign(")"):
                return Function(function[1], inner)
            raise self.refused()
        for name, rest in starting_names(self.left, self._names):
            if not re.match(r"\w", rest):
                self.left = rest
                return name
        if self._sign("("):
            found = self.sum()
            if self._sign(")"):
                return found
        raise self.refused()

    def _curve(self) -> Curve:
        for name, text in starting_names(self.left.removeprefix("curve(").lstrip(), self._names):
            rest = text
            knots: list[tuple[float, float]] = []
            try:
                while found := _KNOT.match(rest):
                    knots.append((float(found[1]), float(found[2])))
                    rest = rest[found.end() :]
                if end := re.match(r"\s*\)", rest):
                    self.left = rest[end.end() :]
                    return Curve(name, *zip(*knots, strict=True))
            except (ValueError, TypeError) as error:
                why = "A curve has knots, x: y, with x ascending."
                raise RecipeError("A curve cannot be read.", why, "Write curve(x, 0: 0, 10: 3), say.") from error
        raise self.refused()

    def _sign(self, signs: str) -> str:
        text = self.left.lstrip()
        if not text or text[0] not in signs:
            return ""
        self.left = text[1:]
        return text[0]

    def refused(self) -> RecipeError:
        """Return the error for what is left."""
        rest = self.left.strip()
        for name in columns_named(re.split(r"[-+*/^()]", rest)[0]):
            if name not in self._names:
                why = f"{self.text!r} names it."
                return RecipeError(f"There is no column {name!r}.", why, did_you_mean(name, self._names))
        where = repr(rest) if rest else "nothing"
        do = "Write columns and numbers with + - * / ^ and parentheses, such as net + tax."
        return RecipeError(f"{self.text!r} cannot be read.", f"An expression does not go on with {where}.", do)


# ---- numbers --------------------------------------------------------------------------------------------------------


def evaluate(expression: Expression, plain: Plain) -> Any:
    """Return the expression's values, (N,) or one number; NaN where a column is missing or no number comes out."""
    with np.errstate(all="ignore"):
        values = _evaluate(expression, plain)
    return np.where(np.isfinite(values), values, np.nan)


def _evaluate(expression: Expression, plain: Plain) -> Any:
    if isinstance(expression, Operation):
        return _apply(expression.sign, _evaluate(expression.left, plain), _evaluate(expression.right, plain))
    if isinstance(expression, Curve):
        return expression.at(plain[expression.column])
    if isinstance(expression, Function):
        return FUNCTIONS[expression.name][0](_evaluate(expression.inner, plain))
    return plain[expression] if isinstance(expression, str) else expression


def _apply(sign: str, left: Any, right: Any) -> Any:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return np.divide(left, right)
    return np.float_power(left, right)


def solve(expression: Expression, column: str, value: Numbers, plain: Plain) -> Numbers:
    """Return the values (N,) of a column, named once, for which the expression has the given values (N,); else NaN.

    Of a power the root that is not negative; of a level part of a curve the middle.
    """
    if isinstance(expression, Curve):
        if not expression.sign:
            return np.full_like(value, np.nan)
        x, y = (np.array(ends)[:: expression.sign] for ends in (expression.x, expression.y))
        levels, places = np.unique(y, return_inverse=True)
        near = np.minimum(np.searchsorted(levels, value), len(levels) - 1)
        middles = (np.bincount(places, x) / np.bincount(places))[near]
        return np.where(levels[near] == value, middles, np.interp(value, y, x, left=np.nan, right=np.nan))
    if isinstance(expression, Function):
        with np.errstate(all="ignore"):
            inner = FUNCTIONS[expression.name][1](value)
        return solve(expression.inner, column, np.where(np.isfinite(inner), inner, np.nan), plain)
    if not isinstance(expression, Operation):
        return value
    with np.errstate(all="ignore"):
        if column in columns_of(expression.left):
            sign, other = expression.sign, evaluate(expression.right, plain)
            inverse = {"+": "-", "-": "+", "*": "/", "/": "*"}
            value = np.float_power(value, 1 / other) if sign == "^" else _apply(inverse[sign], value, other)
            return solve(expression.left, column, value, plain)
        other = evaluate(expression.left, plain)
        match expression.sign:
            case "+":
                value = value - other
            case "-":
                value = other - value
            case "*":
                value = value / other
            case "/":
                value = other / value
        value = np.where(np.isfinite(value), value, np.nan)
        return solve(expression.right, column, value, plain)


# ---- ranges ---------------------------------------------------------------------------------------------------------


def range_of(expression: Expression, ranges: Mapping[str, Range]) -> Range:
    """Return an interval that holds every value of the expression where its columns lie in `ranges`."""
    if isinstance(expression, Operation):
        return _range(expression.sign, range_of(expression.left, ranges), range_of(expression.right, ranges))
    if isinstance(expression, Curve):
        ends = [expression.at(end) for end in ranges[expression.column]]
        level = [np.asarray(expression.y).min(), np.asarray(expression.y).max()]
        return (np.minimum(*ends), np.maximum(*ends)) if expression.sign else (level[0], level[1])
    if isinstance(expression, Function):
        return _through(FUNCTIONS[expression.name][0], range_of(expression.inner, ranges))
    return ranges[expression] if isinstance(expression, str) else (expression, expression)


def narrowed_by(expression: Expression, wanted: Range, ranges: Mapping[str, Range]) -> Iterator[tuple[str, Range]]:
    """Yield for each column the interval outside of which no value leads to one in `wanted`."""
    if isinstance(expression, str):
        yield expression, wanted
    if isinstance(expression, Curve):
        yield expression.column, _before(expression, wanted)
    if isinstance(expression, Function):
        yield from narrowed_by(expression.inner, _through(FUNCTIONS[expression.name][1], wanted), ranges)
    if not isinstance(expression, Operation):
        return
    left, right = range_of(expression.left, ranges), range_of(expression.right, ranges)
    match expression.sign:
        case "+":
            sides = _range("-", wanted, right), _range("-", wanted, left)
        case "-":
            sides = _range("+", wanted, right), _range("-", left, wanted)
        case "*":
            sides = _range("/", wanted, right), _range("/", wanted, left)
        case "/":
            sides = _range("*", wanted, right), _range("/", left, wanted)
        case _:
            root = (1 / right[0], 1 / right[0])
            sides = (_range("^", (max(wanted[0], 0.0), wanted[1]), root) if left[0] >= 0 else ANY), ANY
    yield from narrowed_by(expression.left, sides[0], ranges)
    yield from narrowed_by(expression.right, sides[1], ranges)


def _through(function: Any, ends: Range) -> Range:
    """Return the interval of a function that rises; without an end where it has no number."""
    with np.errstate(all="ignore"):
        low, high = (np.asarray(function(np.float64(end))) for end in ends)
    return np.where(np.isnan(low), -np.inf, low)[()], np.where(np.isnan(high), np.inf, high)[()]


def _before(curve: Curve, wanted: Range) -> Range:
    """Return an interval outside of which a curve is not in `wanted`: from knot to knot."""
    if not curve.sign:
        return ANY
    x, y = np.array(curve.x), np.array(curve.y)
    below, above = (y < wanted[0], y > wanted[1])[:: curve.sign]
    least, most = x[below].max(initial=-np.inf), x[above].min(initial=np.inf)
    return (least, most) if least <= most else (most, least)


def _range(sign: str, left: Range, right: Range) -> Range:
    """Return the interval of `left sign right`; any number where it cannot be said."""
    with np.errstate(all="ignore"):
        ends = [np.asarray(_apply(sign, np.float64(a), np.float64(b))) for a in left for b in right]
        low, high = np.min(ends, axis=0), np.max(ends, axis=0)
    unknown = np.isnan(low)
    if sign == "/":
        unknown |= (np.asarray(right[0]) <= 0) & (np.asarray(right[1]) >= 0)
    elif sign == "^":
        unknown |= np.asarray(left[0]) < 0
    return np.where(unknown, -np.inf, low)[()], np.where(unknown, np.inf, high)[()]
