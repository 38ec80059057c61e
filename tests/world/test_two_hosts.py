"""Two hosts, as two network namespaces of this machine with one cable between them. It needs the right to make them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import start
from small_world import TRAIN, at_exchange, codes, model_of, script


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """The names of two hosts, 10.77.0.1 and 10.77.0.2, each with the interface `cable`."""
    names = [f"ganforge-{os.getpid()}-{number}" for number in (1, 2)]
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need the program ip and root")
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        for number, name in enumerate(names, start=1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
    except subprocess.CalledProcessError as error:
        _remove(names)
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    yield names
    _remove(names)


def _remove(names: list[str]) -> None:
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.mark.slow
def test_a_cut_cable_ends_both_hosts_when_their_patience_does_and_the_run_goes_on_when_it_is_mended(
    hosts: list[str], tmp_path: Path, straight: Path
) -> None:
    """Nothing of the second host is needed again: neither the data nor the run folder was within its reach.

    The first host cuts the cable itself, at a counted exchange. If both did not heed what they are told of their
    patience, they would have it for a day.
    """
    before = [["ip", "netns", "exec", name] for name in hosts]
    network = {"MASTER_ADDR": "10.77.0.1", "GLOO_SOCKET_IFNAME": "cable"}
    cuts = at_exchange(60, "if rank == 0: os.system('ip link set cable down')")
    cut = script("worlds.PATIENCE_SECONDS = 86400\n", cuts)
    world = start(2, TRAIN, tmp_path, script=cut, before=before, GANFORGE_PATIENCE_SECONDS="5", **network)
    for code, words in world.wait():
        assert code == 1 and "the connection is cut" in words and "Traceback" not in words, words

    ip("-n", hosts[0], "link", "set", "cable", "up")
    assert codes(start(2, ["resume", "run"], tmp_path, before=before, **network)) == [0, 0]
    assert model_of(tmp_path / "run") == model_of(straight)
