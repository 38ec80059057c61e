"""The comparison with methods that are not GANs, for any kind of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganforge.core.format import title
from ganforge.records import Rival, Rivals


def rival(name: str, sentence: str, scores: Mapping[str, float]) -> dict[str, Any]:
    """One method as evaluation.json holds it for programs. Args: scores its value of each measure."""
    return {"name": name, "sentence": sentence, "measures": dict(scores)}


def rival_rows(told: Sequence[Mapping[str, Any]], heads: Mapping[str, str], caption: str = "") -> Rivals:
    """Methods, as `rival` gives them, as rows to show: the model's own first.

    Args: heads a measure's name -> what stands over its scores, by default its name.
    """
    measured = list(dict.fromkeys(name for one in told for name in one["measures"]))
    return Rivals(
        heads=tuple(heads.get(name, title(name)) for name in measured),
        rows=tuple(
            Rival(str(one["name"]), tuple(score(one["measures"].get(name)) for name in measured), str(one["sentence"]))
            for one in told
        ),
        caption=caption,
    )


def score(value: float | None) -> str:
    """Three digits behind the point, so that the numbers of a column stand under each other; "" for None."""
    return "" if value is None else f"{value:.3f}"
