"""The Ray cluster beside the servers: where its workers run, and how `ops` reaches it.

Owns the workers' node pool of a standard cluster and the addresses. What is in its pods is
k8s/components/ray. Autopilot needs no pool: there a worker's own request makes its node.

Deliberately not managed: a Google service account for the workers. Without one they are nobody to
Google Cloud, and read no bucket; pictures reach them over lakeFS's S3 gateway, with credentials
that come with each piece of work.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.cluster import Cluster, Only, hardened_nodes
from infra.naming import NAMESPACE, Workload
from infra.objects import Object

HEAD = "ray-head"
WORKER = "ray-worker"
"""Deployments of k8s/components/ray."""
ADDRESS = "ray://127.0.0.1:10001"
"""Where `kubectl port-forward service/ray-head 10001` leads: nothing else does."""
LAKEFS_URL = f"http://{Workload.LAKEFS}.{NAMESPACE}.svc.cluster.local:8000"
"""LakeFS, as the workers reach it."""

_POOL = "labeling-ops.dev/pool"
_SPOT = "cloud.google.com/gke-spot"
_RAY = "ray"


@dataclass(frozen=True, slots=True, kw_only=True)
class RayNodesArgs:
    """Nodes for so many workers.

    Attributes:
        count_max: most nodes a zone; a node has room for at least one worker.
        is_spot: whether Google may take one back at any time, for a third of the price.
    """

    region: str
    machine_type: str
    count_max: int
    is_spot: bool
    node_account: pulumi.Input[str]
    labels: Mapping[str, str]


class RayNodes(pulumi.ComponentResource):
    """A node pool that only Ray's workers are put on, and that is empty without them.

    Attributes:
        pool: its resource.
    """

    pool: gcp.container.NodePool

    def __init__(
        self,
        name: str,
        args: RayNodesArgs,
        cluster: Cluster,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the pool."""
        super().__init__("labeling-ops:infra:RayNodes", name, None, opts)
        self.pool = gcp.container.NodePool(
            name,
            gcp.container.NodePoolArgs(
                cluster=cluster.resource.id,
                location=args.region,
                initial_node_count=0,
                autoscaling=gcp.container.NodePoolAutoscalingArgs(
                    min_node_count=0, max_node_count=args.count_max, location_policy="ANY"
                ),
                management=gcp.container.NodePoolManagementArgs(
                    auto_repair=True, auto_upgrade=True
                ),
                node_config=hardened_nodes(
                    args.machine_type,
                    account=args.node_account,
                    labels=args.labels,
                    only=Only(key=_POOL, value=_RAY, is_spot=args.is_spot),
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Its autoscaler owns the count; another initial one would replace the pool.
                ignore_changes=["initialNodeCount", "nodeCount"],
                delete_before_replace=False,
                deleted_with=cluster.resource,
            ),
        )
        self.register_outputs({})


def placement(*, has_pool: bool, is_spot: bool) -> Object:
    """On which nodes a worker may be, as fields of its pod's spec.

    Args:
        has_pool: there is a pool of its own; else it is an Autopilot cluster's own choice.
        is_spot: the nodes are Spot machines.
    """
    if has_pool:
        tolerations: list[Object] = [
            {"key": _POOL, "operator": "Equal", "value": _RAY, "effect": "NoSchedule"}
        ]
        return {"nodeSelector": {_POOL: _RAY}, "tolerations": tolerations}
    return {"nodeSelector": {_SPOT: "true"}} if is_spot else {}
