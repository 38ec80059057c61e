"""Is the generator any good? Distances, neighbours, copies and labels, measured with a judge that needs no download."""

from ganforge.metrics.evaluate import Evaluation, evaluate_pictures, feature_scores, quick_quality
from ganforge.metrics.inception import inception_available, inception_features
from ganforge.metrics.judge import Judge, train_judge
from ganforge.metrics.meanings import MEANINGS, QUICK
from ganforge.metrics.reference import GaussianReference, gaussian_reference
from ganforge.metrics.targets import Target, parse_target

__all__ = [
    "MEANINGS",
    "QUICK",
    "Evaluation",
    "GaussianReference",
    "Judge",
    "Target",
    "evaluate_pictures",
    "feature_scores",
    "gaussian_reference",
    "inception_available",
    "inception_features",
    "parse_target",
    "quick_quality",
    "train_judge",
]
