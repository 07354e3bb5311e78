"""Commands that were put wrongly: what is wrong, and which command's help to read.

Owns the words for it, whatever Typer says. Checks nothing that Typer checks.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

import typer
from typer.core import TyperArgument, TyperOption
from typer.exceptions import TyperException

from ops.cli.pages import spelling, takes
from ops.errors import UsageError

_UNCHANGED = "nothing was read or written"
_EXTRA = re.compile(r"unexpected extra argument\(?s?\)? \((.+)\)", re.DOTALL)


def usage_error(error: TyperException, command: Sequence[str]) -> UsageError:
    """What Typer found wrong, in our words; `command` is what it was found at."""
    code, message = _problem(error)
    return UsageError(
        code, message, unchanged=_UNCHANGED, hint=" ".join(["ops", *command, "--help"])
    )


def _problem(error: TyperException) -> tuple[str, str]:
    param = getattr(error, "param", None)
    if isinstance(error, typer.BadParameter) and isinstance(param, TyperArgument | TyperOption):
        if type(error).__name__ == "MissingParameter":
            return "missing-value", f"{spelling(param)} is missing"
        return "wrong-value", f"{spelling(param)} takes {takes(param)}"
    if option := getattr(error, "option_name", None):
        if hasattr(error, "possibilities"):
            close = getattr(error, "possibilities") or ()  # noqa: B009 - of a private class
            return "unknown-option", f"there is no option {option}" + _did_you_mean(close)
        return "missing-value", f"{option} needs a value after it"
    if extra := _EXTRA.search(error.format_message()):
        return "extra-argument", f"there is no place for {extra.group(1)}"
    text = error.format_message().rstrip(".")
    return "usage", text[:1].lower() + text[1:]


def refuse_command(word: str, known: Sequence[str], command: Sequence[str]) -> NoReturn:
    """Refuse a noun or verb nobody knows.

    Raises:
        UsageError: always.
    """
    close = get_close_matches(word, known)
    raise UsageError(
        "unknown-command",
        f"there is no command {' '.join(['ops', *command, word])}" + _did_you_mean(close),
        subject=word,
        where=(("known", ", ".join(known)),),
        unchanged=_UNCHANGED,
        hint=" ".join(["ops", *command, "--help"]),
    )


def refuse_bare_noun(known: Sequence[str], command: Sequence[str]) -> NoReturn:
    """Refuse a noun without a verb.

    Raises:
        UsageError: always.
    """
    path = " ".join(["ops", *command])
    raise UsageError(
        "missing-verb",
        f"{path} needs a {'verb' if command else 'command'} after it",
        where=(("known", ", ".join(known)),),
        unchanged=_UNCHANGED,
        hint=f"{path} --help",
    )


def refuse_early_option(option: str, command: Sequence[str]) -> NoReturn:
    """Refuse an option that stands before the verb it belongs to.

    Raises:
        UsageError: always.
    """
    path = " ".join(["ops", *command])
    raise UsageError(
        "early-option",
        f"{option} stands before the verb",
        unchanged=_UNCHANGED,
        hint=f"put it behind: {path} … {option}\nsee its options with: {path} --help",
    )


def _did_you_mean(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""
