"""Grades and verdicts: what is said of a trained model, whatever kind of data it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["excellent", "good", "fair", "poor", "failed"]
GRADES: tuple[Grade, ...] = ("excellent", "good", "fair", "poor", "failed")


@dataclass(frozen=True, slots=True)
class Verdict:
    """grade, a headline, two to seven sentences, and whether the adversarial part beats the reference."""

    grade: Grade
    headline: str
    sentences: tuple[str, ...]
    adversarial_helps: bool


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a measure means in one sentence, for someone who has never seen a GAN, and which direction is better."""

    better: Literal["lower", "higher"]
    sentence: str
