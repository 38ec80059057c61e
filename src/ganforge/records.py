"""What a run folder says of a run: records, events, findings, and the evaluation with its blocks. Plain values only.

An evaluation is stored as evaluation.json and read back by the report, the live view and programs. Its blocks say what
is shown, in the words of the kind of data that wrote them; who draws them need not know that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Grade = Literal["excellent", "good", "fair", "poor", "failed"]
GRADES: tuple[Grade, ...] = ("excellent", "good", "fair", "poor", "failed")

Record: TypeAlias = dict[str, Any]
"""One line of metrics.jsonl; its keys are listed in run.py."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about the product, never alone: beside its floor, its reference and its spread."""

    name: str
    value: float
    low: float  # 95 % confidence interval
    high: float
    floor: float  # real against real: what a perfect generator would get
    reference: float  # the simplest thing that is not a GAN
    better: Literal["lower", "higher"]
    meaning: str  # one sentence in plain words


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a measure means in one sentence, for someone who has never seen a GAN, and which direction is better."""

    better: Literal["lower", "higher"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an evaluation comes to: a grade, a headline, two to seven sentences, and whether the adversary helps."""

    grade: Grade
    headline: str
    sentences: tuple[str, ...]
    adversarial_helps: bool  # whether the adversarial part beats the reference


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has seen in a run's history."""

    ailment: str  # collapse, discriminator_wins, ...
    severity: Literal["note", "warning", "critical"]
    evidence: str  # with the numbers
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class History:
    """What a check may read: everything a run folder says, nothing of the running program."""

    records: tuple[Record, ...]
    events: tuple[Mapping[str, Any], ...] = ()
    passport: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)


Check: TypeAlias = Callable[[History], Finding | None]


# ---- evaluation and its blocks --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of the run folder."""

    path: str  # within the run folder: "pictures/columns.png"
    alt: str
    caption: str
    small: bool = False  # of few pixels, which are shown as squares


@dataclass(frozen=True, slots=True)
class Rows:
    """A table. Cells are text; numbers are formatted by who writes them."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    numeric: tuple[int, ...] = ()  # columns that are aligned to the right


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares side by side: those of the training data, and those of the samples."""

    names: tuple[str, ...]
    series: Mapping[str, tuple[float, ...]]  # what they are of -> a share 0..1 for each name
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Cases:
    """Inputs beside results and truths: one figure a group, the worst group first."""

    columns: tuple[str, ...]  # what stands in each column of the figures
    groups: tuple[tuple[str, str, Figure], ...]  # title, sentence, figure


@dataclass(frozen=True, slots=True)
class Rivals:
    """The comparison with methods that are not GANs: one row each, the model's own first."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...], str], ...]  # name, a score for each head, what it is


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file of the run folder, to listen to."""

    path: str
    caption: str


Content: TypeAlias = Prose | Figure | Rows | Bars | Cases | Rivals | Sound


@dataclass(frozen=True, slots=True)
class Block:
    """A section of the page: a title, a sentence on how to read it, and what is shown."""

    title: str
    lead: str
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a model is: measures, a verdict, what to show, and numbers for programs."""

    measures: tuple[Measure, ...]  # each with floor, reference and interval
    verdict: Verdict
    blocks: tuple[Block, ...]
    samples: int  # that were judged
    held_out: int  # real examples that they were compared with
    floor: str  # what the floor is, a sentence
    reference: str  # what the reference is, a sentence
    judge: str = ""  # what measured, a sentence; empty where nothing has to be said
    facts: Mapping[str, Any] = field(default_factory=dict)  # more, as plain values, for programs
