"""The verb `interpolate`: a walk in latent space, as a film."""

from __future__ import annotations

from pathlib import Path

from ganforge.api.model import model_of, verb_of


def interpolate(
    run: str | Path,
    keys: int,
    out: str | Path,
    *,
    label: str | int | None = None,
    steps: int = 24,
    seed: int = 0,
    truncation: float = 1.0,
    force: bool = False,
) -> Path:
    """Writes a walk through `keys` random pictures and back to the first, as .gif, .webp or .mp4.

    The key pictures are the first that `sample` draws with the same seed and truncation; between them the latent moves
    along a great circle. Labels are not mixed: a model that has some, and is asked for none, shows up to 20 of them
    side by side, each walking the same way.

    Args: keys 2 to 500; steps frames from one key to the next. Raises: RunError, InputError for a run that cannot walk,
        an unknown label or suffix, a number out of range, a file that exists (force replaces it), or a film that is too
        long to be held; StorageError.
    """
    walk = verb_of(model_of(run), "interpolate")
    asked = None if label is None else str(label)
    written: Path = walk(keys, Path(out), label=asked, steps=steps, seed=seed, truncation=truncation, force=force)
    return written
