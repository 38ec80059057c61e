"""Engines that claim to be private and are not, each broken in one place: what an audit that has teeth must catch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from ganforge.contracts import Batch, Feed, Player
from ganforge.core.noise import KEY_BYTES, PrivateNoise
from ganforge.engine.private import PrivateGradients


class HalfNoise(PrivateGradients):
    """Half of the noise that is promised."""

    def noise(self) -> Tensor:
        return super().noise() / 2


class NoClipping(PrivateGradients):
    """Gradients are summed as they are."""

    def clipped(self, gradients: Sequence[Tensor]) -> Tensor:
        return torch.cat([gradient.flatten(1).sum(0, dtype=torch.float64) for gradient in gradients])


class Coupled(PrivateGradients):
    """Gradients are clipped one by one, but examples meet behind the first layer of the network. To be subclassed."""

    def __init__(self, player: Player, feed: Feed) -> None:
        super().__init__(player, feed)
        layer = next(module for module in player.network.modules() if isinstance(module, nn.Linear))
        layer.register_forward_hook(lambda module, given, out: self.meet(out))

    def meet(self, x: Tensor) -> Tensor:
        """Return what the layer gives to the next one. Args: x (B, F)."""
        raise NotImplementedError

    def per_example(self, batch: Batch) -> list[Tensor]:
        weights = {f"network.{name}": weight.detach() for name, weight in self.network.named_parameters()}
        found = jacrev(lambda given: functional_call(self._loss, given, (batch,)))(weights)
        return list(found.values())


class BatchNormalised(Coupled):
    """Batch normalisation (Ioffe and Szegedy 2015)."""

    def meet(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()


class MinibatchStatistics(Coupled):
    """The mean deviation over the batch goes to every example (Karras et al. 2018)."""

    def meet(self, x: Tensor) -> Tensor:
        return x + (x.var(0, correction=0) + 1e-8).sqrt().mean()


class Shuffled(PrivateGradients):
    """Batches of one size from a shuffled list, accounted as Poisson samples."""

    def __init__(self, player: Player, feed: Feed) -> None:
        super().__init__(player, feed)
        self._left = torch.empty(0, dtype=torch.int64)

    def sample(self) -> Tensor:
        size = max(1, round(self.rule.rate * len(self.feed)))
        if len(self._left) < size:
            self._left = torch.randperm(len(self.feed))
        batch, self._left = self._left[:size], self._left[size:]
        return batch


class Replayed(PrivateGradients):
    """The key follows from the seed of the run, so that a resumed run draws its noise again."""

    def __init__(self, player: Player, feed: Feed) -> None:
        super().__init__(player, feed)
        self.stream = PrivateNoise(b"1".rjust(KEY_BYTES))


BROKEN: dict[str, type[PrivateGradients]] = {
    "half the noise": HalfNoise,
    "no clipping": NoClipping,
    "batch norm": BatchNormalised,
    "shuffling sold as Poisson": Shuffled,
    "noise replayed after a resume": Replayed,
}
"""The five of the benchmark; MinibatchStatistics is one more."""
