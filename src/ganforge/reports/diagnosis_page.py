"""The page that `ganforge diagnose RUN --out PAGE` writes: findings, what was checked, and backpropagation drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.core.files import write_whole
from ganforge.core.validation import refused
from ganforge.records import Finding, History, Page
from ganforge.reports.heatmaps import player_flows
from ganforge.reports.page import SEVERITIES, environment, footer, run_facts
from ganforge.reports.timeline import charts


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
