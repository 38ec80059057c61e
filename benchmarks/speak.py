"""A voice learned from recordings with texts: words that a recogniser hears in sentences which were set aside.

    python benchmarks/speak.py SPEECH --aside 100 --minutes 10 --seeds 0 1 2 [--dictionary cmudict.dict]

SPEECH is what `ganforge train SPEECH --task speak` takes. Needs pocketsphinx besides ganforge[sounds]. Texts of three
words or more are set aside by the md5 of their spelling, with all their recordings, and never copied into the training
folder. pocketsphinx (its model of English, 16 kHz; sounds are resampled) listens with a model of pairs of words that is
counted on the training texts, over all words of SPEECH: without it, it hears next to nothing at 8 kHz. Its word errors
on the recordings themselves stand beside. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
import torch

import ganforge as gf
from ganforge.kinds.sounds.features import LogMel, mel_griffin_lim
from ganforge.kinds.sounds.sound_file import read_sound
from ganforge.kinds.sounds.speak.model import Speaker, load_speaker
from ganforge.kinds.sounds.speak.text import spelled
from ganforge.kinds.sounds.speak.transcripts import read_transcripts
from ganforge.measures.edits import error_rate

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DISCOUNT = 0.5  # of a pair of words
HEARD = 16_000  # Hz


def words_of(text: str) -> list[str]:
    plain = "".join(f" {DIGITS[int(sign)]} " if sign in "0123456789" else sign for sign in spelled(text))
    return re.sub(r"[^a-z' ]", " ", plain).split()


def write_pairs(path: Path, texts: Sequence[str], vocabulary: set[str]) -> None:
    """Write a model of pairs of words with absolute discounting, in the ARPA format."""
    alone: Counter[str] = Counter(dict.fromkeys(vocabulary, 1))
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        words = ["<s>", *(word for word in words_of(text) if word in vocabulary), "</s>"]
        alone.update(words[1:])
        for first, second in pairwise(words):
            pairs[first][second] += 1
    share = {word: count / alone.total() for word, count in alone.items()}
    lines, back = [], {}
    for first, after in pairs.items():
        found = {word: (count - DISCOUNT) / after.total() for word, count in after.items()}
        left = 1 - sum(share[word] for word in found)
        back[first] = math.log10((1 - sum(found.values())) / max(left, 1e-6))
        lines += [f"{math.log10(one):.4f} {first} {word}" for word, one in found.items()]
    singles = [f"{math.log10(one):.4f} {word} {back.get(word, 0):.4f}" for word, one in share.items()]
    singles.append(f"-99 <s> {back['<s>']:.4f}")
    heads = f"\\data\\\nngram 1={len(singles)}\nngram 2={len(lines)}\n\n"
    blocks = ["\\1-grams:", *singles, "", "\\2-grams:", *lines, "", "\\end\\", ""]
    path.write_text(heads + "\n".join(blocks), "utf-8")


class Listener:
    """pocketsphinx with a model of pairs of words."""

    def __init__(self, folder: Path, train: Sequence[str], every: Sequence[str]) -> None:
        import pocketsphinx

        known = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
        spoken = {line.split(" ", 1)[0] for line in known.read_text("utf-8").splitlines()}
        write_pairs(folder / "pairs.arpa", train, {word for text in every for word in words_of(text)} & spoken)
        self.decoder = pocketsphinx.Decoder(samprate=HEARD, loglevel="FATAL", lm=str(folder / "pairs.arpa"))

    def hear(self, sound: np.ndarray, rate: int) -> list[str]:
        x = np.pad(soxr.resample(sound, rate, HEARD), HEARD // 4)
        x = 0.7 * x / max(1e-6, np.abs(x).max()) + 1e-4 * np.random.default_rng(0).standard_normal(len(x))
        self.decoder.start_utt()
        self.decoder.process_raw((x * 32767).astype(np.int16).tobytes(), full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return words_of(re.sub(r"\(\d\)", "", found.hypstr)) if found else []

    def errors(self, sounds: Sequence[np.ndarray], texts: Sequence[str], rate: int) -> tuple[float, float]:
        """Return the word error rate over all, and its standard error over sentences."""
        meant = [words_of(text) for text in texts]
        wrong = [
            error_rate(tuple(map(hash, self.hear(x, rate))), tuple(map(hash, words))) * len(words)
            for x, words in zip(sounds, meant, strict=True)
        ]
        lengths = np.array([len(words) for words in meant])
        rate_of = float(np.sum(wrong)) / float(lengths.sum())
        return rate_of, float(np.std(wrong - rate_of * lengths) * len(wrong) ** 0.5 / lengths.sum())


def concatenated(speaker: Speaker, folder: Path, texts: Sequence[str]) -> list[np.ndarray]:
    """Return texts made of words cut from training recordings, evenly by their signs; silence for others."""
    cut: dict[str, np.ndarray] = {}
    for path, text in read_transcripts(folder).texts.items():
        sound, words = read_sound(path, speaker.mel.rate)[:, 0], spelled(text).split()
        ends = np.cumsum([len(word) + 1 for word in words]) / max(1, sum(len(word) + 1 for word in words))
        for word, start, end in zip(words, [0.0, *ends[:-1]], ends, strict=True):
            cut.setdefault(word, sound[int(start * len(sound)) : int(end * len(sound))])
    pause = np.zeros(speaker.mel.rate // 4, np.float32)
    return [np.concatenate([cut.get(word, pause) for word in spelled(text).split()]) for text in texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path)
    parser.add_argument("--aside", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--examples", type=int, help="instead of minutes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--dictionary", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    texts = dict(read_transcripts(asked.speech).texts)
    long = {spelled(text) for text in texts.values() if len(words_of(text)) >= 3}
    aside = set(sorted(long, key=lambda text: hashlib.md5(text.encode()).hexdigest())[: asked.aside])
    held = {spelled(text): path for path, text in texts.items() if spelled(text) in aside}
    settings = dict(one.split("=", 1) for one in asked.set)
    length = {"examples": asked.examples} if asked.examples else {"minutes": asked.minutes}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "speech"
        folder.mkdir()
        for number, (path, text) in enumerate(texts.items()):
            if spelled(text) not in aside:
                shutil.copy(path, folder / f"{number:05d}{path.suffix}")
                (folder / f"{number:05d}.txt").write_text(text, "utf-8")
        if asked.dictionary:
            shutil.copy(asked.dictionary, folder / "words.dict")
        train = list(read_transcripts(folder).texts.values())
        said, listener = list(held), Listener(Path(name), train, list(texts.values()))
        for seed in asked.seeds:
            start = time.process_time()
            run = gf.train(folder, task="speak", run=Path(name) / f"run{seed}", seed=seed, settings=settings, **length)
            spent = time.process_time() - start
            speaker = load_speaker(run.folder / "model")
            rate, features = speaker.mel.rate, LogMel(speaker.mel)
            if seed == asked.seeds[0]:
                natural = [read_sound(path, rate)[:, 0] for path in held.values()]
                revoiced = [mel_griffin_lim(features(torch.from_numpy(x)[None]), features)[0].numpy() for x in natural]
                report("recordings", listener.errors(natural, said, rate))
                report("recordings, revoiced", listener.errors(revoiced, said, rate))
                report("words cut and joined", listener.errors(concatenated(speaker, folder, said), said, rate))
            for strength, what in ((0.0, "without adversary"), (1.0, "with adversary")):
                sounds = [speaker.at(strength).say(text) for text in said]
                report(f"{what}, seed {seed}", listener.errors(sounds, said, rate), f"CPU {spent:.0f} s")
            print(run.verdict, flush=True)


def report(name: str, errors: tuple[float, float], more: str = "") -> None:
    print(f"{name:28} word errors {errors[0]:.3f} +- {1.96 * errors[1]:.3f} {more}", flush=True)


if __name__ == "__main__":
    main()
