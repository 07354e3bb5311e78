"""The cluster: private nodes, known upgrades, and nothing set that makes Google replace it."""

import json
from collections.abc import Iterator

from tests.infra.invariants.rule import called, invariant, is_set, setting, unlike
from tests.infra.recording import Recorded

# Autopilot implies or refuses these; said anyway, each shows a change at every update.
_NOT_WITH_AUTOPILOT = (
    "removeDefaultNodePool",
    "nodeConfig",
    "networkPolicy",
    "workloadIdentityConfig",
    "initialNodeCount",
)


@invariant
def nodes_are_private(recorded: Recorded) -> Iterator[str]:
    """No node has a public address."""
    yield from unlike(
        recorded.one("container/cluster:Cluster"), {"privateClusterConfig.enablePrivateNodes": True}
    )


@invariant
def the_control_plane_has_no_open_address(recorded: Recorded) -> Iterator[str]:
    """It answers by name to whoever IAM lets in."""
    expected = {
        "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic": True,
        "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled": False,
    }
    yield from unlike(recorded.one("container/cluster:Cluster"), expected)


@invariant
def the_cluster_is_deleted_only_when_asked_twice(recorded: Recorded) -> Iterator[str]:
    """Google's own lock follows `protect`, or the teardown stops at it."""
    yield from unlike(
        recorded.one("container/cluster:Cluster"),
        {"deletionProtection": is_set(recorded, "protect")},
    )


@invariant
def upgrades_come_from_a_channel_in_a_window(recorded: Recorded) -> Iterator[str]:
    """The one asked for, on weekends."""
    cluster = recorded.one("container/cluster:Cluster")
    start = setting(recorded, "maintenanceStart")
    expected = {
        "releaseChannel.channel": setting(recorded, "releaseChannel"),
        "maintenancePolicy.recurringWindow.startTime": start,
        "maintenancePolicy.recurringWindow.recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
    }
    yield from unlike(cluster, expected)


@invariant
def the_cluster_stands_in_its_own_ranges(recorded: Recorded) -> Iterator[str]:
    """Pods and services in the subnet's ranges, by name."""
    names = [each["rangeName"] for each in recorded.one("Subnetwork").list_at("secondaryIpRanges")]
    allocation = recorded.one("container/cluster:Cluster").table_at("ipAllocationPolicy")
    used = [
        allocation.get("clusterSecondaryRangeName"),
        allocation.get("servicesSecondaryRangeName"),
    ]
    if sorted(names) != sorted(map(str, used)):
        yield f"the subnet has {names}, and the cluster uses {used}"


@invariant
def autopilot_is_left_alone(recorded: Recorded) -> Iterator[str]:
    """Complaint 1: node settings of an Autopilot cluster replace it or differ for ever."""
    cluster = recorded.one("container/cluster:Cluster")
    if setting(recorded, "clusterMode") != "autopilot":
        return
    yield from unlike(cluster, {"enableAutopilot": True})
    yield from (f"{key} is set" for key in _NOT_WITH_AUTOPILOT if cluster.at(key) is not None)
    if recorded.of("NodePool"):
        yield "there is a node pool"


@invariant
def what_google_fills_in_shows_no_change(recorded: Recorded) -> Iterator[str]:
    """Complaints 1 and 2: a field Google fills in by itself must not replace the cluster."""
    cluster = recorded.one("container/cluster:Cluster")
    if "nodeConfig" not in cluster.ignore_changes:
        yield "a change of nodeConfig would replace the cluster"


@invariant
def a_standard_cluster_has_a_pool_of_its_own(recorded: Recorded) -> Iterator[str]:
    """The default pool is removed: a change of it would replace the cluster."""
    if setting(recorded, "clusterMode") != "standard":
        return
    expected = {"removeDefaultNodePool": True, "datapathProvider": "ADVANCED_DATAPATH"}
    yield from unlike(recorded.one("container/cluster:Cluster"), expected)
    pool = {
        "nodeConfig.workloadMetadataConfig.mode": "GKE_METADATA",
        "nodeConfig.shieldedInstanceConfig.enableSecureBoot": True,
        "management.autoUpgrade": True,
        "management.autoRepair": True,
        "nodeConfig.machineType": setting(recorded, "nodeMachineType"),
        "autoscaling.maxNodeCount": int(setting(recorded, "nodeCountMax")),
    }
    yield from unlike(recorded.one("NodePool", "cluster"), pool)


@invariant
def nodes_have_an_account_of_their_own(recorded: Recorded) -> Iterator[str]:
    """The default one is an editor of the whole project in many organizations."""
    cluster = recorded.one("container/cluster:Cluster")
    accounts = {
        str(account.at("accountId")): f"{account.at('accountId')}@"
        for account in recorded.of("serviceaccount/account:Account")
    }
    nodes = next(prefix for name, prefix in accounts.items() if "nodes" in name)
    told = [
        cluster.at("clusterAutoscaling.autoProvisioningDefaults.serviceAccount")
        or cluster.at("nodeConfig.serviceAccount"),
        *(pool.at("nodeConfig.serviceAccount") for pool in recorded.of("NodePool")),
    ]
    for account in told:
        if not str(account).startswith(nodes):
            yield f"nodes run as {account}"


@invariant
def the_kubeconfig_holds_no_credential(recorded: Recorded) -> Iterator[str]:
    """Complaint 4: a plugin is asked for a token; the file says where to get the plugin."""
    config = json.loads(recorded.outputs["kubeconfig"])
    for user in config["users"]:
        if [*user["user"]] != ["exec"]:
            yield f"it has {sorted(user['user'])}"
        elif user["user"]["exec"]["command"] != "gke-gcloud-auth-plugin":
            yield "it asks another program"
        elif not user["user"]["exec"].get("installHint"):
            yield "it does not say where the plugin comes from"


@invariant
def nodes_are_labelled_and_costs_are_told_apart(recorded: Recorded) -> Iterator[str]:
    """Bills by namespace and label."""
    cluster = recorded.one("container/cluster:Cluster")
    if not cluster.at("costManagementConfig.enabled"):
        yield f"{called(cluster)}: costs are not told apart"
