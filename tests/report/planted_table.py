"""A run of a table that looks like a real one: judged and drawn by the real code, with a planted fault."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.core.files import write_whole
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.figures.columns import draw_columns
from ganforge.kinds.tables.figures.pairs import draw_dependence, draw_pairs, score_matrix
from ganforge.kinds.tables.generate.task import GenerateRows
from ganforge.kinds.tables.measures.blocks import first_rows_block
from ganforge.kinds.tables.measures.evaluate import evaluate_table
from ganforge.run import Run

COLUMNS = (
    Column(name="age", kind="integer", dtype="int64", distinct=60),
    Column(name="hours", kind="decimal", dtype="float64", distinct=900, missing=50),
    Column(name="gain", kind="decimal", dtype="float64", distinct=200),
    Column(name="joined", kind="datetime", dtype="datetime64[s]", distinct=900, resolution="D"),
    Column(name="town", kind="category", dtype="str", distinct=4),
)


def plant_rows(count: int, seed: int) -> dict[str, NDArray[Any]]:
    """Hours depend on age, gain on the town."""
    random = np.random.default_rng(seed)
    age = np.clip(np.round(random.normal(45, 14, count)), 18, 90)
    town = random.choice(["Aachen", "Bremen", "Celle", "Dresden"], count, p=[0.4, 0.3, 0.2, 0.1]).astype(object)
    hours = 60 - 0.5 * age + random.normal(0, 3, count)
    hours[random.random(count) < 0.1] = np.nan
    gain = np.where(random.random(count) < 0.3 * (town == "Aachen"), random.exponential(3000, count).round(), 0.0)
    return {
        "age": age,
        "hours": hours,
        "gain": gain,
        "joined": np.floor(random.uniform(18_000, 19_000, count)),
        "town": town,
    }


def plant_table(folder: Path, columns: tuple[Column, ...] = COLUMNS, label: str | None = "town") -> Run:
    """A finished run whose generator shifts ages: the report has to say so."""
    run = Run(folder)
    train, held_out, samples = plant_rows(800, 0), plant_rows(200, 1), plant_rows(800, 2)
    samples["age"] = samples["age"] + 9
    sides = [{column.name: side[column.name] for column in columns} for side in (train, held_out, samples)]
    found = evaluate_table(*sides, columns, label=label, seed=0)
    shown = [[None if value is None else str(value) for value in row] for row in zip(*sides[2].values(), strict=True)]
    first_rows = {"columns": [column.name for column in columns], "rows": shown[:8]}
    run.write_json(run.recipe, {"task": "generate", "seed": 0, "data": {"kind": "table"}, "reasons": {}})
    run.write_json(run.page, asdict(GenerateRows.page))
    found = replace(
        found,
        facts={"step": 900, "examples": 460_800, **found.facts, "first_rows": first_rows},
        blocks=(first_rows_block(first_rows), *found.blocks),
    )
    run.write_json(run.evaluation, found.to_json())
    worst = [column["name"] for column in found.facts["columns"]]
    write_whole(run.figure("columns"), draw_columns(sides[0], sides[2], columns, worst))
    if pairs := {tuple(pair["columns"]): pair["score"] for pair in found.facts["pairs"]}:
        write_whole(run.figure("pairs"), draw_pairs(sides[0], sides[2], columns, list(pairs)))
        write_whole(run.figure("dependence"), draw_dependence(*score_matrix(pairs, worst)))
    run.add_event("finished", 900)
    return run
