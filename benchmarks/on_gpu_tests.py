"""Runs a file of tests, with pytest where it is here, and counts what passed.

Without pytest a stand-in for the few things that tests/engine/test_on_gpu.py takes from it: marks, fixtures that are
used by themselves, and a temporary folder. Warnings are told and fail nothing: they are not what is measured.

    python benchmarks/on_gpu_tests.py tests/engine/test_on_gpu.py [--json FIGURES.json]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import itertools
import os
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from figures import Figures

OUTCOMES = ("passed", "failed", "skipped")


class Count:
    """How many tests ended how, written down after each."""

    def __init__(self, figures: Figures) -> None:
        self._figures, self.ended = figures, dict.fromkeys(OUTCOMES, 0)

    def one(self, name: str, outcome: str) -> None:
        self.ended[outcome] += 1
        print(f"{outcome:8s} {name}", flush=True)
        self._figures.fact(**{name: outcome})

    def tell(self) -> None:
        for outcome, asked in zip(OUTCOMES, (">= 1", "<= 0", None), strict=True):
            self._figures.add(outcome, self.ended[outcome], "tests", asked)


class Reporter:
    """A plugin of pytest."""

    def __init__(self, count: Count) -> None:
        self._count = count

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._count.one(report.nodeid.split("::", 1)[-1], report.outcome)


def with_pytest(path: Path, count: Count) -> None:
    import pytest

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what else is installed here has no say
    code = pytest.main([str(path), "-p", "no:cacheprovider", "-W", "default", "-rs"], plugins=[Reporter(count)])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {code!r}")


def stand_in() -> types.ModuleType:
    """A module `pytest` that keeps marks and fixtures as attributes of the functions."""
    module = types.ModuleType("pytest")

    def parametrize(name: str, values: Any, **_: Any) -> Callable[[Any], Any]:
        def keep(test: Any) -> Any:
            test.parameters = [*getattr(test, "parameters", []), (name, list(values))]
            return test

        return keep

    def fixture(function: Any = None, *, autouse: bool = False, **_: Any) -> Any:
        def keep(function: Any) -> Any:
            function.used_by_itself = autouse
            return function

        return keep(function) if function else keep

    def skipif(condition: bool, *, reason: str) -> Any:
        return ("skip", reason) if condition else None

    module.mark = types.SimpleNamespace(parametrize=parametrize, skipif=skipif)  # type: ignore[attr-defined]
    module.fixture = fixture  # type: ignore[attr-defined]
    return module


def combinations(test: Any) -> Iterator[dict[str, Any]]:
    """The arguments of each call that its marks ask for."""
    named = getattr(test, "parameters", [])
    for values in itertools.product(*(values for _, values in named)):
        yield {name: value for (name, _), value in zip(named, values, strict=True)}


def without_pytest(path: Path, count: Count) -> None:
    sys.modules["pytest"] = stand_in()
    sys.path.insert(0, str(path.parent))
    module = importlib.import_module(path.stem)
    around = [contextmanager(f) for f in vars(module).values() if getattr(f, "used_by_itself", False)]
    skip = getattr(module, "pytestmark", None)
    for name, test in vars(module).items():
        if not (name.startswith("test_") and inspect.isfunction(test)):
            continue
        for arguments in combinations(test):
            told = name + (f"[{'-'.join(map(str, arguments.values()))}]" if arguments else "")
            count.one(told, "skipped" if skip else outcome_of(test, arguments, around))


def outcome_of(test: Callable[..., None], arguments: Mapping[str, Any], around: list[Callable[[], Any]]) -> str:
    """Runs one test within the fixtures that are used by themselves."""
    try:
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            for fixture in around:
                stack.enter_context(fixture())
            more = {"tmp_path": Path(folder)} if "tmp_path" in inspect.signature(test).parameters else {}
            test(**arguments, **more)
    except Exception:
        traceback.print_exc()
        return "failed"
    return "passed"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tests", type=Path)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    figures = Figures(asked.json)
    count, path = Count(figures), asked.tests.resolve()
    here = importlib.util.find_spec("pytest") is not None
    print("with pytest" if here else "pytest is not here: with a stand-in for it", flush=True)
    (with_pytest if here else without_pytest)(path, count)
    count.tell()
    if count.ended["failed"]:
        raise SystemExit(f"{count.ended['failed']} tests failed")


if __name__ == "__main__":
    main()
