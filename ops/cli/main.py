"""The entry point, and the one place where errors become text, JSON and exit codes.

Imports nothing heavy: what can be interrupted or fail happens inside `main`.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from ops.errors import InternalError, OpsError

BROKEN_PIPE = 141


class InterruptedByUserError(OpsError):
    """The person pressed Ctrl-C."""

    exit_code: ClassVar[int] = 130


def run() -> None:
    """The `ops` command."""
    for name in ("stdout", "stderr"):
        # A shell's `>&-` leaves Python without the stream.
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; never raises."""
    try:
        return _attempt(arguments)
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give that a place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _attempt(arguments: Sequence[str]) -> int:
    try:
        from ops.cli.app import invoke

        return invoke(arguments)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary
        return _fail(arguments, error)


def _fail(arguments: Sequence[str], cause: BaseException) -> int:
    from ops.cli.output import error_envelope, print_error, write

    error = _as_ops_error(arguments, cause)
    if os.environ.get("OPS_DEBUG"):
        sys.stderr.write("".join(traceback.format_exception(cause)))
    if is_json(arguments):
        write(error_envelope(_words(arguments), error), sys.stdout)
    else:
        print_error(error, sys.stderr)
    return error.exit_code


def is_json(arguments: Sequence[str]) -> bool:
    """Say whether a command line asks for JSON, however wrong the rest of it is."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before


def _words(arguments: Sequence[str]) -> Sequence[str]:
    """The command's words; none where the command tree itself is broken."""
    try:
        from ops.cli.app import words

        return words(arguments)
    except Exception:  # noqa: BLE001 - an error is being told already
        return ()


def _as_ops_error(arguments: Sequence[str], cause: BaseException) -> OpsError:
    if isinstance(cause, OpsError):
        return cause
    if isinstance(cause, KeyboardInterrupt):
        return InterruptedByUserError(
            "interrupted",
            "interrupted",
            unchanged="what was done so far is kept; nothing is half-done",
            hint="the same command goes on from here",
        )
    try:
        from typer.exceptions import Abort, TyperException

        from ops.cli.usage import usage_error
    except ImportError:
        return _bug(cause)
    if isinstance(cause, Abort):
        return _as_ops_error(arguments, KeyboardInterrupt())
    if isinstance(cause, TyperException):
        return usage_error(cause, _words(arguments))
    return _bug(cause)


def _bug(cause: BaseException) -> InternalError:
    if isinstance(cause, ImportError):
        return InternalError(
            "installation",
            f"ops is not installed whole: {cause}",
            unchanged="nothing is half-done: every verb may be run again",
            hint="install labeling-ops again; in a checkout: make setup",
        )
    last = traceback.extract_tb(cause.__traceback__)[-1]
    return InternalError(
        "internal",
        f"this is a bug in ops: {type(cause).__name__}: {cause}",
        where=(("at", f"{Path(last.filename).name}:{last.lineno}"),),
        unchanged="what the servers hold is whole: every verb may be run again",
        hint="report it with the output of the same command and OPS_DEBUG=1",
    )
