"""A checkpoint is whole or not there, and every damage is noticed."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path

import pytest
from toy_games import (
    Killed,
    Notebook,
    TableFeed,
    adversarial_game,
    kill_after,
    points,
    regression_game,
    same,
    settings,
    weights,
)

from ganforge.core.files import MANIFEST, sha256_of
from ganforge.engine.checkpoint import (
    Clock,
    State,
    list_checkpoints,
    load_checkpoint,
    newest_healthy,
    save_checkpoint,
)
from ganforge.engine.ema import MovingAverage
from ganforge.engine.fit import fit
from ganforge.engine.step import sit_down
from ganforge.errors import RunError, StorageError
from ganforge.run import Run


def a_run(folder: Path, steps: int = 60) -> Run:
    run = Run(folder)
    fit(adversarial_game(), TableFeed(x=points()), settings(steps), run=run)
    return run


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    run = a_run(tmp_path, steps=75)
    assert [path.name for path in list_checkpoints(run.checkpoints)] == ["000000060", "000000075"]


def test_everything_comes_back_bit_for_bit(tmp_path: Path) -> None:
    game = adversarial_game()
    fitted = fit(game, TableFeed(x=points()), settings(60), run=Run(tmp_path))
    fresh = adversarial_game()
    seats = [sit_down(player) for player in fresh.players]
    average = MovingAverage(fresh.product_player.network, 100.0)
    state = load_checkpoint(list_checkpoints(tmp_path / "checkpoints")[-1], seats, average)
    assert state == fitted.state
    assert same(weights(average.network), weights(fitted.product))
    for old, new in zip(game.players, fresh.players, strict=True):
        assert same(weights(old.network), weights(new.network))
    assert all(seat.optimiser.state[parameter]["step"] == 60 for seat in seats for parameter in seat.parameters)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    older, newest = list_checkpoints(run.checkpoints)
    flips = random.Random(0)
    for file in sorted(newest.iterdir()):
        content = file.read_bytes()
        for place in [0, len(content) - 1, *(flips.randrange(len(content)) for _ in range(20))]:
            changed = bytearray(content)
            changed[place] ^= 1
            file.write_bytes(bytes(changed))
            found, damaged = newest_healthy(run.checkpoints)
            assert found == older, (file.name, place)
            assert len(damaged) == 1
        file.write_bytes(content)
    assert newest_healthy(run.checkpoints) == (newest, [])


@pytest.mark.parametrize("name", [MANIFEST, "tensors.safetensors", "state.json"])
def test_a_missing_or_shortened_file_is_noticed(name: str, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    older, newest = list_checkpoints(run.checkpoints)
    (newest / name).write_bytes((newest / name).read_bytes()[:-3])
    assert newest_healthy(run.checkpoints)[0] == older
    (newest / name).unlink()
    assert newest_healthy(run.checkpoints)[0] == older


def test_a_half_written_folder_is_not_a_checkpoint(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    newest = list_checkpoints(run.checkpoints)[-1]
    half = newest.with_name(f".{int(newest.name) + 20:09d}.4711.abcd")  # what a kill leaves of write_folder
    shutil.copytree(newest, half)
    (half / MANIFEST).unlink()
    assert newest_healthy(run.checkpoints) == (newest, [])


def test_a_run_with_a_damaged_newest_checkpoint_goes_on_from_the_one_before(tmp_path: Path) -> None:
    straight, hurt = a_run(tmp_path / "straight"), a_run(tmp_path / "hurt")
    newest = list_checkpoints(hurt.checkpoints)[-1]
    (newest / "state.json").write_text("{}")
    notebook = Notebook()
    fit(adversarial_game(), TableFeed(x=points()), settings(60), run=hurt, observers=[notebook])
    assert notebook.kinds()[:2] == ["damaged_checkpoint", "resumed"]
    assert notebook.events[1]["step"] == 40
    files = [list_checkpoints(run.checkpoints)[-1] / "tensors.safetensors" for run in (straight, hurt)]
    assert sha256_of(files[0]) == sha256_of(files[1])


def test_damaged_newer_checkpoints_do_not_push_out_the_healthy_ones(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(Killed):
        fit(adversarial_game(), TableFeed(x=points()), settings(100), run=run, stop=kill_after(45))
    for later in ("000000200", "000000220", "000000230.stopped"):
        shutil.copytree(list_checkpoints(run.checkpoints)[0], run.checkpoints / later)
        (run.checkpoints / later / "state.json").write_text("{}")
    with pytest.raises(Killed):
        fit(adversarial_game(), TableFeed(x=points()), settings(100), run=run, stop=kill_after(30))
    found, damaged = newest_healthy(run.checkpoints)
    assert found is not None
    assert found.name == "000000060"
    assert len(damaged) == 2


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_again_by_itself(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    for path in list_checkpoints(run.checkpoints):
        (path / "state.json").write_text("{}")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"No checkpoint .*000000060.*000000040"):
        fit(adversarial_game(), TableFeed(x=points()), settings(100), run=run)
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    shutil.rmtree(run.checkpoints)
    assert fit(adversarial_game(), TableFeed(x=points()), settings(60), run=run).state.step == 60


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with pytest.raises(RunError, match="does not fit"):
        fit(regression_game(), TableFeed(x=points(), y=points()[:, 0]), settings(100), run=run)


def test_a_full_disk_is_said_in_words_and_leaves_the_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path)
    newest, game = list_checkpoints(run.checkpoints)[-1], adversarial_game()
    seats = [sit_down(player) for player in game.players]

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="disk is full"):
        save_checkpoint(run.checkpoints, State(Clock(100), step=80), seats, MovingAverage(seats[0].player.network, 1.0))
    assert newest_healthy(run.checkpoints) == (newest, [])
    assert not [path for path in run.checkpoints.iterdir() if path.name.startswith(".")]
