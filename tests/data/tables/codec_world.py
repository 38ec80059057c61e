"""Tables whose codecs are fitted as a run fits them, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ganforge.contracts import Plain
from ganforge.kinds.tables.codec.codec import TableCodec
from ganforge.kinds.tables.codec.numbers import Inside
from ganforge.kinds.tables.columns import RowSettings
from ganforge.kinds.tables.table import Table, inspect_table, open_table

ORDERED = ("ordered <= shipped", "shipped <= arrived", "weighed <= price", "net <= price")
RULES = (*ORDERED, "city -> country", "0 <= age <= 60")


def table_of(
    frame: pd.DataFrame,
    folder: Path,
    rules: Sequence[str] | None = (),
    *,
    spans: int = 8,
    inside: Inside = "seen",
    rare: int | None = None,
) -> Table:
    path = folder / "table.parquet"
    frame.to_parquet(path, index=False)
    settings = RowSettings(spans=spans, values=inside, rare=rare, rare_classes=True)
    return open_table(inspect_table(path, (), rules), settings, seed=0, device="cpu")


def drawn_from(table: Table, count: int, seed: int = 0) -> Plain:
    """Rows (count,) of the codes of training rows: what a generator that has learned them by heart would draw."""
    random, codes = np.random.default_rng(seed), table.train.tensors["x"].numpy()
    return table.codec.decode(codes[random.integers(0, len(codes), count)].astype(np.int32), random)


def orders(rows: int = 1_500, seed: int = 0) -> pd.DataFrame:
    """Days, seconds and days in a chain; whole numbers above decimals; holes; combinations; 250 categories."""
    random = np.random.default_rng(seed)
    day = np.datetime64("2024-01-01") + random.integers(0, 300, rows)
    seconds = day.astype("datetime64[s]") + random.integers(0, 400_000, rows)
    arrived = (seconds.astype("datetime64[D]") + 1 + random.integers(0, 5, rows)).astype("datetime64[s]")
    shipped = seconds.copy()
    shipped[random.random(rows) < 0.2] = np.datetime64("NaT")
    arrived[random.random(rows) < 0.2] = np.datetime64("NaT")
    weighed = np.round(random.gamma(2, 3, rows), 2)
    net = np.round(random.gamma(2, 3, rows), 1)
    price = np.ceil(np.maximum(weighed, net)) + random.integers(0, 9, rows)
    weighed[random.random(rows) < 0.1] = np.nan
    net[random.random(rows) < 0.1] = np.nan
    city = random.integers(0, 12, rows)
    age = random.integers(0, 61, rows).astype(float)
    age[random.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "arrived": arrived.astype("datetime64[ms]"),
            "shipped": shipped.astype("datetime64[ms]"),
            "ordered": day.astype("datetime64[ms]"),
            "weighed": weighed,
            "net": net,
            "price": price.astype(np.int64),
            "city": np.array([*(f"City {n}" for n in range(11)), None], dtype=object)[city],
            "country": np.array(["A", "B", "C", None], dtype=object)[city % 4],
            "age": age,
            "sold": random.random(rows) < 0.3,
            "spread": random.normal(size=rows),
            "product": np.array([f"P{n}" for n in range(250)], dtype=object)[random.integers(0, 250, rows)],
            "unit": "kg",
        }
    )


def random_codes(codec: TableCodec, count: int, seed: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Codes (count, U) of any kind: what an untrained network may draw."""
    random = np.random.default_rng(seed)
    return np.stack([random.integers(0, size, count) for size in codec.sizes], axis=1).astype(np.int32)
