"""The task `convert`: recordings of several voices, and what one says in the voice of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_through, write_whole
from ganforge.core.model_files import built, read_description, write_model_files
from ganforge.core.seeds import subset
from ganforge.kinds.sounds.convert.corpus import ENOUGH_SECONDS, Corpus, Heard, open_voices, seconds_of
from ganforge.kinds.sounds.convert.game import (
    Converting,
    ReceivedFeed,
    SpokenFeed,
    build_game,
    initial_network,
    initial_product,
)
from ganforge.kinds.sounds.convert.measures import (
    MEANINGS,
    Conversions,
    Speakers,
    distances_of_words,
    judge_converter,
)
from ganforge.kinds.sounds.convert.model import NEXT_STEPS, Stored
from ganforge.kinds.sounds.convert.network import SourceFilter
from ganforge.kinds.sounds.convert.plan import NOT_HERE, choose_features, plan_converter
from ganforge.kinds.sounds.convert.stream import Source, VoiceStream
from ganforge.kinds.sounds.convert.voices import Hearing, Target
from ganforge.kinds.sounds.reading import Samples, Sounds
from ganforge.kinds.sounds.sound_file import write_flac
from ganforge.kinds.sounds.spectrogram import picture_of
from ganforge.kinds.sounds.vocode.game import BothEnds
from ganforge.kinds.sounds.vocode.measures import Scores, estimates
from ganforge.kinds.sounds.vocode.verdict import FAITHFUL, SHARP, prefers_sharp
from ganforge.measures.intervals import beside_others, rival, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Evaluation, Figure, Measure, Page, Sound
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
        story="Every moment of a recording is replaced by the mean of the target's most similar ones. A network learns "
        "to speak the result, from recordings that are treated so with their own voice's others. Below are the same "
        "sounds at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> ConvertJob:
        """Decode the sounds, rebuild them of neighbours, and choose every setting. Raises: DataError, RecipeError."""
        draft = Draft(request, Convert, absent=NOT_HERE)
        tell("reading", count=0, source=request.source)
        sounds = open_voices(request.source, request.options.get("rate"))
        chosen = choose_features(draft, sounds)
        voices = Voices.of(sounds, chosen)
        recipe = plan_converter(draft, voices.feed(chosen, draft.device), tell)
        return ConvertJob(recipe, sounds, voices, tell)

    def open(self, recipe: Recipe, tell: Tell) -> ConvertJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        chosen = recipe.section(Converting)
        sounds = open_voices(recipe.data.source, chosen.mel.rate)
        refuse_changed_data(recipe, sounds.sha256, "The sounds")
        return ConvertJob(recipe, sounds, Voices.of(sounds, chosen), tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the stretches received."""
        return build_game(recipe), ReceivedFeed(examples, recipe.compute.device)


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of a run: their recordings, heard."""

    corpus: Corpus
    heard: tuple[Heard, ...]
    targets: tuple[Target, ...]
    hearing: Hearing

    @classmethod
    def of(cls, sounds: Sounds, chosen: Converting) -> Voices:
        """Hear the recordings that are kept of each voice."""
        corpus, hearing = Corpus.of(sounds, chosen.seconds), Hearing(chosen.mel)
        heard = tuple(Heard.of(pieces, hearing) for pieces in corpus.learned)
        return cls(
            corpus, heard, tuple(own.target(chosen.mel, chosen.neighbours, chosen.kept) for own in heard), hearing
        )

    def feed(self, chosen: Converting, device: str) -> SpokenFeed:
        """Return the training examples, which takes a while."""
        return SpokenFeed.of(self.heard, self.targets, chosen, device)

    def rebuilt(self, label: int, samples: Samples, network: SourceFilter) -> Samples:
        """Return a held-out sound, made of its own voice's frames and spoken by a network."""
        known = self.targets[label].voice
        return self.spoken(network, samples, replace(self.source(samples), voice=known), label)

    def source(self, samples: Samples) -> Source:
        """Return what is known of the voice of a sound, heard by itself."""
        return Source.of(samples, self.hearing, [target.voice for target in self.targets])

    def spoken(self, network: SourceFilter, samples: Samples, source: Source, label: int) -> Samples:
        """Return a sound in the voice of a label."""
        stream = VoiceStream(network, self.hearing, source, self.targets[label], label)
        return np.concatenate([stream.push(samples), stream.end()])


@dataclass(slots=True)
class ConvertJob(Job):
    """A job with its voices and its complete recipe."""

    recipe: Recipe
    sounds: Sounds
    voices: Voices
    tell: Tell
    _feed: SpokenFeed | None = field(default=None)

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.sounds.passport

    @property
    def feed(self) -> Feed:
        if self._feed is None:
            self._feed = self.voices.feed(self.recipe.section(Converting), self.recipe.compute.device)
        return self._feed

    def game(self) -> Game:
        """Build faithful, discriminators and sharp from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Make held-out sounds again, the same each time; draw their spectrograms, and measure both ends."""
        truth = self._held_out(LOOKED_AT)
        made = {name: self._made(end, truth) for name, end in _ends(product).items()}
        shown = [[x, *(own[row] for own in made.values())] for row, (_, x) in enumerate(truth[:HEARD])]
        write_whole(run.sample_grid(examples), picture_of(shown, self.voices.hearing.features))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        scores = {name: estimates(self._scores(truth, own))["spectral_distance"] for name, own in made.items()}
        return with_ends({f"{'sharp_' * (name == SHARP)}spectral_distance": own for name, own in scores.items()})

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the end that `apply` uses: the sharp one where it is certainly less smooth and not further off."""
        if isinstance(product, BothEnds):
            truth = self._held_out(JUDGED)[1::2] or self._held_out(JUDGED)
            own = {name: self._scores(truth, self._made(end, truth)) for name, end in _ends(product).items()}
            product.strength.fill_(float(prefers_sharp(own[FAITHFUL], own[SHARP])))
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors with the network and the frames of each voice."""
        frames = [target.voice.frames.half() for target in self.voices.targets]
        kept = zip(self.voices.corpus.names, frames, strict=True)
        content = {
            "ganforge": self.recipe.ganforge,
            "kind": "sounds",
            "task": "convert",
            "next_steps": NEXT_STEPS,
            "network": self.recipe.network.content(),
            "convert": self.recipe.section(Converting).content(),
            "voices": [{"name": name, "frames": own.shape[1]} for name, own in kept],
        }
        write_model_files(folder, Stored(product, frames), content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the network, or both ends, that `write_model` wrote."""
        read_description(folder)
        product = initial_product(self.recipe)  # with its windows and filters, which are computed, not stored
        stored = built(folder, lambda: initial_product(self.recipe), prefix="product.")
        product.load_state_dict(stored.state_dict())
        return product.to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Convert held-out sounds between pairs of voices by every method, and let them be heard."""
        self.tell("judging")
        ends, plain = _ends(product), initial_network(self.recipe)
        plain.silence()
        default = SHARP if isinstance(product, BothEnds) and product.strength > 0 else FAITHFUL
        speakers = Speakers(self.voices.corpus.learned, self.voices.hearing)
        pairs = self._pairs()
        made = {name: [self._converted(end, *pair) for pair in pairs] for name, end in {**ends, PLAIN: plain}.items()}
        made[COPY] = [self._takes(source) for source, _ in pairs]
        found = {name: self._conversions(pairs, own, speakers) for name, own in made.items()}
        truth = self._held_out(JUDGED)
        truth = truth[::2] or truth
        rebuilt = {name: self._scores(truth, self._made(end, truth)) for name, end in {**ends, PLAIN: plain}.items()}
        rebuilt[COPY] = self._scores(truth, [x for _, x in truth])
        values = {
            name: {"target": own.target, "words": own.words, **{k: rebuilt[name][k] for k in list(MEANINGS)[2:]}}
            for name, own in found.items()
        }
        scored = {name: estimates(own) for name, own in values.items()}
        real = [(label, x) for label in range(len(self.voices.corpus.names)) for x in self._takes(label)]
        known = float(np.mean(speakers.named([x for _, x in real]) == [label for label, _ in real]))
        floors = {"target": known, "words": 0.0, "spectral_distance": 0.0, "fine_structure": 0.0}
        told = [rival(name, SENTENCES[name], {k: one.value for k, one in own.items()}) for name, own in scored.items()]
        few = {name: length for name, length in seconds_of(self.sounds).items() if length < 0.9 * ENOUGH_SECONDS}
        return Evaluation(
            measures=tuple(
                Measure.of(name, scored[default][name], MEANINGS[name], floor=floors[name], reference=own.value)
                for name, own in scored[PLAIN].items()
            ),
            verdict=judge_converter(found, default, PLAIN, known, few),
            samples=len(found[default].words),
            held_out=len(real),
            judge={"kind": "voices", "sentence": f"A linear classifier, which knows {known:.0%} of real sounds."},
            floor="The floor is what real sounds of the target get, and the source itself for what is said.",
            reference="The reference is the same neighbours, spoken by plain pulses and noise without training.",
            best="real sounds",
            simplest="frame neighbours with plain pulses",
            blocks=(
                self._listen(run, pairs, made[default]),
                beside_others(
                    "The same measures for methods without an adversary, or without a network.",
                    told,
                    {name: name.replace("_", " ") for name in MEANINGS},
                ),
            ),
            facts={"rivals": told, "default": default, "classifier": known},
        )

    def _listen(self, run: Run, pairs: Sequence[tuple[int, int]], made: Sequence[Sequence[Samples]]) -> Block:
        """Write what the page plays and shows."""
        contents: list[Sound | Figure] = []
        names, rows = self.voices.corpus.names, []
        for row, ((source, target), own) in enumerate(zip(pairs[:HEARD], made, strict=False)):
            given, real = self._takes(source), self._takes(target)
            heard = {"as recorded": given, "converted": own, f"{names[target]}, a real recording": real}
            for place, (name, samples) in enumerate(heard.items()):
                path = run.figure(f"sound-{row + 1}-{place + 1}").with_suffix(".flac")
                joined = np.concatenate(samples[:4])
                write_through(path, lambda file, x=joined: write_flac(file, x, self.sounds.rate))  # type: ignore[misc]
                contents.append(Sound(f"pictures/{path.name}", name, f"{row + 1}: {names[source]} to {names[target]}"))
            rows.append([given[0], own[0], real[0]])
        write_whole(run.figure("spectrograms"), picture_of(rows, self.voices.hearing.features))
        about = "The source, converted, and a real recording of the target, which says something else."
        contents.append(Figure("pictures/spectrograms.png", "Spectrograms", about, wide=True))
        return Block("Listen", "Sounds that training never heard, in another voice.", tuple(contents), first=True)

    def _pairs(self) -> list[tuple[int, int]]:
        every = list(permutations(range(len(self.voices.corpus.names)), 2))
        return [every[int(place)] for place in subset(len(every), PAIRS, "convert/pairs")]

    def _takes(self, label: int) -> list[Samples]:
        own = self.voices.corpus.held_out[label]
        return [own[int(place)] for place in subset(len(own), EACH, "convert/takes")]

    def _converted(self, network: nn.Module, label: int, to: int) -> list[Samples]:
        assert isinstance(network, SourceFilter)
        return [self.voices.spoken(network, x, self.voices.source(x), to) for x in self._takes(label)]

    def _conversions(
        self, pairs: Sequence[tuple[int, int]], made: Sequence[list[Samples]], speakers: Speakers
    ) -> Conversions:
        named = [speakers.named(own) for own in made]
        return Conversions(
            target=np.concatenate([one == to for one, (_, to) in zip(named, pairs, strict=True)]).astype(np.float64),
            source=np.concatenate([one == of for one, (of, _) in zip(named, pairs, strict=True)]).astype(np.float64),
            words=np.concatenate(
                [
                    distances_of_words(self._takes(of), own, self.voices.hearing)
                    for own, (of, _) in zip(made, pairs, strict=True)
                ]
            ),
        )

    def _made(self, network: nn.Module, truth: Sequence[tuple[int, Samples]]) -> list[Samples]:
        assert isinstance(network, SourceFilter)
        return [self.voices.rebuilt(label, x, network) for label, x in truth]

    def _scores(self, truth: Sequence[tuple[int, Samples]], made: list[Samples]) -> dict[str, Any]:
        return Scores(self.voices.hearing.features).of([x for _, x in truth], made)

    def _held_out(self, most: int) -> list[tuple[int, Samples]]:
        """Return held-out sounds with their voices, the same each time."""
        every = [(label, x) for label, own in enumerate(self.voices.corpus.held_out) for x in own]
        return [every[int(place)] for place in subset(len(every), most, "convert/held out")]


def _ends(product: nn.Module) -> dict[str, nn.Module]:
    if isinstance(product, BothEnds):
        return {FAITHFUL: product.faithful, SHARP: product.sharp}
    return {FAITHFUL: product}
