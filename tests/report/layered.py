"""Records that tell of their layers, made by hand: what backpropagation looks like when it is healthy, and when not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ganforge.records import Record
from ganforge.run import Run

LAYERS = ("start", "blocks.0", "blocks.1", "blocks.2", "last")
Layers = dict[str, dict[str, dict[str, float | None]]]


def layers(i: int, count: int, names: tuple[str, ...] = LAYERS) -> Layers:
    """Healthy: layers differ by up to twenty times, steps are a thousandth of the weights and fall with the rate."""
    wobble = 1 + 0.2 * math.sin(1.3 * i)
    found: Layers = {}
    for player, scale in (("discriminator", 1.0), ("generator", 0.3)):
        found[player] = {
            name: {
                "gradient_norm": scale * wobble * 0.05 * 20 ** (place / len(names)),
                "weight_norm": 12.0,
                "update_ratio": 1e-3 * wobble * rate(i, count),
            }
            for place, name in enumerate(names)
        }
    return found


def rate(i: int, count: int) -> float:
    """A learning rate that falls to nothing, as a share of its beginning."""
    return 0.5 * (1 + math.cos(math.pi * (i + 1) / count)) + 1e-9


def layered(change: Callable[[int, Layers], Any] | None = None, count: int = 40) -> list[Record]:
    """A run of `count` records, with `change` done to the layers of each."""
    records: list[Record] = []
    for i in range(count):
        told = layers(i, count)
        if change is not None:
            change(i, told)
        p = (i + 1) / count
        records.append(
            {
                "step": 50 * (i + 1),
                "examples": 3200 * (i + 1),
                "length_examples": 3200 * count,
                "progress": p,
                "seconds": 100 * p,
                "examples_per_second": 1000.0,
                "attempt": 0,
                "skipped": 0,
                "terms": {player: {"adversarial": 0.5} for player in told},
                "notes": {"discriminator": {"ranked_right": 0.8, "score_real": 0.5, "score_fake": -0.5}},
                "gradient_norms": dict.fromkeys(told, 0.5),
                "update_ratios": {player: 1e-3 * rate(i, count) for player in told},
                "learning_rates": {player: 2e-3 * rate(i, count) for player in told},
                "layers": told,
            }
        )
    return records


def plant_layers(run: Run, names: tuple[str, ...] = LAYERS) -> None:
    """Gives every record of a planted run its layers."""
    records = run.read_records()
    run.metrics.unlink()
    for i, record in enumerate(records):
        run.add_record({**record, "layers": layers(i, len(records), names)})
