"""What test processes share: one thread each, one cache for all, and the seconds of each folder at the end."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

# Read when torch is imported, also by the processes that tests start. Two workers of two threads on two cores would
# wait for each other at every small operation.
os.environ.setdefault("OMP_NUM_THREADS", "1")
WORKER = "PYTEST_XDIST_WORKER" in os.environ


@pytest.fixture(scope="session", autouse=True)
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep judges in a folder of this session instead of the user's: all workers use it, the next session does not."""
    base = tmp_path_factory.getbasetemp()
    os.environ["GANFORGE_CACHE"] = str((base.parent if WORKER else base) / "cache")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold most slow tests: otherwise one worker has a long one left when others are done."""
    if WORKER:
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seconds of each folder of tests, and how many of them `make check` waits for."""
    seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folder = "/".join(Path(report.nodeid.split("::")[0]).parts[:-1])
                seconds[folder][0] += report.duration
                seconds[folder][1] += 0 if "slow" in report.keywords else report.duration
    terminalreporter.write_line("seconds   not slow   folder")
    for folder, (whole, quick) in sorted(seconds.items(), key=lambda item: -item[1][0]):
        terminalreporter.write_line(f"{whole:7.0f}   {quick:8.0f}   {folder}")
