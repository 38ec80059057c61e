"""A trained translator: lines of one language in, lines of the other out. Nothing here opens the training data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganforge.contracts import Model, Observer
from ganforge.core.files import refuse_taken, write_whole
from ganforge.core.model_files import built, read_description_of
from ganforge.core.sequences import END, PAD
from ganforge.errors import InputError, refused
from ganforge.events import tell_note
from ganforge.kinds.text.dictionary.model import LINES, TABLES, Described, Dictionary, Stored
from ganforge.kinds.text.formats import given_lines
from ganforge.kinds.text.reading import refuse_unused
from ganforge.kinds.text.translate.networks import Translator
from ganforge.kinds.text.units import Units
from ganforge.networks.language_model import padded
from ganforge.recipe import Network

COPY, WORDS, NETWORK = METHODS = ("copy", "word by word", "network")
AT_ONCE = 64  # texts in one pass
LONGER, FACTOR = 8, 1.5  # units by which a translation may be longer, besides so many times the source's
MOST_UNITS = 1_000  # of a row of a model file
SENTENCE_END = re.compile(r"(?<=[.!?\u2026])\s+|(?<=[\u3002\uff01\uff1f])\s*")
NEXT_STEPS = {
    "apply RUN text.txt --out translated.txt": "a text, line by line, in the other language",
    "apply RUN --word WORD": "the five best translations of a word of either language",
    "apply RUN words.txt --out words.csv": "the same of a list of words, one a line, and which are certain",
}


class StoredTranslator(nn.Module):
    """What model.safetensors holds: the network, the dictionary, and what translates into each language.

    The network may be on another device than the others, which are read on the processor.
    """

    methods: Tensor  # (2,) place in METHODS of what is used, by the language that is wanted

    def __init__(self, translator: Translator, words: Stored) -> None:
        super().__init__()
        self.translator, self.words = translator, words
        self.register_buffer("methods", torch.full((2,), METHODS.index(NETWORK)))


@dataclass(frozen=True)
class SentenceTranslator(Model):
    """A translator of lines between two languages, and of words by its dictionary."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    product: StoredTranslator
    dictionary: Dictionary
    units: Units
    longest: int  # units of a sentence that it has learned from

    def translated(self, texts: Sequence[str], to: int, method: str | None = None) -> list[str]:
        """Translate texts, one line each; what stands around them, and empty ones, stay as they are.

        Args: to the place of the language that is wanted; method of METHODS, by default what is used for it.
        """
        method = method or METHODS[int(self.product.methods[to])]
        bodies = [text.strip() for text in texts]
        if method == NETWORK:
            parts = [[part for part in SENTENCE_END.split(body) if part] for body in bodies]
            every = iter(self.by_network([part for own in parts for part in own], to))
            made = [" ".join(next(every) for _ in own) for own in parts]
        else:
            made = [self.dictionary.line(body, 1 - to) for body in bodies] if method == WORDS else bodies
        return [
            text.replace(body, line, 1) if body else text for text, body, line in zip(texts, bodies, made, strict=True)
        ]

    @torch.no_grad()
    def by_network(self, sentences: Sequence[str], to: int) -> list[str]:
        """Translate sentences with the network, pieces of those that are longer than any that it has learned from."""
        pieces, places = list[Any](), list[int]()
        for place, ids in enumerate(self.units.encoded(sentences)):
            for first in range(0, len(ids), self.longest):
                pieces.append(ids[first : first + self.longest])
                places.append(place)
        made, network = [""] * len(sentences), self.product.translator
        device, found = network.bias.device, [""] * len(pieces)
        order = sorted(range(len(pieces)), key=lambda place: (len(pieces[place]), place))
        for first in range(0, len(order), AT_ONCE):
            some = order[first : first + AT_ONCE]
            x = padded([pieces[place] for place in some])[:, 1:].to(device)
            wanted = torch.full((len(x),), to, device=device)
            rows = network.written(x, wanted, int(FACTOR * x.shape[1]) + LONGER).cpu().tolist()
            for place, row in zip(some, rows, strict=True):
                found[place] = self.units.decode([unit for unit in row[: row.index(END)] if unit != PAD])
        for place, text in zip(places, found, strict=True):
            made[place] = f"{made[place]} {text}".strip()
        return made

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Translate the lines of a text file, or a list of texts; words as a dictionary does, if a table is wanted.

        Args: out a .txt file, with the same number of lines in the same order and the same line ends; a .csv or .json
            file for words; None for a list. options `word`, `to` the language that is wanted, `force`.
        Raises: InputError, DataError for a file that is not text, StorageError.
        """
        refuse_unused(options, strength="It is of a restyler: a translator has one translation of a text.")
        if options.get("word") is not None or (out is not None and out.suffix.lower() in TABLES):
            return self.dictionary.apply(source, out, options, observers)
        languages, asked = self.dictionary.languages, options.get("to")
        self.dictionary.refuse_language(asked)
        if out is not None:
            out = out.expanduser()
            if out.suffix.lower() != LINES:
                raise InputError(
                    f"Translations cannot be written as {out.name!r}.", "Lines are written as text, words as a table.",
                    f"Use one of {', '.join((LINES, *TABLES))}.",
                )  # fmt: skip
            refuse_taken(out, force=bool(options.get("force")))
        given = given_lines(source, observers, "translated")
        side = self.dictionary.side_of(given, asked)
        self.dictionary.refuse_unknown(given, side)
        to = 1 - side
        method = METHODS[int(self.product.methods[to])]
        if method == WORDS:
            tell_note(observers, f"{languages[side]!r} was translated word by word: the order of words stays", 1)
        made = self.translated(given, to)
        if out is None:
            return made
        write_whole(out, "".join(made).encode())
        return out


def load_translator(folder: Path, device: str = "cpu") -> SentenceTranslator:
    """Load the translator of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "translate", "a translator")
    with refused(f"The model at {str(folder)!r}"):
        units, network = Units.of_content(content["units"]), Network.model_validate(content["network"])
        described, longest = Described.model_validate(content["dictionary"]), content["longest"]
        if type(longest) is not int or not 0 < longest <= MOST_UNITS:
            raise ValueError("its sentences have no length")
        width = network.need("width")
        made = built(folder, lambda: StoredTranslator(Translator(units.size, width), described.stored()))
        if not all(0 <= method < len(METHODS) for method in made.methods.tolist()):
            raise ValueError("it has no such method")
        made.translator.to(device)
        return SentenceTranslator(made, described.opened(made.words), units, longest)
