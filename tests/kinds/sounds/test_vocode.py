"""A vocoder: the correction of bands, its verdict, and the game with an adversary."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import ganforge as gf
from ganforge.errors import RecipeError
from ganforge.kinds.sounds.comparison import prefers_sharp
from ganforge.kinds.sounds.features import LogMel, Mel, mel_griffin_lim, refined
from ganforge.kinds.sounds.instruments import instruments
from ganforge.kinds.sounds.networks import Vocoder
from ganforge.kinds.sounds.vocode.model import load_vocoder
from ganforge.kinds.sounds.vocode.verdict import BANDS, PHASES, judge_vocoder
from ganforge.measures.intervals import certainly_lower
from ganforge.networks.ends import FAITHFUL

MEL = Mel.at(8_000)


def chirp(seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(int(seconds * 8_000) // 64 * 64) / 8_000
    waves = sum(torch.sin(2 * torch.pi * k * (150 * time + 20 * time**2)) / k for k in range(1, 12))
    noise = 0.003 * torch.randn(len(time), generator=torch.Generator().manual_seed(0))  # no band at the floor
    return 0.1 * torch.as_tensor(waves)[None] + noise


def test_a_spectrogram_with_the_right_bands_is_left_as_it_is() -> None:
    features, x = LogMel(MEL), chirp()
    spectrum = features.spectrum(x)
    assert torch.allclose(features.corrected(spectrum, features(x)), spectrum, rtol=1e-5)


def test_a_spectrogram_that_is_too_loud_is_corrected_by_just_that() -> None:
    features, x = LogMel(MEL), chirp()
    loud = features.spectrum(x) * 1.7
    inside = slice(1, -1)  # no band holds 0 Hz or half the rate
    made = features.corrected(loud, features(x))[:, inside]
    assert torch.allclose(made, loud[:, inside] / 1.7, rtol=1e-3, atol=1e-4)


def test_each_refinement_brings_the_bands_nearer() -> None:
    features, x = LogMel(MEL), chirp()
    given = features(x)

    def apart(waveform: torch.Tensor) -> float:
        return float((features(waveform) - given).abs().mean())

    far = [apart(mel_griffin_lim(given, features, iterations)) for iterations in (0, 4, 16, 64)]
    assert far == sorted(far, reverse=True) and far[-1] < 0.2 * far[0]
    assert apart(refined(x, given, features, 8)) < 1e-3  # the truth stays where it is


def test_a_correction_within_the_network_is_learned_through() -> None:
    torch.manual_seed(0)
    plain, corrected = (Vocoder(MEL, 8, 1, lookahead=1, corrections=count) for count in (0, 1))
    corrected.load_state_dict(plain.state_dict())
    given = LogMel(MEL)(chirp())
    far = [float((net.features(net(given)) - given).abs().mean().detach()) for net in (plain, corrected)]
    assert far[1] < 0.7 * far[0]
    corrected(given).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in corrected.parameters())


@pytest.mark.parametrize("lookahead", [0, 1, 5, 9])
def test_the_network_sees_so_many_frames_ahead_and_no_more(lookahead: int) -> None:
    torch.manual_seed(0)
    network = Vocoder(MEL, 8, 2, lookahead=lookahead, corrections=0).eval()
    given = LogMel(MEL)(chirp())
    changed = given.clone()
    changed[..., 60:] -= 3
    with torch.no_grad():
        moved = (network(changed) - network(given))[0].abs() > 1e-6
    first = int(moved.nonzero()[0]) / 64
    behind, ahead = network.reach()
    assert 60 - lookahead - 2 <= first < 60 - lookahead  # half a window before the first frame that differs
    assert (behind + ahead) == 3 * 6 + 2 * 3 and ahead == lookahead + 3


# ---- the verdict -----------------------------------------------------------------------------------------------------


def test_a_difference_of_two_sounds_is_certain_only_beyond_students_t() -> None:
    for count in (2, 3, 30):
        random = np.random.default_rng(count)
        wrong = sum(certainly_lower(random.normal(size=count), np.zeros(count)) for _ in range(4_000)) / 4_000
        assert wrong == pytest.approx(0.025, abs=4 * (0.025 / 4_000) ** 0.5)  # two standard errors: 15 % for two sounds
    bound = float(stats.t.ppf(0.975, 1))
    near = np.array([-1.0, -1.0 - 2 / (bound + 1)])
    assert not certainly_lower(near - near.mean() - 1e-9, np.zeros(2))
    assert not certainly_lower(np.array([-5.0]), np.zeros(1))


def values(distance: float, rough: float, count: int = 12) -> dict[str, np.ndarray]:
    noise = 0.01 * np.random.default_rng(0).standard_normal(count)
    names = ("spectral_distance", "cepstral_distance")
    return {**dict.fromkeys(names, distance + noise), "fine_structure": rough + noise[::-1]}


@pytest.mark.parametrize(
    ("distance", "headline"),
    [
        (0.5, "nearer to the recordings than any"),
        (1.0, "about as near"),
        (1.6, "Griffin and Lim's of bands, is nearer"),
    ],
)
def test_the_verdict_names_the_best_method_without_training(distance: float, headline: str) -> None:
    found = {FAITHFUL: values(distance, 0.1), BANDS: values(1, 0.1), PHASES: values(1.5, 0.1)}
    found[FAITHFUL]["spectral_distance"] = found[FAITHFUL]["spectral_distance"][::-1]
    told = judge_vocoder(found, FAITHFUL, {"seconds": 1_000.0})
    assert headline in told.headline
    assert not any("adversary" in sentence or "Only" in sentence for sentence in told.sentences)


def test_a_verdict_on_measures_that_disagree_says_so() -> None:
    found = {FAITHFUL: values(0.9, 0.1), BANDS: values(1, 0.1), PHASES: values(1.5, 0.1)}
    found[FAITHFUL]["cepstral_distance"] = found[FAITHFUL]["cepstral_distance"][::-1] + 1
    assert "on some measures" in judge_vocoder(found, FAITHFUL, {"seconds": 1_000.0}).headline


def test_few_sounds_and_little_training_are_told() -> None:
    few = {name: values(1, 0.1, count=2) for name in (FAITHFUL, BANDS, PHASES)}
    told = " ".join(judge_vocoder(few, FAITHFUL, {"seconds": 40.0}).sentences)
    assert "Only 2 sounds were judged" in told and "40 s of sound" in told


@pytest.mark.parametrize(("distance", "rough", "used"), [(1.0, 0.05, True), (1.1, 0.05, False), (1.0, 0.1, False)])
def test_the_sharp_end_is_used_only_where_it_is_less_smooth_at_hardly_a_price(
    distance: float, rough: float, used: bool
) -> None:
    assert prefers_sharp(values(1.0, 0.1), values(distance, rough)) == used


# ---- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_adversary_is_trained_where_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    run = gf.train(
        instruments(), task="vocode", run=tmp_path / "run", size="tiny", examples=60,
        settings={"vocode.sharp_from": "0.5", "records.marks": "[1]"},
    )  # fmt: skip
    model = load_vocoder(run.folder / "model")
    assert model.ends is not None
    faithful, sharp = model.ends
    assert any(not torch.equal(weight, sharp[name]) for name, weight in faithful.items())
    x = chirp()[0].numpy()
    ends = [model.at(strength).apply((x, 8_000), None, {}, ())[0] for strength in (0.0, 0.5, 1.0)]
    assert not np.array_equal(ends[0], ends[2]) and not np.array_equal(ends[0], ends[1])
    page = (run.folder / "report.html").read_text("utf-8")
    assert "The adversary makes" in page and "Sharp" in page


def test_settings_of_an_adversary_are_refused_where_there_is_none(tmp_path: Path) -> None:
    for name in ("objective.name", "vocode.matching"):
        with pytest.raises(RecipeError, match=r"vocode\.sharp_from"):
            gf.plan("instruments", task="vocode", settings={name: "hinge" if "name" in name else "0.1"})
