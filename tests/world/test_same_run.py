"""One process and several with the same batch train the same run, up to the order of floating-point sums."""

from __future__ import annotations

from pathlib import Path

import pytest
from many import IN_DOUBLE, records, start

STEPS = 200
SOURCES = {
    "pictures": ["digits", "--set", "network.width=8", "--set", "optimiser.batch_size=16"],
    "table": ["wine", "--set", "network.width=32", "--set", "optimiser.batch_size=32"],
}


def losses(folder: Path, kind: str, size: int) -> list[float]:
    """Every loss term of both players at every step, in float64."""
    data, *settings = SOURCES[kind]
    batch = int(settings[-1].split("=")[1])
    more = ["--examples", str(batch * STEPS), "--run", f"run{size}", "--set", "records.every_steps=1"]
    marks = ["--set", "records.marks=[1.0]", "--set", "compute.precision=float32"]
    ended = start(size, ["train", data, *settings, *more, *marks], folder, script=IN_DOUBLE).wait()
    assert [code for code, _ in ended] == [0] * size, ended
    told = [record["terms"] for record in records(folder / f"run{size}")]
    assert len(told) == STEPS
    return [value for terms in told for player in sorted(terms) for _, value in sorted(terms[player].items())]


@pytest.mark.parametrize("kind", SOURCES)
def test_loss_curves_agree_to_floating_point_order_on_one_two_and_four_processes(tmp_path: Path, kind: str) -> None:
    alone = losses(tmp_path, kind, 1)
    for size in (2, 4):
        together = losses(tmp_path, kind, size)
        apart = max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(alone, together, strict=True))
        assert apart < 1e-4, f"{size} processes: {apart:.2e}"
