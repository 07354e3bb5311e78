"""The cluster's component: what the invariants of the whole program do not look into."""

import json
from datetime import timedelta

import pulumi
import pulumi_gcp as gcp
import pytest

from infra.cluster import AUTOPILOT_FILLED, STANDARD_FILLED, WINDOW, Cluster, dns_endpoint
from infra.kubeconfig import kubeconfig
from tests.infra.answers import PROJECT
from tests.infra.parts import LABELS, NODES, POOL, SATURDAY, cluster_args
from tests.infra.recording import Recorded, record_component


def cluster(
    *, standard: bool = False, protect: bool = True, secrets_key: str | None = None
) -> Recorded:
    args = cluster_args(pool=POOL if standard else None, protect=protect, secrets_key=secrets_key)

    def declare() -> None:
        made = Cluster("cluster", args)
        pulumi.export("kubeconfig", made.kubeconfig)
        pulumi.export("name", made.name)
        pulumi.export("nodes", [each.urn for each in made.nodes])

    return record_component(declare)


AUTOPILOT = cluster()
STANDARD = cluster(standard=True)


def test_the_kubeconfig_holds_no_credential_and_asks_the_plugin() -> None:
    assert "kubeconfig" in AUTOPILOT.secret_outputs
    config = json.loads(AUTOPILOT.outputs["kubeconfig"])
    (server,) = config["clusters"]
    (user,) = config["users"]
    assert server["cluster"] == {"server": server["cluster"]["server"]}, "no authority, no bypass"
    assert server["cluster"]["server"].startswith("https://gke-")
    assert server["cluster"]["server"].endswith(".gke.goog")
    assert user["user"].keys() == {"exec"}
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert config["current-context"] == config["contexts"][0]["name"]


def test_a_kubeconfig_names_what_it_uses() -> None:
    config = json.loads(kubeconfig("one", "example.gke.goog"))
    context = config["contexts"][0]["context"]
    assert context == {"cluster": config["clusters"][0]["name"], "user": config["users"][0]["name"]}


def test_a_cluster_without_a_dns_endpoint_is_told_of_and_not_guessed() -> None:
    nothing = gcp.container.outputs.ClusterControlPlaneEndpointsConfig()
    with pytest.raises(pulumi.RunError, match="no DNS endpoint"):
        dns_endpoint(nothing)


def test_another_cluster_of_the_same_name_is_another_one_to_kubernetes_resources() -> None:
    (provider,) = AUTOPILOT.of("pulumi:providers:kubernetes")
    server = json.loads(AUTOPILOT.outputs["kubeconfig"])["clusters"][0]["cluster"]["server"]
    assert server == f"https://{provider.inputs['clusterIdentifier']}"


def test_a_changed_config_map_is_changed_in_place() -> None:
    (provider,) = AUTOPILOT.of("pulumi:providers:kubernetes")
    for key in ("enableConfigMapMutable", "enableSecretMutable"):
        assert provider.inputs[key] in {True, "true"}, key


def test_the_window_leaves_as_much_time_as_gke_asks_for() -> None:
    declared = AUTOPILOT.one("container/cluster:Cluster")
    assert declared.at("maintenancePolicy.recurringWindow.endTime") == "2026-01-03T08:00:00Z"
    # Of any 32 days in a row, however they begin.
    for begin in range(7):
        days = (SATURDAY + timedelta(days=begin + offset) for offset in range(32))
        weekend = sum(day.weekday() >= 5 for day in days)
        assert weekend * WINDOW >= timedelta(hours=48)


def test_autopilot_nodes_run_as_their_own_account() -> None:
    defaults = AUTOPILOT.one("container/cluster:Cluster").table_at(
        "clusterAutoscaling.autoProvisioningDefaults"
    )
    assert defaults["serviceAccount"] == NODES


def test_what_google_fills_in_is_left_to_it() -> None:
    autopilot = AUTOPILOT.one("container/cluster:Cluster")
    standard = STANDARD.one("container/cluster:Cluster")
    assert autopilot.ignore_changes == AUTOPILOT_FILLED
    assert standard.ignore_changes == STANDARD_FILLED
    assert STANDARD.one("NodePool").ignore_changes == ("initialNodeCount", "nodeCount")


def test_a_standard_cluster_has_hardened_nodes_of_its_own() -> None:
    declared = STANDARD.one("container/cluster:Cluster")
    assert declared.at("removeDefaultNodePool") is True
    assert declared.at("enableAutopilot") is None
    assert declared.at("workloadIdentityConfig.workloadPool") == f"{PROJECT}.svc.id.goog"
    assert declared.at("datapathProvider") == "ADVANCED_DATAPATH"
    pool = STANDARD.one("NodePool")
    for nodes in (pool.table_at("nodeConfig"), declared.table_at("nodeConfig")):
        assert nodes["serviceAccount"] == NODES
        assert nodes["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert nodes["shieldedInstanceConfig"] == {
            "enableIntegrityMonitoring": True,
            "enableSecureBoot": True,
        }
    assert pool.at("nodeConfig.machineType") == "e2-standard-4"
    assert pool.at("nodeConfig.resourceLabels") == LABELS
    assert pool.at("autoscaling.maxNodeCount") == 3
    assert pool.table_at("management") == {"autoRepair": True, "autoUpgrade": True}
    assert pool.at("upgradeSettings.maxUnavailable") == 0
    assert STANDARD.outputs["nodes"] == [pool.urn]


def test_pods_wait_for_nodes() -> None:
    (provider,) = STANDARD.of("pulumi:providers:kubernetes")
    assert STANDARD.one("NodePool").urn in provider.depends_on


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_pulumi_s_and_google_s_at_once(protect: bool) -> None:
    declared = cluster(protect=protect).one("container/cluster:Cluster")
    assert (declared.protect, declared.at("deletionProtection")) == (protect, protect)


def test_secrets_of_kubernetes_are_encrypted_by_the_customer_s_key_if_there_is_one() -> None:
    key = "projects/acme/locations/europe-west1/keyRings/r/cryptoKeys/k"
    declared = cluster(secrets_key=key).one("container/cluster:Cluster")
    assert declared.at("databaseEncryption") == {"keyName": key, "state": "ENCRYPTED"}
    assert AUTOPILOT.one("container/cluster:Cluster").at("databaseEncryption") is None
