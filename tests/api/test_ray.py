"""Recipes train in Ray tasks: a lost worker costs nothing, a bad recipe disturbs nobody, and Ray is an extra."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import ganforge as gf
from ganforge.api import in_ray
from ganforge.api.in_ray import prepare_in_ray, train_in_ray, train_one
from ganforge.measures import judge
from ganforge.run import Run

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an extra")
SETTINGS = {
    "optimiser.batch_size": 16,
    "records.every_steps": 10,
    "records.checkpoint_every_steps": 20,
    "records.marks": [1.0],
    "compute.precision": "float32",
    "compute.threads": 1,
}
TABLE = {"source": "wine", "size": "tiny", "seed": 3, "settings": SETTINGS}
SCRIPT = """
import json, sys
from dataclasses import asdict
import ray
from ganforge.api.in_ray import prepare_in_ray, train_in_ray
recipes, storage, cache = json.loads(sys.argv[1])
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20)
prepared = prepare_in_ray(recipes[1:2] + recipes[3:], cache=cache)
order = []
results = train_in_ray(recipes, storage=storage, cache=cache, told=lambda result: order.append(result.name))
told = {"prepared": prepared, "results": results}
with open("told.json", "w") as file:
    json.dump({"order": order, **{k: [asdict(e) for e in v] for k, v in told.items()}}, file, default=str)
"""


def model_of(run: Path) -> str:
    return sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()


def end_worker(run: Path, records: int, number: int) -> int:
    """Sends a signal to the process that trains a run, once it has written so many records. Returns: its id."""
    give_up = time.monotonic() + 600
    while time.monotonic() < give_up:
        lock = run / "lock"
        if lock.is_file() and len(Run(run).read_records()) >= records:
            process = int(lock.read_text())
            os.kill(process, number)
            return process
        time.sleep(0.05)
    raise AssertionError(f"{run} was not trained in time")


@needs_ray
@pytest.mark.slow
def test_lost_workers_cost_nothing_and_a_bad_recipe_disturbs_nobody(tmp_path: Path) -> None:
    storage, cache = tmp_path / "runs", tmp_path / "cache"
    recipes: list[dict[str, Any]] = [
        {"name": "killed", "examples": 4800, **TABLE},
        {"name": "preempted", "examples": 4800, **TABLE},
        {"name": "absent", "source": str(tmp_path / "nothing")},
        {"name": "misspelt", "source": "wine", "exmples": 5},
    ]
    command = [sys.executable, "-c", SCRIPT, json.dumps([recipes, str(storage), str(cache)])]
    surroundings = {**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    with subprocess.Popen(command, env=surroundings, cwd=tmp_path) as process:
        first = end_worker(storage / "killed", 4, signal.SIGKILL)
        second = end_worker(storage / "preempted", 6, signal.SIGTERM)
        assert process.wait(timeout=600) == 0
    told = json.loads((tmp_path / "told.json").read_text("utf-8"))
    by_name = {result["name"]: result for result in told["results"]}

    undisturbed = gf.train(run=tmp_path / "undisturbed", examples=4800, **TABLE)
    for name in ("killed", "preempted"):
        assert by_name[name]["error"] == ""
        assert by_name[name]["resumed"] == 1, name
        assert model_of(storage / name) == model_of(undisturbed.folder), name
        assert by_name[name]["verdict"] == undisturbed.verdict
        assert by_name[name]["floor"] is not None
    assert first != second
    assert "nothing" in by_name["absent"]["error"]
    assert "There is no option 'exmples'" in by_name["misspelt"]["error"]
    assert not (storage / "misspelt").exists()
    assert sorted(told["order"]) == ["absent", "killed", "preempted"]

    wine, misspelt = told["prepared"]
    assert wine["hash"] == Run(storage / "killed").read_json(Run(storage / "killed").recipe)["data"]["hash"]
    assert misspelt["error"] == by_name["misspelt"]["error"]


@pytest.mark.slow
def test_pictures_are_prepared_where_training_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", "")  # so that it is as before in the end
    asked = in_ray._as_text({"source": "digits8"})[0]
    told = json.loads(in_ray.prepare_one(asked, str(tmp_path / "cache")))
    assert told["shape"] == [1, 8, 8]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [
        f"judge-v{judge.VERSION}-{told['hash'][:24]}-classes"
    ], "small pictures need no cache of their own, but their judge does"


@pytest.mark.slow
def test_a_run_of_another_recipe_is_not_returned_in_place_of_the_one_asked_for(tmp_path: Path) -> None:
    run = str(tmp_path / "one")
    ask = {**TABLE, "examples": 320}
    first = json.loads(train_one(in_ray._as_text(ask)[0], run, ""))
    assert first["verdict"]
    other = json.loads(train_one(in_ray._as_text({**ask, "seed": 4})[0], run, ""))
    assert "was asked for with seed 3, now it is 4" in other["error"]
    assert json.loads(train_one(in_ray._as_text(ask)[0], run, "")) == first


@pytest.mark.parametrize("names", [["a", "a"], [None], ["a/b"], [".."], [""], [5]])
def test_names_that_are_no_folders_of_their_own_are_refused(tmp_path: Path, names: list[object]) -> None:
    with pytest.raises(gf.InputError, match="name of a run folder"):
        train_in_ray([{"name": name, "source": "wine"} for name in names], storage=tmp_path)


def test_without_ray_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_ray, "find_spec", lambda name: None)
    for call in (
        lambda: train_in_ray([{"name": "a", "source": "wine"}], storage=tmp_path),
        lambda: prepare_in_ray([{"source": "wine"}]),
    ):
        with pytest.raises(gf.InputError, match="Ray is not installed") as caught:
            call()
        assert "ganforge[ray]" in caught.value.do
