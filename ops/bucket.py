"""`ops.bucket_port.Bucket` on Google Cloud Storage: the one file that imports its library.

Owns what its answers and failures mean to ops. The library finds the credentials, as it does for
every program: GOOGLE_APPLICATION_CREDENTIALS, what `gcloud auth application-default login` left, or
the machine's own account; with STORAGE_EMULATOR_HOST it asks that server, without any. Makes no
bucket and writes no object.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
# The library is not typed; what it gives is made ours here.

import base64
import binascii
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from ops import crew
from ops.bucket_port import BucketObject
from ops.core.buckets import SCHEME, BucketFacts, CorsRule, LifecycleRule
from ops.core.records import Json
from ops.errors import (
    ConflictError,
    DeniedError,
    InternalError,
    NotFoundError,
    OpsError,
    UnavailableError,
)

_LOG_IN = "gcloud auth application-default login"
_TIMEOUT_S = (10.0, 60.0)
_WORKERS = 24
_FIELDS = (
    "items(name,size,md5Hash,generation,contentType,contentEncoding,temporaryHold,eventBasedHold,"
    "retentionExpirationTime),nextPageToken"
)
_REVOKED = 401
_FORBIDDEN = 403
_MISSING = 404
_CHANGED = 412
_BUSY = frozenset({408, 429})
_SERVER_FAILED = 500


class GoogleBucket:
    """One bucket. Threads may share it; it connects when first asked."""

    def __init__(self, name: str, *, patience_s: float = 30.0) -> None:
        """Name the bucket, and how long a request is tried again where it may help."""
        self._name = name
        self._patience_s = patience_s

    @property
    def name(self) -> str:
        """Its name, without `gs://`."""
        return self._name

    def facts(self) -> BucketFacts:
        """How it is set up. One request.

        Raises:
            DeniedError: there are no credentials, or they may not look at the bucket.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """
        with self._told("look at the bucket's settings", "storage.buckets.get"):
            return _facts(self._client.get_bucket(self._name, **self._options))

    def granted(self, rights: Sequence[str]) -> frozenset[str]:
        """Those of the rights, as `storage.objects.get`, that these credentials have on it.

        One request. For the check-up: the answer is about who asks, not about the servers' own
        accounts.

        Raises:
            DeniedError: there are no credentials.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """
        with self._told("ask what these credentials may", "storage.buckets.get"):
            bucket = self._client.bucket(self._name)
            return frozenset(bucket.test_iam_permissions(list(rights), **self._options))

    def set_cors(self, rules: Sequence[CorsRule], *, seen: BucketFacts) -> None:
        """Replace its CORS rules. One request; repeatable.

        Raises:
            ConflictError: its settings have changed since they were seen; nothing was written.
            DeniedError: there are no credentials, or they may not change the bucket.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """
        bucket = self._client.bucket(self._name)
        bucket.cors = [rule.as_json() for rule in rules]
        with self._told("set the bucket's CORS rules", "storage.buckets.update"):
            bucket.patch(if_metageneration_match=seen.revision, **self._options)

    def find(self, name: str) -> BucketObject | None:
        """The object of that name, or None. One request.

        Raises:
            DeniedError: there are no credentials, or they may not read the bucket.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """
        return next((one for one in self.objects(name, first=name, last=name)), None)

    def objects(
        self, prefix: str = "", *, first: str = "", last: str = ""
    ) -> Iterator[BucketObject]:
        """The newest objects whose names begin so, by name, lazily. One request a 1 000.

        Raises:
            DeniedError: there are no credentials, or they may not list the bucket.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """
        with self._told("list the bucket's objects", "storage.objects.list"):
            for blob in self._client.list_blobs(
                self._name,
                prefix=prefix or None,
                start_offset=first or None,
                # The library's end is the first name left out.
                end_offset=f"{last}\0" if last else None,
                fields=_FIELDS,
                **self._options,
            ):
                yield _object(blob)

    def beginnings(
        self, objects: Iterable[BucketObject], size_bytes: int
    ) -> Iterator[tuple[BucketObject, bytes | None]]:
        """The first bytes of objects, in their order; None where it is not that object any more.

        One request an object, 24 in flight, lazily.

        Raises:
            DeniedError: there are no credentials, or they may not read the bucket.
            NotFoundError: there is no such bucket.
            UnavailableError: it does not answer.
        """

        def read(found: BucketObject, _: threading.Event) -> bytes | None:
            return self._beginning(found, size_bytes) if found.size_bytes else b""

        return crew.in_order(read, objects, workers=_WORKERS)

    def _beginning(self, found: BucketObject, size_bytes: int) -> bytes | None:
        blob = self._client.bucket(self._name).blob(found.name, generation=found.generation)
        try:
            with self._told(f"read {found.name}", "storage.objects.get"):
                data = blob.download_as_bytes(
                    start=0,
                    end=size_bytes - 1,
                    # As it is stored: the library would unpack what is sent compressed.
                    raw_download=True,
                    checksum=None,
                    **self._options,
                )
        except NotFoundError:
            return None
        return cast("bytes", data)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - the library is not typed
        from google.cloud import storage

        with self._told("find credentials", ""):
            # Without a project: what is done here concerns a bucket alone.
            client: Any = storage.Client(project=None)
        # The library asks for the bucket's settings behind one's back, for its traces (3.17).
        client._bucket_metadata_cache = None  # noqa: SLF001 - there is no other way to say so
        return client

    @cached_property
    def _options(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return {"timeout": _TIMEOUT_S, "retry": DEFAULT_RETRY.with_timeout(self._patience_s)}

    @contextmanager
    def _told(self, doing: str, right: str) -> Generator[None]:
        """Turn the library's failures into those of ops; `right` is what doing it takes."""
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth.exceptions import GoogleAuthError, TransportError

        try:
            yield
        except (TransportError, RetryError) as error:
            # What was tried again until patience ended hides the answer that was had last.
            raise self._unreachable(doing) from error
        except GoogleAuthError as error:
            raise self._unknown(doing) from error
        except GoogleAPICallError as error:
            raise self._answered(int(error.code or 0), doing, right) from error
        except OSError as error:
            # What the library's own transport raises.
            raise self._unreachable(doing) from error

    def _answered(self, status: int, doing: str, right: str) -> OpsError:
        """The error that an answer of this status stands for."""
        if status == _REVOKED:
            return self._unknown(doing)
        if status == _FORBIDDEN:
            return self._forbidden(doing, right)
        if status == _MISSING:
            return self._missing(doing)
        if status == _CHANGED:
            return self._changed(doing)
        if status in _BUSY or status >= _SERVER_FAILED:
            return self._unreachable(doing)
        return InternalError(
            "bucket-request",
            f"the bucket did not take the request to {doing} (status {status})",
            subject=self._name,
            where=self._where,
            unchanged="nothing was changed by this request",
            hint="report this as a bug, with OPS_DEBUG=1",
        )

    @property
    def _where(self) -> tuple[tuple[str, str], ...]:
        return (("bucket", SCHEME + self._name),)

    def _unknown(self, doing: str) -> DeniedError:
        return DeniedError(
            "bucket-credentials",
            f"cannot {doing}: there are no Google credentials, or they are not accepted",
            subject=self._name,
            where=self._where,
            unchanged="nothing was read or written",
            hint=f"{_LOG_IN}\nor name a file of credentials: GOOGLE_APPLICATION_CREDENTIALS",
        )

    def _forbidden(self, doing: str, right: str) -> DeniedError:
        return DeniedError(
            "bucket-forbidden",
            f"these credentials may not {doing}",
            subject=self._name,
            where=(*self._where, ("it takes", right)),
            unchanged="nothing was changed by this request",
            hint=f"have your account given a role with {right}, or log in with another: {_LOG_IN}\n"
            "Google answers the same where a bucket of that name is somebody else's: "
            "check the name",
        )

    def _missing(self, doing: str) -> NotFoundError:
        return NotFoundError(
            "no-bucket",
            f"cannot {doing}: there is no bucket {self._name}",
            subject=self._name,
            where=self._where,
            unchanged="nothing was read or written",
            hint="check the name: gcloud storage ls\nor let pulumi make it: pulumi up",
        )

    def _changed(self, doing: str) -> ConflictError:
        return ConflictError(
            "bucket-changed",
            f"cannot {doing}: somebody changed its settings just now",
            subject=self._name,
            where=self._where,
            unchanged="the bucket is as they left it",
            hint="run the same command again: it looks at the bucket as it is now",
        )

    def _unreachable(self, doing: str) -> UnavailableError:
        return UnavailableError(
            "bucket-unreachable",
            f"cannot {doing}: Google Cloud Storage does not answer, or asks to come later",
            subject=self._name,
            where=self._where,
            unchanged="what was stored before stays; doing it again does no harm",
            hint="check the network (and STORAGE_EMULATOR_HOST, if set), then run the same "
            "command again",
        )


def _facts(bucket: Any) -> BucketFacts:  # noqa: ANN401 - the library is not typed
    access = bucket.iam_configuration
    return BucketFacts(
        name=bucket.name,
        location=bucket.location or "",
        location_kind=bucket.location_type or "region",
        storage_class=bucket.storage_class or "STANDARD",
        is_versioned=bool(bucket.versioning_enabled),
        has_uniform_access=bool(access.uniform_bucket_level_access_enabled),
        prevents_public_access=access.public_access_prevention == "enforced",
        soft_delete_s=int(bucket.soft_delete_policy.retention_duration_seconds or 0),
        retention_s=bucket.retention_period,
        lifecycle=tuple(LifecycleRule.of(_plain(rule)) for rule in bucket.lifecycle_rules),
        cors=tuple(CorsRule.of(_plain(rule)) for rule in bucket.cors),
        created_at=_minute(bucket.time_created),
        revision=int(bucket.metageneration or 0),
    )


def _plain(rule: Mapping[str, Json]) -> dict[str, Json]:
    return dict(rule)


def _minute(when: datetime | None) -> str:
    return "" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _object(blob: Any) -> BucketObject:  # noqa: ANN401 - the library is not typed
    return BucketObject(
        name=blob.name,
        size_bytes=int(blob.size or 0),
        md5=_hex(blob.md5_hash),
        generation=int(blob.generation or 0),
        content_type=blob.content_type or "",
        is_encoded=bool(blob.content_encoding),
        is_held=bool(blob.temporary_hold) or bool(blob.event_based_hold),
        kept_until=blob.retention_expiration_time,
    )


def _hex(md5: str | None) -> str | None:
    """The checksum as lakeFS writes it; Google writes base64."""
    try:
        return base64.b64decode(md5, validate=True).hex() if md5 else None
    except binascii.Error:
        return None
