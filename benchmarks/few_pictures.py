"""Pictures from few pictures: adaptive augmentation against none, on about 110 emoji of one category.

Two thirds of a category are trained on, a third is held out (identical emoji are taken once). Both runs show equally
many pictures and differ in one setting. One judge, which has learned from the emoji of all other categories and from
none of these, measures the kernel distance of 2,000 samples to the held-out third. Beside it: the floor (the training
pictures themselves against the held-out ones), a Gaussian fitted to the training pictures, the share of samples that
copy a training picture, and whether the diagnosis finds that the discriminator overfits.

    python benchmarks/few_pictures.py EMOJI64_PAIRS.npz [--examples 100000] [--side 32] [--seeds 3] [--first 0]
        [--categories "Animals & Nature,Smileys & Emotion"] [--set augmentation.flips=true]

EMOJI64_PAIRS.npz holds noto (N, 64, 64, 3) uint8, category (N,) and categories, their names.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import numpy as np

import ganforge
from ganforge.diagnosis import diagnose
from ganforge.measures.distances import kernel_distance
from ganforge.measures.gaussian import gaussian_reference
from ganforge.measures.judge import Judge, train_judge
from ganforge.run import Run

SAMPLES = 2_000
ADAPTIVE, WITHOUT = "adaptive", "without"


def smaller(pictures: np.ndarray, side: int) -> np.ndarray:
    """uint8 (N, 64, 64, 3) -> (N, side, side, 3), each once, by averaging."""
    step = pictures.shape[1] // side
    blocks = pictures.reshape(len(pictures), side, step, side, step, 3).mean((2, 4))
    small = np.rint(blocks).astype(np.uint8)
    _, first = np.unique(small.reshape(len(small), -1), axis=0, return_index=True)
    return small[np.sort(first)]


def one_run(asked: argparse.Namespace, data: Path, scratch: Path, seed: int, way: str, judge: Judge) -> dict[str, Any]:
    settings: dict[str, Any] = {"compute.threads": 1, **dict(word.split("=", 1) for word in asked.set)}
    if way == WITHOUT:
        settings["augmentation.target"] = 0
    folder, begun = scratch / f"{data.stem}-{way}-{seed}", process_time()
    run = ganforge.train(data, examples=asked.examples, seed=seed, guard=False, settings=settings, run=folder)
    used = process_time() - begun
    with np.load(data) as arrays:
        held_out = arrays["x_test"].transpose(0, 3, 1, 2)
    samples = np.asarray(run.sample(SAMPLES, seed=7))
    found = kernel_distance(judge.features(held_out), judge.features(samples))
    measures = {one["name"]: one for one in Run(folder).read_json(Run(folder).evaluation)["measures"]}
    ailments = [finding.ailment for finding in diagnose(Run(folder).history())]
    last = Run(folder).read_records()[-1].get("augmentation", 0.0)
    told = {
        "kid": found.value,
        "copying": measures["copying"]["value"],
        "overfits": "discriminator_overfits" in ailments,
    }
    print(
        f"{data.stem:8s} seed {seed} {way:9s} kid {found.value:.4f} ({found.low:.4f} to {found.high:.4f}), copies "
        f"{told['copying']:.3f}, recall {measures['recall']['value']:.2f}, finding {told['overfits']}, strength at the "
        f"end {last:.2f}, {used:.0f} s of processor: {run.verdict}",
        flush=True,
    )
    return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("emoji", type=Path)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--categories", default="Animals & Nature,Smileys & Emotion")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    asked = parser.parse_args()
    with np.load(asked.emoji) as arrays, tempfile.TemporaryDirectory() as scratch:
        names, category, pictures = list(arrays["categories"]), arrays["category"], arrays["noto"]
        chosen = [names.index(name) for name in asked.categories.split(",")]
        others = smaller(pictures[~np.isin(category, chosen)], asked.side).transpose(0, 3, 1, 2)
        judge = train_judge(np.ascontiguousarray(others), None, data_hash=f"benchmarks/few_pictures/{asked.side}")
        for number in chosen:
            whole = smaller(pictures[category == number], asked.side)
            order = np.random.default_rng(0).permutation(len(whole))
            train, held_out = np.split(whole[order], [2 * len(whole) // 3])
            data = Path(scratch, f"{names[number].split()[0].lower()}.npz")
            np.savez(data, x_train=train, x_test=held_out)
            there, real = train.transpose(0, 3, 1, 2), judge.features(held_out.transpose(0, 3, 1, 2))
            floor = kernel_distance(real, judge.features(np.ascontiguousarray(there))).value
            gauss = kernel_distance(real, judge.features(gaussian_reference(there, None, SAMPLES, 0))).value
            print(f"{data.stem}: {len(train)} to train, {len(held_out)} held out; kid of the training pictures "
                  f"{floor:.4f}, of a Gaussian {gauss:.4f}", flush=True)  # fmt: skip
            seeds = range(asked.first, asked.first + asked.seeds)
            pairs = [
                [one_run(asked, data, Path(scratch), seed, way, judge) for way in (WITHOUT, ADAPTIVE)] for seed in seeds
            ]
            less = [1 - adaptive["kid"] / without["kid"] for without, adaptive in pairs]
            print(f"{data.stem}: {mean(less):.0%} lower, worst seed {min(less):.0%} (bar 25 %); copying "
                  f"{mean(pair[0]['copying'] for pair in pairs):.3f} without, "
                  f"{mean(pair[1]['copying'] for pair in pairs):.3f} adaptive; the finding appeared "
                  f"{sum(pair[0]['overfits'] for pair in pairs)} and {sum(pair[1]['overfits'] for pair in pairs)} of "
                  f"{len(pairs)} times", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
