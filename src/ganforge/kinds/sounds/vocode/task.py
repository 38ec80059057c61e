"""The task `vocode`: a spectrogram becomes a waveform. Both ends are compared with Griffin and Lim's phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.core.seeds import subset
from ganforge.engine.feed import ArrayFeed
from ganforge.errors import DataError
from ganforge.kinds.sounds.comparison import BOOTSTRAP, MEANINGS, choose_end, drawn, heard, look_at, rivals, scores_of
from ganforge.kinds.sounds.features import LogMel, griffin_lim, mel_griffin_lim
from ganforge.kinds.sounds.reading import Samples, Sounds, open_sounds
from ganforge.kinds.sounds.vocode.model import NEXT_STEPS, stream_of
from ganforge.kinds.sounds.vocode.plan import (
    NOT_HERE,
    Vocoding,
    build_game,
    feed_of,
    initial_network,
    initial_product,
    plan_vocoder,
)
from ganforge.kinds.sounds.vocode.verdict import BANDS, PHASES, judge_vocoder
from ganforge.measures.intervals import means_by_bootstrap, measures_of, values_of
from ganforge.networks.ends import FAITHFUL, SHARP, BothEnds, ends_of, strength_of
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Content, Evaluation, Page
from ganforge.run import Run

ITERATIONS = 60  # of the methods without training
LOOKED_AT, JUDGED = 6, 48  # held-out sounds
MOST_SECONDS = 6  # of each that is judged
HEARD, HEARD_SECONDS = 3, 4  # sounds of the page
AT_ONCE, UNTRAINED = "faithful, at once", "untrained"
SENTENCES = {
    FAITHFUL: "Learned from spectrograms alone; refined by iterations after it, as `apply` does with files.",
    SHARP: "Judged by discriminators too, and refined.",
    AT_ONCE: "The faithful network alone, as a stream is made.",
    UNTRAINED: "The same network before its first step, refined as often.",
    PHASES: f"{ITERATIONS} iterations of Griffin and Lim's method: no training.",
    BANDS: f"{ITERATIONS} iterations in which magnitudes are found besides phases, so that the bands are right: no "
    "training.",
}


class Vocode(Task):
    """The task `vocode`: a three-player game on stretches of sound."""

    name: ClassVar[str] = "vocode"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {
        "spectral_distance": "lower",
        "sharp_spectral_distance": "lower",  # where there is an adversary
    }
    section: ClassVar[type[TaskSection] | None] = Vocoding
    unguarded: ClassVar[str | None] = "the faithful end has no opponent, and the better end is chosen when all is done"
    page: ClassVar[Page] = Page(
        nouns="stretches of sound",
        judged="sounds that it never heard",
        samples="Spectrograms",
        caption="Sounds that the model has never heard. In each row: the true spectrogram, the faithful network's, and "
        "the sharp one's where there is an adversary",
        story="A network learns to make waveforms whose spectrograms are right. If you asked for an adversary, a copy "
        "of it goes on against discriminators, which tell its sounds from real ones. Below are the same sounds at each "
        "moment.",
    )

    def plan(self, request: Request, tell: Tell) -> VocodeJob:
        """Decode the sounds and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Vocode, absent=NOT_HERE)
        tell("reading", count=0, source=request.source)
        sounds = open_sounds(request.source, request.options.get("rate"))
        return VocodeJob(plan_vocoder(draft, sounds, tell), sounds, tell)

    def open(self, recipe: Recipe, tell: Tell) -> VocodeJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        sounds = open_sounds(recipe.data.source, recipe.section(Vocoding).mel.rate)
        refuse_changed_data(recipe, sounds.sha256, "The sounds")
        return VocodeJob(recipe, sounds, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the stretches received."""
        return build_game(recipe), ArrayFeed.of_raw(examples, recipe.compute.device)


@dataclass(slots=True)
class VocodeJob(Job):
    """A job with its sounds and its complete recipe."""

    recipe: Recipe
    sounds: Sounds
    tell: Tell

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.sounds.passport

    @property
    def feed(self) -> Feed:
        return feed_of(self.sounds, self.recipe.section(Vocoding), self.recipe.compute.device)

    def game(self) -> Game:
        """Build the players from the seed: faithful, and where there is an adversary, discriminators and sharp."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Make held-out sounds again, the same each time, at once; draw their spectrograms, and measure both ends."""
        truth = self._held_out(LOOKED_AT)
        path, features = run.sample_grid(examples), self._features
        return look_at(path, truth, product, lambda end: _made(end, truth, 0), features, self.tell)

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the end that `apply` uses."""
        truth = self._held_out(JUDGED)
        truth = truth[1::2] or truth
        return choose_end(product, truth, lambda end: self._files(end, truth), self._features)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors with one network or both ends, all that `apply` needs."""
        chosen = self.recipe.section(Vocoding).content()
        synthesis = {name: chosen[name] for name in ("mel", "lookahead", "corrections", "refinements")}
        synthesis["sharp"] = isinstance(product, BothEnds)
        write_model_files(folder, product, description_of(self.recipe, NEXT_STEPS, synthesis=synthesis))

    def read_product(self, folder: Path) -> nn.Module:
        """Load what `write_model` wrote."""
        read_description(folder)
        return built(folder, lambda: initial_product(self.recipe)).to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare both ends with Griffin and Lim's phases on held-out sounds, and let them be heard."""
        self.tell("judging")
        truth = self._held_out(JUDGED)[::2]
        default, ends = SHARP if strength_of(product) > 0 else FAITHFUL, ends_of(product)
        made = {name: self._files(end, truth) for name, end in ends.items()}
        made[AT_ONCE] = _made(ends[FAITHFUL], truth, 0)
        made[UNTRAINED] = self._files(initial_network(self.recipe), truth)
        made[PHASES] = _without_training(griffin_lim, truth, self._features)
        made[BANDS] = _without_training(mel_griffin_lim, truth, self._features)
        values = {name: scores_of(truth, made[name], self._features) for name in dict.fromkeys((default, *made))}
        scored = {name: means_by_bootstrap(own, BOOTSTRAP) for name, own in values.items()}
        told, beside = rivals(scored, SENTENCES, MEANINGS)
        return Evaluation(
            measures=measures_of(scored[default], MEANINGS, dict.fromkeys(MEANINGS, 0.0), values_of(scored[BANDS])),
            verdict=judge_vocoder(values, default, self.sounds.passport),
            samples=len(truth),
            held_out=len(self.sounds.held_out),
            judge={"kind": "none", "sentence": "Spectra are compared; no network judges."},
            floor="The floor is what the true sounds get: 0.",
            reference="The reference is Griffin and Lim's method of bands, which needs no training.",
            best="the true sounds",
            simplest="Griffin and Lim's method of bands",
            blocks=(self._listen(run, truth, made, default), beside),
            facts={"rivals": told, "default": default},
        )

    def _listen(self, run: Run, truth: list[Samples], made: Mapping[str, list[Samples]], default: str) -> Block:
        """Write what the page plays and shows."""
        versions = {"as recorded": truth, **{name: made[name] for name in (default, BANDS, PHASES)}}
        rate, rows = self.sounds.rate, range(min(HEARD, len(truth)))
        contents: list[Content] = [
            heard(run, f"sound-{row + 1}-{name}", own[row][: HEARD_SECONDS * rate], rate, name, f"Sound {row + 1}")
            for row in rows
            for name, own in versions.items()
        ]
        shown = [[truth[row], made[default][row], made[PHASES][row]] for row in rows]
        contents.append(drawn(run, shown, self._features, f"As recorded, {default}, {PHASES}."))
        return Block("Listen", "Sounds that training never heard, and what they became.", tuple(contents), first=True)

    @property
    def _features(self) -> LogMel:
        return LogMel(self.recipe.section(Vocoding).mel)

    def _files(self, network: nn.Module, truth: Sequence[Samples]) -> list[Samples]:
        return _made(network, truth, self.recipe.section(Vocoding).refinements)

    def _held_out(self, most: int) -> list[Samples]:
        """Return held-out sounds, the same each time, of at most MOST_SECONDS, each a whole number of frames."""
        part, hop = self.sounds.held_out, self.recipe.section(Vocoding).mel.hop
        chosen = [part[int(place)] for place in subset(len(part), most, "sounds/held out")]
        cut = [x[: min(len(x), MOST_SECONDS * self.sounds.rate) // hop * hop] for x in chosen]
        usable = [x for x in cut if np.abs(x).max(initial=0.0) > 1e-3]
        if not usable:
            raise DataError(
                f"No held-out sound of {self.recipe.data.source!r} can be heard.",
                f"Of {len(part)} that were held out all are silent or shorter than {hop} samples.",
                "Give more or longer recordings.",
            )
        return usable


def _made(network: Any, truth: Sequence[Samples], refinements: int) -> list[Samples]:
    """Return what a network makes of each sound's spectrogram."""
    return [stream_of(network, refinements).whole(samples) for samples in truth]


def _without_training(
    method: Callable[[Tensor, LogMel, int], Tensor], truth: Sequence[Samples], features: LogMel
) -> list[Samples]:
    made = [method(features(torch.from_numpy(x)[None]), features, ITERATIONS) for x in truth]
    return [own[0, : len(x)].numpy() for own, x in zip(made, truth, strict=True)]
