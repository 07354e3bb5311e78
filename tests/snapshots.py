"""Reads versions over the S3 gateway as a training job does: boto3 and pyarrow, nothing of ops."""

from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, cast

import boto3
import pyarrow.parquet
from botocore.config import Config

from ops.local import Connection


@contextmanager
def open_s3(servers: Connection) -> Generator[Any]:
    """A boto3 client of lakeFS's S3 gateway."""
    s3 = cast("Any", boto3).client(
        "s3",
        endpoint_url=servers.lakefs_url,
        aws_access_key_id=servers.lakefs_access_key_id,
        aws_secret_access_key=servers.lakefs_secret_access_key,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    yield s3
    s3.close()


def read_object(servers: Connection, repository: str, path: str) -> bytes:
    """An object's bytes; `path` begins with a ref, as `v1/images/a.png`."""
    with open_s3(servers) as s3:
        return s3.get_object(Bucket=repository, Key=path)["Body"].read()


def read_rows(servers: Connection, repository: str, ref: str, file: str) -> list[dict[str, Any]]:
    """The rows of `snapshot/<file>` at a ref."""
    data = read_object(servers, repository, f"{ref}/snapshot/{file}")
    return cast("Any", pyarrow.parquet).read_table(BytesIO(data)).to_pylist()
