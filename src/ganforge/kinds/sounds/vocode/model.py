"""A trained vocoder, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganforge.contracts import Model, Observer
from ganforge.core.conversion import TellOf
from ganforge.core.model_files import built, read_description_of
from ganforge.errors import refused
from ganforge.kinds.sounds.conversion import convert_sound, converted
from ganforge.kinds.sounds.features import Mel, refined
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.plan import at_strength, check_sizes
from ganforge.kinds.sounds.reading import SOUNDS
from ganforge.kinds.sounds.sound_file import Waveform, write_sound
from ganforge.kinds.sounds.stream import Channel, Stream, through
from ganforge.kinds.sounds.vocode.mel_file import SUFFIXES, checked, read_mel
from ganforge.kinds.sounds.vocode.plan import Vocoding, vocoder_of
from ganforge.networks.ends import Ends, opened, product_of
from ganforge.recipe import Network

CHUNK = 1024  # frames that are made at once
NEXT_STEPS = {"apply RUN sounds/ --out made/": "your own sounds, through their spectrograms and back"}
SOURCES = replace(SOUNDS, suffixes=(*SOUNDS.suffixes, *SUFFIXES))


@torch.no_grad()
def waveform_of(network: Vocoder, log_mel: Tensor, refinements: int) -> Tensor:
    """Return the waveform (B, (N - 1) * hop) of log-mel spectrograms (B, M, N), on the CPU."""
    given = log_mel.to(next(network.parameters()).device)
    return refined(network(given), given, network.features, refinements).cpu()


def stream_of(network: Vocoder, refinements: int = 0, chunk: int = CHUNK) -> Stream:
    """Return a stream of samples that are made again. Args: refinements iterations of `refined` after the network."""

    def make(x: Tensor, begins: int, first: int, last: int) -> np.ndarray:
        features = network.features(x[None].to(next(network.parameters()).device))
        return waveform_of(network, features, refinements)[0].numpy()

    return Stream(make, network.features.mel, network.reach(refinements), chunk)


@dataclass(frozen=True, slots=True)
class SoundMap(Model):
    """A trained vocoder: sounds in, sounds out, through their log-mel spectrograms."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    network: Vocoder
    refinements: int  # iterations of `refined` after the network, for files
    ends: Ends | None = None  # faithful and sharp, on the CPU

    @property
    def mel(self) -> Mel:
        """How a waveform becomes the spectrogram that the network takes."""
        return self.network.features.mel

    def at(self, strength: float) -> SoundMap:
        """Return the vocoder at a strength between faithful (0) and sharp (1): its weights are interpolated.

        Raises: InputError where there is no sharp end.
        """
        return replace(self, network=at_strength(self.network, self.ends, strength, "vocoder", "vocode"))

    def synthesise(self, log_mel: Tensor, refinements: int | None = None) -> Tensor:
        """Return the waveform (B, (N - 1) * hop) of log-mel spectrograms (B, M, N), which any tool may have made.

        Args: refinements iterations after the network; None for as many as `apply` makes of a file.
        Raises: InputError for spectrograms of another shape, or whose values cannot be those of `mel`.
        """
        given = torch.from_numpy(checked(np.asarray(log_mel), self.mel, "The spectrogram"))
        return waveform_of(self.network, given, self.refinements if refinements is None else refinements)

    def stream(self, rate: int, *, refinements: int = 0, chunk: int = 1) -> Channel:
        """Return a converter for one channel that is heard while it is made.

        Its `push(samples)` takes samples (n,) at `rate` and returns those that are ready, `end()` the rest, and
        `latency` says how long a sample waits. Args: chunk frames that are made at once; refinements: each one waits
        for a window more.
        """
        return Channel(stream_of(self.network, refinements, chunk), rate)

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Make a sound file or a folder of them once more, from their spectrograms; or a waveform (T,), in memory.

        A log-mel spectrogram in a .npy or .npz file becomes a sound. Rate, channels, length and level stay.
        Args, results and errors are those of `conversion.converted`; options strength (0..1), force.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        return converted(source, out, model.blocks, options, observers, sought=SOURCES, convert=model.convert)

    def convert(self, file: Path, place: Path, tell: TellOf) -> Sequence[str]:
        """Convert one file. Returns: what was changed in it."""
        if file.suffix.lower() in SUFFIXES:
            waveform = self.synthesise(torch.from_numpy(read_mel(file, self.mel)))[0].numpy()
            write_sound(place, [waveform[:, None]], self.mel.rate, 1)
            return ()
        return convert_sound(file, place, self.blocks)

    def blocks(self, given: Iterable[Waveform], rate: int) -> Iterator[Waveform]:
        """Convert blocks (n, C) at `rate`, and yield as many samples as were given, in bounded memory."""
        source = iter(given)
        if (first := next(source, None)) is not None:
            channels = [Channel(stream_of(self.network, self.refinements), rate) for _ in first.T]
            yield from through(channels, chain([first], source))


def load_vocoder(folder: Path, device: str = "cpu") -> SoundMap:
    """Load the vocoder of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "vocode", "a vocoder")
    with refused(f"The model at {str(folder)!r}"):
        network, told = Network.model_validate(content["network"]), dict(content["synthesis"])
        both, chosen = bool(told.pop("sharp")), Vocoding.model_validate(told)
        check_sizes(chosen.mel, network)
        product = built(folder, lambda: product_of(lambda: vocoder_of(chosen, network), both=both))
        found, ends = opened(product, device)
    return SoundMap(found, chosen.refinements, ends)
