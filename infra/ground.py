"""What the servers stand on, as the settings want it: APIs, network, buckets, identities, key.

Composition only, as infra/__main__.py: what each is made of is in its own module.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import identity, services, storage
from infra.config import Database, Settings
from infra.encryption import Encryption, EncryptionArgs
from infra.naming import NAMESPACE, Names, Workload
from infra.network import Network, NetworkArgs
from infra.ordering import after


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the servers stand on.

    Attributes:
        apis: what everything in Google Cloud waits for.
        key: the customer's own encryption key, if there is to be one.
    """

    apis: pulumi.ResourceOptions
    network: Network
    buckets: storage.DataBuckets
    nodes: identity.NodeIdentity
    lakefs: identity.WorkloadIdentity
    label_studio: identity.WorkloadIdentity
    key: pulumi.Output[str] | None

    def address(self, prefix: str) -> pulumi.Output[str]:
        """An address in the data bucket, without a slash at its end."""
        return pulumi.Output.concat(self.buckets.data_url, "/", prefix.rstrip("/"))


def prepared(settings: Settings, names: Names) -> Ground:
    """Declare what the servers stand on."""
    enabled = services.Services(
        "services",
        services.ServicesArgs(project=settings.project, apis=services.needed(settings)),
    ).enabled
    apis = after(enabled)
    key = None
    if settings.customer_managed_keys:
        args = EncryptionArgs(
            project=settings.project,
            location=settings.region,
            protect=settings.protect,
            labels=names.labels,
        )
        key = Encryption("encryption", args, apis).key_id
    buckets = storage.DataBuckets(
        "storage",
        storage.DataBucketsArgs(
            project=settings.project,
            data_name=names.data_bucket,
            media_name=names.media_bucket,
            location=settings.place,
            soft_delete_days=settings.soft_delete_days,
            origins=storage.origins(settings.domain),
            protect=settings.protect,
            labels=names.labels,
            encryption_key=key,
        ),
        apis,
    )
    lakefs_roles = identity.lakefs_roles(buckets.data_name, settings.import_buckets)
    label_studio_roles = identity.label_studio_roles(buckets.media_name)
    return Ground(
        apis=apis,
        network=_network(settings, names, apis),
        buckets=buckets,
        nodes=identity.NodeIdentity(
            "nodes",
            identity.NodeIdentityArgs(account_id=names.node_account, project=settings.project),
            apis,
        ),
        lakefs=_workload_identity(Workload.LAKEFS, names, lakefs_roles, apis),
        label_studio=_workload_identity(Workload.LABEL_STUDIO, names, label_studio_roles, apis),
        key=key,
    )


def _network(settings: Settings, names: Names, apis: pulumi.ResourceOptions) -> Network:
    args = NetworkArgs(
        project=settings.project,
        region=settings.region,
        network_name=names.network,
        subnetwork_name=names.subnetwork,
        router_name=names.of("router"),
        nat_name=names.of("nat"),
        peering_name=names.of("peering"),
        private_services=settings.database is Database.CLOUD_SQL,
    )
    return Network("network", args, apis)


def _workload_identity(
    workload: Workload,
    names: Names,
    roles: Sequence[identity.BucketRole],
    apis: pulumi.ResourceOptions,
) -> identity.WorkloadIdentity:
    args = identity.WorkloadIdentityArgs(
        account_id=names.account(workload),
        project=names.project,
        namespace=NAMESPACE,
        service_account=workload,
        display_name=f"{workload} of stack {names.stack}",
        can_sign=True,
        roles=roles,
    )
    return identity.WorkloadIdentity(workload, args, apis)
