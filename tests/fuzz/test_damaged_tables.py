"""Tables and what stands beside them, from anybody: rows, or an error in words, in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bytes_like, fuzzed, json_like

from ganforge.errors import GanforgeError
from ganforge.kinds.tables.columns import Column
from ganforge.kinds.tables.reading.plan_file import read_plan, write_plan
from ganforge.kinds.tables.reading.source import open_source
from ganforge.table_gan import MEMBERS, TableGAN, read_bundle, write_bundle

FRAME = pd.DataFrame(
    {
        "n": np.arange(40),
        "x": np.where(np.arange(40) % 7 == 0, np.nan, np.arange(40) / 8),
        "word": pd.Categorical([f"w{number % 3}" for number in range(40)]),
        "text": [f"text, {number}" for number in range(40)],
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(40), unit="D"),
        "yes": np.arange(40) % 2 == 0,
    }
)


def written(kind: str) -> bytes:
    file = io.BytesIO()
    match kind:
        case "csv":
            return FRAME.to_csv(index=False).encode()
        case "csv.gz":
            return gzip.compress(FRAME.to_csv(index=False).encode(), mtime=0)
        case "parquet" | "plain.parquet":
            FRAME.to_parquet(file, index=False, compression=None if kind.startswith("plain") else "snappy")
        case "feather" | "plain.feather":
            packing = "uncompressed" if kind.startswith("plain") else "lz4"
            pa.feather.write_feather(pa.Table.from_pandas(FRAME), file, compression=packing)
    return file.getvalue()


KINDS = ("csv", "csv.gz", "parquet", "plain.parquet", "feather", "plain.feather")
FILES = {kind: written(kind) for kind in KINDS}


def rows_of(path: Path) -> int:
    try:
        return sum(len(chunk) for chunk in open_source(path).chunks(16))
    except GanforgeError as error:
        assert str(error)
        return -1


@pytest.mark.parametrize("kind", KINDS)
@fuzzed(60)
@given(data=st.data())
def test_a_damaged_table_is_read_or_refused_in_words(tmp_path: Path, kind: str, data: Any) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(data.draw(bytes_like(FILES[kind])))
    assert rows_of(path) < 1_000


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_that_are_damaged_here_are_read_when_they_are_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(FILES[kind])
    assert rows_of(path) == 40


BOUNDED = """
import resource, sys
from pathlib import Path
from ganforge.kinds.tables.reading.source import open_source
from ganforge.errors import DataError

sum(map(len, open_source(sys.argv[1]).chunks()))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
for path in sys.argv[2:]:
    try:
        print(sum(map(len, open_source(path).chunks())))
    except DataError as error:
        print("refused", error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the addresses of a process")
def test_packed_tables_that_unpack_to_half_a_gigabyte_are_read_within_300_megabytes(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_bytes(FILES["csv"])
    long = b",".join([b"word " * 32] * 3) + b"\n"
    many = gzip.compress(long * 2**18, 1)  # 128 MB; in four members 512 MB
    blank = gzip.compress(bytes(2**26), 9)
    names = b",".join(b"c%d" % number for number in range(400_000))
    bombs = {
        "one endless line.csv.gz": gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"x" * 2**26) * 8,
        "one endless name.csv.gz": gzip.compress(b"x" * 2**26) * 8,
        "nothing but zeros.csv.gz": blank * 8,
        "an endless quote.csv.gz": gzip.compress(b'a,b\n1,"') + gzip.compress(b"x\n" * 2**25) * 8,
        "many columns.csv": names + b"\n" + names + b"\n",
        "many rows.csv.gz": gzip.compress(b"a,b,c\n") + many * 4,
    }
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", BOUNDED, str(tmp_path / "good.csv"), *(str(tmp_path / name) for name in bombs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    answers = dict(zip(bombs, done.stdout.splitlines(), strict=True))
    assert answers.pop("many rows.csv.gz") == str(2**20)
    assert all(answer.startswith("refused") for answer in answers.values()), answers


@fuzzed(100)
@given(data=st.data())
def test_a_damaged_plan_is_read_or_refused_in_words(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "plan.json"
    columns = [Column(name="a", kind="integer", dtype="int64"), Column(name="b", kind="category", dtype="str")]
    write_plan(path, columns, ["a <= 5"], "x.csv", force=True)
    good = path.read_bytes()
    absurd = json_like(json.loads(good)).map(lambda content: json.dumps(content).encode())
    path.write_bytes(data.draw(st.one_of(bytes_like(good), absurd)))
    try:
        read_plan(path)
    except GanforgeError as error:
        assert str(error)


@fuzzed(100)
@given(data=st.data())
def test_every_damage_of_a_bundle_is_refused(tmp_path: Path, data: Any) -> None:
    path = tmp_path / "x.bundle"
    members = {"a": b"one" * 20, "b": b"two" * 20}
    write_bundle(path, members, force=True)
    path.write_bytes(data.draw(bytes_like(path.read_bytes())))
    try:
        assert read_bundle(path, ["a", "b"]) == members  # what the zip format ignores may change, what is read may not
    except GanforgeError as error:
        assert str(error)


@pytest.fixture(scope="session")
def saved(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("saved") / "x.gan"
    settings = {"compute.threads": 1, "compute.device": "cpu", "network.width": 8}
    TableGAN(examples=1024, settings=settings).fit(table).save(path)
    return read_bundle(path, MEMBERS)


@pytest.mark.slow
@fuzzed(60)
@given(data=st.data())
def test_an_absurd_saved_model_of_right_hashes_is_refused_or_draws_rows(
    saved: dict[str, bytes], tmp_path: Path, data: Any
) -> None:
    name = data.draw(st.sampled_from(MEMBERS))
    if name.endswith(".json"):
        bad = json.dumps(data.draw(json_like(json.loads(saved[name])))).encode()
    else:
        bad = data.draw(bytes_like(saved[name]))
    write_bundle(tmp_path / "x.gan", saved | {name: bad}, force=True)
    try:
        TableGAN.load(tmp_path / "x.gan").sample(3)
    except GanforgeError as error:
        assert str(error)
