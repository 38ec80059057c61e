"""The task `generate` on sounds: a two-player game on spectrograms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.labels import Labels
from ganforge.core.model_files import write_model_files
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.sounds.comparison import grid_of_levels, heard, picture_of
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.generate.grid import SPECTROGRAMS, Grid, Levels, grid_for, spectrograms_of, to_waveform
from ganforge.kinds.sounds.generate.mixture import Refiner
from ganforge.kinds.sounds.generate.model import NEXT_STEPS, PEAK, SoundModel, load_generator
from ganforge.kinds.sounds.generate.plan import ABSENT, Spectral, build_game, plan_sounds
from ganforge.kinds.sounds.reading import Sounds, open_sounds
from ganforge.kinds.sounds.sound_file import PAUSE
from ganforge.measures.distances import kernel_distance
from ganforge.measures.gaussian import gaussian_reference
from ganforge.measures.generated import MEANINGS, QUICK
from ganforge.measures.intervals import Estimate
from ganforge.measures.neighbours import FEWEST_COMPARED, nearest_with_index
from ganforge.planning.draft import Draft
from ganforge.planning.evaluator import Evaluator
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Content, Evaluation, Figure, Page, Verdict
from ganforge.run import Run

SHOWN = 36  # spectrograms of a look
JUDGED = 2_000  # samples of an evaluation
HEARD = 5  # sounds in a row of the page
MOST_ROWS, UNLABELLED_ROWS = 12, 3


class Generate(Task):
    """The task `generate` on sounds."""

    name: ClassVar[str] = "generate"
    labels: ClassVar[str | None] = (
        "The subfolders are the labels: all are learned, and `sample --label` draws one. --label none ignores them."
    )
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {name: MEANINGS[name].better for name in QUICK}
    section: ClassVar[type[TaskSection] | None] = Spectral
    page: ClassVar[Page] = Page(
        nouns="sounds",
        judged="generated sounds",
        samples="Spectrograms of generated sounds",
        caption="Every spectrogram here was made by the model: low sounds below, time to the right",
        note="None was chosen by hand.",
        story="Two networks learn against each other: the generator makes spectrograms, the discriminator tells them "
        "from those of real sounds. Below is what the generator made of the same random numbers at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> GenerateJob:
        """Decode the sounds and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Generate, absent=ABSENT)
        tell("reading", count=0, source=request.source)
        sounds = _open(request, request.options.get("rate"))
        grid = grid_for(sounds)
        train, held_out = spectrograms_of(sounds, grid, draft.device)
        return GenerateJob(plan_sounds(draft, sounds, grid, train, tell), sounds, train, held_out, tell)

    def open(self, recipe: Recipe, tell: Tell) -> GenerateJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        grid = recipe.section(Spectral).grid
        sounds = _open(recipe.ask, grid.mel.rate)
        refuse_changed_data(recipe, sounds.sha256, "The sounds")
        return GenerateJob(recipe, sounds, *spectrograms_of(sounds, grid, recipe.compute.device), tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the spectrograms received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device, SPECTROGRAMS)


def _open(request: Request, rate: int | None) -> Sounds:
    return open_sounds(request.source, rate, labelled=request.label != "none", fewest=FEWEST_COMPARED)


@dataclass(slots=True)
class GenerateJob(Job):
    """A job with its sounds and its complete recipe."""

    recipe: Recipe
    sounds: Sounds
    train: ArrayFeed
    held_out: ArrayFeed
    tell: Tell
    evaluator: Evaluator = field(init=False)

    def __post_init__(self) -> None:
        looked = self.recipe.records.need("look_samples")
        digest = sha256(f"{self.sounds.sha256} {self.sounds.train.digest} {self._grid.content()}".encode()).hexdigest()
        self.evaluator = Evaluator(self.train, self.held_out, digest, self.tell, judged=JUDGED, looked=looked)

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.sounds.passport

    @property
    def feed(self) -> Feed:
        return self.train

    def game(self) -> Game:
        """Build generator and discriminator, initialised from the seed; the discriminator plays first."""
        game = build_game(self.recipe, self.held_out)
        if isinstance(generator := game.product_player.network, Refiner):
            generator.mixture.fit(self.train)
        return game

    def prepare(self) -> None:
        """Train or load the judge before the clock of training starts."""
        self.evaluator.prepare()

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Draw spectrograms from a fixed set of latents, and measure quickly."""
        model = self._model(product)
        names = self.recipe.data.label_names
        shown = model.draw(SHOWN, np.arange(SHOWN) % len(names) if names else None, seed=self.recipe.seed)
        write_whole(run.sample_grid(examples), grid_of_levels(shown[:, 0]))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        count = self.recipe.records.need("look_samples")
        return self.evaluator.quick(model.draw(count, model.labels.draw(count, seed=1), seed=1))

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` needs."""
        content = {
            "ganforge": self.recipe.ganforge,
            "kind": "sounds",
            "task": "generate",
            "next_steps": NEXT_STEPS,
            "data": self.recipe.data.content(),
            "network": self.recipe.network.content(),
            "sound": self.recipe.section(Spectral).content(),
            "label_shares": self._labels.shares,
        }
        write_model_files(folder, product, content)

    def finish(self, product: nn.Module) -> nn.Module:
        """Leave out what a refiner adds unless it is certainly nearer to the training sounds than its mixture."""
        if isinstance(product, Refiner):
            refined, alone = self._distances(product, self.evaluator.unlearned())
            product.strength.fill_(1.0 if refined.high < alone.value else 0.0)
        return product

    def read_product(self, folder: Path) -> nn.Module:
        """Load the generator that `write_model` wrote."""
        return load_generator(folder, self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare every measure with other real sounds and a Gaussian of each label; let samples be heard."""
        model, names = self._model(product), self.recipe.data.label_names
        labels = model.labels.draw(JUDGED, seed=2)
        samples = model.draw(JUDGED, labels, seed=2)
        seen, seen_labels = self.evaluator.seen()
        drawn = gaussian_reference(seen, seen_labels, SHOWN, 0)
        for name, levels in {"real": seen[:SHOWN], "reference": drawn}.items():
            write_whole(run.figure(name), grid_of_levels(levels[:, 0]))
        rows = self._rows(run, samples, labels, seen)
        found = self.evaluator.evaluate(
            (seen, seen_labels), samples, labels, names, nouns="sounds", blocks=lambda facts: _blocks(facts, rows)
        )
        if not isinstance(product, Refiner):
            return found
        refined, alone = self._distances(product, self.evaluator.unseen())
        return replace(found, verdict=_with_refiner(found.verdict, refined, alone, kept=bool(product.strength > 0)))

    def _distances(self, product: Refiner, real: Levels) -> tuple[Estimate, Estimate]:
        """Return the kernel distance to real spectrograms of what a refiner makes, and of its mixture alone."""
        labels, features = self._labels.draw(JUDGED, seed=3), self.evaluator.judge.features
        kept, real_features, found = product.strength.clone(), features(real), []
        for strength in (1.0, 0.0):
            product.strength.fill_(strength)
            samples = self._model(product).draw(JUDGED, labels, seed=3)
            found.append(kernel_distance(real_features, features(samples)))
        product.strength.copy_(kept)
        return found[0], found[1]

    def _rows(self, run: Run, samples: Levels, labels: NDArray[np.int64] | None, seen: Levels) -> tuple[Content, ...]:
        """Write a row of sounds for each of the first labels: samples, and the training sound nearest to the first one.

        Returns: for each row its spectrograms, and its sounds one after the other in one file.
        """
        grid, judge, names = self._grid, self.evaluator.judge, self.recipe.data.label_names
        features = LogMel(grid.mel)
        pause = np.zeros(int(PAUSE * grid.mel.rate), np.float32)
        shown: list[Content] = []
        for row in range(min(MOST_ROWS, len(names)) or UNLABELLED_ROWS):
            own = np.arange(len(samples)) if labels is None else np.flatnonzero(labels == row)
            own = own[row * HEARD :][:HEARD] if labels is None else own[:HEARD]
            if not len(own):
                continue
            _, nearest = nearest_with_index(judge.features(samples[own[:1]]), judge.features(seen), k=1)
            sounds = [to_waveform(one[0], grid, features) for one in (*samples[own], seen[nearest[0, 0]])]
            write_whole(run.figure(f"heard-{row}"), picture_of([sounds], features))
            waveform = np.concatenate(
                [part for sound in sounds for part in (PEAK * sound / max(float(np.abs(sound).max()), 1e-6), pause)]
            )
            title = names[row] if names else f"Sounds {row + 1}"
            alt = f"Spectrograms of {len(own)} generated sounds, and of the training sound nearest to the first"
            shown.append(Figure(f"pictures/heard-{row}.png", alt, title, wide=True))
            shown.append(heard(run, f"heard-{row}", waveform, grid.mel.rate, ""))
        return tuple(shown)

    def _model(self, product: nn.Module) -> SoundModel:
        latent_size = self.recipe.network.need("latent_size")
        return SoundModel(product, latent_size, self._labels, self._grid)

    @property
    def _labels(self) -> Labels:
        return Labels.counted(self.recipe.data.label_names, self.train.labels)

    @property
    def _grid(self) -> Grid:
        return self.recipe.section(Spectral).grid


def _with_refiner(verdict: Verdict, refined: Estimate, alone: Estimate, *, kept: bool) -> Verdict:
    """Add what the network brought to a verdict. Args: kernel distances to held-out sounds; kept whether it is used."""
    told = f"({refined.value:.3g}, and {alone.value:.3g} without it)"
    if kept:
        sentence = (
            f"The network brings what the mixture of Gaussians draws nearer to real sounds by kernel distance {told}."
        )
    else:
        sentence = (
            "The samples are those of a mixture of Gaussians alone. The network that was trained against a "
            f"discriminator to refine them brings them no nearer to real sounds {told}, so it is left out."
        )
    helps = kept and refined.high < alone.value
    return replace(verdict, sentences=(*verdict.sentences, sentence), adversarial_helps=helps)


def _blocks(facts: Mapping[str, Any], rows: tuple[Content, ...]) -> tuple[Block, ...]:
    """Return the report blocks: sounds to hear, each beside the nearest training sound, and copies."""
    real = Figure("pictures/real.png", "Spectrograms of real sounds", "Real sounds of the training data.")
    simple = Figure("pictures/reference.png", "Spectrograms drawn from a Gaussian", "Drawn from a simple Gaussian.")
    return (
        Block(
            "Listen",
            f"In each row up to {HEARD} generated sounds; the last one is the training sound nearest to the first. "
            "The player below plays them from left to right.",
            rows,
            first=True,
        ),
        Block("Does it copy?", str(facts["nearest"]), ()),
        Block("Real sounds, and the simplest alternative", "Samples should be taken for the first.", (real, simple)),
    )
