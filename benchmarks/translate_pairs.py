"""Paired translation, Noto -> Twemoji: beside copying, the nearest training pair, and the same network without a game.

Emoji without flags and symbols, 80 % to train. The same generator is trained twice for equally many pictures: with
L1 alone, and with L1 and the adversarial term.

    python benchmarks/translate_pairs.py EMOJI64_PAIRS.npz [--examples 120000] [--side 32] [--seeds 3] [--first 0]
        [--set task.reconstruction=20] [--picture OUT.png]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from emoji_sides import Emoji, Scale, read_emoji, write_side

import ganforge
from ganforge.kinds.pictures.image_to_image import load_map, results_of
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.measures.generated import small_versions
from ganforge.measures.neighbours import nearest_with_index

WAYS: dict[str, dict[str, Any]] = {
    "L1 alone": {"task.adversarial": 0, "task.reconstruction": 1},
    "L1 and adversarial": {},
}


def one_run(asked: argparse.Namespace, data: Path, emoji: Emoji, folder: Path, seed: int, way: str) -> np.ndarray:
    settings = {"compute.threads": 1, "records.marks": [1.0], **WAYS[way]}
    if way != "L1 alone":
        settings |= dict(word.split("=", 1) for word in asked.set)
    begun = process_time()
    run = ganforge.train(
        data, task="translate", examples=asked.examples, seed=seed, guard=False, settings=settings, run=folder
    )
    print(f"{way}, seed {seed}: {process_time() - begun:.0f} s of processor on one thread", flush=True)
    return results_of(load_map(run.folder / "model").network, emoji.test_a)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("emoji", type=Path)
    parser.add_argument("--examples", type=int, default=120_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    emoji = read_emoji(asked.emoji, asked.side)
    print(f"{len(emoji.a)} pairs to train, {len(emoji.test_a)} to test, {asked.side} pixels")
    scale = Scale(emoji)
    scale.floor()
    copied = scale("the input, copied", emoji.test_a)
    _, nearest = nearest_with_index(small_versions(emoji.test_a), small_versions(emoji.a), k=1)
    neighbour = scale("the nearest training pair", emoji.b[nearest[:, 0]])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "pairs")
        names = [f"{place:04d}" for place in range(len(emoji.a))]
        write_side(data / "A", emoji.a, names)
        write_side(data / "B", emoji.b, names)
        for seed in range(asked.first, asked.first + asked.seeds):
            found, made = {}, {}
            for way in WAYS:
                made[way] = one_run(asked, data, emoji, Path(scratch, f"{way}-{seed}"), seed, way)
                found[way] = scale(f"{way}, seed {seed}", made[way])
            rows.append((found["L1 alone"], found["L1 and adversarial"]))
            if asked.picture:
                shown = np.stack(
                    [emoji.test_a[:16], *(pictures[:16] for pictures in made.values()), emoji.test_b[:16]], 1
                )
                asked.picture.write_bytes(png_bytes(grid(shown.reshape(-1, *emoji.a.shape[1:]), columns=8)))
    for measure in ("psnr", "ssim"):
        least = min(row[1][measure] for row in rows)
        print(
            f"{measure}: worst seed {least:.4f}; copying {copied[measure]:.4f}, nearest pair {neighbour[measure]:.4f}"
        )
    less, lost = (
        min(1 - row[1]["kid"] / row[0]["kid"] for row in rows),
        max(row[0]["psnr"] - row[1]["psnr"] for row in rows),
    )
    print(
        f"kernel distance: worst seed {less:.0%} below that of L1 alone (bar 30 %), {lost:.2f} dB of PSNR lost (bar 1)"
    )


if __name__ == "__main__":
    main()
