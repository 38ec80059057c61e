"""Pictures that come as arrays: numpy in memory, .npy, .npz and idx, of every scale and layout, whole and damaged."""

import gzip
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganforge.engine import feed
from ganforge.errors import DataError
from ganforge.kinds.pictures.generate.task import _survey
from ganforge.kinds.pictures.reading import array_files, arrays, store
from ganforge.kinds.pictures.reading.arrays import MappedArray
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.recipe import Request

RNG = np.random.default_rng(3)
GREY = RNG.integers(0, 256, (60, 8, 10), np.uint8)
COLOUR = RNG.integers(0, 256, (60, 8, 10, 3), np.uint8)
LABELS = np.arange(60) % 3


def opened(source: Any, **more: Any) -> Pictures:
    return open_pictures(survey(source, **more), size=(8, 10))


def ordered(levels: np.ndarray) -> np.ndarray:
    """Pictures (N, C, H, W) in an order that their content decides."""
    return np.array(sorted(levels.tolist()), np.uint8)


def everything(pictures: Pictures) -> np.ndarray:
    return ordered(np.concatenate([pictures.train.examples(), pictures.held_out.examples()]))


# ---- scale and layout -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GREY, "as they are"),
        (GREY / 255, "from 0 to 1"),
        ((GREY / 127.5 - 1).astype(np.float32), "from -1 to 1"),
        (GREY.astype(np.float64), "from 0 to 255"),
        (GREY.astype(np.int64), "from 0 to 255"),
        (GREY.astype(np.uint16) * 257, "16-bit"),
        (GREY[..., None], "as they are"),
        (GREY[:, None], "as they are"),
    ],
)
def test_every_scale_means_the_same_levels(given: np.ndarray, words: str) -> None:
    pictures = opened(given)
    assert words in pictures.passport["notes"][0] and pictures.shape == (1, 8, 10)
    assert (everything(pictures) == ordered(GREY[:, None])).all()


def test_zeros_and_ones_are_black_and_white() -> None:
    binary = (GREY > 127).astype(np.uint8)
    assert (everything(opened(binary)) == ordered(binary[:, None] * np.uint8(255))).all()
    assert (everything(opened(binary.astype(bool))) == ordered(binary[:, None] * np.uint8(255))).all()


def test_channels_first_and_last_are_the_same_pictures() -> None:
    last, first = opened(COLOUR), opened(COLOUR.transpose(0, 3, 1, 2))
    assert last.shape == first.shape == (3, 8, 10) and last.data_hash == first.data_hash
    assert (everything(first) == ordered(COLOUR.transpose(0, 3, 1, 2))).all()


@pytest.mark.parametrize(("alpha", "channels"), [(255, 3), (100, 4)])
def test_a_fourth_channel_counts_only_where_something_is_transparent(alpha: int, channels: int) -> None:
    x = np.concatenate([COLOUR, np.full((60, 8, 10, 1), 255, np.uint8)], axis=3)
    x[:, 0, 0, 3] = alpha
    pictures = opened(x)
    assert pictures.shape[0] == channels
    assert (everything(pictures) == ordered(x[..., :channels].transpose(0, 3, 1, 2))).all()


def test_batches_are_the_pictures_between_minus_one_and_one() -> None:
    feed = opened((COLOUR, LABELS)).train
    batch = feed.batch(torch.arange(5))
    assert batch["x"].shape == (5, 3, 8, 10) and batch["x"].is_contiguous(memory_format=torch.channels_last)
    assert np.allclose((batch["x"].numpy() + 1) * 127.5, feed.examples(np.arange(5)), atol=1e-4)
    assert feed.labels is not None and (batch["label"].numpy() == feed.labels[:5]).all()


def test_one_value_that_is_not_finite_is_found_and_its_place_said() -> None:
    spoilt = GREY / 255
    spoilt[7, 3, 2] = np.nan
    with pytest.raises(DataError, match=r"1 values that are not finite.*\[7, 3, 2\]"):
        survey(spoilt)
    spoilt[7, 3, 2] = np.inf
    with pytest.raises(DataError, match="not finite"):
        survey(spoilt)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GREY.reshape(60, 80), "not a stack of pictures"),
        (RNG.integers(0, 256, (30, 64), np.uint8), r"x\.reshape\(30, 8, 8\)"),
        (np.zeros((0, 8, 8), np.uint8), "holds no pictures"),
        (np.full((30, 8, 8), "a"), "Pictures are numbers"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused_in_words(given: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        survey(given)


# ---- labels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS[:59], r"shape \(59,\) for 60"),
        (LABELS + 0.5, "not whole numbers"),
        (np.array(["a", None, "b"] * 20, object), "20 of 60 labels .* missing"),
        (LABELS * 1j, "must be integers or words"),
    ],
)
def test_labels_that_do_not_fit_are_refused_and_can_be_left_out(labels: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        survey((GREY, labels))
    assert survey((GREY, labels), labels=False).label_names == ()


def test_labels_may_be_words_or_a_file_of_their_own(tmp_path: Path) -> None:
    words = np.array(["nine", "one", "zero"])[LABELS]
    np.save(tmp_path / "labels.npy", words)
    np.save(tmp_path / "x.npy", GREY)
    for found in (survey((GREY, words)), survey(tmp_path / "x.npy", labels=str(tmp_path / "labels.npy"))):
        assert found.label_names == ("nine", "one", "zero")
        assert np.bincount(found.parts[0].labels).tolist() == [20, 20, 20]
    with pytest.raises(DataError, match="labels 'absent' cannot be read"):
        survey(tmp_path / "x.npy", labels="absent")


def test_label_none_escapes_labels_that_cannot_be_used(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS[:50])
    asked = Request(source=str(tmp_path / "a.npz"))
    with pytest.raises(DataError, match="50"):
        _survey(asked)
    pictures = open_pictures(_survey(asked.model_copy(update={"label": "none"})), size=(8, 10))
    assert pictures.label_names == () and pictures.passport["count"] == 60


def test_built_in_pictures_have_no_labels_but_their_own() -> None:
    with pytest.raises(DataError, match=r"'nonsense'.*'digits8' has none but its own.*--label none"):
        survey("digits8", labels="nonsense")
    assert len(survey("digits8").label_names) == 10 and survey("digits8", labels=False).label_names == ()


# ---- .npz -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["x", "images", "data", "arr_0"])
def test_the_pictures_of_an_npz_file_are_found_by_their_key(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "a.npz", **{key: GREY}, y=LABELS, label_names=np.array(["a", "b", "c"]))
    pictures = opened(tmp_path / "a.npz")
    assert (everything(pictures) == ordered(GREY[:, None])).all() and pictures.label_names == ("a", "b", "c")


def test_train_and_test_arrays_of_an_npz_file_are_the_two_parts(tmp_path: Path) -> None:
    np.savez_compressed(
        tmp_path / "a.npz", x_train=GREY[:45], y_train=LABELS[:45], x_test=GREY[45:], y_test=LABELS[45:]
    )
    pictures = opened(tmp_path / "a.npz")
    assert (pictures.held_out.examples()[:, 0] == GREY[45:]).all() and (
        pictures.train.examples()[:, 0] == GREY[:45]
    ).all()
    assert pictures.held_out.labels is not None and (pictures.held_out.labels == LABELS[45:]).all()


def test_another_key_of_labels_can_be_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=GREY, y=np.arange(60) % 2, season=LABELS)
    assert np.bincount(survey(tmp_path / "a.npz", labels="season").parts[0].labels).tolist() == [20, 20, 20]
    with pytest.raises(DataError, match="Did you mean 'season'"):
        survey(tmp_path / "a.npz", labels="seasons")


def test_an_npz_file_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=GREY, bias=GREY)
    with pytest.raises(DataError, match="it holds bias, weights"):
        survey(tmp_path / "a.npz")


# ---- idx ------------------------------------------------------------------------------------------------------------


def write_idx(path: Path, array: np.ndarray) -> None:
    content = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def idx_folder(folder: Path, suffix: str) -> Path:
    folder.mkdir()
    for part, rows in (("train", slice(0, 45)), ("t10k", slice(45, 60))):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", GREY[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", LABELS[rows].astype(np.uint8))
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_with_their_labels_and_test_part(tmp_path: Path, suffix: str) -> None:
    folder = idx_folder(tmp_path / "mnist", suffix)
    for source in (folder, folder / f"train-images-idx3-ubyte{suffix}"):
        pictures = opened(source)
        assert (pictures.train.examples()[:, 0] == GREY[:45]).all() and pictures.label_names == ("0", "1", "2")
        assert pictures.held_out.labels is not None and (pictures.held_out.labels == LABELS[45:]).all()
    assert survey(folder, labels=False).label_names == ()


def test_idx_files_that_are_none_are_refused_in_words(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path / "mnist", "")
    path = folder / "train-images-idx3-ubyte"
    for content, words in (
        (path.read_bytes()[:-9], "cut short"),
        (b"GIF8 no", "does not begin"),
        (b"", "does not begin"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            survey(folder)


# ---- larger than memory ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 60 pictures of 8 x 10 did not fit into memory, and were read in several chunks."""
    for module in (array_files, store, feed):
        monkeypatch.setattr(module, "IN_MEMORY", 1000)
    for module in (arrays, store):
        monkeypatch.setattr(module, "CHUNK", 900)
    monkeypatch.setattr(arrays, "ROWS_AT_ONCE", 7)


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("given", [GREY, COLOUR, COLOUR.transpose(0, 3, 1, 2).copy()], ids=["grey", "last", "first"])
def test_large_npy_and_idx_files_are_read_in_place(tmp_path: Path, cache: Path, given: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", given)
    sources = [tmp_path / "x.npy"]
    if given is GREY:
        write_idx(tmp_path / "x.idx", given)
        sources.append(tmp_path / "x.idx")
    wanted = opened(given)
    for source in sources:
        pictures = opened(source)
        assert isinstance(pictures.train._rows, MappedArray) and pictures.passport["on_disk"] and not cache.exists()
        assert pictures.data_hash == wanted.data_hash
        assert (pictures.train.examples() == wanted.train.examples()).all()
        picked = torch.tensor([5, 0, 5])
        assert (pictures.train.batch(picked)["x"] == wanted.train.batch(picked)["x"]).all()


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("given", [GREY, (COLOUR / 255).astype(np.float32)], ids=["levels", "shares"])
def test_large_npz_and_float_files_are_unpacked_once_into_the_cache(
    tmp_path: Path, cache: Path, given: np.ndarray, packed: bool
) -> None:
    (np.savez_compressed if packed else np.savez)(tmp_path / "x.npz", x=given, y=LABELS)
    pictures = opened(tmp_path / "x.npz")
    assert isinstance(pictures.train._rows, MappedArray)
    (array,) = cache.rglob("array")
    assert len(list(cache.rglob("pixels"))) == (given.dtype != np.uint8)  # levels are used as they are unpacked
    unpacked = array.stat()
    np.save(tmp_path / "x.npy", given)
    plain = opened(tmp_path / "x.npy")
    levels = np.rint(given * 255).astype(np.uint8).transpose(0, 3, 1, 2) if given.ndim == 4 else given[:, None]
    assert (everything(pictures) == ordered(levels)).all() and (everything(plain) == ordered(levels)).all()
    assert opened(tmp_path / "x.npz").data_hash == pictures.data_hash
    assert array.stat().st_ino == unpacked.st_ino and list(cache.rglob("array")) == [array]


@pytest.mark.usefixtures("small_memory", "cache")
def test_large_files_in_fortran_order_are_stored_row_by_row(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(GREY))
    np.savez(tmp_path / "x.npz", x=np.asfortranarray(GREY))
    for path in (tmp_path / "x.npy", tmp_path / "x.npz"):
        pictures = opened(path)
        assert (everything(pictures) == ordered(GREY[:, None])).all()
        assert isinstance(pictures.train._rows, MappedArray) and pictures.train._rows.contiguous


@pytest.mark.usefixtures("small_memory")
def test_a_file_that_is_cut_short_while_it_is_in_use_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    pictures = opened(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 500)
    with pytest.raises(DataError, match=r"x\.npy was cut short while it was in use"):
        pictures.train.batch(torch.arange(5))


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("fits", [False, True])
def test_pictures_on_disk_that_fit_a_gpu_are_brought_there_once(
    tmp_path: Path, cache: Path, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", COLOUR)
    wanted = opened(tmp_path / "x.npy")
    assert not wanted.train.resident
    taken = wanted.train.examples().nbytes
    monkeypatch.setattr(feed, "room_beside", lambda device: taken if fits else taken - 1)
    monkeypatch.setattr(feed, "AT_ONCE", 700)  # in several goes, the last one shorter
    pictures = opened(tmp_path / "x.npy")
    assert pictures.train.resident is fits
    everyone = torch.arange(len(pictures.train))
    assert (pictures.train.batch(everyone)["x"] == wanted.train.batch(everyone)["x"]).all()
    if fits:
        monkeypatch.setattr(MappedArray, "__getitem__", lambda self, rows: pytest.fail("read again"))
        pictures.train.batch(everyone)


def test_small_arrays_live_in_memory() -> None:
    assert isinstance(opened(GREY).train._rows, np.ndarray) and not opened(GREY).passport["on_disk"]


# ---- damaged files --------------------------------------------------------------------------------------------------


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x55
    path.write_bytes(content)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_flipped_byte_in_a_packed_file_is_said_and_not_learned_from(
    tmp_path: Path, cache: Path, place: float, large: bool, request: pytest.FixtureRequest
) -> None:
    if large:
        request.getfixturevalue("small_memory")
    np.savez_compressed(tmp_path / "x.npz", x=np.repeat(GREY // 16, 2, axis=1))
    write_idx(tmp_path / "x.idx.gz", np.repeat(GREY // 16, 2, axis=1))
    for path in (tmp_path / "x.npz", tmp_path / "x.idx.gz"):
        flip(path, int(place * path.stat().st_size))
        with pytest.raises(DataError, match=r"x\.(npz|idx\.gz)' cannot be read"):
            open_pictures(survey(path), size=(16, 10))
    assert not [*tmp_path.rglob("pixels"), *tmp_path.rglob("array")]


@pytest.mark.parametrize("keep", [0, 50, 3000])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    np.save(tmp_path / "x.npy", GREY)
    np.savez(tmp_path / "x.npz", x=GREY)
    for path in (tmp_path / "x.npy", tmp_path / "x.npz"):
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(DataError, match="cannot be read as an array"):
            survey(path)


def test_python_objects_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}] * 30), allow_pickle=True)
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}] * 30))
    for name in ("x.npy", "x.npz"):
        with pytest.raises(DataError, match="cannot be read as an array"):
            survey(tmp_path / name)


def test_an_npz_file_of_unknown_compression_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=GREY)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        directory = archive.start_dir
    content[directory + 10] = content[8] = 97  # the method
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as an array"):
        survey(tmp_path / "x.npz")
