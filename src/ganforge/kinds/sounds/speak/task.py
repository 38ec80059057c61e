"""The task `speak`: a text becomes speech of one voice, judged by a reader that learned from recordings alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_whole
from ganforge.core.model_files import built, description_of, read_description, write_model_files
from ganforge.kinds.sounds.comparison import heard, rivals
from ganforge.kinds.sounds.speak.corpus import Corpus, SentenceFeed, open_corpus
from ganforge.kinds.sounds.speak.measures import (
    MEANINGS,
    MEANS,
    RECORDINGS,
    SHARP,
    WITHOUT,
    Judged,
    judge_voice,
    prefers_sharp,
)
from ganforge.kinds.sounds.speak.model import NEXT_STEPS, speaker_of, write_words
from ganforge.kinds.sounds.speak.networks import Speech
from ganforge.kinds.sounds.speak.plan import NOT_HERE, Speaking, build_game, plan_voice, speech_for
from ganforge.measures.intervals import means_by_bootstrap, measures_of, values_of, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Content, Evaluation, Figure, Page
from ganforge.run import Run

LOOKED_AT, JUDGED, LEARNED = 8, 60, 200  # held-out sentences of a look and at the end; training ones, for sign means
SHOWN = 4  # sentences of the page
UNTRAINED, BOOTSTRAP = "untrained", "sentences/bootstrap"
BESIDE = "The same measures for recordings, and for methods without an adversary or a network."
SENTENCES = {
    WITHOUT: "Learned from spectrograms alone.",
    SHARP: "Its decoder was judged by a discriminator too.",
    RECORDINGS: "The recordings themselves, through the spectrogram and Griffin and Lim's method.",
    MEANS: "Each sign is its mean spectrum, for its mean duration: no network speaks.",
    UNTRAINED: "The same networks before their first step.",
}


class Speak(Task):
    """The task `speak`: a four-player game on sentences."""

    name: ClassVar[str] = "speak"
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"reading_errors": "lower", "mel_distance": "lower"}
    section: ClassVar[type[TaskSection] | None] = Speaking
    unguarded: ClassVar[str | None] = "the voice has no opponent, and the better decoder is chosen when all is done"
    page: ClassVar[Page] = Page(
        nouns="sentences",
        judged="sentences that it never heard",
        samples="A spoken sentence",
        caption="A sentence that training never heard: the recording above, what the voice makes of its text below",
        story="The voice learns which frame says which sign, how long each lasts and how it sounds. A copy of its "
        "decoder goes on against a discriminator of spectrograms. Below is the same sentence at each moment.",
    )

    def plan(self, request: Request, tell: Tell) -> SpeakJob:
        """Read texts and recordings and choose every setting not requested. Raises: DataError, RecipeError."""
        draft = Draft(request, Speak, absent=NOT_HERE)
        tell("reading", count=0, source=request.source)
        corpus = open_corpus(request.source, request.options.get("rate"), draft.pinned.get("speak.signs"))
        feed = SentenceFeed.of(corpus.train, corpus.mel, corpus.alphabet, draft.device)
        return SpeakJob(plan_voice(draft, corpus, feed, tell), corpus, feed, tell)

    def open(self, recipe: Recipe, tell: Tell) -> SpeakJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        own = recipe.section(Speaking)
        corpus = open_corpus(recipe.data.source, own.mel.rate, own.signs)
        refuse_changed_data(recipe, corpus.sha256, "The recordings or their texts")
        feed = SentenceFeed.of(corpus.train, own.mel, corpus.alphabet, recipe.compute.device)
        return SpeakJob(recipe, corpus, feed, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Return the game and a feed of the sentences received."""
        return build_game(recipe), SentenceFeed.of_raw(examples, recipe.compute.device)


@dataclass(slots=True)
class SpeakJob(Job):
    """A job with its recordings, their texts, and its complete recipe."""

    recipe: Recipe
    corpus: Corpus
    sentences: SentenceFeed
    tell: Tell
    _held_out: dict[int, Judged] = field(default_factory=dict)

    @property
    def passport(self) -> Mapping[str, Any]:
        return self.corpus.passport

    @property
    def feed(self) -> Feed:
        return self.sentences

    def game(self) -> Game:
        """Build reader, voice, discriminator and sharp decoder from the seed."""
        return build_game(self.recipe)

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Speak held-out sentences, the same each time; draw one, and measure."""
        assert isinstance(product, Speech)
        judged = self._judged(LOOKED_AT)
        place = min(range(len(judged.ids)), key=lambda number: abs(len(judged.ids[number]) - 40))
        made = judged.spoken(product, 0.0)[place]
        write_whole(run.sample_grid(examples), judged.picture(place, judged.durations(product)[place], made))
        self.tell("sampled", path=str(run.sample_grid(examples)))
        scored = means_by_bootstrap(judged.values(product, 0.0), BOOTSTRAP)
        return with_ends({name: scored[name] for name in Speak.measured})

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the decoder that speaks: the sharp one where it is certainly less smooth, and not worse."""
        assert isinstance(product, Speech)
        judged = self._judged(JUDGED).part(1)
        without, sharp = (judged.values(product, strength) for strength in (0.0, 1.0))
        product.strength.fill_(float(prefers_sharp(without, sharp)))
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` and `apply` need."""
        content = description_of(self.recipe, NEXT_STEPS, speak=self.recipe.section(Speaking).content())
        write_model_files(folder, product, content)
        write_words(folder, self.corpus.alphabet.words)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the networks that `write_model` wrote."""
        read_description(folder)
        return built(folder, lambda: speech_for(self.recipe)).to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare the voice with recordings, with itself without the adversary, and with mean spectra of signs."""
        assert isinstance(product, Speech)
        self.tell("judging")
        judged, revoiced = self._judged(JUDGED).part(0), self._judged(JUDGED).part(0).revoiced()
        learned = Judged.of(self.corpus.train, LEARNED, "speak/means", judged.mel, judged.alphabet)
        values = {
            WITHOUT: judged.values(product, 0.0),
            SHARP: judged.values(product, 1.0),
            RECORDINGS: judged.values_of(product, revoiced, revoiced),
            MEANS: judged.values_of(product, *judged.of_means(learned, product)),
            UNTRAINED: judged.values(product, 0.0, speaks=speech_for(self.recipe)),
        }
        default = SHARP if product.strength > 0 else WITHOUT
        scored = {name: means_by_bootstrap(values[name], BOOTSTRAP) for name in dict.fromkeys((default, *values))}
        told, beside = rivals(scored, SENTENCES, MEANINGS, BESIDE)
        return Evaluation(
            measures=measures_of(scored[default], MEANINGS, values_of(scored[RECORDINGS]), values_of(scored[MEANS])),
            verdict=judge_voice(values, default, self.corpus.passport),
            samples=len(judged.texts),
            held_out=len(self.corpus.held_out),
            judge={"kind": "reader", "sentence": "A small network that learned to read recordings reads what is made."},
            floor="The floor is what the recordings get after Griffin and Lim's method.",
            reference="The reference is a mean spectrum and duration for each sign, which needs no network.",
            best="the recordings",
            simplest="a mean spectrum for each sign",
            blocks=(self._listen(run, product, judged, default), beside),
            facts={"rivals": told, "default": default},
        )

    def _listen(self, run: Run, product: Speech, judged: Judged, default: str) -> Block:
        """Write what the page plays and shows."""
        contents: list[Content] = []
        rate, titles = judged.mel.rate, [text[:100] for text in judged.texts[:SHOWN]]
        voices = {
            name: speaker_of(product, judged.mel, judged.alphabet, strength)
            for name, strength in ((WITHOUT, 0.0), (SHARP, 1.0))
        }
        for row, title in enumerate(titles):
            said = {name: voice.say(judged.texts[row]) for name, voice in voices.items()}
            for name, samples in {"as recorded": judged.sounds[row], **said}.items():
                used = ", which is used" if name == default else ""
                caption = f"{row + 1}: {name}{used}: {title}"
                contents.append(heard(run, f"sound-{row + 1}-{name}", samples, rate, caption))
        made, durations = judged.spoken(product, float(product.strength)), judged.durations(product)
        for row, title in enumerate(titles):
            path = run.figure(f"aligned-{row + 1}")
            write_whole(path, judged.picture(row, durations[row], made[row]))
            caption = "The recording with the sign that each frame was found to say, and what the voice makes."
            contents.append(Figure(f"pictures/{path.name}", title, caption, wide=True))
        return Block("Listen", "Sentences that training never heard.", tuple(contents), first=True)

    def _judged(self, most: int) -> Judged:
        if most not in self._held_out:
            own = self.recipe.section(Speaking)
            alphabet = self.corpus.alphabet
            self._held_out[most] = Judged.of(self.corpus.held_out, most, "speak/held out", own.mel, alphabet)
        return self._held_out[most]
