"""Puts the page together: reads the run folder, fills the template, writes report.html whole or not at all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
import numpy as np

from ganforge.core.files import write_whole
from ganforge.core.format import duration, number, title
from ganforge.errors import RunError, refused
from ganforge.events import kind_of, state_of
from ganforge.records import Evaluation, Finding, History, Page, read_evaluation, read_page
from ganforge.reports.blocks import longest, sections, standings
from ganforge.reports.heatmaps import player_flows
from ganforge.reports.sections import DIGESTS, find, guard_actions, passport_facts, plan_sections
from ganforge.reports.timeline import charts, moments
from ganforge.run import Run

_HERE = Path(__file__).parent
_TONES = {"fair": "care", "poor": "bad", "failed": "bad"}
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
        page = environment().get_template("report.html.jinja").render(_contents(run, findings))
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
    found.filters.update(number=number, title=title, longest=longest)
    return found


def _contents(run: Run, findings: Sequence[Finding]) -> dict[str, Any]:
    history, recipe = run.history(), run.read_json(run.recipe)
    page, evaluation = read_page(run.read_json(run.page)), read_evaluation(history.evaluation)
    shown = sections(run, evaluation.blocks if evaluation else ())
    return {
        "name": run.folder.resolve().name,
        "state": state_of(history.events),
        "page": page,
        "moments": moments(run, history.records, page.wide),
        "verdict": _verdict(history, evaluation),
        "run_facts": run_facts(history, recipe, page),
        "charts": charts(history),
        "evaluation": evaluation,
        "measures": standings(evaluation) if evaluation else [],
        "judge": str(evaluation.judge.get("sentence", "")) if evaluation else "",
        "first_sections": [section for section in shown if section.first],
        "sections": [section for section in shown if not section.first],
        "findings": findings,
        "guard": guard_actions(history.events),
        "backprop": player_flows(history.records, history.events),
        "severities": SEVERITIES,
        "passport": passport_facts(history.passport),
        "plan": plan_sections(recipe),
        "commands": _commands(run, history),
        "footer": footer(history, recipe),
    }


def _commands(run: Run, history: History) -> list[tuple[str, str]]:
    """(what it does, what to type) to go on with a run: what its model can do, in the words of its model.json."""
    folder, finished = shlex.quote(str(run.folder)), state_of(history.events) == "finished"
    found = [] if finished else [("Go on exactly where it stopped", f"ganforge resume {folder}")]
    with suppress(RunError):  # a damaged model is told about where it is used
        found += [(f"{purpose[:1].upper()}{purpose[1:]}", command) for command, purpose in run.next_steps().items()]
    found.append(("Judge it again", "ganforge evaluate RUN"))
    if finished and history.records:
        minutes = max(1, round(2 * float(history.records[-1].get("seconds", 0.0)) / 60))
        found.append(("Train a better one: give it twice the time", f"ganforge train DATA --minutes {minutes}"))
    return [(purpose, re.sub(r"\bRUN\b", lambda _: folder, command)) for purpose, command in found]


def _verdict(history: History, evaluation: Evaluation | None) -> dict[str, Any]:
    """The evaluation's verdict or, before there is one, where the run stands."""
    if evaluation is not None and evaluation.verdict.headline:
        given = evaluation.verdict
        tone = _TONES.get(str(given.grade).lower(), "fine")
        rest = given.headline.removeprefix(f"{str(given.grade).capitalize()}: ")  # the grade stands above it
        words = rest[:1].upper() + rest[1:]
        return {**asdict(given), "tone": tone, "words": words}
    verdict: dict[str, Any] = {"grade": "", "tone": "fine"}
    if not history.records:
        sentence = "This page shows the plan. It fills up while training runs."
        words = "Nothing has been trained yet."
        return verdict | {"words": words, "headline": words, "sentences": [sentence]}
    done = f"{float(history.records[-1].get('progress', 0.0)):.0%} of the planned training is done."
    sentences = [done, "The samples and curves below show how far it has come."]
    words = "No verdict yet: the model has not been judged."
    return verdict | {"words": words, "headline": words, "sentences": sentences}


def run_facts(history: History, recipe: Mapping[str, Any], page: Page) -> list[tuple[str, str]]:
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
    notes = [str(event.get("sentence", "")) for event in history.events if kind_of(event).change]
    facts += [("Note", sentence) for sentence in dict.fromkeys(notes)]
    device = find([recipe], ["device"])
    if isinstance(device, str):
        facts.append(("Trained on", ", ".join(filter(None, (device, _precision(recipe), _repeated(history))))))
    if evaluation.get("samples"):
        facts.append(("Judged on", f"{number(evaluation['samples'])} {page.judged}"))
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


@dataclass(frozen=True, slots=True)
class Said:
    """What the page says in words."""

    name: str  # of the run
    sentence: str  # what the diagnosis comes to
    standing: Sequence[str]  # where the run stands, a sentence each
    checked: str  # what was looked at and found healthy
    happened: Sequence[tuple[str, str]]  # when, and what happened on the way


def write_diagnosis(
    path: Path, said: Said, findings: Sequence[Finding], history: History, recipe: Mapping[str, Any], page: Page
) -> Path:
    """Writes one page that needs no network, whole or not at all.

    Args: findings most severe first; history, recipe and words of the run.
    Raises: RunError if the run's files hold what no run writes; StorageError if the page cannot be written.
    """
    with refused(f"What {said.name!r} says of itself"):
        content = {
            "said": said,
            "run_facts": run_facts(history, recipe, page),
            "findings": findings,
            "severities": SEVERITIES,
            "backprop": player_flows(history.records, history.events),
            "charts": charts(history),
            "page": page,
            "footer": footer(history, recipe),
        }
        content_of_page = environment().get_template("diagnosis.html.jinja").render(content)
    write_whole(path, content_of_page.encode())
    return path
