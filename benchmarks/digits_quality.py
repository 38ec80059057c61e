"""Time to quality on 28x28 grey pictures: minutes of training, then samples scored beside floor and rival.

With --judge a fixed outside judge scores 10,000 samples (it must read SAMPLES.npz and print one JSON line with `fid`,
`recall` and `classes`); without, ganforge's own measures do. --tutorial also trains the widely copied DCGAN for the
same time with its own loop (28x28 only; a border of 2 makes them 32x32). Bars for MNIST after 300 s, worst of three
seeds: fid at most 20 (aim 10), recall at least 0.5, each digit's share within 0.07 to 0.13.

    python benchmarks/digits_quality.py DATA [--judge JUDGE.py [--tutorial]] [--minutes 5] [--seeds 3]

--mnist FILE.npz says where the judge finds MNIST's test pictures; --json FIGURES.json writes the figures as they come.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from engine_speed import BATCH, Pictures, TutorialDiscriminator, TutorialGenerator, tutorial_loop
from figures import Figures

import ganforge as gf
from ganforge.core.levels import to_uint8
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.measures.gaussian import gaussian_reference
from ganforge.run import Run

SAMPLES = 10_000


def outside(judge: str, pictures: Any, folder: Path, mnist: str | None = None) -> dict[str, Any]:
    path = folder / "samples.npz"
    np.savez(path, x=pictures[:, 0])
    command = [sys.executable, judge, str(path), *(["--mnist", mnist] if mnist else [])]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    scores: dict[str, Any] = json.loads(printed.stdout)  # what the judge complains of goes to our own error output
    return scores


def rival(source: str) -> Any:
    """Samples of a Gaussian fitted to each label's training pictures: the simplest thing that is not a GAN."""
    found = survey(source)
    assert found.native_size is not None
    train = open_pictures(found, size=found.native_size).train
    chosen = np.random.default_rng(0).permutation(len(train))[:20_000]
    return gaussian_reference(
        train.examples(chosen), None if train.labels is None else train.labels[chosen], SAMPLES, 0
    )


def tutorial(source: str, minutes: float) -> tuple[Any, int]:
    """Samples of the tutorial's DCGAN trained by the tutorial's loop for so many minutes, and the pictures shown."""
    found = survey(source)
    assert found.native_size == (28, 28)
    train = open_pictures(found, size=(28, 28)).train
    bordered = np.pad(train.examples()[:, 0], ((0, 0), (2, 2), (2, 2)))[..., None]  # (N, 32, 32, 1)
    generator, discriminator, feed = TutorialGenerator(), TutorialDiscriminator(), Pictures(torch.from_numpy(bordered))
    with contextlib.redirect_stdout(io.StringIO()):
        shown = BATCH * tutorial_loop(generator, discriminator, feed, end=perf_counter() + 60 * minutes)
    generator.eval()
    with torch.no_grad():
        parts = [generator(torch.randn(500, 100)) for _ in range(SAMPLES // 500)]
    return to_uint8(torch.cat(parts))[:, :, 2:-2, 2:-2].numpy(), shown


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--judge")
    parser.add_argument("--tutorial", action="store_true")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--mnist", help="for the judge")
    parser.add_argument("--fid", type=float, default=20.0, help="the bar; 20 is that for 300 s on a processor")
    parser.add_argument("--no-rival", action="store_true", help="do not score the Gaussian for each label")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    asked = parser.parse_args()
    results, figures = [], Figures(asked.json)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if asked.judge and not asked.no_rival:
            scores = outside(asked.judge, rival(asked.data), folder, asked.mnist)
            print(f"floor (real against real)      fid {scores['floor']:.2f}")
            print(f"Gaussian per label (rival)     fid {scores['fid']:.1f}, recall {scores['recall']:.2f}", flush=True)
            if asked.tutorial:
                samples, shown = tutorial(asked.data, asked.minutes)
                scores = outside(asked.judge, samples, folder, asked.mnist)
                print(
                    f"tutorial's DCGAN               fid {scores['fid']:.1f}, recall {scores['recall']:.2f}, "
                    f"{shown:,} pictures shown",
                    flush=True,
                )
        for seed in range(asked.seeds):
            trained = gf.train(asked.data, run=folder / f"run{seed}", minutes=asked.minutes, seed=seed)
            run = Run(trained.folder)
            last, recipe = run.read_records()[-1], run.read_json(run.recipe)
            print(
                f"seed {seed}: {last['seconds']:.0f} s, {last['examples']:,} pictures shown, width "
                f"{recipe['network']['width']}, gamma {recipe['objective']['gamma_start']}"
            )
            own = {m["name"]: m for m in run.read_json(run.evaluation)["measures"]}
            for name in ("frechet_distance", "kid", "recall", "coverage"):
                m = own[name]
                print(f"   {name:18s} {m['value']:9.4f}   floor {m['floor']:.4f}   Gaussian {m['reference']:.4f}")
                figures.add(f"{name}, seed {seed}", m["value"], floor=m["floor"], gaussian=m["reference"])
            print(f"   {trained.verdict}", flush=True)
            figures.fact(seconds=last["seconds"], pictures_shown=last["examples"], width=recipe["network"]["width"])
            if asked.judge:
                scores = outside(asked.judge, trained.sample(SAMPLES, seed=seed), folder, asked.mnist)
                shares = scores["classes"]
                print(
                    f"   outside judge: fid {scores['fid']:.2f}, recall {scores['recall']:.3f}, precision "
                    f"{scores['precision']:.3f}, classes {min(shares):.3f} to {max(shares):.3f}",
                    flush=True,
                )
                results.append((scores["fid"], scores["recall"], min(shares), max(shares)))
                more = {"floor": scores["floor"], "recall": scores["recall"], "classes": [min(shares), max(shares)]}
                figures.add(f"fid, seed {seed}", scores["fid"], "", f"<= {asked.fid:g}", **more)
    if results:
        fid, recall = max(r[0] for r in results), min(r[1] for r in results)
        low, high = min(r[2] for r in results), max(r[3] for r in results)
        met = fid <= asked.fid and recall >= 0.5 and low >= 0.07 and high <= 0.13
        print(f"worst of {len(results)}: fid {fid:.2f}, recall {recall:.3f}, classes {low:.3f} to {high:.3f}")
        print(f"bar: fid {asked.fid:g}, recall 0.5, classes 0.07 to 0.13: {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
