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
LONGEST = 4_000  # letters of an expression
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Operation:
    """`left sign right`; the right side of ^ is a number."""

    sign: str  # one of + - * / ^
    left: Expression
    right: Expression


Expression = str | float | Operation  # a column, a number, or an operation


def columns_of(expression: Expression) -> tuple[str, ...]:
    """Return the columns of an expression, each once, in the order of their first mention."""
    if isinstance(expression, Operation):
        return tuple(dict.fromkeys((*columns_of(expression.left), *columns_of(expression.right))))
    return (expression,) if isinstance(expression, str) else ()


def times_named(expression: Expression, column: str) -> int:
    """Return how often an expression names a column."""
    if isinstance(expression, Operation):
        return times_named(expression.left, column) + times_named(expression.right, column)
    return int(expression == column)


# ---- as text --------------------------------------------------------------------------------------------------------


def expression_in_words(expression: Expression, names: Collection[str]) -> str:
    """Format an expression as a person would type it; `read_expression` reads it as exactly this one."""
    if isinstance(expression, str):
        return quoted_name(expression, names)
    if isinstance(expression, float):
        return number_text(expression)
    mine = _PRECEDENCE[expression.sign]
    left, right = (expression_in_words(side, names) for side in (expression.left, expression.right))
    if _precedence(expression.left) < mine or (expression.sign == "^" and isinstance(expression.left, Operation)):
        left = f"({left})"
    if _precedence(expression.right) <= mine or right.startswith("-"):
        right = f"({right})"
    return f"{left} {expression.sign} {right}"


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
        for name, rest in starting_names(self.left, self._names):
            if not re.match(r"\w", rest):
                self.left = rest
                return name
        if self._sign("("):
            found = self.sum()
            if self._sign(")"):
                return found
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

    Of a power the root that is not negative.
    """
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
    return ranges[expression] if isinstance(expression, str) else (expression, expression)


def narrowed_by(expression: Expression, wanted: Range, ranges: Mapping[str, Range]) -> Iterator[tuple[str, Range]]:
    """Yield for each column the interval outside of which no value leads to one in `wanted`."""
    if isinstance(expression, str):
        yield expression, wanted
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
