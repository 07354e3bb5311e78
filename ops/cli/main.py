"""The entry point, and the one place where errors become text, JSON and exit codes."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from typer.exceptions import Abort, TyperException

from ops.cli.app import app, words
from ops.cli.output import error_envelope, error_text
from ops.errors import InternalError, OpsError, UsageError

INTERRUPTED = 130
BROKEN_PIPE = 141


def run() -> None:
    """The `ops` command."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; never raises."""
    try:
        code = app(list(arguments), prog_name="ops", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except OpsError as error:
        return _fail(arguments, error)
    except TyperException as error:
        return _fail(arguments, _usage(arguments, error))
    except (KeyboardInterrupt, Abort):
        sys.stderr.write("\ninterrupted: running the same command again goes on from here\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give that a place to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is left is a bug in ops
        return _fail(arguments, _bug(error))


def _fail(arguments: Sequence[str], error: OpsError) -> int:
    if "--json" in arguments:
        sys.stdout.write(error_envelope(words(arguments), error))
        sys.stdout.flush()
    else:
        sys.stderr.write(error_text(error))
    return error.exit_code


def _usage(arguments: Sequence[str], error: TyperException) -> UsageError:
    command = " ".join(["ops", *words(arguments)])
    return UsageError(
        "usage",
        getattr(error, "message", str(error)).rstrip("."),
        unchanged="nothing was read or written",
        hint=f"{command} --help",
    )


def _bug(error: Exception) -> InternalError:
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("OPS_DEBUG"):
        sys.stderr.write(trace)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        "internal",
        f"this is a bug in ops: {type(error).__name__}: {error}",
        where=(("at", f"{Path(last.filename).name}:{last.lineno}"),),
        unchanged="what the servers hold is whole: every verb may be run again",
        hint="report it with the output of the same command and OPS_DEBUG=1",
    )
