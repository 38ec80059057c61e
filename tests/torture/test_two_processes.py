"""Two processes on one run folder: the second is refused, by every verb that writes there, and spoils nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganforge.cli import main

pytestmark = pytest.mark.slow
TRAIN = ["train", "diabetes", "--task", "regress", "--label", "target", "--examples", "640", "--run"]
WAITS = """
import sys
from ganforge.cli import live, main

class Waits:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def event(self, event): pass
    def record(self, record):
        print("training", flush=True)
        sys.stdin.readline()

live.view_for = lambda console: Waits()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that trains tmp_path/run and waits at every record for a line, until its input ends."""
    command = [sys.executable, "-c", WAITS, *TRAIN, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        yield process
        process.kill()


def test_the_second_process_is_refused_with_the_id_of_the_first(
    trainer: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    for words in (["resume", run], [*TRAIN, run, "--force"]):
        assert main(words) == 2
        assert f"in use by process {trainer.pid}" in capsys.readouterr().err
    assert main([*TRAIN, run]) == 2
    assert "already a run" in capsys.readouterr().err
    assert trainer.poll() is None
    trainer.communicate()  # its input ends: it trains on to the end
    assert trainer.returncode == 0
    assert main(["resume", run]) == 0
    assert "Report" in capsys.readouterr().out


def test_when_the_first_process_is_killed_the_second_may_go_on(
    trainer: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", str(tmp_path / "run")]) == 2
    trainer.kill()
    trainer.wait()
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert "goes on after" in capsys.readouterr().out
