"""What happens to a run of several processes when one of them is lost, or is given what cannot be shared."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from processes import World, free_port, start

from ganforge.core.files import check_folder, sha256_of

TINY = ["digits", "--set", "network.width=8", "--set", "optimiser.batch_size=16", "--size", "tiny"]
OFTEN = ["--set", "records.every_steps=10", "--set", "records.checkpoint_every_steps=20"]
LENGTH = ["--examples", "4800", "--set", "records.marks=[1.0]"]
RUN = ["--run", "run"]


def wait_for(path: Path, world: World) -> None:
    give_up = time.monotonic() + 180
    while not path.exists():
        assert all(process.poll() is None for process in world.processes), world.wait()
        assert time.monotonic() < give_up, f"{path} did not appear"
        time.sleep(0.02)


def model_of(run: Path) -> str:
    return sha256_of(run / "model" / "model.safetensors")


def test_a_lost_process_ends_the_others_with_words_and_the_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    straight = tmp_path / "straight"
    straight.mkdir()
    assert [code for code, _ in start(2, ["train", *TINY, *OFTEN, *LENGTH, *RUN], straight).wait()] == [0, 0]

    broken = tmp_path / "broken"
    broken.mkdir()
    world = start(2, ["train", *TINY, *OFTEN, *LENGTH, *RUN], broken)
    wait_for(broken / "run" / "checkpoints" / "000000040", world)
    world.kill(1)
    (code, words), (killed, _) = world.wait(120)
    assert killed == -signal.SIGKILL
    assert code == 1 and "Another process has died" in words and "Traceback" not in words

    assert [code for code, _ in start(2, ["resume", "run"], broken).wait()] == [0, 0]
    assert model_of(broken / "run") == model_of(straight / "run")


def test_sigterm_to_every_process_saves_and_the_run_goes_on_to_the_same_bits_as_one_that_was_not_stopped(
    tmp_path: Path,
) -> None:
    world = start(2, ["train", *TINY, *OFTEN, *LENGTH, *RUN], tmp_path)
    wait_for(tmp_path / "run" / "checkpoints" / "000000020", world)
    for rank in (0, 1):
        world.kill(rank, signal.SIGTERM)
    assert [code for code, _ in world.wait(60)] == [143, 143]
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    for name in ("run", "copy"):
        assert [code for code, _ in start(2, ["resume", name], tmp_path).wait()] == [0, 0]
    assert model_of(tmp_path / "run") == model_of(tmp_path / "copy")


def test_sigterm_while_the_leader_prepares_ends_all_at_once(tmp_path: Path) -> None:
    """The processes have not met yet, and the one that leads must not wait for those that are gone."""
    world = start(2, ["train", *TINY, *OFTEN, *LENGTH, *RUN], tmp_path, GANFORGE_CACHE=str(tmp_path / "cache"))
    wait_for(tmp_path / "run" / "recipe.json", world)  # now it trains the judge, which no cache has
    for rank in (1, 0):
        world.kill(rank, signal.SIGTERM)
    stopped = time.monotonic()
    assert [code for code, _ in world.wait(60)] == [143, 143]
    assert time.monotonic() - stopped < 30


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ended = start(2, ["train", *TINY[:-4], "--set", "optimiser.batch_size=15", *LENGTH, *RUN], tmp_path).wait()
    (code, words), (other, _) = ended
    assert (code, other) == (2, 1)
    assert "A batch of 15 cannot be shared among 2 processes" in words and "Traceback" not in words
    assert not (tmp_path / "run").exists()


def test_bad_data_is_told_by_the_leader_and_no_process_waits(tmp_path: Path) -> None:
    begun = time.monotonic()
    (code, words), (other, heard) = start(2, ["train", "nowhere/", *RUN], tmp_path).wait(120)
    assert (code, other) == (2, 1) and "nowhere" in words and "could not begin" in heard
    assert time.monotonic() - begun < 100


def test_torchrun_starts_a_broken_world_again_and_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """The product is that of a run which was never broken, although the same command was given both times."""
    arguments = ["train", *TINY, *OFTEN, *LENGTH, *RUN]
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    for folder in (straight, broken):
        folder.mkdir()
        torchrun = subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"),
                *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--monitor-interval", "0.2"),
                *("-m", "ganforge", "--", *arguments),
            ],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if folder is broken:
            wait_for(broken / "run" / "checkpoints" / "000000040", World([torchrun]))
            victim = int((broken / "run" / "lock").read_text("ascii"))  # the leader itself
            os.kill(victim, signal.SIGKILL)
        words, _ = torchrun.communicate(timeout=240)
        assert torchrun.returncode == 0, words
    assert '"kind": "resumed"' in (broken / "run" / "events.jsonl").read_text("utf-8")
    check_folder(broken / "run" / "model")
    assert model_of(broken / "run") == model_of(straight / "run")
