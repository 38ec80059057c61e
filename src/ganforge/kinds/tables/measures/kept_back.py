"""What a model keeps back of its training rows, since few of them have it: in the verdict, and on the page."""

from __future__ import annotations

from dataclasses import replace

from ganforge.kinds.tables.codec.protection import KeptBack, Protection
from ganforge.kinds.tables.columns import LISTED
from ganforge.records import Block, Evaluation, Rows


def with_kept_back(found: Evaluation, protection: Protection, fewest: int) -> Evaluation:
    """Return the evaluation with what it cost. Args: fewest rows of a value that is drawn as it is; below 2 for all."""
    if fewest < 2 or not protection.kept:
        return found
    verdict = replace(found.verdict, sentences=(*found.verdict.sentences, _sentence(protection.kept, fewest)))
    rows = tuple(
        ("+".join(each.columns), f"{each.values:,}", f"{each.share:.2%}", each.instead) for each in protection.kept
    )
    heads = ("column", "rare values", "rows that have one", "what is drawn")
    block = Block(
        "What is kept back",
        f"Values of fewer than {fewest} training rows, which could tell of one person. It hides single values, and "
        "proves no privacy. --set rows.rare=0 draws all values as they are.",
        (Rows(heads, rows, numeric=(1, 2)),),
    )
    return replace(found, verdict=verdict, blocks=(*found.blocks, block))


def _sentence(kept: tuple[KeptBack, ...], fewest: int) -> str:
    names = ", ".join(f"{'+'.join(each.columns)} ({each.share:.2%} of them)" for each in kept[:LISTED])
    more = f" and {len(kept) - LISTED} more columns" if len(kept) > LISTED else ""
    few = "only one training row has" if fewest == 2 else f"fewer than {fewest} training rows have"
    return f"Values that {few} are kept back, or drawn near: in {names}{more}."
