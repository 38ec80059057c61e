r"""New texts: a language model alone at every temperature, and with the adversary, judged on text that chose nothing.

    python benchmarks/text_captions.py FILE... [--seeds 0 1 2] [--minutes 10] [--runs FOLDER] [--judged 4000]

Of each file the first half of the lines is trained on and the last two fifths are the test; the tenth between keeps
captions of one picture apart. Repeats are left out. For captions: coco_captions/image_coco.txt and test_coco.txt (the
files of RelGAN and Texygen, whose published halves differ in topic). Times are CPU seconds.

Chinese verse, sayings and prose of Debian's package fortunes-zh 2.98 (GPL-3+), in the folder with its files: whole
sentences without colours, titles, authors and Latin letters, in an order that is random and always the same.

    cat tang300 song100 chinese | sed 's/^[[:space:]]*//' | LC_ALL=C.UTF-8 grep -P \
        '^[\p{Han}\x{2018}-\x{201d}\x{3001}\x{3002}\x{ff01}\x{ff0c}\x{ff1a}-\x{ff1f}]{4,}[\x{3002}\x{ff01}\x{ff1f}]$' |
        LC_ALL=C sort -u | shuf --random-source=<(yes) >verse.txt
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import ganforge as gf
from ganforge.api.request import task_of
from ganforge.api.stored_run import recipe_of
from ganforge.kinds.text.generate import curve
from ganforge.kinds.text.generate.task import compare_texts
from ganforge.kinds.text.generate.verdict import figures_of
from ganforge.kinds.text.reading import open_texts
from ganforge.measures.intervals import values_of
from ganforge.run import Run

NETWORKS = 3  # that judge, because one alone moves by .01 from seed to seed


def resplit(files: Sequence[Path], folder: Path) -> tuple[Path, Path]:
    """Write train.txt and test.txt, by the position of lines."""
    parts: tuple[list[str], list[str]] = ([], [])
    seen: set[str] = set()
    for file in files:
        lines = file.read_text("utf-8").splitlines()
        sides = (lines[: len(lines) // 2], lines[len(lines) * 3 // 5 :])
        for part, side in zip(parts, sides, strict=True):
            part += [line for line in dict.fromkeys(side) if line.strip() and line not in seen]
            seen.update(side)
    for name, part in zip(("train", "test"), parts, strict=True):
        (folder / f"{name}.txt").write_text("\n".join(part) + "\n", "utf-8")
    return folder / "train.txt", folder / "test.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--judged", type=int, default=4_000)
    parser.add_argument("--runs", type=Path, help="keeps the runs; those that are there are judged again")
    asked = parser.parse_args()
    folder = asked.runs or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    train, test = resplit(asked.files, folder)
    for seed in asked.seeds:
        judge(train, test, folder / f"seed{seed}", seed, asked.minutes, asked.judged)


def judge(train: Path, test: Path, place: Path, seed: int, minutes: float, judged: int) -> None:
    """Train a run, unless it is there, and print what is measured on the test lines."""
    begun = time.process_time()
    if not (place / "model").exists():
        gf.train(train, run=place, kind="text", minutes=minutes, seed=seed, example="line", force=True)
        print(f"seed {seed}: trained, corrected and judged in {time.process_time() - begun:.0f} CPU s")
    torch.set_num_threads(1)
    recipe = recipe_of(Run(place))
    job = task_of(recipe).open(recipe, lambda *event, **content: None)
    writer = job.read_product(Run(place).model)
    lines = open_texts(str(test), example="line").whole
    found = compare_texts(job, writer, lines, judged, networks=NETWORKS)
    begun = time.process_time()
    gf.sample(place, 10_000, place / "new.txt", force=True)
    print(
        f"seed {seed}: perplexity {found.perplexity.value:.2f} a {found.unit} "
        f"(n-grams {found.ngram_perplexity.value:.2f}), drawn at temperature {found.temperature:g} "
        f"with strength {found.strength:g}; first discriminators {', '.join(f'{one:.3f}' for one in found.ranked)}; "
        f"10,000 texts in {time.process_time() - begun:.1f} CPU s"
    )
    near = job.drawn_at(writer, 1.0, (0.77,), judged)  # of captions, at a forward perplexity near 26
    points, _ = job.judges(lines).points(near, job._blocks())
    for name, measures in {
        **figures_of(found),
        **{name: values_of(one.scores) for name, one in points.items()},
    }.items():
        told = "  ".join(f"{key} {value:.4g}" for key, value in measures.items())
        print(f"    {name:16s} {told}")
    for name, gain in found.gains.items():
        print(
            f"    guided 0.8 beyond the plain curve, by {name}: {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        )
    print(f"    copies among test texts {found.held_out_copies:.4f}", flush=True)


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    curve.MOST_WEIGHED = 8_000_000  # the second judge learns from as many texts as the first
    main()
