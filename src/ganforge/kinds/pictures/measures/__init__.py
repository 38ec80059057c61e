"""Is the generator any good? Distances, neighbours, copies and labels, measured with a judge that needs no download."""

from ganforge.kinds.pictures.measures.evaluate import MEANINGS, QUICK, evaluate_pictures, feature_scores, quick_quality
from ganforge.kinds.pictures.measures.gaussian import GaussianReference, gaussian_reference
from ganforge.kinds.pictures.measures.inception import inception_available, inception_features
from ganforge.kinds.pictures.measures.judge import Judge, train_judge
from ganforge.measures.intervals import Target, parse_target

__all__ = [
    "MEANINGS",
    "QUICK",
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
