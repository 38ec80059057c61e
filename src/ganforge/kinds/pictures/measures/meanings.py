"""What each measure means, in words for someone who has never seen a GAN, and which direction is better."""

from __future__ import annotations

from ganforge.records import Meaning

MEANINGS: dict[str, Meaning] = {
    "frechet_distance": Meaning(
        "lower", "How far the samples as a whole are from real pictures, in average look and in variety."
    ),
    "kid": Meaning(
        "lower", "The same distance measured without bias from the number of samples; real pictures get about 0."
    ),
    "inception_frechet_distance": Meaning(
        "lower",
        "The Frechet distance on Inception features, as papers measure it, but from fewer pictures: it reads too high.",
    ),
    "precision": Meaning("higher", "Share of samples that look like some real picture."),
    "recall": Meaning(
        "higher", "Share of real pictures that the generator could have made: low means that kinds are missing."
    ),
    "density": Meaning("higher", "How firmly the samples sit where real pictures are; real pictures get about 1."),
    "coverage": Meaning("higher", "Share of real pictures that have a sample close by: low means repetition."),
    "copying": Meaning(
        "lower", "Share of samples that lie as close to one training picture as only 1 in 100 unseen real pictures do."
    ),
    "diversity": Meaning(
        "higher", "How different samples are from each other; real pictures get 1, one picture repeated gets 0."
    ),
    "label_agreement": Meaning("higher", "Share of samples that the judge reads as the label that was asked for."),
    "class_balance": Meaning(
        "lower", "The largest gap between a label's share among the samples and the share it should have."
    ),
}

QUICK = ("kid", "frechet_distance", "precision", "recall", "density", "coverage")  # measured during training
