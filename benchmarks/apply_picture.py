"""What `ganforge apply` costs on a picture of 4000 x 3000 pixels, and whether its tiles leave a seam.

Applies the model of a run that enhances or translates pictures; without one, a small one is trained first, on photos
that scikit-image and scikit-learn bring along. Prints the peak memory of the whole program beside that of a program
that only imports ganforge's api (the floor), and the largest difference, in levels of 255, between the result in tiles
and the whole result.

    python benchmarks/apply_picture.py [--run RUN] [--width 4000 --height 3000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image
from skimage import data as photos

import ganforge
from ganforge.kinds.pictures.image_to_image import load_map

LIMIT_GIB = 1.5
SIDE = 700  # pixels of the picture that is done both ways
UNTOUCHED = 10**9  # a tile so large that there is only one


def photo(width: int, height: int) -> Image.Image:
    """A photo of the size asked for, with fine detail everywhere: mirrored copies side by side."""
    one = photos.astronaut()
    pair = np.concatenate([one, one[:, ::-1]], axis=1)
    block = np.concatenate([pair, pair[::-1]], axis=0)
    high, wide = -(-height // block.shape[0]), -(-width // block.shape[1])
    return Image.fromarray(np.tile(block, (high, wide, 1))[:height, :width].copy())


def peak_gib(*words: str) -> tuple[float, float]:
    """GiB at the most (Linux's VmHWM), and seconds, of a Python program run on its own."""
    begun = perf_counter()
    code = "import sys; exec(sys.argv.pop(1)); print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 2**20, perf_counter() - begun


def trained(folder: Path) -> Path:
    pictures = folder / "photos"
    pictures.mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        Image.fromarray(getattr(photos, name)()).save(pictures / f"{name}.png")
    settings = {"task.degradation": "downscale:2"}
    return ganforge.train(pictures, task="enhance", examples=2_000, settings=settings, run=folder / "run").folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = asked.run or trained(Path(scratch))
        model = load_map(run / "model")
        picture = photo(SIDE, SIDE - 100)
        pixels = np.asarray(picture.convert("L"))[..., None] if model.channels == 1 else np.asarray(picture)
        tiled, whole = model(pixels).astype(int), model(pixels, tile=UNTOUCHED).astype(int)
        print(f"{run}: {model.task}, {model.factor} times as large, {model.channels} channels")
        apart = abs(tiled - whole).max()
        print(f"tiles against the whole, {SIDE} x {SIDE - 100}: at most {apart} of 255 apart anywhere")

        source, target = Path(scratch, "large.png"), Path(scratch, "made.png")
        photo(asked.width, asked.height).save(source)
        floor, _ = peak_gib("from ganforge.api import sample")
        act = "import ganforge; ganforge.apply(sys.argv[1], sys.argv[2], sys.argv[3])"
        peak, seconds = peak_gib(act, str(run), str(source), str(target))
        with Image.open(target) as made:
            size = made.size
        print(f"{asked.width} x {asked.height} -> {size[0]} x {size[1]} in {seconds:.0f} s")
        print(f"peak memory {peak:.2f} GiB (limit {LIMIT_GIB}; floor, importing only: {floor:.2f})")


if __name__ == "__main__":
    main()
