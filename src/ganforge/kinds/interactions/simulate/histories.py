"""Histories of users that a trained simulator is asked about, from a log with the columns of its data."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.interactions import keep
from ganforge.kinds.interactions.log import Log
from ganforge.kinds.interactions.rows import open_rows, texts_of
from ganforge.kinds.interactions.values import Times


def read_histories(source: object, columns: Mapping[str, str], items: Sequence[str]) -> tuple[Log, int]:
    """Read a log, of which users and items must be there, and times may be.

    Args: source a path or a frame; columns role -> name; items the ids that are known.
    Returns: the log, and how many rows have other items. Raises: DataError.
    """
    if not isinstance(source, str | Path):
        with tempfile.TemporaryDirectory(prefix="ganforge-") as folder:
            return read_histories(keep(source, Path(folder)), columns, items)
    path = Path(source).expanduser()
    rows = open_rows(path)
    for role in ("user", "item"):
        if columns[role] not in rows.names:
            raise DataError(
                f"{str(path)!r} has no column {columns[role]!r}.",
                f"It holds {role}s in the training data. {did_you_mean(columns[role], rows.names[:100])}".strip(),
                "Name the columns as in the training data.",
            )
    timed = columns.get("time", "") in rows.names
    names = [columns["user"], columns["item"], *([columns["time"]] if timed else [])]
    users, met, times = list[str](), list[str](), Times(columns.get("time", ""))
    for part in rows.parts(names):
        users += [str(user) for user in texts_of(part.column(0)).to_pylist()]
        met += [str(item) for item in texts_of(part.column(1)).to_pylist()]
        if timed:
            times.add(part.column(2))
    place = {item: row for row, item in enumerate(items)}
    item = np.array([place.get(one, -1) for one in met], np.int32)
    known = item >= 0
    if not known.any():
        raise DataError(
            f"No item of {str(path)!r} is in the training data.", "What follows an unknown item is not known.",
            f"Items are named as in the training data, such as {items[0]!r}.",
        )  # fmt: skip
    ids, user = np.unique(np.array(users, np.str_), return_inverse=True)
    time = np.nan_to_num(times.result()[0]) if timed else np.zeros(len(item))
    order = np.lexsort((time, user))
    order = order[known[order]]
    _, first = np.unique(user[order].astype(np.int64) * len(items) + item[order], return_index=True)
    order = order[np.sort(first)]
    return Log(ids, np.array(items, np.str_), user[order].astype(np.int32), item[order]), int((~known).sum())
