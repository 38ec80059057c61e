"""plan.json: a table's columns and rules as a person reads and corrects them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from ganforge.core.files import read_json_file, write_whole
from ganforge.errors import InputError, RecipeError, did_you_mean
from ganforge.kinds.tables.columns import Column, ColumnKind

KEYS = ("source", "columns", "rules")


def write_plan(
    path: str | Path, columns: Sequence[Column], rules: Sequence[str], source: str, *, force: bool = False
) -> bool:
    """Write plan.json: the source, each column with what a person may change first, and the rules in words.

    Returns: whether the file now holds exactly this. One with other content, perhaps a person's corrections, is
        kept unless force is given.
    Raises: StorageError; InputError if the place is a folder.
    """
    place = Path(path).expanduser()
    listed = [column.model_dump(mode="json", exclude_none=True, exclude={"unused"}) for column in columns]
    content = {"source": source, "columns": listed, "rules": list(rules)}
    whole = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    if place.is_dir():
        raise InputError(f"{str(path)!r} is a folder.", "A plan is written as one file.", "Choose another name.")
    if place.exists() and not force:
        with suppress(OSError):  # it is not ours
            return place.read_bytes() == whole
        return False
    write_whole(place, whole)
    return True


def read_plan(path: str | Path) -> tuple[tuple[Column, ...], tuple[str, ...] | None]:
    """Read the columns and rules of a plan.json, perhaps edited. What is left out is found in the data: columns,
    their parts, and, where the file has no key "rules" at all (then None is returned), the rules.

    Raises: RecipeError if it is not such a file, or has an unknown key or kind or an invalid value.
    """
    name = str(path)
    content = _read(path, name)
    for key in content:
        if key not in KEYS:
            raise RecipeError(f"The plan {name!r} has an unknown key {key!r}.", did_you_mean(key, KEYS), "Correct it.")
    columns, rules = content.get("columns", []), content.get("rules")
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        raise RecipeError(f"The columns of the plan {name!r} are not a list of objects.", do="Write it anew with plan.")
    if rules is not None and not (isinstance(rules, list) and all(isinstance(rule, str) for rule in rules)):
        raise RecipeError(f"The rules of the plan {name!r} are not a list of texts.", do='Write "start <= end", say.')
    read = tuple(_column(column, number) for number, column in enumerate(columns, 1))
    names = [column.name for column in read]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise RecipeError(f"The plan {name!r} has the column {twice!r} twice.", do="Remove one.")
    return read, None if rules is None else tuple(rules)


def _read(path: str | Path, name: str) -> dict[str, Any]:
    try:
        content = read_json_file(Path(path).expanduser())
    except OSError as error:
        raise RecipeError(f"The plan {name!r} cannot be read: {error.strerror}.", do="Check its path.") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"The plan {name!r} is not UTF-8: {error}.", do="Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise RecipeError(
            f"The plan {name!r} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.",
            "A comma or a quotation mark may be missing there.",
            "Correct it, or write it anew with plan.",
        ) from error
    except ValueError as error:
        raise RecipeError(f"The plan {name!r} cannot be used: {error}.", do="Write it anew with plan.") from error
    if not isinstance(content, dict):
        raise RecipeError(f"The plan {name!r} is not a JSON object.", f"It has the keys {', '.join(KEYS)}.")
    return content


def _column(content: dict[str, Any], number: int) -> Column:
    where = f"column {content['name']!r}" if "name" in content else f"column number {number}"
    for key in content:
        if key not in Column.model_fields:
            why = did_you_mean(key, Column.model_fields)
            raise RecipeError(f"The {where} of the plan has an unknown key {key!r}.", why, "Correct it.")
    kind = content.get("kind")
    if kind not in get_args(ColumnKind):
        why = did_you_mean(str(kind), get_args(ColumnKind))
        raise RecipeError(f"The {where} of the plan has the kind {kind!r}.", why, "Correct it.")
    try:
        # the dtype is always that of the data, so a person need not write it
        return Column.model_validate({"dtype": "", **content})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise RecipeError(
            f"The {where} of the plan has {key} = {first['input']!r}.", f"{first['msg']}.", "Correct it."
        ) from error
