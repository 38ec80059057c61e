"""TableGAN: tables with the interface of scikit-learn.

from ganforge import TableGAN

model = TableGAN(minutes=2, seed=0).fit(frame)
model.sample(1000, where={"sex": "Female", "age": (60, None)})
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ganforge.api.train import train
from ganforge.core.files import DAMAGED, MANIFEST, parse_json, refuse_taken, write_folder, write_through, write_whole
from ganforge.errors import InputError
from ganforge.kinds import kind_named, read_options, recognise, refuse_of_others
from ganforge.kinds.tables.generate.model import load_rows
from ganforge.records import Record
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.tables.generate.model import RowModel

Where: TypeAlias = str | Sequence[str] | Mapping[str, Any] | None
MODEL = ("model.json", "model.safetensors")
MEMBERS = (*MODEL, "evaluation.json")  # of a saved model
UNUSABLE = (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError, SafetensorError)


class TableGAN(BaseEstimator):  # type: ignore[misc]
    """A generative adversarial network for a table: draws new rows, also under conditions, and fills missing cells.

    Args:
        minutes: how long `fit` trains, in clock time; the evaluation comes on top. Not used if examples are given.
        seed: of all randomness in training.
        examples: rows to show, however long it takes.
        size: of the networks: tiny, small, base or large; None lets the plan choose.
        rules: for every generated row, besides the rules that are found, such as "start <= end".
        columns: name -> kind, to override the kind that is found: integer, decimal, category, boolean,
            datetime, identifier or constant.
        label: the column whose prediction the evaluation judges, besides others; by default the y of `fit`.
        values: "seen" draws numbers from training values, and near rare ones, "smooth" from a curve through them.
        settings: any other choice of the plan, "section.key" -> value.
        verbose: prints how good the rows are while it trains.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what get_params gives
        self,
        minutes: float = 2,
        seed: int = 0,
        examples: int | None = None,
        size: str | None = None,
        rules: Sequence[str] = (),
        columns: Mapping[str, str] | None = None,
        label: str | None = None,
        values: str = "seen",
        settings: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.minutes = minutes
        self.seed = seed
        self.examples = examples
        self.size = size
        self.rules = rules
        self.columns = columns
        self.label = label
        self.values = values
        self.settings = settings
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Train on a table and evaluate the result. Warn (UserWarning) of possible mistakes in the data.

        Args: X a data frame (pandas, polars, pyarrow), an array (N, F), whose columns become x0, x1 ..., or the path of
            a table. y (N,) becomes one more column, named y or as the series is.
        Raises: DataError, RecipeError, InputError.
        """
        source, target = _with_target(X, y)
        self.label_ = target if self.label is None else self.label
        watch = _Watch(self.verbose)
        with tempfile.TemporaryDirectory(prefix="ganforge-") as place:
            asked: dict[str, Any] = {
                "task": "generate",
                "minutes": self.minutes if self.examples is None else None,
                "examples": self.examples,
                "size": self.size,
                "seed": self.seed,
                "label": self.label_,
                "rules": tuple(self.rules),
                "plan": _write_plan(Path(place, "plan.json"), self.columns),
                "settings": _plain({"rows.values": self.values, **(self.settings or {})}),
            }
            folder = Run(train(source, run=Path(place, "run"), observers=(watch,), **_plain(asked)).folder)
            self._take({name: (folder.model / name).read_bytes() for name in MODEL})
            self.evaluation_ = folder.read_json(folder.evaluation)
            self.rows_ = int(folder.read_json(folder.passport)["rows"])
        for sentence in watch.warnings:
            warnings.warn(sentence, UserWarning, stacklevel=2)
        return self

    def sample(self, n: int | None = None, where: Where = None, seed: int = 0, **options: Any) -> pd.DataFrame:
        """Draw n new rows, by default as many as in training, with the table's dtypes, order and forms of columns.

        Args: where conditions that every row meets: {"sex": "Female", "age": (60, None)} or ["sex=Female", "age>=60"].
            options: given, a frame of some columns, to each of whose rows one is made, instead of n; balance, shares
            of values of a column: {"income": {">50K": 0.5}}; fair, a column that is made independent of another one:
            "income ~ sex"; temperature in 0.1..2, 1 as learned.
        Raises: NotFittedError; InputError for an impossible condition, an invalid number or another option; DataError
            for given cells that training never saw.
        """
        check_is_fitted(self)
        asked = read_options("sample", {**options, "where": where})
        refuse_of_others(kind_named("tables"), "sample", asked, "a TableGAN draws rows")
        return self.model_.sample(self.rows_ if n is None else n, asked, seed).value()

    def impute(self, X: Any, draw: bool = False, seed: int = 0) -> pd.DataFrame:  # noqa: N803
        """Fill every missing cell of a learned column; other cells stay as they are.

        Args: X a table with the columns that were learned; draw: a value drawn for each cell, so that the filled table
            varies as the real one does, instead of the best guess.
        Raises: NotFittedError; DataError if columns are missing or of another kind.
        """
        check_is_fitted(self)
        filled: pd.DataFrame = self.model_.apply(X, None, {"draw": draw, "seed": seed}, ())
        return filled.set_index(X.index) if isinstance(X, pd.DataFrame) else filled

    def predict(self, X: Any, column: str | None = None, seed: int = 0) -> NDArray[Any]:  # noqa: N803
        """Predict a column from the others: (N,), by default the label.

        Args: X a table with the other columns that were learned; what it holds in `column` is not looked at.
        Raises: NotFittedError; InputError for a column that cannot be predicted; DataError if others are missing.
        """
        name = self._label(column)
        found: NDArray[Any] = self._apply(X, predict=name, seed=seed)[f"{name}_predicted"].to_numpy()
        return found

    def predict_proba(self, X: Any, column: str | None = None, seed: int = 0) -> pd.DataFrame:  # noqa: N803
        """Return how likely each class of a column is: a frame (N, K) with a column for each. As `predict`."""
        name = self._label(column)
        found = self._apply(X, predict=name, probabilities=True, seed=seed)
        start = f"{name}_probability_"
        chances = found[[each for each in found.columns if str(each).startswith(start)]]
        if chances.empty:
            raise InputError(f"{name!r} is a number and has no classes.", "", "Use: predict")
        return chances.rename(columns=lambda each: str(each).removeprefix(start))

    def score_samples(self, X: Any, seed: int = 0) -> NDArray[np.float64]:  # noqa: N803
        """Return the log-likelihood of rows, (N,), as the model estimates it: the lower, the more unusual.

        Args: X a table with the columns that were learned. Raises: NotFittedError; DataError if columns are missing.
        """
        scores: NDArray[np.float64] = -self._apply(X, score=True, seed=seed)["anomaly_score"].to_numpy()
        return scores

    def _apply(self, X: Any, **options: Any) -> pd.DataFrame:  # noqa: N803
        check_is_fitted(self)
        applied: pd.DataFrame = self.model_.apply(X, None, options, ())
        return applied

    def _label(self, column: str | None) -> str:
        """Return the column to predict. Raises: InputError if there is none."""
        check_is_fitted(self)
        if column is None and self.label_ is None:
            raise InputError("No column to predict was named.", "The model has no label.", 'Give column="...".')
        return str(self.label_ if column is None else column)

    def evaluate(self) -> dict[str, Any]:
        """Return every measure with its floor and its rivals, and the verdict, as `fit` found them."""
        check_is_fitted(self)
        return deepcopy(self.evaluation_)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the model and its evaluation as one file, whole or not at all. Nothing in it is a pickle.

        Raises: NotFittedError; InputError if the file exists already, unless force replaces it; StorageError.
        """
        check_is_fitted(self)
        description = json.loads(self.files_["model.json"])
        description["estimator"] = {"parameters": _plain(self.get_params()), "rows": self.rows_}
        if self.label_ is not None:
            description["estimator"]["label"] = self.label_
        members = {
            "model.json": (json.dumps(description, ensure_ascii=False) + "\n").encode(),
            "model.safetensors": self.files_["model.safetensors"],
            "evaluation.json": (json.dumps(self.evaluation_, indent=2) + "\n").encode(),
        }
        return write_bundle(path, members, force=force)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load the model that `save` wrote. Every byte is checked first, and nothing in the file is executed.

        Raises: InputError if there is no such file, it is damaged, or holds anything else.
        """
        members = read_bundle(path, MEMBERS)
        try:
            told = parse_json(members["model.json"])["estimator"]
            parameters = told["parameters"]
            model = cls(**{**parameters, "rules": tuple(parameters["rules"])})
            model._take({name: members[name] for name in MODEL})
            model.evaluation_ = dict(parse_json(members["evaluation.json"]))
            model.rows_ = int(told["rows"])
            model.label_ = None if told.get("label") is None else str(told["label"])
        except UNUSABLE as error:
            raise InputError(
                f"{str(path)!r} is not a saved TableGAN: {type(error).__name__}: {error}.",
                "Its parts do not fit together.",
                "Give a file that `save` of this version wrote.",
            ) from error
        return model

    def _take(self, files: Mapping[str, bytes]) -> None:
        """Take on the model in these files, which are kept for `save`."""
        with tempfile.TemporaryDirectory(prefix="ganforge-") as place:
            folder = Path(place, "model")
            write_folder(folder, lambda empty: _write(files, empty))
            self.model_: RowModel = load_rows(folder)
        self.files_ = dict(files)


class _Watch:
    """An observer that prints quality if asked, and keeps the notes about the data."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self.warnings: list[str] = []

    def record(self, record: Record) -> None:
        if self._verbose and (quality := record.get("quality")):
            measures = ", ".join(f"{k} {v:.3f}" for k, v in quality.items() if not k.endswith(("_low", "_high")))
            print(f"{record['examples']:,} examples, {record['seconds']:.0f} s: {measures}")

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "warned":
            self.warnings.append(str(event["sentence"]))


def _with_target(X: Any, y: Any) -> tuple[Any, str | None]:  # noqa: N803
    """Return the table with y as its last column, and that column's name, None without one."""
    if isinstance(X, str | Path):
        kind, claim = recognise(X)
        if y is not None or kind.name != "tables":
            why = "y can only be added to a frame" if y is not None else f"it holds {kind.name}: {claim.why}"
            raise InputError(f"{str(X)!r} cannot be learned: {why}.", do="Give a data frame, or the path of a table.")
        return X, None
    if isinstance(X, np.ndarray):
        if X.ndim != 2:
            raise InputError(
                f"An array of shape {X.shape} is not a table.", "A table has rows and columns.", "Give (N, F)."
            )
        X = pd.DataFrame(X, columns=[f"x{number}" for number in range(X.shape[1])])  # noqa: N806
    if not isinstance(X, pd.DataFrame) and not hasattr(X, "to_pandas"):
        raise InputError(
            f"A {type(X).__name__} is not a table.", "A table is a data frame, an array (N, F), or a path.", "Give one."
        )
    if y is None:
        return X, None
    frame = X if isinstance(X, pd.DataFrame) else X.to_pandas()
    name = str(getattr(y, "name", None) or "y")
    if name in map(str, frame.columns):
        raise InputError(f"X has a column {name!r} already.", "y is of the same name.", "Rename one of them.")
    if np.shape(y) != (len(frame),):
        raise InputError(
            f"y has the shape {np.shape(y)}, and X {len(frame)} rows.", "Each row has one y.", "Give (N,)."
        )
    return frame.assign(**{name: y.array if isinstance(y, pd.Series) else np.asarray(y)}), name


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert numpy's numbers, which parameter searches pass, to Python's."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in plain.items()}


def _write(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _write_plan(path: Path, columns: Mapping[str, str] | None) -> str | None:
    """Write a plan.json that sets the kinds of some columns; nothing if none is set."""
    if not columns:
        return None
    content = {"columns": [{"name": name, "kind": kind} for name, kind in columns.items()]}
    write_whole(path, json.dumps(content).encode())
    return str(path)


# ---- one file that holds a few others: a zip archive without compression, with a sha256 of each ----------------------
# Nothing is ever unpacked to a place that the file names: members are read into memory by the names that are expected.
# Without compression no member is larger than the file itself.


MOST_BYTES = 2**31  # of one member
_MOMENT = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same content gives the same file


def write_bundle(path: str | Path, members: Mapping[str, bytes], *, force: bool = False) -> Path:
    """Write members, name -> content, and a manifest of their sha256 as one file.

    Raises: InputError if the path exists already, unless force is given to replace a file; StorageError.
    """
    place = Path(path).expanduser()
    refuse_taken(place, force=force, do="Choose another name, or force=True to replace it.")
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    whole = {**members, MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}

    def fill(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in whole.items():
                archive.writestr(zipfile.ZipInfo(name, _MOMENT), content)

    write_through(place, fill)
    return place


def read_bundle(path: str | Path, names: Collection[str], most_bytes: int = MOST_BYTES) -> dict[str, bytes]:
    """Read the members of a file that `write_bundle` wrote with just these names.

    Args: most_bytes that one member may have.
    Raises: InputError if there is no such file, or it is damaged, or holds anything else or anything too large.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise InputError(f"There is no file at {str(path)!r}.", do="Give the path that `save` was given.")
    try:
        with zipfile.ZipFile(place) as archive:
            _check_members(path, archive.infolist(), {*names, MANIFEST}, most_bytes)
            members = {name: archive.read(name) for name in names}
            manifest = parse_json(archive.read(MANIFEST))
    except DAMAGED as error:
        raise _damaged(path, f"{error}") from error
    for name, content in members.items():
        if not isinstance(manifest, dict) or manifest.get(name) != hashlib.sha256(content).hexdigest():
            raise _damaged(path, f"the sha256 of {name} is not what was written")
    return members


def _check_members(
    path: str | Path, members: Collection[zipfile.ZipInfo], expected: Collection[str], most_bytes: int
) -> None:
    found = sorted(member.filename for member in members)
    if found != sorted(expected):
        raise InputError(
            f"{str(path)!r} is not a saved model: it holds {', '.join(found[:5]) or 'nothing'}.",
            f"A saved model holds {', '.join(sorted(expected))}, each once, and nothing else.",
            "Give a file that `save` wrote.",
        )
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise InputError(
                f"{str(path)!r} is not a saved model: {member.filename} is compressed.",
                "A saved model is stored as it is.",
                "Give a file that `save` wrote.",
            )
        if member.file_size > most_bytes:
            raise InputError(
                f"{str(path)!r} holds {member.filename} of {member.file_size:,} bytes.",
                f"No more than {most_bytes:,} are read.",
                "Give a file that `save` wrote.",
            )


def _damaged(path: str | Path, why: str) -> InputError:
    return InputError(f"{str(path)!r} cannot be read: {why.removesuffix('.')}.", "It is damaged.", "Save it again.")
