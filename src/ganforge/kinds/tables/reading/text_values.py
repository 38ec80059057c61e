"""The meaning of a column of texts: numbers, dates, times or booleans, and their form.

A reading counts the shapes of the cells as chunks pass, a shape being a text with a 9 for each digit, so that nothing
depends on their order; `result` chooses the meaning that the most cells have, at least TOLERANCE of them. Rules prefer
text in doubt: "007" would not be restored from a number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.reading.date_format import (
    date_forms,
    offsets_of,
    parse_dates,
    same_reading,
    zone_of_offsets,
)
from ganforge.kinds.tables.reading.number_format import (
    INFINITE,
    NUMBER,
    NumberFormat,
    Shape,
    find_number_format,
    is_plain,
)
from ganforge.kinds.tables.reading.time_format import DAY, is_length, parse_times, restored, time_forms

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "Null", "null", "#N/A", "<NA>")
TRUTHS = ("True/False", "true/false", "TRUE/FALSE")
TOLERANCE = 0.95
"""Share of cells that have a column's meaning. Beyond a twentieth the others are too many to be slips: they are values
of another kind, and without them the column would be spread in another way."""
NEARLY = 0.5  # share of cells from which on a meaning that too few have is told
MOST_SHAPES = 5_000  # of a column: more are free text
MOST_PAIRS = 1_000  # of moments and their offsets that are kept of each chunk
_INTEGER = re.compile(r"[+-]?9{1,18}")
_DECIMAL = re.compile(r"[+-]?(?P<whole>9{1,18}(?P<point>\.(?P<digits>9*))?|\.(?P<only>9+))(?P<power>[eE][+-]?9{1,3})?")
_CODE = re.compile(r"[A-Za-z]{1,3}[- ]?9{2,}[A-Za-z]?|9{2,}[- ]?[A-Za-z]{1,2}")  # beside whole numbers: C536379

Sort = Literal["text", "truth", "integer", "number", "date", "time", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a column of texts holds."""

    sort: Sort = "text"
    form: str | None = None  # as in Column.format; None for the default
    digits: int = 0  # of a second, of dates
    zone: str | None = None  # of dates with an offset
    strays: Mapping[str, int] = field(default_factory=dict)  # an example -> cells like it, which have no such meaning
    ambiguous: bool = False  # the form could be another one
    several: int = 0  # offsets of the dates, where there are more than one
    nearly: Meaning | None = None  # of a text: what most cells mean, and too many others do not

    def takes(self, text: str) -> bool:
        """Return whether a text has this meaning."""
        texts = pa.array([text], pa.string())
        match self.sort:
            case "truth":
                return text in (self.form or TRUTHS[0]).split("/")
            case "integer" | "number":
                form = self.number_format
                return form.parse(texts).null_count == 0 if form else bool(re.match(NUMBER, text))
            case "date":
                return bool(parse_dates(texts, self.form or "").null_count == 0)
            case "time" | "length":
                return bool(parse_times(texts, self.form or "").null_count == 0)
        return False

    @property
    def values_type(self) -> pa.DataType:
        """Return the Arrow type of the values that the texts mean (arrays.parsed)."""
        times = {"date": pa.timestamp("us", self.zone), "time": pa.duration("us"), "length": pa.duration("us")}
        return times.get(self.sort, pa.float64())

    @property
    def kind(self) -> ColumnKind:
        """Return the kind of the column, as far as its texts tell."""
        return _KINDS[self.sort]

    @property
    def number_format(self) -> NumberFormat | None:
        """Return the form of numbers, None where it is that of programs."""
        return number_format(self.form) if self.sort in ("integer", "number") else None

    def dtype(self, missing: bool) -> Any:
        """Return the dtype of the column in a frame that is read from a file of texts. Args: missing: any cell is."""
        missing = missing or bool(self.strays)
        match self.sort:
            case "truth":
                return pd.BooleanDtype() if missing else np.dtype(bool)
            case "integer":
                return pd.Int64Dtype() if missing else np.dtype("int64")
            case "number":
                return np.dtype("float64")
            case "date":
                unit: Any = {0: "s", 3: "ms", 6: "us"}[self.digits]
                return pd.DatetimeTZDtype(unit, self.zone) if self.zone else np.dtype(f"datetime64[{unit}]")
        return pd.StringDtype(na_value=np.nan)


@dataclass
class Reading:
    """The shapes of a column's cells, and how many have each form of dates and times."""

    shapes: Counter[Shape] = field(default_factory=Counter)
    examples: dict[Shape, str] = field(default_factory=dict)
    forms: dict[Shape, tuple[str, ...]] = field(default_factory=dict)  # of dates and times, that a shape may have
    fits: Counter[str] = field(default_factory=Counter)  # cells, of each form
    wrong: dict[str, tuple[int, str]] = field(default_factory=dict)  # cells that look like a form and are none
    ends: dict[str, tuple[int, int]] = field(default_factory=dict)  # of times: the least and the most
    pairs: dict[str, frozenset[tuple[int, int]]] = field(default_factory=dict)  # of dates with an offset
    offsets: set[str] = field(default_factory=set)
    missing: int = 0
    free: bool = False  # the shapes are too many

    def update(self, values: pa.Array) -> None:
        """Add values. Args: values texts (N,), stripped, None where missing."""
        self.missing += values.null_count
        if self.free or len(values) == values.null_count:
            return
        values = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        counted = pc.value_counts(values.drop_null())
        words, counts = counted.field("values"), counted.field("counts").to_numpy()
        places, known = _shapes(words)
        for shape, cells in zip(known, np.bincount(places, weights=counts), strict=True):
            self.shapes[shape] += int(cells)
        if len(self.shapes) > MOST_SHAPES:
            self.free = True
            return
        firsts = np.unique(places, return_index=True)[1]
        for shape, first in zip(known, firsts, strict=True):
            if shape not in self.forms:
                self.examples[shape] = words[int(first)].as_py()
                self.forms[shape] = (*date_forms(shape.text), *time_forms(shape.text.replace("9", "1")))
        self._count_forms(words, counts, places, known)

    def _count_forms(
        self, words: pa.Array, counts: NDArray[Any], places: NDArray[np.int64], known: list[Shape]
    ) -> None:
        """Count the distinct words (N,) that are dates or times of each form that their shapes (N,) may have."""
        forms = dict.fromkeys(form for shape in known for form in self.forms[shape])
        read: dict[tuple[str, bytes], pa.Array] = {}
        for form in forms:
            mask = np.array([form in self.forms[shape] for shape in known])[places]
            texts, weights = words.filter(pa.array(mask)), counts[mask]
            bare = _without_digits(form)
            as_date = _is_date(form)
            key = (same_reading(bare) if as_date else bare), mask.tobytes()
            if key not in read:
                read[key] = parse_dates(texts, bare) if as_date else parse_times(texts, bare)
            parsed = read[key]
            valid = parsed.is_valid().to_numpy(zero_copy_only=False)
            self.fits[form] += int(weights[valid].sum())
            if not valid.all():
                cells, example = self.wrong.get(form, (0, texts[int(np.argmin(valid))].as_py()))
                self.wrong[form] = cells + int(weights[~valid].sum()), example
            if not as_date and valid.any():
                least, most = self.ends.get(form, (0, 0))
                self.ends[form] = min(least, pc.min(parsed).as_py()), max(most, pc.max(parsed).as_py())
            if as_date and bare.endswith("z") and valid.any():
                self._keep_offsets(form, texts.filter(parsed.is_valid()), parsed.drop_null())

    def _keep_offsets(self, form: str, texts: pa.Array, moments: pa.Array) -> None:
        ends = pc.extract_regex(texts, r"(?P<offset>[+-][0-9]{2}:?[0-9]{2})$")
        self.offsets |= set(pc.unique(pc.struct_field(ends, "offset")).to_pylist())
        some = pa.array(np.unique(np.linspace(0, len(texts) - 1, MOST_PAIRS).astype(int)))
        self.pairs[form] = self.pairs.get(form, frozenset()) | offsets_of(texts.take(some), moments.take(some))

    # ---- what they mean

    def result(self, known: Column | None = None) -> Meaning:
        """Choose the meaning that the most cells have; text if none has enough, or a code would be lost.

        Args: known column as a model learned it: its order of day and month and its decimal mark are taken where
            enough cells have them.
        """
        total = self.shapes.total()
        if self.free or not total:
            return Meaning()
        found = [*self._truths(), *self._numbers(known), *self._dates(known), *self._times()]
        best = max(found, key=lambda each: each[0], default=(0, Meaning()))  # the first of equals
        if best[0] >= TOLERANCE * total:
            return best[1]
        return Meaning(nearly=best[1] if best[0] >= NEARLY * total else None)

    def _truths(self) -> Iterator[tuple[int, Meaning]]:
        words = {shape.text for shape in self.shapes}
        for form in TRUTHS:
            if words <= set(form.split("/")):
                yield self.shapes.total(), Meaning(sort="truth", form=None if form == TRUTHS[0] else form)

    def _numbers(self, known: Column | None) -> Iterator[tuple[int, Meaning]]:
        plain = {shape: found for shape in self.shapes if (found := _decimal(shape))}
        infinite = [shape for shape in self.shapes if re.match(INFINITE, shape.text)]
        others = [shape for shape in self.shapes if shape not in plain and shape not in infinite]
        whole = all(_is_integer(shape) for shape in plain)
        if any(_is_code(shape) for shape in others):
            return
        cells = sum(self.shapes[shape] for shape in (*plain, *infinite))
        form = find_number_format(self.shapes, _decimal_mark(known))
        if form and not form.form.is_plain and (fitting := sum(self.shapes[s] for s in form.shapes)) >= cells:
            sort: Sort = "number" if form.form.most else "integer"
            strays = self._strays(form.shapes)
            yield fitting, Meaning(sort=sort, form=form.form.pattern, strays=strays, ambiguous=form.ambiguous)
        elif plain and not (whole and any(_CODE.fullmatch(shape.text) for shape in others)):
            sort = "integer" if whole and not infinite else "number"
            strays = self._strays({*plain, *infinite})
            pattern = None if sort == "integer" else _plain_pattern(plain)
            yield cells, Meaning(sort=sort, form=pattern, strays=strays, ambiguous=bool(form and form.ambiguous))

    def _dates(self, known: Column | None) -> Iterator[tuple[int, Meaning]]:
        forms = [form for form in self.fits if _is_date(form)]
        if not forms:
            return
        as_known = [form for form in forms if known and _order(form) == _order(known.format or "")]
        if any(self.fits[form] >= TOLERANCE * self.shapes.total() for form in as_known):
            forms = as_known
        best = min(forms, key=lambda form: (-self.fits[form], "%-" in form))  # the first of equals
        rivals = [form for form in forms if self.fits[form] == self.fits[best]]
        bare, zone, several = _without_digits(best), None, 0
        if bare.endswith("Z"):
            zone = "UTC"
        elif bare.endswith("z"):
            several = len(self.offsets)
            zone = zone_of_offsets(self.pairs[best]) if several > 1 else f"UTC{_with_colon(*self.offsets)}"
            bare = bare if several > 1 else re.sub("%:?z$", "".join(self.offsets), bare)
        yield (
            self.fits[best],
            Meaning(
                sort="date",
                form=bare,
                digits=int(best[-2]) if best.endswith("}") else 0,
                zone=zone,
                strays=self._strays({shape for shape, may in self.forms.items() if best in may}, self.wrong.get(best)),
                ambiguous=len({same_reading(form) for form in rivals}) > 1,
                several=several if several > 1 else 0,
            ),
        )

    def _times(self) -> Iterator[tuple[int, Meaning]]:
        forms = [form for form in self.ends if self.fits[form]]
        if not forms:
            return
        cells = max(self.fits[form] for form in forms)
        equal = {self._with_fraction(form): form for form in forms if self.fits[form] == cells}
        written = max(equal, key=lambda form: restored(self._examples_of(equal[form]), form))  # the first of equals
        best = equal[written]
        least, most = self.ends[best]
        sort: Sort = "length" if is_length(best) or least < 0 or most >= DAY else "time"
        fitting = {shape for shape, may in self.forms.items() if best in may}
        yield cells, Meaning(sort=sort, form=written, strays=self._strays(fitting, self.wrong.get(best)))

    def _examples_of(self, form: str) -> list[str]:
        return [self.examples[shape] for shape, may in self.forms.items() if form in may]

    def _with_fraction(self, form: str) -> str:
        """Return a form of times with the digits of a second that its cells have."""
        ends = (re.search(r"\.([0-9]{1,6})[^0-9]*$", example) for example in self._examples_of(form))
        digits = max(len(found[1]) if found else 0 for found in ends)
        return f"{form}.%{digits}f" if digits else form

    def _strays(self, fitting: Iterable[Shape], wrong: tuple[int, str] | None = None) -> Mapping[str, int]:
        """Return an example and the number of cells of each shape that does not fit, the most frequent first."""
        fitting = set(fitting)
        found = Counter({self.examples[shape]: n for shape, n in self.shapes.items() if shape not in fitting})
        if wrong:
            found[wrong[1]] += wrong[0]
        return dict(found.most_common())


def number_format(form: str | None) -> NumberFormat | None:
    """Return the form of numbers in Column.format; None where they are written as programs do."""
    return None if is_plain(form or "") else NumberFormat.of(form or "")


def is_missing(texts: pa.Array) -> pa.Array:
    """Return which texts (N,) stand for a missing value, with blanks around them or not."""
    return pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(MISSING))


def without_missing(texts: pa.Array) -> pa.Array:
    """Return texts (N,) with null in the place of those that stand for a missing value."""
    return pc.if_else(is_missing(texts), pa.scalar(None, pa.string()), texts)


def decimals_of(texts: pa.Array) -> NDArray[np.int64]:
    """Return the number of decimals of each text of a number (N,)."""
    point = pc.find_substring(texts, ".").to_numpy()
    return np.where(point < 0, 0, pc.utf8_length(texts).to_numpy() - point - 1)


_KINDS: dict[Sort, ColumnKind] = {
    "text": "category",
    "truth": "boolean",
    "integer": "integer",
    "number": "decimal",
    "date": "datetime",
    "time": "time",
    "length": "duration",
}


def _shapes(words: pa.Array) -> tuple[NDArray[np.int64], list[Shape]]:
    """Return the place of the shape of each word (N,), and the shapes. Works on the bytes of all words at once."""
    words = words.cast(pa.string())
    _, offsets, content = words.buffers()
    ends = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    letters = np.frombuffer(content or b"", np.uint8)
    is_digit = (letters >= ord("0")) & (letters <= ord("9"))
    last = ends[1:][np.diff(ends) > 2] - 1
    is_digit[last[(letters[last - 1] == ord("m")) & np.isin(letters[last], list(b"23"))]] = False  # of m2 or cm3
    nines = np.where(is_digit, np.uint8(ord("9")), letters)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(nines)]
    texts = pa.Array.from_buffers(pa.string(), len(words), buffers).dictionary_encode()
    zeros = np.append(letters == ord("0"), [False])
    marks = np.append(is_digit | np.isin(letters, list(b".,")), [False])
    digits = np.append(np.flatnonzero(is_digit), len(letters))
    begins, stops = np.searchsorted(digits, ends[:-1]), np.searchsorted(digits, ends[1:])
    first, last = digits[begins], digits[stops - 1]  # of a word without digits: any other
    leading = (stops > begins) & zeros[first] & (first + 1 < ends[1:]) & marks[np.minimum(first + 1, len(letters))]
    final = (stops > begins) & zeros[last]
    codes = texts.indices.to_numpy().astype(np.int64) * 4 + 2 * leading + final
    known, places = np.unique(codes, return_inverse=True)
    forms = texts.dictionary.to_pylist()
    return places, [Shape(forms[code // 4], bool(code & 2), bool(code & 1)) for code in known.tolist()]


def _decimal(shape: Shape) -> re.Match[str] | None:
    """Return the parts of a number as programs write it; None for other shapes."""
    found = _DECIMAL.fullmatch(shape.text)
    zeros = found and shape.leading and found["only"] is None and len(found["whole"].partition(".")[0]) > 1
    return None if zeros else found


def _is_integer(shape: Shape) -> bool:
    zero = shape.final and shape.text in ("+9", "-9")
    return bool(_INTEGER.fullmatch(shape.text)) and not shape.leading and not zero


def _is_code(shape: Shape) -> bool:
    """Return whether digits alone cannot be a number: they are too many, or begin with a zero (020 123 456)."""
    return bool(re.fullmatch(r"[+-]?9+", shape.text) or (shape.leading and re.fullmatch(r"9[9 ]+", shape.text)))


def _plain_pattern(plain: Mapping[Shape, re.Match[str]]) -> str | None:
    """Return the pattern of numbers as programs write them: all with as many decimals, or at least one."""
    digits = [len(found["only"] or found["digits"] or "") for found in plain.values()]
    if max(digits) == 0 or any(found["power"] for found in plain.values()):
        return None
    if min(digits) == max(digits):
        return "0." + "0" * max(digits)
    padded = any(s.text.endswith(".") or (s.final and count > 1) for s, count in zip(plain, digits, strict=True))
    pointed = any(s.final and count == 1 for s, count in zip(plain, digits, strict=True))
    return "0.0#" if pointed and not padded else None


def _is_date(form: str) -> bool:
    return any(directive in form for directive in ("%Y", "%y"))


def _order(form: str) -> list[str]:
    """Return the order of a date's parts in a form: m, d, Y."""
    return re.findall("[Yymd]", same_reading(form).replace("%b", "%m"))


def _decimal_mark(known: Column | None) -> str | None:
    """Return the decimal mark of a learned column, None where it has none."""
    if known is None or known.kind not in ("integer", "decimal"):
        return None
    form = number_format(known.format)
    return form.decimal if form else "." if known.kind == "decimal" else None


def _without_digits(form: str) -> str:
    return re.sub(r"\{\d\}$", "", form)


def _with_colon(offset: str) -> str:
    return offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
