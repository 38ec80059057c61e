"""A trained voice converter, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Observer
from ganforge.core.conversion import TellOf
from ganforge.core.model_files import built, read_description
from ganforge.errors import InputError, RunError, did_you_mean, refused
from ganforge.kinds.sounds.conversion import convert_pair, convert_place, convert_sound
from ganforge.kinds.sounds.convert.game import Converting
from ganforge.kinds.sounds.convert.network import SourceFilter
from ganforge.kinds.sounds.convert.stream import HEARD_SECONDS, Source, VoiceChannel
from ganforge.kinds.sounds.convert.voices import Hearing, Target
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import SOUNDS
from ganforge.kinds.sounds.sound_file import Waveform
from ganforge.kinds.sounds.vocode.game import BothEnds
from ganforge.kinds.sounds.vocode.model import check_sizes
from ganforge.kinds.sounds.vocode.stream import converter
from ganforge.networks.interpolation import interpolated_weights
from ganforge.recipe import Network, Section

NEXT_STEPS = {"apply RUN yours.wav --to VOICE --out theirs.wav": "your own recording, or a folder, in that voice"}
MOST_FRAMES = 3_600_000  # of a model file that is read


class KeptVoice(Section):
    """A voice of model.json."""

    name: str = Field(min_length=1, max_length=1000)
    frames: int = Field(ge=1, le=MOST_FRAMES)  # that are kept of it


class Stored(nn.Module):
    """What model.safetensors holds: one network or both ends, and the frames (M + 2, n) of each voice."""

    def __init__(self, product: nn.Module, frames: Sequence[Tensor]) -> None:
        super().__init__()
        self.product = product
        for place, own in enumerate(frames):
            self.register_buffer(f"voice_{place}", own)

    def voices(self) -> list[Tensor]:
        """Return the frames of each voice, float32."""
        return [own.float() for own in self.buffers(recurse=False)]


@dataclass(frozen=True, slots=True)
class VoiceMap:
    """A trained converter: recordings in, the same words in another voice out."""

    network: SourceFilter
    targets: Mapping[str, Target]  # by name, in the order that the network knows
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None  # faithful and sharp, on the CPU

    @property
    def mel(self) -> Mel:
        return self.network.mel

    def at(self, strength: float) -> VoiceMap:
        """Return the converter at a strength between faithful (0) and sharp (1): its weights are interpolated."""
        if self.ends is None:
            raise InputError(
                f"The strength {strength:g} was given, and this converter has one end.",
                "It was trained without an adversary, which is the default.",
                "Leave it out, or train with: --set convert.sharp_from=0.7",
            )
        network = deepcopy(self.network)
        network.load_state_dict(interpolated_weights(*self.ends, strength))
        return replace(self, network=network)

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> Any:
        """Raise InputError: what is said must come from somewhere."""
        raise InputError(
            "This run converts voices.",
            "It needs a recording.",
            "Use: ganforge apply RUN yours.wav --to VOICE --out theirs.wav",
        )

    def write(self, samples: object, out: Path, *, force: bool) -> Path:
        """Raise InputError: the model has no samples."""
        raise InputError("This run draws no sounds, and none can be written.")

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Convert a sound file or a folder of them; or a waveform (T,), in memory, of which a pair is returned.

        Rate, channels, length and level stay. Each file is heard as one voice, and each of its channels by itself.
        Args: out a file or folder, required except for a pair; options to (the name of a voice), speaker (that of the
            source, where the run knows it), strength (0..1), force. A file of a folder that cannot be used is skipped
            and told.
        Raises: InputError, also without a voice or for an unknown one; DataError for a file or if a folder has no
            usable one; StorageError.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        to, speaker = self._named(options, "to"), self._named(options, "speaker")
        if to is None:
            raise InputError("No voice was named.", f"This run has {', '.join(self.targets)}.", "Name one with --to.")

        def blocks(given: Iterable[Waveform], rate: int) -> Iterator[Waveform]:
            return model.blocks(given, rate, to, speaker)

        def convert(file: Path, place: Path, tell: TellOf) -> Sequence[str]:
            return convert_sound(file, place, blocks)

        if not isinstance(source, str | Path):
            return convert_pair(source, blocks)
        return convert_place(source, out, convert, SOUNDS, observers, force=bool(options.get("force")))

    def _named(self, options: Mapping[str, Any], option: str) -> str | None:
        """Return the voice that an option names. Raises: InputError if there is no such voice."""
        name: str | None = options.get(option)
        if name is not None and name not in self.targets:
            words = did_you_mean(name, self.targets) or f"It has {', '.join(self.targets)}."
            do = "Name one of its own." if option == "to" else "Name one of its own, or leave --speaker out."
            raise InputError(f"This run has no voice {name!r}.", words, do)
        return name

    def blocks(self, given: Iterable[Waveform], rate: int, to: str, speaker: str | None = None) -> Iterator[Waveform]:
        """Convert blocks (n, C) at `rate`, each channel by itself, and yield as many samples as were given.

        A voice that is not one of the run's own is known from the first minutes, which are held until then; so memory
        is bounded.
        """
        source, held, left = iter(given), list[Waveform](), HEARD_SECONDS * rate
        while left > 0 and (block := next(source, None)) is not None:
            held.append(block)
            left -= len(block)
        if not held:
            return
        heard, label = np.concatenate(held), list(self.targets).index(to)
        hearing, known = Hearing(self.mel), [target.voice for target in self.targets.values()]
        channels = []
        for own in np.ascontiguousarray(heard.T):
            found = Source.of(converter(rate, self.mel.rate)(own, True), hearing, known)
            if speaker is not None:
                found = replace(found, voice=self.targets[speaker].voice)
            channels.append(VoiceChannel(self.network, hearing, self.targets[to], label, found, rate))
        for block in chain(held, source):
            yield np.stack([channel.push(block[:, number]) for number, channel in enumerate(channels)], 1)
        yield np.stack([channel.end() for channel in channels], 1)

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS


def load_converter(folder: Path, device: str = "cpu") -> VoiceMap:
    """Load the voice converter of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description(folder)
    if content.get("task") != "convert":
        raise RunError(f"{folder} is not a converter.", f"Its task is {content.get('task')}.", "See its report.html.")
    with refused(f"The model at {str(folder)!r}"):
        chosen, network = Converting.model_validate(content["convert"]), Network.model_validate(content["network"])
        kept, mel = [KeptVoice.model_validate(one) for one in content["voices"]], chosen.mel
        check_sizes(mel, network)

        def speaker() -> SourceFilter:
            return SourceFilter(mel, network.need("width"), network.need("depth"), len(kept))

        def stored() -> Stored:
            frames = [torch.zeros(mel.bands + 2, one.frames, dtype=torch.float16) for one in kept]
            return Stored(BothEnds(speaker(), speaker()) if chosen.sharp_from < 1 else speaker(), frames)

        found, fresh = built(folder, stored), speaker()
        targets = {
            one.name: Target(frames, mel.rate / mel.hop, chosen.neighbours, chosen.kept)
            for one, frames in zip(kept, found.voices(), strict=True)
        }
        if not isinstance(found.product, BothEnds):
            fresh.load_state_dict(found.product.state_dict())
            return VoiceMap(fresh.to(device), targets)
        states = (found.product.faithful.state_dict(), found.product.sharp.state_dict())
        return VoiceMap(fresh.to(device), targets, states).at(float(found.product.strength.clamp(0, 1)))
