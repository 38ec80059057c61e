"""The optimiser of a player, from its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ganforge.contracts import OptimiserSettings


def build_optimiser(settings: OptimiserSettings, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """Build a fused optimiser whose learning rate is a tensor that is set before every step.

    Weight decay is decoupled from the gradient (AdamW, Loshchilov and Hutter 2019), and spares vectors: biases and the
    like, whose size says nothing of how much was learned by heart.
    """
    start = torch.tensor(settings.learning_rate.start)
    if settings.kind == "sgd":
        return torch.optim.SGD(parameters, lr=start, fused=True)
    betas = (float(settings.beta1), float(settings.beta2))
    if settings.weight_decay:
        groups: list[dict[str, Any]] = [
            {"params": [p for p in parameters if (p.dim() < 2) is vectors], "weight_decay": share}
            for vectors, share in ((True, 0.0), (False, settings.weight_decay))
        ]
        return torch.optim.AdamW(groups, lr=start, betas=betas, fused=True, capturable=parameters[0].is_cuda)
    return torch.optim.Adam(parameters, lr=start, betas=betas, fused=True, capturable=parameters[0].is_cuda)
