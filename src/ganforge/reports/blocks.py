"""Blocks of an evaluation as sections of the page, with pictures and sound; missing files are left out."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image

from ganforge.core.format import number, title
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.records import Bars, Block, Cases, Content, Evaluation, Figure, Group, Measure, Sound, type_of
from ganforge.run import Run

FORMATS = ("PNG", "JPEG", "WEBP")  # never EPS and the like, which run programs
_LEAST_SIDE = 160  # pixels: smaller shows nothing, whatever its bytes
_MOST_BYTES, _MOST_PIXELS = 2**26, 2**26  # of a file: a run writes none larger
_MOST_SOUND = 2**20  # bytes of a sound file: about half a minute of speech
SOUNDS = {".wav": "audio/wav", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for an <img>: its URI and its size in pixels."""

    uri: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """True if the page enlarges it, so that its pixels should stay square."""
        return self.width < 560


def place_of(run: Run, path: str) -> Path | None:
    """Return the path of a file that an evaluation names; None if it is outside the run, or a link."""
    place = run.folder / path
    inside = place.resolve().is_relative_to(run.folder.resolve())
    return place if inside and not place.is_symlink() else None


def sound(path: Path) -> str | None:
    """Read a sound file as a data URI; None if it is missing, too large for a page, or of unknown type."""
    kind = SOUNDS.get(path.suffix.lower())
    try:
        if kind is None or path.stat().st_size > _MOST_SOUND:
            return None
        return _uri(path.read_bytes(), kind)
    except OSError:
        return None


def picture(path: Path, side: int = 1200, most_bytes: int = 200_000) -> Picture | None:
    """Read a picture as a data URI; None if it is missing or unreadable (a report never fails for that).

    Args: side the longest side in pixels, most_bytes the largest size for the page. A PNG within the limits is embedded
        unchanged; anything else is encoded as WebP, smaller and smaller until it fits.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        content = path.read_bytes()
        with quiet_pillow(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.load()
            if len(content) <= most_bytes and (image.format == "PNG" or getattr(image, "is_animated", False)):
                return Picture(_uri(content, f"image/{str(image.format).lower()}"), *image.size)
            full = image.convert("RGBA" if "A" in image.getbands() else "RGB")
    except BROKEN:
        return None
    while True:
        lighter = full.copy()
        lighter.thumbnail((side, side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        lighter.save(file, "WEBP", quality=80, method=4)
        if file.tell() <= most_bytes or side <= _LEAST_SIDE:
            return Picture(_uri(file.getvalue(), "image/webp"), *lighter.size)
        side = round(0.8 * min(side, max(full.size)))


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


_MARGIN = 5.0  # percent of the track on either side of reference and floor, for values beyond them


@dataclass(frozen=True, slots=True)
class Standing:
    """One measure as a row: its numbers as text, and positions on a track in percent (reference left, floor right)."""

    title: str
    meaning: str
    better: str
    value: str
    interval: str
    floor: str
    reference: str
    place: float | None  # None if floor and reference are too close to span a track
    low: float
    wide: float
    sentence: str


def standings(evaluation: Evaluation) -> list[Standing]:
    """Return every measure of the evaluation with its floor and its reference."""
    return [_standing(measure, evaluation.best, evaluation.simplest) for measure in evaluation.measures]


def _standing(measure: Measure, best: str, simplest: str) -> Standing:
    value, low, high, floor, reference = measure.value, measure.low, measure.high, measure.floor, measure.reference
    sign = -1.0 if measure.better == "lower" else 1.0
    span = floor - reference
    track = sign * span > 0 and math.isfinite(value)  # a reference that beats the floor spans no track
    if math.isfinite(high - low):
        track = track and abs(span) > 0.5 * (high - low)  # else it would show only noise
    share = (value - reference) / span if track else math.nan
    ends = sorted(_percent((end - reference) / span) for end in (low, high) if math.isfinite(end)) if track else []
    low_end, high_end = (ends[0], ends[-1]) if ends else (0.0, 0.0)
    best_end = sign * (low if sign < 0 else high)
    return Standing(
        title=title(measure.name),
        meaning=measure.meaning,
        better=f"{measure.better} is better",
        value=number(value),
        interval=f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else "",
        floor=number(floor) if math.isfinite(floor) else "",
        reference=number(reference) if math.isfinite(reference) else "",
        place=_percent(share) if track else None,
        low=low_end,
        wide=max(high_end - low_end, 0.6),
        sentence=_on_track(share, best, simplest)
        if track
        else _off_track(sign * value, sign * floor, sign * reference, best_end, best, simplest),
    )


def _off_track(value: float, floor: float, reference: float, best_end: float, best: str, simplest: str) -> str:
    """Describe a value without a track by the floor or, if unknown, the reference. Higher is better."""
    if not math.isfinite(value):
        return ""
    if math.isfinite(floor):
        return f"as good as {best}" if max(value, best_end) >= floor else f"not as good as {best}"
    if math.isfinite(reference):
        return f"better than {simplest}" if value > reference else f"no better than {simplest}"
    return ""


def _on_track(share: float, best: str, simplest: str) -> str:
    if share >= 1:
        return f"as good as {best}"
    if share <= 0:
        return f"no better than {simplest}"
    return f"{100 * share:.0f} % of the way from {simplest} to {best}" if share < 0.995 else f"nearly as good as {best}"


def _percent(share: float) -> float:
    """Return a position on the track in percent, clipped to it: reference at the left margin, floor at the right."""
    return min(max(_MARGIN + (100 - 2 * _MARGIN) * share, 0.8), 99.2)


_WIDE = (3300, 450_000)  # longest side in pixels, and bytes, of a chart with many panels
_CASES = (1600, 450_000)
_PLAIN = (1200, 200_000)


@dataclass(frozen=True, slots=True)
class Part:
    """One element of a section. The template renders each type in its own way."""

    type: str  # one of records.CONTENTS
    content: Content
    pictures: tuple[tuple[Figure | Group, Picture], ...] = ()  # of figures side by side, or of cases
    sounds: tuple[tuple[Sound, str], ...] = ()  # of a row, each with its data URI


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page."""

    anchor: str  # of a link within the page
    title: str
    lead: str
    parts: tuple[Part, ...]
    first: bool


def sections(run: Run, blocks: Iterable[Block]) -> list[Section]:
    """Return the blocks in order, without missing or damaged pictures and sounds, or blocks without parts."""
    found = []
    for block in blocks:
        parts = tuple(_parts(run, block.contents))
        if parts:
            found.append(Section(_anchor(block.title), block.title, block.lead, parts, block.first))
    return found


def longest(bars: Bars) -> float:
    """Return the share whose bar has full length."""
    return max((share for shares in bars.series.values() for share in shares), default=0.0) or 1.0


def _parts(run: Run, contents: Iterable[Content]) -> Iterator[Part]:
    for (kind, row), group in groupby(contents, key=_beside):
        together = list(group)
        if kind is Figure and row is not None:
            drawn = [(figure, _drawn(run, figure, _PLAIN)) for figure in together if isinstance(figure, Figure)]
            yield from _side_by_side([(figure, picture) for figure, picture in drawn if picture is not None])
        elif kind is Sound:
            heard = [(one, _heard(run, one)) for one in together if isinstance(one, Sound)]
            there = tuple((one, uri) for one, uri in heard if uri is not None)
            if there:
                yield Part("sound", there[0][0], sounds=there)
        else:
            for content in together:
                yield from _alone(run, content)


def _beside(content: Content) -> tuple[type[Content], str | None]:
    """Return what contents that follow each other have in common where they stand side by side."""
    if isinstance(content, Sound):
        return Sound, content.row
    return type(content), "" if isinstance(content, Figure) and not content.wide else None


def _heard(run: Run, content: Sound) -> str | None:
    place = place_of(run, content.path)
    return sound(place) if place is not None else None


def _alone(run: Run, content: Content) -> Iterator[Part]:
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
        case _:
            yield Part(type_of(content), content)


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
