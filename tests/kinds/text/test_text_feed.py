"""Units by index: rows of one length, the same from memory, from a file and in another process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganforge.engine import feed as engine_feed
from ganforge.engine.feed import ArrayFeed
from ganforge.kinds.text.feed import TOKENS, UnitRows, choose_length
from ganforge.kinds.text.reading import open_texts
from ganforge.kinds.text.units import Units


def folder_of(tmp_path: Path) -> Path:
    for label in ("A", "B"):
        lines = [f"{label} {number} {'x' * (number % 7)}" for number in range(30)]
        (tmp_path / f"{label}.txt").write_text("\n".join(lines), "utf-8")
    return tmp_path


def test_a_row_is_beginning_units_end_and_padding(tmp_path: Path) -> None:
    texts, units = open_texts(str(folder_of(tmp_path))), Units("characters", tuple("ABx 0123456789"))
    feed = ArrayFeed(UnitRows(texts.train, units, 9), texts.train.labels, form=TOKENS)
    batch = feed.batch(torch.arange(len(feed)))
    assert batch["x"].dtype == torch.int64 and batch["x"].shape == (len(texts.train), 9)
    assert texts.train.labels is not None
    assert batch["label"].tolist() == texts.train.labels.tolist()
    for row, text in zip(batch["x"].tolist(), texts.train, strict=True):
        whole = [units.begin, *units.encode(text), units.end]
        assert row == (whole + [units.pad] * 9)[:9]  # a longer one has no end


@pytest.mark.parametrize("in_memory", [True, False])
def test_another_process_gets_the_same_rows(tmp_path: Path, in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.setattr(engine_feed, "IN_MEMORY", 0)
    texts, units = open_texts(str(folder_of(tmp_path))), Units("characters", tuple("ABx "))
    feed = ArrayFeed(UnitRows(texts.train, units), texts.train.labels, form=TOKENS)
    there = ArrayFeed.of_raw(feed.raw(10, 25), "cpu", TOKENS)
    assert feed.resident == in_memory
    asked = torch.tensor([3, 0, 14])
    for name, values in feed.batch(asked + 10).items():
        assert torch.equal(values, there.batch(asked)[name])


def test_the_length_is_that_of_nearly_all_and_is_told() -> None:
    lengths = np.array([*range(1, 100), 5000])
    assert choose_length(lengths) == (
        101, "a beginning, 99 units and an end: 1.0% of the examples are longer and are cut there",
    )  # fmt: skip
    assert choose_length(lengths, most=10)[0] == 12
    assert choose_length(lengths[:50]) == (52, "a beginning, 50 units and an end: no example is longer")


def test_many_units_are_kept_in_larger_numbers(tmp_path: Path) -> None:
    texts = open_texts(str(folder_of(tmp_path)))
    pieces = tuple(chr(0x4E00 + place) for place in range(20_000)) + tuple(
        chr(0x20000 + place) for place in range(13_000)
    )
    units = Units("characters", (*pieces, *"ABx 0123456789"))
    rows = UnitRows(texts.train, units)
    assert units.decode(rows[np.array([2])][0].tolist()) == texts.train[2]
    assert rows[np.array([2])].max() > 2**15


def test_rows_read_in_blocks_and_by_small_integers_and_whole_texts_are_the_same_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, units = open_texts(str(folder_of(tmp_path))), Units("characters", tuple("ABx "))
    rows = UnitRows(texts.train, units, 7)
    whole = rows[np.arange(len(rows))]
    monkeypatch.setattr("ganforge.kinds.text.feed.AT_ONCE", 7)
    np.testing.assert_array_equal(rows[np.arange(len(rows), dtype=np.uint32)], whole)
    cut = [ids[:5].tolist() for ids in units.encoded(texts.train)]
    parts = [ids.tolist() for first in range(0, len(rows), 11) for ids in rows.texts(first, first + 11)]
    assert parts == cut
