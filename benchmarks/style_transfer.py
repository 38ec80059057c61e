"""Style transfer between two folders of real pictures that belong to nobody's pair, beside recolouring alone.

Without a file: the content is a photo of a temple, the style one of a flower, both shipped with scikit-learn, cut into
overlapping tiles; then the whole photo of the temple is translated. With CIFAR-10's train.parquet: horses into deer.

    python benchmarks/style_transfer.py [CIFAR10_TRAIN.parquet] [--examples 16000] [--seeds 3] [--picture OUT.png]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from sklearn.datasets import load_sample_image

import ganforge
from ganforge.kinds.pictures.image_to_image import load_map, results_of
from ganforge.kinds.pictures.measures.psnr_ssim import ssim
from ganforge.kinds.pictures.measures.translation import recoloured
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.measures.distances import kernel_distance
from ganforge.measures.judge import train_judge

SIDE, STEP = 32, 8  # pixels of a tile, and from one to the next
HORSE, DEER = 7, 4
TESTED = 5  # one tile or picture of so many


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cifar", type=Path, nargs="?")
    parser.add_argument("--examples", type=int, default=16_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    if asked.cifar:
        content, style = (from_cifar(asked.cifar, label) for label in (HORSE, DEER))
    else:
        content, style = (tiles(load_sample_image(name)) for name in ("china.jpg", "flower.jpg"))
    (content, test_content), (style, test_style) = split(content), split(style)
    print(f"{len(content)} of content and {len(style)} of style to train, {len(test_content)} to test, {SIDE} pixels")
    labels, both = np.repeat([0, 1], [len(content), len(style)]), np.concatenate([content, style])
    order = np.random.default_rng(0).permutation(len(both))
    judge = train_judge(both[order], labels[order], data_hash=f"benchmarks/style/{asked.cifar or 'photos'}")
    real = judge.features(test_style)

    def told(name: str, made: np.ndarray) -> float:
        found, kept = kernel_distance(real, judge.features(made)), ssim(test_content, made).mean()
        print(f"{name:34s} kernel distance {found.value:8.4f} ({found.low:.4f} to {found.high:.4f})  kept {kept:.4f}")
        return found.value

    held = judge.features(style[np.random.default_rng(1).permutation(len(style))[: len(test_style)]])
    print(f"{'floor: real against real':34s} kernel distance {kernel_distance(real, held).value:8.4f}")
    copied = told("the input, copied", test_content)
    matched = told("recoloured, no network", recoloured(test_content, content, style))
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, pictures in (("content", content), ("style", style)):
            Path(scratch, "data", name).mkdir(parents=True)
            for place, picture in enumerate(pictures):
                Image.fromarray(picture.transpose(1, 2, 0)).save(
                    Path(scratch, "data", name, f"{name[0]}{place:05d}.png")
                )
        for seed in range(asked.seeds):
            settings = {"compute.threads": 1, "records.marks": [1.0]}
            run = ganforge.train(
                Path(scratch, "data"), task="translate", examples=asked.examples, seed=seed, guard=False,
                settings=settings, run=Path(scratch, f"run{seed}"),
            )  # fmt: skip
            made = results_of(load_map(run.folder / "model").network, test_content)
            found.append(told(f"translated, seed {seed}", made))
            print(json.loads((run.folder / "evaluation.json").read_text())["verdict"]["headline"], flush=True)
        if asked.picture:
            asked.picture.write_bytes(shown(asked, run.folder, test_content, test_style, made))
    print(f"worst seed {max(found):.4f}; copying {copied:.4f}, recoloured {matched:.4f}")


def from_cifar(path: Path, label: int) -> np.ndarray:
    """Pictures uint8 (N, 3, 32, 32) of a kind."""
    rows = pq.read_table(path, filters=[("label", "=", label)])["image"].to_pylist()
    return np.stack([np.asarray(Image.open(BytesIO(row["bytes"])).convert("RGB")) for row in rows]).transpose(
        0, 3, 1, 2
    )


def tiles(photo: np.ndarray) -> np.ndarray:
    """Overlapping tiles uint8 (N, 3, SIDE, SIDE) of a photo (H, W, 3) at half of its size."""
    height, width = (side // 2 for side in photo.shape[:2])
    small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
    windows = np.lib.stride_tricks.sliding_window_view(small, (SIDE, SIDE), axis=(0, 1))[::STEP, ::STEP]
    return np.ascontiguousarray(windows.reshape(-1, 3, SIDE, SIDE))


def split(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """To train, and to test. Tiles of one photo overlap, so that a tested one is not wholly new."""
    order = np.random.default_rng(0).permutation(len(pictures))
    return pictures[order[len(order) // TESTED :]], pictures[order[: len(order) // TESTED]]


def shown(
    asked: argparse.Namespace, run: Path, test_content: np.ndarray, test_style: np.ndarray, made: np.ndarray
) -> bytes:
    """Content, result and style; whole photos where there are any."""
    if asked.cifar:
        rows = np.stack([test_content[:24], made[:24], test_style[:24]], 1)
        return png_bytes(grid(rows.reshape(-1, *made.shape[1:]), columns=9))
    small = [
        np.asarray(Image.fromarray(load_sample_image(name)).resize((320, 213), Image.Resampling.LANCZOS))
        for name in ("china.jpg", "flower.jpg")
    ]
    return png_bytes(np.concatenate([small[0], ganforge.apply(run, small[0]), small[1]], axis=1))


if __name__ == "__main__":
    main()
