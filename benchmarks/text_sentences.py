"""Sentences English-French with and without pairs: BLEU and chrF on test_2016, beside what needs no network.

    python benchmarks/text_sentences.py MULTI30K [--cases disjoint all 1000 5000 29000] [--seeds 0 1 2] [--minutes 10]
        [--examples N] [--set translate.against=0.5] [--runs FOLDER]

MULTI30K is the folder data/task1/tok of github.com/multi30k/dataset. `disjoint`: English of lines 1-14,500, French of
the others; `all`: all lines of both, not beside each other (each has its translation somewhere, which is a help);
a number: so many pairs. BLEU and chrF by sacrebleu, of the tokens as they stand in the files (tokenize=none).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import sacrebleu

import ganforge as gf
from ganforge.kinds.text.translate.model import COPY, NETWORK, WORDS, load_translator

HALF = 14_500
LANGUAGES = ("en", "fr")


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text("utf-8").strip().split("\n")


def write_case(folder: Path, case: str, source: Path) -> None:
    """Write the two texts of a case."""
    one, other = (lines(source, f"train.lc.norm.tok.{language}") for language in LANGUAGES)
    if case == "disjoint":
        one, other = one[:HALF], other[HALF:]
    elif case == "all":
        other = other[7:] + other[:7]
    else:
        one, other = one[: int(case)], other[: int(case)]
    for language, own in zip(LANGUAGES, (one, other), strict=True):
        (folder / f"{language}.txt").write_text("\n".join(own) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=["disjoint", "all", "1000", "5000", "29000"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--examples", type=int, help="instead of minutes, where other programs run")
    parser.add_argument("--runs", type=Path, help="a folder for the runs, which are measured again if they are there")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    length = {"examples": asked.examples} if asked.examples else {"minutes": asked.minutes}
    settings = dict(one.split("=", 1) for one in asked.set)
    test = [lines(asked.folder, f"test_2016_flickr.lc.norm.tok.{language}") for language in LANGUAGES]
    for case in asked.cases:
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as folder:
                write_case(Path(folder), case, asked.folder)
                if case in ("disjoint", "all"):
                    settings["translate.pairs"] = "false"
                run, began = (asked.runs or Path(folder)) / f"run-{case}-{seed}", time.process_time()
                if not (run / "model").exists():
                    gf.train(folder, run=run, task="translate", seed=seed, settings=settings, **length)
                seconds, model = time.process_time() - began, load_translator(run / "model")
                verdict = json.loads((run / "evaluation.json").read_text())["verdict"]
                print(f"{case}, seed {seed}, {seconds:.0f} CPU s: {verdict['headline']}")
                for to, (source, name) in enumerate((LANGUAGES[::-1], LANGUAGES)):
                    used = "; ".join(sentence for sentence in verdict["sentences"] if f"Into {name}," in sentence)
                    print(f"  {source}-{name}: {used}")
                    for method in (NETWORK, WORDS, COPY):
                        made = model.translated(test[1 - to], to, method)
                        bleu = sacrebleu.corpus_bleu(made, [test[to]], tokenize="none", force=True).score
                        print(
                            f"    {method}: BLEU {bleu:.1f}, chrF {sacrebleu.corpus_chrf(made, [test[to]]).score:.1f}"
                        )
                print(flush=True)


if __name__ == "__main__":
    main()
