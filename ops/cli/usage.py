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
    hint = " ".join(["ops", *command, "--help"])
    param = getattr(error, "param", None)
    if isinstance(error, typer.BadParameter) and isinstance(param, TyperArgument | TyperOption):
        return _wrong_value(error, param, hint)
    if option := getattr(error, "option_name", None):
        return _wrong_option(str(option), error, hint)
    said = error.format_message().rstrip(".")
    if extra := _EXTRA.search(said):
        return UsageError(
            "extra-argument",
            f"there is no place for {extra.group(1)}",
            unchanged=_UNCHANGED,
            hint=hint,
        )
    return UsageError("usage", said[:1].lower() + said[1:], unchanged=_UNCHANGED, hint=hint)


def _wrong_value(
    error: typer.BadParameter, param: TyperArgument | TyperOption, hint: str
) -> UsageError:
    if type(error).__name__ == "MissingParameter":
        return UsageError(
            "missing-value", f"{spelling(param)} is missing", unchanged=_UNCHANGED, hint=hint
        )
    return UsageError(
        "wrong-value", f"{spelling(param)} takes {takes(param)}", unchanged=_UNCHANGED, hint=hint
    )


def _wrong_option(option: str, error: TyperException, hint: str) -> UsageError:
    # Only an option nobody knows comes with possibilities, be they none.
    possibilities: Sequence[str] | None = getattr(error, "possibilities", ())
    if possibilities == ():
        return UsageError(
            "missing-value", f"{option} needs a value after it", unchanged=_UNCHANGED, hint=hint
        )
    return UsageError(
        "unknown-option",
        f"there is no option {option}{_did_you_mean(possibilities)}",
        unchanged=_UNCHANGED,
        hint=hint,
    )


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


def _did_you_mean(names: Sequence[str] | None) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else ""
