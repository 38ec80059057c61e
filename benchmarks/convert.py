"""A voice converter on voices that say the same digits: six ordered pairs, frame neighbours of WORLD beside it.

    python benchmarks/convert.py FSDD/recordings --seconds 240 --seeds 0 1 2 [--world]
    python benchmarks/convert.py ENGLISH OTHER --seconds 240 --seeds 0 1 2      # two voices, such as of two languages

Files are named {digit}_{speaker}_{number}.wav; numbers 0 to 4 are held out, and never copied into the training folder.
Needs Resemblyzer (with setuptools<81) and speechmos (with onnxruntime) besides ganforge[sounds], and pyworld for
--world. Judges: the cosine of Resemblyzer's embedding of ten digits in a row to that of the target's training takes;
DNSMOS's overall score of the same rows, resampled to 16 kHz; a small convolutional network, trained on real takes of
all voices, which reads digits. What each says of real takes of the target stands beside. Frame neighbours of WORLD: 24
coefficients of its coded envelope without the first, cosine, the mean of 4 of the target's frames; pitch shifted in
logarithms to the target's mean and deviation; aperiodicity of the source (d4c with threshold 0). Every side gets the
same seconds of training; times are CPU seconds of one thread. Whose
voice a sound is, is told with `speaker`, unless said. Of two folders each is a voice; of files of 2 to 6 seconds those
whose name's md5 begins with 0 are held out, and nothing is read.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
import torch.nn.functional as F
from torch import nn

import ganforge as gf
from ganforge.kinds.sounds.convert.model import VoiceMap, load_converter
from ganforge.kinds.sounds.features import LogMel, Mel
from ganforge.kinds.sounds.sound_file import read_sound

RATE, HELD_OUT, DIGITS = 8_000, range(5), range(10)
PAIRS = (
    ("george", "theo"), ("theo", "jackson"), ("jackson", "lucas"),
    ("lucas", "nicolas"), ("nicolas", "yweweler"), ("yweweler", "george"),
)  # fmt: skip
Sounds = list[np.ndarray]


def take(folder: Path, digit: int, voice: str, number: int) -> np.ndarray:
    return read_sound(folder / f"{digit}_{voice}_{number}.wav", RATE)[:, 0]


def peak(x: np.ndarray) -> np.ndarray:
    return 0.7 * x / max(1e-6, float(np.abs(x).max()))


class Digits:
    """A reader of digits."""

    def __init__(self, sounds: Sounds, digits: list[int], steps: int = 900) -> None:
        self.features = LogMel(Mel.at(RATE))
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for into, out in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
        self.network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 5 * 12, 10))
        x, y = self._pictures(sounds), torch.tensor(digits)
        optimiser = torch.optim.AdamW(self.network.parameters(), 3e-3, weight_decay=0.02)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = 3e-3 * min(1, 10 * (step + 1) / steps) * (1 - step / steps)
            chosen = torch.randint(len(x), (64,))
            seen = torch.roll(x[chosen], int(torch.randint(-10, 11, ())), 3)
            low, first = int(torch.randint(0, 38, ())), int(torch.randint(0, 86, ()))
            seen[:, :, low : low + 4], seen[..., first : first + 8] = -1, -1
            loss = F.cross_entropy(self.network(seen + 0.05 * torch.randn_like(seen)), y[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        self.network.eval()

    def _pictures(self, sounds: Sounds) -> torch.Tensor:
        made = []
        for x in sounds:
            log_mel = self.features(torch.from_numpy(peak(x).astype(np.float32))[None])[0]
            scaled = (log_mel - log_mel.max() + 7).clamp(min=0) / 3.5 - 1
            made.append(F.pad(scaled, (0, max(0, 96 - scaled.shape[1])), value=-1.0)[:, :96])
        return torch.stack(made)[:, None]

    @torch.no_grad()
    def read(self, sounds: Sounds) -> np.ndarray:
        return self.network(self._pictures(sounds)).argmax(1).numpy()


def embedding(encoder: Any, x: np.ndarray) -> np.ndarray:
    from resemblyzer import preprocess_wav

    return encoder.embed_utterance(preprocess_wav(x, source_sr=RATE))


def centre_of(encoder: Any, rows: Sounds) -> np.ndarray:
    centre = np.mean([embedding(encoder, row) for row in rows], 0)
    return centre / np.linalg.norm(centre)


def overall(rows: Sounds) -> float:
    """Return DNSMOS overall."""
    from speechmos import dnsmos

    heard = [soxr.resample(row, RATE, 16_000).clip(-1, 1) for row in rows]
    return float(np.mean([dnsmos.run(row, 16_000)["ovrl_mos"] for row in heard]))


class Judges:
    """What is said of 10 x 5 sounds, digit by digit."""

    def __init__(self, folder: Path, voices: list[str]) -> None:
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False)
        learned = [(d, v, n) for d in DIGITS for v in voices for n in range(5, 50)]
        self.digits = Digits([take(folder, *one) for one in learned], [d for d, _, _ in learned])
        self.centre = {}
        for voice in voices:
            rows = [np.concatenate([peak(take(folder, d, voice, n)) for d in DIGITS]) for n in (20, 25, 30, 35)]
            self.centre[voice] = centre_of(self.encoder, rows)

    def of(self, sounds: Sounds, target: str) -> tuple[float, float, float]:
        """Return similarity, digits read, and DNSMOS overall."""
        rows = [np.concatenate([peak(x) for x in sounds[number :: len(HELD_OUT)]]) for number in HELD_OUT]
        similar = float(np.mean([embedding(self.encoder, row) @ self.centre[target] for row in rows]))
        read = float(np.mean(self.digits.read(sounds) == np.repeat(DIGITS, len(HELD_OUT))))
        return similar, read, overall(rows[:2])


class World:
    """Frame neighbours of WORLD's envelopes: no training."""

    def __init__(self, folder: Path, voices: list[str]) -> None:
        self.kept, self.pitch = {}, {}
        for voice in voices:
            heard = [self._heard(take(folder, d, voice, n)) for d in DIGITS for n in range(5, 17)]
            self.kept[voice] = np.concatenate([coded for _, _, _, coded in heard])
            pitch = np.log(np.concatenate([one[0][one[0] > 0] for one in heard]))
            self.pitch[voice] = float(pitch.mean()), float(pitch.std())

    def _heard(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        import pyworld

        x = peak(x).astype(np.float64)
        pitch, time_of = pyworld.harvest(x, RATE, f0_floor=65, f0_ceil=420)
        envelope = pyworld.cheaptrick(x, pitch, time_of, RATE)
        noise = pyworld.d4c(x, pitch, time_of, RATE, threshold=0.0)
        return pitch, envelope, noise, pyworld.code_spectral_envelope(envelope, RATE, 24)

    def convert(self, x: np.ndarray, source: str, target: str) -> np.ndarray:
        import pyworld

        pitch, envelope, noise, coded = self._heard(x)
        ours, theirs = coded[:, 1:], self.kept[target][:, 1:]
        alike = (ours / np.linalg.norm(ours, axis=1, keepdims=True)) @ (
            theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
        ).T
        made = self.kept[target][np.argpartition(-alike, 4, 1)[:, :4]].mean(1)
        made[:, 0] = coded[:, 0]
        (mean, spread), (own, own_spread) = self.pitch[target], self.pitch[source]
        moved = np.where(pitch > 0, np.exp((np.log(np.maximum(pitch, 1)) - own) / own_spread * spread + mean), 0.0)
        size = 2 * (envelope.shape[1] - 1)
        decoded = pyworld.decode_spectral_envelope(np.ascontiguousarray(made), RATE, size)
        return pyworld.synthesize(moved, decoded, noise, RATE).astype(np.float32)


def two_voices(folders: list[Path], seconds: float, seeds: list[int]) -> None:
    """Print what held-out sounds of each voice become in the other: similarity to it, and DNSMOS overall."""
    from resemblyzer import VoiceEncoder

    encoder = VoiceEncoder("cpu", verbose=False)
    aside: dict[str, Sounds] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "voices"
        for folder in folders:
            name, aside[folder.name] = place / folder.name, []
            name.mkdir(parents=True)
            for path in sorted(folder.rglob("*.wav")):
                x = read_sound(path, RATE)[:, 0]
                if 2 <= len(x) / RATE <= 6 and hashlib.md5(path.name.encode()).hexdigest()[0] == "0":
                    aside[folder.name].append(peak(x))
                else:
                    shutil.copy(path, name / f"{path.parent.name}-{path.name}")
        learned = {
            name: [peak(read_sound(path, RATE)[:, 0]) for path in sorted((place / name).iterdir())[:40]]
            for name in aside
        }
        centres = {
            name: centre_of(encoder, [np.concatenate(own[k::4]) for k in range(4)]) for name, own in learned.items()
        }

        def report(name: str, source: str, target: str, sounds: Sounds) -> None:
            rows = [np.concatenate(sounds[k::4]) for k in range(4)]
            similar = float(np.mean([embedding(encoder, row) @ centres[target] for row in rows]))
            told = f"similarity {similar:.3f} overall {overall(sounds[:8]):.2f}"
            print(f"{name:26} {f'{source} to {target}':22} {told}", flush=True)

        for source, target in permutations(aside):
            report("real sounds of the target", source, target, aside[target])
            report("copy", source, target, aside[source])
        for seed in seeds:
            start = time.process_time()
            run = gf.train(
                place,
                task="convert",
                run=Path(scratch) / f"run{seed}",
                seed=seed,
                minutes=seconds / 60,
                settings={"compute.threads": "1"},
            )
            model = load_converter(run.folder / "model")
            print(f"seed {seed}: {time.process_time() - start:.0f} CPU s. {run.verdict}", flush=True)
            for source, target in permutations(aside):
                made = [model.apply((x, RATE), None, {"to": target, "speaker": source}, ())[0] for x in aside[source]]
                report(f"converted, seed {seed}", source, target, [peak(x) for x in made])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--sides", nargs="+", default=["alone", "with adversary"])
    parser.add_argument("--world", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if len(asked.recordings) > 1:
        two_voices(asked.recordings, asked.seconds, asked.seeds)
        return
    folder, voices = asked.recordings[0], sorted({voice for pair in PAIRS for voice in pair})
    judges = Judges(folder, voices)
    given = {v: [take(folder, d, v, n) for d in DIGITS for n in HELD_OUT] for v in voices}

    def report(name: str, convert: Callable[[np.ndarray, str, str], np.ndarray] | None, seconds: float = 0.0) -> None:
        rows = []
        for source, target in PAIRS:
            made = [convert(x, source, target) for x in given[source]] if convert else given[target]
            rows.append(judges.of(made, target))
            told = "similarity {:.3f} digits {:.2f} overall {:.2f}".format(*rows[-1])
            print(f"{name:26} {f'{source} to {target}':22} {told}", flush=True)
        mean = "similarity {:.3f} digits {:.3f} overall {:.2f}".format(*np.mean(rows, 0))
        print(f"{name:26} {'mean':22} {mean} CPU {seconds:.0f} s", flush=True)

    report("real takes of the target", None)
    report("copy", lambda x, source, target: x)
    if asked.world:
        report("frame neighbours (WORLD)", World(folder, voices).convert)
    with tempfile.TemporaryDirectory() as scratch:
        for voice in voices:
            (Path(scratch) / "voices" / voice).mkdir(parents=True)
            for path in folder.glob(f"*_{voice}_*.wav"):
                if int(path.stem.rsplit("_", 1)[1]) not in HELD_OUT:
                    shutil.copy(path, Path(scratch) / "voices" / voice)
        for seed in asked.seeds:
            for side in asked.sides:
                start = time.process_time()
                run = gf.train(
                    Path(scratch) / "voices",
                    task="convert",
                    run=Path(scratch) / f"{side}{seed}",
                    seed=seed,
                    minutes=asked.seconds / 60,
                    settings={"compute.threads": "1", "convert.sharp_from": "1" if side == "alone" else "0.7"},
                )
                spent = time.process_time() - start
                model = load_converter(run.folder / "model")
                ends = {side: model} if side == "alone" else {f"{side} {end:g}": model.at(end) for end in (0.0, 1.0)}
                for name, end in ends.items():

                    def converted(x: np.ndarray, source: str, target: str, end: VoiceMap = end) -> np.ndarray:
                        return end.apply((x, RATE), None, {"to": target, "speaker": source}, ())[0]

                    report(f"{name}, seed {seed}", converted, spent)
                report(
                    f"{side}, speaker not named, seed {seed}",
                    lambda x, source, target, end=model: end.apply((x, RATE), None, {"to": target}, ())[0],
                )


if __name__ == "__main__":
    main()
