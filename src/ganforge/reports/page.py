"""The report page: reads the run folder, fills the template, writes report.html whole or not at all."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
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
from ganforge.records import SEVERITIES, Evaluation, Finding, History, Page, Verdict, read_evaluation, read_page
from ganforge.reports.audit import audit_blocks
from ganforge.reports.blocks import longest, sections, standings
from ganforge.reports.layers import player_flows
from ganforge.reports.timeline import charts, guard_actions, moments
from ganforge.run import Run

_HERE = Path(__file__).parent
_TONES = {"fair": "care", "poor": "bad", "failed": "bad"}


def write_report(run: Run, findings: Sequence[Finding]) -> Path:
    """Write RUN/report.html: one page that works offline, from a double click.

    Every part whose file is missing is left out, so a run in progress has a report too.

    Args: findings of the diagnosis, most severe first.
    Returns: the path of the page.
    Raises: RunError if one of the run's files is damaged; StorageError if the page cannot be written.
    """
    absurd = np.errstate(all="ignore")  # numbers at the end of the range become non-finite, which is not drawn
    with refused(f"What {str(run.folder)!r} says of itself"), absurd:
        page = environment().get_template("report.html.jinja").render(_contents(run, findings))
    write_whole(run.report, page.encode())
    return run.report


@cache
def environment() -> jinja2.Environment:
    """Return the environment of this folder's templates, with autoescaping."""
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
    blocks = evaluation.blocks if evaluation else ()
    shown = sections(run, (*blocks, *audit_blocks(run.read_json(run.audit))))
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
        "commands": _commands(run, history, page),
        "footer": footer(history, recipe),
    }


def _commands(run: Run, history: History, page: Page) -> list[tuple[str, str]]:
    """Return (description, command) of the next steps for a run, from its model.json."""
    folder, finished = shlex.quote(str(run.folder)), state_of(history.events) == "finished"
    found = [] if finished else [("Go on exactly where it stopped", f"ganforge resume {folder}")]
    with suppress(RunError):  # a damaged model is reported where it is used
        found += [(f"{purpose[:1].upper()}{purpose[1:]}", command) for command, purpose in run.next_steps().items()]
    if not page.once:
        found.append(("Judge it again", "ganforge evaluate RUN"))
    if finished and history.records:
        minutes = max(1, round(2 * float(history.records[-1].get("seconds", 0.0)) / 60))
        found.append(("Train a better one: give it twice the time", f"ganforge train DATA --minutes {minutes}"))
    return [(purpose, re.sub(r"\bRUN\b", lambda _: folder, command)) for purpose, command in found]


def _verdict(history: History, evaluation: Evaluation | None) -> dict[str, Any]:
    """Return the evaluation's verdict or, before there is one, the state of the run."""
    if evaluation is not None and evaluation.verdict.headline:
        return verdict_words(evaluation.verdict)
    verdict: dict[str, Any] = {"grade": "", "tone": "fine"}
    if not history.records:
        sentence = "This page shows the plan. It fills up while training runs."
        words = "Nothing has been trained yet."
        return verdict | {"words": words, "headline": words, "sentences": [sentence]}
    done = f"{float(history.records[-1].get('progress', 0.0)):.0%} of the planned training is done."
    sentences = [done, "The samples and curves below show how far it has come."]
    words = "No verdict yet: the model has not been judged."
    return verdict | {"words": words, "headline": words, "sentences": sentences}


def verdict_words(given: Verdict) -> dict[str, Any]:
    """Return a verdict for display: its fields, `tone` and `words`."""
    tone = _TONES.get(str(given.grade).lower(), "fine")
    rest = given.headline.removeprefix(f"{str(given.grade).capitalize()}: ")  # the grade is shown above it
    return {**asdict(given), "tone": tone, "words": rest[:1].upper() + rest[1:]}


def run_facts(history: History, recipe: Mapping[str, Any], page: Page) -> list[tuple[str, str]]:
    """Return the figures beside the verdict."""
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
    if compute := recipe.get("compute"):
        repeated = any(event.get("kind") == "captured" for event in history.events)
        words = (compute.get("device"), compute.get("precision"), "steps repeated from a recording" * repeated)
        facts.append(("Trained on", ", ".join(filter(None, words))))
    if evaluation.get("samples"):
        facts.append(("Judged on", f"{number(evaluation['samples'])} {page.judged}"))
    return facts


def footer(history: History, recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the provenance of page, model and data."""
    facts = [("Report by", f"ganforge {version('ganforge')}")]
    if recipe.get("ganforge"):
        facts.append(("Trained with", f"ganforge {recipe['ganforge']}"))
    if "seed" in recipe:
        facts.append(("Seed", str(recipe["seed"])))
    if digest := history.passport.get("sha256") or recipe.get("data", {}).get("hash"):
        facts.append(("Data", f"sha256 {str(digest)[:16]}"))
    # a page's own event comes after it, and would make another minute of it when it is drawn again
    times = [str(event.get("time", "")) for event in history.events if event["kind"] != "reported"]
    if times and (date := _date(times[-1])):
        facts.append(("Last event", date))
    return facts


def _date(text: str) -> str:
    """Format an ISO time for display; "" if it is not one."""
    try:
        return datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M UTC")
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Said:
    """The texts of the page."""

    name: str  # of the run
    sentence: str  # summary of the diagnosis
    standing: Sequence[str]  # the state of the run, a sentence each
    checked: str  # what was checked and found healthy
    happened: Sequence[tuple[str, str]]  # when, and what happened


def write_diagnosis(
    path: Path, said: Said, findings: Sequence[Finding], history: History, recipe: Mapping[str, Any], page: Page
) -> Path:
    """Write a page that works offline, whole or not at all.

    Args: findings most severe first; history, recipe and words of the run.
    Raises: RunError if the run's files are malformed; StorageError if the page cannot be written.
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


# ---- the data passport and the recipe for display, for any kind of data ----------------------------------------------


_APART = ("skipped", "skipped_count", "warnings", "notes", "labels", "label_names")  # shown in their own way
_TECHNICAL = ("sizes_sampled", "mean_squared_distance", "on_disk", "sha256")  # not for display, or in the footer
_MOST = 12  # names listed before "and so on"


@dataclass(frozen=True, slots=True)
class Passport:
    """The data passport for display."""

    facts: tuple[tuple[str, str, str], ...]  # name, value, why it is so ("" where no reason is given)
    labels: str
    skipped: tuple[tuple[str, int, str], ...]  # reason, how many of those listed, some names
    skipped_count: int  # all of them; the passport lists the first ones
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def passport_facts(passport: Mapping[str, Any]) -> Passport | None:
    """Prepare a passport for display; None without one. Unknown keys are shown unchanged, for new kinds of data."""
    if not passport:
        return None
    facts = [
        (title(key), text, str(passport.get(f"{key}_why", "")))
        for key, value in passport.items()
        if key not in (*_APART, *_TECHNICAL) and not key.endswith("_why") and (text := value_text(value))
    ]
    labels = passport.get("labels") or passport.get("label_names")
    skipped = tuple(_skipped(passport.get("skipped") or ()))
    return Passport(
        facts=tuple(facts),
        labels=_listed(labels),
        skipped=skipped,
        skipped_count=int(passport.get("skipped_count") or sum(count for _, count, _ in skipped)),
        warnings=tuple(map(str, passport.get("warnings") or ())),
        notes=tuple(map(str, passport.get("notes") or ())),
    )


def value_text(value: Any) -> str:
    """Format a value of passport.json or recipe.json; long lists are cut."""
    if value is None:
        return ""
    if isinstance(value, Mapping) and "name" in value:  # a label with its counts
        facts = {key: fact for key, fact in value.items() if key != "name" and fact not in (None, [], ())}
        counts = [f"{number(fact)} {key.replace('_', '-')}" for key, fact in facts.items()]
        return f"{value['name']} ({', '.join(counts)})" if counts else str(value["name"])
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        return f"{value['height']} x {value['width']} ({number(value.get('count', ''))})"
    if isinstance(value, Mapping):
        pairs = [f"{str(key).replace('_', ' ')} {value_text(inner)}" for key, inner in value.items()]
        return _listed(pairs)
    if isinstance(value, list | tuple):
        return _listed(value)
    return number(value)


def _listed(values: Any) -> str:
    if isinstance(values, Mapping):
        names = [f"{name} ({value_text(count)})" for name, count in values.items()]
    elif isinstance(values, list | tuple):
        names = [value_text(value) for value in values]
    else:
        return "" if values is None else number(values)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _skipped(skipped: Sequence[Any]) -> Iterable[tuple[str, int, str]]:
    """Group what was skipped by reason. Args: skipped names with reasons, or texts that say both."""
    pairs = [(one["name"], one["reason"]) if isinstance(one, Mapping) else (one, "skipped") for one in skipped]
    for reason, count in Counter(str(reason) for _, reason in pairs).most_common():
        names = [str(name) for name, other in pairs if str(other) == reason]
        yield reason, count, _listed(names[:4]) + (" …" if len(names) > 4 else "")


_NOT_SHOWN = ("data.hash", "data.label_names", "data.shape", "length.seconds_allowed")  # shown elsewhere


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of the recipe with its reason."""

    name: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the recipe: settings chosen with a reason, and defaults."""

    title: str
    chosen: tuple[Choice, ...]
    rest: tuple[Choice, ...]


def plan_sections(recipe: Mapping[str, Any]) -> list[Section]:
    """Return the settings of the recipe by section; those with a reason apart from those without."""
    reasons: Mapping[str, str] = recipe.get("reasons") or {}
    top = {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}
    groups = {"run": top, **{key: value for key, value in recipe.items() if isinstance(value, Mapping)}}
    sections = []
    for name, settings in groups.items():
        if name in ("ask", "reasons") or not settings:
            continue
        chosen: list[Choice] = []
        rest: list[Choice] = []
        for key, value in _flat(settings):
            path = key if name == "run" else f"{name}.{key}"
            reason = reasons.get(path, "")
            if path in _NOT_SHOWN and not reason:
                continue
            (chosen if reason else rest).append(Choice(path, value_text(value), reason))
        sections.append(Section(title(name), tuple(chosen), tuple(rest)))
    return sections


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
