"""Gradients averaged over all processes while the next player already computes.

A started reduction is finished as late as is correct: just before the next use of the network whose step waits for
it, or of one of its layers. In a game of two the discriminator's gradients are reduced while the generator draws its
examples. The bits are the same as without the overlap, because the same sums are made in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from torch import nn

from ganforge.core.world import Travelling


class Averaging:
    """An all-reduce of a set of gradients in progress, and what to do when it is complete."""

    def __init__(self, travelling: Travelling | None, then: Callable[[], None]) -> None:
        """Args: travelling None if there is no process to wait for."""
        self._travelling, self._then = travelling, then
        self._handles: list[Any] = []
        self._lock = Lock()  # of the pieces of a batch, which use a network at the same time, one finishes
        self.finished = False

    def finish(self) -> None:
        """Wait until the gradients are averaged and do what follows; once."""
        with self._lock:
            if self.finished:
                return
            self.finished = True
            for handle in self._handles:
                handle.remove()
            if self._travelling is not None:
                self._travelling.arrive()
            self._then()

    def finish_before_use_of(self, network: nn.Module) -> None:
        """Finish when the network is called, or a layer of it with weights of its own; at once if nothing is pending.

        A network may use the weights of a layer without calling it, so that layers alone would be too late.
        """
        if self._travelling is None:
            self.finish()
            return
        for module in network.modules():
            if module is network or next(module.parameters(recurse=False), None) is not None:
                self._handles.append(module.register_forward_pre_hook(lambda *_: self.finish()))
