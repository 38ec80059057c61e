"""Figures of a benchmark, each beside what is asked of it, written to a JSON file after every one of them."""

from __future__ import annotations

import json
import math
import operator
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_met(value: float | bool | None, asked: str | None) -> bool | None:
    """Whether a value is what is asked, as "< 150" or ">= 5"; None where nothing is asked or nothing was measured."""
    if asked is None or value is None:
        return None
    sign, bound = asked.split()
    return COMPARISONS[sign](value, float(bound))


def write_json(path: Path, content: Any) -> None:
    """The file whole or not at all, so that a kill at any moment leaves the one before."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    draft.replace(path)


class Figures:
    """What a script measures. Without a path nothing is written."""

    def __init__(self, path: Path | None, *, judged: bool = True) -> None:
        """Args: judged whether this is the machine and the size for which something is asked."""
        self._path, self._judged = path, judged
        self.figures: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}
        self.failed: list[str] = []
        self._write()

    def add(self, name: str, value: float | bool | None, unit: str = "", asked: str | None = None, **more: Any) -> None:
        """One more figure. Args: asked such as "< 150"; more what is to stand beside it, such as low and high."""
        if value is not None and not math.isfinite(value):
            value, more = None, {**more, "measured": str(value)}
        met = is_met(value, asked) if self._judged else None
        self.figures.append({"name": name, "value": value, "unit": unit, "asked": asked, "met": met, **more})
        self._write()

    def fact(self, **facts: Any) -> None:
        """What is worth knowing and is no figure."""
        self.facts |= facts
        self._write()

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Within it an error is printed and noted, and the script goes on with what comes after."""
        try:
            yield
        except Exception:
            traceback.print_exc()
            print(f"FAILED: {what}", flush=True)
            self.failed.append(what)
            self._write()

    def end(self) -> None:
        """Raises: SystemExit if an attempt failed."""
        if self.failed:
            raise SystemExit(f"failed: {', '.join(self.failed)}")

    def _write(self) -> None:
        if self._path is not None:
            write_json(self._path, {"figures": self.figures, "facts": self.facts, "failed": self.failed})
