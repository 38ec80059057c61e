"""A trained voice converter, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Model, Observer
from ganforge.core.model_files import built, read_description_of
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.kinds.sounds.conversion import converted
from ganforge.kinds.sounds.convert.network import Source, SourceFilter, voice_stream
from ganforge.kinds.sounds.convert.plan import Converting
from ganforge.kinds.sounds.convert.voices import Hearing, Target
from ganforge.kinds.sounds.plan import at_strength, check_sizes
from ganforge.kinds.sounds.sound_file import Waveform
from ganforge.kinds.sounds.stream import Channel, converter, through
from ganforge.networks.ends import BothEnds, Ends, opened, product_of
from ganforge.recipe import Network, Section

HEARD_SECONDS = 360.0  # of a recording, from which its voice is known
NEXT_STEPS = {"apply RUN yours.wav --to VOICE --out theirs.wav": "your own recording, or a folder, in that voice"}
MOST_FRAMES = 3_600_000  # of a model file that is read


class KeptVoice(Section):
    """A voice of model.json."""

    name: str = Field(min_length=1, max_length=1000)
    frames: int = Field(ge=1, le=MOST_FRAMES)  # that are kept of it


class Stored(nn.Module):
    """What model.safetensors holds: one network or both ends, and the frames (M + 2, n) of each voice."""

    product: SourceFilter | BothEnds[SourceFilter]

    def __init__(self, product: Any, frames: Sequence[Tensor]) -> None:
        super().__init__()
        self.product = product
        for place, own in enumerate(frames):
            self.register_buffer(f"voice_{place}", own)


@dataclass(frozen=True, slots=True)
class VoiceMap(Model):
    """A trained converter: recordings in, the same words in another voice out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    network: SourceFilter
    targets: Mapping[str, Target]  # by name, in the order that the network knows
    ends: Ends | None = None  # faithful and sharp, on the CPU

    def at(self, strength: float) -> VoiceMap:
        """Return the converter at a strength between faithful (0) and sharp (1): its weights are interpolated."""
        return replace(self, network=at_strength(self.network, self.ends, strength, "converter", "convert"))

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Convert a sound file or a folder of them; or a waveform (T,), in memory, of which a pair is returned.

        Rate, channels, length and level stay. Each file is heard as one voice, and each of its channels by itself.
        Args, results and errors are those of `conversion.converted`; options to (the name of a voice), speaker (that of
        the source, where the run knows it), strength (0..1), force. Raises: InputError also without a voice or for an
        unknown one.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        to, speaker = self._named(options, "to"), self._named(options, "speaker")
        if to is None:
            raise InputError("No voice was named.", f"This run has {', '.join(self.targets)}.", "Name one with --to.")
        return converted(source, out, lambda given, rate: model.blocks(given, rate, to, speaker), options, observers)

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
        label, mel = list(self.targets).index(to), self.network.mel
        hearing, known = Hearing(mel), [target.voice for target in self.targets.values()]
        speaks = None if speaker is None else self.targets[speaker].voice
        channels = []
        for own in np.ascontiguousarray(np.concatenate(held).T):
            heard_as = Source.of(converter(rate, mel.rate)(own, True), hearing, known, speaks)
            stream = voice_stream(self.network, hearing, heard_as, self.targets[to], label)
            channels.append(Channel(stream, rate))
        yield from through(channels, chain(held, source))


def load_converter(folder: Path, device: str = "cpu") -> VoiceMap:
    """Load the voice converter of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "convert", "a converter")
    with refused(f"The model at {str(folder)!r}"):
        chosen, network = Converting.model_validate(content["convert"]), Network.model_validate(content["network"])
        kept, mel = [KeptVoice.model_validate(one) for one in content["voices"]], chosen.mel
        check_sizes(mel, network)

        def speaker() -> SourceFilter:
            return SourceFilter(mel, network.need("width"), network.need("depth"), len(kept))

        def stored() -> Stored:
            frames = [torch.zeros(mel.bands + 2, one.frames, dtype=torch.float16) for one in kept]
            return Stored(product_of(speaker, both=chosen.sharp_from < 1), frames)

        found = built(folder, stored)
        voices = [own.float() for own in found.buffers(recurse=False)]
        targets = {
            one.name: Target(frames, mel.rate / mel.hop, chosen.neighbours, chosen.kept)
            for one, frames in zip(kept, voices, strict=True)
        }
        speaks, ends = opened(found.product, device)
    return VoiceMap(speaks, targets, ends)
