"""Flips single bytes in the models and checkpoints of real runs, and counts how many of the flips are noticed.

    python benchmarks/byte_flips.py            1,000 flips; half a minute, most of it training two tiny runs

The floor is the untouched run: nothing may be reported there. The rival is the check that most programs make, loading
the weights and catching what fails: it says how many of the same flips would go unnoticed without hashes.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import load_file

import ganforge
from ganforge.core.files import check_folder
from ganforge.errors import RunError

FLIPS = 1_000
SMALL = {"compute.threads": "1", "compute.device": "cpu", "network.width": "8"}


def runs(folder: Path) -> list[Path]:
    """A run of pictures and one of a table, both tiny."""
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (200, 8, 8), dtype=np.uint8)
    frame = pd.DataFrame({"x": chance.normal(size=300).round(2), "kind": chance.choice(["a", "b", "c"], 300)})
    ganforge.train(pictures, run=folder / "pictures", examples=512, settings=SMALL)
    ganforge.train(frame, run=folder / "table", examples=2048, settings=SMALL)
    return [folder / "pictures", folder / "table"]


def found(folder: Path) -> bool:
    """Whether the folder is refused."""
    try:
        check_folder(folder)
    except RunError:
        return True
    return False


def loads(path: Path) -> bool:
    """Whether a file is read without an error when nobody looks at its hash."""
    try:
        if path.suffix == ".safetensors":
            load_file(path)
        else:
            json.loads(path.read_text("utf-8"))
    except (SafetensorError, ValueError):
        return False
    return True


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        folders = [
            folder for run in runs(Path(place)) for folder in (run / "model", *sorted((run / "checkpoints").iterdir()))
        ]
        alarms = sum(map(found, folders))
        files = [path for folder in folders for path in sorted(folder.iterdir())]
        chance, noticed, silent = random.Random(0), Counter[str](), 0
        flips = Counter[str]()
        for _ in range(FLIPS):
            path = chance.choice(files)
            good = path.read_bytes()
            bad = bytearray(good)
            bad[chance.randrange(len(bad))] ^= chance.randrange(1, 256)
            path.write_bytes(bad)
            flips[path.name] += 1
            noticed[path.name] += found(path.parent)
            silent += loads(path)
            path.write_bytes(good)
    print(f"{'file':<24}{'flips':>8}{'found':>8}")
    for name in sorted(flips):
        print(f"{name:<24}{flips[name]:>8,}{noticed[name]:>8,}")
    print(f"{'all':<24}{flips.total():>8,}{noticed.total():>8,}")
    print(f"untouched folders reported (floor: 0): {alarms} of {len(folders)}")
    print(f"flips that load without any error where no hash is checked: {silent:,} of {FLIPS:,}")
    return 0 if noticed.total() == FLIPS and alarms == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
