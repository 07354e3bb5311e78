"""What the foundation declares: APIs, network, buckets, identities, the optional key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.config import Database, Settings
from infra.encryption import Encryption, EncryptionArgs
from infra.identity import (
    BucketRole,
    NodeIdentity,
    NodeIdentityArgs,
    WorkloadIdentity,
    WorkloadIdentityArgs,
    label_studio_roles,
    lakefs_roles,
)
from infra.naming import IMAGES_PREFIX, LAKEFS_PREFIX
from infra.network import (
    NODES_CIDR,
    PODS_CIDR,
    SERVICES_CIDR,
    Network,
    NetworkArgs,
)
from infra.services import ALWAYS, Services, ServicesArgs, needed
from infra.storage import DataBuckets, DataBucketsArgs, origins
from ops.stack.use import FORWARDED_PORTS, Service
from tests.infra.answers import PROJECT, REGION, STORAGE_AGENT
from tests.infra.recording import Recorded, Resource, record_component

ONE_OF_EACH = Settings(
    project=PROJECT,
    region=REGION,
    stack="prod",
    admin_email="ann@example.org",
    domain="labeling.example.org",
    dns_zone="example-org",
    iap_members=("user:ann@example.org",),
    customer_managed_keys=True,
    billing_account="012345-6789AB-CDEF01",
    monthly_budget=100,
)


def services(apis: Sequence[str]) -> Recorded:
    args = ServicesArgs(project=PROJECT, apis=apis)
    return record_component(lambda: Services("services", args))


def network(*, private_services: bool = True) -> Recorded:
    args = NetworkArgs(
        project=PROJECT,
        region=REGION,
        network_name="labeling-network-dev",
        subnetwork_name="labeling-subnetwork-dev",
        router_name="labeling-router-dev",
        nat_name="labeling-nat-dev",
        peering_name="labeling-peering-dev",
        private_services=private_services,
    )

    def declare() -> None:
        made = Network("network", args)
        pulumi.export("network", made.network_self_link)
        pulumi.export("subnetwork", made.subnetwork_self_link)
        pulumi.export("ranges", [made.pods_range, made.services_range])
        pulumi.export("hasPeering", made.peering is not None)

    return record_component(declare)


def buckets(
    *, protect: bool = True, key: str | None = None, domain: str = "", soft_delete_days: int = 14
) -> Recorded:
    args = DataBucketsArgs(
        project=PROJECT,
        data_name="acme-labels-labeling-data-dev",
        media_name="acme-labels-labeling-media-dev",
        location="EUROPE-WEST1",
        soft_delete_days=soft_delete_days,
        origins=origins(domain),
        protect=protect,
        labels={"app": "labeling-ops", "stack": "dev"},
        encryption_key=key,
    )

    def declare() -> None:
        made = DataBuckets("buckets", args)
        pulumi.export("data", made.data_name)
        pulumi.export("url", made.data_url)
        pulumi.export("media", made.media_name)

    return record_component(declare)


def identity(*, can_sign: bool, roles: Sequence[BucketRole] = ()) -> Recorded:
    args = WorkloadIdentityArgs(
        account_id="lakefs-dev",
        project=PROJECT,
        namespace="labeling-ops",
        service_account="lakefs",
        display_name="lakeFS of stack dev",
        can_sign=can_sign,
        roles=roles,
    )

    def declare() -> None:
        made = WorkloadIdentity("lakefs", args)
        pulumi.export("email", made.email)
        pulumi.export("member", made.member)

    return record_component(declare)


def encryption(*, protect: bool = True, preview: bool = False) -> Recorded:
    args = EncryptionArgs(project=PROJECT, location=REGION, protect=protect, labels={"stack": "x"})

    def declare() -> None:
        pulumi.export("key", Encryption("encryption", args).key_id)

    return record_component(declare, preview=preview)


ALL = (
    services(ALWAYS),
    network(),
    buckets(),
    identity(can_sign=True, roles=lakefs_roles("data", ["pictures"])),
    encryption(),
)


@pytest.mark.parametrize("recorded", ALL, ids=["services", "network", "buckets", "who", "key"])
def test_every_child_has_the_component_for_a_parent_and_outputs_are_registered(
    recorded: Recorded,
) -> None:
    components = [each for each in recorded.resources if not each.custom]
    assert [each.urn for each in components] == sorted(recorded.parents_finished - _stack(recorded))
    assert all(
        each.parent in {component.urn for component in components}
        for each in recorded.resources
        if each.custom
    )


def test_types_of_components_are_for_good() -> None:
    """They are part of every URN below them: another one would be another bucket."""
    types = {each.type for recorded in ALL for each in recorded.resources if not each.custom}
    parts = ("DataBuckets", "Encryption", "Network", "Services", "WorkloadIdentity")
    assert types == {f"labeling-ops:infra:{part}" for part in parts}


def _stack(recorded: Recorded) -> set[str]:
    return {urn for urn in recorded.parents_finished if "pulumi:pulumi:Stack" in urn}


def test_an_api_is_never_disabled() -> None:
    declared = services(("container", "storage")).of("Service")
    assert {each.at("service") for each in declared} == {
        "container.googleapis.com",
        "storage.googleapis.com",
    }
    assert all(each.at("disableOnDestroy") is False for each in declared)
    assert all(each.at("disableDependentServices") is False for each in declared)
    assert all(each.at("project") == PROJECT for each in declared)


def test_every_stack_has_the_apis_its_parts_call() -> None:
    assert set(ALWAYS) == {
        "artifactregistry",
        "cloudresourcemanager",
        "compute",
        "container",
        "iam",
        "iamcredentials",
        "logging",
        "monitoring",
        "secretmanager",
        "servicenetworking",
        "serviceusage",
        "sqladmin",
        "storage",
    }


def test_every_api_is_one_google_publishes() -> None:
    documents = Path(str(files("googleapiclient") / "discovery_cache" / "documents"))
    for api in needed(ONE_OF_EACH):
        address = f'"rootUrl": "https://{api}.googleapis.com/"'
        published = documents.glob(f"{api}.v*.json")
        assert any(address in each.read_text() for each in published), api


def test_each_choice_enables_the_api_it_needs() -> None:
    plain = Settings(
        project=PROJECT,
        region=REGION,
        stack="dev",
        database=Database.IN_CLUSTER,
        training_access=False,
    )
    assert set(needed(plain)) == set(ALWAYS)
    assert set(needed(replace(plain, training_access=True))) - set(ALWAYS) == {"dns"}
    assert set(needed(ONE_OF_EACH)) - set(ALWAYS) == {
        "billingbudgets",
        "certificatemanager",
        "cloudkms",
        "dns",
        "iap",
    }


def test_what_waits_for_the_apis_is_declared_after_all_of_them() -> None:
    def declare() -> None:
        apis = Services("services", ServicesArgs(project=PROJECT, apis=("compute", "storage")))
        options = pulumi.ResourceOptions(depends_on=list(apis.enabled))
        NodeIdentity("nodes", NodeIdentityArgs(account_id="nodes-dev", project=PROJECT), options)

    recorded = record_component(declare)
    component = recorded.one("labeling-ops:infra:NodeIdentity")
    assert component.depends_on == {each.urn for each in recorded.of("Service")}


def test_the_network_is_its_own_and_private() -> None:
    recorded = network()
    assert recorded.one("compute/network:Network").at("autoCreateSubnetworks") is False
    subnetwork = recorded.one("Subnetwork")
    assert subnetwork.at("privateIpGoogleAccess") is True
    assert subnetwork.at("logConfig.flowSampling") > 0
    assert subnetwork.at("ipCidrRange") == NODES_CIDR
    assert subnetwork.at("secondaryIpRanges") == [
        {"rangeName": "pods", "ipCidrRange": PODS_CIDR},
        {"rangeName": "services", "ipCidrRange": SERVICES_CIDR},
    ]
    assert recorded.outputs["ranges"] == ["pods", "services"]


def test_the_networks_ranges_overlap_neither_each_other_nor_what_it_may_be_peered_with() -> None:
    from ipaddress import ip_network

    ours = [ip_network(each) for each in (NODES_CIDR, PODS_CIDR, SERVICES_CIDR)]
    others = [ip_network(each) for each in ("10.128.0.0/9", "172.17.0.0/16")]
    for at, one in enumerate(ours):
        assert not any(one.overlaps(other) for other in [*ours[at + 1 :], *others])


def test_the_way_out_is_nat_for_all_ranges_with_a_log() -> None:
    recorded = network()
    nat = recorded.one("RouterNat")
    assert nat.at("sourceSubnetworkIpRangesToNat") == "ALL_SUBNETWORKS_ALL_IP_RANGES"
    assert nat.at("logConfig") == {"enable": True, "filter": "ERRORS_ONLY"}
    assert nat.at("router") == recorded.one("Router").at("name")
    # Google refuses the two together.
    assert (nat.at("enableDynamicPortAllocation"), nat.at("enableEndpointIndependentMapping")) == (
        True,
        False,
    )


def test_private_services_are_peered_and_the_peering_is_left_to_the_networks_deletion() -> None:
    recorded = network()
    address = recorded.one("GlobalAddress")
    assert (address.at("purpose"), address.at("addressType")) == ("VPC_PEERING", "INTERNAL")
    connection = recorded.one("servicenetworking/connection:Connection")
    assert connection.at("reservedPeeringRanges") == [address.at("name")]
    assert connection.at("deletionPolicy") == "ABANDON"
    assert recorded.outputs["hasPeering"] is True


def test_without_private_services_there_is_no_peering() -> None:
    recorded = network(private_services=False)
    assert not recorded.of("GlobalAddress")
    assert not recorded.of("servicenetworking/connection:Connection")
    assert recorded.outputs["hasPeering"] is False


def test_buckets_are_private_and_their_objects_can_be_brought_back() -> None:
    declared = buckets(soft_delete_days=30).of("Bucket")
    assert len(declared) == 2
    for bucket in declared:
        assert bucket.at("uniformBucketLevelAccess") is True
        assert bucket.at("publicAccessPrevention") == "enforced"
        assert bucket.at("versioning") == {"enabled": True}
        assert bucket.at("softDeletePolicy.retentionDurationSeconds") == 30 * 86_400
        assert bucket.at("location") == "EUROPE-WEST1"


def test_protected_buckets_survive_every_way_to_delete_them() -> None:
    for bucket in buckets(protect=True).of("Bucket"):
        assert bucket.protect
        assert bucket.retain_on_delete
        assert bucket.at("forceDestroy") is False
        assert bucket.at("deletionPolicy") == "PREVENT"


def test_unprotected_buckets_go_with_one_destroy() -> None:
    for bucket in buckets(protect=False).of("Bucket"):
        assert not bucket.protect
        assert not bucket.retain_on_delete
        assert bucket.at("forceDestroy") is True
        assert bucket.at("deletionPolicy") == "DELETE"


def rules_of(bucket: Resource) -> Sequence[Mapping[str, Any]]:
    found = bucket.at("lifecycleRules")
    assert found
    return found


def test_no_lifecycle_rule_can_touch_the_namespace_of_lakefs() -> None:
    data = buckets().one("Bucket", "acme-labels-labeling-data-dev")
    for rule in rules_of(data):
        prefixes = rule["condition"]["matchesPrefixes"]
        assert prefixes == [IMAGES_PREFIX]
        for prefix in prefixes:
            assert not prefix.startswith(LAKEFS_PREFIX)
            assert not LAKEFS_PREFIX.startswith(prefix)


def test_no_lifecycle_rule_deletes_a_live_object_nor_the_last_version_of_a_picture() -> None:
    recorded = buckets()
    for bucket in recorded.of("Bucket"):
        deleting = [rule for rule in rules_of(bucket) if rule["action"]["type"] == "Delete"]
        assert deleting
        for rule in deleting:
            assert rule["condition"]["withState"] == "ARCHIVED"
            assert rule["condition"]["daysSinceNoncurrentTime"] >= 30
            if "data" in bucket.name:
                assert rule["condition"]["numNewerVersions"] >= 1


@pytest.mark.parametrize(
    ("domain", "allowed"),
    [
        ("labeling.example.org", ["https://labeling.example.org"]),
        (
            "",
            [
                "http://localhost:8080",
                "http://localhost:18080",
                "http://127.0.0.1:8080",
                "http://127.0.0.1:18080",
            ],
        ),
    ],
)
def test_only_label_studios_own_pages_may_read_across_origins(
    domain: str, allowed: Sequence[str]
) -> None:
    for bucket in buckets(domain=domain).of("Bucket"):
        (cors,) = bucket.at("cors")
        assert cors["origins"] == allowed
        assert cors["methods"] == ["GET", "HEAD"]


def test_the_port_ops_forwards_to_is_among_the_origins() -> None:
    forwarded = FORWARDED_PORTS[Service.LABEL_STUDIO]
    for host in ("localhost", "127.0.0.1"):
        assert f"http://{host}:{forwarded}" in origins("")


@pytest.mark.parametrize("key", [None, "projects/acme-labels/locations/x/keyRings/r/cryptoKeys/k"])
def test_buckets_are_encrypted_with_the_key_where_there_is_one(key: str | None) -> None:
    for bucket in buckets(key=key).of("Bucket"):
        assert bucket.at("encryption") == (None if key is None else {"defaultKmsKeyName": key})


def test_buckets_tell_their_names() -> None:
    outputs = buckets().outputs
    assert outputs == {
        "data": "acme-labels-labeling-data-dev",
        "url": "gs://acme-labels-labeling-data-dev",
        "media": "acme-labels-labeling-media-dev",
    }


def test_only_the_workloads_own_pods_are_its_account() -> None:
    recorded = identity(can_sign=False)
    grant = recorded.one("serviceaccount/iAMMember:IAMMember")
    assert grant.at("role") == "roles/iam.workloadIdentityUser"
    assert grant.at("member") == "serviceAccount:acme-labels.svc.id.goog[labeling-ops/lakefs]"
    assert recorded.outputs["email"] == "lakefs-dev@acme-labels.iam.gserviceaccount.com"
    assert recorded.outputs["member"] == f"serviceAccount:{recorded.outputs['email']}"


def test_who_signs_may_do_so_as_itself_alone() -> None:
    recorded = identity(can_sign=True)
    signing = recorded.one("serviceaccount/iAMMember:IAMMember", "lakefs-signing")
    assert signing.at("role") == "roles/iam.serviceAccountTokenCreator"
    assert signing.at("member") == recorded.outputs["member"]
    assert signing.at("serviceAccountId").endswith(recorded.outputs["email"])
    assert not recorded.of("projects/iAMMember:IAMMember")


def test_lakefs_writes_its_bucket_and_reads_what_is_imported() -> None:
    recorded = identity(can_sign=True, roles=lakefs_roles("data", ["pictures", "old-pictures"]))
    given = {(each.at("bucket"), each.at("role")) for each in recorded.of("BucketIAMMember")}
    assert given == {
        ("data", "roles/storage.objectUser"),
        ("pictures", "roles/storage.objectViewer"),
        ("old-pictures", "roles/storage.objectViewer"),
    }


def test_label_studio_writes_its_own_bucket_and_sees_no_other() -> None:
    recorded = identity(can_sign=True, roles=label_studio_roles("media"))
    (given,) = recorded.of("BucketIAMMember")
    assert (given.at("bucket"), given.at("role")) == ("media", "roles/storage.objectUser")


def test_nodes_have_an_account_of_their_own_with_the_one_role_they_need() -> None:
    args = NodeIdentityArgs(account_id="labeling-nodes-dev", project=PROJECT)
    recorded = record_component(lambda: NodeIdentity("nodes", args))
    grant = recorded.one("projects/iAMMember:IAMMember")
    assert grant.at("role") == "roles/container.defaultNodeServiceAccount"
    assert grant.at("project") == PROJECT
    assert recorded.one("serviceaccount/account:Account").at("accountId") == "labeling-nodes-dev"


@pytest.mark.parametrize("recorded", ALL, ids=["services", "network", "buckets", "who", "key"])
def test_there_is_no_key_file_and_no_grant_that_throws_out_others(recorded: Recorded) -> None:
    for each in recorded.resources:
        kind = each.type.rpartition(":")[2]
        assert kind not in {"Key", "HmacKey", "IAMBinding", "IAMPolicy"}
        assert not kind.endswith(("IAMBinding", "IAMPolicy", "IamBinding", "IamPolicy"))


def test_the_key_rotates_and_can_be_brought_back() -> None:
    key = encryption().one("CryptoKey")
    assert key.at("rotationPeriod") == "7776000s"
    assert key.at("destroyScheduledDuration") == "2592000s"
    assert key.at("purpose") == "ENCRYPT_DECRYPT"


@pytest.mark.parametrize("protect", [True, False])
def test_the_key_is_protected_as_the_data_is(protect: bool) -> None:
    recorded = encryption(protect=protect)
    for each in (recorded.one("CryptoKey"), recorded.one("KeyRing")):
        assert (each.protect, each.retain_on_delete) == (protect, protect)


def test_three_services_may_use_the_key_and_nobody_else() -> None:
    recorded = encryption()
    grants = recorded.of("CryptoKeyIAMMember")
    assert {each.at("role") for each in grants} == {"roles/cloudkms.cryptoKeyEncrypterDecrypter"}
    agents = {
        recorded.one("ServiceIdentity", f"encryption-{label}").at("service")
        for label in ("gke", "sql")
    }
    assert agents == {"container.googleapis.com", "sqladmin.googleapis.com"}
    members = {each.at("member") for each in grants}
    assert len(members) == 3
    assert f"serviceAccount:{STORAGE_AGENT}" in members


def test_who_takes_the_key_waits_until_it_may_be_used() -> None:
    args = EncryptionArgs(project=PROJECT, location=REGION, protect=True, labels={})

    def declare() -> None:
        key = Encryption("encryption", args).key_id
        DataBuckets(
            "buckets",
            DataBucketsArgs(
                project=PROJECT,
                data_name="data",
                media_name="media",
                location="EUROPE-WEST1",
                soft_delete_days=14,
                origins=(),
                protect=True,
                labels={},
                encryption_key=key,
            ),
        )

    recorded = record_component(declare)
    grants = {each.urn for each in recorded.of("CryptoKeyIAMMember")}
    for bucket in recorded.of("Bucket"):
        assert grants <= bucket.depends_on


def test_a_first_preview_asks_cloud_storage_nothing() -> None:
    recorded = encryption(preview=True)
    storage = recorded.one("CryptoKeyIAMMember", "encryption-storage")
    assert STORAGE_AGENT not in str(storage.at("member"))
