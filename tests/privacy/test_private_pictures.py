"""Private runs of pictures: what is in the run folder, what the verbs do, and what is refused in words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import ganforge as gf
from ganforge.errors import DataError, GanforgeError, InputError, RunError

pytestmark = pytest.mark.slow
ASKED = {"private": "epsilon=30", "delta": 1e-4}
RANDOM = np.random.default_rng(0)
LABELS = np.repeat(np.array(["blob", "stripe"]), 150)


def pictures(channels: int = 1) -> np.ndarray:
    """Blobs and stripes (300, 12, 12) or (300, 12, 12, 3), and noise that makes each picture its own."""
    y, x = np.mgrid[:12, :12]
    made = np.empty((300, 12, 12, channels))
    for number, one in enumerate(made):
        at = RANDOM.uniform(3, 9, 2)
        blob, stripe = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 6), 0.5 + 0.5 * np.sin(x + at[0])
        one[:] = (blob if number < 150 else stripe)[..., None] * 180 + RANDOM.uniform(0, 60, (12, 12, channels))
    found = made.astype(np.uint8)
    return found[..., 0] if channels == 1 else found


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return pictures(), LABELS


@pytest.fixture(scope="module")
def run(data: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "run"
    gf.train(data, run=folder, **ASKED)
    return folder


def everything(run: Path) -> dict[str, bytes]:
    return {str(file.relative_to(run)): file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_no_record_is_in_the_run_folder(run: Path, data: tuple[np.ndarray, np.ndarray]) -> None:
    """Neither pixels, nor a hash of them, nor a file of the data: the folder holds released numbers alone."""
    x, _ = data
    names = {name for name in everything(run) if not name.startswith(("release/", "model/"))}
    kept = {"recipe.json", "passport.json", "privacy.json", "page.json", "events.jsonl", "evaluation.json"}
    assert names == kept | {"report.html", "samples/000000000.png"}
    planted = [x[number].tobytes() for number in range(0, 300, 30)] + [x[number, 3].tobytes() for number in range(10)]
    for name, content in everything(run).items():
        assert not any(one in content for one in planted), name
    told = "".join(content.decode("latin-1") for content in everything(run).values())
    assert hashlib.sha256(x.tobytes()).hexdigest() not in told
    assert json.loads((run / "recipe.json").read_text())["data"]["hash"] == ""
    passport = json.loads((run / "passport.json").read_text())
    assert set(passport) == {"source", "count", "size", "channels", "label_names", "split", "notes", "warnings"}
    assert passport["source"] == "given in Python"


def test_a_planted_record_would_be_found(run: Path, data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"beginning" + data[0][30].tobytes())
    assert data[0][30].tobytes() in everything(tmp_path)["data.npz"]


def test_its_samples_are_of_both_labels_and_teach_a_classifier(run: Path) -> None:
    found = json.loads((run / "evaluation.json").read_text())
    (accuracy,) = found["measures"]
    assert accuracy["low"] < accuracy["value"] and accuracy["value"] > 0.8
    assert "epsilon 30" in found["verdict"]["headline"]
    trained = gf.load(run)
    assert trained.sample(4, label="blob").shape == (4, 1, 12, 12)
    assert np.array_equal(trained.sample(3, seed=5), trained.sample(6, seed=5)[:3])


def test_it_walks_between_samples(run: Path, tmp_path: Path) -> None:
    assert gf.interpolate(run, 3, tmp_path / "walk.gif", label="stripe", steps=4).is_file()


def test_the_same_noise_is_never_drawn_twice(run: Path, data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    gf.train(data, run=tmp_path / "run", **ASKED)
    for name, content in everything(run / "release").items():
        assert everything(tmp_path / "run" / "release")[name] != content


def test_another_look_at_the_data_is_refused_with_its_price(run: Path) -> None:
    with pytest.raises(RunError, match=r"cannot be evaluated again.*5% of its epsilon of 30 bought one look"):
        gf.evaluate(run)
    assert "ganforge evaluate" not in (run / "report.html").read_text()


def test_verbs_that_need_the_data_refuse_in_words(run: Path, data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(InputError, match="no step to profile"):
        gf.profile(data, **ASKED)
    with pytest.raises(InputError, match="draws pictures from nothing"):
        gf.apply(run, data[0])


def test_a_plan_says_what_is_private_and_what_it_costs(data: tuple[np.ndarray, np.ndarray]) -> None:
    told: list[str] = []

    class Listen:
        def record(self, record: object) -> None: ...

        def event(self, event: dict[str, object]) -> None:
            told.append(str(event.get("sentence", "")))

    recipe = gf.plan(data, observers=(Listen(),), **ASKED)
    words = " ".join(told)
    assert "one record is added or removed" in words and "It costs sharpness" in words
    assert recipe.task == "private" and not recipe.trains
    assert not {"optimiser", "length", "average", "records"} & set(recipe.to_json())


def test_too_few_pictures_are_told_how_many_would_do(data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"300 pictures are too few for an epsilon of 0.1.*about [\d,]+ pictures would"):
        gf.plan(data, private=0.1)
    with pytest.raises(GanforgeError, match="above 1 / 300 records"):
        gf.plan(data, private=1, delta=0.1)


def test_colour_and_no_labels_work_too(tmp_path: Path) -> None:
    gf.train(pictures(channels=3), run=tmp_path / "run", **ASKED)
    (reached,) = json.loads((tmp_path / "run" / "evaluation.json").read_text())["measures"]
    assert reached["name"] == "reached" and 0 <= reached["low"] <= reached["high"] <= 1
    assert gf.load(tmp_path / "run").sample(2).shape == (2, 3, 12, 12)


def test_without_a_judge_nothing_is_measured(data: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    gf.train(data, run=tmp_path / "run", private="epsilon=30,judge=0", delta=1e-4)
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert not found["measures"] and "was not measured" in found["verdict"]["headline"]
    assert not (tmp_path / "run" / "release" / "judged.safetensors").exists()
