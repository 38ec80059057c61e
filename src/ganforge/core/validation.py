"""What a person or a stranger has edited may be good JSON and still not be what is expected: said in words, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ganforge.errors import GanforgeError, InputError, RunError

# What content of another form than expected makes its readers raise; pydantic's refusal is a ValueError.
MISFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError)


@contextmanager
def refused(what: str) -> Iterator[None]:
    """While files of a run are made use of: content that does not fit becomes a RunError.

    Args: what cannot be used, as the beginning of a sentence: "The model at 'x'".
    """
    try:
        yield
    except RunError:
        raise
    except InputError as error:  # of a setting in the file: what to type on the command line would not help
        raise _unfit(what, error.what) from error
    except GanforgeError:
        raise
    except MISFIT as error:
        raise _unfit(what, f"{error} is missing" if isinstance(error, KeyError) else str(error)) from error


def _unfit(what: str, why: str) -> RunError:
    first = (why.splitlines() or ["its parts do not fit each other"])[0][:200]
    return RunError(
        f"{what} cannot be used: {first.removesuffix('.')}.",
        "It is damaged, or ganforge did not write it.",
        "Restore it or train again.",
    )
