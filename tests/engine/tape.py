"""A processor as a recorder (engine/capture.Recorder): every operation of a step is written down, with the very tensors
that it read and wrote, and repeated from that list without running the step's Python again.

That is what a CUDA graph does. So whatever would go wrong there goes wrong here: a number that the host chose while the
step was recorded stays as it was, and an operation by which the host would wait for the device is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from ganforge.engine.capture import Repeat
from ganforge.engine.step import Told

aten = torch.ops.aten
WAITING = {  # the host would read from the device, or the device from memory of the host that changes
    aten._local_scalar_dense.default: "the host reads a number from the device",
    aten.lift_fresh.default: "numbers come from the host",
    aten.equal.default: "the host compares tensors of the device",
    aten.is_nonzero.default: "the host asks the device for a decision",
    aten.nonzero.default: "the size of a result depends on its content",
    aten.masked_select.default: "the size of a result depends on its content",
    aten._unique2.default: "the size of a result depends on its content",
    aten.repeat_interleave.Tensor: "the size of a result depends on its content",
}


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor))


class Tape(TorchDispatchMode):
    """Writes down what it sees; `undo` takes its effects back."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []
        self._made: dict[int, Any] = {}  # storages that came into being on the tape
        self._before: dict[int, tuple[Any, Any]] = {}  # others that it writes to, and what they held

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in WAITING:
            raise RuntimeError(f"{func} cannot be recorded: {WAITING[func]}")
        if func is aten.index.Tensor and any(index is not None and index.dtype == torch.bool for index in args[1]):
            raise RuntimeError(f"{func} cannot be recorded: the size of a result depends on its content")
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self._keep(value)
        result = func(*args, **given)
        if any(told.alias_info is None for told in func._schema.returns):
            self._made |= {t.untyped_storage()._cdata: t.untyped_storage() for t in _tensors(result)}
        self.operations.append((func, args, given, result))
        return result

    def _keep(self, written: Any) -> None:
        for tensor in _tensors(written):
            storage = tensor.untyped_storage()
            if storage._cdata not in self._made and storage._cdata not in self._before:
                self._before[storage._cdata] = (storage, storage.clone())

    def undo(self) -> None:
        for storage, held in self._before.values():
            storage.copy_(held)

    @torch.no_grad()
    def repeat(self) -> None:
        for func, args, given, result in self.operations:
            returns = func._schema.returns
            if returns and all(told.alias_info is not None and not told.alias_info.is_write for told in returns):
                continue  # a view: it already shows the memory that the operations before it write to
            again = func(*args, **given)
            if any(told.alias_info is None for told in returns):
                for kept, new in zip(_tensors(result), _tensors(again), strict=True):
                    kept.detach().copy_(new)


class TapeRecorder:
    """Records on a processor."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self._generators = generators
        self.tapes: list[Tape] = []

    def warm_up(self, work: Callable[[], Told]) -> Told:
        return work()

    def record(self, work: Callable[[], Told]) -> tuple[Told, Repeat]:
        states, tape = [generator.get_state() for generator in self._generators], Tape()
        try:
            with tape:
                told = work()
        finally:
            tape.undo()
            for generator, state in zip(self._generators, states, strict=True):
                generator.set_state(state)
        self.tapes.append(tape)
        return told, tape.repeat
