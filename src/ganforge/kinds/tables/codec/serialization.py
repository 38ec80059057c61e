"""A codec as plain JSON and arrays, and back: all that a model needs to write rows, without the training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import InputError, RunError
from ganforge.kinds.tables.codec.categories import CategoryUnit
from ganforge.kinds.tables.codec.codec import TableCodec, Unit, unit_columns
from ganforge.kinds.tables.codec.identifiers import check_pattern
from ganforge.kinds.tables.codec.numbers import KNOTS, GapUnit, NumberUnit, Seen, Smooth
from ganforge.kinds.tables.columns import NUMBERS, Column
from ganforge.kinds.tables.reading.arrays import arrow_type, dtype_of
from ganforge.kinds.tables.reading.profile import MOST_DECIMALS
from ganforge.kinds.tables.rules.rules import lowers_of, parse_rules, rule_in_words

Arrays = dict[str, NDArray[Any]]


def codec_content(codec: TableCodec) -> tuple[dict[str, Any], Arrays]:
    """What JSON can hold, and the arrays of numbers, each under a name."""
    arrays: Arrays = {}
    units = [_unit_content(unit, f"unit{place}", arrays) for place, unit in enumerate(codec.units)]
    content = {
        "columns": [column.model_dump(mode="json") for column in codec.columns],
        "rules": [rule_in_words(rule, codec.columns) for rule in codec.rules],
        "constants": dict(codec.constants),
        "units": units,
    }
    return content, arrays


def restore_codec(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TableCodec:
    """The codec that `codec_content` took apart. Raises: RunError if parts are missing or do not fit each other."""
    try:
        columns = tuple(Column.model_validate(column) for column in content["columns"])
        units = tuple(_unit(unit, f"unit{place}", arrays) for place, unit in enumerate(content["units"]))
        codec = TableCodec(columns, parse_rules(content["rules"], columns), units, dict(content["constants"]))
        _check_parts(codec)
        return codec
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, InputError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0].rstrip(".")
        raise RunError(f"The model's table description is damaged: {why}.", do="Train again.") from error


def _check_parts(codec: TableCodec) -> None:
    """Raises: ValueError if units, columns and rules do not belong together, so that rows could not be written."""
    kinds = {column.name: column.kind for column in codec.columns}
    expected = unit_columns(codec.columns, codec.rules)
    if [unit.columns for unit in codec.units] != expected:
        raise ValueError(f"its units do not stand for the columns {', '.join(map('+'.join, expected))}")
    if set(codec.constants) != {name for name, kind in kinds.items() if kind == "constant"}:
        raise ValueError("its constants are not those of its columns")
    if not all(value is None or isinstance(value, str | int | float) for value in codec.constants.values()):
        raise ValueError("its constants are no numbers or texts")
    for column in codec.columns:
        arrow_type(dtype_of(column))  # or rows could not be written
        if column.kind == "identifier" and column.format and not check_pattern(column.format):
            raise ValueError(f"the identifiers of {column.name!r} have the pattern {column.format!r}")
    for unit in codec.units:
        name, numeric = unit.columns[0], len(unit.columns) == 1 and kinds[unit.columns[0]] in NUMBERS
        lowers = lowers_of(codec.rules).get(name, ()) if numeric else ()
        fits = isinstance(unit, GapUnit if lowers else NumberUnit if numeric else CategoryUnit)
        if not fits or (isinstance(unit, GapUnit) and unit.lowers != lowers):
            raise ValueError(f"the unit of {name!r} is of another kind than its column and rules")


def _unit_content(unit: Unit, name: str, arrays: Arrays) -> dict[str, Any]:
    match unit:
        case NumberUnit():
            return {"kind": "numbers", **_numbers_content(unit, name, arrays)}
        case GapUnit():
            return {
                "kind": "gap",
                "lowers": list(unit.lowers),
                "scales": [list(scale) for scale in unit.scales],
                "upper": unit.upper,
                "range": [unit.origin, unit.low, unit.high],
                "gap": _numbers_content(unit.gap, name, arrays),
            }
        case CategoryUnit():
            arrays |= {f"{name}/counts": unit.counts, f"{name}/starts": unit.starts}
            texts = {column: values.tolist() for column, values in unit.values.items() if values.dtype == object}
            numbers = {column: values for column, values in unit.values.items() if values.dtype != object}
            arrays |= {f"{name}/values/{column}": values for column, values in numbers.items()}
            return {"kind": "categories", "columns": list(unit.columns), "texts": texts, "numbers": list(numbers)}


def _numbers_content(unit: NumberUnit, name: str, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"{name}/least": unit.least, f"{name}/most": unit.most, f"{name}/means": unit.means}
    if isinstance(unit.inside, Seen):
        inside = unit.inside
        arrays |= {
            f"{name}/seen": inside.values,
            f"{name}/cumulative": inside.cumulative,
            f"{name}/starts": inside.starts,
        }
    else:
        arrays[f"{name}/knots"] = unit.inside.knots
    return {
        "column": unit.column,
        "range": [unit.low, unit.high],
        "decimals": unit.decimals,
        "with_missing": unit.with_missing,
        "inside": "seen" if isinstance(unit.inside, Seen) else "smooth",
    }


def _unit(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> Unit:
    match content["kind"]:
        case "numbers":
            return _numbers(content, name, arrays)
        case "gap":
            return _gap(content, name, arrays)
        case "categories":
            return _categories(content, name, arrays)
    raise ValueError(f"there is no unit of kind {content['kind']!r}")


def _gap(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> GapUnit:
    origin, low, high = map(float, content["range"])
    gap = _numbers(content["gap"], name, arrays)
    lowers = tuple(content["lowers"])
    scales = tuple((int(mine), int(theirs)) for mine, theirs in content["scales"])
    if len(scales) != len(lowers) or gap.column != content["upper"]:
        raise ValueError(f"the parts of {content['upper']!r} do not fit each other")
    return GapUnit(lowers=lowers, scales=scales, upper=gap.column, origin=origin, low=low, high=high, gap=gap)


def _numbers(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> NumberUnit:
    least, most, means = (_listed(arrays, f"{name}/{part}", np.float64) for part in ("least", "most", "means"))
    inside: Seen | Smooth
    if content["inside"] == "seen":
        values, cumulative = (_listed(arrays, f"{name}/{part}", np.float64) for part in ("seen", "cumulative"))
        inside = Seen(values, cumulative, _listed(arrays, f"{name}/starts", np.int64))
        fits = _climbing(inside.starts, len(values)) and len(inside.starts) == len(least) + 1
        fits = fits and len(cumulative) == len(values) + 1 and _rising(values) and _rising(cumulative)
    else:
        inside = Smooth(arrays[f"{name}/knots"])
        fits = inside.knots.shape == (len(least), KNOTS)
    decimals = content["decimals"]
    if not fits or not len(least) == len(most) == len(means) or not _rising(least) or (least > most).any():
        raise ValueError(f"the spans of {content['column']!r} do not fit each other")
    if decimals is not None and (not isinstance(decimals, int) or not 0 <= decimals <= MOST_DECIMALS):
        raise ValueError(f"{content['column']!r} cannot have {decimals!r} decimals")
    low, high = map(float, content["range"])
    return NumberUnit(
        column=str(content["column"]),
        low=low,
        high=high,
        decimals=decimals,
        with_missing=bool(content["with_missing"]),
        least=least,
        most=most,
        means=means,
        inside=inside,
    )


def _categories(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> CategoryUnit:
    counts, starts = _listed(arrays, f"{name}/counts", np.float64), _listed(arrays, f"{name}/starts", np.int64)
    values: Arrays = {}
    for column in content["columns"]:
        if column in content["numbers"]:
            values[column] = _listed(arrays, f"{name}/values/{column}", np.float64)
        else:
            texts = content["texts"][column]
            if not isinstance(texts, list) or not all(text is None or isinstance(text, str) for text in texts):
                raise ValueError(f"the values of {column!r} are no texts")
            values[column] = np.array(texts, dtype=object)
    if (
        not values
        or not _climbing(starts, len(counts))
        or any(len(column) != len(counts) for column in values.values())
    ):
        raise ValueError(f"the values of {', '.join(content['columns'])} do not fit each other")
    return CategoryUnit(columns=tuple(content["columns"]), values=values, counts=counts, starts=starts)


def _listed(arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[Any]) -> NDArray[Any]:
    """An array (N,) of just this type. Raises: KeyError if it is not there, ValueError if it is another."""
    array = arrays[name]
    if array.ndim != 1 or array.dtype != dtype:
        raise ValueError(f"{name} is of the type {array.dtype} and the shape {array.shape}")
    return array


def _rising(values: NDArray[Any]) -> bool:
    return bool((np.diff(values) > 0).all())


def _climbing(starts: NDArray[Any], end: int) -> bool:
    """Whether starts rise from 0 to `end`, each span with something in it."""
    return bool(len(starts) > 1 and starts[0] == 0 and starts[-1] == end and _rising(starts))
