"""The reference that every generator must beat: a Gaussian fitted to the training examples. It is not a GAN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.core.seeds import seed_for

COMPONENTS = 150  # principal components, at most
NUMBERS = 60_000_000  # float32 numbers held while fitting: bounds memory for large examples
AT_ONCE = 2**20  # float32 numbers of examples drawn at a time
SENTENCE = (
    "The reference is not a GAN: examples drawn from a Gaussian fitted to the training examples' mean and principal "
    "components (for each label, where there are labels)."
)


@dataclass(frozen=True, slots=True)
class GaussianReference:
    """A mean example, principal components, and for each class a mean and covariance root of the components."""

    shape: tuple[int, int, int]  # C, H, W
    mean: NDArray[np.float32]  # (P,), P = C * H * W
    components: NDArray[np.float32]  # (K, P)
    class_means: NDArray[np.float32]  # (L, K)
    class_roots: NDArray[np.float32]  # (L, K, K)
    shares: NDArray[np.float64]  # (L,)

    @classmethod
    def fit(
        cls, examples: NDArray[np.uint8], labels: NDArray[np.int64] | None, label_count: int = 1
    ) -> GaussianReference:
        """Fit to a bounded share of the examples.

        Args: examples uint8 (N, C, H, W), N >= 2, in random order; labels (N,) or None; label_count the
            least number of labels: a rare one may be absent here, and gets the mean and covariance of all.
        """
        size = int(np.prod(examples.shape[1:]))
        x = np.asarray(examples[: max(100, min(10_000, NUMBERS // size))], np.float32).reshape(-1, size)
        kinds = np.zeros(len(x), np.int64) if labels is None else labels[: len(x)]
        mean = x.mean(0)
        x -= mean
        components = _principal(x[: max(100, min(2_000, NUMBERS // size))])
        codes = x @ components.T  # (N, K)
        whole = _covariance(codes)
        means, roots, count = [], [], max(label_count, int(kinds.max()) + 1)
        for kind in range(count):
            part = codes[kinds == kind]
            # A class of few examples gets the covariance of all: its own would be singular.
            weight = len(part) / (len(part) + codes.shape[1])
            own = _covariance(part) if len(part) > 1 else whole
            means.append(part.mean(0) if len(part) else codes.mean(0))
            roots.append(covariance_root(weight * own + (1 - weight) * whole) if count > 1 else covariance_root(whole))
        shares = np.bincount(kinds, minlength=count) / len(kinds)
        c, h, w = examples.shape[1:]
        return cls(
            (c, h, w), mean, components, np.stack(means).astype(np.float32), np.stack(roots).astype(np.float32), shares
        )

    def sample(self, labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
        """Sample one example per label (N,): uint8 (N, C, H, W), clipped to 0..255."""
        noise = random.standard_normal((len(labels), len(self.components)), np.float32)
        codes = np.empty_like(noise)
        for kind in np.unique(labels):
            mine = labels == kind
            codes[mine] = noise[mine] @ self.class_roots[kind] + self.class_means[kind]  # the root is symmetric
        examples = np.empty((len(labels), *self.shape), np.uint8)
        rows = max(1, AT_ONCE // len(self.mean))
        for start in range(0, len(labels), rows):
            x = codes[start : start + rows] @ self.components + self.mean  # (rows, P)
            examples[start : start + rows] = np.clip(np.rint(x), 0, 255).reshape(-1, *self.shape)
        return examples

    def draw_labels(self, count: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Draw labels (count,) with the training shares."""
        return random.choice(len(self.shares), size=count, p=self.shares).astype(np.int64)


def gaussian_reference(
    examples: NDArray[np.uint8], labels: NDArray[np.int64] | None, n: int, seed: int
) -> NDArray[np.uint8]:
    """Sample n examples uint8 (n, C, H, W) from the Gaussian fitted to `examples` (N, C, H, W), with training shares.

    For many large examples, fit once and sample in parts: `GaussianReference`.
    """
    fitted = GaussianReference.fit(examples, labels)
    random = np.random.default_rng(seed_for(seed, "metrics/reference"))
    return fitted.sample(fitted.draw_labels(n, random), random)


def _principal(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return principal directions (K, P) of centred x (N, P), through the smaller of N x N and P x P."""
    small = x.shape[0] < x.shape[1]
    gram = torch.from_numpy(x @ x.T if small else x.T @ x).double()
    values, vectors = torch.linalg.eigh(gram)
    keep = min(COMPONENTS, len(x) - 1, int((values > 1e-9 * values[-1]).sum()))
    top = vectors[:, -keep:].flip(1).float().numpy() if keep > 0 else vectors[:, -1:].float().numpy()
    if not small:
        return np.ascontiguousarray(top.T)
    rows = top.T @ x  # (K, P)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def _covariance(codes: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.atleast_2d(np.cov(codes.astype(np.float64), rowvar=False))


def covariance_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric root (K, K) of a covariance (K, K)."""
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
