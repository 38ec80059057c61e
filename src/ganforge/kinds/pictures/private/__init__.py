"""The task `private` on pictures: a mixture of Gaussians from noisy sums, and nothing else of the data."""
