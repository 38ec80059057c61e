"""Log-mel spectrograms that other tools made: read from array files, or refused where they do not fit."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.errors import DataError, InputError
from ganforge.kinds.sounds.features import Mel

SUFFIXES = (".npy", ".npz")
NAME = "mel"  # of the array in a .npz that holds several
MARGIN = 1.0  # of the natural logarithm, beyond silence and the loudest sound
Array = NDArray[np.float32]


def read_mel(path: Path, mel: Mel) -> Array:
    """Read a log-mel spectrogram (1, M, N) from a .npy file, or a .npz with one array or one called `mel`.

    Numbers in a .npz called rate, n_fft, hop or bands are compared with the model's.
    Raises: DataError if it cannot be read; InputError if it is not one for this model.
    """
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            held = {"": found} if isinstance(found, np.ndarray) else dict(found)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", "It is damaged, or not an array.") from error
    told = {name: held.pop(name) for name in ("rate", "n_fft", "hop", "bands", "floor") if name in held}
    for name, value in told.items():
        own = getattr(mel, name)
        if value.size != 1 or not np.isclose(float(value), own):
            raise InputError(
                f"{str(path)!r} says {name} {value}, and this vocoder takes {name} {own:g}.",
                "A spectrogram of other settings would become noise.",
                "Make it with the settings in the model.json of the run.",
            )
    if NAME not in held and len(held) != 1:
        raise InputError(
            f"{str(path)!r} holds the arrays {', '.join(held) or 'none'}.",
            f"It is not clear which is the spectrogram; one called {NAME!r} would be.",
            "Give a .npy file, or a .npz with that name.",
        )
    array = held.get(NAME, next(iter(held.values())))
    return checked(array[None] if array.ndim == 2 else array, mel, repr(str(path)), most=1)


def checked(array: NDArray[Any], mel: Mel, name: str, most: int | None = None) -> Array:
    """Return log-mel spectrograms (B, M, N) as float32. Args: name that a refusal begins with; most of them.

    Raises: InputError for another shape or type, and for values that no sound has in these settings.
    """
    needed = f"log-mel spectrograms have the shape (B, {mel.bands}, N), of float32"
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[1] != mel.bands or 0 in array.shape:
        turned = array.ndim == 3 and array.shape[2] == mel.bands
        raise InputError(
            f"{name} has the shape {array.shape} and the type {array.dtype}.",
            f"This vocoder's {needed}." if most is None else f"This vocoder's have the shape ({mel.bands}, N).",
            "Bands come before frames: transpose it." if turned else "Make it with the settings of its model.json.",
        )
    if most is not None and len(array) > most:
        raise InputError(f"{name} holds {len(array)} spectrograms.", "A file is one sound.", "Give a file for each.")
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds values that are not finite.", "They are NaN or infinite.", "Replace them.")
    # The window's sum is n_fft / 2, a filter's n_fft / rate: more than full scale cannot come out of them.
    least, highest = math.log(mel.floor) - MARGIN, math.log(mel.n_fft / 2 * mel.n_fft / mel.rate) + MARGIN
    low, high = float(array.min()), float(array.max())
    if low < least or high > highest:
        raise InputError(
            f"{name} has values from {low:.1f} to {high:.1f}.",
            f"Natural logarithms of magnitudes with the floor {mel.floor:g} lie in {least:.1f}..{highest:.1f}; "
            "decibels, powers, other floors and magnitudes themselves do not.",
            "Make it with the settings of its model.json.",
        )
    return np.ascontiguousarray(array, np.float32)
