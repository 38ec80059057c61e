"""The task `speak`: a text becomes speech of one voice, judged by a reader that learned from recordings alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.files import write_through, write_whole
from ganforge.core.model_files import built, read_description, write_model_files
from ganforge.core.seeds import subset
from ganforge.kinds.sounds.sound_file import write_flac
from ganforge.kinds.sounds.speak.corpus import Corpus, SentenceFeed, open_corpus
from ganforge.kinds.sounds.speak.game import Speaking, build_game, speech_for
from ganforge.kinds.sounds.speak.judged import Judged, revoiced
from ganforge.kinds.sounds.speak.measures import MEANINGS, estimates
from ganforge.kinds.sounds.speak.model import NEXT_STEPS, speaker_of
from ganforge.kinds.sounds.speak.networks import Speech
from ganforge.kinds.sounds.speak.picture import aligned_picture
from ganforge.kinds.sounds.speak.plan import NOT_HERE, plan_voice
from ganforge.kinds.sounds.speak.verdict import MEANS, RECORDINGS, SHARP, WITHOUT, judge_voice, prefers_sharp
from ganforge.measures.intervals import beside_others, rival, with_ends
from ganforge.planning.draft import Draft
from ganforge.recipe import Recipe, Request, TaskSection, refuse_changed_data
from ganforge.records import Block, Evaluation, Figure, Measure, Page, Sound
from ganforge.run import Run

LOOKED_AT, JUDGED, LEARNED = 8, 60, 200  # held-out sentences of a look and at the end; training ones, for sign means
SHOWN = 4  # sentences of the page
SENTENCES = {
    WITHOUT: "Learned from spectrograms alone.",
    SHARP: "Its decoder was judged by a discriminator too.",
    RECORDINGS: "The recordings themselves, through the spectrogram and Griffin and Lim's method.",
    MEANS: "Each sign is its mean spectrum, for its mean duration: no network speaks.",
    "untrained": "The same networks before their first step.",
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
        corpus = open_corpus(request.source, request.options.get("rate"))
        feed = SentenceFeed.of(corpus.train, corpus.mel, corpus.alphabet, draft.device)
        return SpeakJob(plan_voice(draft, corpus, feed, tell), corpus, feed, tell)

    def open(self, recipe: Recipe, tell: Tell) -> SpeakJob:
        """Recreate the job from its recipe. Raises: DataError if the data is missing or has changed."""
        own = recipe.section(Speaking)
        corpus = open_corpus(recipe.data.source, own.mel.rate)
        refuse_changed_data(recipe, corpus.sha256, "The recordings or their texts")
        feed = SentenceFeed.of(corpus.train, own.mel, own.alphabet, recipe.compute.device)
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
        made = judged.spoken(product, self._own, 0.0)
        texts = ["|" + self._own.alphabet.known(text) + "|" for text in judged.texts]
        place = min(range(len(texts)), key=lambda number: abs(len(texts[number]) - 40))
        durations = judged.durations(product)[place]
        write_whole(
            run.sample_grid(examples), aligned_picture(judged.levels[place], texts[place], durations, made[place])
        )
        self.tell("sampled", path=str(run.sample_grid(examples)))
        scored = estimates(judged.values(product, self._own, 0.0))
        return with_ends({name: scored[name] for name in Speak.measured})

    def finish(self, product: nn.Module) -> nn.Module:
        """Choose the decoder that speaks: the sharp one where it is certainly less smooth, and not worse."""
        assert isinstance(product, Speech)
        judged = self._judged(JUDGED).part(1)
        without, sharp = (judged.values(product, self._own, strength) for strength in (0.0, 1.0))
        product.strength.fill_(float(prefers_sharp(without, sharp)))
        return product

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors, all that `sample` and `apply` need."""
        content = {
            "ganforge": self.recipe.ganforge,
            "kind": "sounds",
            "task": "speak",
            "next_steps": NEXT_STEPS,
            "network": self.recipe.network.content(),
            "speak": self._own.content(),
        }
        write_model_files(folder, product, content)

    def read_product(self, folder: Path) -> nn.Module:
        """Load the networks that `write_model` wrote."""
        read_description(folder)
        return built(folder, lambda: speech_for(self.recipe)).to(self.recipe.compute.device)

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Compare the voice with recordings, with itself without the adversary, and with mean spectra of signs."""
        assert isinstance(product, Speech)
        self.tell("judging")
        judged, own = self._judged(JUDGED).part(0), self._own
        values = {
            WITHOUT: judged.values(product, own, 0.0),
            SHARP: judged.values(product, own, 1.0),
            RECORDINGS: judged.values_of(product, own, *[[revoiced(one, own) for one in judged.levels]] * 2),
            MEANS: judged.values_of(product, own, *self._sign_means(product, judged)),
            "untrained": judged.values(product, own, 0.0, speaks=speech_for(self.recipe)),
        }
        scored = {name: estimates(one) for name, one in values.items()}
        default = SHARP if product.strength > 0 else WITHOUT
        told = [
            rival(name, SENTENCES[name], {key: one.value for key, one in found.items()})
            for name, found in sorted(scored.items(), key=lambda item: item[0] != default)
        ]
        measures = tuple(
            Measure.of(
                name,
                scored[default][name],
                meaning,
                floor=scored[RECORDINGS][name].value,
                reference=scored[MEANS][name].value,
            )
            for name, meaning in MEANINGS.items()
        )
        return Evaluation(
            measures=measures,
            verdict=judge_voice(values, default, self.corpus.passport),
            samples=len(judged.texts),
            held_out=len(self.corpus.held_out),
            judge={"kind": "reader", "sentence": "A small network that learned to read recordings reads what is made."},
            floor="The floor is what the recordings get after Griffin and Lim's method.",
            reference="The reference is a mean spectrum and duration for each sign, which needs no network.",
            best="the recordings",
            simplest="a mean spectrum for each sign",
            blocks=(
                self._listen(run, product, judged, default),
                beside_others(
                    "The same measures for recordings, and for methods without an adversary or a network.",
                    told,
                    {name: name.replace("_", " ") for name in MEANINGS},
                ),
            ),
            facts={"rivals": told, "default": default},
        )

    def _listen(self, run: Run, product: Speech, judged: Judged, default: str) -> Block:
        """Write what the page plays and shows."""
        contents: list[Sound | Figure] = []
        own, shown = self._own, range(min(SHOWN, len(judged.texts)))
        voices = {WITHOUT: speaker_of(product, own, 0.0), SHARP: speaker_of(product, own, 1.0)}
        for row in shown:
            sounds = {
                "as recorded": judged.sounds[row],
                **{name: one.say(judged.texts[row]) for name, one in voices.items()},
            }
            for name, samples in sounds.items():
                path = run.figure(f"sound-{row + 1}-{name.replace(' ', '-')}").with_suffix(".flac")
                write_through(path, lambda file, x=samples: write_flac(file, x, own.mel.rate))  # type: ignore[misc]
                used = ", which is used" if name == default else ""
                contents.append(Sound(f"pictures/{path.name}", f"{row + 1}: {name}{used}: {judged.texts[row][:100]}"))
        made = judged.spoken(product, own, float(product.strength))
        durations = judged.durations(product)
        for row in shown:
            text = "|" + own.alphabet.known(judged.texts[row]) + "|"
            picture = aligned_picture(judged.levels[row], text, durations[row], made[row])
            write_whole(run.figure(f"aligned-{row + 1}"), picture)
            caption = "The recording with the sign that each frame was found to say, and what the voice makes."
            contents.append(Figure(f"pictures/aligned-{row + 1}.png", judged.texts[row][:100], caption, wide=True))
        return Block("Listen", "Sentences that training never heard.", tuple(contents), first=True)

    def _sign_means(self, product: Speech, judged: Judged) -> tuple[list[Tensor], list[Tensor]]:
        """Return levels of sentences in which each sign is its mean: of the true durations, and of mean ones."""
        some = Judged.of(self.corpus.train, subset(len(self.corpus.train), LEARNED, "speak/means"), self._own)
        count = len(self._own.alphabet)
        total, frames, times = torch.zeros(count, some.levels[0].shape[1]), torch.zeros(count), torch.zeros(count)
        for levels, ids, lasts in zip(some.levels, some.ids, some.durations(product), strict=True):
            which = ids.repeat_interleave(torch.tensor(lasts))
            total.index_add_(0, which, levels)
            frames += torch.bincount(which, minlength=count)
            times += torch.bincount(ids, minlength=count)
        means, lasting = total / frames.clamp(min=1)[:, None], (frames / times.clamp(min=1)).clamp(min=1)

        def held(ids: Tensor, lasts: Tensor) -> Tensor:
            return means[ids.repeat_interleave(lasts)]

        true = [
            held(ids, torch.tensor(lasts)) for ids, lasts in zip(judged.ids, judged.durations(product), strict=True)
        ]
        ends = [lasting[ids].cumsum(0).round().long() for ids in judged.ids]
        own = [held(ids, end.diff(prepend=end.new_zeros(1))) for ids, end in zip(judged.ids, ends, strict=True)]
        return true, own

    @property
    def _own(self) -> Speaking:
        return self.recipe.section(Speaking)

    def _judged(self, most: int) -> Judged:
        if most not in self._held_out:
            chosen = subset(len(self.corpus.held_out), most, "speak/held out")
            self._held_out[most] = Judged.of(self.corpus.held_out, chosen, self._own)
        return self._held_out[most]
