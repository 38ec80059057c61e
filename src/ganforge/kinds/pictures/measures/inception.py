"""Inception features, to compare with papers: only where torch-fidelity AND its weights are on disk."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.errors import InputError

WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # the name under which torch-fidelity keeps them
CHUNK = 50


def inception_available() -> tuple[bool, str]:
    """Whether Inception features can be had without a download, and the reason in words."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return False, "torch-fidelity is not installed (pip install 'ganforge[fidelity]')."
    path = _weights()
    if not path.is_file():
        return False, f"the Inception weights are not at {path}, and ganforge downloads nothing."
    return True, f"torch-fidelity with the weights at {path}."


def inception_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The 2,048 pool features of pictures uint8 (N, C, H, W), as papers use them; grey is repeated, alpha dropped.

    Raises: InputError when they cannot be had without a download.
    """
    available, reason = inception_available()
    if not available:
        raise InputError("Inception features cannot be computed.", reason, "Use the judge's own measures instead.")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(_weights())
    )
    parts = []
    for start in range(0, len(pictures), CHUNK):
        colour = pictures[start : start + CHUNK, :3]
        if colour.shape[1] != 3:
            colour = np.repeat(colour[:, :1], 3, axis=1)
        with torch.no_grad():
            parts.append(extractor(torch.from_numpy(np.ascontiguousarray(colour)))[0].float().numpy())
    return np.concatenate(parts)


def _weights() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
