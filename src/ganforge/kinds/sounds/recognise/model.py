"""A trained recogniser, and its loading. Nothing here opens the training data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
import pandas as pd
import soxr
from scipy.special import softmax

from ganforge.contracts import Model, Observer
from ganforge.core.conversion import TellOf, convert_files, list_files
from ganforge.core.files import refuse_taken, write_whole
from ganforge.core.model_files import built, read_description
from ganforge.errors import DataError, InputError, did_you_mean, refused
from ganforge.kinds.sounds.features import LogMel
from ganforge.kinds.sounds.generate.grid import Grid, log_mel_of, to_levels
from ganforge.kinds.sounds.reading import SILENCE, SOUNDS_OF_FOLDERS, Samples
from ganforge.kinds.sounds.recognise.networks import METHODS, Recogniser
from ganforge.kinds.sounds.recognise.verdict import scores_of
from ganforge.kinds.sounds.sound_file import SMALLEST, read_sound
from ganforge.measures.classification import Scores
from ganforge.recipe import Network

FORMATS = (".csv", ".json")
COLUMNS = ("file", "label", "certainty")
Row: TypeAlias = tuple[str, str, float]
NEXT_STEPS = {"apply RUN sounds/ --out labels.csv": "the label of each of your sounds, and how certain it is"}


@dataclass(frozen=True, slots=True)
class SoundRecogniser(Model):
    """A trained recogniser: sounds in, labels with certainties out."""

    steps: ClassVar[Mapping[str, str]] = NEXT_STEPS

    network: Recogniser
    names: tuple[str, ...]
    grid: Grid

    def certainties(self, waveform: Samples, features: LogMel) -> Scores:
        """Return the certainty of each label (K,). Args: waveform (T,) at the model's rate.

        Raises: DataError for silence, and for a sound too short to hear.
        """
        if len(waveform) < SMALLEST or np.abs(waveform).max() <= SILENCE:
            what = f"{len(waveform)} samples are too few to hear" if len(waveform) < SMALLEST else "silence only"
            raise DataError(f"It holds {what}.", "A label is heard in a sound.")
        levels = to_levels(log_mel_of(waveform, self.grid, features), self.grid)
        scores = scores_of(self.network, levels[None, None], self.network.device)
        certainties: Scores = softmax(scores, axis=1)[0]
        return certainties

    # ---- contracts.Model

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Recognise a sound file, a folder of them, or a pair of a waveform, (T,) or (T, C), and its rate.

        Args: out a .csv or .json file; None for a data frame with the columns file, label and certainty; options force.
        A file of a folder that cannot be used is skipped and told.
        Raises: InputError, DataError for a file or if a folder has no usable one, StorageError.
        """
        if options.get("strength") is not None:
            raise InputError("--strength was given, and a recogniser has none.", "A vocoder has.", "Leave it out.")
        if out is not None:
            out = out.expanduser()
            if out.suffix.lower() not in FORMATS:
                raise InputError(
                    f"Labels cannot be written as {out.name!r}.",
                    did_you_mean(out.suffix, FORMATS),
                    f"Use one of {', '.join(FORMATS)}.",
                )
            refuse_taken(out, force=bool(options.get("force")))
        if not isinstance(source, str | Path):
            waveform, rate = cast(tuple[Any, int], source)
            mixed = np.asarray(waveform, np.float32).reshape(len(waveform), -1).mean(axis=1)
            at_rate = soxr.resample(mixed, rate, self.grid.mel.rate).astype(np.float32)
            rows = [self._row("", at_rate, LogMel(self.grid.mel))]
        else:
            rows = self._rows(Path(source).expanduser(), observers)
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        if out is None:
            return table
        text = (
            table.to_csv(index=False)
            if out.suffix.lower() == ".csv"
            else json.dumps(table.to_dict("records"), indent=2, ensure_ascii=False) + "\n"
        )
        write_whole(out, text.encode("utf-8", "surrogateescape"))
        return out

    def _row(self, name: str, waveform: Samples, features: LogMel) -> Row:
        certainties = self.certainties(waveform, features)
        best = int(certainties.argmax())
        return name, self.names[best], round(float(certainties[best]), 4)

    def _rows(self, path: Path, observers: Sequence[Observer]) -> list[Row]:
        """Return the row of each file, by its name within the folder."""
        features, rows, length = LogMel(self.grid.mel), list[Row](), self.grid.samples
        listing = list_files(path, SOUNDS_OF_FOLDERS)
        names = [Path(file.name) if path.is_file() else file.relative_to(path) for file in listing.found]

        def convert(file: Path, name: Path, tell: TellOf) -> Sequence[str]:
            waveform, notes = read_sound(file, self.grid.mel.rate).mean(axis=1), []
            try:
                rows.append(self._row(str(name), waveform, features))
            except DataError as error:
                raise DataError(f"{str(file)!r}: {error}") from error
            if len(waveform) > length + self.grid.mel.hop:
                notes.append(f"longer sounds are recognised by their first {length / self.grid.mel.rate:.2f} s")
            if len(names) == 1:
                notes.append(f"{name} is {rows[0][1]!r}, with a certainty of {rows[0][2]:.0%}")
            return notes

        pairs = list(zip(listing.found, names, strict=True))
        convert_files(path, listing, pairs, convert, observers, sought=SOUNDS_OF_FOLDERS, named=True)
        return rows


def load_recogniser(folder: Path, device: str = "cpu") -> SoundRecogniser:
    """Load the recogniser of a run, which may be untrusted; see core/model_files.py.

    Raises: RunError if it is missing or damaged.
    """
    content = read_description(folder)
    with refused(f"The model at {str(folder)!r}"):
        grid, network = Grid.model_validate(content["grid"]), Network.model_validate(content["network"])
        names, methods, members = tuple(content["labels"]), tuple(content["methods"]), content["members"]
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names) or len(names) < 2:
            raise ValueError("its labels are not different names")
        if not methods or not set(methods) <= set(METHODS) or not isinstance(members, int) or not 1 <= members <= 11:
            raise ValueError(f"its methods are {methods}, of {members} networks each")
        if grid.frames % 32 or grid.mel.bands % 32 or grid.frames > 4096:
            raise ValueError(f"its spectrograms are {grid.mel.bands} by {grid.frames}")
        found = built(folder, lambda: Recogniser(methods, members, len(names), network.need("width")))
        if not 0 <= int(found.chosen) < len(METHODS) or found.method not in methods or not found.temperature > 0:
            raise ValueError("it does not say which of its methods is used")
    return SoundRecogniser(found.to(device), names, grid)
