"""Figure of private pictures: what a classifier learns from samples, beside DP-MERF and real pictures.

    python benchmarks/private_pictures.py [MNIST.npz FASHION.npz] [--epsilons 1 10] [--seeds 0 1 2] [--rival-seeds 0]

A file holds x_train, y_train, x_test, y_test; without one, scikit-learn's digits (8x8) are taken, two thirds to learn
from. ganforge is `train DATA --private`, from pictures to a run, its judge's share of epsilon included. A convolutional
network (five epochs) and a logistic regression on 60 principal components learn from 10,000 samples and are judged on
the test part, which chose nothing. Frechet distance: of 64 principal components of real test pixels in 0..1.

DP-MERF (Harder, Adamczewski and Park 2021): the mean of random Fourier features of each label is released once; a
generator is fitted to it. One record is replaced by another there, which costs twice the noise of one added or removed.
Floors: real pictures in place of samples; always the most frequent label. Noise is secret, so a second run differs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import ganforge as gf
from ganforge.core.noise import PrivateNoise
from ganforge.measures.distances import frechet_distance
from ganforge.privacy.accounting import gaussian_multiplier

DELTA, SAMPLES = 1e-5, 10_000
FEATURES, STEPS, BATCH, LATENT, WIDTH2 = 6_000, 500, 500, 10, 105.0  # of DP-MERF; its kernel's squared width
Data = tuple[np.ndarray, np.ndarray]


def opened(path: Path | None) -> tuple[str, Data, Data]:
    """Return a name, and the training and test parts: pictures (N, H, W) uint8 and labels (N,)."""
    if path is None:
        digits = load_digits()
        order = np.random.default_rng(0).permutation(len(digits.target))
        x, y = (digits.images[order] / 16 * 255).astype(np.uint8), digits.target[order]
        cut = 2 * len(x) // 3
        return "sklearn digits", (x[:cut], y[:cut]), (x[cut:], y[cut:])
    held = np.load(path)
    return path.stem, (held["x_train"], held["y_train"]), (held["x_test"], held["y_test"])


def ours(train: Data, epsilon: float, seed: int) -> Data:
    with tempfile.TemporaryDirectory() as folder:
        run = gf.train(train, run=Path(folder) / "run", private={"epsilon": epsilon}, delta=DELTA, seed=seed)
        labels = np.unique(train[1])
        drawn = [run.sample(SAMPLES // len(labels), label=str(label), seed=seed) for label in labels]
        told = json.loads((Path(folder) / "run" / "evaluation.json").read_text())["verdict"]["headline"]
    print("   ", told)
    x = np.concatenate([np.asarray(part)[:, 0] for part in drawn])
    return x, np.repeat(labels, SAMPLES // len(labels))


def dp_merf(train: Data, epsilon: float, seed: int) -> Data:
    x, y = torch.from_numpy(train[0].reshape(len(train[0]), -1) / 255).float(), torch.from_numpy(train[1]).long()
    torch.manual_seed(seed)
    labels, size = int(y.max()) + 1, x.shape[1]
    directions = torch.randn(size, FEATURES // 2) / WIDTH2**0.5

    def embedded(pictures: Tensor, of: Tensor) -> Tensor:
        angles = pictures @ directions
        features = torch.cat([angles.cos(), angles.sin()], 1) * (2 / FEATURES) ** 0.5
        return features.T @ F.one_hot(of, labels).float() / len(pictures)

    share = [embedded(x[part], y[part]) * len(part) / len(x) for part in torch.split(torch.arange(len(x)), 2_000)]
    deviation = 2 * gaussian_multiplier(epsilon, DELTA) / len(x)
    target = torch.stack(share).sum(0)
    target += torch.from_numpy(PrivateNoise().gaussian(tuple(target.shape), deviation)).float()
    generator = nn.Sequential(
        nn.Linear(LATENT + labels, 200), nn.ReLU(), nn.Linear(200, 500), nn.ReLU(), nn.Linear(500, size), nn.Sigmoid()
    )
    optimiser = torch.optim.Adam(generator.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.9)

    def draw(of: Tensor) -> Tensor:
        return generator(torch.cat([torch.randn(len(of), LATENT), F.one_hot(of, labels).float()], 1))

    for step in range(STEPS):
        of = torch.arange(BATCH) % labels
        loss = (target - embedded(draw(of), of)).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 50 == 49:
            schedule.step()
    of = torch.arange(SAMPLES) % labels
    with torch.no_grad():
        made = (draw(of) * 255).round().byte().numpy().reshape(-1, *train[0].shape[1:])
    return made, of.numpy()


def network_learns(samples: Data, test: Data, seed: int) -> float:
    """Return the accuracy of a small convolutional network."""
    torch.manual_seed(seed)
    x, y = torch.from_numpy(samples[0]).float()[:, None] / 255, torch.from_numpy(samples[1]).long()
    last = -(-x.shape[2] // 4) * -(-x.shape[3] // 4) * 64
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(last, 128), nn.ReLU(), nn.Linear(128, int(y.max()) + 1),
    )  # fmt: skip
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(5):
        for part in torch.split(torch.randperm(len(x)), 64):
            optimiser.zero_grad()
            F.cross_entropy(network(x[part]), y[part]).backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        found = network(torch.from_numpy(test[0]).float()[:, None] / 255).argmax(1).numpy()
    return float((found == test[1]).mean())


def regression_learns(samples: Data, test: Data) -> float:
    """Return the accuracy of a logistic regression."""
    flat = [part.reshape(len(part), -1) / 255 for part in (samples[0], test[0])]
    few = PCA(min(60, flat[0].shape[1]), random_state=0).fit(flat[0])
    model = LogisticRegression(C=1.0, max_iter=300).fit(few.transform(flat[0]), samples[1])
    return float((model.predict(few.transform(flat[1])) == test[1]).mean())


def judged(name: str, samples: Data, test: Data, seed: int, spent: float) -> None:
    order = np.random.default_rng(seed).permutation(len(samples[0]))
    samples = samples[0][order], samples[1][order]
    real = test[0].reshape(len(test[0]), -1) / 255
    axes = PCA(min(64, real.shape[1]), random_state=0).fit(real)
    distance = frechet_distance(axes.transform(real), axes.transform(samples[0].reshape(len(order), -1) / 255)).value
    network, regression = network_learns(samples, test, seed), regression_learns(samples, test)
    print(f"  {name:22} seed {seed}: network {network:.3f}, regression {regression:.3f}, Frechet {distance:6.2f}, "
          f"{spent:4.0f} CPU s", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--epsilons", nargs="+", type=float, default=[1.0, 10.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rival-seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args()
    for path in asked.files or [None]:
        name, train, test = opened(path)
        most = np.bincount(test[1]).max() / len(test[1])
        print(f"{name}: {len(train[0]):,} to learn from, {len(test[0]):,} to judge by; most frequent label {most:.3f}")
        judged("real pictures", (train[0][:SAMPLES], train[1][:SAMPLES]), test, 0, 0.0)
        for epsilon in asked.epsilons:
            for method, seeds in ((ours, asked.seeds), (dp_merf, asked.rival_seeds)):
                for seed in seeds:
                    begun = time.process_time()
                    samples = method(train, epsilon, seed)
                    spent = time.process_time() - begun
                    label = "ganforge" if method is ours else "DP-MERF"
                    judged(f"{label}, epsilon {epsilon:g}", samples, test, seed, spent)


if __name__ == "__main__":
    main()
