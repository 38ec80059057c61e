"""Checks on the history of a run, during training or later: what went wrong, why, and what to do.

A check reads a contracts.History and returns a Finding or None; it never sees the running program. A new check is
one function and one line in CHECKS. Most checks compare a run with an earlier part of itself, because absolute losses
of GANs say nothing; the few absolute thresholds have their reason beside them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ganforge.diagnosis.balance import discriminator_blind, discriminator_wins, oscillating
from ganforge.diagnosis.diversity import (
    class_collapse,
    collapse,
    copying,
    discriminator_overfits,
    meaningless_labels,
    missing_classes,
    narrow,
    too_little_data,
    wrong_data,
)
from ganforge.diagnosis.gradients import exploding, not_finite, starved, too_short, vanishing
from ganforge.diagnosis.history import Trend, trend
from ganforge.errors import refused
from ganforge.records import SEVERITIES, Check, Finding, History

CHECKS: Final[dict[str, Check]] = {
    "not_finite": not_finite,
    "exploding": exploding,
    "collapse": collapse,
    "class_collapse": class_collapse,
    "discriminator_wins": discriminator_wins,
    "discriminator_blind": discriminator_blind,
    "vanishing": vanishing,
    "copying": copying,
    "discriminator_overfits": discriminator_overfits,
    "oscillating": oscillating,
    "wrong_data": wrong_data,
    "too_little_data": too_little_data,
    "meaningless_labels": meaningless_labels,
    "missing_classes": missing_classes,
    "narrow": narrow,
    "starved": starved,
    "too_short": too_short,
}

OF_A_GAME: Final = frozenset(
    {
        "collapse",
        "class_collapse",
        "discriminator_wins",
        "discriminator_blind",
        "discriminator_overfits",
        "oscillating",
        "narrow",
        "too_short",
    }
)
"""Ailments of a game against a discriminator. A run without one cannot have them."""


def checks_of(history: History) -> tuple[str, ...]:
    """Return the names of the checks that a history can be asked: those of a game only where it has been one."""
    alone = bool(history.records) and not history.discriminators
    return tuple(name for name in CHECKS if not (alone and name in OF_A_GAME))


def diagnose(history: History, asked: Collection[str] = CHECKS) -> tuple[Finding, ...]:
    """Return the findings on a history, most severe first; equally severe ones in the order of CHECKS.

    Args: asked the names of the checks. Raises: RunError if the history is malformed.
    """
    with refused("The history of the run"):
        found = [check(history) for name, check in CHECKS.items() if name in asked]
        findings = [finding for finding in found if finding is not None]
    return tuple(sorted(findings, key=lambda finding: list(SEVERITIES).index(finding.severity)))


__all__ = ["CHECKS", "OF_A_GAME", "Trend", "checks_of", "diagnose", "trend"]
