"""The networks of a regression, their game of one player, and the trained model in the units of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganforge.contracts import Game, Loss, Observer, Player, Turn
from ganforge.core.model_files import built, read_description_of, write_model_files
from ganforge.core.seeds import seed_for
from ganforge.errors import InputError, RecipeError, did_you_mean, refused
from ganforge.kinds.tables.regress.numeric import Numbers, Scaling
from ganforge.networks.mlp import hidden_layers
from ganforge.objectives import squared_error
from ganforge.planning.game import optimiser_settings
from ganforge.recipe import Network, Recipe

REGRESSORS = ("linear", "mlp")


class LinearRegressor(nn.Module):
    """The textbook's h(x) = theta^T x. The features get a column of ones, so that theta holds the intercept.

    The text's own code omits the column, so that a two-element theta cannot be fitted: see docs/theory.md.
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


def build_regressor(network: Network, features: int) -> nn.Module:
    """Build the network that a recipe names, x (B, F) -> (B,). Raises: RecipeError for an unknown name."""
    match network.name:
        case "linear":
            return LinearRegressor(features)
        case "mlp":
            return MlpRegressor(features, network.need("width"), network.need("depth"))
    raise RecipeError(f"There is no network {network.name!r} for regression.", did_you_mean(network.name, REGRESSORS))


def build_game(recipe: Recipe, features: int) -> Game:
    """Build the game of one player, which minimises 1/(2m) sum (h(x) - y)^2.

    When a batch is as large as the table, it holds every row once (core/seeds.py), as the textbook writes the sum.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(recipe.seed, "networks"))  # torch's initialisers take no generator
        network = build_regressor(recipe.network, features)
    network.to(recipe.compute.device)

    def loss(turn: Turn) -> Loss:
        return squared_error(network(turn.batch["x"]), turn.batch["y"])

    return Game((Player("regressor", network, loss, optimiser_settings(recipe)),), product="regressor")


@dataclass(frozen=True, slots=True)
class RegressionModel:
    """Rows in, numbers out, in the units of the table."""

    network: nn.Module
    feature_names: tuple[str, ...]
    target_name: str
    scaling: Scaling

    @torch.no_grad()
    def predict(self, x: Numbers) -> Numbers:
        """Args: x (N, F) in the table's units and in the order of `feature_names`. Returns: (N,) of the target."""
        standard = torch.from_numpy((x - self.scaling.x_mean) / self.scaling.x_std).float()
        device = next(self.network.parameters()).device
        answer: Numbers = self.network(standard.to(device)).cpu().double().numpy()
        return self.scaling.y_mean + self.scaling.y_std * answer

    def theta(self) -> Numbers | None:
        """Return the standardised theta (1 + F,), intercept first; None for a network that is not linear."""
        if not isinstance(self.network, LinearRegressor):
            return None
        values: Numbers = self.network.theta.detach().cpu().double().numpy()
        return values

    # ---- the methods of contracts.Model

    def sample(self, count: int, asked: Mapping[str, Any], seed: int) -> Any:
        """Refuse: a regression does not draw samples."""
        raise _refused(f"It predicts {self.target_name!r} and draws no rows.")

    def write(self, samples: object, out: Path, *, force: bool) -> Path:
        """Refuse: there are no samples."""
        raise _refused("There are no rows to write.")

    def apply(self, source: object, out: Path | None, options: Mapping[str, Any], observers: Sequence[Observer]) -> Any:
        """Refuse for now: `predict` takes numbers in Python, and no verb takes a table."""
        raise _refused("No verb takes a table through it.")

    def next_steps(self) -> Mapping[str, str]:
        """Return nothing but `evaluate`, which every run has."""
        return {}

    def store(self, folder: Path, recipe: Recipe) -> None:
        """Write model.json and model.safetensors: all that `load_regression` needs."""
        scaling = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in asdict(self.scaling).items()
        }
        content = {
            "ganforge": recipe.ganforge,
            "task": recipe.task,
            "kind": "tables",
            "next_steps": {},
            "network": recipe.network.content(),
            "features": list(self.feature_names),
            "target": self.target_name,
            "scaling": scaling,
        }
        write_model_files(folder, self.network, content)


def _refused(why: str) -> InputError:
    return InputError("This run is a regression.", why, "How good it is says: ganforge evaluate RUN")


def load_regression(folder: Path, device: str = "cpu") -> RegressionModel:
    """Read the model of a run, which may come from anybody (core/model_files.py).

    Raises: RunError if there is none, if it is damaged, or if it is not a regression.
    """
    content = read_description_of(folder, "regress", "a regression")
    with refused(f"The model at {str(folder)!r}"):
        features, target, given = content["features"], content["target"], content["scaling"]
        if not isinstance(features, list) or not all(isinstance(name, str) for name in (*features, target)):
            raise ValueError("its features and target are not names")
        scaling = Scaling(
            x_mean=np.array(given["x_mean"], np.float64),
            x_std=np.array(given["x_std"], np.float64),
            y_mean=float(given["y_mean"]),
            y_std=float(given["y_std"]),
        )
        if not scaling.fits(len(features)):
            raise ValueError("its scaling does not fit its features")
        network = Network.model_validate(content["network"])
        regressor = built(folder, lambda: build_regressor(network, len(features))).to(device)
    return RegressionModel(regressor, tuple(features), target, scaling)
