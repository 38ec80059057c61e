"""Augmentation whose strength adapts by itself, at record steps, to how much the discriminator knows by heart.

The signal is the share of pairs of one real training picture and one made one in which the real one scores higher. It
needs no picture to be held back from training. While the discriminator judges by likeness it is fooled now and then;
when it knows the training pictures by heart it is right nearly always, and then the strength rises. Where there are
enough pictures, the share stays below the target, the strength stays at 0, and nothing is changed.

Source: Karras et al. 2020, "Training generative adversarial networks with limited data", section 3: their signal is
E[sign(D(x))] over training pictures with a target of 0.6. Relativistic scores have no zero; the sign of the difference
within a pair takes its place: 0.6 is then right in 80 % of the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ganforge.contracts import Levers
from ganforge.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How the strength moves."""

    player: str  # the discriminator whose notes are read
    target: float  # share of pairs ranked right, 0.5..1, at which the strength stays where it is
    ramp_examples: float  # shown while the strength goes from 0 to 1, at the most
    most: float  # the greatest strength, 0..1


def adapted(levers: Levers, record: Record, examples: int, settings: Adaptation) -> Levers:
    """The levers after one record.

    The strength is moved up or down by examples / ramp_examples, as the record says: a function of the records alone,
    so that a resumed run does the same. Args: examples shown since the record before.
    """
    notes: Mapping[str, float] = (record.get("notes") or {}).get(settings.player) or {}
    share = notes.get("ranked_right")
    if share is None:
        return levers
    step = examples / settings.ramp_examples
    moved = levers.adapted + (step if share > settings.target else -step)
    return replace(levers, adapted=min(settings.most, max(0.0, moved)))
