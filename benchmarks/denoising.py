"""Denoising of grey photos, Gaussian noise of sigma 25: trained for some minutes, tested on Set14.

Every method is given the same noisy picture, rounded to the 256 levels of a file. Beside the network: the picture as it
is, a median filter and a bilateral filter (each at the best of several strengths, chosen with the truth in hand, which
favours them), non-local means, and, where --bm3d names a Python that has the package, BM3D (its licence is
non-commercial: it is never imported here).

    python benchmarks/denoising.py --train FOLDER [FOLDER] --set FOLDER [--examples 100000] [--seeds 3] [--first 0]
        [--degradation noise:25] [--bm3d PYTHON]
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from time import process_time

import numpy as np
from PIL import Image
from scipy.ndimage import median_filter
from skimage.restoration import denoise_bilateral, denoise_nl_means

import ganforge
from ganforge.kinds.pictures.image_to_image import load_map
from ganforge.kinds.pictures.measures.psnr_ssim import psnr, ssim
from ganforge.kinds.pictures.picture_folder import list_pictures

SIGMA = 25.0
BY_BM3D = """
import sys, numpy as np, bm3d
given = np.load(sys.argv[1])
made = {name: bm3d.bm3d(given[name] / 255.0, sigma_psd=float(sys.argv[3]) / 255) for name in given.files}
np.savez(sys.argv[2], **{name: np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8) for name, x in made.items()})
"""


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def noisy(picture: np.ndarray, number: int) -> np.ndarray:
    noise = np.random.default_rng(number).normal(0, SIGMA, picture.shape)
    return np.rint(picture + noise).clip(0, 255).astype(np.uint8)


def scores(truth: dict[str, np.ndarray], made: dict[str, np.ndarray]) -> tuple[float, float]:
    pairs = [(truth[name][None, None], made[name][None, None]) for name in truth]
    return mean(float(psnr(*pair)[0]) for pair in pairs), mean(float(ssim(*pair)[0]) for pair in pairs)


def levels(x: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


def best(
    truth: dict[str, np.ndarray], given: dict[str, np.ndarray], ways: list[Callable[..., np.ndarray]]
) -> tuple[float, float]:
    return max(scores(truth, {name: way(x) for name, x in given.items()}) for way in ways)


def by_bm3d(python: str, given: dict[str, np.ndarray], scratch: Path) -> dict[str, np.ndarray]:
    np.savez(scratch / "noisy.npz", **given)
    words = [python, "-c", BY_BM3D, str(scratch / "noisy.npz"), str(scratch / "made.npz"), str(SIGMA)]
    subprocess.run(words, check=True, env={})
    with np.load(scratch / "made.npz") as made:
        return {name: made[name] for name in made.files}


def tell(name: str, found: tuple[float, float]) -> float:
    print(f"{name:24s} {found[0]:6.2f} dB  SSIM {found[1]:.4f}", flush=True)
    return found[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=Path, nargs="+", required=True)
    parser.add_argument("--set", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--degradation", default="noise:25")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bm3d")
    asked = parser.parse_args()
    truth = {path.stem: grey(path) for path in list_pictures(asked.set).found}
    given = {name: noisy(picture, number) for number, (name, picture) in enumerate(truth.items())}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        tell("noisy", scores(truth, given))
        median = tell("median, best size", best(truth, given, [lambda x, n=n: median_filter(x, n) for n in (3, 5, 7)]))
        bilateral = tell("bilateral, best width", best(truth, given, [
            lambda x, s=s: levels(denoise_bilateral(x / 255, sigma_color=s, sigma_spatial=2)) for s in (0.15, 0.25, 0.4)
        ]))  # fmt: skip
        known = {"sigma": SIGMA / 255, "h": 0.6 * SIGMA / 255, "patch_size": 5, "patch_distance": 8}
        tell(
            "non-local means", scores(truth, {n: levels(denoise_nl_means(x / 255, **known)) for n, x in given.items()})
        )
        reference = tell("BM3D", scores(truth, by_bm3d(asked.bm3d, given, scratch))) if asked.bm3d else None
        photos = scratch / "photos"
        photos.mkdir()
        for number, source in enumerate(asked.train):
            for path in list_pictures(source).found:
                Image.fromarray(grey(path)).save(photos / f"{number}-{path.stem}.png")
        found = []
        for seed in range(asked.first, asked.first + asked.seeds):
            settings = {"task.degradation": asked.degradation, "compute.threads": 1, "records.marks": [1.0]}
            begun = process_time()
            run = ganforge.train(
                photos,
                task="enhance",
                examples=asked.examples,
                seed=seed,
                settings=settings,
                run=scratch / f"run{seed}",
            )
            used = process_time() - begun
            for strength in (0.0, 1.0):
                model = load_map(run.folder / "model", strength)
                made = {name: model(x[..., None])[..., 0] for name, x in given.items()}
                decibels = tell(f"ganforge seed {seed}, {strength:g}", scores(truth, made))
                if strength == 0.0:
                    found.append(decibels)
            print(f"seed {seed}: {used:.0f} s of processor on one thread", flush=True)
        worst = min(found)
        behind = f", {reference - worst:.2f} dB behind BM3D (bar 1.5)" if reference else ""
        print(f"worst of {len(found)}: {worst:.2f} dB, {worst - max(median, bilateral):.2f} dB above the better filter "
              f"(bar 2){behind}")  # fmt: skip


if __name__ == "__main__":
    main()
