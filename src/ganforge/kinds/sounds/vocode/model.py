"""A trained vocoder, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Observer
from ganforge.core.conversion import TellOf
from ganforge.core.model_files import built, read_description
from ganforge.errors import InputError, RunError, refused
from ganforge.kinds.sounds.conversion import convert_pair, convert_place, convert_sound
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.reading import SOUNDS
from ganforge.kinds.sounds.sound_file import Waveform, write_sound
from ganforge.kinds.sounds.vocode.game import BothEnds
from ganforge.kinds.sounds.vocode.mel_file import SUFFIXES, checked, read_mel
from ganforge.kinds.sounds.vocode.stream import Channel, waveform_of
from ganforge.networks.interpolation import interpolated_weights
from ganforge.recipe import Network, Section

NEXT_STEPS = {"apply RUN sounds/ --out made/": "your own sounds, through their spectrograms and back"}
MOST_DEPTH = 64  # of a model file that is read
SOURCES = replace(SOUNDS, suffixes=(*SOUNDS.suffixes, *SUFFIXES))


class Synthesis(Section):
    """What a model.json says of the network besides its width and depth."""

    mel: Mel
    lookahead: Annotated[int, Field(ge=0, le=128)]
    corrections: Annotated[int, Field(ge=0, le=16)]
    refinements: Annotated[int, Field(ge=0, le=256)]
    sharp: bool  # whether there are two ends, faithful and sharp


@dataclass(frozen=True, slots=True)
class SoundMap:
    """A trained vocoder: sounds in, sounds out, through their log-mel spectrograms."""

    network: Vocoder
    refinements: int  # iterations of `refined` after the network, for files
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None  # faithful and sharp, on the CPU

    @property
    def mel(self) -> Mel:
        """How a waveform becomes the spectrogram that the network takes."""
        return self.network.features.mel

    def at(self, strength: float) -> SoundMap:
        """Return the vocoder at a strength between faithful (0) and sharp (1): its weights are interpolated.

        Raises: InputError where there is no sharp end.
        """
        if self.ends is None:
            raise InputError(
                f"The strength {strength:g} was given, and this vocoder has one end.",
                "It was trained without an adversary, which is the default.",
                "Leave it out, or train with: --set vocode.sharp_from=0.7",
            )
        network = deepcopy(self.network)
        network.load_state_dict(interpolated_weights(*self.ends, strength))
        return replace(self, network=network)

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
        return Channel(self.network, rate, refinements, chunk)

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> Any:
        """Raise InputError: the model needs an input."""
        raise InputError(
            "This run makes sounds of spectrograms.", "It needs some.", "Use: ganforge apply RUN sounds/ --out made/"
        )

    def write(self, samples: object, out: Path, *, force: bool) -> Path:
        """Raise InputError: the model has no samples."""
        raise InputError("This run draws no sounds, and none can be written.")

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Make a sound file or a folder of them once more, from their spectrograms; or a waveform (T,), in memory.

        A log-mel spectrogram in a .npy or .npz file becomes a sound. A pair of a waveform and its rate is returned as
        such a pair. Rate, channels, length and level stay.
        Args: out a file or folder, required except for a pair; options strength (0..1), force.
        A file of a folder that cannot be used is skipped and told.
        Raises: InputError, DataError for a file or if a folder has no usable one, StorageError.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        if not isinstance(source, str | Path):
            return convert_pair(source, model.blocks)
        return convert_place(source, out, model.convert, SOURCES, observers, force=bool(options.get("force")))

    def convert(self, file: Path, place: Path, tell: TellOf) -> Sequence[str]:
        """Convert one file. Returns: what was changed in it."""
        if file.suffix.lower() in SUFFIXES:
            waveform = self.synthesise(torch.from_numpy(read_mel(file, self.mel)))[0].numpy()
            write_sound(place, [waveform[:, None]], self.mel.rate, 1)
            return ()
        return convert_sound(file, place, self.blocks)

    def blocks(self, given: Iterable[Waveform], rate: int) -> Iterator[Waveform]:
        """Convert blocks (n, C) at `rate`, one channel after the other, and yield as many samples as were given.

        Channels advance together, so memory is bounded however long a sound is.
        """
        source = iter(given)
        first = next(source, None)
        if first is None:
            return
        queues = [Channel(self.network, rate, self.refinements) for _ in range(first.shape[1])]
        for block in chain([first], source):
            made = [queue.push(block[:, number]) for number, queue in enumerate(queues)]
            yield _together(made)
        yield _together([queue.end() for queue in queues])

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS


def _together(channels: list[NDArray[np.float32]]) -> Waveform:
    return np.stack(channels, axis=1)


def check_sizes(mel: Mel, network: Network) -> None:
    """Check what a model file says of a network that ends with an inverse STFT. Raises: ValueError."""
    if mel.hop > mel.n_fft // 2 or network.need("depth") > MOST_DEPTH:
        raise ValueError(f"hop {mel.hop} of {mel.n_fft} samples, depth {network.need('depth')}")


def load_vocoder(folder: Path, device: str = "cpu") -> SoundMap:
    """Load the vocoder of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description(folder)
    if content.get("task") != "vocode":
        raise RunError(f"{folder} is not a vocoder.", f"Its task is {content.get('task')}.", "See its report.html.")
    with refused(f"The model at {str(folder)!r}"):
        chosen, network = Synthesis.model_validate(content["synthesis"]), Network.model_validate(content["network"])
        mel = chosen.mel
        check_sizes(mel, network)

        def vocoder() -> Vocoder:
            return Vocoder(
                mel,
                network.need("width"),
                network.need("depth"),
                lookahead=chosen.lookahead,
                corrections=chosen.corrections,
            )

        if not chosen.sharp:
            return SoundMap(_ready(built(folder, vocoder), vocoder, device), chosen.refinements)
        ends = built(folder, lambda: BothEnds(vocoder(), vocoder()))
        states = (ends.faithful.state_dict(), ends.sharp.state_dict())
        found = SoundMap(_ready(ends.faithful, vocoder, device), chosen.refinements, states)
        return found.at(float(ends.strength.clamp(0, 1)))


def _ready(stored: nn.Module, build: Callable[[], Vocoder], device: str) -> Vocoder:
    """Return a network with the stored weights, and with its windows and filters, which are computed, not stored."""
    network = build()
    network.load_state_dict(stored.state_dict())
    return network.to(device)
