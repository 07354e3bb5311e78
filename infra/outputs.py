"""What a stack tells: all that `ops` knows of infra/, as data.

Owns the names of the stack's outputs and which of them are secret. `ops config use --stack` reads
them by `pulumi stack output --json --show-secrets`. Computes nothing. An output's meaning never
changes under one `schema`; new ones may come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pulumi

from infra.settings import key_of

SCHEMA = "labeling-ops.stack/1"
TEARDOWN = (
    "Two steps, on purpose. 1: `pulumi config set protect false` and `pulumi up`: nothing is "
    "deleted, but every protection, Pulumi's and Google's own, is taken off (a production "
    "stack asks you to accept that, and says how). 2: `pulumi destroy`: everything goes, buckets "
    "and database with all they hold. A protected stack refuses step 2 and changes nothing. "
    "Before: docs/google-cloud/backup-and-restore.md."
)
TEARDOWN_UNPROTECTED = (
    "`pulumi destroy` deletes everything at once, buckets and database with all they hold. "
    "`pulumi config set protect true` and `pulumi up` take care that it does not."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutputs:
    """The outputs that anybody may read; a stack shows each under its camelCase name.

    Attributes:
        bucket: of lakeFS's data and people's pictures.
        storage_namespace_prefix: `gs://…/lakefs`, below which a repository is put.
        images_prefix: `gs://…/images`, where people put pictures to import in place.
        lakefs_url: https address for programs; "" where they reach lakeFS by port-forward alone:
            without a domain, and behind Identity-Aware Proxy.
        label_studio_url: as lakefs_url.
        web_addresses: https addresses for people's browsers; none without a domain.
        s3_endpoint: of lakeFS's S3 gateway inside the VPC; "" where there is none.
        lakefs_service_account: e-mail of the Google service account.
        label_studio_service_account: as lakefs_service_account.
        database: `cloudsql` or `in-cluster`.
        database_instance: name of the Cloud SQL instance; "" for in-cluster.
        label_studio_email: of Label Studio's first user.
        dns_records: what somebody has to set by hand: name, type, data.
        ray_address: of Ray's client server, through `kubectl port-forward service/ray-head 10001`;
            "" where there is no Ray.
        ray_lakefs_url: lakeFS's address as Ray's workers reach it; "" where there is no Ray.
        teardown: how to take the stack down.
    """

    project: str
    region: str
    cluster_name: pulumi.Input[str]
    cluster_location: pulumi.Input[str]
    namespace: str
    bucket: pulumi.Input[str]
    storage_namespace_prefix: pulumi.Input[str]
    images_prefix: pulumi.Input[str]
    lakefs_url: str
    label_studio_url: str
    web_addresses: Sequence[str]
    s3_endpoint: str
    lakefs_service_account: pulumi.Input[str]
    label_studio_service_account: pulumi.Input[str]
    database: str
    database_instance: pulumi.Input[str]
    label_studio_email: str
    dns_records: Sequence[Mapping[str, pulumi.Input[str]]]
    ray_address: str
    ray_lakefs_url: str
    teardown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretOutputs:
    """The outputs that Pulumi encrypts, and shows with `--show-secrets` only.

    Attributes:
        ray_token: what Ray lets in; "" where there is no Ray.
    """

    lakefs_access_key_id: pulumi.Input[str]
    lakefs_secret_access_key: pulumi.Input[str]
    label_studio_password: pulumi.Input[str]
    label_studio_secret_key: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    ray_token: pulumi.Input[str]


def export(outputs: StackOutputs, secrets: SecretOutputs) -> None:
    """Tell the engine the stack's outputs."""
    pulumi.export("schema", SCHEMA)
    for each in fields(outputs):
        pulumi.export(key_of(each.name), getattr(outputs, each.name))
    for each in fields(secrets):
        pulumi.export(key_of(each.name), pulumi.Output.secret(getattr(secrets, each.name)))
