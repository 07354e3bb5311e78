"""The Pulumi program: which components a stack is made of, and how they hang together.

Composition only. A setting decides here which components there are; what each is made of, and why,
is in its own module:

    settings   config (reads), rules (judge), naming (every name), moved (earlier places)
    ground     services, network, encryption, storage, identity
    servers    cluster, database, credentials, configuration, workloads (of k8s/, by manifests)
    ways in    exposure with certificate (public), training (inside the VPC)
    people     monitoring, outputs

Nothing branches on a value that is known only after an update.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:
    # Pulumi runs this folder, and puts it on the path: `infra` is no package then, and any module
    # here may shadow one that somebody else means.
    _HERE = Path(__file__).resolve().parent
    sys.path[:] = [str(_HERE.parent), *(each for each in sys.path if Path(each) != _HERE)]

import pulumi

from infra import configuration, identity, manifests, moved, services, storage, training
from infra.cluster import Cluster, ClusterArgs, NodePoolArgs
from infra.config import ClusterMode, Database, Settings, load
from infra.credentials import Credentials, CredentialsArgs
from infra.database import CloudSql, CloudSqlArgs, Encryption
from infra.encryption import Encryption as CustomerKey
from infra.encryption import EncryptionArgs
from infra.exposure import BACKENDS, Exposure, ExposureArgs, hosts_of
from infra.monitoring import SpendingAlert, SpendingAlertArgs, Uptime, UptimeArgs
from infra.naming import IMAGES_PREFIX, LAKEFS_PREFIX, NAMESPACE, Names, Workload
from infra.network import Network, NetworkArgs
from infra.ordering import after
from infra.outputs import (
    TEARDOWN,
    TEARDOWN_UNPROTECTED,
    SecretOutputs,
    StackOutputs,
    export,
)
from infra.workloads import Workloads, WorkloadsArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Servers:
    """What runs.

    Attributes:
        cloud_sql: None where PostgreSQL runs in the cluster.
    """

    cluster: Cluster
    credentials: Credentials
    cloud_sql: CloudSql | None
    workloads: Workloads

    @property
    def started(self) -> Sequence[pulumi.Resource]:
        """What a way in waits for."""
        return [self.workloads.namespace, *self.workloads.running]


def main() -> None:
    """Declare the stack whose settings Pulumi hands over."""
    pulumi.runtime.register_stack_transformation(moved.recognizing())
    settings = load()
    names = Names(settings.project, settings.stack)
    ground = _ground(settings, names)
    servers = _servers(settings, names, ground)
    exposure = _exposure(settings, names, ground, servers) if settings.domain else None
    if settings.training_access:
        _training_access(settings, names, ground, servers)
    if settings.monthly_budget:
        _budget(settings, names, ground)
    if settings.uptime_check:
        _uptime(settings, names, ground)
    _export(settings, ground, servers, exposure)


def _ground(settings: Settings, names: Names) -> _Ground:
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
        key = CustomerKey("encryption", args, apis).key_id
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
    return _Ground(
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


def _servers(settings: Settings, names: Names, ground: _Ground) -> _Servers:
    cluster = _cluster(settings, names, ground)
    credentials = Credentials("credentials", CredentialsArgs(protect=settings.protect))
    cloud_sql = None
    if settings.database is Database.CLOUD_SQL:
        cloud_sql = _cloud_sql(settings, names, ground, credentials)
    return _Servers(
        cluster=cluster,
        credentials=credentials,
        cloud_sql=cloud_sql,
        workloads=_workloads(
            settings, ground, cluster=cluster, credentials=credentials, cloud_sql=cloud_sql
        ),
    )


def _cluster(settings: Settings, names: Names, ground: _Ground) -> Cluster:
    pool = NodePoolArgs(machine_type=settings.node_machine_type, count_max=settings.node_count_max)
    args = ClusterArgs(
        project=settings.project,
        region=settings.region,
        cluster_name=names.cluster,
        network=ground.network.network_self_link,
        subnetwork=ground.network.subnetwork_self_link,
        node_account=ground.nodes.email,
        node_pool=pool if settings.cluster_mode is ClusterMode.STANDARD else None,
        release_channel=settings.release_channel,
        maintenance_begin=settings.maintenance_begin,
        protect=settings.protect,
        labels=names.labels,
        secrets_key=ground.key,
    )
    prepared = pulumi.ResourceOptions.merge(ground.apis, after(ground.nodes.ready))
    return Cluster("cluster", args, prepared)


def _cloud_sql(
    settings: Settings, names: Names, ground: _Ground, credentials: Credentials
) -> CloudSql:
    peering = ground.network.peering
    args = CloudSqlArgs(
        region=settings.region,
        network=ground.network.network_id,
        peering=[] if peering is None else [peering],
        tier=settings.database_tier,
        is_highly_available=settings.database_high_availability,
        backup_days=settings.backup_days,
        maintenance_begin=settings.maintenance_begin,
        protect=settings.protect,
        labels=names.labels,
        passwords={
            configuration.LAKEFS_DATABASE: credentials.lakefs_database_password,
            configuration.LABEL_STUDIO_DATABASE: credentials.label_studio_database_password,
        },
        encryption_key=ground.key,
    )
    return CloudSql("database", args, ground.apis)


def _workloads(
    settings: Settings,
    ground: _Ground,
    *,
    cluster: Cluster,
    credentials: Credentials,
    cloud_sql: CloudSql | None,
) -> Workloads:
    server = configuration.IN_CLUSTER
    if cloud_sql is not None:
        server = configuration.DatabaseServer(host=cloud_sql.host, encryption=Encryption.REQUIRED)
    lakefs_yaml = configuration.lakefs_yaml(
        _below(ground, LAKEFS_PREFIX),
        replicas=settings.lakefs_replicas,
        s3_domains=[training.S3_DOMAIN] if settings.training_access else [],
    )
    environment = configuration.label_studio_environment(
        server,
        project=settings.project,
        media_bucket=ground.buckets.media_name,
        domain=settings.domain,
    )
    args = WorkloadsArgs(
        # The overlays differ in where PostgreSQL is, and in how much the pods may take.
        objects=manifests.load("dev" if cloud_sql is None else "prod"),
        namespace=NAMESPACE,
        cluster=cluster,
        replicas={
            Workload.LAKEFS: settings.lakefs_replicas,
            Workload.LABEL_STUDIO: settings.label_studio_replicas,
        },
        accounts={
            Workload.LAKEFS: ground.lakefs.email,
            Workload.LABEL_STUDIO: ground.label_studio.email,
        },
        config_maps={
            Workload.LAKEFS: {"lakefs.yaml": lakefs_yaml},
            Workload.LABEL_STUDIO: environment,
        },
        secrets=configuration.secrets(credentials, server, settings.admin_email),
        ready=[
            ground.network.exits,
            *ground.lakefs.ready,
            *ground.label_studio.ready,
            *([] if cloud_sql is None else cloud_sql.ready),
        ],
        protect=settings.protect,
    )
    return Workloads("workloads", args)


def _exposure(settings: Settings, names: Names, ground: _Ground, servers: _Servers) -> Exposure:
    args = ExposureArgs(
        project=settings.project,
        resource_name=names.of("public"),
        domain=settings.domain,
        dns_zone=settings.dns_zone,
        iap_members=settings.iap_members,
        labels=names.labels,
        cluster=servers.cluster,
        namespace=NAMESPACE,
        after=servers.started,
    )
    return Exposure("public", args, ground.apis)


def _training_access(settings: Settings, names: Names, ground: _Ground, servers: _Servers) -> None:
    args = training.TrainingAccessArgs(
        region=settings.region,
        resource_name=names.of("training"),
        network=ground.network.network_id,
        subnetwork=ground.network.subnetwork_self_link,
        labels=names.labels,
        cluster=servers.cluster,
        namespace=NAMESPACE,
        after=servers.started,
    )
    training.TrainingAccess("training", args, ground.apis)


def _budget(settings: Settings, names: Names, ground: _Ground) -> None:
    args = SpendingAlertArgs(
        project=settings.project,
        billing_account=settings.billing_account,
        amount=settings.monthly_budget,
        display_name=names.of("budget"),
    )
    SpendingAlert("budget", args, ground.apis)


def _uptime(settings: Settings, names: Names, ground: _Ground) -> None:
    hosts = hosts_of(settings.domain)
    args = UptimeArgs(
        project=settings.project,
        paths={hosts[backend.workload]: backend.health_path for backend in BACKENDS},
        behind_iap=bool(settings.iap_members),
        alert_email=settings.alert_email,
        labels=names.labels,
    )
    Uptime("uptime", args, ground.apis)


def _export(
    settings: Settings, ground: _Ground, servers: _Servers, exposure: Exposure | None
) -> None:
    addresses = {
        workload: f"https://{host}" for workload, host in hosts_of(settings.domain).items()
    }
    web = addresses if settings.domain else {}
    # Identity-Aware Proxy lets no program in.
    programs = {} if settings.iap_members else web
    public = StackOutputs(
        project=settings.project,
        region=settings.region,
        cluster_name=servers.cluster.name,
        cluster_location=servers.cluster.location,
        namespace=NAMESPACE,
        bucket=ground.buckets.data_name,
        storage_namespace_prefix=_below(ground, LAKEFS_PREFIX),
        images_prefix=_below(ground, IMAGES_PREFIX),
        lakefs_url=programs.get(Workload.LAKEFS, ""),
        label_studio_url=programs.get(Workload.LABEL_STUDIO, ""),
        web_addresses=list(web.values()),
        s3_endpoint=training.S3_ENDPOINT if settings.training_access else "",
        lakefs_service_account=ground.lakefs.email,
        label_studio_service_account=ground.label_studio.email,
        database=settings.database,
        database_instance="" if servers.cloud_sql is None else servers.cloud_sql.instance_name,
        label_studio_email=settings.admin_email,
        dns_records=[] if exposure is None else [each.document() for each in exposure.by_hand],
        teardown=TEARDOWN if settings.protect else TEARDOWN_UNPROTECTED,
    )
    secret = SecretOutputs(
        lakefs_access_key_id=servers.credentials.lakefs_access_key_id,
        lakefs_secret_access_key=servers.credentials.lakefs_secret_access_key,
        label_studio_password=servers.credentials.label_studio_password,
        label_studio_secret_key=servers.credentials.label_studio_secret_key,
        kubeconfig=servers.cluster.kubeconfig,
    )
    export(public, secret)


def _below(ground: _Ground, prefix: str) -> pulumi.Output[str]:
    """An address in the data bucket, without a slash at its end."""
    return pulumi.Output.concat(ground.buckets.data_url, "/", prefix.rstrip("/"))


if __name__ == "__main__":
    main()
