"""Where a verb's media reader comes from.

Owns the one place that builds it, and the slower reader for processes in which the fast one cannot
work.
"""

from collections.abc import Iterable, Iterator

from ops.errors import ConfigurationError
from ops.ports import Lake, MediaReader
from ops.runner.context import Context


def open_gateway(context: Context) -> MediaReader:
    """What reads media over lakeFS's S3 gateway; no request yet.

    Raises:
        ConfigurationError: the context has no credentials to read with.
    """
    if context.open_gateway is not None:
        return context.open_gateway()
    if context.media is None:
        raise ConfigurationError(
            "setting-missing",
            "lakefs.access_key_id is not set: reading media over S3 takes credentials",
            subject="lakefs.access_key_id",
            unchanged="nothing was read or written",
            hint="set OPS_LAKEFS_ACCESS_KEY_ID and OPS_LAKEFS_SECRET_ACCESS_KEY",
        )
    from ops.gateway import Gateway, is_usable

    if not is_usable():
        return _LakeReader(context.lake)
    return Gateway(
        context.lake.url,
        context.media.access_key_id,
        context.media.secret_access_key,
        context.lake.repository,
    )


class _LakeReader:
    """Reads objects over lakeFS's own API."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def read_many(
        self, ref: str, paths: Iterable[str], *, workers: int = 32
    ) -> Iterator[tuple[str, bytes]]:
        """As ops.ports.MediaReader has it; the lake chooses how many at once."""
        del workers
        return self._lake.read_many(ref, paths)

    def pieces(self, ref: str, path: str) -> Iterator[bytes]:
        """As ops.ports.MediaReader has it; in one piece."""
        for _, data in self._lake.read_many(ref, [path]):
            yield data
