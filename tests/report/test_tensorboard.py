"""TensorBoard reads back what the observer wrote."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from planted import worn_digits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import record_writer

from ganforge.errors import InputError, StorageError
from ganforge.kinds.pictures.write import grid, png_bytes
from ganforge.reports import TensorBoard
from ganforge.reports import tensorboard as module


def record(examples: int, loss: float) -> dict[str, object]:
    return {
        "examples": examples,
        "progress": examples / 1000,
        "examples_per_second": 500.0,
        "skipped": 0,
        "terms": {"discriminator": {"r1": loss}},
        "gradient_norms": {"generator": 2.0},
        "quality": {"kid": 0.5, "kid_low": 0.4},
    }


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_every_number_and_every_grid_is_there(tmp_path: Path) -> None:
    board, path = TensorBoard(tmp_path / "tensorboard"), tmp_path / "000000200.png"
    path.write_bytes(png_bytes(grid(worn_digits(4, 1.0))))
    for examples in (100, 200):
        board.record(record(examples, loss=examples / 1000))
    board.event({"kind": "sampled", "path": str(path)})
    board.event({"kind": "reported"})
    found = read(tmp_path / "tensorboard")
    assert [(e.step, round(e.value, 6)) for e in found.Scalars("terms/discriminator/r1")] == [(100, 0.1), (200, 0.2)]
    assert {"progress", "gradient_norms/generator", "quality/kid_low"} <= set(found.Tags()["scalars"])
    assert [(image.step, image.width) for image in found.Images("samples")] == [(200, 118)]


def test_what_a_killed_sitting_wrote_after_its_checkpoint_is_hidden(tmp_path: Path) -> None:
    for sitting in ((100, 200, 300), (200, 300)):  # killed after 300, resumed from 100
        board = TensorBoard(tmp_path)
        for examples in sitting:
            board.record(record(examples, loss=examples / 1000))
        board.event({"kind": "reported"})
    assert [event.step for event in read(tmp_path).Scalars("terms/discriminator/r1")] == [100, 200, 300]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed") as caught:
        TensorBoard(tmp_path)
    assert "ganforge[tensorboard]" in str(caught.value.do)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("records", [1, 3])
def test_a_disk_that_is_full_is_said_in_words_and_without_a_traceback(
    records: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where it fills up later, and the thread that TensorBoard writes in is the first to meet it."""
    board, before = TensorBoard(tmp_path / "tensorboard"), threading.excepthook
    for examples in range(1, records):
        board.record(record(examples, loss=0.1))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(record_writer.RecordWriter, "write", full)
    with pytest.raises(StorageError, match=r"tensorboard could not be written\. The disk is full"):
        for examples in (records, records + 1):
            board.record(record(examples, loss=0.1))
    assert capfd.readouterr().err == ""
    assert threading.excepthook is before
