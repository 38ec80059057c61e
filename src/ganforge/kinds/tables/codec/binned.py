"""Columns that are bins of another one, in the codec: their base is drawn so that it agrees with their codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.numbers import NumberUnit
from ganforge.kinds.tables.codec.stored import Arrays, listed, rising
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.rules.bins import Bins
from ganforge.kinds.tables.rules.rules import Rule, binned_of

TRIES = 200  # draws of a base for a row
Codes = NDArray[np.int32]
Rows = NDArray[np.int64]


def agreeing(
    follows: Sequence[tuple[Bins, Any, Codes]],
    plain: Plain,
    columns: Sequence[str],
    again: Callable[[Rows], Plain],
) -> Plain:
    """Return decoded columns of a base, drawn again where its bins are not those that were drawn, up to TRIES times.

    Of each row the values are kept with which most of its bins agree: so a month and a weekday keep what they have to
    do with the rest of the row, and the day is one of that month and weekday.

    Args: follows for each bins of the base the unit of the column, and its codes (N,); plain the rows (N,); columns
        those of the base's unit; again draws these once more in some rows.
    """
    single = [(bins, unit, codes) for bins, unit, codes in follows if isinstance(unit, NumberUnit | CategoryUnit)]
    made = {name: plain[name].copy() for name in columns}

    def count(rows: Rows, values: Plain) -> NDArray[np.int64]:
        found = np.zeros(len(rows), np.int64)
        for bins, unit, codes in single:
            encoded = unit.encode({bins.rule.target: bins.at(values)})
            found += (encoded == codes[rows]) | ~unit.complete[np.maximum(codes[rows], 0)]
        return found

    agree = count(np.arange(len(plain[columns[0]])), made)
    for _ in range(TRIES):
        rows = np.flatnonzero(agree < len(single))
        if not len(rows):
            break
        drawn = again(rows)
        better = count(rows, drawn)
        gained = better > agree[rows]
        agree[rows[gained]] = better[gained]
        for name in columns:
            made[name][rows[gained]] = drawn[name][gained]
    return made


# ---- as JSON and arrays, and back ---------------------------------------------------------------------------------


def bins_content(bins: Bins, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return the JSON content of bins, and add their arrays under this name. Their rule is among those of the codec."""
    arrays[f"{name}/edges"] = bins.edges
    texts = bins.values.dtype == object
    if not texts:
        arrays[f"{name}/values"] = bins.values
    return {"column": bins.rule.target, "shift": bins.shift, "texts": bins.values.tolist() if texts else None}


def read_bins(
    content: Mapping[str, Any],
    name: str,
    arrays: Mapping[str, NDArray[Any]],
    rules: Iterable[Rule],
    columns: Sequence[Column],
) -> Bins:
    """Build bins from `bins_content`'s output. Raises: ValueError, KeyError if its parts do not fit."""
    rule, by_name = binned_of(rules)[content["column"]], {column.name: column for column in columns}
    edges, texts, target = listed(arrays, f"{name}/edges", np.float64), content["texts"], by_name[rule.target]
    shift = None if content["shift"] is None else float(content["shift"])
    if texts is not None and not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the values of {rule.target!r} are not texts")
    values = np.array(texts, object) if texts is not None else listed(arrays, f"{name}/values", np.float64)
    if len(values) != len(edges) or not rising(edges) or (shift is None and not len(edges)):
        raise ValueError(f"the bins of {rule.target!r} do not fit each other")
    if target.is_number != (texts is None) or not np.isfinite([*edges, shift or 0.0]).all():
        raise ValueError(f"the bins of {rule.target!r} do not fit the column")
    return Bins(rule, by_name[rule.base], target.unit, edges, values, shift)
