"""The differentiable SSIM says what scikit-image says."""

from __future__ import annotations

import numpy as np
import torch
from skimage.metrics import structural_similarity as by_scikit_image

from ganforge.objectives.structure import structural_similarity


def test_it_is_scikit_images_and_descending_it_makes_pictures_alike() -> None:
    random = torch.Generator().manual_seed(0)
    one = torch.rand(2, 3, 24, 20, generator=random, dtype=torch.float64) * 2 - 1
    other = 0.5 * one + 0.5 * torch.rand(2, 3, 24, 20, generator=random, dtype=torch.float64)
    for a, b, found in zip(one, other, structural_similarity(one, other), strict=True):
        _, everywhere = by_scikit_image(
            (a.numpy() + 1) / 2, (b.numpy() + 1) / 2, channel_axis=0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0, full=True,
        )  # fmt: skip
        assert np.isclose(float(found), everywhere[:, 5:-5, 5:-5].mean(), atol=1e-9)
    other.requires_grad_()
    structural_similarity(one, other).sum().backward()
    assert other.grad is not None
    nearer = structural_similarity(one, other.detach() + 5 * other.grad)
    assert (nearer > structural_similarity(one, other)).all()
