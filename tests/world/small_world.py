"""The run that the tests of several processes train, small and with many checkpoints, and accidents that happen to it.

No test here asks a clock. An accident comes at a counted exchange of gradients, whoever is slow; a process that waits
for one that is gone would wait for a day (DAY), so that a test which ends has shown that nobody waits.
"""

from __future__ import annotations

import time
from pathlib import Path

from processes import HUNG_SECONDS, World

from ganforge.core.files import sha256_of

TINY = ["digits8", "--size", "tiny", "--set", "network.width=8"]
OFTEN = ["--set", "records.every_steps=10", "--set", "records.checkpoint_every_steps=20"]
LENGTH = ["--examples", "2400", "--set", "records.marks=[1.0]"]
TRAIN = ["train", *TINY, "--set", "optimiser.batch_size=16", *OFTEN, *LENGTH, "--run", "run"]
DAY = {"GANFORGE_PATIENCE_SECONDS": "86400"}
MIDDLE = 110  # the exchange of gradients about which a third of TRAIN is over: two players, 150 steps

BEGINNING = """
import os, runpy, signal, time
from pathlib import Path
from ganforge.core import world as worlds

rank, restarts = int(os.environ["RANK"]), int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
"""
AT_EXCHANGE = """
exchanges, send_off = 0, worlds.World.send_off

def counted(world, tensors):
    global exchanges
    exchanges += world.size > 1  # the leader, which times this machine first, takes a few steps alone
    if exchanges == {number} and world.size > 1:
        {does}
    return send_off(world, tensors)

worlds.World.send_off = counted
"""
END = 'runpy.run_module("ganforge", run_name="__main__", alter_sys=True)\n'


def script(*more: str) -> str:
    """The command `ganforge`, after some more code, which knows `rank` and `restarts`."""
    return "".join((BEGINNING, *more, END))


def at_exchange(number: int | str, does: str) -> str:
    """Code for `script` by which each process does something before its exchange of this number.

    Args: number an expression, and does a statement.
    """
    return AT_EXCHANGE.format(number=number, does=does)


def wait_for(path: Path, world: World) -> None:
    """Wait until a file or folder appears. Raises: AssertionError if a process of the world ends before, or hangs."""
    give_up = time.monotonic() + HUNG_SECONDS
    while not path.exists():
        for process in world.processes:
            assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up, f"{path} did not appear"
        time.sleep(0.01)


def codes(world: World) -> list[int]:
    """The exit codes of all processes, in the order of their ranks."""
    return [code for code, _ in world.wait()]


def model_of(run: Path) -> str:
    """The sha256 of the weights of a run's model."""
    return sha256_of(run / "model" / "model.safetensors")
