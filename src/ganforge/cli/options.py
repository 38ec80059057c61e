"""The options that several verbs share, each defined once, and their parsers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import typer

from ganforge.contracts import Kind, Option
from ganforge.errors import InputError, RecipeError, did_you_mean
from ganforge.kinds import KINDS, every_kind, flag_of, options_of, read_value, was_given
from ganforge.recipe import Size

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
HOW_LONG, WHAT = "How long (5 minutes when you say nothing)", "What to train (chosen for you when you say nothing)"


def number_above_zero(option: str) -> Callable[[str], float]:
    """Return a parser of finite numbers above 0. It raises RecipeError naming `option`."""

    def read(text: str | float) -> float:  # typer hands it the default too
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > 0):
            raise RecipeError(f"{option} cannot be {text!r}.", "It is a number above 0.", f"For example: {option} 5")
        return number

    return read


def is_on(option: str, text: str) -> bool:
    """Parse the words on and off. Raises: RecipeError."""
    if text not in ("on", "off"):
        raise RecipeError(f"{option} cannot be {text!r}.", "It is on or off.", f"For example: {option} off")
    return text == "on"


def whole_number(option: str, least: int, example: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` on, also as 2_000 and 2,000. It raises RecipeError."""

    def read(text: str | int) -> int:  # typer hands it the default too
        try:
            number = int(str(text).replace(",", "_"))
        except ValueError:
            number = least - 1
        if number < least:
            raise RecipeError(
                f"{option} cannot be {text!r}.",
                f"It is a whole number from {least} on.",
                f"For example: {option} {example}",
            )
        return number

    return read


def one_of(option: str, known: Sequence[str]) -> Callable[[str], str]:
    """Return a parser of one word out of `known`. It raises RecipeError naming the nearest."""

    def read(text: str) -> str:
        if text not in known:
            raise RecipeError(f"{option} cannot be {text!r}.", did_you_mean(text, known), f"For example: {option} base")
        return text

    return read


def settings_of(words: Sequence[str] | None) -> dict[str, str]:
    """Parse --set section.key=value options. Raises: RecipeError for a word of another form, or given twice."""
    settings: dict[str, str] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or "." not in name:
            raise RecipeError(
                f"--set cannot read {word!r}.",
                "It needs a section, a key and a value.",
                "For example: --set optimiser.batch_size=128",
            )
        if name in settings:
            raise RecipeError(
                f"--set {name} was given twice.", f"First {settings[name]!r}, then {value!r}.", "Keep one."
            )
        settings[name] = value
    return settings


def asking(verb: str, *common: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of a request to a verb of the command line.

    The function has one argument `asked`: the typed values by the options' names. On the help page
    those that kinds of data have are in panels of their own, after the options of every kind.

    Args: verb as `Option.verbs` names it; "train" for `plan` and `profile` as well; common names out of COMMON.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        more = [inspect.Parameter(name, _KEYWORD, default=None, annotation=COMMON[name]) for name in common]
        more += [_parameter(kinds) for kinds in options_of(verb).values()]

        @wraps(function)
        def called(**typed: Any) -> None:
            given = {parameter.name: typed.pop(parameter.name) for parameter in more}
            function(**typed, asked=_read({name: value for name, value in given.items() if was_given(value)}))

        parameters = inspect.signature(function, eval_str=True).parameters.values()
        own = [each for each in parameters if each.name != "asked"]
        called.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in (*own, *more)}
        return called

    return decorate


def refuse_number(flag: str, number: int | None, verb: str, asked: Iterable[str]) -> None:
    """Raises: RecipeError if a number was given besides an option that says itself how many."""
    for name in asked if number is not None else ():
        _, option = options_of(verb)[name][0]
        if option.instead:
            raise RecipeError(
                f"{flag} and {flag_of(option)} were given.",
                f"{flag_of(option)} says itself how many are made.",
                f"Leave {flag} out.",
            )


def refuse_without_data(data: str | None, out: Path | None, asked: Iterable[str]) -> None:
    """Raises: InputError where `apply` has no data and no option that stands for it, or both, or nowhere to write."""
    standing = [flag_of(option) for name in asked for _, option in options_of("apply")[name][:1] if option.instead]
    if standing and data is not None:
        raise InputError(
            f"{data!r} and {standing[0]} were given.", "Each is something to apply the run to.", "Give one."
        )
    if not standing and (data is None or out is None):
        missing = "data" if data is None else "place for the result"
        usage = "Use: ganforge apply RUN DATA --out PATH"
        raise InputError(f"No {missing} was named.", "A run is applied to a file or folder, into another.", usage)


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    """Convert typed values for `ganforge.train`. Raises: RecipeError, also if the length was given in two ways."""
    if {"minutes", "examples"} <= set(asked):
        raise RecipeError(
            f"Both --minutes {asked['minutes']:g} and --examples {asked['examples']} were given.",
            "They are two ways to say how long.",
            "Give one of them.",
        )
    if "settings" in asked:
        asked["settings"] = settings_of(asked["settings"])
    if "guard" in asked:
        asked["guard"] = is_on("--guard", asked["guard"])
    return asked


def _parameter(owners: Sequence[tuple[Kind, Option]]) -> inspect.Parameter:
    """Return an option as typer reads it from a function's signature. Args: owners the kinds that have it."""
    option = owners[0][1]
    words = " ".join(dict.fromkeys(owned.help for _, owned in owners))
    names = " and ".join(kind.name for kind, _ in owners)
    about: dict[str, Any] = {"metavar": option.metavar, "help": words, "rich_help_panel": f"Only for {names}"}
    if option.type is bool:
        hint: Any = bool
    else:
        hint = list[str] | None if option.many else str | None
        about["parser"] = str if option.type is object else partial(read_value, option)
    return inspect.Parameter(
        option.name,
        _KEYWORD,
        default=False if option.type is bool else None,
        annotation=Annotated[hint, typer.Option(flag_of(option), **about)],
    )


def _in_words(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


# fmt: off
Source: TypeAlias = Annotated[str, typer.Argument(
    metavar="DATA", show_default=False,
    help=f"{', '.join(kind.forms for kind in every_kind()).capitalize()}, or the name of a data set that comes along: "
    f"{', '.join(name for kind in every_kind() for name in kind.built_in)}.")]
RunFolder: TypeAlias = Annotated[str, typer.Argument(
    metavar="RUN", show_default=False, help="The folder that `ganforge train` printed.")]
Minutes: TypeAlias = Annotated[float | None, typer.Option(
    metavar="M", parser=number_above_zero("--minutes"), rich_help_panel=HOW_LONG,
    help="Train for M minutes of the clock.")]
Examples: TypeAlias = Annotated[int | None, typer.Option(
    metavar="N", parser=whole_number("--examples", 1, 100_000), rich_help_panel=HOW_LONG,
    help="Train until N examples were shown, however long it takes.")]
Until: TypeAlias = Annotated[str | None, typer.Option(
    metavar="TARGET", rich_help_panel=HOW_LONG,
    help='Stop early once a measure is reached, such as "kid<0.02", of tables "table_quality>0.97". Exit code 3 if it '
    "was not.")]
Label: TypeAlias = Annotated[str | None, typer.Option(
    metavar="L", rich_help_panel=WHAT,
    help="The column that holds the labels; none trains without them. For regress: the column to predict. "
    "Of other tables: the column whose prediction is judged.")]
TaskName: TypeAlias = Annotated[str | None, typer.Option(
    "--task", metavar="T", rich_help_panel=WHAT,
    help=f"What to do with the data: {'; '.join(f'of {kind.name} {_in_words(kind.tasks)}' for kind in every_kind())}.")]
KindName: TypeAlias = Annotated[str | None, typer.Option(
    "--kind", metavar="|".join(KINDS), parser=one_of("--kind", list(KINDS)), rich_help_panel=WHAT,
    help="What DATA holds, where its name and content do not tell.")]
SizeName: TypeAlias = Annotated[str | None, typer.Option(
    "--size", metavar="|".join(get_args(Size)), parser=one_of("--size", get_args(Size)), rich_help_panel=WHAT,
    help="How large the networks are.")]
ObjectiveName: TypeAlias = Annotated[str | None, typer.Option(
    "--objective", metavar="O", rich_help_panel=WHAT,
    help="How the two networks are scored, such as r3gan, hinge, minimax.")]
Settings: TypeAlias = Annotated[list[str] | None, typer.Option(
    "--set", metavar="section.key=value", rich_help_panel=WHAT,
    help="Replace any choice of the plan; give it as often as you like. `ganforge plan DATA` lists them.")]
Seed: TypeAlias = Annotated[int, typer.Option(
    metavar="S", parser=whole_number("--seed", 0, 1),
    help="Where all randomness comes from: the same seed gives the same result.")]
Guard: TypeAlias = Annotated[str | None, typer.Option(
    "--guard", metavar="on|off",
    help="Whether a run that goes wrong is mended on the way; on when you say nothing.")]
ForTensorBoard: TypeAlias = Annotated[bool, typer.Option(
    "--tensorboard", metavar="", help="Also write RUN/tensorboard; needs ganforge\\[tensorboard].")]
AcceptChangedData: TypeAlias = Annotated[bool, typer.Option(
    "--accept-changed-data", metavar="", help="Go on although the data has changed, if it still fits.")]
Force: TypeAlias = Annotated[bool, typer.Option(
    "--force", metavar="", help="Replace what is already there.")]
# fmt: on

COMMON = {
    "minutes": Minutes, "examples": Examples, "until": Until, "task": TaskName, "size": SizeName, "kind": KindName,
    "objective": ObjectiveName, "label": Label, "settings": Settings, "guard": Guard,
}  # fmt: skip
