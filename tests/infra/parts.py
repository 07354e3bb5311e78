"""Parts of the program, recorded by themselves: what a test changes is an argument."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pulumi

from infra.cluster import Cluster, ClusterArgs, NodePoolArgs
from infra.naming import NAMESPACE
from infra.workloads import Data, Workloads, WorkloadsArgs
from tests.infra.answers import PROJECT, REGION
from tests.infra.recording import Recorded, record_component

SATURDAY = datetime(2026, 1, 3, 2, tzinfo=UTC)
LABELS = {"app": "labeling-ops", "stack": "dev"}
POOL = NodePoolArgs(machine_type="e2-standard-4", count_max=3)
NODES = f"labeling-nodes-dev@{PROJECT}.iam.gserviceaccount.com"


def cluster_args(
    *, pool: NodePoolArgs | None = None, protect: bool = True, secrets_key: str | None = None
) -> ClusterArgs:
    """Arguments of a cluster."""
    return ClusterArgs(
        project=PROJECT,
        region=REGION,
        cluster_name="labeling-cluster-dev",
        network="network",
        subnetwork="subnetwork",
        node_account=NODES,
        node_pool=pool,
        release_channel="REGULAR",
        maintenance_begin=SATURDAY,
        protect=protect,
        labels=LABELS,
        secrets_key=secrets_key,
    )


def with_cluster(
    declare: Callable[[Cluster], object],
    *,
    pool: NodePoolArgs | None = None,
    preview: bool = False,
) -> Recorded:
    """What `declare` declares beside an Autopilot cluster."""
    return record_component(
        lambda: declare(Cluster("cluster", cluster_args(pool=pool))), preview=preview
    )


def workloads(
    objects: Sequence[Mapping[str, Any]],
    *,
    replicas: Mapping[str, int] | None = None,
    accounts: Mapping[str, str] | None = None,
    config_maps: Mapping[str, Data] | None = None,
    secrets: Mapping[str, Data] | None = None,
    protect: bool = True,
) -> Recorded:
    """What is declared for some Kubernetes objects."""

    def declare(cluster: Cluster) -> None:
        args = WorkloadsArgs(
            objects=objects,
            namespace=NAMESPACE,
            cluster=cluster,
            replicas=replicas or {},
            accounts=accounts or {},
            config_maps=config_maps or {},
            secrets=secrets or {},
            backup_days=14,
            ready=[cluster.resource],
            protect=protect,
        )
        made = Workloads("workloads", args)
        pulumi.export("running", [each.urn for each in made.running])

    return with_cluster(declare)
