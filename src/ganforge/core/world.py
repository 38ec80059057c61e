"""The processes that train one run together: the rank of this one, and reductions over all.

Started by torchrun, every process trains on its own rows of each batch, and gradients are averaged explicitly: nothing
is wrapped. The leader (rank 0) alone plans, reads the data, looks at the product, decides and writes, and informs the
others. Nothing is pickled: processes exchange numbers, or JSON as bytes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from ganforge.errors import RecipeError, WorldError

PATIENCE_SECONDS = 600.0  # timeout for an answer of another process; a look of the leader's takes less
PATIENCE_NAME = "GANFORGE_PATIENCE_SECONDS"
RESTARTS = "TORCHELASTIC_RESTART_COUNT"
READY = "ready"  # set by the leader when it has something to send
AT_ONCE_BYTES = 2**26  # of one message, so that it takes little memory besides the content


@dataclass(frozen=True, slots=True)
class World:
    """One process among `size`. With one process, the methods cost nothing and change nothing."""

    rank: int = 0
    size: int = 1
    store: Any = field(default=None, compare=False)  # torch's, where the processes find each other

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share_of(self, batch_size: int) -> int:
        """Return the rows of a batch for each process. Raises: RecipeError if they cannot be equal."""
        if batch_size % self.size:
            raise RecipeError(
                f"A batch of {batch_size} cannot be shared among {self.size} processes.",
                "Each must get equally many examples.",
                f"Use --set optimiser.batch_size={-(-batch_size // self.size) * self.size}, or another number of them.",
            )
        return batch_size // self.size

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over all processes: one flattened all-reduce. All must be on one device."""
        travelling = self.send_off(tensors)
        if travelling is not None:
            travelling.arrive()

    @torch.no_grad()
    def send_off(self, tensors: Sequence[Tensor]) -> Travelling | None:
        """Start the reduction of `average` and return at once; None if this is the only process.

        Until `arrive`, the tensors must not change.
        """
        if self.size == 1 or not tensors:
            return None
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with _patient("average gradients"):
            return Travelling(list(tensors), flat, dist.all_reduce(flat, async_op=True), self.size)

    def any(self, here: bool) -> bool:
        """Return whether it holds in any process."""
        if self.size == 1:
            return here
        flag = torch.tensor([float(here)])
        with _patient("agree"):
            dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item() > 0)

    def tell(self, content: Mapping[str, Any] | None) -> dict[str, Any]:
        """Broadcast and return the leader's JSON object. Args: content None in the other processes."""
        if self.size == 1:
            return dict(content or {})
        told: dict[str, Any] = json.loads(self.tell_bytes(json.dumps(content).encode() if self.leads else b""))
        return told

    def tell_bytes(self, content: bytes) -> bytes:
        """Broadcast and return the leader's bytes. Args: content to send; ignored in the other processes."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], dtype=torch.int64)
        with _patient("hear from the leader"):
            dist.broadcast(length, 0)
            whole = bytearray(content if self.leads else int(length.item()))
            view = torch.frombuffer(whole, dtype=torch.uint8) if whole else torch.empty(0, dtype=torch.uint8)
            for part in torch.split(view, AT_ONCE_BYTES):
                dist.broadcast(part, 0)
        return bytes(whole)

    def send(self, tensor: Tensor, to: int) -> None:
        """Send a tensor on the CPU to one process, which calls `receive` with one of the same shape and type."""
        with _patient(f"send data to process {to}"):
            for part in torch.split(_bytes_of(tensor), AT_ONCE_BYTES):
                dist.send(part, to)

    def receive(self, tensor: Tensor) -> None:
        """Fill a contiguous tensor on the CPU with what the leader sends."""
        with _patient("receive data"):
            for part in torch.split(_bytes_of(tensor), AT_ONCE_BYTES):
                dist.recv(part, 0)


@dataclass(frozen=True, slots=True)
class Travelling:
    """Tensors whose sum over all processes is being computed."""

    tensors: list[Tensor]
    flat: Tensor  # all of them one after the other
    work: Any  # torch's handle of the all-reduce
    size: int  # processes

    @torch.no_grad()
    def arrive(self) -> None:
        """Wait for the sum and write the mean into the tensors. On a GPU the device waits, not the host."""
        with _patient("average gradients"):
            self.work.wait()
        self.flat.div_(self.size)
        parts = torch.split(self.flat, [tensor.numel() for tensor in self.tensors])
        torch._foreach_copy_(
            self.tensors, [part.view(tensor.shape) for part, tensor in zip(parts, self.tensors, strict=True)]
        )


ALONE = World()


@contextmanager
def joined() -> Iterator[World]:
    """Join the world in which torchrun started this process, until the end of the block; ALONE without torchrun.

    The processes connect only when the leader has something to send (`meet`), but all know at once whether it is alive.
    Raises: WorldError.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank() % torch.cuda.device_count())
    with _patient("find the leader"):
        store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=_patience())))
        # torchrun may keep one store over all its restarts: what a world before has left in it must not be read
        store = dist.PrefixStore(f"ganforge/{os.environ.get(RESTARTS, '0')}", store)  # type: ignore[attr-defined]
    try:
        yield World(rank, size, store)
    finally:
        failed = sys.exc_info()[0] is not None  # then the others may not answer, and parting would wait for them
        if dist.is_initialized() and not failed:
            dist.destroy_process_group()


def meet(world: World) -> None:
    """Connect the processes, once. The others wait for the leader while it reads the data.

    Communication on the CPU is by gloo, between GPUs by nccl. The timeout is then PATIENCE_SECONDS, or
    $GANFORGE_PATIENCE_SECONDS. Raises: WorldError if the others cannot be reached.
    """
    if world.size == 1 or dist.is_initialized():
        return
    assert world.store is not None
    with _patient("meet the others"):
        if world.leads:
            world.store.set(READY, "yes")
        while not world.store.check([READY]):
            time.sleep(0.1)  # not one long wait: a signal must get through
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        patience = timedelta(seconds=_patience())
        dist.init_process_group(backend, store=world.store, rank=world.rank, world_size=world.size, timeout=patience)


def leave(world: World) -> None:
    """Disconnect the processes in order if all are alive: one that just ends may be aborted by its own threads."""
    world.any(False)  # until all are here: with a process its connections end
    if dist.is_initialized():
        dist.destroy_process_group()


def is_leader() -> bool:
    """Return whether this process is the leader."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """Return the index of this process on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def restarted() -> bool:
    """Return whether torchrun restarted this world after a process of it was lost."""
    return int(os.environ.get(RESTARTS, "0")) > 0


def _patience() -> float:
    text = os.environ.get(PATIENCE_NAME, "")
    try:
        seconds = float(text) if text else PATIENCE_SECONDS
    except ValueError:
        seconds = -1.0
    if not 1 <= seconds <= 86_400:
        raise WorldError(f"{PATIENCE_NAME} is {text!r}.", "It is a number of seconds from 1 to 86400.", "Change it.")
    return seconds


def _bytes_of(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0, dtype=torch.uint8)


@contextmanager
def _patient(what: str) -> Iterator[None]:
    """Turn torch's errors for a lost or unresponsive process into WorldError."""
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise WorldError(
            f"Process {os.environ.get('RANK', '0')} of {os.environ.get('WORLD_SIZE', '1')} could not {what}: {first}",
            f"Another process has died, or the connection is cut or was silent for {_patience():g} seconds.",
            "Start it again with the same command: it goes on from the last checkpoint.",
        ) from error


def stretch(count: int, world: World) -> tuple[int, int]:
    """Return which of `count` training examples a process draws from: the first, and one past the last.

    Row j of a batch of B is drawn from the j-th of B equal stretches of the examples (see core/seeds.py), so a process
    that has the rows r/W to (r+1)/W of each batch needs those examples alone, whatever B is.
    """
    return count * world.rank // world.size, -(-count * (world.rank + 1) // world.size)
