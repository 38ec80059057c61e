"""Super-resolution: trained on photos for some minutes, tested on Set5 and Set14 as papers do.

The luminance of the training photos is learned (a grey model), at one factor. Tested as usual: cropped to a multiple of
the factor, made smaller by bicubic interpolation, enlarged again; PSNR and SSIM on luminance (BT.601, 16 to 235)
without a border of `factor` pixels. Beside it: bicubic enlargement, measured here, and what SRCNN's authors published
(Dong et al. 2016, Set5: 36.66 and 30.48). The sharp end of the dial is judged by the kernel distance of patches of 32
pixels to real ones of other photos, beside the faithful end's and the floor, on photos that training never saw.

    python benchmarks/superresolution.py --train FOLDER [FOLDER] --unseen FOLDER --sets FOLDER [FOLDER]
        [--factors 2,4] [--examples 100000] [--seeds 3] [--first 0]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Any

import numpy as np
from PIL import Image

import ganforge
from ganforge.kinds.pictures.enhance.task import cut_patches, patch_features
from ganforge.kinds.pictures.image_to_image import load_map
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.kinds.pictures.picture_folder import list_pictures
from ganforge.measures.distances import kernel_distance
from ganforge.measures.judge import train_judge

PUBLISHED = {2: 36.66, 4: 30.48}
BARS = {2: 35.6, 4: 29.6}
TILE = 96  # pixels of the unseen photos' tiles, from which patches are cut
MOST_TILES = 600


def luminance(path: Path) -> np.ndarray:
    """uint8 (H, W), 16 to 235."""
    with Image.open(path) as image:
        rgb = np.asarray(image.convert("RGB")).astype(np.float64)
    return np.rint(16 + rgb @ np.array([65.738, 129.057, 25.064]) / 256).astype(np.uint8)


def smaller(picture: np.ndarray, factor: int) -> np.ndarray:
    height, width = (side // factor for side in picture.shape)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def larger(picture: np.ndarray, factor: int) -> np.ndarray:
    height, width = (side * factor for side in picture.shape)
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def cropped(picture: np.ndarray, factor: int) -> np.ndarray:
    height, width = (side - side % factor for side in picture.shape)
    return picture[:height, :width]


def scored(truth: np.ndarray, made: np.ndarray, border: int) -> tuple[float, float]:
    """PSNR and SSIM without the border; values of luminance are kept in their range first, as in files."""
    from skimage.metrics import structural_similarity

    inside = (slice(border, -border),) * 2
    one, other = truth[inside], np.clip(made, 16, 235)[inside]
    likeness = structural_similarity(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    return float(psnr(one[None, None], other[None, None])[0]), float(likeness)


def on_set(folder: Path, factor: int, enlarge: Any) -> tuple[float, float]:
    scores = []
    for path in list_pictures(folder).found:
        truth = cropped(luminance(path), factor)
        scores.append(scored(truth, enlarge(smaller(truth, factor)), factor))
    return mean(score[0] for score in scores), mean(score[1] for score in scores)


def tiles_of(folder: Path) -> np.ndarray:
    """uint8 (N, 1, TILE, TILE), a few of each photo."""
    tiles = []
    for path in list_pictures(folder).found:
        picture = luminance(path)
        high, wide = (side // TILE for side in picture.shape)
        cut = picture[: high * TILE, : wide * TILE].reshape(high, TILE, wide, TILE).transpose(0, 2, 1, 3)
        tiles.extend(cut.reshape(-1, 1, TILE, TILE)[:: max(1, high * wide // 6)])
    chosen = np.random.default_rng(0).permutation(len(tiles))[:MOST_TILES]
    return np.stack(tiles)[chosen]


def write_luminance(folders: Sequence[Path], place: Path) -> None:
    place.mkdir()
    for number, folder in enumerate(folders):
        for path in list_pictures(folder).found:
            Image.fromarray(luminance(path)).save(place / f"{number}-{path.stem}.png")


def one_run(asked: argparse.Namespace, photos: Path, scratch: Path, factor: int, seed: int, judge: Any) -> list[float]:
    settings = {"task.degradation": f"downscale:{factor}", "compute.threads": 1, "records.marks": [1.0]}
    begun = process_time()
    run = ganforge.train(
        photos, task="enhance", examples=asked.examples, seed=seed, settings=settings, run=scratch / f"{factor}-{seed}"
    )
    used = process_time() - begun
    ends = {end: load_map(run.folder / "model", strength) for end, strength in (("faithful", 0.0), ("sharp", 1.0))}
    through = {end: lambda x, m=model: m(x[..., None])[..., 0] for end, model in ends.items()}  # type: ignore[misc]
    told = []
    for end, enlarge in through.items():
        for folder in asked.sets:
            decibels, likeness = on_set(folder, factor, enlarge)
            print(
                f"x{factor} seed {seed} {end:9s} {folder.name:8s} {decibels:6.2f} dB  SSIM {likeness:.4f}", flush=True
            )
            told.append(decibels)
    tiles = tiles_of(asked.unseen)
    small = [smaller(tile[0], factor) for tile in tiles]
    made = {end: np.stack([enlarge(tile)[None] for tile in small]) for end, enlarge in through.items()}
    made["bicubic"] = np.stack([larger(tile, factor)[None] for tile in small])
    real, other, seen = patch_features(judge, tiles, made)
    distances = {name: kernel_distance(real, features) for name, features in seen.items()}
    floor = kernel_distance(real, other).value
    less = 1 - distances["sharp"].value / distances["faithful"].value
    cells = ", ".join(f"{end} {distance.value:.4f}" for end, distance in distances.items())
    print(f"x{factor} seed {seed} kernel distance of patches: {cells}; floor {floor:.4f}: {less:.0%} less", flush=True)
    print(f"x{factor} seed {seed} {used:.0f} s of processor on one thread, plan, judge and evaluation included")
    return [told[0], less]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--unseen", type=Path, required=True)
    parser.add_argument("--sets", type=Path, nargs="+", required=True)
    parser.add_argument("--factors", type=lambda text: [int(part) for part in text.split(",")], default=[2, 4])
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch, "photos")
        write_luminance(asked.train, photos)
        learned = cut_patches(tiles_of(photos))
        judge = train_judge(learned, None, data_hash="benchmarks/superresolution")
        for factor in asked.factors:
            for folder in asked.sets:
                decibels, likeness = on_set(folder, factor, lambda x, f=factor: larger(x, f))
                print(
                    f"x{factor} bicubic          {folder.name:8s} {decibels:6.2f} dB  SSIM {likeness:.4f}", flush=True
                )
            runs = [
                one_run(asked, photos, Path(scratch), factor, seed, judge)
                for seed in range(asked.first, asked.first + asked.seeds)
            ]
            worst, least = min(run[0] for run in runs), min(run[1] for run in runs)
            print(
                f"x{factor} worst of {len(runs)}: faithful {worst:.2f} dB (bar {BARS.get(factor)},"
                f" SRCNN published {PUBLISHED.get(factor)}); sharp end's kernel distance {least:.0%} below (bar 40 %)"
            )


if __name__ == "__main__":
    main()
