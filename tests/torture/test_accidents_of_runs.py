"""Whatever happens to a run, and whenever: it goes on to the same bytes, and says in words what was wrong."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from torture import KINDS, Torture, every_moment
from torture_victims import Accident

from ganforge.cli import main
from ganforge.core.files import check_folder
from ganforge.engine.checkpoint import list_checkpoints
from ganforge.run import Run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["pictures", "table"])
def test_kills_at_random_moments_end_with_the_same_bytes(kind: str, victims: Any, tmp_path: Path) -> None:
    """Several of them in one run, some times. `python benchmarks/torture.py` does more, on all kinds of runs.

    A moment is an operation on files and no time: between two of them a kill finds the same files, and of a run that
    turns out faster than the straight one was a time may lie behind the end.
    """
    torture, chance, kills, wrong = Torture(kind, tmp_path, victims), random.Random(0), 0, []
    moments = range(len(torture.straight.operations))
    while kills < 6:
        fate = torture.survive(
            [Accident("kill", at=chance.choice(moments)) for _ in range(chance.choice([1, 1, 2, 3]))]
        )
        kills += len(fate.moments)
        wrong += [fate] if fate.wrong else []
    assert wrong == []


def test_a_kill_before_any_operation_on_files_ends_with_the_same_bytes(short: Torture) -> None:
    fates = [short.survive([accident]) for accident in every_moment(short.straight, "kill", 1)]
    assert len(fates) > 45
    assert [fate for fate in fates if fate.wrong] == []


def test_a_full_disk_at_any_file_is_said_in_words_and_the_run_goes_on_to_the_same_bytes(short: Torture) -> None:
    fates = [short.survive([accident]) for accident in every_moment(short.straight, "full", 2)]
    assert len(fates) > 12
    assert [fate for fate in fates if fate.wrong] == []


@pytest.mark.parametrize("kind", ["terminate", "interrupt"])
def test_a_signal_at_any_moment_ends_with_its_own_code_and_the_run_goes_on(kind: Any, short: Torture) -> None:
    fates = [short.survive([accident]) for accident in every_moment(short.straight, kind, 10)]
    assert [fate for fate in fates if fate.wrong] == []


@pytest.mark.parametrize("kind", ["cut", "short"])
@pytest.mark.parametrize("size", [400, 2_000, 12_000, 60_000])
def test_a_file_that_gets_no_longer_is_never_half_there(kind: Any, size: int, short: Torture) -> None:
    """The write itself stops in the middle: by a kill, or because the file may not grow."""
    assert short.survive([Accident(kind, at=size)]).wrong == ""


def test_a_comparison_that_finds_everything_equal_would_find_a_difference(short: Torture, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    subprocess.run(["cp", "-r", str(short.run.folder), str(run.folder)], check=True)
    assert short.differences(run) == ""
    (run.folder / ".metrics.jsonl.12.0123abcd").write_text("")
    assert short.differences(run) == "different: leftovers, names"
    last = list_checkpoints(run.checkpoints)[-1]
    content = bytearray((last / "tensors.safetensors").read_bytes())
    content[-1] ^= 1
    (last / "tensors.safetensors").write_bytes(bytes(content))
    assert f"{last.name}/tensors" in short.differences(run)


@pytest.mark.parametrize("kilobytes", [24, 64])
def test_a_small_disk_that_is_full_loses_nothing(
    kilobytes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run(
        [*options, f"size={kilobytes}k", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        run = Run(disk / "run")
        assert main([*KINDS["regress"], "--run", str(run.folder)]) == 1
        said = capsys.readouterr().err
        assert "could not be written" in said and "The disk is full." in said and "Traceback" not in said
        for checkpoint in list_checkpoints(run.checkpoints):
            check_folder(checkpoint)
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        verb = ["resume"] if run.recipe.is_file() else [*KINDS["regress"], "--run"]
        assert main([*verb, str(run.folder)]) == 0
        assert run.finished() and not list(run.folder.rglob(".*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
