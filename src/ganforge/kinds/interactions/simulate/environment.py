"""An environment of simulated users for whoever trains a policy with gymnasium; it needs a run, and no data.

from ganforge.kinds.interactions.simulate.environment import SimulatedUsers
environment = SimulatedUsers("runs/ratings")
seen, about = environment.reset(seed=0)
seen, reward, left, cut, about = environment.step(action)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.errors import InputError
from ganforge.kinds.interactions.simulate.model import load_users
from ganforge.kinds.interactions.simulate.walk import Walk

try:
    import gymnasium
    from gymnasium import spaces
except ModuleNotFoundError as error:
    raise InputError(
        "The package 'gymnasium' is not installed.",
        "It is an extra, because not everybody needs it.",
        "Install it: pip install 'ganforge[gym]'",
    ) from error

OTHERS = 19  # items, drawn at random, beside which a user sees the one that is recommended


class SimulatedUsers(gymnasium.Env[NDArray[np.int64], np.int64]):
    """A user who does not exist is recommended one item at each step, until he leaves.

    An action is an item by its place in `items`. He sees it beside OTHERS that are drawn at random, and takes one of
    all by the model's chances for his taste and his history: the reward is 1 where he takes what was recommended. What
    he takes is met. An observation is the last items that he met, the newest last, each plus 1; 0 where there is none.
    He leaves after as many steps as the simulated user has interactions. `about["chance"]` is the expected reward.
    """

    def __init__(self, run: str | Path, seen: int = 10) -> None:
        """Args: run a run folder of the task simulate; seen how many items are observed. Raises: RunError."""
        model = load_users(Path(run).expanduser() / "model")
        if seen < 1:
            raise InputError(f"seen is {seen}.", "A policy observes at least one item.", "Give 1 or more.")
        self.people, self.items = model.people, model.described.items
        self.action_space = spaces.Discrete(len(self.items))
        self.observation_space = spaces.MultiDiscrete(np.full(seen, len(self.items) + 1))
        self._met: list[int] = []
        self._left = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Let the next user come."""
        super().reset(seed=seed)
        tastes, traits = self.people.mixture.draw(1, self.np_random)
        self._walk = Walk(self.people.simulator, 1, torch.from_numpy(tastes))
        self._left = max(1, min(round(float(np.exp(traits[0, 0]))), len(self.items)))
        self._met = []
        return self._observed(), {"steps": self._left}

    def step(self, action: np.int64) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        """Recommend an item."""
        people, count = self.people, len(self.items)
        scores = self._walk.scores(people.simulator.drawn, guided=bool(people.guided))[0].double().numpy()
        others = self.np_random.permutation(count)
        shown = np.append(int(action), others[others != action][:OTHERS])
        chances = np.exp(scores[shown] - scores[shown].max())
        chances /= chances.sum()
        taken = int(shown[self.np_random.choice(len(shown), p=chances)])
        new = taken not in self._met
        if new:
            self._met.append(taken)
            self._walk.take(torch.tensor([taken]))
        self._left -= 1
        about = {"chance": float(chances[0]), "taken": taken}
        return self._observed(), float(new and taken == action), self._left <= 0, False, about

    def _observed(self) -> NDArray[np.int64]:
        seen = self.observation_space.shape
        assert seen is not None
        found = np.zeros(seen[0], np.int64)
        last = self._met[-seen[0] :]
        found[len(found) - len(last) :] = np.array(last, np.int64) + 1
        return found
