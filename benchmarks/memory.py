"""Peak resident memory of training on 20,000 and on 1,000,000 pictures of 28x28: the difference, in percent.

Each training runs in a process of its own; the pictures are a generated array on disk (.npy), or, with --folder, files
that ganforge decodes once into its cache. Bar: less than 10 %. The peak is Linux's VmHWM; ru_maxrss would begin at the
peak of this program, which has just written the array.

    python benchmarks/memory.py [--folder]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

STEPS = 200
TRAIN = """
import re, sys
from pathlib import Path
import ganforge as gf
gf.train(sys.argv[1], run=sys.argv[2], examples=64 * {steps}, size="tiny", settings={{"compute.threads": "2"}})
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def generated(count: int, path: Path) -> None:
    """Random blobs, written a block at a time."""
    random = np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, 28, 28))
    block = random.integers(0, 256, (10_000, 28, 28), dtype=np.uint8)
    for start in range(0, count, len(block)):
        array[start : start + len(block)] = block[: count - start] ^ np.uint8(start // len(block) % 251)
    array.flush()


def files(count: int, folder: Path) -> None:
    random = np.random.default_rng(0)
    for n in range(count):
        if n % 1000 == 0:
            (folder / f"part{n // 1000:04d}").mkdir(parents=True)
        picture = Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8))
        picture.save(folder / f"part{n // 1000:04d}" / f"{n:07d}.png", compress_level=1)


def peak_mebibytes(source: Path, run: Path) -> float:
    printed = subprocess.run(
        [sys.executable, "-c", TRAIN.format(steps=STEPS), str(source), str(run)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(printed.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", action="store_true", help="files instead of one array: 20,000 against 200,000")
    asked = parser.parse_args()
    counts = (20_000, 200_000) if asked.folder else (20_000, 1_000_000)
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in counts:
            source = Path(scratch, f"{count}" if asked.folder else f"{count}.npy")
            (files if asked.folder else generated)(count, source)
            if asked.folder:
                peak_mebibytes(source, Path(scratch, f"first{count}"))  # makes the cache
            peaks.append(peak_mebibytes(source, Path(scratch, f"run{count}")))
            print(f"{count:9,} pictures   peak {peaks[-1]:.0f} MiB", flush=True)
    growth = peaks[1] / peaks[0] - 1
    print(f"growth {growth:+.1%}   bar: below 10 %: {'met' if growth < 0.10 else 'NOT met'}")


if __name__ == "__main__":
    main()
