"""A codec as plain JSON and arrays, and back: all that a model needs to write rows, without the training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.data.tables.categories import CategoryUnit
from ganforge.data.tables.codec import TableCodec, Unit, type_of
from ganforge.data.tables.gaps import GapUnit
from ganforge.data.tables.numbers import KNOTS, NumberUnit, Seen, Smooth
from ganforge.data.tables.read_rules import parse_rules
from ganforge.data.tables.rules import rule_in_words
from ganforge.errors import RunError
from ganforge.recipe import Column

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
        return TableCodec(columns, parse_rules(content["rules"], columns), units, dict(content["constants"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RunError(f"The model's table description is damaged: {error}.", do="Train again.") from error


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
            origin, low, high = map(float, content["range"])
            return GapUnit(
                lowers=tuple(content["lowers"]),
                scales=tuple((int(mine), int(theirs)) for mine, theirs in content["scales"]),
                upper=str(content["upper"]),
                origin=origin,
                low=low,
                high=high,
                gap=_numbers(content["gap"], name, arrays),
            )
        case "categories":
            return _categories(content, name, arrays)
    raise ValueError(f"there is no unit of kind {content['kind']!r}")


def _numbers(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> NumberUnit:
    least, most, means = (arrays[f"{name}/{part}"] for part in ("least", "most", "means"))
    inside: Seen | Smooth
    if content["inside"] == "seen":
        inside = Seen(arrays[f"{name}/seen"], arrays[f"{name}/cumulative"], arrays[f"{name}/starts"])
        fits = _climbing(inside.starts, len(inside.values)) and len(inside.cumulative) == len(inside.values) + 1
        fits = fits and len(inside.starts) == len(least) + 1
    else:
        inside = Smooth(arrays[f"{name}/knots"])
        fits = inside.knots.shape == (len(least), KNOTS)
    if not fits or not len(least) == len(most) == len(means):
        raise ValueError(f"the spans of {content['column']!r} do not fit each other")
    low, high = map(float, content["range"])
    return NumberUnit(
        column=str(content["column"]),
        low=low,
        high=high,
        decimals=content["decimals"],
        with_missing=bool(content["with_missing"]),
        least=least,
        most=most,
        means=means,
        inside=inside,
    )


def _categories(content: Mapping[str, Any], name: str, arrays: Mapping[str, NDArray[Any]]) -> CategoryUnit:
    values: Arrays = {}
    for column in content["columns"]:
        if column in content["numbers"]:
            values[column] = arrays[f"{name}/values/{column}"]
        else:
            texts = content["texts"][column]
            values[column] = np.array([*texts, ""], dtype=type_of(""))[
                :-1
            ]  # the "" keeps an empty list an object array
    counts, starts = arrays[f"{name}/counts"], arrays[f"{name}/starts"]
    if not _climbing(starts, len(counts)) or any(len(column) != len(counts) for column in values.values()):
        raise ValueError(f"the values of {content['columns'][0]!r} do not fit each other")
    return CategoryUnit(columns=tuple(content["columns"]), values=values, counts=counts, starts=starts)


def _climbing(starts: NDArray[Any], end: int) -> bool:
    """Whether starts rise from 0 to `end`, each span with something in it."""
    return bool(len(starts) > 1 and starts[0] == 0 and starts[-1] == end and (np.diff(starts) > 0).all())
