"""One process and several with the same batch train the same run, up to the order of floating-point sums."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import BAR, SOURCES, apart, losses

STEPS = 20  # `python benchmarks/processes.py` takes 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_loss_curves_agree_to_floating_point_order_on_one_two_and_four_processes(tmp_path: Path, kind: str) -> None:
    alone = losses(tmp_path, kind, 1, steps=STEPS)
    for size in (2, 4):
        difference = apart(alone, losses(tmp_path, kind, size, steps=STEPS))
        assert difference < BAR, f"{size} processes: {difference:.2e}"
