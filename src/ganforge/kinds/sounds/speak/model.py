"""A trained voice, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganforge.contracts import Model, Observer
from ganforge.core.files import read_json_file, refuse_taken
from ganforge.core.model_files import built, read_description_of
from ganforge.core.text_file import read_text
from ganforge.errors import DataError, InputError, refused
from ganforge.events import tell_note
from ganforge.kinds.sounds.features import LogMel, Mel, mel_griffin_lim
from ganforge.kinds.sounds.plan import check_sizes
from ganforge.kinds.sounds.reading import MOST_NAMED, Samples
from ganforge.kinds.sounds.sound_file import MadeSounds, check_suffix
from ganforge.kinds.sounds.speak.corpus import to_log_mel
from ganforge.kinds.sounds.speak.networks import Sentence, Speech, Voice
from ganforge.kinds.sounds.speak.plan import Speaking, speech_of
from ganforge.kinds.sounds.speak.text import Alphabet, Pronunciations, named, not_known
from ganforge.networks.convnext import Packed, Stack
from ganforge.networks.ends import Ends, interpolated
from ganforge.recipe import Network

MOST_FRAMES = 100  # of one sign
MOST_SIGNS = 2_000  # of one sentence
WORDS = "words.json"  # beside model.json: the dictionary
NEXT_STEPS = {
    'sample RUN --text "..." --out said.wav': "your own words",
    "apply RUN sentences.txt --out spoken/": "a file for each line; --out spoken.wav: one with all",
}


@dataclass(frozen=True, slots=True)
class Speaker(Model):
    """A trained voice: text in, sound out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    voice: Voice
    decoder: Stack  # the one that is used
    decoders: Ends  # without and with the adversary
    alphabet: Alphabet
    mel: Mel

    def at(self, strength: float) -> Speaker:
        """Return the voice at a strength between without (0) and with (1) the adversary: weights are interpolated."""
        return replace(self, decoder=interpolated(self.decoder, self.decoders, strength))

    @torch.no_grad()
    def levels(self, text: str, lasting: Sequence[int] | None = None) -> Tensor:
        """Return the levels (N, M) of a text. Args: lasting frames of each sign; None for as many as are expected."""
        device = next(self.decoder.parameters()).device
        ids = torch.tensor([self.alphabet.ids(text)], device=device)
        read = self.voice.read(ids, torch.tensor([ids.shape[1]], device=device))
        durations = self._expected(read) if lasting is None else torch.tensor([lasting], device=device)
        frames = Packed(durations.sum(1))
        made: Tensor = frames.unpack(self.decoder(self.voice.spread(read, durations, frames), frames.mask))[0]
        return made

    def _expected(self, read: Sentence) -> Tensor:
        """Return the frames (1, L) that each sign is expected to last; their sum is rounded, not each."""
        ends = self.voice.log_durations(read).exp().clamp(1, MOST_FRAMES).cumsum(1).round().long()
        return ends.diff(dim=1, prepend=torch.zeros_like(ends[:, :1]))

    def say(self, text: str) -> Samples:
        """Return the waveform (T,) of a text."""
        log_mel = to_log_mel(self.levels(text).cpu(), self.mel).T[None]
        waveform: Samples = mel_griffin_lim(log_mel, LogMel(self.mel))[0].numpy()
        return waveform

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> MadeSounds:
        """Speak texts. Args: asked: text, one or several; a voice says the same text in one way, whatever the seed.

        Raises: InputError.
        """
        texts = asked.get("text")
        if not texts:
            raise InputError(
                "This run speaks, and no text was given.",
                "There is nothing that it could say by itself.",
                'Use: ganforge sample RUN --text "..." --out said.wav, or: ganforge apply RUN lines.txt --out said/',
            )
        for text in texts:
            if why := self._why_not(text):
                knows = f"This voice knows {self.alphabet.signs!r}."
                raise InputError(f"The text {text!r} cannot be spoken.", f"{why.capitalize()}.", knows)
        _, notes = self._sorted(dict(enumerate(texts, 1)), "Text")
        return self._spoken([(f"{number:05d}", text) for number, text in enumerate(texts)], notes)

    def write(self, samples: MadeSounds, out: Path, *, force: bool) -> Path:
        """Write a folder with a file for each text, or one file with all in a row (contracts.Model)."""
        return samples.write(out, force=force)

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Speak each line of a text file, or each of a list of texts; empty lines are left out.

        Args: out a folder, in which files are named by the number of the line, or one sound file with all; None returns
        the waveforms (T,); options strength (0..1), force. observers hear of signs and lines that are left out.
        Raises: InputError, DataError if no line can be spoken, StorageError.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        if out is not None:
            if out.suffix:
                check_suffix(out)
            refuse_taken(out, force=bool(options.get("force")))
        every, notes = _lines(source)
        lines = {number: line for number, line in enumerate(every, 1) if line.strip()}
        kept, told = self._sorted(lines, "Line")
        for sentence in (*notes, *told):
            tell_note(observers, sentence, len(lines))
        if not kept:
            raise DataError(
                f"None of the {len(every)} lines can be spoken.",
                f"{told[0]}." if told else "They are empty.",
                f"Give texts with signs that the voice knows: {self.alphabet.signs!r}",
            )
        spoken = model._spoken([(f"{number:04d}", line) for number, line in kept.items()])
        return spoken.value() if out is None else model.write(spoken, out, force=bool(options.get("force")))

    def _spoken(self, texts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> MadeSounds:
        """Return the sounds of texts, each with the name of its file."""
        return MadeSounds(self.mel.rate, lambda: ((name, self.say(text)) for name, text in texts), tuple(notes))

    def _why_not(self, text: str) -> str:
        """Return why a text cannot be spoken; "" where it can."""
        known = self.alphabet.known(text)
        if len(known) > MOST_SIGNS:
            return f"it has {len(known):,} signs, and {MOST_SIGNS:,} are the most: cut it into sentences"
        return "" if any(sign.isalnum() for sign in known) else "the voice knows no letter of it"

    def _sorted(self, lines: Mapping[int, str], noun: str) -> tuple[dict[int, str], list[str]]:
        """Return the lines that can be spoken, by number, and what is to be told of these and the others."""
        why = {number: self._why_not(line) for number, line in lines.items()}
        kept = {number: line for number, line in lines.items() if not why[number]}
        notes = [f"{noun} {number} is left out: {reason}" for number, reason in why.items() if reason]
        places: dict[str, list[int]] = {}  # of each sign that is left out
        for number, line in kept.items():
            for sign in self.alphabet.unknown(line):
                places.setdefault(sign, []).append(number)
        for sign, (first, *others) in places.items():
            more = f" and {len(others):,} more" if others else ""
            notes.append(f"{noun} {first}{more}: {named([sign])} was not heard in training and is left out")
        if self.alphabet.words:
            unknown = not_known(" ".join(kept.values()), self.alphabet.words)[:MOST_NAMED]
            notes += [f"{word!r} is not in the dictionary and is read as it is spelled" for word in unknown]
        return kept, notes


def _lines(source: object) -> tuple[list[str], list[str]]:
    """Return the lines of a text file, or texts as they are given, and notes. Raises: InputError, DataError."""
    if isinstance(source, list | tuple) and all(isinstance(line, str) for line in source):
        return [" ".join(line.split()) for line in source], []
    if not isinstance(source, str | Path):
        raise InputError(f"A {type(source).__name__} cannot be spoken.", "A voice needs texts: a file, or a list.")
    path = Path(source).expanduser()
    if path.is_dir():
        raise InputError(
            f"{str(path)!r} is a folder.", "A voice speaks the lines of a text file.", "Give such a file, or --text."
        )
    if not path.exists():
        raise DataError(
            f"There is no file {str(path)!r}.",
            "A voice speaks the lines of a text file.",
            'To speak words: ganforge sample RUN --text "..." --out said.wav',
        )
    text, encoding = read_text(path)
    odd = encoding not in ("utf-8", "utf-8-sig")
    return text.splitlines(), [f"{path.name} is not UTF-8 and was read as {encoding}"] if odd else []


def load_speaker(folder: Path, device: str = "cpu") -> Speaker:
    """Load the voice of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "speak", "a voice")
    with refused(f"The model at {str(folder)!r}"):
        network, own = Network.model_validate(content["network"]), Speaking.model_validate(content["speak"])
        check_sizes(own.mel, network)
        speech = built(folder, lambda: speech_of(own, network)).to(device)
        alphabet = Alphabet(own.signs, read_words(folder))
    return speaker_of(speech, own.mel, alphabet)


def write_words(folder: Path, words: Pronunciations) -> None:
    """Write the dictionary that a voice was trained with, if any, into its model folder."""
    if words:
        (folder / WORDS).write_text(json.dumps(words, ensure_ascii=False), "utf-8")


def read_words(folder: Path) -> Pronunciations:
    """Read what `write_words` wrote, which may come from anybody. Raises: ValueError if it is not a dictionary."""
    words = read_json_file(folder / WORDS) if (folder / WORDS).exists() else {}
    if not isinstance(words, dict) or not all(isinstance(sounds, str) for sounds in words.values()):
        raise ValueError(f"{WORDS} is not a dictionary")
    return words


def speaker_of(speech: Speech, mel: Mel, alphabet: Alphabet, strength: float | None = None) -> Speaker:
    """Return the voice of trained networks. Args: strength 0..1; None for the one that was chosen."""
    decoders = (speech.voice.decoder.state_dict(), speech.sharp.state_dict())
    chosen = float(speech.strength.clamp(0, 1)) if strength is None else strength
    decoder = interpolated(speech.sharp, decoders, chosen)
    return Speaker(speech.voice, decoder, decoders, alphabet, mel)
