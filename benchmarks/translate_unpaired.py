"""Unpaired translation, Noto -> Twemoji, from disjoint halves: no pair is ever seen, and the true pairs judge.

One half of the training emoji is known in Noto style alone, the other half in Twemoji style alone.

    python benchmarks/translate_unpaired.py EMOJI64_PAIRS.npz [--examples 15000] [--side 32] [--seeds 3] [--first 0]
        [--ways cycle,contrastive] [--set task.reconstruction=4] [--picture OUT.png]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
from emoji_sides import Scale, read_emoji, write_side

import ganforge
from ganforge.kinds.pictures.image_to_image import load_map, results_of
from ganforge.kinds.pictures.measures.translation import recoloured
from ganforge.kinds.pictures.write import grid, png_bytes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("emoji", type=Path)
    parser.add_argument("--examples", type=int, default=15_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=["contrastive"])
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    emoji = read_emoji(asked.emoji, asked.side)
    order = np.random.default_rng(2).permutation(len(emoji.a))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    print(f"{len(halves[0])} of A and {len(halves[1])} others of B to train, {len(emoji.test_a)} to test")
    scale = Scale(emoji)
    scale.floor()
    copied = scale("the input, copied", emoji.test_a)
    scale("recoloured, no network", recoloured(emoji.test_a, emoji.a[halves[0]], emoji.b[halves[1]]))
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "crowds")
        write_side(data / "A", emoji.a[halves[0]], [f"a{place:04d}" for place in halves[0]])
        write_side(data / "B", emoji.b[halves[1]], [f"b{place:04d}" for place in halves[1]])
        for way in asked.ways:
            found = []
            for seed in range(asked.first, asked.first + asked.seeds):
                settings = {"compute.threads": 1, "records.marks": [1.0], "task.unpaired_by": way}
                settings |= dict(word.split("=", 1) for word in asked.set)
                begun, folder = process_time(), Path(scratch, f"{way}-{seed}")
                run = ganforge.train(
                    data, task="translate", examples=asked.examples, seed=seed, guard=False, settings=settings,
                    run=folder,
                )  # fmt: skip
                used = process_time() - begun
                made = results_of(load_map(run.folder / "model").network, emoji.test_a)
                found.append(scale(f"{way}, seed {seed}", made))
                print(f"{used:.0f} s of processor on one thread; its own verdict: {run.verdict}", flush=True)
                if asked.picture:
                    shown = np.stack([emoji.test_a[:24], made[:24], emoji.test_b[:24]], 1)
                    asked.picture.write_bytes(png_bytes(grid(shown.reshape(-1, *emoji.a.shape[1:]), columns=9)))
            for measure, worst in (("psnr", min), ("ssim", min), ("kid", max)):
                value = worst(one[measure] for one in found)
                better = value < copied[measure] if measure == "kid" else value > copied[measure]
                print(
                    f"{way}, {measure}: worst seed {value:.4f}, copying {copied[measure]:.4f}: "
                    f"{'better' if better else 'NOT better'}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
