"""Versions as a training job reads them: over S3, without ops.

Owns two real reads of a version's `snapshot/annotations.parquet`, one with boto3 and one through
pyarrow's own S3 client, and what is counted in them. Knows lakeFS only by its S3 gateway.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

from ops.core.names import ANNOTATIONS_PARQUET
from ops.core.records import TaskKey
from ops.errors import InvalidDataError, UnavailableError
from ops.ports import Lake
from ops.runner.context import MediaAccess

_COLUMNS = ("key", "annotator", "unique_id", "region_id", "label")
_REGION = "us-east-1"
_TIMEOUT_S = 20
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One region of one annotation, as the snapshot holds it."""

    key: TaskKey
    annotator: str
    unique_id: str
    region_id: str
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRead:
    """One version as it was read.

    Attributes:
        uri: where.
        size_bytes: of the Parquet file.
        rows: a row a region.
    """

    tag: str
    uri: str
    size_bytes: int
    rows: Sequence[Row] = field(repr=False)

    @property
    def labels(self) -> Mapping[str, int]:
        """How often each label is given."""
        return dict(sorted(Counter(row.label for row in self.rows if row.label).items()))

    def differing_count(self, other: "VersionRead") -> int:
        """How many regions have another label in the other version, or are in one only."""
        ours, theirs = _by_region(self.rows), _by_region(other.rows)
        return sum(ours.get(at) != theirs.get(at) for at in ours.keys() | theirs.keys())

    def disputed(self) -> tuple[TaskKey, ...]:
        """The tasks that two people gave different labels, by key."""
        said: dict[TaskKey, set[tuple[str | None, ...]]] = {}
        by_person: dict[tuple[TaskKey, str], list[str]] = {}
        for row in self.rows:
            by_person.setdefault((row.key, row.annotator), []).append(row.label or "")
        for (key, _), labels in by_person.items():
            said.setdefault(key, set()).add(tuple(sorted(labels)))
        return tuple(sorted(key for key, different in said.items() if len(different) > 1))


def _by_region(rows: Sequence[Row]) -> Mapping[tuple[str, str], str | None]:
    return {(row.unique_id, row.region_id): row.label for row in rows}


def read_version(lake: Lake, access: MediaAccess, tag: str) -> VersionRead:
    """Read a version's annotations over S3, twice: with boto3, then through pyarrow.

    Two reads of one object; nothing of ops' own client is used.

    Raises:
        UnavailableError: S3 does not answer, or refuses.
        InvalidDataError: the two clients were given different bytes.
    """
    uri = f"s3://{lake.repository}/{tag}/{ANNOTATIONS_PARQUET}"
    by_boto3 = _read_with_boto3(lake, access, tag)
    by_pyarrow = _read_with_pyarrow(lake, access, tag)
    if by_boto3 != by_pyarrow:
        raise InvalidDataError(
            "s3-reads-differ",
            f"boto3 and pyarrow were given different bytes for {uri}",
            subject=uri,
            where=(("boto3", f"{len(by_boto3)} bytes"), ("pyarrow", f"{len(by_pyarrow)} bytes")),
            unchanged="nothing was written",
            hint="read it again; a version never changes, so something between them does",
        )
    return VersionRead(tag=tag, uri=uri, size_bytes=len(by_boto3), rows=_rows(by_boto3))


def _read_with_boto3(lake: Lake, access: MediaAccess, tag: str) -> bytes:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    is_near = urlsplit(lake.url).hostname in _LOOPBACK
    client = cast("Any", boto3).client(
        "s3",
        endpoint_url=lake.url,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        region_name=_REGION,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            # No proxy leads to this machine itself.
            proxies={} if is_near else None,
        ),
    )
    try:
        found = client.get_object(Bucket=lake.repository, Key=f"{tag}/{ANNOTATIONS_PARQUET}")
        return found["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise _unreadable(lake, tag, "boto3") from error
    finally:
        client.close()


def _read_with_pyarrow(lake: Lake, access: MediaAccess, tag: str) -> bytes:
    from pyarrow import fs

    parts = urlsplit(lake.url)
    s3 = cast("Any", fs).S3FileSystem(
        access_key=access.access_key_id,
        secret_key=access.secret_access_key,
        endpoint_override=parts.netloc,
        scheme=parts.scheme,
        region=_REGION,
        request_timeout=_TIMEOUT_S,
        connect_timeout=_TIMEOUT_S,
    )
    try:
        with s3.open_input_file(f"{lake.repository}/{tag}/{ANNOTATIONS_PARQUET}") as file:
            return file.readall()
    except OSError as error:
        raise _unreadable(lake, tag, "pyarrow") from error


def _unreadable(lake: Lake, tag: str, client: str) -> UnavailableError:
    uri = f"s3://{lake.repository}/{tag}/{ANNOTATIONS_PARQUET}"
    return UnavailableError(
        "s3-read",
        f"{uri} cannot be read with {client}",
        subject=uri,
        where=(("endpoint", lake.url),),
        unchanged="the versions are there; they were only to be read",
        hint="see that lakeFS runs: ops local status; then run the same command again",
    )


def _rows(data: bytes) -> Sequence[Row]:
    from pyarrow import parquet

    table = cast("Any", parquet).read_table(BytesIO(data), columns=list(_COLUMNS))
    return [
        Row(
            key=TaskKey(row["key"]),
            annotator=row["annotator"],
            unique_id=row["unique_id"],
            region_id=row["region_id"] or "",
            label=row["label"],
        )
        for row in table.to_pylist()
    ]
