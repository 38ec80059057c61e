"""Networks of the one-player game: from features to one number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganforge.networks.mlp import hidden_layers


class LinearRegressor(nn.Module):
    """The textbook's h(x) = theta^T x. The features get a column of ones, so that theta holds the intercept.

    The text's own code leaves the column out, and with it a two-element theta cannot be fitted: see docs/theory.md.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1 + features))  # theta_0 is the intercept

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones(len(x), 1, device=x.device, dtype=x.dtype)
        return torch.cat([ones, x], dim=1) @ self.theta  # (B, F) -> (B,)


class MlpRegressor(nn.Module):
    """Hidden layers and one output."""

    def __init__(self, features: int, width: int, depth: int) -> None:
        super().__init__()
        self.hidden = hidden_layers(features, width, depth)
        self.answer = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        prediction: Tensor = self.answer(self.hidden(x))
        return prediction[:, 0]  # (B, 1) -> (B,)
