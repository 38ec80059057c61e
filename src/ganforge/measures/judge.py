"""The judge: the feature extractor of the measures, trained on the user's own examples. Nothing is downloaded.

Examples are uint8 arrays (N, C, H, W): pictures, or anything else on a grid, such as spectrograms.

Design and alternatives: docs/decisions/002-judge.md.
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

VERSION = 3  # of the training procedure: part of the cache's name, so that older judges are never mixed with this one
MOST_EXAMPLES = 15_000  # that it learns from
MOST_PIXELS = 36_000_000  # shown in training: 45,000 examples of 28x28, which takes about 10 s on 2 cores
FEWEST_EXAMPLES, MOST_EPOCHS = 4_000, 40
BATCH = 100
CLUSTERS = 24  # kinds that it tells apart if no labels are given
CHUNK = 500  # examples in memory at a time when features are computed
LARGEST = 64  # pixels; larger examples are averaged down for the judge
LEARNED = 64  # features of the trained network
RANDOM = 32  # features of the random one
FLOOR_SHARE = 5  # at most one training example in so many is withheld from the judge, for the floor, if they are many


# ---- networks --------------------------------------------------------------------------------------------------------


def prepare(examples: NDArray[np.uint8], largest: int = LARGEST) -> Tensor:
    """Convert uint8 (N, C, H, W) to float32 (N, C, h, w) in -1..1, area-averaged to at most `largest` pixels a side."""
    x = torch.from_numpy(np.ascontiguousarray(examples)).float().div_(127.5).sub_(1)
    longer = max(x.shape[2:])
    if longer > largest:
        size = [max(1, round(side * largest / longer)) for side in x.shape[2:]]
        x = F.interpolate(x, size=size, mode="area")
    return x


class Trunk(nn.Module):
    """Example (B, C, h, w) -> features (B, LEARNED): four convolutions that halve the example down to about 4 pixels.

    The features keep positions (flattened, not averaged over the example), so that exchanged parts differ.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        widths = (24, 48, 96, 96)
        layers: list[nn.Module] = []
        side = max(height, width)
        for index, out in enumerate(widths):
            stride = 2 if side > 4 else 1
            kernel = 5 if index == 0 else 3
            layers += [
                nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
            height, width = -(-height // stride), -(-width // stride)
            channels, side = out, max(height, width)
            if side <= 4 and index >= 2:
                break
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(channels * height * width, LEARNED)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.last(self.layers(x).flatten(1)))  # (B, C, h, w) -> (B, LEARNED)


class RandomFilters(nn.Module):
    """Example (B, C, h, w) -> features (B, RANDOM): mean responses of random filters, never trained.

    A trained classifier learns to ignore what does not separate classes: brightness, noise, sharpness. These
    filters do not (Naeem et al. 2020 and 2208.09218 found random features usable and complementary).
    """

    def __init__(self, channels: int, random: torch.Generator) -> None:
        super().__init__()
        half = RANDOM // 2
        fine = torch.randn(half, channels, 3, 3, generator=random) / (9 * channels) ** 0.5
        fine[: half // 2] -= fine[: half // 2].mean((1, 2, 3), keepdim=True)  # half of them see edges only
        self.register_buffer("fine", fine)
        self.register_buffer("coarse", torch.randn(half, half, 3, 3, generator=random) / (9 * half) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.fine, Tensor) and isinstance(self.coarse, Tensor)  # buffers are untyped
        fine = F.relu(F.conv2d(x, self.fine))  # (B, 16, h-2, w-2): no padding, its rim would dominate
        pooled = F.avg_pool2d(fine, 2, ceil_mode=True)
        coarse = F.relu(F.conv2d(pooled, self.coarse))
        return torch.cat([fine.mean((2, 3)), coarse.mean((2, 3))], dim=1)


def orient(x: Tensor, orientation: Tensor) -> Tensor:
    """Leave each example (B, C, h, w) (0), mirror (1), flip (2) or half turn it (3), by orientation (B,)."""
    mirrored = (orientation % 2 == 1)[:, None, None, None]
    turned = (orientation >= 2)[:, None, None, None]
    x = torch.where(mirrored, x.flip(3), x)
    return torch.where(turned, x.flip(2), x)


def shift(x: Tensor, most: int, random: torch.Generator) -> Tensor:
    """Shift the whole batch (B, C, h, w) by up to `most` pixels each way; the border repeats."""
    if most < 1:
        return x
    down, right = (int(v) for v in torch.randint(0, 2 * most + 1, (2,), generator=random))
    padded = F.pad(x, (most, most, most, most), mode="replicate")
    return padded[:, :, down : down + x.shape[2], right : right + x.shape[3]]


# ---- judge -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """The settings of a judge: everything but its weights."""

    kind: Literal["classifier", "self_supervised", "untrained"]
    channels: int
    height: int  # of the examples as given
    width: int
    outputs: int  # classes, or clusters
    accuracy: float  # on held-out examples, 0..1
    learned_from: int
    data_hash: str
    version: int = VERSION


_SETTINGS = TypeAdapter(JudgeSettings)


class Judge:
    """An immutable extractor of the features that the metrics compare; made by `train_judge` or `load`."""

    def __init__(self, settings: JudgeSettings, trunk: Trunk, head: nn.Linear, filters: RandomFilters) -> None:
        self.settings = settings
        self.trunk, self.head, self.filters = trunk.eval(), head.eval(), filters.eval()
        self.centre = torch.zeros(LEARNED + RANDOM)
        self.scale = torch.ones(LEARNED + RANDOM)

    @property
    def description(self) -> dict[str, Any]:
        """Return kind, a sentence, and the held-out accuracy if the judge is a classifier (else null)."""
        s = self.settings
        own = "Its scale is its own: never compare it with another data set's or with an Inception FID."
        if s.kind == "untrained":
            why = "a network that learned nothing, for too few training examples could be spared, and random filters"
            return {"kind": s.kind, "sentence": f"The judge is {why}. {own}", "accuracy": None}
        if s.kind == "classifier":
            right = f"({s.accuracy:.1%} right on examples it had not seen)"
            how = f"a small network that learned to tell the {s.outputs} labels apart {right}"
        else:
            kinds = f"{s.outputs} kinds of examples and their orientation"
            how = f"a small network that learned, without labels, to tell {kinds}"
        sentence = (
            f"The judge is {how}, and fixed random filters that see noise, blur and brightness; "
            f"from {s.learned_from:,} training examples. {own}"
        )
        return {"kind": s.kind, "sentence": sentence, "accuracy": s.accuracy if s.kind == "classifier" else None}

    @torch.no_grad()
    def features(self, examples: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map uint8 (N, C, H, W) to (N, D), each feature with mean 0 and deviation 1 over the training examples."""
        self._check(examples)
        features = torch.empty(len(examples), LEARNED + RANDOM)
        for start in range(0, len(examples), CHUNK):
            x = prepare(examples[start : start + CHUNK]).contiguous(memory_format=torch.channels_last)
            seen = torch.cat([self.trunk(x), self.filters(x)], dim=1)
            features[start : start + CHUNK] = (seen - self.centre) / self.scale
        return features.numpy()

    @torch.no_grad()
    def kinds(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Classify features (N, D): (N,) labels, or the judge's clusters without labels."""
        learned = (torch.from_numpy(features) * self.scale + self.centre)[:, :LEARNED]
        return np.asarray(self.head(learned).argmax(1).numpy(), np.int64)

    def classes(self, features: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Predict the label (N,) from features; None if there were no labels."""
        return self.kinds(features) if self.settings.kind == "classifier" else None

    def save(self, folder: Path) -> None:
        """Write judge.json and judge.safetensors, whole or not at all. Raises: StorageError."""
        tensors = {name: tensor.contiguous() for name, tensor in self._tensors().items()}

        def fill(target: Path) -> None:
            (target / "judge.safetensors").write_bytes(save(tensors))
            (target / "judge.json").write_text(json.dumps(asdict(self.settings), indent=2) + "\n", "utf-8")

        write_folder(folder, fill)

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Load a judge. Raises: RunError if the folder is damaged or of another version."""
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
        judge.centre, judge.scale = tensors.pop("centre"), tensors.pop("scale")
        judge._networks().load_state_dict(tensors)
        return judge

    def _networks(self) -> nn.ModuleDict:
        return nn.ModuleDict({"trunk": self.trunk, "head": self.head, "filters": self.filters})

    def _tensors(self) -> dict[str, Tensor]:
        return {**self._networks().state_dict(), "centre": self.centre, "scale": self.scale}

    def _check(self, examples: NDArray[np.uint8]) -> None:
        s = self.settings
        if examples.dtype != np.uint8 or examples.ndim != 4 or examples.shape[1:] != (s.channels, s.height, s.width):
            raise DataError(
                f"The judge received {examples.dtype} examples of shape {examples.shape}.",
                f"It was made for uint8 (N, {s.channels}, {s.height}, {s.width}).",
                "Give examples of the training data's size.",
            )


def train_judge(
    examples: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    *,
    data_hash: str,
    cache: Path | None = None,
    learns: bool = True,
) -> Judge:
    """Train the judge of a training split, or load it from the cache.

    It does not depend on the run's seed: all runs on one data set are measured with the same judge.

    Args: examples uint8 (N, C, H, W), N >= 10, or a memory map; at most 15,000 are read. labels (N,) 0..classes-1
        or None. data_hash identifies the training split. cache: a folder that keeps judges by data hash. learns: False
        leaves its network as initialised, so that all of the examples stay unseen ones; only its scale is theirs.
    Raises: DataError for examples or labels that do not fit.
    """
    classes = _check_data(examples, labels if learns else None, fewest=10 if learns else 2)
    how = "untrained" if not learns else "classes" if classes > 1 else "plain"
    kept = None if cache is None else cache / f"judge-v{VERSION}-{data_hash[:24]}-{how}"
    if kept is not None and kept.is_dir():
        try:
            judge = Judge.load(kept)
            if judge.settings.data_hash == data_hash:
                return judge
        except RunError:
            pass  # a damaged cache is rebuilt below
    if learns:
        judge = _train(examples, labels if classes > 1 else None, classes, data_hash)
    else:
        size = dict(zip(("channels", "height", "width"), examples.shape[1:], strict=True))
        nothing = JudgeSettings(kind="untrained", **size, outputs=1, accuracy=0.0, learned_from=0, data_hash=data_hash)
        judge = _untrained(nothing)
        _scale(judge, examples[:5000])
    if kept is not None:
        with suppress(StorageError):  # a full disk costs the next run some seconds, but does not end this one
            judge.save(kept)
    return judge


def _check_data(examples: NDArray[np.uint8], labels: NDArray[np.int64] | None, fewest: int) -> int:
    """Return the number of classes, 0 without labels."""
    if examples.ndim != 4 or examples.dtype != np.uint8 or len(examples) < fewest:
        raise DataError(
            f"The judge cannot learn from {examples.dtype} {examples.shape}.",
            f"It needs at least {fewest} examples, uint8 (N, C, H, W).",
        )
    if labels is None:
        return 0
    if len(labels) != len(examples) or labels.min() < 0:
        raise DataError(
            f"{len(labels)} labels for {len(examples)} examples.", "Each example needs one label, 0 or more."
        )
    # With fewer than about 5 examples a label, classifying labels does not generalise.
    classes = int(labels.max()) + 1
    return classes if len(np.unique(labels)) > 1 and len(labels) >= 5 * classes else 0


def _train(examples: NDArray[np.uint8], labels: NDArray[np.int64] | None, classes: int, data_hash: str) -> Judge:
    order = np.random.default_rng(seed_for(0, "judge/subset")).permutation(len(examples))[:MOST_EXAMPLES]
    checked = max(1, len(order) // 10)
    order = np.concatenate([np.sort(order[:checked]), np.sort(order[checked:])])
    x = torch.cat([prepare(examples[part]) for part in np.array_split(order, max(1, len(order) // CHUNK))])
    kinds = torch.from_numpy(labels[order].astype(np.int64)) if labels is not None else _clusters(x)
    settings = JudgeSettings(
        kind="classifier" if labels is not None else "self_supervised",
        channels=examples.shape[1],
        height=examples.shape[2],
        width=examples.shape[3],
        outputs=classes if labels is not None else int(kinds.max()) + 1,
        accuracy=0.0,
        learned_from=len(order) - checked,
        data_hash=data_hash,
    )
    judge = _untrained(settings)
    _fit(judge, x[checked:], kinds[checked:])
    with torch.no_grad():
        accuracy = float((judge.head(judge.trunk(x[:checked])).argmax(1) == kinds[:checked]).float().mean())
    trained = Judge(JudgeSettings(**{**asdict(settings), "accuracy": accuracy}), judge.trunk, judge.head, judge.filters)
    _scale(trained, examples[np.sort(order[checked:][:5000])])
    return trained


def _scale(judge: Judge, examples: NDArray[np.uint8]) -> None:
    """Set the scale of the features by examples (N, C, H, W)."""
    features = torch.from_numpy(judge.features(examples))
    spread = features.std(0)
    # A feature that never fires would be divided by zero: it keeps a tenth of the usual scale.
    judge.centre, judge.scale = features.mean(0), spread.clamp_min(0.1 * float(spread.mean()) + 1e-6)


def _untrained(settings: JudgeSettings) -> Judge:
    """Build a judge with its initial weights, the same for the same settings."""
    size = prepare(np.zeros((1, settings.channels, settings.height, settings.width), np.uint8)).shape[2:]
    random = generator_for(0, "judge/weights")
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


def _clusters(x: Tensor) -> Tensor:
    """Cluster unlabelled examples: k-means on small versions (DeepCluster's first round, Caron 2018)."""
    from sklearn.cluster import KMeans

    small = F.adaptive_avg_pool2d(x, (min(16, x.shape[2]), min(16, x.shape[3]))).flatten(1).numpy()
    clusters = max(2, min(CLUSTERS, len(x) // 20))
    means = KMeans(clusters, n_init=2, max_iter=50, random_state=seed_for(0, "judge/clusters") % 2**32)
    return torch.from_numpy(means.fit_predict(small).astype(np.int64))


def _fit(judge: Judge, x: Tensor, kinds: Tensor) -> None:
    """Fit by Adam with warm-up and decay. Without labels every second batch is turned, and the turn is predicted."""
    pixels = x.shape[2] * x.shape[3]
    shown = int(min(MOST_EPOCHS * len(x), max(FEWEST_EXAMPLES, MOST_PIXELS / pixels)))
    steps = max(1, shown // BATCH)
    orientation_head = None
    if judge.settings.kind == "self_supervised":
        orientation_head = nn.Linear(LEARNED, 4)
        nn.init.normal_(
            orientation_head.weight, std=LEARNED**-0.5, generator=generator_for(0, "judge/orientation head")
        )
        nn.init.zeros_(orientation_head.bias)
    modules: Sequence[nn.Module] = [m for m in (judge.trunk, judge.head, orientation_head) if m is not None]
    for module in modules:
        module.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    parameters = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.2)
    reach = round(max(x.shape[2:]) / 16)
    for step in range(steps):
        random = generator_for(0, "judge/batch", step=step)
        pick = torch.randint(len(x), (BATCH,), generator=random)
        batch = shift(x[pick], reach, random)
        loss = torch.zeros(())
        if orientation_head is not None and step % 2:
            turn = torch.randint(4, (BATCH,), generator=random)
            batch = orient(batch, turn)
            loss = loss + F.cross_entropy(orientation_head(judge.trunk(batch)), turn)
        else:
            loss = loss + F.cross_entropy(judge.head(judge.trunk(batch)), kinds[pick], label_smoothing=0.1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    for module in modules:
        # In the layout of `load`: another layout sums in another order, and a resumed run would measure differently.
        module.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
