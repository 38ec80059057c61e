"""What happens to a run of several processes when one of them is lost, or is given what cannot be shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import World, free_port, start
from small_world import OFTEN, TINY, TRAIN, codes, model_of, wait_for

from ganforge.core.files import check_folder

pytestmark = pytest.mark.slow


def test_a_lost_process_ends_the_others_with_words_and_the_run_goes_on_to_the_same_bits(
    tmp_path: Path, straight: Path
) -> None:
    world = start(2, TRAIN, tmp_path)
    wait_for(tmp_path / "run" / "checkpoints" / "000000040", world)
    world.kill(1)
    (code, words), (killed, _) = world.wait(120)
    assert killed == -signal.SIGKILL
    assert code == 1 and "Another process has died" in words and "Traceback" not in words

    assert codes(start(2, ["resume", "run"], tmp_path)) == [0, 0]
    assert model_of(tmp_path / "run") == model_of(straight)


def test_sigterm_to_every_process_saves_and_the_run_goes_on_to_the_same_bits_as_one_that_was_not_stopped(
    tmp_path: Path, straight: Path
) -> None:
    world = start(2, TRAIN, tmp_path)
    wait_for(tmp_path / "run" / "checkpoints" / "000000020", world)
    for rank in (0, 1):
        world.kill(rank, signal.SIGTERM)
    assert [code for code, _ in world.wait(60)] == [143, 143]
    assert codes(start(2, ["resume", "run"], tmp_path)) == [0, 0]
    assert model_of(tmp_path / "run") == model_of(straight)


def test_sigterm_while_the_leader_prepares_ends_all_at_once(tmp_path: Path) -> None:
    """The processes have not met yet, and the one that leads must not wait for those that are gone."""
    world = start(2, TRAIN, tmp_path, GANFORGE_CACHE=str(tmp_path / "cache"))
    wait_for(tmp_path / "run" / "recipe.json", world)  # now it trains the judge, which no cache has
    for rank in (1, 0):
        world.kill(rank, signal.SIGTERM)
    assert [code for code, _ in world.wait(30)] == [143, 143]
    assert not list(tmp_path.glob("cache/judge*")), "the judge was ready before"


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    uneven = ["train", *TINY, *OFTEN, "--set", "optimiser.batch_size=15", "--run", "run"]
    (code, words), (other, _) = start(2, uneven, tmp_path).wait()
    assert (code, other) == (2, 1)
    assert "A batch of 15 cannot be shared among 2 processes" in words and "Traceback" not in words
    assert not (tmp_path / "run").exists()


def test_bad_data_is_told_by_the_leader_and_no_process_waits(tmp_path: Path) -> None:
    (code, words), (other, heard) = start(2, ["train", "nowhere/", "--run", "run"], tmp_path).wait(60)
    assert (code, other) == (2, 1) and "nowhere" in words and "could not begin" in heard


def test_torchrun_starts_a_broken_world_again_and_it_goes_on_where_it_was(tmp_path: Path, straight: Path) -> None:
    """The product is that of a run which was never broken, although the same command was given both times.

    These are interpreters of their own, not forks of one: neither is the order of a set of strings the same in both.
    """
    torchrun = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--monitor-interval", "0.2"),
            *("-m", "ganforge", "--", *TRAIN),
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(tmp_path / "run" / "checkpoints" / "000000040", World([torchrun]))
    leader = int((tmp_path / "run" / "lock").read_text("ascii"))
    os.kill(leader, signal.SIGKILL)
    words, _ = torchrun.communicate(timeout=240)
    assert torchrun.returncode == 0, words
    assert '"kind": "resumed"' in (tmp_path / "run" / "events.jsonl").read_text("utf-8")
    check_folder(tmp_path / "run" / "model")
    assert model_of(tmp_path / "run") == model_of(straight)
