"""A vocoder on recordings of one voice: methods without training, the network alone, and with its adversary.

    python benchmarks/vocoder.py RECORDINGS --examples 26400 --seeds 0 1 2 [--unseen OTHER_VOICES] [--adversary]
    python benchmarks/vocoder.py RECORDINGS --models RUN...          # judges runs that are there

Needs pesq, pystoi and speechmos (with onnxruntime) besides ganforge[sounds]. Files whose name's md5 begins with 0 or 1
are held out, and never copied into the training folder. Times are CPU seconds of one thread. PESQ is narrow-band, of
sounds at 8 kHz; DNSMOS of the same sounds, resampled to 16 kHz. `at once` is the network alone, as in a stream; `apply`
refines it by iterations, as files are.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor

import ganforge as gf
from ganforge.kinds.sounds.comparison import scores_of
from ganforge.kinds.sounds.features import LogMel, griffin_lim, mel_griffin_lim
from ganforge.kinds.sounds.sound_file import read_sound
from ganforge.kinds.sounds.vocode.model import SoundMap, load_vocoder, stream_of

SHORTEST, LONGEST, MOST = 1.0, 6.0, 16  # seconds of a held-out sound that is judged; how many
RATE = 8_000
PUSHED = 80  # samples, 10 ms, at a time into a stream
Samples = np.ndarray


def held_out(path: Path) -> bool:
    return hashlib.md5(path.name.encode()).hexdigest()[0] in "01"


def judged(files: Sequence[Path]) -> list[Samples]:
    """The first sounds of a suitable length, a whole number of frames each."""
    found: list[Samples] = []
    for path in files:
        x = read_sound(path, RATE)[:, 0]
        if SHORTEST <= len(x) / RATE <= LONGEST and len(found) < MOST:
            found.append(x[: len(x) // 64 * 64])
    return found


def scores(truth: list[Samples], made: list[Samples], features: LogMel) -> dict[str, float]:
    from pesq import pesq
    from pystoi import stoi
    from speechmos import dnsmos

    wide = [soxr.resample(x, RATE, 16_000).clip(-1, 1) for x in made]
    heard = [dnsmos.run(x.astype(np.float32), 16_000) for x in wide]
    pairs = list(zip(truth, made, strict=True))
    return {
        "PESQ": float(np.mean([pesq(RATE, a, b, "nb") for a, b in pairs])),
        "STOI": float(np.mean([stoi(a, b, RATE) for a, b in pairs])),
        "DNSMOS": float(np.mean([one["ovrl_mos"] for one in heard])),
        **{name: float(value.mean()) for name, value in scores_of(truth, made, features).items()},
    }


def report(name: str, truth: list[Samples], make: Callable[[Samples], Samples], features: LogMel) -> None:
    begun = time.process_time()
    made = [make(x) for x in truth]
    speed = sum(map(len, truth)) / RATE / (time.process_time() - begun)
    told = " ".join(f"{key} {value:.3f}" for key, value in scores(truth, made, features).items())
    print(f"{name:34} {told}  {speed:.0f} times real time", flush=True)


def without_training(truth: list[Samples], features: LogMel) -> None:
    def by(method: Callable[[Tensor, LogMel, int], Tensor], iterations: int) -> Callable[[Samples], Samples]:
        def make(x: Samples) -> Samples:
            with torch.no_grad():
                made: Samples = method(features(torch.from_numpy(x)[None]), features, iterations)[0, : len(x)].numpy()
                return made

        return make

    report("natural", truth, lambda x: x, features)
    report("Griffin-Lim 60", truth, by(griffin_lim, 60), features)
    for iterations in (16, 32, 60):
        report(f"Griffin-Lim of bands {iterations}", truth, by(mel_griffin_lim, iterations), features)


def trained(name: str, model: SoundMap, truth: list[Samples]) -> None:
    def by(refinements: int) -> Callable[[Samples], Samples]:
        return lambda x: stream_of(model.network, refinements).whole(x)

    report(f"{name}, at once", truth, by(0), model.network.features)
    report(f"{name}, apply", truth, by(model.refinements), model.network.features)


def streamed(model: SoundMap, truth: Samples) -> None:
    """Push 10 ms at a time: how long a sample waits, how long a push computes, and how far it is from the whole."""
    stream, whole = model.stream(RATE), model.stream(RATE, chunk=10**6)
    made, slowest = [], 0.0
    for first in range(0, len(truth), PUSHED):
        begun = time.thread_time()
        made.append(stream.push(truth[first : first + PUSHED]))
        slowest = max(slowest, time.thread_time() - begun)
    made.append(stream.end())
    apart = np.abs(np.concatenate(made) - np.concatenate([whole.push(truth), whole.end()])).max()
    waits = f"{1000 * stream.latency:.0f} ms, {1000 * slowest:.0f} ms at most for a push"
    print(f"stream: a sample waits {waits}; {apart:.1g} from the whole")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--examples", type=int, default=26_400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--unseen", type=Path)
    parser.add_argument("--adversary", action="store_true")
    parser.add_argument("--models", type=Path, nargs="+", default=[])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(asked.recordings.rglob("*.wav"))
    truth = judged([path for path in files if held_out(path)])
    unseen = judged(sorted(asked.unseen.rglob("*.wav"))) if asked.unseen else []
    settings = {"compute.threads": "1", **dict(one.split("=", 1) for one in asked.set)}
    sides = {"alone": {}, **({"with adversary": {"vocode.sharp_from": "0.7"}} if asked.adversary else {})}
    with tempfile.TemporaryDirectory() as name:
        found = {path.name: path for path in asked.models}
        folder = Path(name) / "train"
        folder.mkdir()
        for path in files if not found else ():
            if not held_out(path):
                shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
        for seed in asked.seeds if not found else ():
            for side, own in sides.items():
                begun, place = time.process_time(), Path(name) / f"{side}, seed {seed}"
                gf.train(
                    folder, task="vocode", run=place, seed=seed, settings={**settings, **own}, examples=asked.examples
                )
                print(f"{place.name}: {time.process_time() - begun:.0f} CPU s", flush=True)
                found[place.name] = place
        models = {name: load_vocoder(path / "model") for name, path in found.items()}
        models = {
            name if end is None else f"{name}, strength {end:g}": model if end is None else model.at(end)
            for name, model in models.items()
            for end in ((None,) if model.ends is None else (0.0, 1.0))
        }
        features = next(iter(models.values())).network.features
        print(f"{len(truth)} held-out sounds of the voice", flush=True)
        without_training(truth, features)
        for side, model in models.items():
            trained(side, model, truth)
        streamed(next(iter(models.values())), truth[0])
        if unseen:
            print(f"{len(unseen)} sounds of voices never heard", flush=True)
            without_training(unseen, features)
            trained(*next(iter(models.items())), unseen)


if __name__ == "__main__":
    main()
