"""The folder that is kept between runs: decoded or unpacked data, and trained judges."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder kept between runs: $GANFORGE_CACHE, $XDG_CACHE_HOME/ganforge or ~/.cache/ganforge."""
    if own := os.environ.get("GANFORGE_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ganforge"


def kept(kind: str, words: str) -> Path:
    """Return the folder in the cache for what `words` identify. Args: kind the name of the folder above it."""
    return cache_folder() / kind / hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:32]
