"""Reading of a log of interactions, with what is known of its items and users."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganforge.kinds.interactions.columns import Columns, LogSettings, find_columns
from ganforge.kinds.interactions.features import Features
from ganforge.kinds.interactions.log import Log


@dataclass(frozen=True, slots=True)
class Reading:
    """A log that was read, and what is known beside it."""

    log: Log
    columns: Columns
    items: Features | None
    users: Features | None
    passport: Mapping[str, Any]
    sha256: str  # of the log


def read_log(source: str | Path, asked: LogSettings) -> Reading:
    """Read a log of interactions. Args: asked columns that a person named, and how duplicates are folded.

    Raises: DataError.
    """
    path = Path(source)
    tabs = path.suffix in (".inter", ".tsv")
    frame = pd.read_csv(path, sep="\t" if tabs else ",", dtype=str, keep_default_na=False)
    frame = frame.rename(columns=lambda name: name.partition(":")[0])
    columns = find_columns(list(frame.columns), asked)
    users, user = np.unique(frame[columns.user].to_numpy(str), return_inverse=True)
    items, item = np.unique(frame[columns.item].to_numpy(str), return_inverse=True)
    rating = frame[columns.rating].to_numpy(str).astype(np.float32) if columns.rating else None
    time = frame[columns.time].to_numpy(str).astype(np.float64) if columns.time else None
    order = np.lexsort((np.zeros(len(user)) if time is None else time, user))
    log = Log(users, items, user.astype(np.int32), item.astype(np.int32), rating, time).taken(order)
    key = log.user.astype(np.int64) * len(items) + log.item
    _, last = np.unique(key[::-1], return_index=True)
    log = log.taken(np.sort(len(key) - 1 - last))
    passport = {
        "source": str(source), "users": len(users), "items": len(items), "interactions": len(log), "warnings": [],
    }  # fmt: skip
    return Reading(log, columns, None, None, passport, _digest(log))


def _digest(log: Log) -> str:
    """Return the sha256 of a log."""
    digest = hashlib.sha256()
    parts: list[NDArray[Any] | None] = [log.user, log.item, log.rating, log.time]
    for ids in (log.users, log.items):
        digest.update("\n".join(ids.tolist()).encode() + b"\0")
    for part in parts:
        digest.update(b"-" if part is None else part.tobytes())
    return digest.hexdigest()
