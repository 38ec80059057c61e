"""What a run of rows says of how it learned: alone, by likelihood, or in a game of two."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rows_world import trained

from ganforge.kinds.tables.generate.task import BY_LIKELIHOOD, GenerateRows
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
