"""Media bytes over lakeFS's S3 gateway, many at once: the one file that imports obstore.

Owns how objects are read there: path style, signed, tried again where that may help. Takes nothing
of the environment, neither credentials nor proxies: what the settings say is what is used. Writes
nothing and lists nothing: that is ops/lake's.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ops import crew
from ops.errors import (
    ConfigurationError,
    DeniedError,
    InternalError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    UnavailableError,
)

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import S3Store

_PIECE_BYTES = 4 * 2**20
_WHOLE_BYTES = 2 * _PIECE_BYTES
_TRIES = 5
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5
_RETRY_S = 60
_CONNECT_S = 5
_SILENCE_S = 60
_BODY_TRIES = 3
_DEFAULT_WORKERS = 32

_STATUS = re.compile(r"status code: (\d{3})")
_S3_CODE = re.compile(r"<Code>(\w+)</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Interrupted|Decode|Request)")
_CAUSES = {
    "Connect": "no connection to its address",
    "Timeout": f"no answer within {_SILENCE_S} s",
    "Interrupted": "the connection broke",
    "Decode": "the connection broke",
    "Request": "the connection broke",
}
_GONE_STATUS = 410
_GONE = {404, _GONE_STATUS}
_DENIED = {401, 403}
_SERVER_ERROR = 500


class Gateway:
    """One repository, read over S3. Threads may share it; a process makes one of its own."""

    def __init__(
        self, url: str, access_key_id: str, secret_access_key: str, repository: str
    ) -> None:
        """Make ready; opens no connection.

        Args:
            url: lakeFS's address: the gateway is there too.
            access_key_id: of lakeFS.
            secret_access_key: of lakeFS; shown nowhere.
            repository: its name, the bucket of the gateway.

        Raises:
            ConfigurationError: the address is none of a web server.
        """
        self._url = url
        self._repository = repository
        self._store = self._open(access_key_id, secret_access_key)

    def _open(self, access_key_id: str, secret_access_key: str) -> "S3Store":
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        place = urlsplit(self._url)
        if place.scheme not in {"http", "https"} or not place.hostname:
            raise self._no_address()
        try:
            return S3Store(
                self._repository,
                endpoint=self._url,
                access_key_id=access_key_id,
                secret_access_key=secret_access_key,
                region="us-east-1",
                virtual_hosted_style_request=False,
                # obstore 0.12 takes what is not said here from the environment's AWS_…: without a
                # signature lakeFS answers 200 and its web page.
                skip_signature=False,
                s3_express=False,
                client_options={
                    "allow_http": True,
                    "connect_timeout": timedelta(seconds=_CONNECT_S),
                    "read_timeout": timedelta(seconds=_SILENCE_S),
                    # The whole of a picture may take longer than obstore's 30 s.
                    "timeout": timedelta(hours=1),
                    # The environment's proxies are used unless one is named; "*" does not cover
                    # addresses of numbers.
                    "proxy_url": "http://unused.invalid",
                    "proxy_excludes": place.hostname,
                    "user_agent": "labeling-ops",
                },
                retry_config={
                    "max_retries": _TRIES - 1,
                    "backoff": {
                        "init_backoff": timedelta(seconds=_FIRST_PAUSE_S),
                        "max_backoff": timedelta(seconds=_LONGEST_PAUSE_S),
                        "base": 2,
                    },
                    "retry_timeout": timedelta(seconds=_RETRY_S),
                },
            )
        except (BaseError, ValueError) as error:
            raise self._no_address() from error

    def _no_address(self) -> ConfigurationError:
        return ConfigurationError(
            "lakefs-url",
            f"{self._url!r} is not the address of a server",
            subject=self._url,
            unchanged="nothing was read or written",
            hint="write it as https://lakefs.example.org; ops config show says where it is set",
        )

    def read_many(
        self, ref: str, paths: Iterable[str], *, workers: int = _DEFAULT_WORKERS
    ) -> Iterator[tuple[str, bytes]]:
        """Objects' bytes, as they come, in no order; flat memory. One request an object.

        Tried again, a bounded number of times with growing pauses, where the server or the way
        there failed.

        Args:
            ref: a branch, tag or commit id; no expression such as `main~1`.
            paths: pulled lazily.
            workers: requests under way at once.

        Raises:
            NotFoundError: one of them is not there, or there is no such ref or repository.
            InvalidDataError: one of them has a path that S3 clients cannot ask for.
            DeniedError: lakeFS does not accept the credentials.
            UnavailableError: lakeFS does not answer.
        """

        def read(path: str, _: threading.Event) -> bytes:
            return self.read(ref, path)

        return crew.in_any_order(read, paths, workers=workers)

    def read(self, ref: str, path: str) -> bytes:
        """An object's bytes. One request, tried again where that may help.

        Raises:
            UnavailableError: lakeFS does not answer, or breaks off each time.
            OpsError: as read_many.
        """
        for _ in range(_BODY_TRIES - 1):
            try:
                return b"".join(self.pieces(ref, path))
            except UnavailableError as error:
                if error.code != _BROKEN:
                    raise
        return b"".join(self.pieces(ref, path))

    def pieces(self, ref: str, path: str) -> Iterator[bytes]:
        """An object's bytes in pieces of some megabytes, in their order. One request.

        Raises:
            UnavailableError: also where the connection breaks between two pieces (code
                `gateway-broken`); whoever wants the object begins again.
            OpsError: as read_many.
        """
        from obstore.exceptions import BaseError

        # What obstore raises for a path that is not there, and for one it cannot ask for.
        failures = (BaseError, FileNotFoundError, ValueError, OSError)
        try:
            found = self._get(ref, path)
        except failures as error:
            raise self._refused(error, path) from error
        size_bytes, given = found.meta["size"], 0
        try:
            for piece in _pieces(found, size_bytes):
                given += len(piece)
                yield piece
        except failures as error:
            raise self._broken(path) from error
        if given != size_bytes:
            raise self._broken(path)

    def _get(self, ref: str, path: str) -> "GetResult":
        import obstore

        _note_use()
        return obstore.get(self._store, f"{ref}/{path}")

    def _refused(self, error: Exception, path: str) -> OpsError:
        """What a failure means; the client's own words stay in its cause."""
        said = str(error)
        status = int(found[1]) if (found := _STATUS.search(said)) else 0
        if isinstance(error, ValueError):
            return self._unnameable(path)
        if isinstance(error, FileNotFoundError) or status in _GONE:
            return self._missing(path, status=status, said=said)
        if status in _DENIED:
            return self._denied(path)
        if status and status < _SERVER_ERROR:
            return ConfigurationError(
                "not-lakefs",
                f"what answers at {self._url} is not lakeFS (status {status})",
                subject=path,
                where=self._where,
                unchanged="nothing was written",
                hint="check lakeFS's address: ops config show",
            )
        kind = _KIND.search(said)
        broke = _CAUSES[kind[1] if kind else "Interrupted"]
        cause = f"an answer of status {status}" if status else broke
        return UnavailableError(
            "lakefs-unreachable",
            f"lakeFS did not read {path}: {cause}, tried {_TRIES} times",
            subject=path,
            where=self._where,
            unchanged="nothing was changed: the request only reads",
            hint="see that it runs (ops local status, or ops doctor), then run the same command "
            "again",
        )

    def _missing(self, path: str, *, status: int, said: str) -> NotFoundError:
        code = _S3_CODE.search(said)
        if code and code[1] == "NoSuchBucket":
            return NotFoundError(
                "no-repository",
                f"there is no lakeFS repository {self._repository}",
                subject=self._repository,
                where=self._where,
                unchanged="nothing was read or written",
                hint="create it with: ops init\nor name another one with --repository",
            )
        # lakeFS 1.84 says 410 by its API, and over S3 that there is no such version.
        if status == _GONE_STATUS or (code and code[1] == "NoSuchVersion"):
            return NotFoundError(
                "object-data-gone",
                f"{path} is listed, but its bytes are gone from the store",
                subject=path,
                where=self._where,
                unchanged="nothing was changed: the request only reads",
                hint="restore them in the bucket they were stored in or imported from",
            )
        return NotFoundError(
            "not-in-lakefs",
            f"there is no {path} there",
            subject=path,
            where=self._where,
            unchanged="nothing was changed: the request only reads",
            hint="see what there is: ops data list, ops dataset log",
        )

    def _denied(self, path: str) -> DeniedError:
        return DeniedError(
            "lakefs-credentials",
            "lakeFS does not accept the credentials for reading over S3",
            subject=path,
            where=self._where,
            unchanged="nothing was read or written",
            hint="check the access key and secret: ops config show",
        )

    def _unnameable(self, path: str) -> InvalidDataError:
        return InvalidDataError(
            "object-path",
            f"no S3 client can ask for {quote(path)}: a part of its name is empty, relative, or "
            "holds a control character",
            subject=path,
            where=self._where,
            unchanged="nothing was read or written",
            hint="store it under another name, and remove it under this one, in the lakeFS UI",
        )

    def _broken(self, path: str) -> UnavailableError:
        return UnavailableError(
            _BROKEN,
            f"lakeFS broke off while {path} was being read",
            subject=path,
            where=self._where,
            unchanged="nothing was changed: the request only reads",
            hint="run the same command again",
        )

    @property
    def _where(self) -> tuple[tuple[str, str], ...]:
        return (("lakeFS", self._url), ("repository", self._repository))


_BROKEN = "gateway-broken"


_used_by: list[int] = []
"""The process that used the library first."""


def is_usable() -> bool:
    """Say whether this process may read through a gateway.

    obstore 0.12 never answers in a process that was forked from one that used it: its threads are
    the other's.
    """
    return not _used_by or _used_by[0] == os.getpid()


def _note_use() -> None:
    if not _used_by:
        _used_by.append(os.getpid())
    if not is_usable():
        raise InternalError(
            "forked-gateway",
            "a forked process read media through the process it came from",
            unchanged="nothing was read",
            hint="start workers with the method spawn, or report this as a bug",
        )


def _pieces(found: "GetResult", size_bytes: int) -> Iterator[bytes]:
    if size_bytes <= _WHOLE_BYTES:
        yield bytes(found.bytes())
    else:
        for piece in found.stream(min_chunk_size=_PIECE_BYTES):
            yield bytes(piece)
