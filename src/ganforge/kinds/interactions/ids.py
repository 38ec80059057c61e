"""Ids as numbers: the ids of users or items, in the order of their values, and a code for each row."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ganforge.errors import DataError
from ganforge.kinds.interactions.rows import texts_of

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null", "None", "#N/A", "<NA>")
LONGEST = 128  # characters of an id: what is longer is a text
_WHOLE = re.compile(r"-?[0-9]+(\.0+)?")
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


class Ids:
    """The ids of a column whose parts come one after the other; a table of those seen so far grows with them."""

    def __init__(self, role: str, name: str) -> None:
        self._role, self._name = role, name
        self._known = pa.array([], pa.string())
        self._parts: list[NDArray[np.int32]] = []

    def add(self, column: pa.ChunkedArray) -> None:
        """Take the next part of the column."""
        coded = texts_of(column).dictionary_encode()
        words = pc.utf8_trim_whitespace(coded.dictionary)
        words = pc.if_else(pc.is_in(words, value_set=pa.array(MISSING)), pa.scalar(None, pa.string()), words)
        new = pc.unique(words.filter(pc.invert(pc.is_in(words, value_set=self._known)))).drop_null()
        self._known = pa.concat_arrays([self._known, new])
        codes = pc.fill_null(pc.index_in(words, value_set=self._known), -1)
        self._parts.append(pc.fill_null(codes.take(coded.indices), -1).to_numpy().astype(np.int32))

    def result(self) -> tuple[NDArray[np.str_], NDArray[np.int32], bool]:
        """Return the ids (U,), the codes (N,), -1 where an id is missing, and whether ids such as 7.0 became 7.

        Raises: DataError for texts that are too long for ids.
        """
        codes = np.concatenate(self._parts) if self._parts else np.empty(0, np.int32)
        self._parts = []
        longest = pc.max(pc.utf8_length(self._known)).as_py() or 0
        if longest > LONGEST:
            raise DataError(
                f"The column {self._name!r} holds texts of up to {longest:,} characters, which are not ids.",
                f"Each {self._role} is known by an id that comes again.",
                f"Name another column: --set interactions.{self._role}=NAME",
            )
        words = self._known.to_pylist()
        if words and all(word[:1] == word[-1:] == "'" and len(word) > 2 for word in words):
            words = [word[1:-1] for word in words]
        floats = any(word.endswith(".0") for word in words) and all(map(_WHOLE.fullmatch, words))
        if floats:
            words = [word.partition(".")[0] for word in words]
        numbers = bool(words) and all(map(_NUMBER.fullmatch, words))
        values = np.array(words, np.int64) if numbers else np.array(words or [], np.str_)
        ids, places = np.unique(values, return_inverse=True)
        renamed = np.append(places.astype(np.int32), np.int32(-1))  # a code of -1 stays
        return ids.astype(np.str_), renamed[codes], floats
