"""Planted histories: what a healthy run looks like, and each thing that can be wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ganforge.records import History, Record

RECORDS = 60


def record(i: int, n: int = RECORDS) -> Record:
    """A healthy GAN at record i of n: it wobbles, it is never perfect, and quality gets better and settles."""
    p = (i + 1) / n
    wobble = math.sin(1.7 * i) * 0.05
    settle = 1 - math.exp(-12 * p)
    rate = 0.003 * 0.5 * (1 + math.cos(math.pi * p)) + 3e-7
    made: Record = {
        "step": 100 * (i + 1),
        "examples": 6400 * (i + 1),
        "progress": p,
        "seconds": 300 * p,
        "examples_per_second": 1250 * (1 + wobble),
        "length_examples": 6400 * n,
        "terms": {
            "discriminator": {"adversarial": 0.45 + wobble, "r1": 0.05, "r2": 0.05},
            "generator": {"adversarial": 1.2 + 4 * wobble},
        },
        "notes": {
            "discriminator": {
                "score_real": 0.9 + wobble,
                "score_fake": -0.3,
                "ranked_right": 0.82 + wobble,
                "slope_real": 0.3,
                "slope_fake": 0.3,
            },
            "generator": {},
        },
        "gradient_norms": {"discriminator": 0.8 + 2 * wobble, "generator": 0.3 + wobble},
        "update_ratios": {"discriminator": 1e-3 * rate / 0.003, "generator": 2e-3 * rate / 0.003},
        "learning_rates": {"discriminator": rate, "generator": rate},
        "skipped": 0,
        "attempt": 0,
    }
    if (i + 1) % 6 == 0:
        made["quality"] = {"fid": 18 + 200 * (1 - settle), "precision": 0.7 * settle, "recall": 0.55 * settle}
    return made


def gan(change: Callable[[int, Record], None] | None = None, n: int = RECORDS, **rest: Any) -> History:
    """A healthy run, with `change` done to every record."""
    records = [record(i, n) for i in range(n)]
    for i, one in enumerate(records):
        if change is not None:
            change(i, one)
    return History(records=tuple(records), **rest)


def regression(final_norm: float = 1e-7, final_loss: float = 0.01) -> History:
    """One player: loss and gradient norm fall geometrically, as plain backpropagation does on least squares."""
    records: list[Record] = []
    for i in range(40):
        p = (i + 1) / 40
        records.append(
            {
                "step": i + 1,
                "examples": 100 * (i + 1),
                "progress": p,
                "seconds": p,
                "examples_per_second": 100.0,
                "terms": {"model": {"squared_error": final_loss**p}},
                "notes": {"model": {}},
                "gradient_norms": {"model": final_norm**p},
                "update_ratios": {"model": final_norm**p * 0.01},
                "learning_rates": {"model": 0.1},
                "skipped": 0,
                "attempt": 0,
                "quality": {"squared_error": final_loss**p},
            }
        )
    return History(records=tuple(records))


def measure(
    name: str, value: float, better: str = "higher", floor: float = 0.9, reference: float = 0.0
) -> dict[str, Any]:
    """One measure of evaluation.json with a narrow interval."""
    return {
        "name": name,
        "value": value,
        "low": value - 0.02,
        "high": value + 0.02,
        "floor": floor,
        "reference": reference,
        "better": better,
        "meaning": "What it means.",
    }
