"""Recommender: recommendations with the interface of scikit-learn.

from ganforge import Recommender

model = Recommender(seed=0).fit(ratings)
model.recommend(["42", "196"], n=10)
model.recommend(items=["50", "181"])  # somebody who is not in the data
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ganforge.api.train import train
from ganforge.contracts import Observer
from ganforge.kinds.interactions.recommend.model import load_recommender
from ganforge.run import Run

if TYPE_CHECKING:
    from ganforge.kinds.interactions.recommend.model import TrainedRecommender


class Recommender(BaseEstimator):  # type: ignore[misc]
    """Items that users would like next, from a log of what they have met.

    Args:
        columns: "user", "item", "rating" or "time" -> the column that holds it; others are found by name and content.
        positive: the least rating that counts as liked; None: every interaction does.
        diversity: from 0, the most accurate lists, to 1, lists that show items as often as users meet them; None: the
            most even lists that validation finds no less accurate than EASE's.
        seed: of all randomness.
        run: the folder of the run, which is kept, with its report; None keeps none.
        settings: any other choice of the plan, "section.key" -> value.
    """

    def __init__(
        self,
        columns: Mapping[str, str] | None = None,
        positive: float | None = None,
        diversity: float | None = None,
        seed: int = 0,
        run: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = columns
        self.positive = positive
        self.diversity = diversity
        self.seed = seed
        self.run = run
        self.settings = settings

    def fit(self, X: Any, y: None = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Learn from a log and evaluate the result. Warn (UserWarning) of possible mistakes in the data.

        Args: X a data frame with a row for each interaction, a sparse matrix (users, items), or the path of a log.
        Raises: DataError, RecipeError, InputError.
        """
        own = {**(self.columns or {}), "positive": self.positive, "exposure": self.diversity}
        chosen = {f"interactions.{name}": str(value) for name, value in own.items() if value is not None}
        watch = _Warnings()
        with tempfile.TemporaryDirectory(prefix="ganforge-") as place:
            folder = Run(
                train(
                    X, kind="interactions", task="recommend", run=self.run or Path(place, "run"), seed=self.seed,
                    settings=chosen | dict(self.settings or {}), observers=(watch,),
                ).folder
            )  # fmt: skip
            self.model_: TrainedRecommender = load_recommender(folder.model)
            self.evaluation_ = dict(folder.read_json(folder.evaluation))
        for sentence in watch.sentences:
            warnings.warn(sentence, UserWarning, stacklevel=2)
        return self

    def recommend(
        self, users: Any = None, n: int = 10, *, items: Sequence[Any] = (), exclude: str = "seen"
    ) -> pd.DataFrame:
        """Return the n best items for each user, the best first, with the items that speak for each.

        Args: users ids, or a frame with a column of them, by default all who were learned from; items instead of
            users: what somebody liked who is not in the data; exclude "seen" or "nothing".
        Raises: NotFittedError; InputError for an item that is not known.
        """
        check_is_fitted(self)
        options: dict[str, Any] = {"count": n, "exclude": exclude, "diversity": self.diversity}
        if len(items):
            options["new"] = ",".join(map(str, items))
        found: pd.DataFrame = self.model_.apply(self.model_.users if users is None else users, None, options, ())
        return found

    def evaluate(self) -> dict[str, Any]:
        """Return every measure with its floor and its rivals, and the verdict, as `fit` found them."""
        check_is_fitted(self)
        return deepcopy(self.evaluation_)


class _Warnings(Observer):
    """Keeps the notes about the data."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def event(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "warned":
            self.sentences.append(str(event["sentence"]))
