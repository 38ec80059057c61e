"""Names of persons in texts: behind a title or a greeting, and those that are known from the columns of the call.

Nothing here knows a language. A name that stands in a text without a title, and in no column, is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ganforge.privacy.anonymise.patterns import Span

SHORTEST_NAME, SHORTEST_CODE = 3, 6  # letters of a name, and signs of a number, that are searched by themselves
MOST_WORDS = 3  # of a name behind a title, without particles
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_TOKEN = re.compile(r"\w(?:[\w/.-]*\w)?")
PARTICLES = frozenset(
    ("von", "van", "der", "den", "de", "del", "della", "di", "da", "du", "la", "le", "los", "zu", "y", "el")
)
_TITLE = re.compile(
    r"(?<!\w)(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Herrn?|Frau|Mme|Mlle|Monsieur|Madame|Mademoiselle|Sra|Srta|"
    r"Señora?|"
    r"Señorita|Doña|Don|Signora|Signor|Sig|Sig\.ra|Dott|Dott\.ssa|Dottoressa|Sir|Lady|Lord|Doctor|Doktor|Docteur)\.?|"
    r"(?:Hr|Fr|M|Sr|Pr)\.)\s{1,2}(?=[^\W\d_])"
)
_GREETING = re.compile(
    r"(?<!\w)(?:(?:Dear|Lieber?|Chère?|Querid[oa]|Estimad[oa]|Car[oa]|Gentile)\s|(?:[Mm]y name is|(?:ich heiße|"
    r"mein Name ist|"
    r"[Jj]e m'appelle|[Mm]e llamo|[Mm]i chiamo))\s)(?=[^\W\d_])"
)  # fmt: skip
_NO_NAME_WORDS = (
    "President Minister Speaker Chairman Chair Madam Sir All Team Customer Customers Client Colleagues Friends Friend "
    "Members Kunde Kundin Kollegen Freunde Gäste Clients Clienti Cliente Collègues Amigos Tutti Sirs Editor Santa "
    "Diary "
    "Ladies Everyone Everybody Students Parents Eltern Jury Mr Mrs Ms Dr Prof Herr Frau Mme Doktor Doctor I God"
)
_NO_NAMES = frozenset(_NO_NAME_WORDS.split())  # capitalised words that stand behind a title or a greeting, too


class Known:
    """What the columns of a call hold, to be found in its texts too."""

    def __init__(self) -> None:
        self._names: set[str] = set()  # words, as they are written
        self._ordinary: set[str] = set()  # words that some text has in lower case
        self._codes: dict[str, str] = {}

    def add_names(self, values: Iterable[str]) -> None:
        """Add the cells of a column of names."""
        for value in values:
            words = [match[0] for match in _WORD.finditer(value)]
            self._names.update(
                word.casefold()
                for word in words
                if len(word) >= SHORTEST_NAME and not word.islower() and word not in _NO_NAMES
            )

    def add_codes(self, kind: str, values: Iterable[str]) -> None:
        """Add the cells of a column of numbers or codes, where they are long enough not to be something else."""
        for value in map(str.strip, values):
            if len(value) >= SHORTEST_CODE and any(map(str.isdigit, value)) and _TOKEN.fullmatch(value):
                self._codes.setdefault(value, kind)

    def add_text(self, text: str) -> None:
        """Note which words a text has in lower case: such a name alone, at the beginning of a sentence, may be one."""
        self._ordinary.update(word for word in _WORD.findall(text) if word.islower())

    def is_name(self, word: str) -> bool:
        """Return whether a word, in any case, is part of a known name."""
        return word.casefold() in self._names

    def find(self, text: str) -> Iterator[Span]:
        """Yield the known names and codes in a text."""
        if self._codes:
            yield from (
                Span(*match.span(), self._codes[match[0]]) for match in _TOKEN.finditer(text) if match[0] in self._codes
            )
        run: list[re.Match[str]] = []
        for match in (*_WORD.finditer(text), None) if self._names else ():
            if run and (match is None or not self._goes_on(text[run[-1].end() : match.start()])):
                yield from self._as_span(run)
                run = []
            if match and not match[0].islower() and match[0].casefold() in self._names:
                run.append(match)
            elif run:
                yield from self._as_span(run)
                run = []

    @staticmethod
    def _goes_on(between: str) -> bool:
        return between in (" ", ", ", "-")

    def _as_span(self, run: list[re.Match[str]]) -> Iterator[Span]:
        if len(run) > 1 or run[0][0].casefold() not in self._ordinary:
            yield Span(run[0].start(), run[-1].end(), "name")


def titled(text: str) -> Iterator[Span]:
    """Yield the names behind titles, greetings and "my name is"."""
    for form in (_TITLE, _GREETING):
        for match in form.finditer(text):
            end = _end_of_name(text, match.end())
            if end > match.end():
                yield Span(match.end(), end, "name")


def _end_of_name(text: str, first: int) -> int:
    """Return where a name ends that begins at a place; that place if there is none."""
    end = place = first
    count = 0
    while count < MOST_WORDS and (word := _WORD.match(text, place)):
        if word[0][0].isupper() and word[0] not in _NO_NAMES:
            end, count = word.end(), count + 1
            if len(word[0]) == 1 and text[end : end + 1] == ".":  # an initial
                end += 1
        elif word[0] not in PARTICLES:
            break
        else:
            place = word.end() + 1
            continue
        if text[end : end + 1] != " ":
            break
        place = end + 1
    return end


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the union of names that overlap or touch, in order; of others the first that was found."""
    kept: list[Span] = []
    for span in sorted(spans):
        if kept and span.first < kept[-1].last:
            kept[-1] = kept[-1]._replace(last=max(kept[-1].last, span.last))
        else:
            kept.append(span)
    return kept
