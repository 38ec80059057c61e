"""The folder that is kept between runs: decoded or unpacked data, and trained judges."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from ganforge.core.files import check_folder, write_folder
from ganforge.errors import RunError


def cache_folder() -> Path:
    """Return the folder kept between runs: $GANFORGE_CACHE, $XDG_CACHE_HOME/ganforge or ~/.cache/ganforge."""
    if own := os.environ.get("GANFORGE_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ganforge"


def kept_or_filled(kind: str, words: str, fill: Callable[[Path], object]) -> Path:
    """Return `kept`, after it was filled if it is absent, half-written or damaged. Raises: StorageError."""
    folder = kept(kind, words)
    try:
        check_folder(folder)
    except RunError:
        write_folder(folder, fill)
    return folder


def kept(kind: str, words: str) -> Path:
    """Return the folder in the cache for what `words` identify. Args: kind the name of the folder above it."""
    return cache_folder() / kind / hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:32]
