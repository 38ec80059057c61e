"""The gradient penalties R1 and R2 exactly, and by finite differences, in the same time.

Exactly, |dD/dx|^2 is differentiated through the gradient. By finite differences it is ((D(x + sigma n) - D(x)) /
sigma)^2 with n drawn from a standard normal distribution, whose mean is |dD/dx|^2 for small sigma (Lin et al. 2025,
"Diffusion adversarial post-training", section 3.3): one pass over 4B examples in float32, and no second derivative.
Each form is trained for so many minutes from each seed and scored beside the other: by an outside judge with --judge,
which must read SAMPLES.npz and print one JSON line with `fid` and `recall`, else by ganforge's own measures. It would
be offered if it were as good for less.

    python benchmarks/penalty_forms.py DATA [--judge JUDGE.py] [--minutes 1.5] [--seeds 3] [--sigma 0.5]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from digits_quality import SAMPLES, outside
from torch import Tensor

import ganforge as gf
from ganforge.contracts import BoundDiscriminator, Dial, Loss
from ganforge.core.seeds import Draws
from ganforge.objectives import OBJECTIVES
from ganforge.objectives.losses import R3GAN, discriminator_notes
from ganforge.run import Run

SIGMA = 0.5


@dataclass(frozen=True, slots=True)
class FiniteDifference:
    """R3GAN with both penalties by finite differences."""

    generator_reads_real: ClassVar[bool] = True

    def discriminator_loss(
        self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor, gamma: Dial, random: Draws
    ) -> Loss:
        both = torch.cat([real, fake])
        noise = torch.cat([random.normal(len(real), *real.shape[1:]) for _ in range(2)])
        with torch.autocast(real.device.type, enabled=False):  # bfloat16 would lose the difference
            score, beside = discriminator(torch.cat([both, both + SIGMA * noise])).chunk(2)
        slope_real, slope_fake = ((beside - score) / SIGMA).square().chunk(2)
        score_real, score_fake = score.chunk(2)
        terms = {
            "adversarial": F.softplus(score_fake - score_real),
            "r1": 0.5 * gamma * slope_real,
            "r2": 0.5 * gamma * slope_fake,
        }
        return Loss(terms, discriminator_notes(score_real, score_fake, slope_real, slope_fake))

    def generator_loss(self, discriminator: BoundDiscriminator, real: Tensor, fake: Tensor) -> Loss:
        return R3GAN().generator_loss(discriminator, real, fake)


def main() -> None:
    global SIGMA  # noqa: PLW0603 - of the class above, for this whole program
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--judge")
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sigma", type=float, default=SIGMA)
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe, for both")
    asked = parser.parse_args()
    SIGMA = asked.sigma
    forms = {"exact": R3GAN, f"sigma {SIGMA:g}": FiniteDifference}
    settings = dict(pair.split("=") for pair in asked.set)
    for seed in range(asked.seeds):
        for name, form in forms.items():
            OBJECTIVES["r3gan"] = form
            with tempfile.TemporaryDirectory() as scratch:
                place = Path(scratch) / "run"
                run = gf.train(asked.data, minutes=asked.minutes, size="small", seed=seed, run=place, settings=settings)
                last = Run(place).read_records()[-1]
                if asked.judge:
                    scores = outside(asked.judge, run.sample(SAMPLES, seed=3), Path(scratch))
                    told = f"fid {scores['fid']:.2f}, recall {scores['recall']:.3f}"
                else:
                    content = json.loads(Run(place).evaluation.read_text("utf-8"))
                    values = {measure["name"]: measure["value"] for measure in content["measures"]}
                    told = f"frechet distance {values['frechet_distance']:.3f}, recall {values['recall']:.3f}"
            rate = last["examples"] / last["seconds"]
            print(f"seed {seed}, {name:10s} {told}; {last['examples']:,} pictures shown, {rate:,.0f}/s", flush=True)


if __name__ == "__main__":
    main()
