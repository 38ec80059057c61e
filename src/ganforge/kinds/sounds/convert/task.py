"""The task `convert`: recordings of several voices, and what one says in the voice of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.core.seeds import subset
from ganforge.engine.feed import TensorFeed
from ganforge.kinds.sounds.comparison import BOOTSTRAP, choose_end, drawn, heard, look_at, rivals, scores_of
from ganforge.kinds.sounds.convert.corpus import ENOUGH_SECONDS, Voices, open_voices, seconds_of
from ganforge.kinds.sounds.convert.measures import MEANINGS, Speakers, conversions, judge_converter
from ganforge.kinds.sounds.convert.model import NEXT_STEPS, Stored
from ganforge.kinds.sounds.convert.plan import (
    NOT_HERE,
    Converting,
    SpokenFeed,
    build_game,
    choose_features,
    initial_network,
    initial_product,
    plan_converter,
)
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.reading import Samples, Sounds
from ganforge.measures.intervals import means_by_bootstrap, measures_of, values_of
from ganforge.networks.ends import FAITHFUL, SHARP, ends_of, strength_of
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Content, Evaluation, Page
from ganforge.run import Run

LOOKED_AT, JUDGED = 6, 24  # held-out sounds that are made again, of all voices
PAIRS, EACH = 6, 10  # ordered pairs of voices that are judged, and sounds of each
HEARD = 3  # pairs that the page plays
PLAIN, COPY = "neighbours", "copy"
SENTENCES = {
    FAITHFUL: "The network that learned from spectrograms alone.",
    SHARP: "Judged by discriminators too.",
    PLAIN: "The same neighbours, spoken by plain pulses and noise: no training.",
    COPY: "The source as it is.",
}


class Convert(Task):
    """The task `convert`: a three-player game on stretches of speech that neighbours have rebuilt."""

    name: ClassVar[str] = "convert"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"spectral_distance": "lower"}
    section: ClassVar[type[TaskSection] | None] = Converting
    unguarded: ClassVar[str | None] = "the network has no opponent; of two ends the better is chosen when all is done"
    page: ClassVar[Page] = Page(
        nouns="stretches of speech",
        judged="sounds that it never heard",
        samples="Spectrograms",
        caption="Sounds that the model has never heard, made of the most similar moments of the same voice's others. "
        "In each row: the true spectrogram, then what was made of it",
        story="Every moment of a recording is moved to the target's statistics, and towards its most similar moments. "
        "A network learns to speak the result, from recordings that are treated so with their own voice's others. "
        "Below are the same sounds at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> ConvertJob:
        """Decode the sounds, rebuild them of neighbours, and choose every setting. Raises: DataError, RecipeError."""
        draft = Draft(request, Convert, absent=NOT_HERE)
        tell("reading", count=0, source=request.source)
        sounds = open_voices(request.source, request.options.get("rate"))
        chosen = choose_features(draft, sounds)
        voices = Voices.of(sounds, chosen.mel, chosen.seconds, chosen.neighbours, chosen.kept)
        feed = SpokenFeed.of(voices.heard, voices.targets, chosen, draft.device)
        return ConvertJob(plan_converter(draft, feed, tell), sounds, voices, tell, feed)

    def open(self, recipe: Recipe, tell: Tell) -> ConvertJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        chosen = recipe.section(Converting)
        sounds = open_voices(recipe.data.source, chosen.mel.rate)
        refuse_changed_data(recipe, sounds.sha256, "The sounds")
        voices = Voices.of(sounds, chosen.mel, chosen.seconds, chosen.neighbours, chosen.kept)
        return ConvertJob(recipe, sounds, voices, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the stretches received."""
        return build_game(recipe), TensorFeed(recipe.compute.device, **examples)


@dataclass(slots=True)
class ConvertJob(Job):
    """A job with its voices and its complete recipe."""

    recipe: Recipe
    sounds: Sounds
    voices: Voices
    tell: Tell
    _feed: SpokenFeed | None = None

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.sounds.passport

    @property
    def feed(self) -> Feed:
        if self._feed is None:  # it takes a while
            chosen, device = self.recipe.section(Converting), self.recipe.compute.device
            self._feed = SpokenFeed.of(self.voices.heard, self.voices.targets, chosen, device)
        return self._feed

    def game(self) -> Game:
        """Build faithful, discriminators and sharp from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Make held-out sounds again, the same each time; draw their spectrograms, and measure both ends."""
        labels, truth = self._held_out(LOOKED_AT)
        path = run.sample_grid(examples)
        return look_at(path, truth, product, lambda end: self._made(end, labels, truth), self._features, self.tell)

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the end that `apply` uses."""
        labels, truth = self._held_out(JUDGED, slice(1, None, 2))
        return choose_end(product, truth, lambda end: self._made(end, labels, truth), self._features)

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors with the network and the frames of each voice."""
        frames = [target.voice.frames.half() for target in self.voices.targets]
        kept = zip(self.sounds.label_names, frames, strict=True)
        own = {
            "convert": self.recipe.section(Converting).content(),
            "voices": [{"name": name, "frames": own.shape[1]} for name, own in kept],
        }
        write_model_files(folder, Stored(product, frames), description_of(self.recipe, NEXT_STEPS, **own))

    def read_product(self, folder: Path) -> nn.Module:
        """Load the network, or both ends, that `write_model` wrote."""
        read_description(folder)
        product = built(folder, lambda: initial_product(self.recipe), prefix="product.")
        return product.to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Convert held-out sounds between pairs of voices by every method, and let them be heard."""
        self.tell("judging")
        default, plain = SHARP if strength_of(product) > 0 else FAITHFUL, initial_network(self.recipe)
        plain.silence()
        networks = {**ends_of(product), PLAIN: plain}
        speakers = Speakers([own.pieces for own in self.voices.heard], self.voices.hearing)
        pairs = self._pairs()
        given = [self._takes(source) for source, _ in pairs]
        made = {name: self._converted(end, pairs, given) for name, end in networks.items()} | {COPY: given}
        labels, truth = self._held_out(JUDGED, slice(0, None, 2))
        again = {name: self._made(end, labels, truth) for name, end in networks.items()} | {COPY: truth}
        values = {
            name: {**conversions(speakers, pairs, given, own), **scores_of(truth, again[name], self._features)}
            for name, own in made.items()
        }
        scored = {
            name: means_by_bootstrap({measure: own[measure] for measure in MEANINGS}, BOOTSTRAP)
            for name, own in values.items()
        }
        real = [(label, x) for label in range(len(self.voices.heard)) for x in self._takes(label)]
        known = float(np.mean(speakers.named([x for _, x in real]) == [label for label, _ in real]))
        told, beside = rivals({default: scored[default], **scored}, SENTENCES, MEANINGS)
        few = {name: length for name, length in seconds_of(self.sounds).items() if length < 0.9 * ENOUGH_SECONDS}
        floors = dict.fromkeys(MEANINGS, 0.0) | {"target": known}
        return Evaluation(
            measures=measures_of(scored[default], MEANINGS, floors, values_of(scored[PLAIN])),
            verdict=judge_converter(values, default, PLAIN, known, few),
            samples=len(values[default]["words"]),
            held_out=len(real),
            judge={"kind": "voices", "sentence": f"A linear classifier, which knows {known:.0%} of real sounds."},
            floor="The floor is what real sounds of the target get, and the source itself for what is said.",
            reference="The reference is the same neighbours, spoken by plain pulses and noise without training.",
            best="real sounds",
            simplest="frame neighbours with plain pulses",
            blocks=(self._listen(run, pairs, made[default]), beside),
            facts={"rivals": told, "default": default, "classifier": known},
        )

    def _listen(self, run: Run, pairs: Sequence[tuple[int, int]], made: Sequence[Sequence[Samples]]) -> Block:
        """Write what the page plays and shows."""
        contents: list[Content] = []
        names, rows = self.sounds.label_names, []
        for row, ((source, target), own) in enumerate(zip(pairs[:HEARD], made, strict=False), 1):
            given, real = self._takes(source), self._takes(target)
            versions = {"as recorded": given, "converted": own, f"{names[target]}, a real recording": real}
            for place, (name, samples) in enumerate(versions.items(), 1):
                joined, title = np.concatenate(samples[:4]), f"{row}: {names[source]} to {names[target]}"
                contents.append(heard(run, f"sound-{row}-{place}", joined, self.sounds.rate, name, title))
            rows.append([given[0], own[0], real[0]])
        about = "The source, converted, and a real recording of the target, which says something else."
        contents.append(drawn(run, rows, self._features, about))
        return Block("Listen", "Sounds that training never heard, in another voice.", tuple(contents), first=True)

    @property
    def _features(self) -> LogMel:
        return self.voices.hearing.features

    def _pairs(self) -> list[tuple[int, int]]:
        every = list(permutations(range(len(self.voices.heard)), 2))
        return [every[int(place)] for place in subset(len(every), PAIRS, "convert/pairs")]

    def _takes(self, label: int) -> list[Samples]:
        own = self.voices.held_out[label]
        return [own[int(place)] for place in subset(len(own), EACH, "convert/takes")]

    def _converted(
        self, network: nn.Module, pairs: Sequence[tuple[int, int]], given: Sequence[Sequence[Samples]]
    ) -> list[list[Samples]]:
        """Return sounds of each source in the voice of its target."""
        both = zip(pairs, given, strict=True)
        return [[self.voices.spoken(network, x, target) for x in own] for (_, target), own in both]

    def _made(self, network: nn.Module, labels: Sequence[int], truth: Sequence[Samples]) -> list[Samples]:
        """Return sounds of voices, made of the frames of their own."""
        return [self.voices.spoken(network, x, label, own=True) for label, x in zip(labels, truth, strict=True)]

    def _held_out(self, most: int, some: slice = slice(None)) -> tuple[list[int], list[Samples]]:
        """Return the voices of held-out sounds, and these, the same each time. Args: some of them, else all."""
        every = [(label, x) for label, own in enumerate(self.voices.held_out) for x in own]
        chosen = [every[int(place)] for place in subset(len(every), most, "convert/held out")]
        chosen = chosen[some] or chosen
        return [label for label, _ in chosen], [x for _, x in chosen]
