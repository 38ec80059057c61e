"""What the scaling benchmark tells is arithmetic that can be done by hand, and the bytes that it states are sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import free_port
from scaling import GRADIENT_BYTES, Link, all_reduce_seconds, computed_bytes, efficiency

COUNTED = """
import json
import torch.distributed as dist
from ganforge.core.world import joined, meet
import scaling
sent, all_reduce = [], dist.all_reduce

def counted(tensor, *more, **options):
    sent.append(tensor.numel() * tensor.element_size())
    return all_reduce(tensor, *more, **options)

dist.all_reduce = counted
job = scaling.job_of("tables")
game = job.game()
with joined() as world:
    meet(world)
    scaling.trained(job, game, 10, world)
print("TOLD" + json.dumps({"sent": sent, "stated": scaling.step_bytes(game)}))
"""


def test_one_process_and_no_bytes_cost_nothing() -> None:
    assert all_reduce_seconds(1e9, 1, 1e9, 1.0) == 0
    assert all_reduce_seconds(0, 8, 1e9, 1.0) == 0
    assert efficiency(0.1, [1e9, 1e9], Link("", 1, 1e9, 1.0)) == 1
    assert efficiency(0.1, [0, 0], Link("", 512, 1e9, 1.0)) == 1


def test_a_ring_of_four_is_as_reckoned_by_hand() -> None:
    # 6 messages of a quarter of 100 MB at 1 GB/s are 150 ms, and 6 hops of 1 ms 6 ms; a tree takes 200 ms and 4 hops.
    assert all_reduce_seconds(100e6, 4, 1e9, 1e-3) == pytest.approx(0.156)
    link = Link("", 4, 1e9, 1e-3)
    assert efficiency(0.312, [100e6, 100e6], link) == pytest.approx(0.5)
    assert efficiency(0.312, [100e6, 100e6], link, overlap=True) == pytest.approx(1.0)
    assert efficiency(0.156, [100e6, 100e6], link, overlap=True) == pytest.approx(0.5)


def test_few_bytes_among_many_go_by_a_tree() -> None:
    # 1,022 hops of a ring would be 10.22 ms; twice 9 levels of a tree are 0.18 ms, and 2 KB at 1 GB/s 2 us.
    assert all_reduce_seconds(1000, 512, 1e9, 1e-5) == pytest.approx(18e-5 + 2e-6)


@given(
    step=st.floats(1e-4, 10),
    sizes=st.lists(st.floats(0, 1e10), min_size=1, max_size=4),
    processes=st.integers(1, 4096),
    bandwidth=st.floats(1e6, 1e12),
    latency=st.floats(0, 1e-2),
)
def test_efficiency_is_a_share_that_overlap_never_lowers_and_longer_steps_raise(
    step: float, sizes: list[float], processes: int, bandwidth: float, latency: float
) -> None:
    link = Link("", processes, bandwidth, latency)
    plain, hidden = efficiency(step, sizes, link), efficiency(step, sizes, link, overlap=True)
    assert 0 < plain <= hidden <= 1
    assert efficiency(2 * step, sizes, link) >= plain
    assert hidden <= 2 * plain + 1e-12, "hiding all of it at most doubles the speed"


@pytest.mark.slow
def test_the_bytes_that_are_stated_are_those_that_two_processes_send() -> None:
    port, processes = str(free_port()), []
    for rank in range(2):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        reach = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": os.pathsep.join(sys.path)}
        surroundings = {**os.environ, **place, **reach, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", COUNTED]
        processes.append(subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True))
    for words in [process.communicate(timeout=600)[0] for process in processes]:
        told = json.loads(words.split("TOLD")[1])
        stated = list(told["stated"].values())
        assert len(stated) == 2
        assert told["sent"][:20] == stated * 10
        assert sum(told["sent"][20:]) < 1000, "the account of a record is small"


def test_parameters_are_counted_without_making_them() -> None:
    sizes = computed_bytes()["32x32 as R3GAN, width 768, 2 blocks"]
    # A block of 768 channels: 1x1 to 1536 with a bias, 3x3 in groups of 16 with a bias, 1x1 back without one.
    block = (768 + 1) * 1536 + (16 * 9 + 1) * 1536 + 1536 * 768
    generator = 8 * block + 768 * 4 * 4 + 64 * 768 + (768 + 1) * 3
    assert sizes["generator"] == GRADIENT_BYTES * generator
    discriminator = 8 * block + (3 + 1) * 768 + 768 * 4 * 4 + (768 + 1)
    assert sizes["discriminator"] == GRADIENT_BYTES * discriminator
