"""Sound files: read in blocks at any rate, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ganforge.core.conversion import Written
from ganforge.core.files import refuse_taken, write_through, write_tree
from ganforge.errors import DataError, InputError, did_you_mean

Waveform = NDArray[np.float32]  # (T, C) in -1..1
BLOCK_SECONDS = 10
PAUSE = 0.25  # seconds after each sound of several in a row
KNEE = 0.9  # of full scale: larger values are pressed together below 1 when integers are written
SMALLEST = 3 * 16  # samples: fewer cannot be heard
FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3", ".aiff": "AIFF", ".aif": "AIFF", ".caf": "CAF"}
"""Formats of files that are written, by suffix."""
FLOATS = ("FLOAT", "DOUBLE")
CONTAINERS = (".mp4", ".m4a", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".m4v", ".aac", ".wma", ".amr")


@dataclass(frozen=True, slots=True)
class Header:
    """What a sound file says of itself."""

    rate: int  # samples a second
    channels: int
    samples: int  # of each channel; of an .mp3 as far as its header tells
    subtype: str  # of libsndfile: PCM_16, FLOAT, ULAW

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def read_header(path: Path) -> Header:
    """Read a file's header. Raises: DataError with the reason if it is not a sound that can be read."""
    try:
        with soundfile.SoundFile(path) as file:
            return Header(file.samplerate, file.channels, max(0, file.frames), file.subtype)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be read."""
    if path.suffix.lower() in CONTAINERS:
        return DataError(
            f"{str(path)!r} is a video or a format that is not read.",
            "Sounds are read from .wav, .flac, .ogg, .mp3 and the like.",
            "Convert it first, for example with ffmpeg: ffmpeg -i in.mp4 out.wav",
        )
    why = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    if "not a regular file" in str(why) and path.is_file():  # libsndfile's word for an .mp3 without a frame
        why = "no sound was found in it"
    return DataError(f"{str(path)!r} cannot be read: {str(why).rstrip('.')}.", "It is damaged, or not a sound.")


def blocks_of(path: Path, rate: int | None = None) -> Iterator[Waveform]:
    """Yield a file's samples (n, C) in order, at most BLOCK_SECONDS at a time, converted to `rate`.

    Raises: DataError where it is damaged.
    """
    try:
        with soundfile.SoundFile(path) as file:
            own, channels = file.samplerate, file.channels
            size = BLOCK_SECONDS * own
            if rate is None or rate == own:
                yield from _blocks(file, size)
                return
            stream = soxr.ResampleStream(own, rate, channels, dtype="float32", quality="HQ")
            for block in _blocks(file, size):
                yield stream.resample_chunk(block)
            yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        raise unreadable(path, error) from error


def _blocks(file: soundfile.SoundFile, size: int) -> Iterator[Waveform]:
    """Yield what is there. `SoundFile.blocks` fills what a file that was cut off lacks with uninitialised memory."""
    while len(block := file.read(size, dtype="float32", always_2d=True)):
        yield block


def read_sound(path: Path, rate: int | None = None) -> Waveform:
    """Read a whole file (T, C), converted to `rate`. Raises: DataError where it is damaged."""
    blocks = list(blocks_of(path, rate))
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def limited(waveform: Waveform) -> Waveform:
    """Press what is louder than KNEE smoothly below full scale; the rest stays to the bit."""
    size = np.abs(waveform)
    over = size > KNEE
    if not over.any():
        return waveform
    pressed = KNEE + (1 - KNEE) * np.tanh((size - KNEE) / (1 - KNEE))
    return np.where(over, np.copysign(pressed, waveform), waveform).astype(np.float32)


def check_suffix(out: Path) -> str:
    """Return the format of a file's suffix. Raises: InputError for one that cannot be written."""
    name = FORMATS.get(out.suffix.lower())
    if name is None:
        raise InputError(f"Sounds cannot be written as {out.name!r}.", did_you_mean(out.suffix, FORMATS), "Use .wav.")
    return name


WRITTEN = Written(FORMATS, ".wav", check_suffix)


def write_sound(out: Path, blocks: Iterable[Waveform], rate: int, channels: int, subtype: str | None = None) -> int:
    """Write blocks (n, C) into a file, whole or not at all, and return the number of samples of each channel.

    Args: subtype of libsndfile; None, and where the format does not have it, for the format's usual one. Values beyond
    full scale are pressed below it, but in floating-point files.
    Raises: InputError for a suffix that cannot be written, and for a rate or channels that its format does not have;
        StorageError.
    """
    form = check_suffix(out)
    kept = subtype if subtype and soundfile.check_format(form, subtype) else None
    written = 0

    def fill(file: IO[bytes]) -> None:
        nonlocal written
        try:
            sink = soundfile.SoundFile(file, "w", rate, channels, kept, format=form)
        except (soundfile.LibsndfileError, ValueError) as error:
            raise InputError(
                f"Sounds of {channels} channels at {rate:,} Hz cannot be written as {out.name!r}.",
                f"{form} does not hold them.",
                "Use .wav or .flac.",
            ) from error
        with sink:
            for block in blocks:
                sink.write(block if sink.subtype in FLOATS else limited(block))
                written += len(block)

    write_through(out, fill)
    return written


@dataclass(frozen=True, slots=True)
class MadeSounds:
    """Sounds (T,) that are made on demand, each with a name for its file (contracts.Samples)."""

    rate: int
    named: Callable[[], Iterator[tuple[str, NDArray[np.float32]]]]
    notes: tuple[str, ...] = ()

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield one waveform (T,) after the other."""
        return (sound for _, sound in self.named())

    def value(self) -> list[NDArray[np.float32]]:
        """Return all waveforms, each (T,)."""
        return list(self.blocks())

    def write(self, out: Path, *, force: bool) -> Path:
        """Write them, whole or not at all: a folder with a .wav of each name, or one file with all in a row.

        Raises: InputError for a suffix that cannot be written or a path that is taken; StorageError.
        """
        if out.suffix:
            check_suffix(out)
        refuse_taken(out, force=force)
        pause = np.zeros((int(PAUSE * self.rate), 1), np.float32)

        def fill(folder: Path) -> None:
            for name, sound in self.named():
                write_sound(folder / f"{name}.wav", [sound[:, None]], self.rate, 1, "PCM_16")

        if out.suffix:
            write_sound(out, (part for sound in self.blocks() for part in (sound[:, None], pause)), self.rate, 1)
        else:
            write_tree(out, fill)
        return out


def write_flac(file: IO[bytes], waveform: NDArray[np.float32], rate: int) -> None:
    """Write a waveform (T,) as FLAC of 16 bits, for a page."""
    soundfile.write(file, np.nan_to_num(waveform).clip(-1, 1), rate, format="FLAC", subtype="PCM_16")
