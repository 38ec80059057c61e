"""A trained restyler: lines in, the same lines in another style out. Nothing here opens the training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganforge.contracts import Model, Observer
from ganforge.core.files import refuse_taken, write_whole
from ganforge.core.model_files import built, read_description_of
from ganforge.core.sequences import END, PAD
from ganforge.errors import InputError, did_you_mean, refused
from ganforge.kinds.text.formats import given_lines
from ganforge.kinds.text.reading import refuse_unused
from ganforge.kinds.text.restyle.edits import Line
from ganforge.kinds.text.restyle.networks import LONGER, Rewriter
from ganforge.kinds.text.restyle.selection import NATURAL, Selection
from ganforge.kinds.text.units import Units
from ganforge.networks.language_model import padded
from ganforge.recipe import Network

COPY, TEMPLATE, SUFFIX, NEAREST, RERANKED, EXPECTED, NETWORK, SELECTED = METHODS = (
    "copy", "template", "constant suffix", "nearest line", "reranked template", "without the adversary", "network",
    "adversarial selection",
)  # fmt: skip
ENDING = ".txt"  # of what is written, or that of what is read
MOST_READ = 200  # units of a line that the network reads
AT_ONCE, BLOCK = 64, 2_000  # lines of a pass of the network; of which additions are chosen together
NEXT_STEPS = {
    "apply RUN mine.txt --out restyled.txt --to STYLE": "your lines in a style",
    "apply RUN mine.txt --out restyled.txt --to STYLE --strength 0.25": "half of them, those that gain most",
}


class Restyler(nn.Module):
    """What is stored: the network, the lines in which edits are found, and the adversary's prices for each style."""

    texts: Tensor  # (T,) UTF-8 of the lines, separated by line ends
    styles: Tensor  # (N,) style of each line
    constants: Tensor  # (K,) the addition of the constant suffix
    methods: Tensor  # (K,) place in METHODS of what is used

    def __init__(
        self, rewriter: Rewriter, texts: int, lines: int, additions: Sequence[int], probes: Sequence[int]
    ) -> None:
        """Args: texts bytes; lines how many; additions, probes of each style, whose prices and ranks are stored."""
        super().__init__()
        self.rewriter = rewriter
        self.register_buffer("texts", torch.zeros(texts, dtype=torch.uint8))
        self.register_buffer("styles", torch.zeros(lines, dtype=torch.uint8))
        for style, (count, ranked) in enumerate(zip(additions, probes, strict=True)):
            self.register_buffer(f"prices{style}", torch.zeros(3, count, dtype=torch.float64))
            self.register_buffer(f"ranks{style}", torch.zeros(ranked, dtype=torch.float64))
        self.register_buffer("constants", torch.zeros(len(additions), dtype=torch.int64))
        self.register_buffer("methods", torch.zeros(len(additions), dtype=torch.int64))

    def sizes(self) -> dict[str, Any]:
        """Return what it is built with, besides the rewriter."""
        styles = range(len(self.methods))
        return {
            "texts": len(self.texts),
            "lines": len(self.styles),
            "additions": [self.get_buffer(f"prices{style}").shape[1] for style in styles],
            "probes": [len(self.get_buffer(f"ranks{style}")) for style in styles],
        }


@dataclass(frozen=True)
class LineRestyler(Model):
    """A restyler with its styles and units."""

    product: Restyler
    names: tuple[str, ...]
    units: Units
    blanks: bool  # as of `Line.of`

    @cached_property
    def _stored(self) -> tuple[list[Line], NDArray[np.int64]]:
        texts = bytes(self._buffer("texts").numpy().tobytes()).decode().split("\n")
        return [Line.of(text, self.blanks) for text in texts], self._buffer("styles").numpy().astype(np.int64)

    @cached_property
    def selections(self) -> dict[int, Selection]:
        """Those that were found so far, by style."""
        return {}

    def selection(self, style: int) -> Selection:
        """Return the edits into a style, found again in the lines."""
        if style not in self.selections:
            self.selections[style] = self._found(style)
        return self.selections[style]

    def _found(self, style: int) -> Selection:
        lines, labels = self._stored
        return Selection.stored(
            lines, labels, style, self.units, self._buffer(f"prices{style}").numpy(),
            self._buffer(f"ranks{style}").numpy(), int(self._buffer("constants")[style]),
        )  # fmt: skip

    def restyled(self, texts: Sequence[str], style: int, strength: float, method: str) -> list[str]:
        """Return texts, one line each, in a style; what stands around them, and empty ones, stay as they are.

        Args: strength 0 to 1; method of METHODS.
        """
        bodies = [text.strip() for text in texts]
        full = [place for place, body in enumerate(bodies) if body]
        lines = [Line.of(bodies[place], self.blanks) for place in full]
        made = list(texts)
        if strength > 0:
            for place, line in zip(full, self.rewritten(lines, style, strength, method), strict=True):
                before, _, after = texts[place].partition(bodies[place])
                made[place] = before + line.text + after
        return made

    def rewritten(self, lines: Sequence[Line], style: int, strength: float, method: str) -> list[Line]:
        """Return lines in a style, so many at a time that memory stays flat."""
        made: list[Line] = []
        for first in range(0, len(lines), BLOCK):
            made += self._rewritten(lines[first : first + BLOCK], style, strength, method)
        return made

    def _rewritten(self, lines: Sequence[Line], style: int, strength: float, method: str) -> list[Line]:
        if method == NETWORK:
            return rewritten_by(self.product.rewriter, self.units, self.blanks, lines, style, strength)
        chosen = self.selection(style)
        if method == SELECTED:
            return chosen.selected(lines, strength)
        return {SUFFIX: chosen.suffix, NEAREST: chosen.nearest, TEMPLATE: chosen.template,
                RERANKED: chosen.reranked, EXPECTED: chosen.expected}.get(method, list)(lines)  # fmt: skip

    def everything(self, lines: Sequence[Line], style: int) -> dict[str, list[Line]]:
        """Return lines in a style by every method."""
        return {method: self.rewritten(lines, style, NATURAL, method) for method in METHODS}

    def _buffer(self, name: str) -> Tensor:
        buffer: Tensor = self.product.get_buffer(name).cpu()
        return buffer

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Put the lines of a text file, or a list of texts, into a style.

        Args: out a text file, with the same number of lines in the same order and the same line ends; None for a list;
        options `to` the style, `strength` 0 to 1, `force`.
        Raises: InputError, DataError for a file that is not text, StorageError.
        """
        refuse_unused(options, word="It is of a dictionary: lines are put into a style.")
        style, asked = self._style(options.get("to")), options.get("strength")
        used = METHODS[int(self._buffer("methods")[style])]
        method = SELECTED if asked is not None and used != NETWORK else used  # of the others none has a strength
        if out is not None:
            out = out.expanduser()
            own = Path(source).suffix.lower() if isinstance(source, str | Path) else ENDING
            if out.suffix.lower() not in (ENDING, own):
                what, why = f"Lines cannot be written as {str(out)!r}.", "They are written as text."
                raise InputError(what, why, f"Use a name that ends with {ENDING}.")
            refuse_taken(out, force=bool(options.get("force")))
        given = given_lines(source, observers, "put into a style")
        made = self.restyled(given, style, NATURAL if asked is None else float(asked), method)
        if out is None:
            return made
        write_whole(out, "".join(made).encode())
        return out

    def _style(self, asked: str | None) -> int:
        if asked is None:
            raise InputError(
                "It was not said which style.", f"There are {', '.join(self.names)}.", f"Add --to {self.names[-1]}"
            )
        if asked not in self.names:
            raise InputError(f"There is no style {asked!r}.", did_you_mean(asked, self.names))
        return self.names.index(asked)

    def next_steps(self) -> Mapping[str, str]:
        """Commands to use this model (contracts.Model)."""
        return {command.replace("STYLE", self.names[-1]): what for command, what in NEXT_STEPS.items()}


@torch.no_grad()
def rewritten_by(
    rewriter: Rewriter, units: Units, blanks: bool, lines: Sequence[Line], style: int, strength: float
) -> list[Line]:
    """Rewrite lines with the network. A line that is too long to be read stays as it is.

    Args: strength of the style, mixed with the mean of all; .5 and more is the style alone.
    """
    device, made = rewriter.bias.device, list(lines)
    encoded = units.encode_all([line.text for line in lines])
    order = sorted((place for place, one in enumerate(encoded) if 0 < len(one) <= MOST_READ),
                   key=lambda place: (len(encoded[place]), place))  # fmt: skip
    styles = rewriter.style.num_embeddings
    share = min(1.0, strength / NATURAL)
    told = torch.full((styles,), (1 - share) / styles, device=device)
    told[style] += share
    for first in range(0, len(order), AT_ONCE):
        some = order[first : first + AT_ONCE]
        x = padded([encoded[place] for place in some])[:, 1:].to(device)
        found = rewriter.written(x, told.expand(len(x), -1), x.shape[1] + LONGER).argmax(2).cpu()
        for place, row in zip(some, found.tolist(), strict=True):
            kept = row[: row.index(END)] if END in row else row
            made[place] = Line.of(units.decode([unit for unit in kept if unit != PAD]), blanks)
    return made


def load_restyler(folder: Path, device: str = "cpu") -> LineRestyler:
    """Load the restyler of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description_of(folder, "restyle", "a restyler")
    with refused(f"The model at {str(folder)!r}"):
        units, network = Units.of_content(content["units"]), Network.model_validate(content["network"])
        names, sizes = tuple(content["styles"]), content["sizes"]
        if len(names) < 2 or len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
            raise ValueError("its styles are not different names")
        numbers = [sizes["texts"], sizes["lines"], *sizes["additions"], *sizes["probes"]]
        if not all(type(number) is int and number >= 0 for number in numbers) or len(numbers) != 2 + 2 * len(names):
            raise ValueError("its sizes are not numbers")
        made = built(folder, lambda: Restyler(Rewriter(units.size, len(names), network.need("width")), **sizes))
        model = LineRestyler(made.to(device), names, units, bool(content["blanks"]))
        lines, labels = model._stored
        if len(lines) != len(labels) or set(labels.tolist()) != set(range(len(names))):
            raise ValueError("its lines are not in its styles")
        if not all(0 <= method < len(METHODS) for method in made.methods.tolist()):
            raise ValueError("it has no such method")
    return model
