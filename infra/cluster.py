"""The GKE cluster, and how programs reach it.

Owns the cluster, the node pool of a standard one and the one Kubernetes provider. The control plane
answers at its DNS endpoint alone, to whoever IAM lets in: no address of it is open, and no bastion
is needed. Does not own the nodes' service account (infra/identity.py) nor what runs in the pods.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra.kubeconfig import kubeconfig
from infra.naming import PODS_RANGE, SERVICES_RANGE

WINDOW = timedelta(hours=6)
# GKE refuses a window that leaves less than 48 hours in any 32 days: 32 days hold eight days of
# weekends at least, six hours each.
RECURRENCE = "FREQ=WEEKLY;BYDAY=SA,SU"

# What Google fills in by itself. Compared with a program that says nothing of it, each shows a
# change at every update, and some replace the cluster (pulumi-gcp issues 2247 and 1170).
AUTOPILOT_FILLED = ("nodeConfig", "nodePools", "dnsConfig", "verticalPodAutoscaling")
# The default pool is removed at once; a change of its node_config would replace the cluster
# (pulumi-gcp issues 744 and 88).
STANDARD_FILLED = ("nodeConfig", "nodePools", "initialNodeCount")

_CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePoolArgs:
    """The node pool of a standard cluster.

    Attributes:
        machine_type: as `e2-standard-4`.
        count_max: most nodes in each zone of the region.
    """

    machine_type: str
    count_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made of.

    Attributes:
        cluster_name: its name in the project and region.
        subnetwork: self link; its secondary ranges are those of infra/naming.py.
        node_account: e-mail of the nodes' own service account.
        node_pool: None for Autopilot, where nodes are Google's business.
        maintenance_begin: first window's start, UTC, on a Saturday or Sunday.
        protect: whether Pulumi and the provider refuse to delete it.
        secrets_key: Cloud KMS key for Kubernetes Secrets; None for Google's own encryption alone.
    """

    project: str
    region: str
    cluster_name: str
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    node_account: pulumi.Input[str]
    release_channel: str
    maintenance_begin: datetime
    protect: bool
    labels: Mapping[str, str]
    node_pool: NodePoolArgs | None = None
    secrets_key: pulumi.Input[str] | None = None


class Cluster(pulumi.ComponentResource):
    """A private regional cluster, and the provider all Kubernetes resources are declared with.

    Attributes:
        resource: the cluster itself, for `deleted_with`.
        name: its name.
        location: its region.
        kubeconfig: secret; needs gke-gcloud-auth-plugin on PATH, and holds no credential.
        provider: applies server side; counts what a vanished cluster held as deleted.
        nodes: what pods can only run after; empty for Autopilot.
    """

    resource: gcp.container.Cluster
    name: pulumi.Output[str]
    location: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    provider: kubernetes.Provider
    nodes: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the cluster."""
        super().__init__("labeling-ops:infra:Cluster", name, None, opts)
        self.resource = self._cluster(name, args)
        self.nodes = () if args.node_pool is None else (self._pool(name, args, args.node_pool),)
        self.name = self.resource.name
        self.location = self.resource.location
        endpoint = self.resource.control_plane_endpoints_config.apply(dns_endpoint)
        self.kubeconfig = pulumi.Output.secret(
            pulumi.Output.all(self.name, endpoint).apply(lambda known: kubeconfig(*known))
        )
        # Without an identifier a changed kubeconfig would replace the provider, and with it every
        # Kubernetes resource. The endpoint holds the cluster's unique id: a replaced cluster of the
        # same name is another one.
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=self.kubeconfig,
            cluster_identifier=endpoint,
            enable_server_side_apply=True,
            # Else a changed one is deleted and made again, and pods that start between find none.
            # Workloads are rolled by a digest of what they read (infra/workloads.py).
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
            delete_unreachable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.resource, *self.nodes]),
        )
        self.register_outputs({"name": self.name, "location": self.location})

    def _cluster(self, name: str, args: ClusterArgs) -> gcp.container.Cluster:
        is_autopilot = args.node_pool is None
        return gcp.container.Cluster(
            name,
            gcp.container.ClusterArgs(
                name=args.cluster_name,
                location=args.region,
                network=args.network,
                subnetwork=args.subnetwork,
                deletion_protection=args.protect,
                resource_labels=args.labels,
                release_channel=gcp.container.ClusterReleaseChannelArgs(
                    channel=args.release_channel
                ),
                maintenance_policy=_maintenance(args.maintenance_begin),
                ip_allocation_policy=gcp.container.ClusterIpAllocationPolicyArgs(
                    cluster_secondary_range_name=PODS_RANGE,
                    services_secondary_range_name=SERVICES_RANGE,
                ),
                private_cluster_config=gcp.container.ClusterPrivateClusterConfigArgs(
                    enable_private_nodes=True
                ),
                control_plane_endpoints_config=_endpoints(),
                database_encryption=_encryption(args.secrets_key),
                gateway_api_config=gcp.container.ClusterGatewayApiConfigArgs(
                    channel="CHANNEL_STANDARD"
                ),
                cost_management_config=gcp.container.ClusterCostManagementConfigArgs(enabled=True),
                enable_autopilot=True if is_autopilot else None,
                cluster_autoscaling=_autopilot_nodes(args) if is_autopilot else None,
                # The rest is Autopilot's own choice, and refused beside it.
                remove_default_node_pool=None if is_autopilot else True,
                initial_node_count=None if is_autopilot else 1,
                node_config=None if is_autopilot else _default_pool_nodes(args.node_account),
                enable_shielded_nodes=None if is_autopilot else True,
                # Dataplane V2 is what enforces NetworkPolicies here.
                datapath_provider=None if is_autopilot else "ADVANCED_DATAPATH",
                workload_identity_config=None if is_autopilot else _workload_identity(args.project),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                ignore_changes=list(AUTOPILOT_FILLED if is_autopilot else STANDARD_FILLED),
            ),
        )

    def _pool(self, name: str, args: ClusterArgs, pool: NodePoolArgs) -> gcp.container.NodePool:
        return gcp.container.NodePool(
            name,
            gcp.container.NodePoolArgs(
                cluster=self.resource.id,
                location=args.region,
                initial_node_count=1,
                autoscaling=gcp.container.NodePoolAutoscalingArgs(
                    min_node_count=0, max_node_count=pool.count_max, location_policy="BALANCED"
                ),
                management=gcp.container.NodePoolManagementArgs(
                    auto_repair=True, auto_upgrade=True
                ),
                upgrade_settings=gcp.container.NodePoolUpgradeSettingsArgs(
                    max_surge=1, max_unavailable=0
                ),
                node_config=hardened_nodes(
                    pool.machine_type, account=args.node_account, labels=args.labels
                ),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Its autoscaler owns the count; another initial one would replace the pool.
                ignore_changes=["initialNodeCount", "nodeCount"],
                # A new pool stands before the old one goes, so that pods have somewhere to move
                # to. Its name is Pulumi's for that reason.
                delete_before_replace=False,
                deleted_with=self.resource,
            ),
        )


def dns_endpoint(config: gcp.container.outputs.ClusterControlPlaneEndpointsConfig) -> str:
    """The name at which the control plane answers.

    Raises:
        RunError: the cluster has none, so that nothing could reach it.
    """
    dns = config.dns_endpoint_config
    if dns is None or not dns.endpoint:
        raise pulumi.RunError(
            "the cluster reports no DNS endpoint, by which alone it is reached; "
            "run pulumi refresh, and see that its controlPlaneEndpointsConfig allows one"
        )
    return dns.endpoint


def _endpoints() -> gcp.container.ClusterControlPlaneEndpointsConfigArgs:
    return gcp.container.ClusterControlPlaneEndpointsConfigArgs(
        dns_endpoint_config=gcp.container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
            # From outside the VPC, too; every request still needs container.clusters.connect.
            allow_external_traffic=True
        ),
        ip_endpoints_config=gcp.container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(
            enabled=False
        ),
    )


def _maintenance(begin: datetime) -> gcp.container.ClusterMaintenancePolicyArgs:
    return gcp.container.ClusterMaintenancePolicyArgs(
        recurring_window=gcp.container.ClusterMaintenancePolicyRecurringWindowArgs(
            start_time=_zulu(begin), end_time=_zulu(begin + WINDOW), recurrence=RECURRENCE
        )
    )


def _zulu(moment: datetime) -> str:
    # GKE takes other formats, too, and answers in this one: a difference for ever.
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _encryption(
    key: pulumi.Input[str] | None,
) -> gcp.container.ClusterDatabaseEncryptionArgs | None:
    if key is None:
        return None
    return gcp.container.ClusterDatabaseEncryptionArgs(state="ENCRYPTED", key_name=key)


def _workload_identity(project: str) -> gcp.container.ClusterWorkloadIdentityConfigArgs:
    return gcp.container.ClusterWorkloadIdentityConfigArgs(workload_pool=f"{project}.svc.id.goog")


def _autopilot_nodes(args: ClusterArgs) -> gcp.container.ClusterClusterAutoscalingArgs:
    """Autopilot's nodes with an account of their own: node_config would replace the cluster."""
    return gcp.container.ClusterClusterAutoscalingArgs(
        auto_provisioning_defaults=gcp.container.ClusterClusterAutoscalingAutoProvisioningDefaultsArgs(
            service_account=args.node_account, oauth_scopes=[_CLOUD_PLATFORM]
        )
    )


def _default_pool_nodes(account: pulumi.Input[str]) -> gcp.container.ClusterNodeConfigArgs:
    """The pool that lives for minutes, or it would run as the project's all-powerful account."""
    return gcp.container.ClusterNodeConfigArgs(
        service_account=account,
        oauth_scopes=[_CLOUD_PLATFORM],
        shielded_instance_config=gcp.container.ClusterNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        workload_metadata_config=gcp.container.ClusterNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Which pods alone are put on a pool's nodes: those that ask for the label and bear the taint.

    Attributes:
        key, value: of label and taint.
        is_spot: whether Google may take such a node back at any time.
    """

    key: str
    value: str
    is_spot: bool


def hardened_nodes(
    machine_type: str,
    *,
    account: pulumi.Input[str],
    labels: Mapping[str, str],
    only: Only | None = None,
) -> gcp.container.NodePoolNodeConfigArgs:
    """What the nodes of any pool are: a pool of one's own differs in size and in who is let on.

    Args:
        machine_type: of each.
        account: e-mail of the service account they write logs as.
        labels: for bills.
        only: for what they are; None for everything.
    """
    taint = gcp.container.NodePoolNodeConfigTaintArgs
    return gcp.container.NodePoolNodeConfigArgs(
        machine_type=machine_type,
        image_type="COS_CONTAINERD",
        service_account=account,
        oauth_scopes=[_CLOUD_PLATFORM],
        metadata={"disable-legacy-endpoints": "true"},
        resource_labels=labels,
        spot=only.is_spot if only else None,
        labels={only.key: only.value} if only else None,
        taints=[taint(key=only.key, value=only.value, effect="NO_SCHEDULE")] if only else None,
        shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        # Pods ask the metadata server of GKE, which knows Workload Identity, and not the node's.
        workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
            mode="GKE_METADATA"
        ),
    )
