"""A stack's outputs as Pulumi prints them, and a `pulumi` on PATH that prints them again.

The program is a real one, of two lines, in the place of the real one: what is tried is how `ops`
runs it and reads it. The engine itself: test_engine.py.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.local import Connection

SECRET_KEY = "hush-hush-the-key-of-label-studio-hush-hush-hush-hush"  # noqa: S105 - a test's
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: "labeling-ops"
users:
- name: labeling-ops
  user: {exec: {command: gke-gcloud-auth-plugin}}
"""

OUTPUTS: Mapping[str, object] = {
    "schema": "labeling-ops.stack/1",
    "project": "cheese-123",
    "region": "europe-west1",
    "clusterName": "labeling-ops-dev",
    "clusterLocation": "europe-west1",
    "namespace": "labeling-ops",
    "bucket": "cheese-123-dev-data",
    "storageNamespacePrefix": "gs://cheese-123-dev-data/lakefs",
    "imagesPrefix": "gs://cheese-123-dev-data/images",
    "lakefsUrl": "",
    "labelStudioUrl": "",
    "s3Endpoint": "",
    "lakefsServiceAccount": "lakefs@cheese-123.iam.gserviceaccount.com",
    "labelStudioServiceAccount": "label-studio@cheese-123.iam.gserviceaccount.com",
    "database": "in-cluster",
    "databaseInstance": "",
    "labelStudioEmail": "lena@example.org",
    "dnsRecords": [],
    "lakefsAccessKeyId": "AKIASTACKDEV",
    "lakefsSecretAccessKey": "hush-lakefs",
    "labelStudioPassword": "hush-password",
    "labelStudioSecretKey": SECRET_KEY,
    "kubeconfig": KUBECONFIG,
}
"""A stack without public address."""

PUBLIC = {
    **OUTPUTS,
    "lakefsUrl": "https://lakefs.labeling.example.org",
    "labelStudioUrl": "https://labeling.example.org",
}
HUSH = ("hush-lakefs", "hush-password", SECRET_KEY)


def outputs_of(servers: Connection, secret_key: str) -> Mapping[str, object]:
    """The outputs of a stack whose servers are the real ones of this session."""
    return {
        **OUTPUTS,
        "lakefsUrl": servers.lakefs_url,
        "labelStudioUrl": servers.label_studio_url,
        "labelStudioEmail": servers.label_studio_email,
        "lakefsAccessKeyId": servers.lakefs_access_key_id,
        "lakefsSecretAccessKey": servers.lakefs_secret_access_key,
        "labelStudioSecretKey": secret_key,
    }


def checkout(directory: Path) -> Path:
    """Make a directory one that a stack is brought up from."""
    directory.mkdir(exist_ok=True)
    (directory / "Pulumi.yaml").write_text("name: labeling-ops\nruntime: python\n")
    return directory


def program(directory: Path, name: str, lines: str) -> Path:
    """Put a program of a few lines of Python into a directory of its own, and give that."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!{sys.executable} -I\n{lines}")
    path.chmod(0o755)
    return directory


def printing(directory: Path, outputs: Mapping[str, object]) -> Path:
    """A `pulumi` that prints these outputs, and notes how it was called beside itself."""
    (directory / "bin").mkdir(exist_ok=True)
    text = json.dumps(outputs)
    lines = (
        "import pathlib, sys\n"
        "pathlib.Path(__file__).with_name('called').write_text('\\n'.join(sys.argv[1:]))\n"
        f"print({text!r})\n"
    )
    return program(directory / "bin", "pulumi", lines)


def failing(directory: Path, said: str) -> Path:
    """A `pulumi` that fails with these words."""
    return program(
        directory / "bin",
        "pulumi",
        f"import sys\nprint({said!r}, file=sys.stderr)\nsys.exit(255)\n",
    )


def before_path(directory: Path) -> str:
    """PATH with a directory before everything else."""
    return f"{directory}{os.pathsep}{os.environ['PATH']}"
