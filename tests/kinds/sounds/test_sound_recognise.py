"""Labels of sounds from a few examples: folds, stages, the choice among methods, certainties, files and refusals."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import ganforge as gf
from ganforge.contracts import Player, Schedule, Turn
from ganforge.core.files import write_folder
from ganforge.core.seeds import Draws, generator_for
from ganforge.core.world import World
from ganforge.errors import DataError, InputError, RecipeError, RunError
from ganforge.kinds.sounds.features import Mel
from ganforge.kinds.sounds.generate.grid import Grid
from ganforge.kinds.sounds.recognise.labelled import EVERY, folds_of, open_labelled
from ganforge.kinds.sounds.recognise.model import load_recogniser
from ganforge.kinds.sounds.recognise.networks import ADVERSARIAL, LINEAR, STUDENT, SUPERVISED, Classifier, Recogniser
from ganforge.kinds.sounds.recognise.plan import Recognising, build_game, changed
from ganforge.kinds.sounds.recognise.verdict import choose
from ganforge.measures.classification import Crossed
from ganforge.objectives.labels import learned_from
from ganforge.recipe import Recipe
from ganforge.run import Run

RATE = 8_000
TINY = {"task": "recognise", "size": "tiny"}


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def write_tone(path: Path, pitch: float, seconds: float = 0.25) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * pitch * time), RATE)


def write_labels(folder: Path, each: int = 4, others: int = 8) -> Path:
    for label, pitch in (("low", 220), ("high", 1760)):
        for number in range(each):
            write_tone(folder / label / f"{number}.wav", pitch * 2 ** (number / 24))
        for number in range(others):
            write_tone(folder / "unlabelled" / f"{label}-{number}.wav", pitch * 2 ** (number / 36 + 0.01))
    return folder


# ---- folds -----------------------------------------------------------------------------------------------------------


def test_copies_share_a_fold_every_fold_has_every_label_and_an_only_sound_is_always_learned() -> None:
    levels = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1).repeat(4, axis=3)
    levels[1] = levels[0]
    folds = folds_of(levels, np.array([0] * 7 + [1] * 2 + [2]), 3)
    assert folds[0] == folds[1]
    assert set(folds[:7]) == {0, 1, 2} and len(set(folds[7:9])) == 2
    assert folds[9] == EVERY


def test_sounds_that_are_all_copies_of_one_are_never_left_out() -> None:
    assert set(folds_of(np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 0, 1, 1]), 3)) == {EVERY}


def test_the_feed_pairs_every_labelled_sound_and_every_other_one_about_equally_often(tmp_path: Path) -> None:
    found = open_labelled(str(write_labels(tmp_path, each=3, others=10)), None, 3)
    feed = found.feed("cpu")
    all_of_it = feed.batch(torch.arange(len(feed)))
    assert len(feed) >= len(found.others) == 20
    assert set(np.bincount(all_of_it["label"])) == {len(feed) // 2}
    assert len(torch.unique(all_of_it["other"].flatten(1), dim=0)) == len(np.unique(found.others, axis=0))


# ---- the game --------------------------------------------------------------------------------------------------------


def test_examples_are_changed_within_range_silence_stays_silence_and_the_seed_decides() -> None:
    levels = torch.randint(1, 256, (6, 1, 32, 32), dtype=torch.uint8)
    levels[..., 20:] = 0
    first, again, other = (changed(levels, Draws(generator_for(seed, "changed"))) for seed in (0, 0, 1))
    assert first.shape == levels.shape and float(first.min()) >= 0 and float(first.max()) <= 1
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (changed(torch.zeros_like(levels), Draws(generator_for(0, "changed"))) == 0).all()


def test_a_stage_runs_its_whole_schedule_within_its_part_of_the_run() -> None:
    rate = Schedule(1.0, 0.0, "cosine", first=0.5)
    assert [round(rate.at(progress), 6) for progress in (0.0, 0.5, 0.75, 1.0)] == [1.0, 1.0, 0.5, 0.0]


class Sure(torch.nn.Module):
    """A teacher that is as certain of label 0 as its input says."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.logit(x), torch.zeros_like(x)], 1)


def test_the_certainty_from_which_given_labels_count_is_the_quantile_of_the_best_share() -> None:
    certainty = torch.linspace(0.55, 0.95, 401)
    student = Classifier(2, 8)

    def loss(threshold: float) -> float:
        student.threshold.data.fill_(threshold)
        terms = learned_from(Sure(), student.threshold, certainty, torch.zeros(401, 2), share=0.7)
        return terms["threshold"].mean().item()

    best = min(np.arange(0.5, 1.0, 0.005), key=loss)
    assert best == pytest.approx(0.55 + 0.3 * 0.4, abs=0.01)
    student.threshold.data.fill_(best)
    given = learned_from(Sure(), student.threshold, certainty, torch.zeros(401, 2), share=0.7)["given"]
    assert float((given > 0).float().mean()) == pytest.approx(0.7, abs=0.02)


def planned(folder: Path, **settings: str) -> Recipe:
    return gf.plan(
        folder, examples=64, settings={name.replace("__", "."): value for name, value in settings.items()}, **TINY
    )


@pytest.mark.parametrize(("fold", "learning"), [(0, [True, False, True, True]), (EVERY, [True] * 4)])
def test_a_network_of_a_fold_learns_nothing_from_that_folds_labels_and_the_first_from_all(
    fold: int, learning: list[bool], tmp_path: Path
) -> None:
    recipe = planned(write_labels(tmp_path, each=3, others=3))
    supervised = build_game(recipe).players[0]
    batch = dict(open_labelled(str(tmp_path), None, 3).feed("cpu").batch(torch.arange(4)))
    batch["fold"] = torch.full((4,), fold)
    loss = supervised.loss(Turn(batch, Draws(generator_for(0, "turn"))))
    loss.terms["labels"].sum().backward()
    there = [[weight.grad for weight in one.parameters() if weight.grad is not None] for one in supervised.network]
    assert [any(bool(gradient.any()) for gradient in own) for own in there] == learning


def test_without_other_sounds_one_network_learns_from_labels_and_no_student_is_asked_for(tmp_path: Path) -> None:
    folder = write_labels(tmp_path, each=3, others=0)
    assert [player.name for player in build_game(planned(folder)).players] == [SUPERVISED]
    with pytest.raises(RecipeError, match="no sounds without labels"):
        planned(folder, recognise__student_from="0.5")


@pytest.mark.slow
def test_the_adversary_plays_on_demand_and_makes_real_sounds_tell_from_generated_ones(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "s")
    gf.train(folder, run=tmp_path / "run", examples=640, settings={"recognise.adversarial": "1"}, **TINY)
    run = Run(tmp_path / "run")
    notes = [record["terms"] for record in run.read_records() if ADVERSARIAL in record["terms"]]
    assert {"real", "fake", "labels", "given"} <= set(notes[-1][ADVERSARIAL])
    assert json.loads(run.evaluation.read_text())["verdict"]["adversarial_helps"] in (True, False)


# ---- the choice ------------------------------------------------------------------------------------------------------


def _crossed(**right: int) -> Crossed:
    """Return results of 10 sounds of label 0, of which each method finds so many."""
    scores = {
        name: np.where(np.arange(10)[:, None] < count, [[1.0, 0.0]], [[0.0, 1.0]]) for name, count in right.items()
    }
    return Crossed(scores, np.zeros(10, np.int64), np.arange(10) % 3)


def test_the_method_that_finds_most_labels_is_chosen_and_of_equals_the_simpler() -> None:
    assert choose(_crossed(**{LINEAR: 7, SUPERVISED: 7, STUDENT: 8})) == STUDENT
    assert choose(_crossed(**{LINEAR: 7, SUPERVISED: 8, STUDENT: 8})) == SUPERVISED


# ---- bad data --------------------------------------------------------------------------------------------------------


def _only_unlabelled(folder: Path) -> None:
    write_tone(folder / "unlabelled" / "a.wav", 200)


def _one_label(folder: Path) -> None:
    _only_unlabelled(folder)
    write_tone(folder / "low" / "a.wav", 300)


def _flat(folder: Path) -> None:
    write_tone(folder / "a.wav", 300)


def _beside(folder: Path) -> None:
    write_labels(folder)
    write_tone(folder / "stray.wav", 300)


def _empty_label(folder: Path) -> None:
    write_labels(folder)
    (folder / "nothing").mkdir()


def _damaged_label(folder: Path) -> None:
    write_labels(folder)
    (folder / "broken").mkdir()
    (folder / "broken" / "a.wav").write_text("no sound")


def _silent_label(folder: Path) -> None:
    write_labels(folder)
    (folder / "quiet").mkdir()
    soundfile.write(folder / "quiet" / "a.wav", np.zeros(RATE), RATE)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_only_unlabelled, "has 0 labels"),
        (_one_label, "has 1 label: 'low'"),
        (_flat, "has 0 labels"),
        (_beside, "'stray.wav' lies beside the folders"),
        (_empty_label, "'nothing' of .* has no sound"),
        (_damaged_label, "'broken' of .* has no sound"),
        (_silent_label, "'quiet' of .* has no sound"),
    ],
)
def test_labels_that_cannot_be_learned_get_a_sentence(write, said: str, tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=said) as caught:
        open_labelled(str(tmp_path), None, 3)
    assert caught.value.why and caught.value.do


@pytest.mark.parametrize("name", ["Unlabelled", "unlabeled", "UNLABELED"])
def test_the_folder_without_labels_is_known_in_both_spellings(name: str, tmp_path: Path) -> None:
    write_labels(tmp_path)
    (tmp_path / "unlabelled").rename(tmp_path / name)
    found = open_labelled(str(tmp_path), None, 3)
    assert found.names == ("high", "low") and len(found.others) == 16


def test_labels_with_one_sound_are_warned_of_and_long_sounds_too(tmp_path: Path) -> None:
    write_labels(tmp_path, each=1)
    write_tone(tmp_path / "unlabelled" / "long.wav", 300, seconds=3.0)
    warnings = " ".join(open_labelled(str(tmp_path), None, 3).passport["warnings"])
    assert "Labels with one sound cannot be measured: high, low" in warnings and "the longest has 3.00 s" in warnings


# ---- a run -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("few")
    gf.train(write_labels(folder / "sounds"), run=folder / "run", examples=960, **TINY)
    return Run(folder / "run")


@pytest.mark.slow
def test_labels_of_a_folder_are_written_as_csv_or_json_and_given_in_memory(run, tmp_path: Path) -> None:
    sounds = write_labels(tmp_path / "new", each=2, others=0)
    table = gf.apply(run.folder, sounds)
    assert list(table.columns) == ["file", "label", "certainty"]
    assert [Path(file).parent.name for file in table["file"]] == list(table["label"])  # two octaves are far apart
    assert table["certainty"].between(0.5, 1).all()
    assert pd.read_csv(gf.apply(run.folder, sounds, tmp_path / "l.csv")).equals(table)
    assert json.loads(gf.apply(run.folder, sounds, tmp_path / "l.json").read_text()) == table.to_dict("records")
    tone = soundfile.read(sounds / "low" / "0.wav")
    assert gf.apply(run.folder, tone)["label"].tolist() == ["low"]


@pytest.mark.slow
def test_other_formats_taken_names_and_sounds_that_cannot_be_read_are_refused_or_skipped(run, tmp_path: Path) -> None:
    sounds = write_labels(tmp_path / "new", each=1, others=0)
    for name in ("l.txt", "l", "l.wav"):
        with pytest.raises(InputError, match="cannot be written as"):
            gf.apply(run.folder, sounds, tmp_path / name)
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        gf.apply(run.folder, sounds, tmp_path / "there.csv")
    (sounds / "bad.wav").write_text("no sound")
    soundfile.write(sounds / "quiet.wav", np.zeros(RATE), RATE)
    events: list[dict] = []

    class Heard:
        def event(self, event) -> None:
            events.append(event)

    assert len(gf.apply(run.folder, sounds, observers=(Heard(),))) == 2
    skipped = [event["reason"] for event in events if event["kind"] == "skipped"]
    assert len(skipped) == 2 and "bad.wav" in skipped[0] and "silence only" in skipped[1]
    for name in ("bad.wav", "quiet.wav"):
        with pytest.raises(DataError, match=name):
            gf.apply(run.folder, sounds / name)
    with pytest.raises(InputError, match="needs an input"):
        gf.load(run.folder).sample(2)


@pytest.mark.slow
def test_the_report_tells_the_choice_with_its_interval_and_every_methods_score(run) -> None:
    found = json.loads(run.evaluation.read_text())
    assert {one["name"] for one in found["rivals"]} == {LINEAR, SUPERVISED, STUDENT}
    assert found["method"] == found["rivals"][0]["name"]
    assert {one["name"] for one in found["measures"]} == {"accuracy", "calibration_error"}
    assert "points" in " ".join(found["verdict"]["sentences"])
    titles = [block["title"] for block in found["blocks"]]
    assert titles == ["Listen", "Methods", "Which labels are confused", "Is the certainty right?"]


@pytest.mark.slow
def test_with_one_sound_a_label_nothing_is_measured_and_that_is_said(tmp_path: Path) -> None:
    gf.train(write_labels(tmp_path / "s", each=1), run=tmp_path / "run", examples=64, **TINY)
    run = Run(tmp_path / "run")
    found = json.loads(run.evaluation.read_text())
    assert found["measures"] == [] and "could not be measured" in found["verdict"]["headline"]
    assert run.report.exists() and len(gf.apply(run.folder, tmp_path / "s")) == 18


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [("labels", ["low", "low"]), ("labels", ["low"]), ("methods", ["magic"]), ("members", 10**6), ("grid", {})],
)
def test_a_model_from_a_stranger_is_checked(run, name: str, value: object, tmp_path: Path) -> None:
    content = json.loads((run.model / "model.json").read_text()) | {name: value}

    def fill(folder: Path) -> None:
        (folder / "model.json").write_text(json.dumps(content))
        (folder / "model.safetensors").write_bytes((run.model / "model.safetensors").read_bytes())

    write_folder(tmp_path / "model", fill)
    with pytest.raises(RunError):
        load_recogniser(tmp_path / "model")


def test_a_recogniser_uses_the_method_and_the_temperature_that_were_chosen() -> None:
    product = Recogniser((LINEAR, SUPERVISED), 1, 3, 8)
    levels = torch.rand(2, 1, 32, 32)
    product.choose(SUPERVISED, 2.0)
    torch.testing.assert_close(product(levels), product.of(SUPERVISED)[0](levels) / 2)


def test_settings_of_a_run_say_how_many_networks_each_method_has() -> None:
    grid = Grid(mel=Mel.at(RATE), frames=32, top=0.0)
    assert [Recognising(grid=grid, folds=folds).members for folds in (0, 1, 3)] == [1, 1, 4]


def test_two_processes_find_the_gradient_of_one_for_every_player(tmp_path: Path) -> None:
    recipe = planned(write_labels(tmp_path), recognise__adversarial="1")
    game = build_game(recipe)
    batch = open_labelled(str(tmp_path), None, 3).feed("cpu").batch(torch.arange(8))

    def gradient(player: Player, rank: int, size: int) -> torch.Tensor:
        own = {name: tensor.chunk(size)[rank] for name, tensor in batch.items()}
        draws = Draws(generator_for(0, player.name), World(rank, size))
        player.network.requires_grad_(True).zero_grad()
        loss = player.loss(Turn(own, draws, {"gamma": 0.0}))
        sum(loss.terms.values()).mean().backward()
        return torch.cat([weight.grad.flatten() for weight in player.network.parameters() if weight.grad is not None])

    assert [player.name for player in game.players] == [SUPERVISED, STUDENT, ADVERSARIAL, "generator"]
    for player in game.players:
        halves = torch.stack([gradient(player, rank, 2) for rank in range(2)])
        torch.testing.assert_close(halves.mean(0), gradient(player, 0, 1), rtol=1e-3, atol=1e-6)
