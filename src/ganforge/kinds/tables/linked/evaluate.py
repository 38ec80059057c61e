"""The evaluation of two linked tables: each as a table is, how they belong together, and a verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ganforge.core.format import percent
from ganforge.kinds.tables.linked.families import Families, Relation
from ganforge.kinds.tables.linked.judge import MEANINGS, Judge, Scores, independent, measured, with_gap, worst_pairs
from ganforge.kinds.tables.measures.evaluate import FLOOR, JUDGE, evaluate_table
from ganforge.measures.intervals import measures_of, rival, rival_rows, score, values_of
from ganforge.records import GRADES, Bars, Block, Evaluation, Figure, Rows, Verdict

BOUNDS = (0.12, 0.28, 0.5, 0.8)  # upper ends of what is lost, for each grade but the last
LEAST_WAY = 0.02  # between real families and independent children: less proves nothing
MOST_BARS, MOST_PAIRS = 13, 15
RIVAL = "Real children, each drawn by itself and given to any parent; as many for each as real parents have."
PARTS = ("parent", "child")  # before the names of the tables' own measures and figures


def evaluate_tables(relation: Relation, train: Families, held_out: Families, made: Families) -> Evaluation:
    """Compare generated families with real ones, and with children that are drawn independently of their parent.

    The facts are those of each table under its name, pairs_across (as `worst_pairs`), rivals_across, floor_across
    {measure: [value, low, high]} of real held-out families, and integrity_across {children, orphans}.
    """
    parents = evaluate_table(train.parents, held_out.parents, made.parents, relation.parents, label=None, seed=0)
    real, unseen, drawn = (with_gap(relation, families.children) for families in (train, held_out, made))
    children = evaluate_table(real, unseen, drawn, measured(relation), label=None, seed=0)
    judge, size = Judge.prepare(relation, train), len(held_out)
    rival_made = independent(relation, train, size)
    mine, floor, simple = (judge.score(families, size) for families in (made, held_out, rival_made))
    tables = dict(zip(PARTS, (parents, children), strict=True))
    names = dict(zip(PARTS, (relation.parent.name, relation.child.name), strict=True))
    first = made.chosen(np.arange(len(made)) < size)
    pairs = worst_pairs(judge, {"score": first, "floor": held_out, "reference": rival_made})
    rivals = [
        rival("this model", "Parents, and children given their parent and the sibling before.", _values(mine)),
        rival("independent children", RIVAL, _values(simple)),
        rival(
            "held-out real families",
            "Real ones that training never saw: the best that can be hoped for.",
            _values(floor),
        ),
    ]
    return Evaluation(
        measures=(
            *measures_of(mine, MEANINGS, values_of(floor), values_of(simple)),
            *(replace(one, name=f"{part}_{one.name}") for part, table in tables.items() for one in table.measures),
        ),
        verdict=_verdict(relation, mine, floor, simple, tables),
        samples=len(made),
        held_out=size,
        judge=JUDGE,
        floor=FLOOR,
        reference=f"The reference of each table is a Gaussian copula; of how they belong together: {RIVAL}",
        best="real rows",
        simplest="the simple method",
        blocks=(
            _together(relation, judge, made, rivals, pairs),
            *(_titled(block, part, names[part]) for part, table in tables.items() for block in table.blocks),
        ),
        facts={
            **{names[part]: dict(table.facts) for part, table in tables.items()},
            "pairs_across": pairs,
            "rivals_across": rivals,
            "floor_across": {name: [its.value, its.low, its.high] for name, its in floor.items()},
            "integrity_across": {"children": len(made.owner), "orphans": 0},
        },
    )


def lost(mine: Scores, floor: Scores, simple: Scores) -> float:
    """Return what is lost of how tables belong together: 0 for real families, 1 for independent children.

    The largest share of the way of both kinds of pairs; and ten times the distance of the numbers of children beyond
    that of real ones.
    """
    shares = [10 * max(0.0, mine["children_per_parent"].low - floor["children_per_parent"].value)]
    for name in ("parent_child", "siblings"):
        way = floor[name].value - simple[name].value
        shares.append(max(0.0, floor[name].value - mine[name].value) / way if way > LEAST_WAY else 0.0)
    return max(shares)


def _verdict(
    relation: Relation, mine: Scores, floor: Scores, simple: Scores, tables: Mapping[str, Evaluation]
) -> Verdict:
    gone = lost(mine, floor, simple)
    together = sum(gone > bound for bound in BOUNDS)
    grades = [GRADES.index(table.verdict.grade) for table in tables.values()]
    grade = GRADES[max(together, *grades)]
    parent, child = relation.parent.name, relation.child.name
    if together >= max(grades):
        what = "belong together as real ones do" if together == 0 else "belong together in part"
        headline = f"{grade.capitalize()}: {parent} and {child} {what}."
    else:
        part = PARTS[grades.index(max(grades))]
        headline = f"{grade.capitalize()}: {parent if part == 'parent' else child} alone fall short of real rows."
    sentences = [
        f"Every row of {child} has its row of {parent}.",
        *(_sentence(name, words, mine, floor, simple) for name, words in _words(parent, child).items()),
        *(f"{name}: {table.verdict.headline}" for name, table in zip((parent, child), tables.values(), strict=True)),
    ]
    if all(floor[name].value - simple[name].value <= LEAST_WAY for name in ("parent_child", "siblings")):
        sentences.append(f"In the real rows {child} hardly depend on {parent}: independent children do as well.")
    return Verdict(grade, headline, tuple(sentences), None)


def _words(parent: str, child: str) -> dict[str, str]:
    return {
        "children_per_parent": f"The distance of the numbers of {child} for each row of {parent} is",
        "parent_child": f"Columns of {child} go together with those of {parent} as in the real rows to",
        "siblings": f"Columns of {child} that follow each other go together to",
    }


def _sentence(name: str, words: str, mine: Scores, floor: Scores, simple: Scores) -> str:
    form = percent if name != "children_per_parent" else score
    its, real, other = mine[name], floor[name], simple[name]
    return (
        f"{words} {form(its.value)} ({form(its.low)} to {form(its.high)}); unseen real ones get {form(real.value)}, "
        f"independent children {form(other.value)}."
    )


def _values(scores: Scores) -> dict[str, float]:
    return {name: estimate.value for name, estimate in scores.items() if name != "integrity"}


def _together(
    relation: Relation,
    judge: Judge,
    made: Families,
    rivals: Sequence[Mapping[str, Any]],
    pairs: Sequence[Mapping[str, Any]],
) -> Block:
    most = int(max(judge.train.parents[relation.count].max(), made.parents[relation.count].max()))
    last = min(most, MOST_BARS - 1)
    names = (*map(str, range(last)), f"{last} or more" if most > last else str(last))
    shares = {
        title: tuple(_shares(families.parents[relation.count], last))
        for title, families in (("real", judge.train), ("generated", made))
    }
    bars = Bars(names, shares, f"How many {relation.child.name} belong to a row of {relation.parent.name}.")
    rows = tuple(
        (" and ".join(pair["columns"]), *(score(pair[key]) for key in ("score", "floor", "reference")))
        for pair in pairs[:MOST_PAIRS]
    )
    heads = ("Pair", "Alike", "Real rows get", "Independent children get")
    return Block(
        "How the tables belong together",
        f"How many {relation.child.name} belong to each of {relation.parent.name}, and how their columns depend on "
        "those of their parent and of the sibling before, the worst pair first.",
        (
            bars,
            rival_rows(rivals, {}, "Children per parent: 0 is best. The others: 1 is best."),
            Rows(heads, rows, "", (1, 2, 3)),
        ),
    )


def _shares(counts: Any, last: int) -> list[float]:
    found = np.bincount(np.minimum(counts, last).astype(np.int64), minlength=last + 1) / len(counts)
    return [float(share) for share in found]


def _titled(block: Block, part: str, table: str) -> Block:
    """Return a block of one of the tables, with its name, and with its own figures."""
    contents = tuple(
        replace(one, path=one.path.replace("pictures/", f"pictures/{part}-")) if isinstance(one, Figure) else one
        for one in block.contents
    )
    return replace(block, title=f"{table}: {block.title[:1].lower()}{block.title[1:]}", contents=contents)
