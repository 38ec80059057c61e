"""Releases that happen once: written whole before anything follows from them, and read back ever after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Feed, Game, Job, Tell
from ganforge.core.files import write_whole
from ganforge.core.noise import PrivateNoise
from ganforge.errors import DataError, RunError
from ganforge.privacy.ledger import Ledger, open_ledger
from ganforge.privacy.settings import UNTRAINED
from ganforge.run import Run

if TYPE_CHECKING:
    from torch import nn

Arrays = Mapping[str, NDArray[Any]]
Draw = Callable[[PrivateNoise], Arrays]


class Releases:
    """The releases of one run. The key of the noise is new for each session and lives in memory only."""

    def __init__(self, run: Run, ledger: Ledger, tell: Tell) -> None:
        """Raises: RunError if the run has a ledger that says something else."""
        open_ledger(run, ledger)
        self._run, self._noise, self._tell = run, PrivateNoise(), tell

    def once(self, name: str, draw: Draw, words: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a release: those in the run, or newly drawn and written.

        Killed before they were written, nobody has seen them: they are drawn again, from another key. Afterwards `draw`
        is not called any more, so the data is not needed.

        Args: name of the file within RUN/release; draw computes them from the data and the noise; words what was
            released, in a sentence. Raises: RunError if they are damaged.
        """
        from safetensors.numpy import save

        path = release_path(self._run, name)
        if not path.is_file():
            arrays = {key: np.ascontiguousarray(array) for key, array in draw(self._noise).items()}
            write_whole(path, save(arrays))
            self._tell("released", sentence=words)
        return read_release(self._run, name)


def release_path(run: Run, name: str) -> Path:
    """Return the path of a release within a run."""
    return run.release / f"{name}.safetensors"


def read_release(run: Run, name: str) -> dict[str, NDArray[Any]]:
    """Read a release of a run. Raises: RunError if it is missing, damaged, or holds numbers that are not finite."""
    from ganforge.core.model_files import read_tensors

    path = release_path(run, name)
    arrays = {key: tensor.numpy() for key, tensor in read_tensors(path).items()}
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            what = f"{path} holds numbers in {key[:50]!r} that are not finite."
            raise RunError(what, "It is damaged.", "Restore it, or train a new run.")
    return arrays


class ReleaseJob(Job):
    """A job that trains nothing: its product follows from releases. A kind of data subclasses it."""

    @property
    def feed(self) -> Feed:
        raise DataError("A private run shows its data to nobody.", UNTRAINED, "Use what was released.")

    def game(self) -> Game:
        raise RuntimeError("a release is not a game")

    def look(self, run: Run, product: nn.Module, examples: int) -> Mapping[str, float]:
        """Measure nothing: there are no looks."""
        return {}
