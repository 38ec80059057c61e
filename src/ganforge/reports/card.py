"""A model card from a run's own files (Mitchell et al. 2019): measured values, and what was not measured.

Every number is read from recipe.json, passport.json, events.jsonl, evaluation.json, audit.json or privacy.json. What a
person alone can know, such as the licence, is left for them to fill in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganforge.core.files import sha256_of
from ganforge.core.format import duration, number, title
from ganforge.core.model_files import WEIGHTS, read_declared
from ganforge.run import Run

YOURS = "To be filled in by you: nothing in the run says it."
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$&!])")
TRAINED = ("batch_size", "learning_rate_start", "learning_rate_end")
LIST = re.compile(r"^(\s*\d*)([-+=.)])(?=\s|$|[-+=])")  # at the beginning of a line
Values = Mapping[str, Any]


def card_content(run: Run) -> dict[str, Any]:
    """Return the card of a finished run for programs: exact values, None where something was not measured.

    Raises: RunError if one of the files is damaged; KeyError, TypeError, ValueError if it is not what a run writes.
    """
    recipe, audit, privacy = (run.read_json(path) for path in (run.recipe, run.audit, run.privacy))
    evaluation, events = run.read_json(run.evaluation), run.read_events()
    started, finished = (_last(events, kind) for kind in ("started", "finished"))
    weights = run.model / WEIGHTS
    declared = read_declared(weights).values()
    content: dict[str, Any] = {
        "name": run.folder.resolve().name,
        "model": {
            "kind": recipe["data"]["kind"],
            "task": recipe["task"],
            **_plain(recipe.get("network") or {}),
            "weights": sum(_product(each.shape) for each in declared),
            "sha256": sha256_of(weights),
            "ganforge": recipe["ganforge"],
        },
        "data": {
            "source": Path(str(recipe["data"]["source"])).name,
            "sha256": recipe["data"].get("hash"),
            **({} if privacy else _numbers(run.read_json(run.passport))),
        },
        "training": {
            "objective": (recipe.get("objective") or {}).get("name"),
            **{key: (recipe.get("optimiser") or {}).get(key) for key in TRAINED},
            "seed": recipe.get("seed"),
            "examples": finished.get("examples"),
            "seconds": finished.get("seconds"),
            **_plain(started.get("environment") or {}),
        },
        "evaluation": {
            key: evaluation.get(key) for key in ("samples", "held_out", "floor", "reference", "measures", "verdict")
        },
        "audit": {key: audit[key] for key in AUDITED} if audit else None,
        "privacy": privacy or None,
        "energy": None,
        "licence": None,
    }
    content["outside_the_guarantee"] = list(_outside(content))
    return content


AUDITED = ("outcome", "verdict", "nouns", "members", "non_members", "generated", "attacks", "copies", "missing")


def card_text(card: Values) -> str:
    """Return the card as Markdown. Text that comes from data or from a person stands in it as it is, not as markup."""
    lines = [f"# Model card: {escaped(card['name'])}", ""]
    for heading, part in _parts(card):
        lines += [f"## {heading}", "", *part, ""]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: object) -> str:
    """Return text that Markdown shows as it is, on one line."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return LIST.sub(r"\1\\\2", SPECIAL.sub(r"\\\1", line))


def _parts(card: Values) -> Iterator[tuple[str, list[str]]]:
    yield "Model", _facts(card["model"])
    yield "Intended use", [YOURS]
    yield "Data", _facts(card["data"])
    yield "Training", _facts(card["training"])
    yield "How good it is", list(_quality(card["evaluation"]))
    yield "What attacks find", list(_attacks(card["audit"]))
    yield "Privacy", list(_privacy(card["privacy"]))
    yield "Outside the guarantee", [f"- {escaped(sentence)}" for sentence in card["outside_the_guarantee"]]
    seconds = card["training"]["seconds"]
    took = f"Training took {duration(float(seconds))}." if isinstance(seconds, int | float) else "Time: not measured."
    yield "Energy and time", [f"{took} Energy: not measured."]
    yield "Licence", [YOURS]


def _facts(values: Values) -> list[str]:
    return [f"- {escaped(title(key))}: {_said(key, value)}" for key, value in values.items()]


def _said(key: str, value: object) -> str:
    if value is None:
        return "not recorded"
    if key == "seconds" and isinstance(value, int | float):
        return f"{number(value)} ({duration(float(value))})"
    return escaped(value if key == "seed" else number(value))


def _quality(found: Values) -> Iterator[str]:
    verdict, measures = found["verdict"], found["measures"]
    if not verdict or not measures:
        yield "Not measured."
        return
    yield f"**{escaped(verdict['headline'])}**"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in verdict["sentences"])
    yield ""
    rows = [
        (
            one["name"],
            number(one["value"]),
            f"{number(one['low'])} to {number(one['high'])}",
            number(one["floor"]),
            number(one["reference"]),
            one["better"],
        )
        for one in measures
    ]
    yield from _table(("measure", "value", "95 % interval", "floor", "reference", "better"), rows)
    yield ""
    counts = f"{number(found['samples'])} samples beside {number(found['held_out'])} held-out examples."
    yield escaped(f"{counts} {found['floor']} {found['reference']}")


def _attacks(audit: Values | None) -> Iterator[str]:
    if audit is None:
        yield "Not measured. `ganforge audit` attacks the run."
        return
    yield f"**{escaped(audit['verdict']['headline'])}**"
    yield ""
    yield from (f"- {escaped(sentence)}" for sentence in audit["verdict"]["sentences"])
    yield ""
    rows = [
        (
            one["title"],
            one["needs"],
            f"{one['auc']['value']:.3f}",
            f"{one['auc']['low']:.3f} to {one['auc']['high']:.3f}",
            f"{one['true_positive_rate']['value']:.3f}",
            "yes" if one["leaks"] else "no",
        )
        for one in audit["attacks"]
    ]
    yield from _table(("attack", "needs", "membership AUC", "95 % interval", "found at 1 % false alarms", "leak"), rows)
    yield ""
    yield escaped(
        f"{number(audit['members'])} training {audit['nouns']} against {number(audit['non_members'])} that training "
        "never saw; an AUC of 0.5 is chance."
    )


def _privacy(ledger: Values | None) -> Iterator[str]:
    if ledger is None:
        yield "The model was not trained privately: there is no guarantee for anybody in the data."
        return
    yield from _facts(_plain(ledger))
    public = ledger.get("public")
    yield from (f"- {escaped(sentence)}" for sentence in (public if isinstance(public, list) else ()))
    yield ""
    yield "The whole ledger is in the run's `privacy.json`."


def _outside(card: Values) -> Iterator[str]:
    """Yield what no number of the card covers, a sentence each."""
    ledger, audit = card["privacy"], card["audit"]
    if ledger is None:
        yield "Privacy: there is no guarantee, and attacks that find nothing prove nothing."
    else:
        told = ledger.get("outside")
        yield from map(str, told if isinstance(told, list) else ())
        yield "The evaluation, and an audit, read the data without noise unless the ledger lists them."
    if audit is None:
        yield "Membership: no attack was made."
    else:
        yield "Membership: other attacks, and attackers who know more, may find what these do not."
        yield from (f"Attack not made: {name}. {why}" for name, why in audit["missing"].items())
    if not card["evaluation"]["measures"]:
        yield "Quality was not measured."
    yield "Data from elsewhere: every measure is on held-out examples of the same source."
    yield "Fairness: no group of people or examples was judged by itself, beyond what the measures name."
    yield "Use in practice: nothing was measured after training ended."
    yield "Energy: not measured."


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def _last(events: Sequence[Values], kind: str) -> Values:
    return next((event for event in reversed(events) if event["kind"] == kind), {})


def _plain(values: Values) -> dict[str, Any]:
    return {key: value for key, value in values.items() if isinstance(value, str | int | float)}


def _numbers(values: Values) -> dict[str, Any]:
    """Return the counts of a passport; its words may hold names of files, and of columns."""
    return {
        key: value for key, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _product(shape: Sequence[int]) -> int:
    found = 1
    for side in shape:
        found *= side
    return found
