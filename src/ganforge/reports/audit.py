"""What an audit found, as a block: for the report and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganforge.core.format import number, percent
from ganforge.records import Block, Prose, Rows

TITLE = "What attacks find"
HEADS = ("attack", "AUC", "95 % interval", "found at 1 % false alarms", "needs", "leak")


def audit_blocks(content: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return the block of an audit.json; none before there is one. Raises: KeyError, TypeError if it is not one."""
    if not content:
        return ()
    attacks, copies, nouns = content["attacks"], content["copies"], content["nouns"]
    rows = tuple(
        (
            str(one["title"]),
            f"{one['auc']['value']:.3f}",
            _interval(one["auc"]),
            f"{percent(one['true_positive_rate']['value'])} ({_shares(one['true_positive_rate'])})",
            str(one["needs"]),
            "yes" if one["leaks"] else "no",
        )
        for one in attacks
    )
    control = content["control"]["auc"]
    without = ("Without any model", f"{control['value']:.3f}", _interval(control), "", "no model", "")
    told = [
        f"{percent(copies['nearer']['value'])} of the generated {nouns} lie nearer to a training one than to an unseen "
        f"one ({_shares(copies['nearer'])}; 50 % is right).",
        f"{percent(copies['authentic']['value'])} are authentic, farther from the nearest training one than that is "
        f"from its own nearest; of unseen ones {percent(copies['authentic_unseen']['value'])} are.",
        f"C_T is {copies['c_t']:.1f} standard deviations: below 0, generated {nouns} lie nearer to training ones than "
        "unseen ones do. Both are also so where a model is too smooth: of the three the first alone counts as a leak.",
    ]
    columns = tuple(
        (
            str(one["title"]),
            percent(one["success"]["members"]["value"]),
            percent(one["success"]["non_members"]["value"]),
        )
        for one in attacks
        if one["success"]
    )
    missing = tuple(f"Not made: {name}. {why}" for name, why in content["missing"].items())
    verdict = content["verdict"]
    contents: list[Prose | Rows] = [
        Prose(tuple(verdict["sentences"])),
        Rows(HEADS, (*rows, without), _caption(content), numeric=(1,)),
    ]
    if columns:
        heads = ("attack", "of training rows", "of unseen rows")
        contents.append(Rows(heads, columns, "How often it succeeds; only the difference tells of training.", (1, 2)))
    contents.append(Prose((*told, *missing)))
    if tested := content.get("engine"):
        contents.append(_engine(tested))
    return (Block(TITLE, str(verdict["headline"]), tuple(contents)),)


def _engine(tested: Sequence[Mapping[str, Any]]) -> Rows:
    rows = tuple(
        (
            str(one["name"]),
            number(one["measured"]),
            number(one["bar"]),
            "yes" if one["passed"] else "NO",
            str(one["words"]),
        )
        for one in tested
    )
    return Rows(("test of the engine", "measured", "bar", "held", "what it is"), rows, numeric=(1, 2))


def _caption(content: Mapping[str, Any]) -> str:
    return (
        f"{content['members']:,} training {content['nouns']} against {content['non_members']:,} that training never "
        f"saw, from {content['generated']:,} generated ones. An AUC of 0.5 and 1 % found are chance. A leak counts "
        "where it would still be one if all attacks together were to be right in 95 of 100 audits."
    )


def _interval(its: Mapping[str, float]) -> str:
    return f"{its['low']:.3f} to {its['high']:.3f}"


def _shares(its: Mapping[str, float]) -> str:
    return " to ".join(percent(float(its[end])) for end in ("low", "high"))
