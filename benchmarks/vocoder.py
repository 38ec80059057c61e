"""A vocoder on recordings of one voice: Griffin-Lim, the network without its adversary, and with it.

    python benchmarks/vocoder.py RECORDINGS --seconds 240 --seeds 0 1 2 [--unseen OTHER_VOICES]

Needs pesq, pystoi and speechmos (with onnxruntime) besides ganforge[sounds]. Files whose name's md5 begins with 0 or 1
are held out, and never copied into the training folder. Every side gets the same CPU seconds of training; times are CPU
seconds of one thread. PESQ is narrow-band, of sounds at 8 kHz; DNSMOS of the same sounds, resampled to 16 kHz.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import soxr
import torch

import ganforge as gf
from ganforge.kinds.sounds.features import LogMel, griffin_lim
from ganforge.kinds.sounds.sound_file import read_sound
from ganforge.kinds.sounds.vocode.measures import Scores
from ganforge.kinds.sounds.vocode.model import load_vocoder

SHORTEST, LONGEST, MOST = 1.0, 6.0, 16  # seconds of a held-out sound that is judged; how many
RATE = 8_000


def held_out(path: Path) -> bool:
    return hashlib.md5(path.name.encode()).hexdigest()[0] in "01"


def scores(truth: list[np.ndarray], made: list[np.ndarray], features: LogMel) -> dict[str, float]:
    from pesq import pesq
    from pystoi import stoi
    from speechmos import dnsmos

    wide = [soxr.resample(np.clip(x, -1, 1), RATE, 16_000) for x in made]
    heard = [dnsmos.run(x.astype(np.float32), 16_000) for x in wide]
    pairs = list(zip(truth, made, strict=True))
    return {
        "PESQ": float(np.mean([pesq(RATE, a, b, "nb") for a, b in pairs])),
        "STOI": float(np.mean([stoi(a, b, RATE) for a, b in pairs])),
        "DNSMOS": float(np.mean([one["ovrl_mos"] for one in heard])),
        **{name: float(value.mean()) for name, value in Scores(features).of(truth, made).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--unseen", type=Path)
    parser.add_argument("--examples", type=int, help="instead of seconds, for both sides")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(asked.recordings.rglob("*.wav"))
    usable = [path for path in files if held_out(path)]
    lengths = {path: len(read_sound(path)) / RATE for path in usable}
    judged = [path for path in usable if SHORTEST <= lengths[path] <= LONGEST][:MOST]
    truth = [read_sound(path, RATE)[:, 0] for path in judged]
    truth = [x[: len(x) // 64 * 64] for x in truth]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "train"
        folder.mkdir()
        for path in files:
            if not held_out(path):
                shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
        print(f"{len(list(folder.iterdir()))} files to train on, {len(truth)} judged")
        settings = {"compute.threads": "1", **dict(one.split("=", 1) for one in asked.set)}
        for seed in asked.seeds:
            for side, own in (("alone", {"vocode.sharp_from": "1"}), ("with adversary", {})):
                start = time.process_time()
                length = {"examples": asked.examples} if asked.examples else {"minutes": asked.seconds / 60}
                run = gf.train(
                    folder,
                    task="vocode",
                    run=Path(name) / f"{side}{seed}",
                    seed=seed,
                    settings={**settings, **own},
                    **length,
                )
                spent = time.process_time() - start
                model = load_vocoder(run.folder / "model")
                if seed == asked.seeds[0] and side == "alone":
                    features = model.network.features
                    report("natural", truth, truth, features, 0.0)
                    begun = time.process_time()
                    with torch.no_grad():
                        phases = [
                            griffin_lim(features(torch.from_numpy(x)[None]), features)[0, : len(x)].numpy()
                            for x in truth
                        ]
                    report("Griffin-Lim 60", truth, phases, features, time.process_time() - begun)
                for strength in (0.0, 1.0) if side != "alone" else (0.0,):
                    at = model.at(strength)
                    made = [at.apply((x, RATE), None, {}, ())[0] for x in truth]
                    report(f"{side} {strength:g}, seed {seed}", truth, made, model.network.features, spent)


def report(name: str, truth: list[np.ndarray], made: list[np.ndarray], features: LogMel, seconds: float) -> None:
    told = scores(truth, made, features)
    print(
        f"{name:26}", " ".join(f"{key} {value:.3f}" for key, value in told.items()), f"CPU {seconds:.0f} s", flush=True
    )


if __name__ == "__main__":
    main()
