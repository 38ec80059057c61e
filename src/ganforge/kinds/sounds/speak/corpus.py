"""Recordings and their texts, opened: spectrograms as levels, ids of signs, what is left out and why; and the feed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.errors import DataError
from ganforge.kinds.sounds.features import LogMel, Mel, mel_of
from ganforge.kinds.sounds.reading import MOST_NAMED, Part, Samples, open_sounds
from ganforge.kinds.sounds.speak.networks import RANGE
from ganforge.kinds.sounds.speak.text import (
    SUFFIX,
    Alphabet,
    Pronunciations,
    find_dictionary,
    named,
    not_known,
    read,
    read_dictionary,
    spelled,
)
from ganforge.kinds.sounds.speak.transcripts import read_transcripts

FEWEST, FEWEST_FIT = 12, 6  # sentences that are held out, and of them such whose texts fit
BANDS_AT_8_KHZ = 64  # of which Griffin and Lim's method makes a waveform nearly without loss (docs/log.md)
LONGEST_SECONDS = 20.0  # of a recording: longer ones are not learned from
SLOW, SLOW_SECONDS = 4.0, 1.0  # times as long as others for its text, and so much more: it says something else
ENOUGH_SECONDS = 1200.0  # of speech


def mel_at(rate: int) -> Mel:
    """Derive the settings for a sample rate: frames of half a window, and bands as narrow as 64 are at 8 kHz."""
    mel = Mel.at(rate)
    bands = round(BANDS_AT_8_KHZ * mel_of(rate / 2) / mel_of(4000.0))
    return mel.model_copy(update={"hop": mel.n_fft // 2, "bands": bands})


@dataclass(frozen=True, slots=True)
class Utterances:
    """Sentences of one part."""

    part: Part
    texts: tuple[str, ...]  # of each, as written
    places: NDArray[np.int64]  # (N,) of each in `part`

    def __len__(self) -> int:
        return len(self.places)

    def samples(self, number: int) -> Samples:
        """Return a sentence's waveform (T,)."""
        return self.part[int(self.places[number])]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A voice's recordings with their texts."""

    mel: Mel
    alphabet: Alphabet
    train: Utterances
    held_out: Utterances  # of other texts
    sha256: str
    passport: Mapping[str, Any]


def open_corpus(source: str, rate: int | None = None, signs: str | None = None) -> Corpus:
    """Read texts, decode recordings, and hold a tenth of the texts out, with all recordings of each.

    Args: signs that are learned; None for those that are heard often enough.
    Raises: DataError if too few recordings have a text that fits.
    """
    root = Path(source).expanduser()
    found = read_transcripts(root)
    dictionary = find_dictionary(root)
    words = read_dictionary(dictionary) if dictionary is not None else {}
    keys = {path: hashlib.sha256(spelled(text).encode()).hexdigest() for path, text in found.texts.items()}
    if len(set(keys.values())) < 2 * FEWEST:
        raise DataError(
            f"{source!r} holds recordings of {len(set(keys.values()))} different texts.",
            f"At least {2 * FEWEST} are needed: {FEWEST} to learn from, and as many to measure with.",
            found.warnings[-1] if found.warnings else "Give more recordings, each with its text.",
        )
    sounds = open_sounds(source, rate, fewest=FEWEST, groups=keys)
    texts = {str(path): text for path, text in found.texts.items()}
    mel = mel_at(sounds.rate)
    warnings = [*sounds.passport["warnings"], *found.warnings]
    pace = float(np.median([
        length / max(1, len(spelled(texts[name])))
        for part in (sounds.train, sounds.held_out) for name, length in zip(part.names, part.lengths, strict=True)
    ]))  # fmt: skip
    left: dict[str, list[str]] = {}
    parts: list[Utterances] = []
    for part in (sounds.train, sounds.held_out):
        kept: list[int] = []
        for place, (name, length) in enumerate(zip(part.names, part.lengths.tolist(), strict=True)):
            why = _unfit(texts[name], words, length, mel, pace)
            if why:
                left.setdefault(why, []).append(str(Path(name).relative_to(root)))
            else:
                kept.append(place)
        parts.append(Utterances(part, tuple(texts[part.names[place]] for place in kept), np.array(kept, np.int64)))
    warnings += [f"{len(names):,} {why}, such as {names[0]!r}." for why, names in left.items()]
    train, held_out = parts
    if len(train) < FEWEST or len(held_out) < FEWEST_FIT:
        raise DataError(
            f"{source!r} holds {len(train) + len(held_out)} recordings with a text that fits.",
            f"At least {FEWEST} are needed to learn from, and {FEWEST_FIT} of other texts to measure with.",
            warnings[-1] if left else "Give more recordings, each with its text.",
        )
    alphabet = Alphabet.of(train.texts, words) if signs is None else Alphabet(signs, words)
    seconds = float(sum(int(one.part.lengths[one.places].sum()) for one in parts)) / sounds.rate
    warnings += _told(train.texts + held_out.texts, alphabet, seconds, dictionary)
    passport = {
        **sounds.passport,
        "sounds": len(train) + len(held_out),
        "seconds": seconds,
        "train": len(train),
        "held_out": len(held_out),
        "split": f"{len(held_out):,} sentences, chosen by their texts, so that none of these is heard in training",
        "signs": alphabet.signs,
        "dictionary": dictionary and dictionary.name,
        "words": len({word for text in train.texts for word in spelled(text).split()}),
        "warnings": warnings,
    }
    said = sorted((str(Path(name).relative_to(root)), text) for name, text in texts.items())
    content = json.dumps([sounds.sha256, said, *sorted(words.items())])
    digest = hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()
    return Corpus(_with_floor(mel, train), alphabet, train, held_out, digest, passport)


def _unfit(text: str, words: Pronunciations, length: int, mel: Mel, pace: float) -> str:
    """Return why a recording of so many samples is not learned from; "" where it is. Args: pace samples for a sign."""
    if length > LONGEST_SECONDS * mel.rate:
        return f"recordings are longer than {LONGEST_SECONDS:g} seconds and left out: cut them into sentences"
    if mel.frames_of(length) < len(read(text, words)) + 2:
        return "texts are too long for their recordings, which are left out"
    if length > SLOW * pace * len(spelled(text)) + SLOW_SECONDS * mel.rate:
        return f"recordings last {SLOW:g} times as long as others of such a text and are left out"
    return ""


def _told(texts: Sequence[str], alphabet: Alphabet, seconds: float, dictionary: Path | None) -> list[str]:
    """Return what a person should know of texts before training."""
    words: list[str] = []
    if seconds < ENOUGH_SECONDS:
        much = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
        words.append(f"There are {much} of speech: speaking needs about {ENOUGH_SECONDS / 60:.0f} minutes.")
    digits = sum(any(sign.isdigit() for sign in text) for text in texts)
    if digits:
        words.append(f"{digits:,} texts have digits, each of which is learned as one sign: write numbers in words.")
    if dictionary is None:
        words.append(f"Words are read as they are spelled. A pronouncing dictionary ({SUFFIX}) in the folder helps.")
    elif unknown := list(dict.fromkeys(word for text in texts for word in not_known(text, alphabet.words))):
        words.append(
            f"{len(unknown):,} words are not in {dictionary.name} and are read as they are spelled, such as "
            f"{', '.join(map(repr, unknown[:MOST_NAMED]))}."
        )
    rare = list(dict.fromkeys(sign for text in texts for sign in alphabet.unknown(text)))
    if rare:
        words.append(f"Signs that are too rare to be learned are left out of texts: {named(rare[:MOST_NAMED])}.")
    return words


def _with_floor(mel: Mel, train: Utterances) -> Mel:
    """Return the settings with a floor of RANGE below the loudest cells of some sentences."""
    features = LogMel(mel)
    chosen = np.linspace(0, len(train) - 1, min(64, len(train))).round().astype(int)
    some = torch.cat([features(torch.from_numpy(train.samples(int(place)))[None]).flatten() for place in chosen])
    loudest = float(np.quantile(some.numpy(), 0.999))
    return mel.model_copy(update={"floor": float(f"{math.exp(loudest - RANGE):.3g}")})


def to_levels(log_mel: Tensor, mel: Mel) -> Tensor:
    """Return a log-mel spectrogram as levels: -1 at the floor, 1 at RANGE above it."""
    return (log_mel - math.log(mel.floor)) * (2 / RANGE) - 1


def levels_of(samples: Samples, features: LogMel) -> Tensor:
    """Return the levels (N, M) of a waveform (T,)."""
    with torch.no_grad():
        return to_levels(features(torch.from_numpy(samples)[None])[0].T, features.mel)


def to_log_mel(levels: Tensor, mel: Mel) -> Tensor:
    """Invert `to_levels`; nothing is below the floor."""
    return (levels.clamp(min=-1) + 1) * (RANGE / 2) + math.log(mel.floor)


class SentenceFeed:
    """Sentences by index (contracts.Feed): x (B, N, M) levels, frames (B,), text (B, L) ids, signs (B,)."""

    resident = False  # batches have the length of their longest sentence

    def __init__(self, levels: Sequence[Tensor], texts: Sequence[Tensor], device: torch.device | str = "cpu") -> None:
        """Args: levels of each sentence (N, M) float16; texts (L,) int64."""
        self._levels, self._texts = levels, texts
        self._device = torch.device(device)

    @classmethod
    def of(cls, some: Utterances, mel: Mel, alphabet: Alphabet, device: torch.device | str = "cpu") -> SentenceFeed:
        """Make a feed of all sentences of a part."""
        features = LogMel(mel)
        levels = [levels_of(some.samples(number), features).half() for number in range(len(some))]
        return cls(levels, [torch.tensor(alphabet.ids(text)) for text in some.texts], device)

    def __len__(self) -> int:
        return len(self._levels)

    def batch(self, indices: Tensor) -> dict[str, Tensor]:
        """Args: indices (B,) int64 on the CPU."""
        return {name: value.to(self._device, non_blocking=True) for name, value in self._some(indices.tolist()).items()}

    def raw(self, first: int, last: int) -> dict[str, Tensor]:
        """Return the sentences first..last-1, on the CPU."""
        return self._some(range(first, last))

    @classmethod
    def of_raw(cls, examples: Mapping[str, Tensor], device: torch.device | str) -> SentenceFeed:
        """Make a feed of what `raw` returned."""
        frames, signs = examples["frames"].tolist(), examples["signs"].tolist()
        levels = [x[:count].half() for x, count in zip(examples["x"], frames, strict=True)]
        return cls(levels, [text[:count] for text, count in zip(examples["text"], signs, strict=True)], device)

    def _some(self, places: Sequence[int]) -> dict[str, Tensor]:
        levels, texts = ([all_of[place] for place in places] for all_of in (self._levels, self._texts))
        return {
            "x": torch.nn.utils.rnn.pad_sequence([one.float() for one in levels], batch_first=True),
            "frames": torch.tensor([len(one) for one in levels]),
            "text": torch.nn.utils.rnn.pad_sequence(texts, batch_first=True),
            "signs": torch.tensor([len(one) for one in texts]),
        }
