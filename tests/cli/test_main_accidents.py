"""Accidents while `ganforge train` runs: a full disk, a person who presses Ctrl-C twice, names with brackets."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ganforge import __version__
from ganforge.api.runs import RunSummary
from ganforge.cli import main
from ganforge.cli import output as tables
from ganforge.run import held_by

TRAIN = ["train", "diabetes", "--task", "regress", "--label", "target", "--examples", "640", "--run"]


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("tensors.safetensors", "stopped at 0%"),  # of a checkpoint
        ("000000000.png", "stopped at 0%"),  # samples
        ("metrics.jsonl", "stopped at 0%"),
        ("evaluation.json", "stopped at 100%"),
        ("report.html", "finished"),
        ("lock", None),  # the run never began
        ("recipe.json", None),
    ],
)
def test_a_full_disk_is_said_in_three_sentences_and_the_run_goes_on_later(
    written: str, state: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        _fill_the_disk(written, patch)
        assert main([*TRAIN, str(run)]) == 1
    sentences = capsys.readouterr().err.splitlines()
    assert len(sentences) == 3 and sentences[1:] == ["The disk is full.", "Free some space, then go on."]
    assert held_by(run / "lock") is None
    assert not list(run.rglob(".*"))  # nothing half-written
    if state is None:
        assert list(run.iterdir()) == []
        return
    assert main(["runs", str(tmp_path)]) == 0
    assert state in capsys.readouterr().out
    assert main(["resume", str(run)]) == 0
    assert (run / "report.html").is_file()


def _fill_the_disk(name: str, patch: pytest.MonkeyPatch) -> None:
    """From now on every writing of a file of this name, or of its temporary one, meets a full disk."""
    whole, handle_write = Path.open, os.write

    def opened(path: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if mode[0] in "wa" and (path.name == name or path.name.startswith(f".{name}.")):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return whole(path, mode, *more, **named)

    def wrote(handle: int, content: bytes) -> int:
        if name == "lock":
            raise OSError(errno.ENOSPC, "No space left on device")
        return handle_write(handle, content)

    patch.setattr(Path, "open", opened)
    patch.setattr(os, "write", wrote)


HANGS = """
import signal, sys, time
from ganforge.cli import live, main

class Hangs:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def event(self, event): pass
    def record(self, record):
        asked = signal.getsignal(signal.SIGINT)

        def hear(number, frame):
            asked(number, frame)
            print("heard", flush=True)

        signal.signal(signal.SIGINT, hear)
        print("training", flush=True)
        time.sleep(3600)

live.view_for = lambda console: Hangs()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_the_run_can_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGS, *TRAIN, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "training\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "heard\n"
        assert process.poll() is None  # the first only asks: it waits for the end of the step
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=600) == 130
        said = process.stderr.read()
    assert "Stopped at once." in said and "ganforge resume" in said and "Traceback" not in said
    assert main(["resume", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("typed", ["train digits --version", "--version train digits", "dance --version"])
def test_version_is_told_wherever_it_stands_and_nothing_else_is_done(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(typed.split()) == 0
    assert capsys.readouterr().out == f"ganforge {__version__}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_brackets_in_a_name_are_shown_as_they_are(terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, width=300, force_terminal=terminal, color_system=None)
    name = "photos [best][/x]"
    tables.print_runs([RunSummary(Path(name), f"data {name}", "generate", "finished", "", "")], console)
    tables.say_path("Wrote", Path(f"to {name}"), console)
    tables.print_next({f"ganforge resume '{name}'": "goes on"}, console)
    for words in (name, f"data {name}", f"Wrote to {name}", f"resume '{name}'"):
        assert words in file.getvalue()


def test_one_damaged_run_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (("good", json.dumps({"task": "generate", "data": {"source": "digits"}})), ("bad", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.json").write_text(content)
    assert main(["runs", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "damaged" in shown and "stopped at 0%" in shown
