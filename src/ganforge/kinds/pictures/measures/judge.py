"""The judge: the ruler that the metrics measure with. Trained on the person's own pictures, nothing is downloaded.

Why it is built like this, and what was tried against it: docs/decisions/002-judge.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import TypeAdapter
from safetensors.torch import save
from torch import Tensor, nn

from ganforge.core.files import check_folder, read_json_file, write_folder
from ganforge.core.model_files import Declared, read_tensors
from ganforge.core.seeds import generator_for, seed_for
from ganforge.errors import DataError, RunError, StorageError
from ganforge.kinds.pictures.measures.judge_network import LEARNED, RANDOM, RandomFilters, Trunk, orient, prepare, shift

VERSION = 2  # of the judge's making: part of the cache's name, so that an older ruler is never mixed with this one
MOST_PICTURES = 15_000  # that it learns from
MOST_PIXELS = 36_000_000  # shown in training: 45,000 pictures of 28x28, which takes about 10 s on 2 cores
FEWEST_PICTURES, MOST_EPOCHS = 4_000, 40
BATCH = 100
CLUSTERS = 24  # kinds that it tells apart where a person gave none
CHUNK = 500  # pictures in memory at a time when features are computed


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """Everything about a judge that is not a weight."""

    kind: Literal["classifier", "self_supervised"]
    channels: int
    height: int  # of the pictures as given
    width: int
    outputs: int  # classes, or clusters
    accuracy: float  # on pictures it did not learn from, 0..1
    learned_from: int
    data_hash: str
    seed: int
    version: int = VERSION


_SETTINGS = TypeAdapter(JudgeSettings)


class Judge:
    """Pictures -> features that the metrics compare. It never changes once made; made by `train_judge` or `load`."""

    def __init__(self, settings: JudgeSettings, trunk: Trunk, head: nn.Linear, filters: RandomFilters) -> None:
        self.settings = settings
        self.trunk, self.head, self.filters = trunk.eval(), head.eval(), filters.eval()
        self.centre = torch.zeros(LEARNED + RANDOM)
        self.scale = torch.ones(LEARNED + RANDOM)

    @property
    def feature_count(self) -> int:
        return LEARNED + RANDOM

    @property
    def description(self) -> dict[str, Any]:
        """kind, a sentence, and the held-out accuracy where the judge is a classifier (else null)."""
        s = self.settings
        if s.kind == "classifier":
            right = f"({s.accuracy:.1%} right on pictures it had not seen)"
            how = f"a small network that learned to tell the {s.outputs} labels apart {right}"
        else:
            kinds = f"{s.outputs} kinds of pictures and their orientation"
            how = f"a small network that learned, without labels, to tell {kinds}"
        sentence = (
            f"The judge is {how}, and fixed random filters that see noise, blur and brightness; "
            f"from {s.learned_from:,} training pictures. Its scale is its own: never compare it with another data "
            "set's or with an Inception FID."
        )
        return {"kind": s.kind, "sentence": sentence, "accuracy": s.accuracy if s.kind == "classifier" else None}

    @torch.no_grad()
    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (N, C, H, W) -> (N, D), each feature with mean 0 and deviation 1 over the training pictures."""
        self._check(pictures)
        features = torch.empty(len(pictures), self.feature_count)
        for start in range(0, len(pictures), CHUNK):
            x = prepare(pictures[start : start + CHUNK]).contiguous(memory_format=torch.channels_last)
            seen = torch.cat([self.trunk(x), self.filters(x)], dim=1)
            features[start : start + CHUNK] = (seen - self.centre) / self.scale
        return features.numpy()

    @torch.no_grad()
    def classes(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """The label (N,) that the judge reads in each picture (N, C, H, W); None where there were no labels."""
        if self.settings.kind != "classifier":
            return None
        self._check(pictures)
        parts = [
            self.head(self.trunk(prepare(pictures[i : i + CHUNK]))).argmax(1) for i in range(0, len(pictures), CHUNK)
        ]
        return torch.cat(parts).numpy() if parts else np.zeros(0, np.int64)

    def save(self, folder: Path) -> None:
        """Writes judge.json and judge.safetensors, whole or not at all. Raises: StorageError."""
        tensors = {name: tensor.contiguous() for name, tensor in self._tensors().items()}

        def fill(target: Path) -> None:
            (target / "judge.safetensors").write_bytes(save(tensors))
            (target / "judge.json").write_text(json.dumps(asdict(self.settings), indent=2) + "\n", "utf-8")

        write_folder(folder, fill)

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Raises: RunError if the folder is damaged or of another version."""
        check_folder(folder)
        try:
            content = read_json_file(folder / "judge.json")
            settings = _SETTINGS.validate_python(content)
        except (OSError, ValueError) as error:
            raise RunError(f"{folder} cannot be read: {str(error).splitlines()[0]}.", "It is damaged.") from error
        if settings.version != VERSION:
            raise RunError(
                f"{folder} holds a judge of version {settings.version}, expected {VERSION}.",
                "It measures on another scale.",
            )
        judge = _untrained(settings)
        expected = {name: Declared.of(tensor) for name, tensor in judge._tensors().items()}
        tensors = read_tensors(folder / "judge.safetensors", expected)
        for name, module in judge._modules().items():
            module.load_state_dict(
                {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(name + ".")}
            )
        judge.centre, judge.scale = tensors["centre"], tensors["scale"]
        return judge

    def _modules(self) -> dict[str, nn.Module]:
        return {"trunk": self.trunk, "head": self.head, "filters": self.filters}

    def _tensors(self) -> dict[str, Tensor]:
        named = {
            f"{name}.{key}": value
            for name, module in self._modules().items()
            for key, value in module.state_dict().items()
        }
        return {**named, "centre": self.centre, "scale": self.scale}

    def _check(self, pictures: NDArray[np.uint8]) -> None:
        s = self.settings
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (s.channels, s.height, s.width):
            raise DataError(
                f"The judge received {pictures.dtype} pictures of shape {pictures.shape}.",
                f"It was made for uint8 (N, {s.channels}, {s.height}, {s.width}).",
                "Give pictures of the training data's size.",
            )


def train_judge(
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    *,
    data_hash: str,
    seed: int = 0,
    cache: Path | None = None,
    device: torch.device | str = "cpu",
) -> Judge:
    """Makes the judge of a training split, or takes it from the cache.

    Args: pictures uint8 (N, C, H, W), N >= 10; a memory map will do, at most 15,000 are read. labels (N,) 0..classes-1
        or None. data_hash names the training split. seed: leave it at 0, whatever the run's seed is: the judge is the
        ruler, and two runs on one data set compare only when they are measured with the same one. cache: a folder that
        keeps judges by data hash.
    Raises: DataError for pictures or labels that do not fit.
    """
    classes = _check_data(pictures, labels)
    kept = (
        None
        if cache is None
        else cache / f"judge-v{VERSION}-{data_hash[:24]}-{'classes' if classes > 1 else 'plain'}-{seed}"
    )
    if kept is not None and kept.is_dir():
        try:
            judge = Judge.load(kept)
            if judge.settings.data_hash == data_hash:
                return judge
        except RunError:
            pass  # a damaged cache is made anew below
    judge = _train(pictures, labels if classes > 1 else None, classes, data_hash, seed, torch.device(device))
    if kept is not None:
        with suppress(StorageError):  # a full disk costs the next run some seconds, not this one its end
            judge.save(kept)
    return judge


def _check_data(pictures: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> int:
    """The number of classes, 0 without labels."""
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or len(pictures) < 10:
        raise DataError(
            f"The judge cannot learn from {pictures.dtype} {pictures.shape}.",
            "It needs at least 10 pictures, uint8 (N, C, H, W).",
        )
    if labels is None:
        return 0
    if len(labels) != len(pictures) or labels.min() < 0:
        raise DataError(
            f"{len(labels)} labels for {len(pictures)} pictures.", "Each picture needs one label, 0 or more."
        )
    # With fewer than about 5 pictures a label, telling labels apart teaches nothing that carries over.
    classes = int(labels.max()) + 1
    return classes if len(np.unique(labels)) > 1 and len(labels) >= 5 * classes else 0


def _train(
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    classes: int,
    data_hash: str,
    seed: int,
    device: torch.device,
) -> Judge:
    order = np.random.default_rng(seed_for(seed, "judge/subset")).permutation(len(pictures))[:MOST_PICTURES]
    checked = max(1, len(order) // 10)
    order = np.concatenate([np.sort(order[:checked]), np.sort(order[checked:])])
    x = torch.cat([prepare(pictures[part]) for part in np.array_split(order, max(1, len(order) // CHUNK))])
    kinds = torch.from_numpy(labels[order].astype(np.int64)) if labels is not None else _clusters(x, seed)
    settings = JudgeSettings(
        kind="classifier" if labels is not None else "self_supervised",
        channels=pictures.shape[1],
        height=pictures.shape[2],
        width=pictures.shape[3],
        outputs=classes if labels is not None else int(kinds.max()) + 1,
        accuracy=0.0,
        learned_from=len(order) - checked,
        data_hash=data_hash,
        seed=seed,
    )
    judge = _untrained(settings)
    _fit(judge, x[checked:], kinds[checked:], seed, device)
    with torch.no_grad():
        accuracy = float((judge.head(judge.trunk(x[:checked])).argmax(1) == kinds[:checked]).float().mean())
    trained = Judge(JudgeSettings(**{**asdict(settings), "accuracy": accuracy}), judge.trunk, judge.head, judge.filters)
    features = torch.from_numpy(trained.features(pictures[np.sort(order[checked:][:5000])]))
    spread = features.std(0)
    # A feature that never fires would be divided by nothing: it keeps a tenth of the usual scale.
    trained.centre, trained.scale = features.mean(0), spread.clamp_min(0.1 * float(spread.mean()) + 1e-6)
    return trained


def _untrained(settings: JudgeSettings) -> Judge:
    """A judge with its first weights, from the seed alone."""
    size = prepare(np.zeros((1, settings.channels, settings.height, settings.width), np.uint8)).shape[2:]
    random = generator_for(settings.seed, "judge/weights")
    with torch.device("meta"):
        trunk, head = Trunk(settings.channels, *size), nn.Linear(LEARNED, settings.outputs)
    trunk, head = trunk.to_empty(device="cpu"), head.to_empty(device="cpu")
    for module in (*trunk.modules(), head):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=random)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.reset_parameters()
    return Judge(settings, trunk, head, RandomFilters(settings.channels, random))


def _clusters(x: Tensor, seed: int) -> Tensor:
    """Kinds of pictures where nobody named any: k-means on small versions (DeepCluster's first round, Caron 2018)."""
    from sklearn.cluster import KMeans

    small = F.adaptive_avg_pool2d(x, (min(16, x.shape[2]), min(16, x.shape[3]))).flatten(1).numpy()
    clusters = max(2, min(CLUSTERS, len(x) // 20))
    means = KMeans(clusters, n_init=2, max_iter=50, random_state=seed_for(seed, "judge/clusters") % 2**32)
    return torch.from_numpy(means.fit_predict(small).astype(np.int64))


def _fit(judge: Judge, x: Tensor, kinds: Tensor, seed: int, device: torch.device) -> None:
    """Adam with one warm-up and decay. Without labels every second batch is turned, and the turn is to be told."""
    pixels = x.shape[2] * x.shape[3]
    shown = int(min(MOST_EPOCHS * len(x), max(FEWEST_PICTURES, MOST_PIXELS / pixels)))
    steps = max(1, shown // BATCH)
    orientation_head = None
    if judge.settings.kind == "self_supervised":
        orientation_head = nn.Linear(LEARNED, 4)
        nn.init.normal_(
            orientation_head.weight, std=LEARNED**-0.5, generator=generator_for(seed, "judge/orientation head")
        )
        nn.init.zeros_(orientation_head.bias)
    modules: Sequence[nn.Module] = [m for m in (judge.trunk, judge.head, orientation_head) if m is not None]
    for module in modules:
        module.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    parameters = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.2)
    reach = round(max(x.shape[2:]) / 16)
    for step in range(steps):
        random = generator_for(seed, "judge/batch", step=step)
        pick = torch.randint(len(x), (BATCH,), generator=random)
        batch = shift(x[pick], reach, random)
        loss = torch.zeros((), device=device)
        if orientation_head is not None and step % 2:
            turn = torch.randint(4, (BATCH,), generator=random)
            batch = orient(batch, turn).to(device)
            loss = loss + F.cross_entropy(orientation_head(judge.trunk(batch)), turn.to(device))
        else:
            loss = loss + F.cross_entropy(
                judge.head(judge.trunk(batch.to(device))), kinds[pick].to(device), label_smoothing=0.1
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    for module in modules:
        # Laid out as `load` finds them: another layout sums in another order, a resumed run would measure otherwise.
        module.to(device="cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
