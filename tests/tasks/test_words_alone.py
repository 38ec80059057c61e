"""What a run of rows says of how it learned: alone, by likelihood, or in a game of two."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows_world import trained

from ganforge.kinds.tables.generate.task import BY_LIKELIHOOD, GenerateRows, to_draw
from ganforge.run import Run


@pytest.mark.parametrize("network", ["autoregressive", "rows"])
def test_verdict_and_page_say_how_it_learned_and_dates_are_as_they_are_written(tmp_path: Path, network: str) -> None:
    random = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, 400), unit="D")
    frame = pd.DataFrame({"day": days, "shop": random.choice(["a", "b"], 400)})
    found = trained(frame, tmp_path, examples=2_000, settings={"network.name": network})
    page, alone = GenerateRows().page_of(found.recipe), network == "autoregressive"
    assert ("discriminator" in page.story) != alone and ("likely" in page.story) == alone
    assert {**asdict(page), "story": ""} == {**asdict(GenerateRows.page), "story": ""}

    evaluation = found.job.evaluate(Run(tmp_path / "run"), found.product)
    assert (BY_LIKELIHOOD in evaluation.verdict.sentences) == alone
    assert (evaluation.verdict.adversarial_helps is None) == alone
    assert not any("discriminator" in sentence for sentence in evaluation.verdict.sentences)
    assert all(len(day) == len("2024-01-01") for day, _ in evaluation.facts["first_rows"]["rows"])


def test_of_eleven_looks_six_are_drawn_and_the_same_six_where_a_run_was_stopped(tmp_path: Path) -> None:
    run, drawn = Run(tmp_path), []
    run.samples.mkdir()
    for stopped_at in (0, 6):
        for look in range(stopped_at, 11):
            if to_draw(run, 100 * look, 1_000):
                run.sample_grid(100 * look).touch()
                drawn.append(look)
    assert drawn == [0, 2, 4, 6, 8, 10, 6, 8, 10]
