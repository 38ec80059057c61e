"""Sounds: the entry point of this kind of data. Heavy packages are imported on demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ganforge.contracts import Claim, Kind, Option
from ganforge.core.conversion import first_within
from ganforge.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64",
    ".wve", ".voc", ".sph", ".nist",
)  # fmt: skip
"""Of the sound files that every verb reads."""
BUILT_IN = {"instruments": "600 sounds of three synthetic instruments, half a second each"}


def recognises(source: object) -> Claim | None:
    """Recognise sound files, folders of them, and a pair (waveform, sample rate)."""
    if not isinstance(source, str | Path):
        return Claim(3, "it is a pair of a waveform and its rate") if _is_pair(source) else None
    path = Path(source).expanduser()
    if path.is_dir():
        found = first_within(path, lambda entry: entry.suffix.lower() in SUFFIXES)
        return Claim(3, f"it holds {str(found.relative_to(path))!r}") if found is not None else None
    return Claim(2, f"its name ends with {path.suffix}") if path.suffix.lower() in SUFFIXES else None


def _is_pair(source: object) -> bool:
    if not isinstance(source, tuple) or len(source) != 2 or not isinstance(source[1], int):
        return False
    return getattr(source[0], "ndim", 0) in (1, 2) and not hasattr(source[0], "columns")


def keep(value: object, folder: Path) -> Path:
    """Write a pair of a waveform, (T,) or (T, C) in -1..1, and its sample rate. Raises: DataError if it is not one."""
    import numpy as np
    import soundfile

    waveform: NDArray[Any] = np.asarray(cast(tuple[Any, int], value)[0])
    if waveform.dtype.kind != "f" or waveform.ndim not in (1, 2) or not np.isfinite(waveform).all():
        raise DataError(
            f"An array of {waveform.dtype} and shape {waveform.shape} is not a waveform.",
            "A waveform has finite floating-point numbers in -1..1, of shape (T,) or (T, C).",
            "Give such an array and its sample rate.",
        )
    path = folder / "sound.wav"
    soundfile.write(path, waveform, cast(tuple[Any, int], value)[1], subtype="FLOAT")
    return path


KIND = Kind(
    name="sounds",
    noun="sound",
    nouns="sounds",
    forms="sounds (.wav, .flac, .mp3, .ogg)",
    built_in=BUILT_IN,
    tasks={
        "generate": "ganforge.kinds.sounds.generate.task:Generate",
        "speak": "ganforge.kinds.sounds.speak.task:Speak",
        "vocode": "ganforge.kinds.sounds.vocode.task:Vocode",
        "convert": "ganforge.kinds.sounds.convert.task:Convert",
        "recognise": "ganforge.kinds.sounds.recognise.task:Recognise",
    },
    recognises=recognises,
    keep=keep,
    models={
        "generate": "ganforge.kinds.sounds.generate.model:load_generator",
        "speak": "ganforge.kinds.sounds.speak.model:load_speaker",
        "vocode": "ganforge.kinds.sounds.vocode.model:load_vocoder",
        "convert": "ganforge.kinds.sounds.convert.model:load_converter",
        "recognise": "ganforge.kinds.sounds.recognise.model:load_recogniser",
    },
    options=(
        Option(
            "rate", ("train",), int, "HZ", "Samples a second that the model works at; others are converted.", "16000",
            within=(1000, 192_000),
        ),
        Option(
            "text", ("sample",), str, "WORDS", "Of a voice: what it says. Several: each is a sound.",
            '"Please hold."', many=True, instead=True,
        ),
        Option("label", ("sample",), object, "L", "Only this label, by its name.", "7", check=str),
        Option("to", ("apply",), str, "NAME", "Of a converter: the voice, by the name of its folder.", "B"),
        Option("speaker", ("apply",), str, "VOICE", "Of a converter: the voice that speaks, if it is known.", "A"),
        Option(
            "strength", ("apply",), float, "S",
            "Of a vocoder, converter or voice: 0 without the adversary, 1 with it; else the better one.", "0.5",
            within=(0, 1),
        ),
    ),
    extra="sounds",
    applies_to="a sound file or a folder of them; for a voice a text, of which each line is spoken",
    writes={
        "sample": "a folder, or a .wav or .flac file with all in a row",
        "apply": "a .wav, .flac, .ogg or .mp3 file, or a folder; of recognised labels a .csv or .json file",
    },
)  # fmt: skip
