"""Error messages and exit codes.

2 bad usage or input, 130 stopped by the person, 143 stopped by SIGTERM, 1 the rest.
"""

from __future__ import annotations

import re

import typer
from rich.console import Console
from rich.text import Text

from ganforge.core.stop import Terminated
from ganforge.errors import GanforgeError, InputError, Interrupted, Preempted, did_you_mean


def show(error: BaseException, console: Console, *, traceback: bool) -> int:
    """Print an error to `console` (of stderr) in words and return the exit code.

    Args: traceback whether the person asked to see where in the program it came from.
    """
    known = _in_words(error)
    if traceback and not isinstance(error, KeyboardInterrupt):
        console.print_exception()
    console.print(_sentences(known), soft_wrap=True)
    return known.exit_code


def _in_words(error: BaseException) -> GanforgeError:
    match error:
        case GanforgeError():
            return error
        case typer.TyperException():
            return _usage(error)
        case Terminated():
            return Preempted("Stopped by SIGTERM.", "Nothing was left half-written.")
        case KeyboardInterrupt():
            return Interrupted("Stopped.", "Nothing was left half-written.")
        case MemoryError():
            return GanforgeError("The memory of this machine is used up.", do="Try --size tiny, or less data.")
        case _:
            return GanforgeError(
                f"Something unexpected happened: {type(error).__name__}: {error}.",
                "This is a fault of ganforge, not yours.",
                "Repeat the command with --traceback to see where, and please report that.",
            )


def _usage(error: typer.TyperException) -> InputError:
    """Convert the parser's error to our three sentences. Its details are attributes of the exception."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ganforge"
    see = f"See `{command} --help`."
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        return InputError(f"{command} has no option {option}.", _nearest(option, known), see)
    parameter = getattr(error, "param", None)
    if parameter is not None:
        name = parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[-1]
        if hasattr(error, "param_type"):
            return InputError(f"{command} needs {name}.", parameter.help or "", see)
        return InputError(f"{name} cannot be used so.", _sentence(error.format_message()), see)
    verb = re.match(r"No such command '(.*?)'\.", error.format_message())
    if verb and context is not None:
        return InputError(f"There is no verb {verb[1]!r}.", did_you_mean(verb[1], context.command.commands), see)
    return InputError(_sentence(error.format_message()), "", see)


def _nearest(option: str, known: list[str]) -> str:
    """Name the nearest option, or nothing: --help lists all of them."""
    sentence = did_you_mean(option, [name for name in known if name.startswith("--")])
    return sentence if sentence.startswith("Did") else ""


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _sentences(error: GanforgeError) -> Text:
    stopped = isinstance(error, Interrupted)
    parts = [(error.what, "bold" if stopped else "bold red"), (error.why, ""), (error.do, "cyan")]
    return Text("\n").join(Text(words, style=style) for words, style in parts if words)
