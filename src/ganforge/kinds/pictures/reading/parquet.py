"""Parquet files with a column of encoded pictures, as Hugging Face datasets write them; read row group by row group."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ganforge.core.files import DAMAGED, parse_json
from ganforge.core.pillow import BROKEN, quiet_pillow
from ganforge.errors import DataError, did_you_mean
from ganforge.kinds.pictures.reading.array_files import digest_of_files
from ganforge.kinds.pictures.reading.decode import (
    Item,
    encoded_part,
    in_threads,
    look_of,
    read_header,
    values_of,
    workers,
)
from ganforge.kinds.pictures.reading.header import Header, Losses
from ganforge.kinds.pictures.reading.part import (
    SAMPLE,
    Channels,
    Survey,
    check_labels,
    name_labels,
    spread,
)
from ganforge.kinds.pictures.reading.values import Reading, range_of

UNREADABLE = (*DAMAGED, pa.ArrowException)
LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "category", "fine_label")
ROWS_AT_ONCE = 64


def survey_parquet(
    paths: Sequence[Path],
    source: str,
    label: str | Literal[False] | None,
    reading: Reading,
) -> Survey:
    """Survey Parquet files of one kind. In a folder, files named test* or val* are the held-out part.

    Args: label the column of labels, by default the one identified by metadata or name; False for none.
    Raises: DataError if a file is damaged or has no column of pictures, or if the labels cannot be used.
    """
    given = [path for path in paths if path.name.startswith(("test", "val"))]
    split = [[path for path in paths if path not in given], given] if 0 < len(given) < len(paths) else [list(paths)]
    schema = _opened(split[0][0]).schema_arrow  # of the training part: test files often lack the labels
    features = _features(schema)
    image, *others = _image_columns(schema, source)
    left_out = f"Not read of {source!r}: {', '.join(others)}, which hold pictures too."
    column = None if label is False else _label_column(schema, features, label)

    for path in paths:
        _check_column(path, image)
    words = [
        None if column is None or (number and _lacks(part, column)) else _labels(part, column, source)
        for number, part in enumerate(split)
    ]
    names, places, notes = name_labels(words, features.get(column or "", {}).get("names") or ())
    sample = [_looked_at(item) for item in _sample(split[0], image)]
    channels, losses = Channels.of([look for _, look in sample if look]), Losses()
    for header, _ in sample:
        if header:
            losses.add(source, header)
    deep = sum(map(_count, paths)) if any(header.deep for header, _ in sample if header) else 0
    everything = in_threads((item for part in split for item in _items(part, image)), _values, workers())
    values, assumed = range_of(everything, deep, reading, source)
    parts = tuple(
        encoded_part(sum(map(_count, part)), labels, partial(_items, part, image), values)
        for part, labels in zip(split, places, strict=True)
    )
    return Survey(
        source=source,
        format="parquet",
        bytes=sum(path.stat().st_size for path in paths),
        sizes=dict(Counter(header.size for header, _ in sample if header).most_common()),
        sizes_sampled=len(sample) < sum(part.count for part in parts),
        channels=channels.count,
        channels_why=channels.why,
        values=values,
        label_names=names,
        digest=digest_of_files(*paths) if values is None else f"{digest_of_files(*paths)} {values}",
        told=(*([left_out] if others else []), *notes, *channels.told, *losses.told("sample pictures"), *assumed),
        parts=parts,
        always_cached=True,
    )


def _count(path: Path) -> int:
    return int(_opened(path).metadata.num_rows)


def _lacks(paths: Sequence[Path], column: str) -> bool:
    return any(column not in _opened(path).schema_arrow.names for path in paths)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except UNREADABLE as error:
        raise _not_parquet(path, error) from error


def _not_parquet(path: Path, error: BaseException) -> DataError:
    return DataError(f"{str(path)!r} cannot be read as Parquet: {error}.", do="Fetch or write it again.")


def _check_column(path: Path, column: str) -> None:
    names = _opened(path).schema_arrow.names
    if column not in names:
        raise DataError(
            f"{str(path)!r} has no column {column!r}, only {', '.join(names)}.",
            "The files of one folder must be of one kind.",
            "Move the others elsewhere.",
        )


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return the Hugging Face datasets metadata of the columns, {} if absent."""
    try:
        features = parse_json((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return {name: about for name, about in features.items() if isinstance(about, dict)}


def _image_columns(schema: pa.Schema, source: str) -> list[str]:
    """Return the columns of encoded pictures: first those that say so by the field bytes, which is read."""
    structs = [one.name for one in schema if pa.types.is_struct(one.type) and one.type.get_field_index("bytes") >= 0]
    plain = [one.name for one in schema if pa.types.is_binary(one.type) or pa.types.is_large_binary(one.type)]
    if structs or plain:
        return [*structs, *plain]
    raise DataError(
        f"{source!r} has no column of pictures: its columns are {', '.join(schema.names)}.",
        "Pictures are encoded bytes, or a struct with the field bytes.",
    )


def _label_column(schema: pa.Schema, features: dict[str, dict[str, Any]], wanted: str | None) -> str | None:
    if wanted is not None:
        if wanted not in schema.names:
            raise DataError(f"There is no column {wanted!r}.", do=did_you_mean(wanted, schema.names))
        return wanted  # its type is checked in every file when it is read
    classes = [name for name, about in features.items() if about.get("_type") == "ClassLabel" and name in schema.names]
    usable = [
        name for name in (*classes, *LABEL_COLUMNS) if name in schema.names and _is_label(schema.field(name).type)
    ]
    return usable[0] if usable else None


def _is_label(kind: pa.DataType) -> bool:
    """Return whether a column of this type is taken for labels by its name alone."""
    if pa.types.is_dictionary(kind):  # pandas writes its categories so
        return _is_label(kind.value_type)
    words = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return bool(words or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _labels(paths: Sequence[Path], column: str, source: str) -> NDArray[Any]:
    """Read the labels of all files, in order. Raises: DataError if some are missing or invalid."""
    values: list[Any] = []
    for path in paths:
        _check_column(path, column)
        kind = _opened(path).schema_arrow.field(column).type
        if not _is_label(kind) and not pa.types.is_floating(kind):
            raise DataError(
                f"The column {column!r} of {str(path)!r} is of type {kind}.",
                "Labels are words, whole numbers, or true and false.",
                "Name another column, or say --label none to train without labels.",
            )
        try:
            values += _opened(path).read(columns=[column])[column].to_pylist()
        except UNREADABLE as error:
            raise _not_parquet(path, error) from error
    return check_labels(values, len(values), f"column {column!r} of {source!r}")


def _rows(path: Path, column: str, groups: Sequence[int] | None = None) -> Iterator[bytes | None]:
    """Yield the encoded pictures of a file, in order, a few at a time in memory."""
    try:
        for batch in _opened(path).iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=[column]):
            values = batch.column(0)
            if pa.types.is_struct(values.type):
                values = values.field(values.type.get_field_index("bytes"))
            yield from values.to_pylist()
    except UNREADABLE as error:
        raise _not_parquet(path, error) from error


def _open(data: bytes | None) -> io.BytesIO:
    return io.BytesIO(data or b"")


def _items(paths: Sequence[Path], column: str, places: Sequence[int] | None = None) -> Iterator[Item]:
    wanted = None if places is None else set(places)
    rows = ((path, data) for path in paths for data in _rows(path, column))
    for row, (path, data) in enumerate(rows):
        if wanted is None or row in wanted:
            yield Item(row, f"{path.name}, row {row}", partial(_open, data))


def _sample(paths: Sequence[Path], column: str) -> Iterator[Item]:
    """Yield pictures from up to eight row groups, evenly spread, because rows are often sorted by label."""
    groups = [(path, group) for path in paths for group in range(_opened(path).metadata.num_row_groups)]
    chosen = [groups[i] for i in spread(len(groups), 8)]
    for path, group in chosen:
        for row, data in zip(range(SAMPLE // len(chosen)), _rows(path, column, [group]), strict=False):
            yield Item(row, path.name, partial(_open, data))


def _looked_at(item: Item) -> tuple[Header | None, set[str] | None]:
    with quiet_pillow():
        try:
            return read_header(item.open), look_of(item.open)
        except BROKEN:
            return None, None


def _values(item: Item) -> NDArray[Any] | None:
    """Return the values of a picture if it is deep (Header), and not damaged."""
    try:
        return values_of(item.open) if read_header(item.open).deep else None
    except BROKEN:
        return None
