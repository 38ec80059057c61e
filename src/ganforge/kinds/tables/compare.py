"""The comparison of two tables: rows that any tool made with real ones, as a run compares its own rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ganforge.contracts import Plain
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.tables.columns import Column, learned
from ganforge.kinds.tables.figures.evaluation import write_figures
from ganforge.kinds.tables.measures.blocks import table_blocks
from ganforge.kinds.tables.measures.evaluate import evaluate_table
from ganforge.kinds.tables.measures.places import with_places
from ganforge.kinds.tables.reading.frames import values_of
from ganforge.kinds.tables.reading.source import TableSource, open_source
from ganforge.kinds.tables.rules.checks import broken
from ganforge.kinds.tables.rules.expressions import shown
from ganforge.kinds.tables.rules.rules import joint_of, rule_columns
from ganforge.kinds.tables.table import MOST_HELD_OUT, SHOWN_ROWS, inspect_table, random_sample, split_rows
from ganforge.records import Block, Evaluation, Prose, Rows
from ganforge.run import Run

JUDGED = 30_000  # rows, at most, as of a run
UNKNOWN = (
    "Whether rows are copied cannot be told from how near they lie, because it is not known which real rows they were "
    "made from: give unseen ones with --held-out."
)
SPLIT = {
    "kind": "held-out rows",
    "sentence": "Measured with a part of the real rows, chosen by chance, and with boosted trees.",
}
FLOOR = "The floor is what one part of the real rows gets beside the other."


def compare_tables(
    real: str | Path, made: str | Path, run: Run, *, label: str | None, held_out: str | Path | None, seed: int
) -> Evaluation:
    """Compare a table with a real one by all measures of a run's evaluation, on the columns that both have.

    Args: run whose folder takes the figures; label the column that matters most; held_out real rows that `made` was not
        made from: without them the rows that a run with this seed holds out are taken, and nearness says nothing.
    Returns: as evaluate_table; the facts also have rules {rule: made rows that break it}, left_out {"real": columns
        that only the real table has, "made": those that only the other has}.
    Raises: DataError if no column is common, one has values of another type, or there are too few rows.
    """
    inspected = inspect_table(real)
    known = inspected.survey.columns
    sources = [open_source(made, known), *([open_source(held_out, known)] if held_out is not None else [])]
    columns = tuple(column for column in known if all(column.name in source.column_names for source in sources))
    left_out = {
        "real": [column.name for column in known if column not in columns],
        "made": [name for name in sources[0].column_names if name not in {column.name for column in known}],
    }
    if not learned(columns):
        names = [column.name for column in known]
        raise DataError(
            f"{sources[0].name!r} and {str(real)!r} have no column in common that can be compared.",
            f"One has {', '.join(sources[0].column_names[:10])}, the other {', '.join(names[:10])}.",
            "Rename the columns of one of them.",
        )
    if label not in (None, *(column.name for column in columns)):
        raise DataError(
            f"There is no column {label!r} in both tables.", did_you_mean(str(label), [each.name for each in columns])
        )
    samples = _rows(sources[0], columns, JUDGED)
    train, unseen = split_rows(inspected, seed)
    if held_out is not None:
        train = random_sample(inspected.rows, np.ones(inspected.survey.rows, bool), SHOWN_ROWS)
        unseen = _rows(sources[1], columns, MOST_HELD_OUT)
    found = evaluate_table(train, unseen, samples, columns, label=label, seed=seed)
    write_figures(run, found.facts, train, samples, columns)
    both = {column.name for column in columns}
    rules = [rule for rule in inspected.kept if set(rule_columns(rule)) <= both]
    counts = broken(rules, samples, train, columns)
    pairs = [pair for pair in joint_of(inspected.kept) if both >= set(pair)]
    told = _described(found, sources[0].name, counts, left_out, len(next(iter(samples.values()))), held_out is not None)
    return with_places(told, run, train, unseen, samples, columns, pairs)


def _rows(source: TableSource, columns: Sequence[Column], most: int) -> Plain:
    """Return at most `most` plain rows of a table, in random order. Raises: DataError for a column of another type."""

    def parts() -> Iterator[tuple[int, Plain]]:
        first = 0
        for frame in source.chunks():
            plain: dict[str, Any] = {}
            for column in columns:
                try:
                    plain[column.name] = values_of(frame, column)
                except ValueError as error:
                    raise DataError(
                        f"The column {column.name!r} of {source.name!r} is not {column.kind}: {error}.",
                        f"In the real table it is: {column.why or column.kind}.",
                        "Write both tables in the same forms, or remove the column from one of them.",
                    ) from error
            yield first, plain
            first += len(frame)

    return random_sample(parts(), np.ones(sum(map(len, source.chunks())), dtype=bool), most)


def _described(
    found: Evaluation, name: str, counts: dict[str, int], left_out: dict[str, list[str]], rows: int, unseen: bool
) -> Evaluation:
    """Return the evaluation with the words for two tables."""
    rivals = [{**each, "name": name} if each["name"] == "this model" else each for each in found.facts["rivals"]]
    facts = {**found.facts, "rivals": rivals, "rules": counts, "left_out": left_out}
    notes = []
    for side, names in left_out.items():
        if names:
            whose = "the real table" if side == "real" else "the other one"
            notes.append(f"Not compared, because only {whose} has them: {', '.join(names)}.")
    worst = {rule: count for rule, count in counts.items() if count}
    if worst:
        rule = max(worst, key=worst.__getitem__)
        notes.append(f"{worst[rule]:,} of {rows:,} rows break the rule {rule!r}, which every real row keeps.")
    sentences, measures = list(found.verdict.sentences), found.measures
    if not unseen:
        if not facts["copying_suspected"]:
            facts["nearest"] = UNKNOWN
            sentences = [UNKNOWN if each == found.facts["nearest"] else each for each in sentences]
        measures = tuple(measure for measure in measures if measure.name != "nearer_to_train")
        found = replace(found, judge=SPLIT, floor=FLOOR)
    blocks = [*table_blocks(facts)]
    if counts:
        listed = tuple((shown(rule), f"{count:,}") for rule, count in counts.items())
        lead = f"Rules that every real row keeps, and how many of {rows:,} rows break them."
        blocks.append(Block("Rules", lead, (Rows(("Rule", "Rows that break it"), listed, numeric=(1,)),)))
    if left_out["real"] or left_out["made"]:
        blocks.insert(0, Block("What was compared", "", (Prose(tuple(notes[: sum(map(bool, left_out.values()))])),)))
    verdict = replace(found.verdict, sentences=(*notes, *sentences), adversarial_helps=None)
    return replace(found, measures=measures, verdict=verdict, facts=facts, blocks=tuple(blocks))
