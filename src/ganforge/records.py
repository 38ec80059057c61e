"""The contents of a run folder: records, events, findings, and the evaluation with its blocks. Plain values only.

An evaluation is stored as evaluation.json and read back by the report, the live view and programs. Its blocks hold what
is shown, in the words of the kind of data that wrote them; the code that draws them need not know that kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias

Grade = Literal["excellent", "good", "fair", "poor", "failed"]
GRADES: tuple[Grade, ...] = ("excellent", "good", "fair", "poor", "failed")

Record: TypeAlias = dict[str, Any]
"""One line of metrics.jsonl; its keys are listed in run.py."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % confidence interval, low <= value <= high."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a measure in one sentence, for someone who has never seen a GAN, and its better direction."""

    better: Literal["lower", "higher"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about the product, with its floor, its reference and its interval."""

    name: str
    value: float
    low: float  # 95 % confidence interval
    high: float
    floor: float  # real against real: what a perfect generator would get
    reference: float  # the simplest thing that is not a GAN
    better: Literal["lower", "higher"]
    meaning: str  # one sentence in plain words

    @classmethod
    def of(cls, name: str, its: Estimate, meaning: Meaning, *, floor: float, reference: float) -> Measure:
        """Return a measure from an estimate and its meaning."""
        return cls(name, its.value, its.low, its.high, floor, reference, meaning.better, meaning.sentence)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an evaluation: a grade, a headline, one to seven sentences, and whether the adversary helps."""

    grade: Grade
    headline: str
    sentences: tuple[str, ...]
    adversarial_helps: bool | None  # beats what works without it; None: unknown, or there is no adversary


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check on a run's history."""

    ailment: str  # collapse, discriminator_wins, ...
    severity: Literal["note", "warning", "critical"]
    evidence: str  # with the numbers
    cause: str
    remedy: str


@dataclass(frozen=True)
class History:
    """The input of a check: everything that a run folder holds, nothing of the running program."""

    records: tuple[Record, ...]
    events: tuple[Mapping[str, Any], ...] = ()
    passport: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def progress(self) -> float:
        """The progress of the run, 0..1."""
        return float(self.records[-1].get("progress", 0.0)) if self.records else 0.0

    @cached_property
    def looks(self) -> list[Record]:
        """Return the records at which the product was evaluated."""
        return [record for record in self.records if record.get("quality")]

    @cached_property
    def players(self) -> list[str]:
        """Every player of the game, in turn order."""
        return list(dict.fromkeys(player for record in self._some for player in record.get("gradient_norms") or {}))

    @cached_property
    def discriminators(self) -> list[str]:
        """Players that rank real against fake. A game of one player has none, so checks on GANs stay silent there."""
        told = [item for record in self._some for item in (record.get("notes") or {}).items()]
        return list(dict.fromkeys(player for player, named in told if "ranked_right" in named))

    @cached_property
    def generators(self) -> list[str]:
        """The players that the discriminators play against."""
        return [player for player in self.players if self.discriminators and player not in self.discriminators]

    @cached_property
    def measured(self) -> Mapping[str, Any]:
        """The task's measures during training -> their better direction, the leading one first; {} if unknown."""
        told = [event.get("measured") for event in self.events if event.get("kind") == "started"]
        return told[-1] if told and isinstance(told[-1], Mapping) else {}

    @cached_property
    def measures(self) -> dict[str, Mapping[str, Any]]:
        """The final evaluation's measures by name; {} before there is one."""
        return {str(measure["name"]): measure for measure in self.evaluation.get("measures") or []}

    @cached_property
    def _some(self) -> tuple[Record, ...]:
        """Return records from the whole run, including the last one: enough to find all players."""
        return self.records[:: -max(1, len(self.records) // 64)][::-1]


Check: TypeAlias = Callable[[History], Finding | None]
SEVERITIES = {"critical": "Needs action", "warning": "Worth a look", "note": "Good to know"}  # most severe first


# ---- words of the pages ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """The texts of a task on a kind of data for the pages about its runs; page.json holds them.

    The defaults fit any data: a run without page.json, which an older version made, is described with them.
    """

    nouns: str = "examples"  # of the data, as in "after 12,800 examples shown"
    judged: str = "samples"  # what an evaluation measures, as in "Judged on 5,000 samples"
    samples: str = "Samples"  # what a picture over time shows, as in "Samples after 12,800 examples"
    caption: str = "What the model makes"  # under the last of these pictures
    note: str = ""  # a sentence behind the caption
    story: str = "Each picture was made at that moment of training."  # above the pictures over time
    once: str = ""  # why the run is judged only once; "" where it can be judged again
    wide: bool = False  # these pictures are charts: a few, as wide as the page, instead of a strip of small ones


def read_page(content: Mapping[str, Any]) -> Page:
    """Read the texts in a page.json; those that are missing, or of another type, are the defaults."""
    known: dict[str, Any] = {one.name: content.get(one.name) for one in fields(Page)}
    return Page(**{name: value for name, value in known.items() if type(value) is type(getattr(Page(), name))})


# ---- evaluation and its blocks ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph."""

    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of the run folder. Figures that follow each other and are not wide stand side by side."""

    path: str  # within the run folder: "pictures/columns.png"
    alt: str
    caption: str = ""
    wide: bool = False  # a chart with text: as wide as the page; else few pixels are shown as squares


@dataclass(frozen=True, slots=True)
class Rows:
    """A table. Cells are text; whoever writes it formats the numbers."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    numeric: tuple[int, ...] = ()  # places of the columns that are aligned to the right
    summary: str = ""  # where it is long: the line behind which it is folded away

    def __post_init__(self) -> None:
        _check_length("cells in a row", self.rows, self.heads)


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares side by side, such as those of the training data and those of the samples."""

    names: tuple[str, ...]
    series: Mapping[str, tuple[float, ...]]  # what the shares are of -> a share 0..1 for each name; at most four
    caption: str = ""

    def __post_init__(self) -> None:
        _check_length("shares", self.series.values(), self.names)


@dataclass(frozen=True, slots=True)
class Group:
    """Some cases in one figure: a case in each row."""

    title: str  # "The worst"
    sentence: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Cases:
    """Inputs with results and ground truths, the worst group first."""

    columns: tuple[str, ...]  # the content of each column of the figures
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Rival:
    """A method that the model is compared with, or the model itself."""

    name: str
    scores: tuple[str, ...]  # one for each head, "" for what was not measured
    sentence: str = ""  # what it is


@dataclass(frozen=True, slots=True)
class Rivals:
    """The comparison with methods that are not GANs: one row each, the model's own first."""

    heads: tuple[str, ...]
    rows: tuple[Rival, ...]
    caption: str = ""  # how to read the scores

    def __post_init__(self) -> None:
        _check_length("scores", (row.scores for row in self.rows), self.heads)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file of the run folder, to listen to: .wav, .flac, .ogg or .mp3.

    Those that follow each other with the same row stand side by side under its name.
    """

    path: str
    caption: str
    row: str = ""


Content: TypeAlias = Prose | Figure | Rows | Bars | Cases | Rivals | Sound
CONTENTS: Mapping[str, type[Content]] = {
    "prose": Prose,
    "figure": Figure,
    "rows": Rows,
    "bars": Bars,
    "cases": Cases,
    "rivals": Rivals,
    "sound": Sound,
}
"""What a block may hold, by its `type` in evaluation.json."""


@dataclass(frozen=True, slots=True)
class Block:
    """A section of the page: a title, how to read it, and what is shown."""

    title: str
    lead: str
    contents: tuple[Content, ...]
    first: bool = False  # what the model made: it is shown before the course of training, others after the measures


BEST, SIMPLEST = "the floor", "the reference"  # of an evaluation that does not call them anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The quality of a model: measures, a verdict, blocks, and facts for programs. evaluation.json holds it."""

    measures: tuple[Measure, ...]
    verdict: Verdict
    samples: int  # that were judged
    held_out: int  # real examples that they were compared with
    judge: Mapping[str, Any]  # what measured: kind, sentence, and more
    floor: str  # what the floor of each measure is, a sentence
    reference: str  # what the reference is, a sentence
    best: str = BEST  # what the floor is in the middle of a sentence: "real pictures"
    simplest: str = SIMPLEST  # the same of the reference: "a Gaussian"
    blocks: tuple[Block, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # plain values, at the top of evaluation.json

    def measure(self, name: str) -> Measure:
        """Return a measure by name. Raises: KeyError if it was not measured."""
        return {measure.name: measure for measure in self.measures}[name]

    def to_json(self) -> dict[str, Any]:
        """Return the object for evaluation.json, except step and examples of the run."""
        plain = {name: getattr(self, name) for name in PLAIN}
        parts = {
            "judge": self.judge,
            "measures": [asdict(measure) for measure in self.measures],
            **{"classes": None, "nearest": "", **self.facts},  # these two have been in every evaluation.json so far
            "verdict": asdict(self.verdict),
            "blocks": [
                {
                    **{name: getattr(block, name) for name in ("title", "lead", "first")},
                    "contents": [{"type": type_of(part), **asdict(part)} for part in block.contents],
                }
                for block in self.blocks
            ],
        }
        told: dict[str, Any] = _as_json(plain | parts)
        return told


PLAIN = ("samples", "held_out", "floor", "reference", "best", "simplest")  # fields of an evaluation that are plain


def read_evaluation(content: Mapping[str, Any]) -> Evaluation | None:
    """Read the evaluation in an evaluation.json; None before there is one.

    One of an older version has no blocks, and may lack more. A block's content of a type that is not in CONTENTS, of a
    newer version, is left out.

    Raises: ValueError, TypeError, AttributeError if it is not an evaluation.
    """
    if not content:
        return None
    verdict, judge = content.get("verdict") or {}, content.get("judge") or {}
    known = (*PLAIN, "judge", "measures", "verdict", "blocks")
    return Evaluation(
        measures=tuple(_measure(one) for one in content.get("measures") or []),
        verdict=Verdict(
            verdict.get("grade", ""),
            str(verdict.get("headline", "")),
            tuple(str(sentence) for sentence in verdict.get("sentences") or []),
            verdict.get("adversarial_helps"),
        ),
        samples=int(content.get("samples") or 0),
        held_out=int(content.get("held_out") or 0),
        judge={**judge},
        floor=str(content.get("floor") or ""),
        reference=str(content.get("reference") or ""),
        best=str(content.get("best") or BEST),
        simplest=str(content.get("simplest") or SIMPLEST),
        blocks=tuple(_block(one) for one in content.get("blocks") or []),
        facts={key: value for key, value in content.items() if key not in known},
    )


def _measure(told: Mapping[str, Any]) -> Measure:
    numbers = [told.get(name) for name in ("value", "low", "high", "floor", "reference")]
    value, low, high, floor, reference = (
        float(number) if isinstance(number, int | float) else math.nan for number in numbers
    )
    better: Literal["lower", "higher"] = "lower" if told.get("better") == "lower" else "higher"
    return Measure(
        str(told.get("name", "")), value, low, high, floor, reference, better, str(told.get("meaning") or "")
    )


def _block(told: Mapping[str, Any]) -> Block:
    contents = [
        _reader(part["type"]).validate_python({key: part[key] for key in part if key != "type"})
        for part in told["contents"]
        if part["type"] in CONTENTS
    ]
    return Block(str(told["title"]), str(told["lead"]), tuple(contents), bool(told.get("first")))


@cache
def _reader(name: str) -> Any:
    from pydantic import TypeAdapter  # late: importing it costs a tenth of a second

    return TypeAdapter(CONTENTS[name])


def _as_json(value: Any) -> Any:
    """Return plain values as read from JSON: lists for tuples."""
    if isinstance(value, Mapping):
        return {key: _as_json(part) for key, part in value.items()}
    return [_as_json(part) for part in value] if isinstance(value, list | tuple) else value


def _check_length(what: str, parts: Iterable[Sequence[object]], names: Sequence[str]) -> None:
    for part in parts:
        if len(part) != len(names):
            raise ValueError(f"there are {len(part)} {what} for {len(names)} names")


def type_of(content: Content) -> str:
    """Return the `type` of a block's content in evaluation.json."""
    return next(name for name, kind in CONTENTS.items() if type(content) is kind)
