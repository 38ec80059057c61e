"""The run that the tests of several processes train, small and with many checkpoints, and how it is waited for."""

from __future__ import annotations

import time
from pathlib import Path

from processes import World

from ganforge.core.files import sha256_of

TINY = ["digits8", "--size", "tiny", "--set", "network.width=8"]
OFTEN = ["--set", "records.every_steps=10", "--set", "records.checkpoint_every_steps=20"]
LENGTH = ["--examples", "2400", "--set", "records.marks=[1.0]"]
TRAIN = ["train", *TINY, "--set", "optimiser.batch_size=16", *OFTEN, *LENGTH, "--run", "run"]


def wait_for(path: Path, world: World) -> None:
    """Wait until a file or folder appears. Raises: AssertionError if a process of the world ends before."""
    give_up = time.monotonic() + 180
    while not path.exists():
        assert all(process.poll() is None for process in world.processes), world.wait()
        assert time.monotonic() < give_up, f"{path} did not appear"
        time.sleep(0.01)


def codes(world: World) -> list[int]:
    """The exit codes of all processes, in the order of their ranks."""
    return [code for code, _ in world.wait()]


def model_of(run: Path) -> str:
    """The sha256 of the weights of a run's model."""
    return sha256_of(run / "model" / "model.safetensors")
