"""The page of a comparison: the verdict, the measures and the blocks of an evaluation that belongs to no run."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from ganforge.core.files import write_whole
from ganforge.core.format import number
from ganforge.records import Evaluation
from ganforge.reports.blocks import sections, standings
from ganforge.reports.page import environment, verdict_words
from ganforge.run import Run


def write_comparison(run: Run, name: str, evaluation: Evaluation, nouns: str, out: Path) -> Path:
    """Write a page that works offline, whole or not at all.

    Args: run whose folder has the figures; name what was compared with what; nouns of the data: "rows".
    Raises: StorageError.
    """
    shown = sections(run, evaluation.blocks)
    content = {
        "name": name,
        "verdict": verdict_words(evaluation.verdict),
        "facts": [
            (f"Judged {nouns}", number(evaluation.samples)),
            (f"Real {nouns} beside them", number(evaluation.held_out)),
        ],
        "evaluation": evaluation,
        "measures": standings(evaluation),
        "judge": str(evaluation.judge.get("sentence", "")),
        "sections": shown,
        "footer": [("Report by", f"ganforge {version('ganforge')}")],
    }
    write_whole(out, environment().get_template("comparison.html.jinja").render(content).encode())
    return out
