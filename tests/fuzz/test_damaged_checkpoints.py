"""Checkpoints from anybody: their hashes are right, and everything else may be wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from mutations import bytes_like, fuzzed, json_like
from torch import Tensor, nn

from ganforge.contracts import Loss, OptimiserSettings, Player, Schedule, Turn
from ganforge.core.files import write_folder
from ganforge.engine.best import Best, Standing
from ganforge.engine.checkpoint import Clock, State, load_checkpoint, newest_healthy, save_checkpoint
from ganforge.engine.ema import MovingAverage
from ganforge.engine.step import Seat, sit_down
from ganforge.errors import GanforgeError


def table() -> tuple[list[Seat], MovingAverage, Best]:
    """One player after one step, its average, and the best of its products."""
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))

    def loss(turn: Turn) -> Loss:
        raise NotImplementedError

    seat = sit_down(Player("solver", network, loss, OptimiserSettings(Schedule(0.1, 0.0))))
    total: Tensor = network(torch.ones(1, 2)).sum()
    total.backward()  # type: ignore[no-untyped-call]
    seat.optimiser.step()
    average, best = MovingAverage(network, 10.0), Best("quality")
    best.look(Standing(), {"quality": 1.0}, average.network, 10)
    return [seat], average, best


def written(folder: Path) -> dict[str, bytes]:
    seats, average, best = table()
    path = save_checkpoint(folder, State(Clock(100), step=10, standing=Standing()), seats, average, best)
    return {name: (path / name).read_bytes() for name in ("state.json", "tensors.safetensors")}


@fuzzed(80)
@given(data=st.data())
def test_an_absurd_checkpoint_is_refused_in_words_and_changes_nothing_or_is_one(tmp_path: Path, data: Any) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    files = written(folder / "good")
    kind = data.draw(st.sampled_from(("state", "state bytes", "tensors", "header")))
    if kind == "state":
        files["state.json"] = json.dumps(data.draw(json_like(json.loads(files["state.json"])))).encode()
    elif kind == "state bytes":
        files["state.json"] = data.draw(bytes_like(files["state.json"]))
    elif kind == "tensors":
        files["tensors.safetensors"] = data.draw(bytes_like(files["tensors.safetensors"]))
    else:
        content = files["tensors.safetensors"]
        length = int.from_bytes(content[:8], "little")
        header = json.dumps(data.draw(json_like(json.loads(content[8 : 8 + length])))).encode()
        files["tensors.safetensors"] = len(header).to_bytes(8, "little") + header + content[8 + length :]

    def fill(target: Path) -> None:
        for name, content in files.items():
            (target / name).write_bytes(content)

    write_folder(folder / "000000010", fill)
    path, damaged = newest_healthy(folder)
    assert path is not None and not damaged  # the hashes are right
    seats, average, best = table()
    before = {name: tensor.clone() for name, tensor in seats[0].player.network.state_dict().items()}
    try:
        state = load_checkpoint(path, seats, average, best)
        assert isinstance(state.step, int) and isinstance(state.clock.progress, float)
        seats[0].optimiser.step()  # the moments are whole
    except GanforgeError as error:
        assert str(error)
        now = seats[0].player.network.state_dict()
        assert all(torch.equal(before[name], now[name]) for name in before)


def test_a_checkpoint_that_is_a_link_is_none(tmp_path: Path) -> None:
    written(tmp_path / "elsewhere")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "000000010").symlink_to(tmp_path / "elsewhere" / "000000010")
    assert newest_healthy(tmp_path / "checkpoints") == (None, [])
