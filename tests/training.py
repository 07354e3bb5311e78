"""Reads a version as a training job does: over the S3 gateway, with ordinary clients.

boto3 and pyarrow ship no types of their own; they end here.
"""

from io import BytesIO
from typing import Any, cast

import boto3
from botocore.config import Config
from pyarrow import fs, parquet

from ops.local import Connection

Rows = list[dict[str, Any]]


def read_by_boto3(servers: Connection, repository: str, ref: str, file: str) -> Rows:
    """The rows of `snapshot/<file>.parquet` at a ref."""
    s3: Any = cast("Any", boto3).client(
        "s3",
        endpoint_url=servers.lakefs_url,
        aws_access_key_id=servers.lakefs_access_key_id,
        aws_secret_access_key=servers.lakefs_secret_access_key,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    try:
        body = s3.get_object(Bucket=repository, Key=f"{ref}/snapshot/{file}.parquet")["Body"].read()
    finally:
        s3.close()
    return cast("Any", parquet).read_table(BytesIO(body)).to_pylist()


def read_by_pyarrow(servers: Connection, repository: str, ref: str, file: str) -> Rows:
    """The same with pyarrow's own S3 file system."""
    lake = cast("Any", fs).S3FileSystem(
        access_key=servers.lakefs_access_key_id,
        secret_key=servers.lakefs_secret_access_key,
        endpoint_override=servers.lakefs_url.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
    )
    path = f"{repository}/{ref}/snapshot/{file}.parquet"
    return cast("Any", parquet).read_table(path, filesystem=lake).to_pylist()
