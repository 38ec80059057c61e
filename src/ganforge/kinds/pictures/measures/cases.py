"""Single results for the report: the worst, the best and some at random, with the rivals beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganforge.kinds.pictures.write import side_by_side, write_grid
from ganforge.measures.intervals import beside_others
from ganforge.records import Block, Cases, Figure, Group
from ganforge.run import Run

GROUPS = {"worst": "The worst", "random": "Drawn at random", "best": "The best"}  # never only the best


def draw_cases(
    run: Run, columns: Mapping[str, NDArray[np.uint8]], groups: Mapping[str, tuple[NDArray[np.int64], str]]
) -> dict[str, Any]:
    """Write the figure of each group of cases. Returns: the fact `cases`, {columns, groups: [{name, sentence}]}.

    Args: columns name -> uint8 (N, C, H, W), shown side by side; groups of GROUPS -> places in 0..N-1, a sentence.
    """
    for name, (places, _) in groups.items():
        cases = side_by_side(*(column[places] for column in columns.values()))
        write_grid(run.figure(name), cases, columns=len(columns))
    told = [{"name": name, "sentence": sentence} for name, (_, sentence) in groups.items()]
    return {"columns": list(columns), "groups": told}


def made_blocks(facts: Mapping[str, Any], caption: str) -> tuple[Block, ...]:
    """Return the report blocks of image-to-image tasks: cases, the worst first, and the rivals.

    Args: facts with `cases` and `rivals`; caption of the rivals' scores. A group's figure has its name: worst,
        random or best.
    """
    columns = tuple(str(name) for name in facts["cases"]["columns"])
    sentences = {group["name"]: str(group["sentence"]) for group in facts["cases"]["groups"]}
    groups = tuple(
        Group(title, sentences[name], Figure(f"pictures/{name}.png", f"{title}: {', '.join(columns)}"))
        for name, title in GROUPS.items()
    )
    lead = f"Pictures that training never saw. In each row, from left to right: {', '.join(columns)}."
    return (
        Block("Case by case", lead, (Cases(columns, groups),)),
        beside_others(
            "The same measures on the same pictures, for simple methods that are not GANs.",
            facts["rivals"],
            {},
            caption,
        ),
    )
