"""No byte of a model or of a checkpoint changes unseen, and neither does a file that is cut, removed or added."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ganforge.core.files import check_folder
from ganforge.errors import RunError

pytestmark = pytest.mark.slow


def folders_of(run: Path) -> list[Path]:
    return [run / "model", *sorted((run / "checkpoints").iterdir())]


def files_of(run: Path) -> list[Path]:
    return [path for folder in folders_of(run) for path in sorted(folder.iterdir())]


def test_every_one_of_many_flipped_bytes_is_found(any_run: Path) -> None:
    for folder in folders_of(any_run):
        check_folder(folder)
    chance = random.Random(0)
    files = files_of(any_run)
    for _ in range(70):
        path = chance.choice(files)
        good = path.read_bytes()
        flipped = bytearray(good)
        flipped[chance.randrange(len(good))] ^= chance.randrange(1, 256)
        path.write_bytes(flipped)
        with pytest.raises(RunError):
            check_folder(path.parent)
        path.write_bytes(good)


def test_every_bit_of_a_manifest_counts(picture_run: Path, tmp_path: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((picture_run / "model" / name).read_bytes())
    good = (picture_run / "model" / "manifest.json").read_bytes()
    for place in range(len(good)):
        for bit in range(8):
            content = bytearray(good)
            content[place] ^= 1 << bit
            (tmp_path / "manifest.json").write_bytes(content)
            with pytest.raises(RunError):
                check_folder(tmp_path)
    (tmp_path / "manifest.json").write_bytes(good)
    check_folder(tmp_path)


def test_a_file_that_is_cut_removed_or_added_is_found(any_run: Path) -> None:
    for path in files_of(any_run):
        good = path.read_bytes()
        for content in (good[:-1], good[: len(good) // 2], b"", good + b"\n"):
            path.write_bytes(content)
            with pytest.raises(RunError):
                check_folder(path.parent)
        path.unlink()
        with pytest.raises(RunError):
            check_folder(path.parent)
        path.write_bytes(good)
    for folder in folders_of(any_run):
        (folder / "more").write_bytes(b"")
        with pytest.raises(RunError):
            check_folder(folder)


def test_a_link_a_folder_and_a_pipe_are_no_files_of_a_model(any_run: Path, tmp_path: Path) -> None:
    import os

    model = any_run / "model"
    (model / "model.json").rename(tmp_path / "elsewhere.json")
    (model / "model.json").symlink_to(tmp_path / "elsewhere.json")  # the same bytes, outside the folder
    with pytest.raises(RunError, match="no plain file"):
        check_folder(model)
    (model / "model.json").unlink()
    os.mkfifo(model / "model.json")  # whoever opened it would wait for ever
    with pytest.raises(RunError, match="no plain file"):
        check_folder(model)
    (model / "model.json").unlink()
    (model / "model.json").mkdir()
    with pytest.raises(RunError, match="no plain file"):
        check_folder(model)
