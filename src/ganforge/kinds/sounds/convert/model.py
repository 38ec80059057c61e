"""A trained voice converter, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ganforge.contracts import Observer
from ganforge.core.files import is_out_of_room, refuse_taken
from ganforge.core.model_files import built, read_description
from ganforge.errors import DataError, GanforgeError, InputError, Interrupted, RunError, did_you_mean, refused
from ganforge.kinds.sounds.convert.game import Converting
from ganforge.kinds.sounds.convert.network import SourceFilter
from ganforge.kinds.sounds.convert.stream import NOTHING, Source, VoiceStream
from ganforge.kinds.sounds.convert.voices import Hearing, Target
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.reading import Samples, list_sounds
from ganforge.kinds.sounds.sound_file import Waveform, blocks_of, check_suffix, read_header, write_sound
from ganforge.kinds.sounds.vocode.game import BothEnds
from ganforge.kinds.sounds.vocode.stream import converter
from ganforge.networks.interpolation import interpolated_weights
from ganforge.recipe import Network, Section

NEXT_STEPS = {"apply RUN yours.wav --to VOICE --out theirs.wav": "your own recording, or a folder, in that voice"}
Read = Callable[[], Iterable[Waveform]]
"""Returns a recording from its beginning, as blocks (n, C)."""
MOST_DEPTH, MOST_FRAMES = 64, 3_600_000  # of a model file that is read


class KeptVoice(Section):
    """A voice of model.json."""

    name: str = Field(min_length=1, max_length=1000)
    frames: int = Field(ge=1, le=MOST_FRAMES)  # that are kept of it


class Stored(nn.Module):
    """What model.safetensors holds: both ends, and the frames (M + 2, n) of each voice."""

    def __init__(self, ends: BothEnds, frames: Sequence[Tensor]) -> None:
        super().__init__()
        self.ends = ends
        for place, own in enumerate(frames):
            self.register_buffer(f"voice_{place}", own)

    def voices(self) -> list[Tensor]:
        """Return the frames of each voice, float32."""
        return [own.float() for name, own in self.named_buffers(recurse=False) if name.startswith("voice_")]


@dataclass(frozen=True, slots=True)
class VoiceMap:
    """A trained converter: recordings in, the same words in another voice out."""

    network: SourceFilter
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]]  # faithful and sharp, on the CPU
    targets: Mapping[str, Target]  # by name, in the order that the network knows
    strength: float = 0.0

    @property
    def mel(self) -> Mel:
        return self.network.mel

    def at(self, strength: float) -> VoiceMap:
        """Return the converter at a strength between faithful (0) and sharp (1): its weights are interpolated."""
        network = SourceFilter(self.mel, *self.network.sizes)
        network.load_state_dict(interpolated_weights(*self.ends, strength))
        return VoiceMap(network.to(next(self.network.parameters()).device), self.ends, self.targets, strength)

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
        Args: out a file or folder, required except for a pair; options to (the name of a voice), strength (0..1),
            force. A file of a folder that cannot be used is skipped and told.
        Raises: InputError, also without a voice or for an unknown one; DataError for a file or if a folder has no
            usable one; StorageError.
        """
        model, to = self if options.get("strength") is None else self.at(options["strength"]), self._named(options)
        if not isinstance(source, str | Path):
            waveform, rate = cast(tuple[Any, int], source)
            x = np.asarray(waveform, np.float32)
            made = np.concatenate(list(model.blocks(lambda: iter([x.reshape(len(x), -1)]), rate, to)))
            return made.reshape(x.shape), rate
        if out is None:
            raise InputError("No place was named for the sounds.", do="Name a file or a folder with --out.")
        place, path = out.expanduser(), Path(source).expanduser()
        files = list_sounds(path).files
        alone = path.is_file() and not place.is_dir() and bool(place.suffix)
        if alone:
            check_suffix(place)
        inside = [Path(file.name) if path.is_file() else file.relative_to(path) for file in files]
        targets = [place if alone else place / name for name in inside]
        for target in targets:
            refuse_taken(target, force=bool(options.get("force")))
        reasons: list[str] = []
        for number, (file, target) in enumerate(zip(files, targets, strict=True), 1):
            told: dict[str, Any] = {"picture": str(file), "number": number, "count": len(files)}
            try:
                told |= {"kind": "applied", "share": 1.0, "path": str(model.convert(file, target, to))}
            except Exception as error:  # whatever is wrong with one sound, the others do not share it
                if path.is_file() or isinstance(error, Interrupted) or is_out_of_room(error):
                    raise
                reasons.append(str(error) if isinstance(error, GanforgeError) else f"{file}: {error}")
                told |= {"kind": "skipped", "reason": reasons[-1]}
            for observer in observers:
                observer.event(told)
        if len(reasons) == len(files):
            raise DataError(f"None of the sounds in {str(path)!r} could be used.", f"The first: {reasons[0]}")
        return place

    def _named(self, options: Mapping[str, Any]) -> str:
        """Return the voice asked for. Raises: InputError."""
        to, names = options.get("to"), ", ".join(self.targets)
        if to is None:
            raise InputError("No voice was named.", f"This run has {names}.", "Name one with --to.")
        if to not in self.targets:
            near = did_you_mean(to, self.targets)
            raise InputError(f"This run has no voice {to!r}.", near or f"It has {names}.", "Name one of its own.")
        return str(to)

    def convert(self, file: Path, target: Path, to: str) -> Path:
        """Convert one file; one in a format that is not written becomes a .wav beside its name."""
        header = read_header(file)
        try:
            check_suffix(target)
        except InputError:
            target = target.with_suffix(".wav")
        subtype = header.subtype if target.suffix.lower() == file.suffix.lower() else None
        made = self.blocks(lambda: blocks_of(file), header.rate, to)
        write_sound(target, made, header.rate, header.channels, subtype)
        return target

    def blocks(self, read: Read, rate: int, to: str) -> Iterator[Waveform]:
        """Convert what `read` returns, blocks (n, C) at `rate`, and yield as many samples as were given.

        It is called once for each channel's voice and once to convert; memory is bounded however long a sound is.
        """
        first = next(iter(read()), None)
        if first is None:
            return
        channels = [_Channel(self, read, number, rate, to) for number in range(first.shape[1])]
        for block in read():
            yield np.stack([channel.push(block[:, number]) for number, channel in enumerate(channels)], 1)
        yield np.stack([channel.end() for channel in channels], 1)

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS


class _Channel:
    """One channel on its way: converted to the network's rate, to another voice, and back."""

    def __init__(self, model: VoiceMap, read: Read, number: int, rate: int, to: str) -> None:
        own, hearing = model.mel.rate, Hearing(model.mel)
        inward = converter(rate, own)
        source = Source.of((inward(_own(block, number), False) for block in read()), hearing)
        label = list(model.targets).index(to)
        self._stream = VoiceStream(model.network, hearing, source, model.targets[to], label)
        self._inward, self._outward = converter(rate, own), converter(own, rate)
        self._given, self._returned = 0, 0

    def push(self, samples: Samples) -> Samples:
        self._given += len(samples)
        heard = self._inward(np.ascontiguousarray(samples), False)
        return self._counted(self._outward(self._stream.push(heard), False))

    def end(self) -> Samples:
        rest = np.concatenate([self._stream.push(self._inward(NOTHING, True)), self._stream.end()])
        left = self._counted(self._outward(rest, True))
        return np.pad(left, (0, self._given - self._returned))

    def _counted(self, made: Samples) -> Samples:
        kept = made[: self._given - self._returned]
        self._returned += len(kept)
        return kept


def _own(block: Waveform, number: int) -> Samples:
    return np.ascontiguousarray(block[:, number])


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
        if mel.hop > mel.n_fft // 2 or network.need("depth") > MOST_DEPTH:
            raise ValueError(f"hop {mel.hop} of {mel.n_fft} samples, depth {network.need('depth')}")

        def speaker() -> SourceFilter:
            return SourceFilter(mel, network.need("width"), network.need("depth"), len(kept))

        def stored() -> Stored:
            frames = [torch.zeros(mel.bands + 2, one.frames, dtype=torch.float16) for one in kept]
            return Stored(BothEnds(speaker(), speaker()), frames)

        found = built(folder, stored)
        targets = {
            one.name: Target(frames, mel.rate / mel.hop, chosen.neighbours)
            for one, frames in zip(kept, found.voices(), strict=True)
        }
        states = (found.ends.faithful.state_dict(), found.ends.sharp.state_dict())
        return VoiceMap(speaker().to(device), states, targets).at(float(found.ends.strength.clamp(0, 1)))
