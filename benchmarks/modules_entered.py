"""How much code one run enters, from `train` to its report: modules, functions, changes of file.

Traces a tiny run of each kind of data with Python's profiling hook, after another one has made what is made once: the
imports and a judge in a cache of its own, so that the numbers are the same each time. A module is entered when one of
its functions is called; a change of file is a call from a function of one file of ganforge into one of another. Bars:
60 modules for pictures and 70 for a table (100 and 114 at commit 57bd4a8), and half of the changes of file (4,782 and
21,770, counted with whatever the cache held).

    python benchmarks/modules_entered.py [--list]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import ganforge as gf

PACKAGE = str(Path(gf.__file__).parent)
RUNS = {
    "pictures": ("digits8", {"examples": 640}, 60, 4_782 / 2),
    "tables": ("wine", {"examples": 2_000}, 70, 21_770 / 2),
    "points": ("ring8", {"examples": 2_560}, None, None),
}


class Trace:
    """Counts calls into files of the package."""

    def __init__(self) -> None:
        self.modules: Counter[str] = Counter()
        self.functions: set[tuple[str, str]] = set()
        self.changes = 0
        self._last = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if (
            event != "call"
            or not (name.startswith(PACKAGE) and name.endswith(".py"))
            or frame.f_code.co_name == "<module>"
        ):
            return
        self.modules[name] += 1
        self.functions.add((name, frame.f_code.co_qualname))
        self.changes += name != self._last
        self._last = name


def traced(source: str, asked: dict[str, Any]) -> Trace:
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GANFORGE_CACHE"] = str(Path(folder, "cache"))
        gf.train(source, run=Path(folder, "before"), **asked)  # what is made once is not part of following a run
        sys.setprofile(trace)
        threading.setprofile(trace)
        try:
            gf.train(source, run=Path(folder, "run"), **asked)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    return trace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="also name the modules, the most often entered first")
    asked = parser.parse_args()
    known = [path for path in Path(PACKAGE).rglob("*.py") if path.name != "__init__.py"]
    print(f"{'':10} {'modules':>8} {'of':>5} {'bar':>5} {'functions':>10} {'changes of file':>16} {'bar':>7}")
    for kind, (source, how, most, changes) in RUNS.items():
        trace = traced(source, {**how, "size": "tiny", "settings": {"compute.threads": "1"}})
        bars = (f"{most or '':>5}", f"{changes:>7,.0f}" if changes else f"{'':>7}")
        print(
            f"{kind:10} {len(trace.modules):8} {len(known):5} {bars[0]} {len(trace.functions):10,} "
            f"{trace.changes:16,} {bars[1]}"
        )
        if asked.list:
            for name, calls in trace.modules.most_common():
                print(f"    {calls:8,}  {Path(name).relative_to(PACKAGE)}")


if __name__ == "__main__":
    main()
