"""A table with every kind of column and planted relations, in as many independent parts as a test asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import Column

Table = dict[str, NDArray[Any]]

COLUMNS = (
    Column(name="id", kind="identifier", dtype="str"),
    Column(name="age", kind="integer", dtype="int64", distinct=60),
    Column(name="hours", kind="decimal", dtype="float64", distinct=900, missing=100),
    Column(name="gain", kind="decimal", dtype="float64", distinct=200),
    Column(name="seen", kind="datetime", dtype="datetime64[s]", distinct=900, resolution="D"),
    Column(name="town", kind="category", dtype="str", distinct=4, missing=50),
    Column(name="rich", kind="boolean", dtype="bool", distinct=2),
    Column(name="planet", kind="constant", dtype="str", distinct=1),
)


def people(count: int, seed: int) -> Table:
    """Rich depends on age and town, hours on age, gain is 0 for nine in ten, hours and town may be missing."""
    random = np.random.default_rng(seed)
    age = np.clip(np.round(random.normal(45, 14, count)), 18, 90)
    town = random.choice(["Aachen", "Bremen", "Celle", "Dresden"], count, p=[0.4, 0.3, 0.2, 0.1]).astype(object)
    rich = random.random(count) < 1 / (1 + np.exp(-((age - 45) / 5 + 2 * (town == "Aachen") - 1)))
    hours = 60 - 0.5 * age + random.normal(0, 3, count)
    hours[random.random(count) < 0.1] = np.nan
    gain = np.where(random.random(count) < 0.1, random.exponential(3000, count).round(), 0.0)
    town[random.random(count) < 0.05] = None
    return {
        "id": np.array([f"row-{seed}-{i}" for i in range(count)], object),
        "age": age,
        "hours": hours,
        "gain": gain,
        "seen": np.floor(random.uniform(18_000, 19_000, count)),
        "town": town,
        "rich": np.where(rich, "True", "False").astype(object),
        "planet": np.full(count, "Earth", object),
    }


def permuted(table: Table, seed: int) -> Table:
    """Every column shuffled by itself."""
    random = np.random.default_rng(seed)
    return {name: random.permutation(values) for name, values in table.items()}


def chosen(*names: str) -> tuple[Column, ...]:
    return tuple(column for column in COLUMNS if column.name in names)
