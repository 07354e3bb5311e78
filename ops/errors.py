"""The error tree: what went wrong, what stayed unchanged and what to type next.

Owns the exit codes. Does not own rendering (ops/cli/output.py) and never carries the text of an
SDK: adapters translate, and keep the original as `__cause__`.

    OpsError                    exit code
    ├── InternalError           1    a bug in ops
    ├── UsageError              2    the command was put wrongly
    ├── NotFoundError           3    a named thing does not exist
    ├── RefusedError            4    the state or a gate forbids it
    ├── ConflictError           5    two sides changed the same thing
    ├── DeniedError             6    credentials are missing, wrong or too weak
    ├── UnavailableError        7    a server does not answer; safe to run again
    ├── ConfigurationError      8    a setting or a server's set-up is wrong
    ├── InvalidDataError        9    data that cannot be what it claims to be
    └── PartialError           10    done in part; run again to finish
"""

from collections.abc import Mapping
from typing import ClassVar


class OpsError(Exception):
    """A failure a person can act on.

    Attributes:
        code: stable kebab-case name of this failure, for programs and for searching the docs.
        message: one line that says what happened, without a full stop.
        subject: what it happened to (a round, a task key, a path), or None.
        where: further facts as `(name, value)` pairs, shown a line each.
        unchanged: what was left as it was.
        hint: what to type next.
        details: JSON values that programs get as the document's `data`; none by default.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        unchanged: str,
        hint: str,
        subject: str | None = None,
        where: tuple[tuple[str, str], ...] = (),
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Keep the parts; `str()` of the error is the message alone, a traceback says the hint."""
        super().__init__(message)
        self.add_note(f"next: {hint}")
        self.code = code
        self.message = message
        self.subject = subject
        self.where = where
        self.unchanged = unchanged
        self.hint = hint
        self.details = dict(details or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Let it cross from one process to another with all its parts: a trainer's workers raise.

        Exceptions are otherwise made again from their message alone.
        """
        return _again, (type(self), self.code, self.message, dict(self.__dict__))


def _again(kind: type[OpsError], code: str, message: str, parts: Mapping[str, object]) -> OpsError:
    error = kind(code, message, unchanged="", hint="")
    error.__dict__.update(parts)
    return error


class InternalError(OpsError):
    """A bug in ops: a state the code held to be impossible."""

    exit_code = 1


class UsageError(OpsError):
    """The command was put wrongly: an option, a name, an answer that is missing."""

    exit_code = 2


class NotFoundError(OpsError):
    """A named round, ref, repository, file or image does not exist."""

    exit_code = 3


class RefusedError(OpsError):
    """The present state, or a gate, forbids what was asked."""

    exit_code = 4


class ConflictError(OpsError):
    """Two sides changed the same thing differently and nobody has decided."""

    exit_code = 5


class DeniedError(OpsError):
    """Credentials are missing, wrong, expired or not allowed to do this."""

    exit_code = 6


class UnavailableError(OpsError):
    """A server does not answer.

    Nothing half-done is left behind that a second run does not mend.
    """

    exit_code = 7


class ConfigurationError(OpsError):
    """A setting, or the way a server was set up, is wrong."""

    exit_code = 8


class InvalidDataError(OpsError):
    """Data that is not what it claims to be: a record, an export, a label config, an image."""

    exit_code = 9


class PartialError(OpsError):
    """Part of the work is done and kept; running the same command again finishes it."""

    exit_code = 10
