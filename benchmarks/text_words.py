"""Dictionaries without pairs: share of words whose first (and first five) translations are right, beside what is known.

    python benchmarks/text_words.py MULTI30K [--cases all halves ...] [--seeds 0 1 2] [--adversary]

MULTI30K is the folder data/task1/tok of github.com/multi30k/dataset. `all`: all lines of English and French, not
beside each other; `halves`: English of lines 1-14,500 as one language, of the others as another; `disjoint`,
`german`: English of the first lines, French or German of the others; `rotation`: the same vectors under a random
rotation, without traits; `unrelated`: English, and French vectors whose components were shuffled by word. Without
pairs nothing is said of words that are written alike; with them, they are a beginning. With --adversary the game is
played too. Gold: words with a correlation (phi) of .25 or more over all aligned lines, .6 or more of the best of
either, four times together; 500 of the 1,500 most frequent that have an entry, drawn by the seed. Times are CPU
seconds of one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganforge.api.request import request_of, task_for
from ganforge.api.train import fit_settings
from ganforge.engine.fit import fit
from ganforge.kinds.text.dictionary.corpus import Corpus, open_corpus, translated
from ganforge.kinds.text.dictionary.matching import Pairs
from ganforge.kinds.text.dictionary.starts import choose, dictionary_of, reach
from ganforge.kinds.text.dictionary.task import DictionaryJob

HALF, TESTED, FREQUENT = 14_500, 500, 1_500
NONE = np.empty((0, 2), np.int64)


def lines(folder: Path, language: str, first: int = 0, last: int = 2 * HALF) -> list[str]:
    return (folder / f"train.lc.norm.tok.{language}").read_text("utf-8").split("\n")[first:last]


def opened(one: Sequence[str], other: Sequence[str]) -> Corpus:
    """Write two texts, the second with one line more before it, so that no lines stand beside each other."""
    folder = Path(tempfile.mkdtemp())
    (folder / "a.txt").write_text("\n".join(one), "utf-8")
    (folder / "b.txt").write_text("\n".join(other[7:] + other[:7]) + "\n.\n.\n", "utf-8")
    return open_corpus(str(folder), None, None, None)


def rotated(corpus: Corpus, seed: int) -> Corpus:
    """The first language, and itself under a random rotation."""
    one, random = corpus.languages[0], np.random.default_rng(seed)
    turned = np.linalg.qr(random.standard_normal((one.components.shape[1],) * 2))[0].astype(np.float32)
    vectors = one.vectors(one.components.shape[1])
    plain = np.zeros_like(one.places)
    same = replace(one, components=vectors, places=plain), replace(one, components=vectors @ turned, places=plain)
    return replace(corpus, languages=same, same=NONE)


def unrelated(corpus: Corpus, seed: int) -> Corpus:
    one, other = corpus.languages
    random = np.random.default_rng(seed)
    shuffled = np.stack([random.permutation(column) for column in other.components.T], axis=1)
    return replace(corpus, languages=(one, replace(other, components=shuffled)), same=NONE)


def gold_of(corpus: Corpus, folder: Path, language: str) -> Pairs:
    one, other = corpus.languages
    if language == "en":
        return np.array([(place, other.index[word]) for place, word in enumerate(one.words) if word in other.index])
    return translated([lines(folder, "en"), lines(folder, language)], one, other)


def rotations_of(corpus: Corpus, seed: int) -> list[np.ndarray]:
    """Play the game as a run does."""
    source = corpus.passport["source"]
    job = task_for(request := request_of(source, {"task": "dictionary", "seed": seed})).plan(
        request, lambda *_, **__: None
    )
    assert isinstance(job, DictionaryJob)
    job.corpus = corpus
    product = fit(job.game(), job.feed, fit_settings(job.recipe)).product
    left, _, right = torch.linalg.svd(product.weight.detach())
    return list((left @ right).numpy())


def judge(name: str, corpus: Corpus, gold: Pairs, seed: int, *, pairs: bool, adversary: bool) -> None:
    began = time.process_time()
    true: dict[int, set[int]] = {}
    for word, other in gold.tolist():
        true.setdefault(word, set()).add(other)
    frequent = [word for word in sorted(true) if word < FREQUENT]
    tested = np.random.default_rng(seed).permutation(frequent)[:TESTED].tolist()
    reached = reach(
        corpus.languages, corpus.known if pairs else {}, rotations_of(corpus, seed) if adversary else [], seed
    )
    choice = choose(reached)

    def right(forward: np.ndarray) -> float:
        known = [word for word in tested if word < len(forward)]
        return float(np.mean([int(forward[word]) in true[word] for word in known])) if known else float("nan")

    forward, _ = dictionary_of(corpus.languages, reached[choice.chosen])
    five = float(np.mean([bool(true[word] & set(forward.words[word].tolist())) for word in tested])) if tested else 0.0
    said = "established" if choice.established else "not established"
    print(
        f"{name}, seed {seed}, {'pairs written alike' if pairs else 'no pairs'}: P@1 {right(forward.words[:, 0]):.3f}, "
        f"P@5 {five:.3f}, {said}, from {reached[choice.chosen].name}; {time.process_time() - began:.0f} s"
    )
    for one in reached:
        print(
            f"    {one.name}: criterion {one.criterion:.4f}, P@1 {right(one.forward):.3f}, "
            f"agrees {one.agreement(reached[choice.chosen]):.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=["all", "halves", "disjoint", "german", "rotation", "unrelated"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--adversary", action="store_true", help="play the game too: 30 to 60 s more each")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folder, half = asked.folder, lines(asked.folder, "en", 0, HALF)
    texts: dict[str, Callable[[], tuple[list[str], list[str], str]]] = {
        "all": lambda: (lines(folder, "en"), lines(folder, "fr"), "fr"),
        "halves": lambda: (half, lines(folder, "en", HALF), "en"),
        "disjoint": lambda: (half, lines(folder, "fr", HALF), "fr"),
        "german": lambda: (half, lines(folder, "de", HALF), "de"),
    }
    for case in asked.cases:
        one, other, language = texts.get(case, texts["disjoint"])()
        corpus = opened(one, other)
        assert not corpus.passport["parallel"]
        for seed in asked.seeds:
            if case == "rotation":
                turned = rotated(corpus, seed)
                same = np.repeat(np.arange(len(turned.languages[0].words))[:, None], 2, axis=1)
                judge(case, turned, same, seed, pairs=False, adversary=asked.adversary)
            elif case == "unrelated":
                judge(case, unrelated(corpus, seed), NONE, seed, pairs=False, adversary=asked.adversary)
            else:
                gold = gold_of(corpus, folder, language)
                for pairs in (False, True)[: 1 if case == "halves" else 2]:
                    judge(case, corpus, gold, seed, pairs=pairs, adversary=asked.adversary)


if __name__ == "__main__":
    main()
