"""Feeds of arrays: the same batches whether the rows fit the device, lie elsewhere, or were sent by another process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganforge.core.cache import kept_or_filled
from ganforge.engine import feed as feeds
from ganforge.engine.feed import AS_STORED, PICTURES, ArrayFeed, Form

ROWS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
LABELS = np.arange(40) % 3
PICKED = torch.tensor([5, 0, 39, 5])


class Read:
    """Rows that are no array: how often they are read is counted."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.reads = rows, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.reads += 1
        found: np.ndarray = self.rows[rows]
        return found


@pytest.mark.parametrize("form", [AS_STORED, PICTURES])
def test_batches_are_the_same_from_memory_from_elsewhere_and_in_another_process(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ArrayFeed(ROWS, LABELS, form=form)
    monkeypatch.setattr(feeds, "IN_MEMORY", 1_000)
    source = Read(ROWS)
    there = ArrayFeed(source, LABELS, form=form)
    sent = ArrayFeed.of_raw(there.raw(0, len(there)), "cpu", form)
    assert here.resident and not there.resident and len(here) == len(there) == len(sent) == 40
    before = source.reads
    for other in (there, sent):
        for name, tensor in here.batch(PICKED).items():
            assert torch.equal(other.batch(PICKED)[name], tensor) and other.batch(PICKED)[name].dtype == tensor.dtype
    assert source.reads == before + 4
    assert here.labels is not None and (here.labels == LABELS).all()


def test_rows_that_fit_are_read_once_and_those_at_places_alone() -> None:
    source = Read(ROWS)
    feed = ArrayFeed(source, LABELS[::4], places=np.arange(0, 40, 4, dtype=np.uint32))
    before = source.reads
    assert feed.resident and (feed.examples() == ROWS[::4]).all()
    assert (feed.batch(torch.arange(10))["x"].numpy() == ROWS[::4]).all() and source.reads == before


def test_levels_are_numbers_between_minus_one_and_one_and_examples_have_their_channels_first() -> None:
    feed = ArrayFeed(ROWS, form=PICTURES)
    x = feed.batch(PICKED)["x"]
    assert x.shape == (4, 3, 6, 5) and x.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(x.numpy() * 127.5 + 127.5, feed.examples(PICKED.numpy()), atol=1e-4)
    assert (feed.examples() == ROWS.transpose(0, 3, 1, 2)).all()


def test_what_is_kept_is_filled_once_and_again_when_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path))
    filled: list[Path] = []

    def fill(folder: Path) -> None:
        filled.append(folder)
        (folder / "a").write_text("content")

    first = kept_or_filled("things", "words", fill)
    assert kept_or_filled("things", "words", fill) == first and len(filled) == 1
    (first / "a").write_text("changed")
    assert (kept_or_filled("things", "words", fill) / "a").read_text() == "content" and len(filled) == 2
    assert kept_or_filled("things", "other words", fill) != first
