"""What happens to a run of several processes when one of them is lost, or is given what cannot be shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import free_port, start
from small_world import DAY, MIDDLE, OFTEN, TINY, TRAIN, at_exchange, codes, model_of, script, wait_for

from ganforge.core.files import check_folder

pytestmark = pytest.mark.slow


def test_a_lost_process_ends_the_others_with_words_and_the_run_goes_on_to_the_same_bits(
    tmp_path: Path, straight: Path
) -> None:
    dies = script(at_exchange(MIDDLE, "if rank == 1: os.kill(os.getpid(), signal.SIGKILL)"))
    (code, words), (killed, _) = start(2, TRAIN, tmp_path, script=dies, **DAY).wait()
    assert killed == -signal.SIGKILL
    assert code == 1 and "Another process has died" in words and "Traceback" not in words
    assert not (tmp_path / "run" / "model").exists()

    assert codes(start(2, ["resume", "run"], tmp_path)) == [0, 0]
    assert model_of(tmp_path / "run") == model_of(straight)


def test_sigterm_to_every_process_saves_and_the_run_goes_on_to_the_same_bits_as_one_that_was_not_stopped(
    tmp_path: Path, straight: Path
) -> None:
    stopped = script(at_exchange(MIDDLE, "os.kill(os.getpid(), signal.SIGTERM)"))
    assert codes(start(2, TRAIN, tmp_path, script=stopped, **DAY)) == [143, 143]
    assert not (tmp_path / "run" / "model").exists()
    assert codes(start(2, ["resume", "run"], tmp_path)) == [0, 0]
    assert model_of(tmp_path / "run") == model_of(straight)


def test_sigterm_while_the_leader_prepares_ends_all_at_once(tmp_path: Path) -> None:
    """The processes have not met yet, and the one that leads must not wait for those that are gone."""
    endless = """
from ganforge.planning import evaluator

def learn(*_, **__):
    Path("preparing").touch()
    time.sleep(86400)

evaluator.train_judge = learn
"""
    world = start(2, TRAIN, tmp_path, script=script(endless), **DAY)
    wait_for(tmp_path / "preparing", world)
    world.kill(1, signal.SIGTERM)
    world.processes[1].communicate()
    world.kill(0, signal.SIGTERM)
    assert codes(world) == [143, 143]


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    uneven = ["train", *TINY, *OFTEN, "--set", "optimiser.batch_size=15", "--run", "run"]
    (code, words), (other, _) = start(2, uneven, tmp_path, **DAY).wait()
    assert (code, other) == (2, 1)
    assert "A batch of 15 cannot be shared among 2 processes" in words and "Traceback" not in words
    assert not (tmp_path / "run").exists()


def test_bad_data_is_told_by_the_leader_and_no_process_waits(tmp_path: Path) -> None:
    (code, words), (other, heard) = start(2, ["train", "nowhere/", "--run", "run"], tmp_path, **DAY).wait()
    assert (code, other) == (2, 1) and "nowhere" in words and "could not begin" in heard


def test_torchrun_starts_a_broken_world_again_and_it_goes_on_where_it_was(tmp_path: Path, straight: Path) -> None:
    """The product is that of a run which was never broken, although the same command was given both times.

    These are interpreters of their own, not forks of one: neither is the order of a set of strings the same in both.
    """
    dies = "if rank == 0 and restarts == 0: os.kill(os.getpid(), signal.SIGKILL)"
    (tmp_path / "broken.py").write_text(script(at_exchange(MIDDLE, dies)))
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--monitor-interval", "0.2"),
        *("broken.py", "--", *TRAIN),
    ]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", **DAY}
    done = subprocess.run(
        command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"kind": "resumed"' in (tmp_path / "run" / "events.jsonl").read_text("utf-8")
    check_folder(tmp_path / "run" / "model")
    assert model_of(tmp_path / "run") == model_of(straight)
