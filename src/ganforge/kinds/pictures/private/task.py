"""The task `private` on pictures: samples under differential privacy, without training a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ganforge.contracts import Batch, Feed, Game, Job, Task, Tell
from ganforge.core.model_files import write_model_files
from ganforge.errors import DataError
from ganforge.kinds.pictures.generate.model import PictureModel
from ganforge.kinds.pictures.picture_data import PictureData, reading_again, reading_of, refuse_misfits
from ganforge.kinds.pictures.plan import model_description, target_size
from ganforge.kinds.pictures.private.coefficients import Coefficients, coefficients
from ganforge.kinds.pictures.private.judge import Classifier, nearest_mean, reach_of, reached
from ganforge.kinds.pictures.private.mixture import Form, Mixture, release
from ganforge.kinds.pictures.private.model import load_mixture
from ganforge.kinds.pictures.private.network import MixtureGenerator, generator_of
from ganforge.kinds.pictures.private.plan import (
    PrivatePictureSettings,
    ledger_of,
    noise_of,
    passport_of,
    plan_release,
)
from ganforge.kinds.pictures.private.sums import noisy
from ganforge.kinds.pictures.private.verdict import Counted, evaluation_of
from ganforge.kinds.pictures.reading.open import Pictures, open_pictures
from ganforge.kinds.pictures.reading.survey import survey
from ganforge.kinds.pictures.reading.values import BY_LOOKING, Reading
from ganforge.kinds.pictures.write import write_grid
from ganforge.planning.draft import Draft
from ganforge.privacy.release import ReleaseJob, Releases, read_release
from ganforge.privacy.settings import ABSENT, UNGUARDED, UNTRAINED, why_once
from ganforge.recipe import Data, Recipe, Request, TaskSection
from ganforge.records import Evaluation, Page
from ganforge.run import Run

GRID = 64  # pictures in a grid of samples
LEARNED_FROM = 5_000  # samples that the judge learns from
JUDGED, SEED = "judged", 2


class PrivatePictures(Task):
    """The task `private` on pictures."""

    name: ClassVar[str] = "private"
    labels: ClassVar[str | None] = None
    measured: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {}
    section: ClassVar[type[TaskSection] | None] = PrivatePictureSettings
    data: ClassVar[type[Data]] = PictureData
    unguarded: ClassVar[str | None] = UNGUARDED
    untrained: ClassVar[str | None] = UNTRAINED
    keeps_data: ClassVar[bool] = False
    page: ClassVar[Page] = Page(
        nouns="pictures",
        judged="released pictures",
        samples="Released pictures",
        caption="Every picture here was drawn from noisy sums",
        note="No network was trained, and none of them is a picture of the data.",
    )

    def page_of(self, recipe: Recipe) -> Page:
        """Return the words for a run, with what another look at its data would cost."""
        return replace(self.page, once=why_once(recipe.section(PrivatePictureSettings)))

    def plan(self, request: Request, tell: Tell) -> Job:
        """Open the pictures and choose every setting from what is public about them."""
        draft = Draft(request, PrivatePictures, absent=ABSENT, device="cpu")
        found = survey(request.source, labels=_labels(request), reading=reading_of(request))
        size, why = target_size(found.native_size, draft)
        tell("reading", count=found.count, source=request.source)
        pictures = open_pictures(found, size=size)
        records = _Records.of(pictures)
        return PrivateJob(plan_release(draft, pictures, len(records.pictures), why), tell, records)

    def open(self, recipe: Recipe, tell: Tell) -> Job:
        """Open the job again. The pictures are read only if something of them is still to be released."""
        return PrivateJob(recipe, tell)

    def join(self, recipe: Recipe, brief: Mapping[str, bytes], examples: Batch) -> tuple[Game, Feed]:
        """Refuse: nothing is trained, in one process or several."""
        raise RuntimeError(UNTRAINED)


@dataclass(frozen=True, slots=True)
class _Records:
    """The private pictures (N, C, H, W) and their labels (N,), 0 without any."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, opened: Pictures) -> _Records:
        """Return all pictures, but for test pictures that came with them as a part of their own."""
        feeds = [opened.train]
        if opened.passport["split"].startswith("by content"):
            feeds.append(opened.held_out)
        pictures = np.concatenate([feed.examples(np.arange(len(feed))) for feed in feeds])
        labels = [np.zeros(len(feed), np.int64) if feed.labels is None else feed.labels for feed in feeds]
        return cls(pictures, np.concatenate(labels))


def _labels(request: Request) -> Any:
    return False if request.label == "none" else request.label


def _opened(recipe: Recipe, reading: Reading = BY_LOOKING) -> _Records:
    """Open the pictures of a recipe again. Raises: DataError if they are missing or do not fit."""
    found = survey(recipe.ask.source, labels=_labels(recipe.ask), reading=reading)
    _, height, width = recipe.data.shape
    pictures = open_pictures(found, size=(height, width))
    refuse_misfits(recipe, pictures.shape, pictures.label_names)
    records, known = _Records.of(pictures), recipe.section(PrivatePictureSettings).records
    if len(records.pictures) != known:
        raise DataError(
            f"{recipe.data.source!r} holds {len(records.pictures):,} pictures.",
            f"The run was planned for {known:,}, and its delta for that number.",
            "Put the old pictures back, or train a new run.",
        )
    return records


@dataclass(slots=True)
class PrivateJob(ReleaseJob):
    """A private run: what is released of the pictures, and what follows from it."""

    recipe: Recipe
    tell: Tell
    records: _Records | None = None
    _vectors: Coefficients | None = field(default=None, init=False)

    @property
    def passport(self) -> Mapping[str, Any]:
        return passport_of(self.recipe)

    def product(self, run: Run) -> nn.Module:
        """Release the mixture and the judge's counts, or read what was released."""
        own, recipe = self.recipe.section(PrivatePictureSettings), self.recipe
        releases = Releases(run, ledger_of(recipe), self.tell)
        mixture = self._mixture(
            lambda name, multiplier, exact: releases.once(
                name,
                lambda noise: {"sums": noisy(exact(), multiplier, noise)},
                f"Released with {multiplier:.3g} times the noise of one record: {name}.",
            )["sums"]
        )
        product = generator_of(mixture, recipe.data.shape, len(recipe.data.label_names), recipe.network.need("depth"))
        if own.judge:
            multiplier = own.multiplier(own.judge)
            releases.once(
                JUDGED,
                lambda noise: {
                    # two flags of a record, each over sqrt 2: the sensitivity is 1
                    "sums": np.sqrt(2) * noisy(self._flags(product, mixture) / np.sqrt(2), multiplier, noise),
                    "counts": mixture.counts,
                },
                "Released: how many pictures a classifier gets right that learned from samples.",
            )
        return product

    def _mixture(self, publish: Any) -> Mixture:
        own, data = self.recipe.section(PrivatePictureSettings), self.recipe.data
        kept, labels = self.recipe.network.need("depth"), len(data.label_names)
        channels, height, width = data.shape
        form = Form(
            labels=max(labels, 1),
            size=channels * min(kept, height) * min(kept, width),
            components=self.recipe.network.need("width"),
            directions=self.recipe.network.need("latent_size") - 1,
            largest=math.sqrt(math.prod(data.shape)),
            seed=self.recipe.seed,
        )
        return release(self._private, form, noise_of(own), publish)

    def _private(self) -> tuple[Coefficients, NDArray[np.int64]]:
        """Return the private coefficients and labels. Only what is released may see them."""
        if self.records is None:
            self.records = _opened(self.recipe, reading_again(self.recipe))
        if self._vectors is None:
            self._vectors = coefficients(self.records.pictures, self.recipe.network.need("depth"))
        return self._vectors, self.records.labels

    def _flags(self, product: nn.Module, mixture: Mixture) -> NDArray[np.float64]:
        """Count (2,) the private pictures that samples teach to recognise, and those that the simplest way does."""
        vectors, labels = self._private()
        assert self.records is not None
        model = self._model(product)
        names, kept = self.recipe.data.label_names, self.recipe.network.need("depth")
        learned = model.draw_labels(LEARNED_FROM, seed=SEED)
        samples = model.draw_pictures(LEARNED_FROM, labels=learned, seed=SEED)
        if learned is None:
            inner = coefficients(samples, kept)
            return np.array([reached(vectors, inner, reach_of(inner)).sum(), 0.0])
        classifier = Classifier(samples, learned, len(names), SEED)
        flags = (classifier.labels_of(self.records.pictures), nearest_mean(vectors, mixture.label_means))
        return np.array([float((flag == labels).sum()) for flag in flags])

    def write_model(self, folder: Path, product: nn.Module) -> None:
        """Write model.json and model.safetensors: released numbers, and what follows from them."""
        shares = self._shares(product)
        write_model_files(folder, product, model_description(self.recipe, label_shares=shares))

    def read_product(self, folder: Path) -> nn.Module:
        """Load the generator that `write_model` wrote."""
        return load_mixture(folder, self.recipe.compute.device).network

    def evaluate(self, run: Run, product: nn.Module) -> Evaluation:
        """Say how useful the samples are, by what was released; the pictures are not read."""
        own, data = self.recipe.section(PrivatePictureSettings), self.recipe.data
        model = self._model(product)
        labels = np.arange(GRID) % len(data.label_names) if data.label_names else None
        grid = model.draw_pictures(GRID, labels=labels, seed=self.recipe.seed)
        write_grid(run.sample_grid(0), grid)
        counts = read_release(run, JUDGED)["sums"] if own.judge else None
        deviation = math.sqrt(2) * own.multiplier(own.judge) if own.judge else 0.0
        found = None if counts is None else Counted(float(counts[0]), float(counts[1]), deviation)
        largest = max(self._shares(product), default=0.0)
        return evaluation_of(self.recipe, ledger_of(self.recipe), found, largest, LEARNED_FROM)

    def _model(self, product: nn.Module) -> PictureModel:
        names, latent = self.recipe.data.label_names, self.recipe.network.need("latent_size")
        return PictureModel(product, latent, names, self._shares(product))

    def _shares(self, product: nn.Module) -> tuple[float, ...]:
        """Return the share of each label, by released counts; () without labels."""
        if not self.recipe.data.label_names:
            return ()
        assert isinstance(product, MixtureGenerator)
        shares = product.shares.double().cpu().sum(1).numpy()
        return tuple(float(share) for share in shares / shares.sum())
