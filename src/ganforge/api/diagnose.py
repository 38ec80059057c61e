"""The diagnosis of a run in plain words: in progress, stopped, finished, or copied from another machine.

It only reads. A run that another process trains is not disturbed: its lock is queried and never held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ganforge import diagnosis as checks
from ganforge.core.files import refuse_taken
from ganforge.errors import InputError, RunError, refused
from ganforge.events import kind_of, sentence, state_of
from ganforge.records import Finding, History, Page, read_page
from ganforge.reports import Said, flows, in_words, late, write_diagnosis
from ganforge.run import Run, held_by

State: TypeAlias = Literal["planned", "training", "stopped", "failed", "finished"]

EARLY = 10  # records: with fewer, most checks have nothing to compare with


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of `diagnose`. `print(diagnosis.sentence)` is the shortest way to know."""

    folder: Path
    state: State
    standing: tuple[str, ...]  # the state of the run, a sentence each
    sentence: str  # the conclusion
    findings: tuple[Finding, ...]  # most severe first
    healthy: tuple[str, ...]  # the checks that found nothing
    layers: Mapping[str, str]  # player -> the gradients in its layers; {} for an older run
    happened: tuple[tuple[str, str], ...]  # (when, what) on the way: rewinds, what the guard did, stops
    unread: tuple[str, ...]  # damaged files, whose content was ignored
    history: History = field(repr=False)
    recipe: Mapping[str, Any] = field(repr=False)
    page: Page = field(repr=False)

    @property
    def critical(self) -> bool:
        """Return whether something needs action."""
        return any(finding.severity == "critical" for finding in self.findings)

    @property
    def checked(self) -> str:
        """Return the number of checks, and those that found nothing, in a sentence."""
        total = len(self.findings) + len(self.healthy)
        names = ", ".join(name.replace("_", " ") for name in self.healthy)
        if not self.history.records:
            return f"{total} checks wait for the first record."
        early = len(self.history.records) < EARLY
        some = f"; with only {len(self.history.records)} records, most of them cannot see anything yet"
        found = "nothing found" if not self.findings else f"{len(self.healthy)} of them found nothing"
        return f"{total} checks, {found}: {names}{some if early else ''}."

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write a page with the findings and the gradients drawn, layer by layer. It needs no network.

        Raises: InputError if the path is not a page, or a file exists and not `force`; StorageError.
        """
        place = Path(path)
        if place.suffix.lower() not in (".html", ".htm") or place.is_dir():
            raise InputError(f"{str(path)!r} cannot be a page.", "Its name must end in .html.", "Use: --out page.html")
        refuse_taken(place, force=force)
        words = Said(self.folder.resolve().name, self.sentence, self.standing, self.checked, self.happened)
        return write_diagnosis(place, words, self.findings, self.history, self.recipe, self.page)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the history, for a program; layers with their usual late numbers."""
        with refused("The layers of the run"):
            numbers = {flow.player: late(flow) for flow in flows(self.history.records)}
        last = self.history.records[-1] if self.history.records else {}
        keys = ("step", "examples", "length_examples", "progress", "attempt", "skipped", "seconds", "waiting")
        return {
            "run": str(self.folder),
            "state": self.state,
            "standing": list(self.standing),
            "sentence": self.sentence,
            "critical": self.critical,
            "findings": [asdict(finding) for finding in self.findings],
            "healthy": list(self.healthy),
            "happened": [{"when": when, "what": what} for when, what in self.happened],
            "unread": list(self.unread),
            "last": {key: _told(last[key]) for key in keys if key in last},
            "layers": {
                player: {"words": words, "late": numbers.get(player, {})} for player, words in self.layers.items()
            },
        }


def diagnose(run: str | Path) -> Diagnosis:
    """Diagnose a run: its state, what is wrong with it and what is not, and the gradients in its networks' layers.

    It reads only the run folder: no data, no model, no device. So it works while another process trains,
    afterwards, and on a folder that was copied from another machine, even if only parts are readable.

    Raises: RunError if the folder is missing, is not a run, or its records are damaged beyond reading.
    """
    folder = Run.open(run)
    recipe, recipe_fault = _read(folder, folder.recipe)
    passport, passport_fault = _read(folder, folder.passport)
    evaluation, evaluation_fault = _read(folder, folder.evaluation)
    page, page_fault = _read(folder, folder.page)
    history = History(
        records=tuple(folder.read_records()),
        events=tuple(folder.read_events()),
        passport=passport,
        evaluation=evaluation,
    )
    holder = held_by(folder.lock)
    with refused(f"What {str(run)!r} says of itself"):
        state = _state(folder, history, holder)
        findings = checks.diagnose(history)
        ill = {finding.ailment for finding in findings}
        return Diagnosis(
            folder=folder.folder,
            state=state,
            standing=tuple(_standing(state, history, holder, folder)),
            sentence=_sentence(history, findings),
            findings=findings,
            healthy=tuple(name for name in checks.checks_of(history) if name not in ill),
            layers={flow.player: in_words(flow) for flow in flows(history.records)},
            happened=tuple(_happened(history)),
            unread=tuple(fault for fault in (recipe_fault, passport_fault, evaluation_fault, page_fault) if fault),
            history=history,
            recipe=recipe,
            page=read_page(page),
        )


def _read(folder: Run, path: Path) -> tuple[Mapping[str, Any], str]:
    """Read one of the run's files; return it and its fault: a damaged one must not hide the others."""
    try:
        return folder.read_json(path), ""
    except RunError as error:
        return {}, error.what


def _state(folder: Run, history: History, holder: str | None) -> State:
    if holder is not None:
        return "training"
    if folder.finished():
        return "finished"
    said = state_of(history.events)
    if said == "failed":
        return "failed"
    return "stopped" if history.records or said != "planned" else "planned"


def _standing(state: State, history: History, holder: str | None, folder: Run) -> Iterator[str]:
    last = history.records[-1] if history.records else {}
    progress, shown = float(last.get("progress", 0.0)), int(last.get("examples", 0))
    length = last.get("length_examples")
    of = f"{shown:,} of {length:,} examples" if isinstance(length, int) and length >= shown else f"{shown:,} examples"
    match state:
        case "training":
            yield f"In progress on this machine ({holder}): {progress:.0%}, {of}{_doing(history)}."
        case "finished":
            headline = str((history.evaluation.get("verdict") or {}).get("headline", ""))
            yield f"Finished after {shown:,} examples. {headline}".strip()
        case "stopped":
            yield f"Stopped at {progress:.0%}, {of}; nobody trains it on this machine."
            yield f"Go on with: ganforge resume {folder.folder}"
        case "failed":
            yield f"Failed at {progress:.0%}, {of}."
        case "planned":
            yield "Planned: nothing has been trained yet."
    attempt, skipped = int(last.get("attempt", 0)), int(last.get("skipped", 0))
    if attempt:
        yield f"This is attempt {attempt + 1}: it was taken back to a healthy checkpoint {_times(attempt)}."
    if skipped:
        yield f"{skipped:,} turns were skipped because their numbers were not finite."
    acted = sum(event["kind"] == "guarded" for event in history.events)
    undone = sum(event["kind"] == "unguarded" for event in history.events)
    if acted:
        yield f"The guard stepped in {_times(acted)}" + (f" and took it back {_times(undone)}." if undone else ".")


def _doing(history: History) -> str:
    """Return what the trainer does besides training, and its speed."""
    phases = [kind for event in history.events if (kind := kind_of(event)).phase]
    if phases and phases[-1].state is None:
        return f", {phases[-1].phase[:1].lower()}{phases[-1].phase[1:]}"
    last = history.records[-1] if history.records else {}
    rate, length = float(last.get("examples_per_second", 0.0)), float(last.get("length_examples", 0.0))
    if rate <= 0 or length <= float(last["examples"]):
        return ""
    left = round((length - float(last["examples"])) / rate)
    return f", {rate:,.0f}/s, about {left // 60}:{left % 60:02d} left"


def _sentence(history: History, findings: Sequence[Finding]) -> str:
    if not history.records:
        return "Nothing has been trained yet, so there is nothing to find."
    if not findings:
        early = len(history.records) < EARLY
        return "Nothing is wrong so far; it is too early to say more." if early else "Healthy: every check is content."
    names = [finding.ailment.replace("_", " ") for finding in findings]
    more = "" if len(names) == 1 else ", and one more finding" if len(names) == 2 else f", and {len(names) - 1} more"
    words = {
        "critical": "Something is wrong",
        "warning": "Nothing is broken, and something is worth a look",
        "note": "Healthy, with a note",
    }
    return f"{words[findings[0].severity]}: {names[0]}{more}."


def _happened(history: History) -> Iterator[tuple[str, str]]:
    for event in history.events:
        if kind_of(event).happened:
            yield f"step {event['step']:,}" if isinstance(event.get("step"), int) else "", sentence(event)


def _told(value: Any) -> Any:
    """Convert a number for strict JSON, which does not have NaN or infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
