"""The evaluation of generated pictures: words, blocks and Inception features beside measures/generated.py."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.errors import InputError
from ganforge.records import Bars, Block, Content, Figure, Meaning, Prose

MOST_LABELS = 60  # shown
INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"  # torch-fidelity's file name
INCEPTION_CHUNK = 50
INCEPTION = Meaning(
    "lower",
    "The Frechet distance on Inception features, as papers measure it, but from fewer pictures: it reads too high.",
)


def generated_blocks(facts: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return the report blocks: every label's share, copies, and real pictures beside the reference's.

    Args: facts of the evaluation. The figures are nearest, real and reference.
    """
    real = Figure("pictures/real.png", "Real pictures", "Real pictures of the training data.")
    gaussian = Figure(
        "pictures/reference.png",
        "Pictures drawn from a Gaussian",
        "Pictures drawn from a simple Gaussian, the reference.",
    )
    nearest = Figure(
        "pictures/nearest.png",
        "Generated pictures beside their nearest training pictures",
        "In pairs: a generated picture, and the training picture that is nearest to it. Alike is good; identical is "
        "copying.",
    )
    blocks = [Block("Does it copy?", str(facts["nearest"]), (nearest,))]
    if facts["classes"] is not None:
        blocks.insert(0, _label_block(facts["classes"]))
    lead = "The generated pictures should be taken for the first, and never for the second."
    return (*blocks, Block("Real pictures, and the simplest alternative", lead, (real, gaussian)))


def _label_block(classes: Mapping[str, Any]) -> Block:
    shares = {
        name: tuple(float(share) for share in classes[key][:MOST_LABELS])
        for name, key in (("training data", "training_shares"), ("samples", "sample_shares"))
    }
    names = tuple(str(name) for name in classes["names"][:MOST_LABELS])
    left = len(classes["names"]) - len(names)
    contents: tuple[Content, ...] = (Bars(names, shares),)
    if left:
        contents += (Prose((f"And {left:,} more labels.",)),)
    lead = "Each label's share of the training data, and of the samples. The two bars should be about equally long."
    return Block("Every label", lead, contents)


# ---- Inception features, to compare with papers: only where torch-fidelity AND its weights are on disk --------------


def inception_available() -> tuple[bool, str]:
    """Return whether Inception features are available without a download, and the reason."""
    if importlib.util.find_spec("torch_fidelity") is None:
        return False, "torch-fidelity is not installed (pip install 'ganforge[fidelity]')."
    path = _inception_weights()
    if not path.is_file():
        return False, f"the Inception weights are not at {path}, and ganforge downloads nothing."
    return True, f"torch-fidelity with the weights at {path}."


def inception_features(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the 2,048 pool features of pictures uint8 (N, C, H, W) as in papers; grey is repeated, alpha dropped.

    Raises: InputError if they are not available without a download.
    """
    available, reason = inception_available()
    if not available:
        raise InputError("Inception features cannot be computed.", reason, "Use the judge's own measures instead.")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    extractor = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(_inception_weights())
    )
    parts = []
    for start in range(0, len(pictures), INCEPTION_CHUNK):
        colour = pictures[start : start + INCEPTION_CHUNK, :3]
        if colour.shape[1] != 3:
            colour = np.repeat(colour[:, :1], 3, axis=1)
        with torch.no_grad():
            parts.append(extractor(torch.from_numpy(np.ascontiguousarray(colour)))[0].float().numpy())
    return np.concatenate(parts)


def _inception_weights() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS
