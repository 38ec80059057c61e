"""The meaning of a column of texts: numbers, dates, times or booleans, and their form.

A reading counts the shapes of the cells as chunks pass, a shape being a text with a 9 for each digit, so that nothing
depends on their order; `result` chooses the meaning that the most cells have, at least TOLERANCE of them. Rules prefer
text in doubt: "007" would not be restored from a number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.core.date_format import (
    DIGITS,
    date_forms,
    is_date,
    named_forms,
    offsets_of,
    parse_dates,
    plain_form,
    same_reading,
    with_colon,
    without_digits,
    without_fraction,
    write_dates,
    zone_of_offsets,
)
from ganforge.core.month_names import split_names
from ganforge.kinds.tables.columns import Column, ColumnKind
from ganforge.kinds.tables.reading.number_format import (
    INFINITE,
    NUMBER,
    NumberFormat,
    find_number_format,
    is_plain,
)
from ganforge.kinds.tables.reading.number_units import NumberForm, find_powers, find_units, form_of, with_limits
from ganforge.kinds.tables.reading.shapes import (
    CODE,
    Shape,
    is_code,
    is_integer,
    plain_number,
    plain_pattern,
    shapes_of,
)
from ganforge.kinds.tables.reading.time_format import DAY, is_length, parse_times, restored, time_forms

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "Null", "null", "#N/A", "<NA>")
TRUTHS = ("True/False", "true/false", "TRUE/FALSE")
TOLERANCE = 0.95
"""Share of cells that have a column's meaning. Beyond a twentieth the others are too many to be slips: they are values
of another kind, and without them the column would be spread in another way."""
COMMON = 0.01  # share of cells from which on a word may stand for a missing value, or a limit such as <5
MOST_MARKS = 3  # such words of a column whose other cells all have one meaning
FEW_WORDS = 100  # different ones: a column of so few is learned as words, each of which comes back
NEARLY = 0.5  # share of cells from which on a meaning that too few have is told
MOST_SHAPES = 5_000  # of a column: more are free text
MOST_PAIRS = 1_000  # of moments and their offsets that are kept of each chunk

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
        return bool(self.taken(pa.array([text], pa.string()))[0].as_py())

    def taken(self, texts: pa.Array) -> pa.Array:
        """Return which texts (N,) have this meaning."""
        match self.sort:
            case "truth":
                return pc.is_in(texts, pa.array((self.form or TRUTHS[0]).split("/")))
            case "integer" | "number":
                form = self.number_format
                return form.parse(texts).is_valid() if form else pc.match_substring_regex(texts, NUMBER)
            case "date":
                return parse_dates(texts, self.form or "").is_valid()
            case "time" | "length":
                return parse_times(texts, self.form or "").is_valid()
        return pa.array(np.zeros(len(texts), bool))

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
    def number_format(self) -> NumberForm | None:
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
                unit: Any = "s" if self.digits == 0 else "ms" if self.digits <= 3 else "us"
                return pd.DatetimeTZDtype(unit, self.zone) if self.zone else np.dtype(f"datetime64[{unit}]")
        return pd.StringDtype(na_value=np.nan)


@dataclass
class Reading:
    """The shapes of a column's cells, and how many have each form of dates and times."""

    shapes: Counter[Shape] = field(default_factory=Counter)
    common: Counter[str] = field(default_factory=Counter)  # words that are more than COMMON of a chunk
    different: int = 0  # words, of the chunk that has most
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
        self.different = max(self.different, len(words))
        for place in np.flatnonzero(counts > COMMON * counts.sum()):
            self.common[words[int(place)].as_py()] += int(counts[place])
        places, known = shapes_of(words)
        for shape, cells in zip(known, np.bincount(places, weights=counts), strict=True):
            self.shapes[shape] += int(cells)
        if len(self.shapes) > MOST_SHAPES:
            self.free = True
            return
        firsts = np.unique(places, return_index=True)[1]
        new = {shape: int(first) for shape, first in zip(known, firsts, strict=True) if shape not in self.forms}
        dates = {shape: date_forms(shape.text) for shape in new}
        if not all(dates.values()):  # else they have the usual names, and others would be the same
            dates = {shape: [*forms, *named_forms(shape.text)] for shape, forms in dates.items()}
        for shape, first in new.items():
            self.examples[shape] = words[first].as_py()
            self.forms[shape] = (*dates[shape], *time_forms(shape.text.replace("9", "1")))
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
            bare = without_digits(form)
            as_date = is_date(form)
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
        ends = pc.extract_regex(texts, r"(?P<offset>[+-][0-9]{2}(?::?[0-9]{2})?)$")
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
        # the first of equals, but 20240131123000 is a moment where all are
        cells, best = max(found, key=lambda each: (each[0], each[1].form in DIGITS), default=(0, Meaning()))
        if cells >= TOLERANCE * total and best.sort not in ("integer", "number"):
            return best
        common = pa.array(self.common, pa.string())
        marks = {word: self.common[word] for word in common.filter(pc.invert(best.taken(common))).to_pylist()}
        marked = self.different > FEW_WORDS and len(marks) <= MOST_MARKS and cells >= NEARLY * total
        if cells < TOLERANCE * total and not (marked and cells + sum(marks.values()) >= TOLERANCE * total):
            return Meaning(nearly=best if cells >= NEARLY * total else None)
        limited = with_limits(best.form or "", marks) if best.sort in ("integer", "number") else None
        if limited is None:
            return best
        pattern, limits = limited
        strays = {text: count for text, count in best.strays.items() if text not in limits}
        return replace(best, sort="number", form=pattern, strays=strays)

    def _truths(self) -> Iterator[tuple[int, Meaning]]:
        words = {shape.text for shape in self.shapes}
        for form in TRUTHS:
            if words <= set(form.split("/")):
                yield self.shapes.total(), Meaning(sort="truth", form=None if form == TRUTHS[0] else form)

    def _numbers(self, known: Column | None) -> Iterator[tuple[int, Meaning]]:
        plain = {shape: found for shape in self.shapes if (found := plain_number(shape))}
        infinite = [shape for shape in self.shapes if re.match(INFINITE, shape.text)]
        others = [shape for shape in self.shapes if shape not in plain and shape not in infinite]
        whole = all(is_integer(shape) for shape in plain)
        if any(is_code(shape) for shape in others):
            return
        cells = sum(self.shapes[shape] for shape in (*plain, *infinite))
        mark = _decimal_mark(known)
        for units in (find_powers(self.shapes), find_units(self.shapes, mark)):
            if units:
                written, fitted = units
                count = sum(self.shapes[shape] for shape in fitted)
                yield count, Meaning(sort="number", form=written, strays=self._strays(fitted))
        form = find_number_format(self.shapes, mark)
        if form and not form.form.is_plain and (fitting := sum(self.shapes[s] for s in form.shapes)) >= cells:
            sort: Sort = "number" if form.form.most else "integer"
            strays = self._strays(form.shapes)
            yield fitting, Meaning(sort=sort, form=form.form.pattern, strays=strays, ambiguous=form.ambiguous)
        elif plain and not (whole and any(CODE.fullmatch(shape.text) for shape in others)):
            sort = "integer" if whole and not infinite else "number"
            strays = self._strays({*plain, *infinite})
            pattern = None if sort == "integer" else plain_pattern(plain)
            yield cells, Meaning(sort=sort, form=pattern, strays=strays, ambiguous=bool(form and form.ambiguous))

    def _dates(self, known: Column | None) -> Iterator[tuple[int, Meaning]]:
        forms = [form for form in self.fits if is_date(form)]
        if not forms:
            return
        as_known = [form for form in forms if known and _order(form) == _order(known.format or "")]
        if any(self.fits[form] >= TOLERANCE * self.shapes.total() for form in as_known):
            forms = as_known
        best = min(forms, key=lambda form: (-self.fits[form], "%-" in form))  # the first of equals
        rivals = [
            form
            for form in forms
            if self.fits[form] == self.fits[best] and split_names(form)[0] == split_names(best)[0]
        ]
        rivals.sort(key=lambda form: "%-" in form)
        best = max((form for form in rivals if same_reading(form) == same_reading(best)), key=self._restored)
        bare, zone, several = without_digits(best), None, 0
        alike = [form for form in forms if without_fraction(form) == without_fraction(best)]
        digits = max(int(form[-2]) if form.endswith("}") else 0 for form in alike)
        if digits and len(alike) > 1:  # as many digits of a second as each needs
            bare = re.sub(r"%S(?:[.,]%f)?", f"%S{',' if ',%f' in bare else '.'}%*f", bare)
        elif digits not in (0, 3, 6):
            bare = bare.replace("%f", f"%{digits}f")
        if bare.endswith(("Z", "UTC", "GMT")):
            zone = "UTC"
        elif bare.endswith("z"):
            several = len(self.offsets)
            zone = zone_of_offsets(self.pairs[best]) if several > 1 else f"UTC{with_colon(*self.offsets)}"
            bare = bare if several > 1 else re.sub("%[:-]?z$", "".join(self.offsets), bare)
        yield (
            sum(self.fits[form] for form in alike),
            Meaning(
                sort="date",
                form=bare,
                digits=digits,
                zone=zone,
                strays=self._strays(
                    {shape for shape, may in self.forms.items() if {*alike} & {*may}}, self.wrong.get(best)
                ),
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

    def _restored(self, form: str) -> int:
        """Return how many examples come back to the letter; 0 where these are not looked at, as of several offsets."""
        bare, digits = without_digits(form), int(form[-2]) if form.endswith("}") else 0
        if bare.endswith("z"):
            return 0
        given = pa.array(self._examples_of(form), pa.string())
        again = write_dates(parse_dates(given, bare).cast(pa.int64()), bare, digits, None)
        return pc.sum(pc.equal(again, given)).as_py() or 0

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


def number_format(form: str | None) -> NumberForm | None:
    """Return the form of numbers in Column.format; None where they are written as programs do."""
    return None if is_plain(form or "") else form_of(form or "")


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


def _order(form: str) -> list[str]:
    """Return the order of a date's parts in a form: m, d, Y."""
    return re.findall("[Yymd]", plain_form(form).replace("%b", "%m").replace("%B", "%m"))


def _decimal_mark(known: Column | None) -> str | None:
    """Return the decimal mark of a learned column, None where it has none."""
    if known is None or known.kind not in ("integer", "decimal"):
        return None
    form = number_format(known.format)
    if form is None:
        return "." if known.kind == "decimal" else None
    return form.decimal if isinstance(form, NumberFormat) else None
