"""What each measure of a table means, for someone who has never seen a GAN, and which direction is better."""

from __future__ import annotations

from ganforge.records import Meaning

TABLE_MEANINGS: dict[str, Meaning] = {
    "table_quality": Meaning("higher", "How alike single columns and pairs of columns are; the mean of the next two."),
    "column_shapes": Meaning("higher", "How alike each column's values are spread, column by column; 1 is the same."),
    "column_pairs": Meaning(
        "higher", "How alike two columns go together, over the pairs that depend on each other; 1 is the same."
    ),
    "sdmetrics_quality": Meaning("higher", "The quality score as the package SDMetrics computes it, for comparison."),
    "utility": Meaning(
        "higher",
        "What a model that learns from generated rows can do on real ones, as a share of what real rows teach it.",
    ),
    "label_score": Meaning(
        "higher", "How well a model that learns from generated rows predicts the label of real ones (AUC, or R^2)."
    ),
    "detection": Meaning(
        "lower", "How well a model tells generated rows from unseen real ones: 0.5 is guessing, 1 is always right."
    ),
    "nearer_to_train": Meaning(
        "lower", "Share of rows that lie nearer to a training row than to an unseen one: 0.5 is right, more is copying."
    ),
    "exact_copies": Meaning("lower", "Share of rows that equal a training row in every column."),
}

TABLE_QUICK = ("table_quality", "column_shapes", "column_pairs")  # measured during training
