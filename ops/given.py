"""Files a person names on the command line, read whole.

Owns how it is said that one cannot be read. Does not know what is in them.
"""

from pathlib import Path

from ops.errors import NotFoundError


def read_given(path: Path, *, code: str, hint: str) -> bytes:
    """The bytes of a file somebody named.

    Args:
        path: as they named it.
        code: of the error, for programs: which of a command's files it is.
        hint: what to type instead.

    Raises:
        NotFoundError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            code,
            f"{path} cannot be read: {error.strerror or 'the system refuses'}",
            subject=str(path),
            unchanged="nothing was read or written",
            hint=hint,
        ) from error
