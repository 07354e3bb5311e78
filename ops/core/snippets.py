"""Ready code that reads a version over S3.

Text for people to paste. No credential is ever in it.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

KEY = "LAKECTL_CREDENTIALS_ACCESS_KEY_ID"
SECRET = "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"  # noqa: S105 - a variable's name


def snippets(*, repository: str, ref: str, endpoint: str) -> Mapping[str, str]:
    """Snippets by library; each reads `snapshot/annotations.parquet`, PyTorch the images too.

    Args:
        repository: the bucket, in S3's words.
        ref: a branch, a tag or a commit id; lakeFS's S3 gateway knows no `main~1`.
        endpoint: lakeFS's address.
    """
    values = {
        "repository": repository,
        "ref": ref,
        "endpoint": endpoint,
        "host": urlsplit(endpoint).netloc,
        "scheme": urlsplit(endpoint).scheme,
        "key": KEY,
        "secret": SECRET,
    }
    return {name: text.format(**values).strip() + "\n" for name, text in _TEXTS.items()}


_TEXTS = {
    "boto3": """
import os, boto3
from botocore.config import Config

s3 = boto3.client(
    "s3",
    endpoint_url="{endpoint}",
    aws_access_key_id=os.environ["{key}"],
    aws_secret_access_key=os.environ["{secret}"],
    region_name="us-east-1",
    config=Config(signature_version="s3v4", s3={{"addressing_style": "path"}}),
)
body = s3.get_object(Bucket="{repository}", Key="{ref}/snapshot/annotations.parquet")["Body"].read()
""",
    "pyarrow": """
import os
import pyarrow.fs, pyarrow.parquet

lake = pyarrow.fs.S3FileSystem(
    access_key=os.environ["{key}"],
    secret_key=os.environ["{secret}"],
    endpoint_override="{host}",
    scheme="{scheme}",
    region="us-east-1",
)
table = pyarrow.parquet.read_table(
    "{repository}/{ref}/snapshot/annotations.parquet", filesystem=lake
)
""",
    "pandas": """
import os
import pandas

annotations = pandas.read_parquet(
    "s3://{repository}/{ref}/snapshot/annotations.parquet",
    storage_options={{
        "key": os.environ["{key}"],
        "secret": os.environ["{secret}"],
        "client_kwargs": {{"endpoint_url": "{endpoint}"}},
    }},
)  # needs s3fs
""",
    "s3fs": """
import os
import s3fs

lake = s3fs.S3FileSystem(
    key=os.environ["{key}"],
    secret=os.environ["{secret}"],
    client_kwargs={{"endpoint_url": "{endpoint}"}},
)
images = lake.find("{repository}/{ref}/images")
""",
    "duckdb": """
import os
import duckdb, pyarrow.dataset, pyarrow.fs

lake = pyarrow.fs.S3FileSystem(
    access_key=os.environ["{key}"],
    secret_key=os.environ["{secret}"],
    endpoint_override="{host}",
    scheme="{scheme}",
    region="us-east-1",
)
annotations = pyarrow.dataset.dataset(
    "{repository}/{ref}/snapshot/annotations.parquet", filesystem=lake
)
print(duckdb.sql("select label, count(*) from annotations group by label"))
""",
    "pytorch": """
import io, os
import pyarrow.fs, pyarrow.parquet, torch
from PIL import Image

class Labeled(torch.utils.data.Dataset):
    def __init__(self):
        self.lake = pyarrow.fs.S3FileSystem(
            access_key=os.environ["{key}"],
            secret_key=os.environ["{secret}"],
            endpoint_override="{host}",
            scheme="{scheme}",
            region="us-east-1",
        )
        tasks = pyarrow.parquet.read_table(
            "{repository}/{ref}/snapshot/tasks.parquet", filesystem=self.lake
        )
        self.tasks = [task for task in tasks.to_pylist() if task["state"] == "labeled"]

    def __len__(self):
        return len(self.tasks)

    def __getitem__(self, index):
        task = self.tasks[index]
        with self.lake.open_input_file("{repository}/{ref}/" + task["media_path"]) as file:
            return Image.open(io.BytesIO(file.read())).convert("RGB"), task["labels"]
""",
}
