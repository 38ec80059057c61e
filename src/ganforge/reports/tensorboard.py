"""Records as TensorBoard events. Needs the extra ganforge[tensorboard]."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganforge.core.files import storage_error
from ganforge.errors import InputError
from ganforge.records import Record

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SCALARS = ("progress", "examples_per_second", "skipped")
GROUPS = ("terms", "notes", "gradient_norms", "update_ratios", "learning_rates", "quality")


class TensorBoard:
    """An observer that writes every number of a record, and every sample grid, over the examples shown.

    Args: folder for TensorBoard's files; made at the first record.
    Raises: InputError if TensorBoard is not installed; its methods StorageError, if its files cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise InputError(
                "TensorBoard is not installed.",
                "It is an extra, because most people do not need it.",
                "Install it: pip install 'ganforge[tensorboard]'",
            )
        self._folder, self._examples = folder, 0
        self._writer: SummaryWriter | None = None

    def record(self, record: Record) -> None:
        self._examples = int(record["examples"])
        with self._writing():
            writer = self._open()
            for name, value in numbers(record):
                writer.add_scalar(name, value, self._examples)
            writer.flush()

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "sampled":
            path = Path(event["path"])
            pixels = np.asarray(Image.open(path, formats=["PNG"]).convert("RGB"))  # (H, W, 3)
            with self._writing():
                self._open().add_image("samples", pixels, int(path.stem), dataformats="HWC")
        elif event["kind"] == "reported" and self._writer is not None:
            with self._writing():
                self._writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise TensorBoard's OSError as StorageError, and silence the traceback that its own thread prints."""
        before = threading.excepthook
        threading.excepthook = lambda failed: None if isinstance(failed.exc_value, OSError) else before(failed)
        try:
            yield
        except OSError as error:
            raise storage_error(self._folder, error) from error
        finally:
            threading.excepthook = before

    def _open(self) -> SummaryWriter:
        """Create the writer late: a resumed run begins at its checkpoint, which hides what was written after it."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=self._examples)
        return self._writer


def numbers(record: Record) -> Iterator[tuple[str, float]]:
    """Yield every number of a record under its TensorBoard tag: `terms/discriminator/r1`."""
    for name in SCALARS:
        yield name, float(record[name])
    for group in GROUPS:
        yield from _flat(group, record.get(group) or {})


def _flat(path: str, content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{path}/{name}", value)
        else:
            yield f"{path}/{name}", float(value)
