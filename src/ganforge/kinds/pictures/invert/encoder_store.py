"""The encoder of a run's model: learned when it is first asked for, kept beside the model, and never used for another.

Beside its weights stands how well it and the descent (inverting.py) find pictures again that the model itself drew: the
floor that every other picture is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from torch import nn

from ganforge import __version__
from ganforge.contracts import Observer
from ganforge.core.files import sha256_of, write_folder
from ganforge.core.validation import refused
from ganforge.errors import RunError, StorageError
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.invert.encoder_training import EXAMPLES, new_encoder, train_encoder
from ganforge.kinds.pictures.invert.optimise import invert_pictures
from ganforge.kinds.pictures.measures.psnr_ssim import psnr
from ganforge.planning.model_files import WEIGHTS, built, read_description, write_model_files
from ganforge.run import Run

OWN = 16  # pictures that the model draws to see how well they are found again


@dataclass(frozen=True, slots=True)
class Found:
    """An encoder, and the floor: decibels of the model's own pictures found again, lowest first."""

    encoder: nn.Module
    own_decibels: tuple[float, ...]


def encoder_of(
    run: Run,
    model: PictureModel,
    *,
    examples: int = EXAMPLES,
    observers: Sequence[Observer] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Found:
    """The encoder that is kept in a run, or one that is learned now and then kept there.

    A folder that is damaged, or belongs to another model, is replaced. Where the run cannot be written the encoder is
    used all the same, and learned again the next time. Raises: Interrupted.
    """
    model_hash = sha256_of(run.model / WEIGHTS)
    device = next(model.network.parameters()).device
    with suppress(RunError):
        content = read_description(run.encoder)
        with refused(f"The encoder at {str(run.encoder)!r}"):
            own = tuple(float(number) for number in content["own_decibels"])
            if content["model"] == model_hash and content["examples"] == examples and len(own) == OWN:
                return Found(built(run.encoder, lambda: new_encoder(model)).to(device), own)
    encoder = train_encoder(model, examples=examples, observers=observers, stop=stop)
    own = _own_decibels(model, encoder)
    about = {"ganforge": __version__, "model": model_hash, "examples": examples, "own_decibels": own}
    with suppress(StorageError):
        write_folder(run.encoder, lambda folder: write_model_files(folder, encoder, about))
    return Found(encoder, own)


def _own_decibels(model: PictureModel, encoder: nn.Module) -> tuple[float, ...]:
    labels = np.arange(OWN) % len(model.label_names) if model.label_names else None
    drawn = model.draw_pictures(OWN, labels=labels, seed=3)
    decibels = psnr(drawn, invert_pictures(model, encoder, drawn).pictures)
    return tuple(sorted(round(float(number), 3) for number in decibels))
