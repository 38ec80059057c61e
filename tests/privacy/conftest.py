"""A small folder that passes for a run, and keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import ganforge
from ganforge.privacy import sealed

pytest.importorskip("cryptography")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))  # its broken engines


@pytest.fixture(autouse=True)
def _quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a password cost a millisecond instead of half a second."""
    monkeypatch.setattr(sealed, "LOG_N", 10)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a file of more than two chunks, an empty file, an empty folder and a name that is not ASCII."""
    folder = tmp_path / "runs" / "people-1"
    (folder / "model").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / "recipe.json").write_text("{}\n")
    (folder / "model" / "größe.bin").write_bytes(os.urandom(2 * sealed.CHUNK + 5))
    (folder / "metrics.jsonl").touch()
    os.utime(folder / "recipe.json", ns=(10**18, 10**18 + 1))
    (folder / "model").chmod(0o750)
    (folder / "metrics.jsonl").chmod(0o600)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return ganforge.new_lock_key(tmp_path / "my.key")


@pytest.fixture
def small(tmp_path: Path, key: Path) -> Path:
    """A locked file of some 400 bytes."""
    path = tmp_path / "small"
    path.write_bytes(b"a secret " * 10)
    return ganforge.lock(path, key_file=key)
