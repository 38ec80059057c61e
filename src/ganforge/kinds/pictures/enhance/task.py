"""The task `enhance`: restores pictures. Both ends of the dial are compared with baselines without a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.cache import cache_folder
from ganforge.core.levels import to_uint8
from ganforge.core.model_files import built, read_description, write_model_files
from ganforge.core.seeds import Draws, generator_for, seed_for, subset
from ganforge.engine.feed import PICTURES, ArrayFeed
from ganforge.errors import RecipeError
from ganforge.kinds.pictures.enhance.degradation import Degradation, read_degradation
from ganforge.kinds.pictures.enhance.game import build_game, initial_ends
from ganforge.kinds.pictures.enhance.photos import open_photos
from ganforge.kinds.pictures.enhance.plan import begin, plan_enhancement
from ganforge.kinds.pictures.image_to_image import results_of
from ganforge.kinds.pictures.measures.cases import draw_cases, made_blocks
from ganforge.kinds.pictures.measures.psnr_ssim import psnr, ssim
from ganforge.kinds.pictures.measures.restoration import FAITHFUL, SHARP, baselines, judge_restoration
from ganforge.kinds.pictures.picture_data import PictureData, reading_again, reading_of, refuse_misfits
from ganforge.kinds.pictures.plan import Enhancement, model_description
from ganforge.kinds.pictures.reading.open import Pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import Reading
from ganforge.kinds.pictures.write import side_by_side, write_grid
from ganforge.measures.distances import kernel_distance, kernel_gain
from ganforge.measures.intervals import Estimate, mean_by_bootstrap, rival, with_ends
from ganforge.measures.judge import Judge, train_judge
from ganforge.measures.neighbours import FEWEST_COMPARED
from ganforge.networks.ends import ends_of
from ganforge.recipe import Data, Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Evaluation, Meaning, Measure, Page
from ganforge.run import Run

LOOKED_AT, SHOWN = 48, 6  # held-out tiles measured, and drawn, at each look
JUDGED = 128  # held-out tiles in an evaluation
CASES = 6  # rows of a group of cases
SIDE = 32  # pixels of the patches by which realism is measured
LEARNED_FROM = 6_000  # patches that the judge learns from

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]  # (N, D)
MEANINGS = {
    "psnr": Meaning("higher", "How near the faithful end comes to the truth, in decibels."),
    "ssim": Meaning("higher", "How much of the truth's structure the faithful end has, 1 is all of it."),
    "sharp_psnr": Meaning("higher", "How near the sharp end comes to the truth, in decibels."),
    "sharp_ssim": Meaning("higher", "How much of the truth's structure the sharp end has, 1 is all of it."),
    "kid": Meaning(
        "lower", f"Kernel distance of the sharp end's patches of {SIDE} pixels to real ones of other places."
    ),
    "faithful_kid": Meaning("lower", "The same of the faithful end's patches."),
}
SCORES = (
    "PSNR in decibels and SSIM: higher is nearer to the truth. KID, the kernel distance: lower is more like real "
    "pictures."
)


class Enhance(Task):
    """The task `enhance`: a three-player game on pictures and a degradation."""

    name: ClassVar[str] = "enhance"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"psnr": "higher", "sharp_psnr": "higher"}
    page: ClassVar[Page] = Page(
        nouns="pictures",
        judged="parts of pictures that it never saw",
        samples="Results",
        caption="What the model makes of pictures that it has never seen. In each row: the input, the faithful result, "
        "the sharp one, and the truth",
        story="First one network learns to come near to the truth. A copy of it goes on against a discriminator, which "
        "tells its results from real pictures. Below are the same pictures, which training never sees, at each moment.",
    )
    section: ClassVar[type[TaskSection] | None] = Enhancement
    data: ClassVar[type[Data]] = PictureData
    unguarded: ClassVar[str | None] = (
        "the faithful end has no opponent, and the dial turns back whatever the sharp end loses"
    )

    def plan(self, request: Request, tell: Tell) -> EnhanceJob:
        """Open the pictures at their own resolution and choose every setting not requested."""
        if (side := request.options.get("resolution")) is not None:
            raise RecipeError(
                f"The resolution {side} was given.",
                "Pictures are made better at their own resolution: nothing is resized.",
                "Leave it out, or set enhance.patch for what is learned from at a time.",
            )
        draft = begin(request, Enhance)
        tell("reading", count=0, source=request.source)
        photos = _open(request, draft.device, reading_of(request))
        return EnhanceJob(plan_enhancement(draft, photos, tell), photos, tell)

    def open(self, recipe: Recipe, tell: Tell) -> EnhanceJob:
        """Recreate the job from its recipe."""
        photos = _open(recipe.ask, recipe.compute.device, reading_again(recipe))
        refuse_changed_data(recipe, photos.data_hash, "The pictures")
        refuse_misfits(recipe, photos.shape)
        return EnhanceJob(recipe, photos, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the tiles received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, PICTURES)


def _open(request: Request, device: str, reading: Reading) -> Pictures:
    return open_photos(survey(request.source, labels=False, fewest=1, reading=reading), device=device)


@dataclass(slots=True)
class EnhanceJob(Job):
    """A job with its photos and its complete recipe."""

    recipe: Recipe
    photos: Pictures
    tell: Tell
    _judge: Judge | None = None

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.photos.passport

    @property
    def feed(self) -> Feed:
        return self.photos.train

    @property
    def damage(self) -> Degradation:
        return read_degradation(self.recipe.section(Enhancement).degradation)

    def game(self) -> Game:
        """Build faithful, discriminator and sharp from the seed."""
        return build_game(self.recipe)

    def prepare(self) -> None:
        """Train or load the judge of patches before the clock of training starts."""
        self._the_judge()

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw held-out tiles, the same each time: input, faithful, sharp and truth; and measure both ends."""
        truth, given = self._pairs(LOOKED_AT)
        faithful, sharp = (results_of(end, given) for end in ends_of(product).values())
        coarse = _coarse(given[:SHOWN], self.damage.factor)
        cases = side_by_side(coarse, faithful[:SHOWN], sharp[:SHOWN], truth[:SHOWN])
        write_grid(run.sample_grid(examples), cases, columns=4)
        self.tell("sampled", path=str(run.sample_grid(examples)))
        ends = {"psnr": faithful, "sharp_psnr": sharp}
        return with_ends({name: _mean(psnr(truth, made)) for name, made in ends.items()})

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors with both ends, all that `apply` needs."""
        write_model_files(folder, product, model_description(self.recipe))

    def read_product(self, folder: Path) -> nn.Module:
        """Load both ends, as `write_model` wrote them."""
        read_description(folder)
        return built(folder, lambda: initial_ends(self.recipe)).to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every measure of both ends with the baselines, and give the verdict.

        The facts are rivals [{name, sentence, measures}] and cases {columns, groups: [{name, sentence}]}.
        """
        (truth, given), judge = self._pairs(JUDGED), self._the_judge()
        made = {
            name: results_of(end, given) for name, end in zip((FAITHFUL, SHARP), ends_of(product).values(), strict=True)
        }
        ways = baselines(self.damage.names)
        for name, (_, way) in ways.items():
            made[name] = np.stack([way(*pair) for pair in zip(given, truth, strict=True)])
        real, other, seen = patch_features(judge, truth, made)
        distances = {name: kernel_distance(real, features) for name, features in seen.items()}
        scores = {
            name: {"psnr": _mean(psnr(truth, result)), "ssim": _mean(ssim(truth, result)), "kid": distances[name]}
            for name, result in made.items()
        }
        reference = next(iter(ways))
        sentences = {
            FAITHFUL: "Learned from the truth alone: what is certain.",
            SHARP: "Judged by a discriminator too: what could be real.",
            **{name: sentence for name, (sentence, _) in ways.items()},
        }
        told = {name: {measure: score.value for measure, score in scores[name].items()} for name in made}
        facts = {
            "rivals": [rival(name, sentences[name], told[name]) for name in made],
            "cases": self._cases(run, truth, given, made, reference),
        }
        return Evaluation(
            measures=tuple(_measures(scores, reference, kernel_distance(real, other).value)),
            verdict=judge_restoration(
                {name: scores[name] for name in (FAITHFUL, SHARP)},
                {name: told[name] for name in ways},
                {name: _mean(psnr(truth, made[FAITHFUL]) - psnr(truth, made[name])) for name in ways},
                kernel_gain(real, seen[FAITHFUL], seen[SHARP]),
                compared=len(truth),
            ),
            samples=len(truth),
            held_out=len(self.photos.held_out),
            judge=judge.description,
            floor="The floor of the kernel distance is that of real patches to other real ones. For what "
            "cannot be known of the truth there is none.",
            reference=f"The reference is no network: {reference}. {ways[reference][0]}",
            best="real pictures",
            simplest=reference,
            blocks=made_blocks(facts, SCORES),
            facts=facts,
        )

    def _cases(
        self, run: Run, truth: Pixels, given: Pixels, made: Mapping[str, Pixels], reference: str
    ) -> dict[str, Any]:
        """Draw the worst, the best and some random tiles, by gain over the reference."""
        gain = psnr(truth, made[FAITHFUL]) - psnr(truth, made[reference])
        order = np.argsort(gain, kind="stable")
        count = min(CASES, len(order))
        chosen = {
            "worst": (order[:count], "Where least is gained on the reference"),
            "best": (order[::-1][:count], "Where most is gained on the reference"),
            "random": (subset(len(order), count, "cases"), "Drawn at random: gained on the reference"),
        }
        groups = {
            name: (rows, f"{words}: {gain[rows].min():+.1f} to {gain[rows].max():+.1f} dB.")
            for name, (rows, words) in chosen.items()
        }
        columns = {
            "input": _coarse(given, self.damage.factor),
            f"reference: {reference}": made[reference],
            "faithful": made[FAITHFUL],
            "sharp": made[SHARP],
            "truth": truth,
        }
        return draw_cases(run, columns, groups)

    def _pairs(self, most: int) -> tuple[Pixels, Pixels]:
        """Return held-out tiles and their inputs, both uint8 (N, C, H, W); the same ones each time."""
        held_out = self.photos.held_out
        batch = held_out.batch(torch.from_numpy(subset(len(held_out), most, "enhance/held out")))["x"]
        random = generator_for(0, "enhance/held out", device=batch.device)
        with torch.no_grad():
            given = self.damage(batch, Draws(random))
        return to_uint8(batch).cpu().numpy(), to_uint8(given).cpu().numpy()

    def _the_judge(self) -> Judge:
        if self._judge is None:
            self.tell("judging")
            train = self.photos.train
            tiles = train.examples(subset(len(train), -(-LEARNED_FROM // 9), "enhance/judge"))
            name = f"patches{SIDE}-{self.photos.data_hash}"
            patches = cut_patches(tiles)
            learns = len(patches) >= FEWEST_COMPARED
            self._judge = train_judge(patches, None, data_hash=name, cache=cache_folder(), learns=learns)
        return self._judge


def _coarse(given: Pixels, factor: int) -> Pixels:
    """Enlarge inputs, each pixel to a square of factor x factor."""
    return given.repeat(factor, axis=2).repeat(factor, axis=3)


def cut_patches(tiles: Pixels) -> Pixels:
    """Cut tiles (N, C, H, W) into adjacent patches (n, C, SIDE, SIDE)."""
    count, channels, height, width = tiles.shape
    high, wide = height // SIDE, width // SIDE
    cut = tiles[:, :, : high * SIDE, : wide * SIDE].reshape(count, channels, high, SIDE, wide, SIDE)
    patches: Pixels = np.ascontiguousarray(cut.transpose(0, 2, 4, 1, 3, 5)).reshape(-1, channels, SIDE, SIDE)
    return patches


def patch_features(
    judge: Judge, truth: Pixels, made: Mapping[str, Pixels]
) -> tuple[Features, Features, dict[str, Features]]:
    """Return the judge's features of patches: of half of the truth, of its other half, and of that half of each result.

    A result is compared with the first half, never with its own truth, to which it is near even if unrealistic.
    """
    seen = judge.features(cut_patches(truth))
    order = np.random.default_rng(seed_for(0, "enhance/halves")).permutation(len(seen))
    real, other = order[: len(seen) // 2], order[len(seen) // 2 :]
    results = {name: judge.features(cut_patches(result)[other]) for name, result in made.items()}
    return seen[real], seen[other], results


def _mean(values: NDArray[np.float64]) -> Estimate:
    return mean_by_bootstrap(values, np.random.default_rng(seed_for(0, "enhance/bootstrap")))


def _measures(scores: Mapping[str, Mapping[str, Estimate]], reference: str, floor: float) -> list[Measure]:
    """Return the measures of evaluation.json: the faithful end's error and the sharp end's realism, compared."""
    told = {
        "psnr": (FAITHFUL, "psnr"),
        "ssim": (FAITHFUL, "ssim"),
        "kid": (SHARP, "kid"),
        "sharp_psnr": (SHARP, "psnr"),
        "sharp_ssim": (SHARP, "ssim"),
        "faithful_kid": (FAITHFUL, "kid"),
    }
    floors = {"kid": floor}
    return [
        Measure.of(
            name,
            scores[end][kind],
            MEANINGS[name],
            floor=floors.get(kind, math.nan),
            reference=scores[reference][kind].value,
        )
        for name, (end, kind) in told.items()
    ]
