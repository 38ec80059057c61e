"""The evaluation of a run that generates levels: its judge, and the real examples that samples are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganforge.contracts import Tell
from ganforge.core.cache import cache_folder
from ganforge.core.seeds import subset
from ganforge.engine.feed import ArrayFeed
from ganforge.measures.generated import JudgeSplit, evaluate_samples, quick_quality
from ganforge.measures.judge import Judge, train_judge
from ganforge.records import Evaluation

Levels: TypeAlias = NDArray[np.uint8]
Seen: TypeAlias = tuple[Levels, NDArray[np.int64] | None]
"""Real examples (N, C, H, W), and their labels (N,) if there are some."""


@dataclass(slots=True)
class Evaluator:
    """The judge of a run, which is trained or loaded when it is first needed, and what it says of samples."""

    train: ArrayFeed  # its examples are uint8 (N, C, H, W)
    held_out: ArrayFeed
    data_hash: str  # of the training examples, by which judges are kept
    tell: Tell
    judged: int  # samples of an evaluation
    looked: int  # held-out examples of a look
    most: int = 10_000  # training examples that are read at once
    _judge: Judge | None = None
    _held_out_features: NDArray[np.float32] | None = None

    @property
    def split(self) -> JudgeSplit:
        """The training examples that the judge may learn from, and those that it never sees."""
        return JudgeSplit.of(len(self.train), len(self.held_out), self.most, min(self.judged, self.most))

    @property
    def judge(self) -> Judge:
        """The judge of the training examples."""
        if self._judge is None:
            self.tell("judging")
            split, labels = self.split, self.train.labels
            self._judge = train_judge(
                self.train.examples(split.learned),
                None if labels is None else labels[split.learned],
                data_hash=self.data_hash,
                cache=cache_folder(),
                learns=split.learns,
            )
        return self._judge

    def prepare(self) -> NDArray[np.float32]:
        """Return what the judge sees in the held-out examples of a look, which is found once."""
        if self._held_out_features is None:
            chosen = subset(len(self.held_out), self.looked, "look/held_out")
            self._held_out_features = self.judge.features(self.held_out.examples(chosen))
        return self._held_out_features

    def quick(self, samples: Levels) -> dict[str, float]:
        """Measure samples (N, C, H, W) as `quick_quality` does."""
        return quick_quality(self.judge, self.prepare(), samples)

    def unlearned(self) -> Levels:
        """Return training examples (N, C, H, W) that the judge never saw."""
        return self.train.examples(self.split.unlearned)

    def unseen(self) -> Levels:
        """Return held-out examples (N, C, H, W), as many as there are samples to be compared with."""
        return self.held_out.examples(subset(len(self.held_out), self.judged, "evaluation/held_out"))

    def seen(self) -> Seen:
        """Return training examples in random order."""
        chosen, labels = subset(len(self.train), self.most, "evaluation/train"), self.train.labels
        return self.train.examples(chosen), None if labels is None else labels[chosen]

    def evaluate(
        self, seen: Seen, samples: Levels, labels: NDArray[np.int64] | None, label_names: Sequence[str], **more: Any
    ) -> Evaluation:
        """Compare samples with real examples, as `evaluate_samples` does. Args: more of its arguments."""
        return evaluate_samples(
            self.judge,
            seen[0],
            self.unseen(),
            samples,
            unlearned=self.unlearned(),
            train_count=len(self.train),
            train_labels=seen[1],
            sample_labels=labels,
            label_names=label_names,
            **more,
        )
