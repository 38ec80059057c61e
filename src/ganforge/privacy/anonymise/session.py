"""One call's knowledge and pseudonyms: what is found in a cell, and what stands there afterwards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath

from ganforge.privacy.anonymise.columns import NUMBERS, TEXT, is_missing, kind_of_column
from ganforge.privacy.anonymise.documents import LINES
from ganforge.privacy.anonymise.names import Known, merged, titled
from ganforge.privacy.anonymise.patterns import EMAIL, Span, find
from ganforge.privacy.anonymise.pseudonyms import Pseudonyms

KINDS: Mapping[str, str] = {
    "name": "names of persons", "email": "e-mail addresses", "phone": "telephone numbers", "iban": "IBANs",
    "card": "credit card numbers", "national-id": "national identity numbers", "ip": "IP addresses",
    "mac": "MAC addresses", "url": "parts of web addresses that name somebody", "birth": "dates of birth",
    "street": "street addresses", "postcode": "postcodes", "place": "coordinates", "identifier": "identifiers",
    "file": "names of files and folders",
}  # fmt: skip
WHOLE = {"name", "phone", "iban", "card", "national-id", "birth", "street", "postcode", "place", "identifier"}
_WITHOUT_DIGITS = {"name", "street", "identifier"}
_REFERENCE = re.compile(r"[^\s,;:\"'<>|()\[\]]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data. It is counted, and never written down."""

    file: str  # as it is called in the source
    column: str
    kind: str
    text: str


@dataclass
class Session:
    """What a call knows. `keep` names columns that stay as they are; `remove` kinds that get no pseudonym."""

    pseudonyms: Pseudonyms
    keep: Collection[str] = ()
    remove: Collection[str] = ()
    tell: Callable[[Finding], None] = lambda finding: None
    known: Known = field(default_factory=Known)
    kinds: dict[tuple[str, str], str] = field(default_factory=dict)  # of (file, column)
    renamed: dict[str, str] = field(default_factory=dict)  # files whose names were personal: old -> new

    def __post_init__(self) -> None:
        self.spans = lru_cache(maxsize=100_000)(self._spans)

    # ---- first every file is read ------------------------------------------------------------------------------------

    def learn(self, file: str, columns: Mapping[str, Counter[str]]) -> None:
        """Find what the columns of a file hold, and the names and numbers that are searched everywhere."""
        for name, values in columns.items():
            kept = name in self.keep
            kind = TEXT if name == LINES else kind_of_column(name, values)
            self.kinds[file, name] = NUMBERS if kept else kind
            if kept:
                continue
            present = [value for value in values if not is_missing(value)]
            if kind == "name":
                self.known.add_names(present)
            elif kind in ("identifier", "phone", "card", "national-id"):
                self.known.add_codes(kind, present)
            elif kind == TEXT:
                for value in present:
                    self.known.add_text(value)

    # ---- then written again ------------------------------------------------------------------------------------------

    def changed(self, file: str, column: str, cell: str) -> str:
        """Return what stands in the place of a cell."""
        kind = self.kinds.get((file, column), TEXT)
        value = cell.strip()
        if kind == NUMBERS or is_missing(value):
            return cell
        whole = kind in WHOLE and (kind in _WITHOUT_DIGITS or any(map(str.isdecimal, value)))
        if whole or (kind == "email" and EMAIL.fullmatch(value)):
            self.tell(Finding(file, column, kind, value))
            made = "" if kind in self.remove else self.pseudonyms.of(kind, value)
            first = cell.index(value)
            return cell[:first] + made + cell[first + len(value) :]
        for span in self.spans(cell):
            self.tell(Finding(file, column, span.kind, cell[span.first : span.last]))
        return "".join(self._pieces(cell))

    def _pieces(self, text: str) -> Iterator[str]:
        end = 0
        for span in self.spans(text):
            yield text[end : span.first]
            yield self._replaced(span.kind, text[span.first : span.last])
            end = span.last
        yield text[end:]

    def _replaced(self, kind: str, text: str) -> str:
        if kind == "file":
            place = PurePath(text)
            return text[: len(text) - len(place.name)] + self.renamed[place.name]
        return f"[{kind}]" if kind in self.remove else self.pseudonyms.of(kind, text)

    def safe(self, column: str) -> str:
        """Return the name of a column for the report."""
        return "".join(self._pieces(column))

    def _spans(self, text: str) -> tuple[Span, ...]:
        """Return what is found in a text: what its form tells, then what is known of other columns, then names."""
        taken = find(text)
        for spans in (self._files(text), merged([*self.known.find(text), *titled(text)])):
            taken += [span for span in spans if all(span.last <= one.first or span.first >= one.last for one in taken)]
        return tuple(sorted(taken))

    def _files(self, text: str) -> list[Span]:
        """Return where a file is named that was renamed."""
        matches = _REFERENCE.finditer(text) if self.renamed else ()
        return [Span(*match.span(), "file") for match in matches if PurePath(match[0]).name in self.renamed]

    # ---- names of files ----------------------------------------------------------------------------------------------

    def new_name(self, name: str) -> str:
        """Return the new name of a file or folder: its own, unless it holds personal data.

        In a name of a file a known name counts in small letters, too.
        """
        ending = PurePath(name).suffix
        words = re.sub(r"[_+]+|(?<=[a-z])(?=[A-Z])", " ", name.removesuffix(ending))
        personal = [*find(words), *titled(words), *self.known.find(words)]
        if personal or any(self.known.is_name(word) for word in re.split(r"[\s.\-]+", words)):
            return f"file-{self.pseudonyms.label(name.casefold())}{ending}"
        return name
