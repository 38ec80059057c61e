"""One trainer per run folder, whatever happens to trainers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganforge import run as module
from ganforge.errors import RunError
from ganforge.run import held_by, hold

HOLDS = """
import sys, time
from pathlib import Path
from ganforge.run import hold

with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    return tmp_path / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(lock)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_with_the_first_ones_number(lock: Path, holder: subprocess.Popen[str]) -> None:
    assert held_by(lock) == f"process {holder.pid}"
    with pytest.raises(RunError, match=f"in use by process {holder.pid}"), hold(lock):
        pytest.fail("two held one lock")
    assert held_by(lock) == f"process {holder.pid}"  # the one that was refused took nothing away


def test_a_lock_is_free_at_once_when_its_holder_was_killed(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock.exists() and held_by(lock) is None
    with hold(lock):
        assert held_by(lock) == f"process {os.getpid()}"


def test_the_same_process_does_not_get_a_lock_twice(lock: Path) -> None:
    with hold(lock), pytest.raises(RunError, match=str(os.getpid())), hold(lock):
        pytest.fail("one process held one lock twice")
    with hold(lock):
        pass
    assert not lock.exists()


def test_a_number_that_another_program_has_by_now_blocks_nobody(lock: Path) -> None:
    """A killed trainer's number may be given to a program that lives: here to the parent of this test."""
    lock.write_text(f"{os.getppid()}\n")
    assert held_by(lock) is None
    with hold(lock):
        assert held_by(lock) == f"process {os.getpid()}"


def test_a_lock_file_that_its_holder_removed_in_between_is_not_taken_for_the_lock(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open, then the holder finishes and removes the file, then lock: that lock would keep nobody out."""
    opened = os.open

    def open_then_removed(path: object, flags: int, mode: int = 0o777) -> int:
        handle = opened(path, flags, mode)  # type: ignore[arg-type]
        monkeypatch.undo()
        lock.unlink()
        return handle

    monkeypatch.setattr(module.os, "open", open_then_removed)
    with hold(lock):
        assert held_by(lock) == f"process {os.getpid()}"
