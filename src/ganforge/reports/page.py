"""Puts the page together: reads the run folder, fills the template, writes report.html whole or not at all."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
import numpy as np

from ganforge.core.files import write_whole
from ganforge.core.validation import refused
from ganforge.records import Finding, History
from ganforge.reports.cases_part import cases_part
from ganforge.reports.facts import DIGESTS, find, passport_facts, plan_sections
from ganforge.reports.guarded import guard_actions
from ganforge.reports.heat import player_flows
from ganforge.reports.pictures import picture
from ganforge.reports.standing import class_shares, solution_rows, standings
from ganforge.reports.story import charts, moments, players
from ganforge.reports.table_part import table_part
from ganforge.reports.words import duration, number, title
from ganforge.run import Run

_HERE = Path(__file__).parent
_CHANGES = ("accepted_changed_data", "environment_changed", "damaged_checkpoint")
_TONES = {"fair": "care", "poor": "bad", "failed": "bad"}
NOUNS = {"pictures": "pictures", "table": "rows"}
SEVERITIES = {"critical": "Needs action", "warning": "Worth a look", "note": "Good to know"}


def write_report(run: Run, findings: Sequence[Finding]) -> Path:
    """Writes RUN/report.html: one page that needs no network and works by a double click.

    Every part whose file is missing is left out, so a run in progress has a report too.

    Args: findings what diagnosis says of the run, most severe first.
    Returns: the path of the page.
    Raises: RunError if one of the run's files is damaged; StorageError if the page cannot be written.
    """
    absurd = np.errstate(all="ignore")  # numbers at the end of the range come out as not finite, which nobody draws
    with refused(f"What {str(run.folder)!r} says of itself"), absurd:
        page = environment().get_template("template.html.jinja").render(_contents(run, findings))
    write_whole(run.report, page.encode())
    return run.report


def environment() -> jinja2.Environment:
    """The templates of this folder: everything that is filled in is escaped."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(number=number, title=title, duration=duration)
    return found


def _contents(run: Run, findings: Sequence[Finding]) -> dict[str, Any]:
    history, recipe = run.history(), run.read_json(run.recipe)
    records, evaluation = history.records, history.evaluation
    grids = moments(run, records)
    last = records[-1] if records else {}
    adversarial = len(players(records)) != 1
    return {
        "name": run.folder.resolve().name,
        "state": _state(history),
        "noun": NOUNS.get(str((recipe.get("data") or {}).get("kind")), "examples"),
        "grids": grids,
        "verdict": _verdict(history),
        "run_facts": run_facts(history, recipe),
        "charts": charts(records, evaluation),
        "adversarial": adversarial,
        "measures": standings(evaluation, best="real data" if adversarial else "the best possible"),
        "judge": str((evaluation.get("judge") or {}).get("sentence", "")),
        "reference": str(evaluation.get("reference") or ""),
        "table": table_part(run, evaluation),
        "cases": cases_part(run, evaluation, str(recipe.get("task"))),
        "solution": solution_rows(evaluation),
        "classes": class_shares(evaluation),
        "nearest": picture(run.nearest_grid),
        "nearest_sentence": str(evaluation.get("nearest") or ""),
        "findings": findings,
        "guard": guard_actions(history.events),
        "backprop": player_flows(records, history.events),
        "severities": SEVERITIES,
        "passport": passport_facts(history.passport),
        "real": picture(run.real_grid, 700),
        "reference_grid": picture(run.reference_grid, 700),
        "plan": plan_sections(recipe),
        "folder": shlex.quote(str(run.folder)),
        "more_minutes": max(1, round(2 * float(last.get("seconds", 0.0)) / 60)),
        "labels": bool(evaluation.get("classes")),
        "first_label": shlex.quote(str(next(iter((evaluation.get("classes") or {}).get("names") or []), ""))),
        "footer": footer(history, recipe),
    }


def _state(history: History) -> str:
    """In a few words, from the last event that changes it."""
    words = {
        "started": "in training",
        "resumed": "in training",
        "interrupted": "stopped, can go on",
        "failed": "failed",
        "finished": "finished",
    }
    kinds = [str(event.get("kind")) for event in history.events]
    return next((words[kind] for kind in reversed(kinds) if kind in words), "planned")


def _verdict(history: History) -> dict[str, Any]:
    """The evaluation's verdict or, before there is one, where the run stands."""
    given = history.evaluation.get("verdict") or {}
    grade = str(given.get("grade", ""))
    verdict = {
        "grade": grade,
        "tone": _TONES.get(grade.lower(), "fine"),
        "headline": str(given.get("headline", "")),
        "sentences": [str(sentence) for sentence in given.get("sentences") or []],
    }
    if given:
        return verdict
    if not history.records:
        sentence = "This page shows the plan. It fills up while training runs."
        return verdict | {"headline": "Nothing has been trained yet.", "sentences": [sentence]}
    done = f"{float(history.records[-1].get('progress', 0.0)):.0%} of the planned training is done."
    sentences = [done, "The samples and curves below show how far it has come."]
    return verdict | {"headline": "No verdict yet: the model has not been judged.", "sentences": sentences}


def run_facts(history: History, recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few figures beside the verdict."""
    records, evaluation = history.records, history.evaluation
    facts = []
    if records:
        last = records[-1]
        facts += [
            ("Training time", duration(float(last.get("seconds", 0.0)))),
            ("Examples shown", number(int(last.get("examples", 0)))),
        ]
        if rates := [float(r["examples_per_second"]) for r in records if "examples_per_second" in r]:
            facts.append(("Speed", f"{number(round(median(rates)))} / s"))
    if kept := [event for event in history.events if event.get("kind") == "kept_best"]:
        facts.append(("Best model, which is kept", f"after {number(int(kept[-1]['best_examples']))} examples"))
    notes = [str(event.get("sentence", "")) for event in history.events if event.get("kind") in _CHANGES]
    facts += [("Note", sentence) for sentence in dict.fromkeys(notes)]
    device = find([recipe], ["device"])
    if isinstance(device, str):
        facts.append(("Trained on", ", ".join(filter(None, (device, _precision(recipe), _repeated(history))))))
    if evaluation.get("samples"):
        kind = "generated rows" if evaluation.get("columns") else "samples"
        facts.append(("Judged on", f"{number(evaluation['samples'])} {kind}"))
    return facts


def _precision(recipe: Mapping[str, Any]) -> str:
    found = find([recipe], ["precision"])
    return found if isinstance(found, str) else ""


def _repeated(history: History) -> str:
    """Whether a GPU repeated its steps from a recording."""
    kinds = [event.get("kind") for event in history.events]
    return "steps repeated from a recording" if "captured" in kinds else ""


def footer(history: History, recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where the page, the model and the data come from."""
    sources = [recipe, history.passport, *history.events]
    facts = [("Report by", f"ganforge {version('ganforge')}")]
    if recipe.get("ganforge"):
        versions = find(sources, ["versions"]) or {}
        others = [f"{name} {release}" for name, release in versions.items() if name != "ganforge"]
        facts.append(("Trained with", ", ".join([f"ganforge {recipe['ganforge']}", *others])))
    seed = find(sources, ["seed"])
    if seed is not None:
        facts.append(("Seed", str(seed)))
    digest = find([history.passport, recipe], DIGESTS)
    if digest is not None:
        facts.append(("Data", f"sha256 {str(digest)[:16]}"))
    if history.events and (date := _date(str(history.events[-1].get("time", "")))):
        facts.append(("Last event", date))
    return facts


def _date(text: str) -> str:
    """An ISO time as a person writes it; "" if it is none."""
    try:
        return datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M UTC")
    except ValueError:
        return ""
