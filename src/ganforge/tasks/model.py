"""A trained generator of pictures, and how to read it back. Nothing here opens the training data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from ganforge.core.files import check_folder
from ganforge.core.seeds import generator_for, seed_for
from ganforge.data.images import to_uint8
from ganforge.errors import InputError, RunError, did_you_mean
from ganforge.networks import network_pair
from ganforge.recipe import Data, Network

CHUNK = 500  # pictures drawn at once: bounds memory whatever the number asked for


@dataclass(frozen=True, slots=True)
class PictureModel:
    """Latents in, pictures out."""

    network: nn.Module
    latent_size: int
    label_names: tuple[str, ...]
    label_shares: tuple[float, ...]

    @torch.no_grad()
    def sample(
        self, count: int, *, labels: NDArray[np.int64] | None = None, seed: int = 0, truncation: float = 1.0
    ) -> NDArray[np.uint8]:
        """Draws pictures.

        Args: labels (count,) for a model with labels, None draws them with their shares in training; truncation in
            (0, 1]: latents are drawn nearer to their mean, which gives cleaner and less varied pictures.
        Returns: (count, C, H, W) uint8. The first pictures do not depend on `count`.
        """
        if self.label_names and labels is None:
            labels = self.draw_labels(count, seed=seed)
        device = next(self.network.parameters()).device
        drawn = []
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            random = generator_for(seed, "sample", step=start)
            latent = truncation * torch.randn(CHUNK, self.latent_size, generator=random)[:size]
            label = torch.from_numpy(labels[start : start + size]).to(device) if labels is not None else None
            drawn.append(to_uint8(self.network(latent.to(device), label)).cpu().contiguous().numpy())
        return np.concatenate(drawn)

    def draw_labels(self, count: int, seed: int) -> NDArray[np.int64] | None:
        """(count,) labels with their shares in training; None for a model without labels."""
        if not self.label_names:
            return None
        random = np.random.default_rng(seed_for(seed, "sample/labels"))
        return random.choice(len(self.label_names), size=count, p=self.label_shares).astype(np.int64)

    def label_index(self, label: str) -> int:
        """The index of a label's name. Raises: InputError with the nearest name."""
        if not self.label_names:
            raise InputError(
                f"There is no label {label!r}.", "This model was trained without labels.", "Leave --label."
            )
        if label not in self.label_names:
            raise InputError(f"There is no label {label!r}.", did_you_mean(label, self.label_names))
        return self.label_names.index(label)


def load_model(folder: Path, device: str = "cpu") -> PictureModel:
    """Reads the model of a run; every file is checked against its sha256 first.

    Raises: RunError if there is none or if it is damaged.
    """
    if not folder.is_dir():
        raise RunError(
            f"There is no model at {str(folder)!r}.",
            "The run has not been trained to its end.",
            "Go on with `ganforge resume RUN`.",
        )
    check_folder(folder)
    content = json.loads((folder / "model.json").read_text("utf-8"))
    if content["task"] != "generate":
        raise RunError(
            f"{folder} draws no pictures.", f"Its task is {content['task']}.", "See its report.html instead."
        )
    data, network = Data.model_validate(content["data"]), Network.model_validate(content["network"])
    generator = network_pair(network, data).generator()
    generator.load_state_dict(load_file(folder / "model.safetensors"))
    generator.eval().requires_grad_(False).to(device)
    return PictureModel(generator, network.latent_size, data.label_names, tuple(content["label_shares"]))


def labels_for(model: PictureModel, label: str | None, count: int) -> NDArray[np.int64] | None:
    """(count,) copies of one label's index, or None to draw them."""
    return np.full(count, model.label_index(label), dtype=np.int64) if label is not None else None
