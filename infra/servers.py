"""What runs, as the settings want it: cluster, database, credentials, workloads.

Composition only, as infra/__main__.py: what each is made of is in its own module.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra import configuration, manifests, ray, training
from infra.cluster import Cluster, ClusterArgs, NodePoolArgs
from infra.config import ClusterMode, Database, Settings
from infra.credentials import Credentials, CredentialsArgs
from infra.database import CloudSql, CloudSqlArgs, Encryption
from infra.ground import Ground
from infra.naming import LAKEFS_PREFIX, NAMESPACE, Names, Workload
from infra.objects import Object
from infra.ordering import after
from infra.workloads import Workloads, WorkloadsArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What runs.

    Attributes:
        cloud_sql: None where PostgreSQL runs in the cluster.
    """

    cluster: Cluster
    credentials: Credentials
    cloud_sql: CloudSql | None
    workloads: Workloads

    @property
    def pods(self) -> Sequence[pulumi.Resource]:
        """What a way in waits for."""
        return [self.workloads.namespace, *self.workloads.running]


def started(settings: Settings, names: Names, ground: Ground) -> Servers:
    """Declare what runs."""
    cluster = _cluster(settings, names, ground)
    secrets = CredentialsArgs(protect=settings.protect, with_ray=settings.ray_workers > 0)
    credentials = Credentials("credentials", secrets)
    ray_nodes = None
    if settings.ray_workers and settings.cluster_mode is ClusterMode.STANDARD:
        ray_nodes = _ray_nodes(settings, names, ground, cluster)
    cloud_sql = None
    if settings.database is Database.CLOUD_SQL:
        cloud_sql = _cloud_sql(settings, names, ground, credentials)
    return Servers(
        cluster=cluster,
        credentials=credentials,
        cloud_sql=cloud_sql,
        workloads=_workloads(
            settings,
            ground,
            cluster=cluster,
            credentials=credentials,
            cloud_sql=cloud_sql,
            ray_nodes=ray_nodes,
        ),
    )


def _cluster(settings: Settings, names: Names, ground: Ground) -> Cluster:
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


def _ray_nodes(settings: Settings, names: Names, ground: Ground, cluster: Cluster) -> ray.RayNodes:
    args = ray.RayNodesArgs(
        region=settings.region,
        machine_type=settings.ray_machine_type,
        count_max=settings.ray_workers,
        is_spot=settings.ray_spot,
        node_account=ground.nodes.email,
        labels=names.labels,
    )
    return ray.RayNodes("ray", args, cluster)


def _cloud_sql(
    settings: Settings, names: Names, ground: Ground, credentials: Credentials
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
    ground: Ground,
    *,
    cluster: Cluster,
    credentials: Credentials,
    cloud_sql: CloudSql | None,
    ray_nodes: ray.RayNodes | None,
) -> Workloads:
    server = configuration.IN_CLUSTER
    if cloud_sql is not None:
        server = configuration.DatabaseServer(host=cloud_sql.host, encryption=Encryption.REQUIRED)
    lakefs_yaml = configuration.lakefs_yaml(
        ground.address(LAKEFS_PREFIX),
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
        objects=manifests.load(
            ("dev" if cloud_sql is None else "prod") + ("-ray" if settings.ray_workers else "")
        ),
        namespace=NAMESPACE,
        cluster=cluster,
        replicas={
            Workload.LAKEFS: settings.lakefs_replicas,
            Workload.LABEL_STUDIO: settings.label_studio_replicas,
            **({ray.WORKER: settings.ray_workers} if settings.ray_workers else {}),
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
        backup_days=settings.backup_days,
        ready=[
            ground.network.exits,
            *ground.lakefs.ready,
            *ground.label_studio.ready,
            *([] if cloud_sql is None else cloud_sql.ready),
            *([] if ray_nodes is None else [ray_nodes.pool]),
        ],
        protect=settings.protect,
        placements=_placements(settings),
    )
    return Workloads("workloads", args)


def _placements(settings: Settings) -> Mapping[str, Object]:
    if not settings.ray_workers:
        return {}
    has_pool = settings.cluster_mode is ClusterMode.STANDARD
    return {ray.WORKER: ray.placement(has_pool=has_pool, is_spot=settings.ray_spot)}
