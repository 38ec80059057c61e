"""JSON from a file that may come from anybody: what it takes to read is bounded by numbers on this page."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

MOST_BYTES = 32 * 2**20  # of one file: what Python makes of the densest such text is below 2 GB
MOST_CONTAINERS = 1_000_000  # objects and lists: each takes Python 60 bytes or more, and a text two
DEEPEST = 64  # objects and lists within each other: whoever walks them later calls himself as often
MOST_DIGITS = 40  # of a whole number: seeds may have more than 64 bits, and all of them are still finite as floats


def read_json_file(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """What a file of JSON says. Raises: ValueError in words; OSError if it cannot be read."""
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)  # never more, whatever the file's size is said to be
    if len(content) > most_bytes:
        raise ValueError(f"it has more than {most_bytes:,} bytes")
    return parse_json(content)


def parse_json(content: bytes | str) -> Any:
    """What a text of JSON says; NaN and Infinity are allowed, since a run that goes wrong writes them.

    Raises: ValueError in words for what is no JSON, no UTF-8, nested deeper than DEEPEST, has a key twice, a whole
        number of more than MOST_DIGITS digits, or more than MOST_CONTAINERS objects and lists.
    """
    text = content if isinstance(content, str) else content.decode("utf-8")
    if text.count("[") + text.count("{") > MOST_CONTAINERS:
        raise ValueError(f"it has more than {MOST_CONTAINERS:,} objects and lists")
    try:
        parsed = json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST}") from None
    level, deep = [parsed], 0
    while level := [part for part in level if isinstance(part, dict | list)]:
        deep += 1
        if deep > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):  # another reader might take the other value
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has the key {twice[:40]!r} twice")
    return content


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it has a whole number of {len(digits):,} digits")
    return int(digits)
