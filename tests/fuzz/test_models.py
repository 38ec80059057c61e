"""A model folder from anybody: its hashes are right, and everything else may be wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import EXTREMES, bytes_like, fuzzed, json_like

import ganforge as gf
from ganforge.core.files import write_folder
from ganforge.core.model_files import read_tensors
from ganforge.errors import GanforgeError, RunError
from ganforge.kinds.pictures.generate.model import load_model
from ganforge.kinds.tables.regress.model import load_regression

pytestmark = pytest.mark.slow
RUNS = ("picture_run", "table_run", "regression_run")


@pytest.fixture
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run with nothing but recipe.json and model/."""
    run, copy = request.getfixturevalue(request.param), tmp_path / "run"
    shutil.copytree(run / "model", copy / "model")
    shutil.copy(run / "recipe.json", copy)
    return copy


def put(run: Path, **files: bytes) -> None:
    """Replaces the model by one whose manifest is right."""

    def fill(target: Path) -> None:
        for name, content in files.items():
            (target / f"model.{name}").write_bytes(content)

    write_folder(run / "model", fill)


def parts(run: Path) -> dict[str, bytes]:
    return {name: (run / "model" / f"model.{name}").read_bytes() for name in ("json", "safetensors")}


def use(run: Path) -> None:
    """Loads the model and draws from it."""
    try:
        if b'"regress"' in (run / "recipe.json").read_bytes():
            load_regression(run / "model")
        else:
            gf.load(run).sample(3)
    except GanforgeError as error:
        assert str(error)


@pytest.mark.parametrize("hostile", RUNS, indirect=True)
@fuzzed(50)
@given(data=st.data())
def test_an_absurd_description_gives_an_error_in_words_or_a_model(hostile: Path, data: Any) -> None:
    good = parts(hostile)
    try:
        put(hostile, **good | {"json": json.dumps(data.draw(json_like(json.loads(good["json"])))).encode()})
        use(hostile)
    finally:
        put(hostile, **good)


@pytest.mark.parametrize("hostile", RUNS, indirect=True)
@fuzzed(20)
@given(data=st.data())
def test_damaged_bytes_of_a_model_give_an_error_in_words_or_a_model(hostile: Path, data: Any) -> None:
    good = parts(hostile)
    name = data.draw(st.sampled_from(("json", "safetensors")))
    try:
        put(hostile, **good | {name: data.draw(bytes_like(good[name]))})
        use(hostile)
    finally:
        put(hostile, **good)


@fuzzed(100)
@given(data=st.data())
def test_a_damaged_header_of_tensors_is_refused_or_read(table_run: Path, tmp_path: Path, data: Any) -> None:
    good = (table_run / "model" / "model.safetensors").read_bytes()
    length = int.from_bytes(good[:8], "little")
    header, tensors = good[8 : 8 + length], good[8 + length :]
    kind = data.draw(st.sampled_from(("bytes", "json", "length")))
    if kind == "json":
        header = json.dumps(data.draw(json_like(json.loads(header)))).encode()
    elif kind == "bytes":
        header = data.draw(bytes_like(header))
    declared = data.draw(st.sampled_from(EXTREMES)) if kind == "length" else len(header)
    path = tmp_path / "x.safetensors"
    path.write_bytes((declared % 2**64).to_bytes(8, "little") + header + tensors)
    try:
        assert sum(tensor.nbytes for tensor in read_tensors(path).values()) == len(tensors)
    except RunError as error:
        assert str(error)


HUGE: dict[str, dict[str, Any]] = {
    "wide": {"network": {"name": "mlp", "width": 10**6, "latent_size": 64, "depth": 3}},
    "wider than any tensor": {"network": {"name": "mlp", "width": 10**18, "latent_size": 64, "depth": 3}},
    "deep": {"network": {"name": "mlp", "width": 8, "latent_size": 64, "depth": 10**12}},
    "as deep as allowed": {"network": {"name": "resnet", "width": 8, "latent_size": 64, "depth": 200}},
    "of many latents": {"network": {"name": "conv", "width": 8, "latent_size": 10**12, "depth": 1}},
    "of large pictures": {"data": {"source": "", "kind": "pictures", "shape": [1, 2**20, 2**20]}, "label_shares": []},
    "of long pictures": {"data": {"source": "", "kind": "pictures", "shape": [1, 8, 2**30]}, "label_shares": []},
}


BOUNDED = """
import resource, sys
import torch
import ganforge as gf
from ganforge.errors import RunError

gf.load(sys.argv[1]).sample(1)  # all that is ever imported is imported
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)  # 300 MB of addresses more, and no byte beyond
for folder in sys.argv[2:]:
    try:
        gf.load(folder).sample(1)
    except RunError as error:
        print("refused", error)
"""


def with_huge_tensor(weights: bytes) -> bytes:
    """The same file, declaring one more tensor of a terabyte that is not there."""
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    end = len(weights) - 8 - length
    header["more"] = {"dtype": "F32", "shape": [2**38], "data_offsets": [end, end + 2**40]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + weights[8 + length :]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the addresses of a process")
def test_hostile_models_are_refused_within_300_megabytes(picture_run: Path, tmp_path: Path) -> None:
    good = parts(picture_run)
    descriptions = {what: json.dumps(json.loads(good["json"]) | change).encode() for what, change in HUGE.items()}
    bombs = {what: good | {"json": text} for what, text in descriptions.items()}
    bombs["declares a terabyte"] = good | {"safetensors": with_huge_tensor(good["safetensors"])}
    bombs["header of an exabyte"] = good | {"safetensors": (2**60).to_bytes(8, "little") + good["safetensors"][8:]}
    bombs["nested"] = good | {"json": b"[" * 10**6 + b"]" * 10**6}
    for what, files in bombs.items():
        (tmp_path / what).mkdir()
        shutil.copy(picture_run / "recipe.json", tmp_path / what)
        put(tmp_path / what, **files)
    folders = [str(tmp_path / what) for what in bombs]
    command = [sys.executable, "-c", BOUNDED, str(picture_run), *folders]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused") == len(bombs)


def test_a_manifest_that_names_files_elsewhere_is_refused(picture_run: Path, tmp_path: Path) -> None:
    from ganforge.core.files import sha256_of

    model = Path(shutil.copytree(picture_run / "model", tmp_path / "model"))
    (tmp_path / "secret").write_text("secret")
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["../secret"] = sha256_of(tmp_path / "secret")
    (model / "manifest.json").write_text(json.dumps(dict(sorted(manifest.items())), indent=2) + "\n")
    with pytest.raises(RunError, match="does not hold the files"):
        load_model(model)


def test_a_pickle_in_place_of_the_weights_is_never_unpickled(picture_run: Path, tmp_path: Path) -> None:
    import os
    import pickle

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "run").mkdir()
    shutil.copy(picture_run / "recipe.json", tmp_path / "run")
    put(tmp_path / "run", **parts(picture_run) | {"safetensors": pickle.dumps(Trap())})
    with pytest.raises(RunError):
        gf.load(tmp_path / "run").sample(1)
    assert not (tmp_path / "sprung").exists()
