"""What only the cloud knows of the programs' configuration: their ConfigMaps and Secrets.

Owns lakefs.yaml, Label Studio's environment and the Secrets' keys, but for what is the same on
every cluster (k8s/). Does not put them anywhere (infra/workloads.py does).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import yaml

from infra import database
from infra.credentials import Credentials
from infra.naming import NAMESPACE, Workload

LAKEFS_PORT = 8000
LABEL_STUDIO_PORT = 8080
LAKEFS_DATABASE = "lakefs"
LABEL_STUDIO_DATABASE = "label_studio"
LAKEFS_ADDRESS = f"http://{Workload.LAKEFS}.{NAMESPACE}.svc.cluster.local:{LAKEFS_PORT}"
"""lakeFS inside the cluster, API and S3 gateway (path style)."""

# A small PostgreSQL takes 100 connections. Label Studio's threads want up to 8 a pod, and a
# roll-out has one pod more of each.
_LAKEFS_CONNECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseServer:
    """Where PostgreSQL is.

    Attributes:
        host: a private address or a name.
        encryption: what clients ask for.
    """

    host: pulumi.Input[str]
    encryption: database.Encryption


IN_CLUSTER = DatabaseServer(host="postgres", encryption=database.Encryption.NONE)
"""The one pod of k8s/components/postgres, whom NetworkPolicies let nobody but its clients reach."""


def lakefs_yaml(
    namespace_prefix: pulumi.Input[str], *, replicas: int, s3_domains: Sequence[str] = ()
) -> pulumi.Output[str]:
    """The configuration file of lakeFS.

    Args:
        namespace_prefix: where repositories go by default, as `gs://bucket/lakefs`.
        replicas: among whom the database's connections are divided.
        s3_domains: names that are the S3 gateway's alone: `<bucket>.<name>` is virtual-host style.
            Under one of them there is no API and no UI.
    """

    def written(prefix: str) -> str:
        return yaml.safe_dump(_lakefs(prefix, replicas, s3_domains), sort_keys=False)

    return pulumi.Output.from_input(namespace_prefix).apply(written)


def _lakefs(prefix: str, replicas: int, s3_domains: Sequence[str]) -> Mapping[str, object]:
    # The region is what S3 clients sign for unless told otherwise; lakeFS has none.
    gateway: dict[str, object] = {"region": "us-east-1"}
    if s3_domains:
        gateway["domain_name"] = list(s3_domains)
    return {
        "listen_address": f"0.0.0.0:{LAKEFS_PORT}",
        "logging": {"format": "json", "level": "INFO", "output": ["-"]},
        "database": {
            "type": "postgres",
            "postgres": {
                "max_open_connections": max(5, _LAKEFS_CONNECTIONS // (replicas + 1)),
                "max_idle_connections": 5,
                "connection_max_lifetime": "5m",
            },
        },
        "blockstore": {
            "type": "gs",
            "default_namespace_prefix": prefix,
            # No credentials: the pod's own account, by Workload Identity. It signs URLs without a
            # key, by asking Google to (infra/identity.py lets it sign as itself).
            "gs": {"pre_signed_expiry": "15m", "disable_pre_signed_ui": True},
        },
        "gateways": {"s3": gateway},
        # Nothing goes out. lakeFS ignores an empty environment variable, so the address it asks
        # for security notices is blanked here.
        "stats": {"enabled": False},
        "email_subscription": {"enabled": False},
        "security": {"check_latest_version": False, "audit_check_url": ""},
    }


def label_studio_environment(
    server: DatabaseServer, *, project: str, media_bucket: pulumi.Input[str], domain: str
) -> Mapping[str, pulumi.Input[str]]:
    """Label Studio's environment; `domain` is "" where it has no public address."""
    return {
        "POSTGRE_HOST": server.host,
        "POSTGRE_PORT": str(database.PORT),
        "POSTGRE_NAME": LABEL_STUDIO_DATABASE,
        "POSTGRE_USER": LABEL_STUDIO_DATABASE,
        # libpq's own variable: Label Studio has no setting for it.
        "PGSSLMODE": str(server.encryption),
        # Uploads and exports; pictures of rounds are in lakeFS.
        "STORAGE_TYPE": "gcs",
        "STORAGE_GCS_BUCKET_NAME": media_bucket,
        "STORAGE_GCS_PROJECT_ID": project,
        # Workload Identity for storages people connect, too.
        "GCS_CLOUD_STORAGE_FORCE_DEFAULT_CREDENTIALS": "true",
        # There is no nginx to hand a signed address to: Label Studio sends the bytes itself.
        "USE_NGINX_FOR_UPLOADS": "false",
        # Label Studio refuses private addresses, but for this one, which no user can set.
        "LABEL_STUDIO_S3_ENDPOINT": LAKEFS_ADDRESS,
        **(_public(domain) if domain else {}),
    }


def _public(domain: str) -> Mapping[str, str]:
    origin = f"https://{domain}"
    return {
        "LABEL_STUDIO_HOST": origin,
        # TLS ends at the load balancer, and Label Studio believes no header about it: without this
        # every log-in is refused.
        "CSRF_TRUSTED_ORIGINS": origin,
        # Read as numbers. Browsers send such cookies to http://localhost, too, so that a
        # port-forward works.
        "SESSION_COOKIE_SECURE": "1",
        "CSRF_COOKIE_SECURE": "1",
    }


def secrets(
    credentials: Credentials, server: DatabaseServer, admin_email: str
) -> Mapping[str, Mapping[str, pulumi.Input[str]]]:
    """The data of each Secret that k8s/ reads, by name."""
    found = {
        str(Workload.LAKEFS): {
            "database-connection-string": database.connection(
                LAKEFS_DATABASE,
                server.host,
                credentials.lakefs_database_password,
                encryption=server.encryption,
            ),
            "auth-encrypt-secret-key": credentials.lakefs_encryption_key,
            "signing-secret-key": credentials.lakefs_signing_key,
            "access-key-id": credentials.lakefs_access_key_id,
            "secret-access-key": credentials.lakefs_secret_access_key,
        },
        str(Workload.LABEL_STUDIO): {
            "secret-key": credentials.label_studio_secret_key,
            "database-password": credentials.label_studio_database_password,
            "username": admin_email,
            "password": credentials.label_studio_password,
        },
    }
    if server is IN_CLUSTER:
        found["postgres"] = {
            "password": credentials.postgres_password,
            "lakefs-password": credentials.lakefs_database_password,
            "label-studio-password": credentials.label_studio_database_password,
        }
    if credentials.ray_token is not None:
        found["ray"] = {"token": credentials.ray_token}
    return found
