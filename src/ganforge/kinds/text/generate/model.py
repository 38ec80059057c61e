"""A trained writer of texts, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Model
from ganforge.core.device import torch_threads
from ganforge.core.files import refuse_taken, write_through
from ganforge.core.labels import Labels
from ganforge.core.model_files import built, read_description_of
from ganforge.core.seeds import generator_for
from ganforge.core.sequences import Ids
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.kinds.text.generate.plan import Writing, build_model
from ganforge.kinds.text.generate.selection import BITS, Guide
from ganforge.kinds.text.generate.vocabulary import Vocabulary
from ganforge.networks.language_model import LanguageModel, draw_texts
from ganforge.recipe import Data, Network

GUIDED = (0.8, 1.0)  # temperatures at which a guide is learned; between them their weights are mixed
BLOCK = 500  # texts drawn at once: another number would give other texts for the same seed
ENDINGS = (".txt", ".jsonl", ".csv")
MOST_DRAWN = 10**9  # texts at once
MOST_TRIES = 200  # texts that are drawn for one that holds a word
NEXT_STEPS = {
    "sample RUN -n 100 --out new.txt": "new texts",
    "sample RUN -n 100 --temperature 1 --out new.jsonl": "more varied ones",
}


class Writer(nn.Module):
    """A language model, the guides of its temperatures, and what is drawn when nothing is asked."""

    guides: Tensor
    ranked: Tensor
    strength: Tensor
    temperature: Tensor

    def __init__(self, network: LanguageModel) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("guides", torch.zeros(len(GUIDED), 2**BITS))
        self.register_buffer("ranked", torch.zeros(len(GUIDED)))  # how well the first discriminators ranked texts
        self.register_buffer("strength", torch.zeros(()))  # 0: the guides do not help
        self.register_buffer("temperature", torch.ones(()))

    def guide(self, temperature: float, strength: float, most: int) -> Guide | None:
        """Return the guide at a temperature; None where there is none."""
        if strength == 0 or not self.guides.any():
            return None
        weights = self.guides.cpu().numpy()
        share = float(np.interp(temperature, GUIDED, (0.0, 1.0)))
        return Guide((strength * ((1 - share) * weights[0] + share * weights[1])).astype(np.float32), most)


@dataclass(frozen=True, slots=True)
class Asked:
    """What texts are asked for."""

    temperature: float
    strength: float  # of the guide, 0..1
    prompt: str = ""
    contains: str = ""


@dataclass(frozen=True, slots=True)
class TextModel(Model):
    """A trained writer: draws texts unit after unit."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    writer: Writer
    vocabulary: Vocabulary
    labels: Labels
    longest: int  # units of a text

    def draw(
        self, count: int, asked: Asked, labels: NDArray[np.int64] | None, seed: int, purpose: str = "sample texts"
    ) -> list[Ids]:
        """Draw texts as units. The first ones do not depend on `count`. Args: labels (count,)."""
        guide = self.writer.guide(asked.temperature, asked.strength, self.vocabulary.most)
        return self.draw_with(guide, count, asked, labels, seed, purpose)

    def draw_with(
        self, guide: Guide | None, count: int, asked: Asked, labels: NDArray[np.int64] | None, seed: int, purpose: str
    ) -> list[Ids]:
        """Draw texts as units with a given guide."""
        prompt = next(self.vocabulary.encoded([asked.prompt.rstrip(" ")])).tolist() if asked.prompt else []
        found: list[Ids] = []
        for first in range(0, count, BLOCK):
            of = None if labels is None else np.resize(labels[first : first + BLOCK], BLOCK)
            found += draw_texts(
                self.writer.network,
                BLOCK,
                generator_for(seed, purpose, step=first),
                temperature=asked.temperature,
                longest=self.longest,
                prompt=prompt,
                labels=of,
                banned=self.vocabulary.banned,
                steering=guide,
            )
        return [text[len(prompt) :] for text in found[:count]]

    # ---- contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> TextSamples:
        """Sample texts. Args: asked: temperature, strength, prompt, label, contains. Raises: InputError."""
        if not 1 <= count <= MOST_DRAWN:
            raise InputError(f"{count} texts cannot be drawn.", f"It is a whole number from 1 to {MOST_DRAWN:,}.")
        usual = Asked(round(float(self.writer.temperature), 2), float(self.writer.strength))
        temperature, strength = asked.get("temperature", usual.temperature), asked.get("strength", usual.strength)
        prompt = " ".join(str(asked.get("prompt", "")).splitlines())
        if len(next(self.vocabulary.encoded([prompt]))) >= self.longest:
            raise InputError(
                f"The prompt {prompt[:40]!r}... is as long as a whole text.",
                f"A text has at most {self.longest} {self.vocabulary.name}.",
                "Give a shorter one.",
            )
        chosen = self.labels.index(asked["label"]) if "label" in asked else None
        return TextSamples(self, count, Asked(temperature, strength, prompt, asked.get("contains", "")), chosen, seed)

    def write(self, samples: TextSamples, out: Path, *, force: bool) -> Path:
        """Write a .txt with a text a line, or a .jsonl or .csv file with labels. Raises: InputError, StorageError."""
        if out.suffix.lower() not in ENDINGS:
            near = did_you_mean(out.suffix, ENDINGS)
            raise InputError(f"Texts cannot be written as {str(out)!r}.", near, f"Use one of {', '.join(ENDINGS)}.")
        refuse_taken(out, force=force)
        write_through(
            out, lambda file: self._fill(io.TextIOWrapper(file, "utf-8", newline=""), out.suffix.lower(), samples)
        )
        return out

    def _fill(self, file: io.TextIOWrapper, ending: str, samples: TextSamples) -> None:
        names, rows = self.labels.names, csv.writer(file, lineterminator="\n")
        if ending == ".csv":
            rows.writerow(["text", "label"] if names else ["text"])
        for text, label in samples.labelled():
            told = [names[label]] if label is not None else []
            if ending == ".csv":
                rows.writerow([text, *told])
            elif ending == ".jsonl":
                one = {"text": text, **({"label": told[0]} if told else {})}
                file.write(json.dumps(one, ensure_ascii=False) + "\n")
            else:  # a text of several lines is a paragraph: an empty line ends it
                file.write(text + ("\n\n" if "\n" in text else "\n"))
        file.flush()
        file.detach()


@dataclass(slots=True)
class TextSamples:
    """Texts drawn on demand (contracts.Samples)."""

    model: TextModel
    count: int
    asked: Asked
    label: int | None  # None: labels as often as in training
    seed: int
    notes: list[str] = field(default_factory=list)

    def labelled(self) -> Iterator[tuple[str, int | None]]:
        """Yield each text with its label. Raises: InputError if hardly any holds the word that was asked for."""
        found = self._drawn()
        if not self.asked.contains:
            yield from islice(found, self.count)
            return
        wanted = _holding(self.asked.contains, whole_words=self.model.vocabulary.name != "characters")
        tries = max(10_000, MOST_TRIES * self.count)
        kept = 0
        for text, label in islice(found, tries):
            if wanted(text):
                kept += 1
                yield text, label
            if kept == self.count:
                return
        raise InputError(
            f"Of {tries:,} texts {kept:,} hold {self.asked.contains!r}.",
            f"That is too few for {self.count:,}: it is rare in the training texts, or not there.",
            "Ask for another word or fewer texts, or begin with it: --prompt.",
        )

    def blocks(self) -> Iterator[list[str]]:
        """Yield some texts at a time."""
        found = self.labelled()
        while block := [text for text, _ in islice(found, BLOCK)]:
            yield block

    def value(self) -> list[str]:
        """All texts."""
        return [text for text, _ in self.labelled()]

    def _drawn(self) -> Iterator[tuple[str, int | None]]:
        model, prompt, step = self.model, self.asked.prompt.rstrip(" "), 0
        while True:
            seed = self.seed + (step << 32)
            labels = model.labels.draw(BLOCK, seed) if self.label is None else np.full(BLOCK, self.label)
            with torch_threads(1):  # of small products; two wait for each other (docs/decisions/012)
                drawn = model.draw(BLOCK, self.asked, labels, seed)
            for place, ids in enumerate(drawn):
                yield model.vocabulary.text_of(ids, prompt), None if labels is None else int(labels[place])
            step += 1


def _holding(word: str, *, whole_words: bool) -> Any:
    edges = (r"(?<!\w)", r"(?!\w)") if whole_words else ("", "")
    return re.compile(edges[0] + re.escape(word) + edges[1]).search


def load_writer(folder: Path, device: str = "cpu") -> TextModel:
    """Load the writer of a run, which may be untrusted. Raises: RunError if it is missing or damaged."""
    content = read_description_of(folder, "generate", "a writer of texts")
    with refused(f"The model at {str(folder)!r}"):
        data, network = Data.model_validate(content["data"]), Network.model_validate(content["network"])
        chosen, vocabulary = Writing.model_validate(content["text"]), Vocabulary.of_content(content["units"])
        if vocabulary.size != chosen.size or len(data.shape) != 1 or not 2 < data.shape[0] <= 100_000:
            raise ValueError("its units do not fit its network")
        labels = Labels(data.label_names, tuple(content["label_shares"]))
        writer = built(folder, lambda: Writer(build_model(network, data, chosen))).to(device)
    return TextModel(writer, vocabulary, labels, data.shape[0] - 2)
