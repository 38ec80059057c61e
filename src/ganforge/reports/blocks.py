"""Blocks of an evaluation as sections of the page: pictures and sound read, what is missing left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ganforge.records import CONTENTS, Bars, Block, Cases, Content, Figure, Group, Sound
from ganforge.reports.media import Picture, picture, place_of, sound
from ganforge.run import Run

_WIDE = (3300, 450_000)  # longest side in pixels, and bytes, of a chart with many panels
_CASES = (1600, 450_000)
_PLAIN = (1200, 200_000)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a section shows. The template draws each type in its own way."""

    type: str  # one of records.CONTENTS
    content: Content
    pictures: tuple[tuple[Figure | Group, Picture], ...] = ()  # of figures that stand side by side, or of cases
    sound: str = ""  # a data URI


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page."""

    anchor: str  # of a link within the page
    title: str
    lead: str
    parts: tuple[Part, ...]
    first: bool


def sections(run: Run, blocks: Iterable[Block]) -> list[Section]:
    """The blocks in order. A picture or sound that is missing or damaged is left out, and a block without any part."""
    found = []
    for block in blocks:
        parts = tuple(_parts(run, block.contents))
        if parts:
            found.append(Section(_anchor(block.title), block.title, block.lead, parts, block.first))
    return found


def longest(bars: Bars) -> float:
    """The share whose bar is as long as there is room."""
    return max((share for shares in bars.series.values() for share in shares), default=0.0) or 1.0


def _parts(run: Run, contents: Iterable[Content]) -> Iterator[Part]:
    beside: list[tuple[Figure | Group, Picture]] = []  # figures that follow each other
    for content in contents:
        if isinstance(content, Figure) and not content.wide:
            beside += [(content, drawn)] if (drawn := _drawn(run, content, _PLAIN)) else []
            continue
        yield from _side_by_side(beside)
        beside = []
        match content:
            case Figure():
                drawn = _drawn(run, content, _WIDE)
                if drawn is not None:
                    yield Part("figure", content, ((content, drawn),))
            case Cases():
                groups = [(group, _drawn(run, group.figure, _CASES)) for group in content.groups]
                shown = tuple((group, drawn) for group, drawn in groups if drawn is not None)
                if shown:
                    yield Part("cases", content, shown)
            case Sound():
                place = place_of(run, content.path)
                heard = sound(place) if place is not None else None
                if heard is not None:
                    yield Part("sound", content, sound=heard)
            case _:
                yield Part(next(name for name, kind in CONTENTS.items() if type(content) is kind), content)
    yield from _side_by_side(beside)


def _side_by_side(figures: list[tuple[Figure | Group, Picture]]) -> Iterator[Part]:
    if figures:
        first = figures[0][0]
        assert isinstance(first, Figure)
        yield Part("figure", first, tuple(figures))


def _drawn(run: Run, figure: Figure, weight: tuple[int, int]) -> Picture | None:
    place = place_of(run, figure.path)
    return picture(place, *weight) if place is not None else None


def _anchor(title: str) -> str:
    return "block-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
