"""A trained vocoder, and its loading. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ganforge.contracts import Observer
from ganforge.core.files import is_out_of_room, refuse_taken
from ganforge.core.model_files import built, read_description
from ganforge.errors import DataError, GanforgeError, InputError, Interrupted, RunError, refused
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.reading import Samples, list_sounds
from ganforge.kinds.sounds.sound_file import Waveform, blocks_of, check_suffix, read_header, write_sound
from ganforge.kinds.sounds.vocode.game import BothEnds
from ganforge.kinds.sounds.vocode.stream import Channel
from ganforge.networks.interpolation import interpolated_weights
from ganforge.recipe import Network

NEXT_STEPS = {"apply RUN sounds/ --out made/": "your own sounds, through their spectrograms and back"}


@dataclass(frozen=True, slots=True)
class SoundMap:
    """A trained vocoder: sounds in, sounds out, through their log-mel spectrograms."""

    network: Vocoder
    ends: tuple[Mapping[str, Tensor], Mapping[str, Tensor]]  # faithful and sharp, on the CPU

    @property
    def mel(self) -> Mel:
        """How a waveform becomes the spectrogram that the network takes."""
        return self.network.features.mel

    def at(self, strength: float) -> SoundMap:
        """Return the vocoder at a strength between faithful (0) and sharp (1): its weights are interpolated."""
        network = deepcopy(self.network)
        network.load_state_dict(interpolated_weights(*self.ends, strength))
        return SoundMap(network, self.ends)

    @torch.no_grad()
    def synthesise(self, log_mel: Tensor) -> Tensor:
        """Return the waveform (B, (N - 1) * hop) of log-mel spectrograms (B, M, N), which any tool may have made."""
        device = next(self.network.parameters()).device
        waveform: Tensor = self.network(log_mel.to(device)).cpu()
        return waveform

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

        A pair of a waveform and its rate is returned as such a pair. Rate, channels, length and level stay.
        Args: out a file or folder, required except for a pair; options strength (0..1), force.
        A file of a folder that cannot be used is skipped and told.
        Raises: InputError, DataError for a file or if a folder has no usable one, StorageError.
        """
        model = self if options.get("strength") is None else self.at(options["strength"])
        if not isinstance(source, str | Path):
            waveform, rate = cast(tuple[Any, int], source)
            x = np.asarray(waveform, np.float32)
            made = np.concatenate(list(model.blocks([x.reshape(len(x), -1)], rate)))
            return made.reshape(x.shape), rate
        if out is None:
            raise InputError("No place was named for the sounds.", do="Name a file or a folder with --out.")
        place, path = out.expanduser(), Path(source).expanduser()
        listing = list_sounds(path)
        alone = path.is_file() and not place.is_dir() and bool(place.suffix)
        targets = [place if alone else place / (file.name if path.is_file() else file.relative_to(path))
                   for file in listing.files]  # fmt: skip
        for target in targets[:1] if alone else ():
            check_suffix(target)
        for target in targets:
            refuse_taken(target, force=bool(options.get("force")))
        reasons: list[str] = []

        def told(number: int, file: Path, kind: str, **content: Any) -> None:
            for observer in observers:
                about = {"picture": str(file), "number": number + 1, "count": len(targets)}
                observer.event({"kind": kind, **about, **content})

        for number, (file, target) in enumerate(zip(listing.files, targets, strict=True)):
            try:
                written = model.convert(file, target)
            except Exception as error:  # whatever is wrong with one sound, the others do not share it
                if path.is_file() or isinstance(error, Interrupted) or is_out_of_room(error):
                    raise
                reasons.append(str(error) if isinstance(error, GanforgeError) else f"{file}: {error}")
                told(number, file, "skipped", reason=reasons[-1])
                continue
            told(number, file, "applied", share=1.0, path=str(written))
        if len(reasons) == len(targets):
            raise DataError(f"None of the sounds in {str(path)!r} could be used.", f"The first: {reasons[0]}")
        return place

    def convert(self, file: Path, target: Path) -> Path:
        """Convert one file; one in a format that is not written becomes a .wav beside its name."""
        header = read_header(file)
        try:
            check_suffix(target)
        except InputError:
            target = target.with_suffix(".wav")
        subtype = header.subtype if target.suffix.lower() == file.suffix.lower() else None
        write_sound(target, self.blocks(blocks_of(file), header.rate), header.rate, header.channels, subtype)
        return target

    def blocks(self, given: Iterable[Waveform], rate: int) -> Iterator[Waveform]:
        """Convert blocks (n, C) at `rate`, one channel after the other, and yield as many samples as were given.

        Channels advance together, so memory is bounded however long a sound is.
        """
        source = iter(given)
        first = next(source, None)
        if first is None:
            return
        queues = [Channel(self.network, rate) for _ in range(first.shape[1])]
        for block in _then(first, source):
            made = [queue.push(block[:, number]) for number, queue in enumerate(queues)]
            yield _together(made)
        yield _together([queue.end() for queue in queues])

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return NEXT_STEPS


def _then(first: Waveform, others: Iterator[Waveform]) -> Iterator[Waveform]:
    yield first
    yield from others


def _together(channels: list[Samples]) -> Waveform:
    return np.stack(channels, axis=1)


def load_vocoder(folder: Path, device: str = "cpu") -> SoundMap:
    """Load the vocoder of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description(folder)
    if content.get("task") != "vocode":
        raise RunError(f"{folder} is not a vocoder.", f"Its task is {content.get('task')}.", "See its report.html.")
    with refused(f"The model at {str(folder)!r}"):
        mel, network = Mel.model_validate(content["mel"]), Network.model_validate(content["network"])
        if mel.hop > mel.n_fft // 2 or network.need("depth") > 64:
            raise ValueError(f"hop {mel.hop} of {mel.n_fft} samples, depth {network.need('depth')}")

        def vocoder() -> Vocoder:
            return Vocoder(mel, network.need("width"), network.need("depth"))

        ends = built(folder, lambda: BothEnds(vocoder(), vocoder()))
        states = (ends.faithful.state_dict(), ends.sharp.state_dict())
        found = SoundMap(vocoder(), states).at(float(ends.strength.clamp(0, 1)))
    found.network.to(device)
    return found
