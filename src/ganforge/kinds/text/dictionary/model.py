"""A trained dictionary, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import json
from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from torch import nn

from ganforge.contracts import Model, Observer
from ganforge.core.files import refuse_taken, write_whole
from ganforge.core.model_files import built, read_description_of
from ganforge.core.text_file import read_text
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.events import tell_note
from ganforge.kinds.text.dictionary.corpus import MOST_WORDS
from ganforge.kinds.text.dictionary.matching import BEST, Translations
from ganforge.kinds.text.dictionary.starts import JUDGED
from ganforge.kinds.text.dictionary.vectors import words_of
from ganforge.kinds.text.reading import refuse_unused
from ganforge.recipe import Section

TABLES, LINES = (".csv", ".json"), ".txt"
MOST_STARTS = 100
NEXT_STEPS = {
    "apply RUN --word WORD": "the five best translations of a word of either language",
    "apply RUN words.txt --out words.csv": "the same of a list of words, one a line, and which are certain",
    "apply RUN text.txt --out translated.txt": "a text, word by word",
}


class Stored(nn.Module):
    """What model.safetensors holds: translations of both languages, and what each beginning led to.

    Shape letters: V words of a language, S beginnings, J frequent words of the first language.
    """

    def __init__(self, counts: Sequence[int], starts: Sequence[str]) -> None:
        """Args: counts words of either language; starts names of the beginnings."""
        super().__init__()
        self.starts, judged = tuple(starts), min(JUDGED, *counts)
        for side, count in enumerate(counts):
            self.register_buffer(f"words_{side}", torch.zeros(count, BEST, dtype=torch.int64))
            self.register_buffer(f"scores_{side}", torch.zeros(count, BEST))
            self.register_buffer(f"certain_{side}", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("matches", torch.zeros(len(starts), judged, dtype=torch.int64))
        self.register_buffer("criteria", torch.zeros(len(starts)))
        self.register_buffer("chosen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("established", torch.zeros((), dtype=torch.bool))

    def fill(self, side: int, found: Translations, certain: Any) -> None:
        """Keep the translations of one language. Args: certain (V,) bool."""
        values = {"words": found.words, "scores": found.scores, "certain": certain}
        for name, value in values.items():
            self.get_buffer(f"{name}_{side}").copy_(torch.from_numpy(np.asarray(value)))

    def translations(self, side: int) -> Translations:
        return Translations(self.get_buffer(f"words_{side}").numpy(), self.get_buffer(f"scores_{side}").numpy())


class Described(Section):
    """What model.json says of a dictionary."""

    languages: tuple[str, str]
    words: tuple[tuple[str, ...], tuple[str, ...]] = Field(repr=False)
    starts: tuple[str, ...] = Field(min_length=1, max_length=MOST_STARTS)

    def stored(self) -> Stored:
        """Build what model.safetensors must hold. Raises: ValueError for words that are not a dictionary's."""
        if self.languages[0] == self.languages[1]:
            raise ValueError("its languages have one name")
        for words in self.words:
            if not BEST <= len(words) <= MOST_WORDS or len(set(words)) != len(words):
                raise ValueError(f"it has {len(words)} words, or one twice")
        return Stored([len(words) for words in self.words], self.starts)

    def opened(self, stored: Stored) -> Dictionary:
        """Return the dictionary. Raises: ValueError for translations that are not words of the other language."""
        for side, other in enumerate(reversed(self.words)):
            words = stored.translations(side).words
            if words.min() < 0 or words.max() >= len(other):
                raise ValueError("a translation is not a word of the other language")
        return Dictionary(self.languages, self.words, stored)


class Found(NamedTuple):
    """A word, and its best translations with their scores by CSLS."""

    word: str
    language: str  # that it is of
    certain: bool
    best: tuple[tuple[str, float], ...]

    def in_a_row(self) -> dict[str, Any]:
        """Return columns: the word, its language, whether it is certain, and all translations with their scores."""
        ends = ("", *(f"_{number}" for number in range(2, BEST + 1)))
        scored = [
            {f"translation{end}": other, f"score{end}": score}
            for end, (other, score) in zip(ends, self.best, strict=True)
        ]
        return {"word": self.word, "language": self.language, "certain": self.certain} | dict(ChainMap(*scored[::-1]))

    def in_rows(self) -> list[dict[str, Any]]:
        """Return a row for each translation."""
        return [
            {"word": self.word, "translation": other, "score": score, "language": self.language}
            | {"certain": self.certain and place == 0}  # what is certain is the best one
            for place, (other, score) in enumerate(self.best)
        ]


@dataclass(frozen=True)
class Dictionary(Model):
    """A trained dictionary between two languages: words in, their best translations out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    languages: tuple[str, str]
    words: tuple[tuple[str, ...], tuple[str, ...]]
    stored: Stored

    @property
    def established(self) -> bool:
        """Whether the languages were matched; if not, the translations mean nothing."""
        return bool(self.stored.get_buffer("established"))

    def found(self, word: str, to: str | None = None) -> Iterator[Found]:
        """Yield the best translations of a word for each language that has it. Args: to the language asked for."""
        for side, (language, index) in enumerate(zip(self.languages, self._indices, strict=True)):
            place = index.get(word.casefold())
            if place is None or to == language:
                continue
            best, certain = self.stored.translations(side), bool(self.stored.get_buffer(f"certain_{side}")[place])
            others = [self.words[1 - side][other] for other in best.words[place]]
            scores = [round(float(score), 3) for score in best.scores[place]]
            yield Found(word, language, certain, tuple(zip(others, scores, strict=True)))

    @cached_property
    def _indices(self) -> tuple[dict[str, int], ...]:
        return tuple({word: place for place, word in enumerate(words)} for words in self.words)

    def line(self, line: str, side: int) -> str:
        """Translate a line of one language word by word; words that are not known stay. Blanks are single."""
        index, best = self._indices[side], self.stored.translations(side).words[:, 0]
        return " ".join(self.words[1 - side][best[index[word]]] if word in index else word for word in words_of(line))

    def certain_words(self, line: str, side: int) -> list[str]:
        """Return the translations of the words of a line that are certain."""
        index, certain = self._indices[side], self.stored.get_buffer(f"certain_{side}")
        places = [index[word] for word in words_of(line) if word in index]
        best = self.stored.translations(side).words[:, 0]
        return [self.words[1 - side][best[place]] for place in places if certain[place]]

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Translate words, or lines word by word.

        Args: source a file of words, one a line, or of lines; a list of str; None with the option `word`. out a .csv or
            .json file of the best translations with scores, or a .txt file of lines; None for a data frame. options
            word, to (the language that is wanted), force. A word that is not known is told; it has an empty row.
        Raises: InputError, DataError, StorageError.
        """
        refuse_unused(options, strength="It is of a restyler: a dictionary has one translation of a text.")
        to = options.get("to")
        self.refuse_language(to)
        if out is not None:
            out = out.expanduser()
            if out.suffix.lower() not in (*TABLES, LINES):
                raise InputError(
                    f"Translations cannot be written as {out.name!r}.",
                    did_you_mean(out.suffix, (*TABLES, LINES)),
                    f"Use one of {', '.join((*TABLES, LINES))}.",
                )
            refuse_taken(out, force=bool(options.get("force")))
        lines = [options["word"]] if options.get("word") is not None else _lines(source)
        notes = [] if self.established else ["This dictionary is not established: its translations mean nothing"]
        if out is not None and out.suffix.lower() == LINES:
            side = self.side_of(lines, to)
            self.refuse_unknown(lines, side)
            text = "".join(self.line(line, side) + "\n" for line in lines)
            notes.append(f"{self.languages[side]!r} was translated word by word: the order of words stays")
            return _written(out, text, notes, observers)
        single = options.get("word") is not None
        rows, unknown = list[dict[str, Any]](), list[str]()
        for word in filter(None, map(str.strip, lines)):
            found = list(self.found(word, to))
            unknown += [word] * (not found)
            rows += [{"word": word}] * (not found and not single)
            for one in found:
                rows += one.in_rows() if single else [one.in_a_row()]
        if not any(row.keys() - {"word"} for row in rows):
            raise self._not_known(unknown, to)
        if unknown:
            more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
            notes.append(f"not among the words of the texts: {', '.join(map(repr, unknown[:3]))}{more}")
        table = pd.DataFrame(rows)
        if out is None:
            for sentence in notes:
                tell_note(observers, sentence, 1)
            return table
        text = table.to_csv(index=False) if out.suffix.lower() == ".csv" else _as_json(rows)
        return _written(out, text, notes, observers)

    def _not_known(self, unknown: Sequence[str], to: str | None) -> InputError:
        """Return the refusal of words of which none is known, or of no word at all."""
        if not unknown:
            return InputError("There is no word in it.", "Words are translated.", "Give one word a line.")
        word = unknown[0]
        if to is not None and next(self.found(word), None) is not None:
            other = self.languages[1 - self.languages.index(to)]
            return InputError(f"{word!r} is a word of {to!r} itself.", f"--to {to} was given.", f"Use --to {other}.")
        if len(words_of(word)) > 1:
            why = "It is several words, and one is translated at a time."
            return InputError(f"{word!r} is not known.", why, "Use: ganforge apply RUN text.txt --out translated.txt")
        near = get_close_matches(word.casefold(), [known for words in self.words for known in words], n=1)
        why = "Words are known that the two texts have several times."
        return InputError(f"The word {word!r} is not known.", why, f"Did you mean {near[0]!r}?" if near else "")

    def refuse_language(self, asked: str | None) -> None:
        """Refuse a language that is not one of both. Raises: InputError."""
        if asked is not None and asked not in self.languages:
            near = did_you_mean(asked, self.languages) or f"It has {' and '.join(self.languages)}."
            raise InputError(f"This run has no language {asked!r}.", near, "Name one of its own with --to.")

    def refuse_unknown(self, lines: Sequence[str], side: int) -> None:
        """Refuse lines of which no word is known: they would only be copied. Raises: InputError."""
        if not any(word in self._indices[side] for line in lines for word in words_of(line)):
            raise InputError(
                f"No word of it is a word of {self.languages[side]!r}.",
                "Words are known that the two texts have several times; others stay as they are.",
                f"Give a text in {' or '.join(map(repr, self.languages))}, and name the other one with --to.",
            )

    def side_of(self, lines: Sequence[str], to: str | None) -> int:
        """Return which language lines are of: that of most of their words, unless the other one is asked for."""
        if to is not None:
            return 1 - self.languages.index(to)
        seen = Counter(
            side for line in lines for word in words_of(line) for side in (0, 1) if word in self._indices[side]
        )
        return 1 if seen[1] > seen[0] else 0


def _lines(source: object) -> list[str]:
    """Read lines of a file or a list. Raises: DataError, InputError."""
    if isinstance(source, list | tuple) and all(isinstance(line, str) for line in source):
        return list(source)
    if not isinstance(source, str | Path):
        raise InputError(
            "No words were given.", "They are lines of a file, or one word.", "Use --word WORD, or a file."
        )
    return read_text(Path(source).expanduser())[0].splitlines()


def _as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _written(out: Path, text: str, notes: Sequence[str], observers: Sequence[Observer]) -> Path:
    write_whole(out, text.encode("utf-8", "surrogateescape"))
    for sentence in notes:
        tell_note(observers, sentence, 1)
    return out


def load_dictionary(folder: Path, device: str = "cpu") -> Dictionary:
    """Load the dictionary of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "dictionary", "a dictionary")
    with refused(f"The model at {str(folder)!r}"):
        described = Described.model_validate(content["dictionary"])
        return described.opened(built(folder, described.stored))
