"""The ways in: what stands at the public address, and inside the VPC."""

import ipaddress
from collections.abc import Mapping, Sequence

import pulumi
import pytest

from infra.configuration import LABEL_STUDIO_PORT, LAKEFS_PORT
from infra.exposure import LOAD_BALANCER_RANGES, Exposure, ExposureArgs, hosts_of
from infra.naming import NAMESPACE
from infra.training import S3_DOMAIN, S3_ENDPOINT, TrainingAccess, TrainingAccessArgs
from tests.infra.answers import PROJECT, REGION, Wire
from tests.infra.parts import LABELS, with_cluster
from tests.infra.recording import Recorded, Resource

DOMAIN = "labeling.example.org"
HOSTS = [DOMAIN, f"lakefs.{DOMAIN}"]
MEMBERS = ("user:ann@example.org", "group:labelers@example.org")


def exposure(*, dns_zone: str = "", members: Sequence[str] = (), preview: bool = False) -> Recorded:
    def declare(cluster: Wire) -> None:
        made = Exposure(
            "public",
            ExposureArgs(
                project=PROJECT,
                resource_name="labeling-public-dev",
                domain=DOMAIN,
                dns_zone=dns_zone,
                iap_members=members,
                labels=LABELS,
                cluster=cluster,
                namespace=NAMESPACE,
                after=[cluster.resource],
            ),
        )
        pulumi.export("records", [each.document() for each in made.by_hand])
        pulumi.export("address", made.address)

    return with_cluster(declare, preview=preview)


def training() -> Recorded:
    def declare(cluster: Wire) -> None:
        args = TrainingAccessArgs(
            region=REGION,
            resource_name="labeling-training-dev",
            network="network",
            subnetwork="subnetwork",
            labels=LABELS,
            cluster=cluster,
            namespace=NAMESPACE,
            after=[cluster.resource],
        )
        pulumi.export("address", TrainingAccess("training", args).address)

    return with_cluster(declare)


BY_HAND = exposure()
IN_ZONE = exposure(dns_zone="example-org")
WITH_IAP = exposure(members=MEMBERS)
TRAINING = training()


def custom(recorded: Recorded, kind: str) -> Mapping[str, Resource]:
    """Objects of a kind by name."""
    found = [each for each in recorded.resources if each.type.endswith(f":{kind}")]
    return {str(each.at("metadata.name")): each for each in found}


def test_the_records_somebody_has_to_set_are_the_stack_s_to_tell() -> None:
    records = BY_HAND.outputs["records"]
    assert {each["type"] for each in records if each["name"] == f"{DOMAIN}."} == {"A"}
    addresses = {each["name"]: each["data"] for each in records if each["type"] == "A"}
    assert addresses == {f"{host}.": BY_HAND.outputs["address"] for host in HOSTS}
    proofs = {each["name"]: each["data"] for each in records if each["type"] == "CNAME"}
    assert proofs.keys() == {f"_acme-challenge.{host}." for host in HOSTS}
    assert len({*proofs.values()}) == 2
    assert not BY_HAND.of("dns/recordSet:RecordSet")


def test_a_zone_gets_the_very_records_somebody_would_have_to_set() -> None:
    assert IN_ZONE.outputs["records"] == []
    declared = [
        {"name": each.at("name"), "type": each.at("type"), "data": each.list_at("rrdatas")[0]}
        for each in IN_ZONE.of("dns/recordSet:RecordSet")
    ]
    assert sorted(declared, key=str) == sorted(
        (
            {key: each[key] for key in ("name", "type", "data")}
            for each in BY_HAND.outputs["records"]
        ),
        key=str,
    )
    assert {each.at("managedZone") for each in IN_ZONE.of("dns/recordSet:RecordSet")} == {
        "example-org"
    }


def test_the_gateway_has_the_reserved_address_and_the_certificates() -> None:
    gateway = custom(BY_HAND, "Gateway")["public"]
    address = BY_HAND.one("compute/globalAddress:GlobalAddress")
    assert gateway.at("spec.gatewayClassName") == "gke-l7-global-external-managed"
    assert gateway.list_at("spec.addresses") == [
        {"type": "NamedAddress", "value": address.at("name")}
    ]
    certificates = gateway.table_at("metadata.annotations")["networking.gke.io/certmap"]
    assert certificates == BY_HAND.one("CertificateMap").at("name")
    assert all("tls" not in each for each in gateway.list_at("spec.listeners"))
    policy = custom(BY_HAND, "GCPGatewayPolicy")["public"]
    assert str(policy.at("spec.default.sslPolicy")).startswith("public-")
    assert BY_HAND.one("SSLPolicy").urn in policy.depends_on
    assert BY_HAND.one("SSLPolicy").at("minTlsVersion") == "TLS_1_2"


def test_every_host_has_an_entry_of_the_certificate_map() -> None:
    entries = BY_HAND.of("CertificateMapEntry")
    assert sorted(str(each.at("hostname")) for each in entries) == sorted(HOSTS)
    assert len(BY_HAND.of("certificatemanager/certificate:Certificate")) == 1


def test_routes_lead_to_the_servers_own_ports() -> None:
    found = {
        str(each.list_at("spec.hostnames")[0]): each.list_at("spec.rules")
        for each in custom(BY_HAND, "HTTPRoute").values()
        if each.at("spec.hostnames")
    }
    assert found == {
        HOSTS[0]: [{"backendRefs": [{"name": "label-studio", "port": LABEL_STUDIO_PORT}]}],
        HOSTS[1]: [{"backendRefs": [{"name": "lakefs", "port": LAKEFS_PORT}]}],
    }
    assert hosts_of(DOMAIN) == {"label-studio": HOSTS[0], "lakefs": HOSTS[1]}


@pytest.mark.parametrize(("service", "path"), [("label-studio", "/ready"), ("lakefs", "/_health")])
def test_the_load_balancer_asks_what_answers_without_credentials(service: str, path: str) -> None:
    check = custom(BY_HAND, "HealthCheckPolicy")[service]
    assert check.at("spec.default.config.httpHealthCheck.requestPath") == path
    target = {"group": "", "kind": "Service", "name": service}
    assert check.at("spec.targetRef") == target
    assert custom(BY_HAND, "GCPBackendPolicy")[service].at("spec.targetRef") == target


def test_the_load_balancer_waits_as_long_as_the_servers_do() -> None:
    limits = {
        name: each.at("spec.default.timeoutSec")
        for name, each in custom(BY_HAND, "GCPBackendPolicy").items()
    }
    # Label Studio ends a request after 300 s (k8s/base/label-studio/uwsgi.ini).
    assert limits == {"label-studio": 330, "lakefs": 300}


def test_the_proxy_stands_before_both_servers_or_neither() -> None:
    for recorded, expected in ((BY_HAND, None), (WITH_IAP, {"enabled": True})):
        policies = custom(recorded, "GCPBackendPolicy")
        assert {name: each.at("spec.default.iap") for name, each in policies.items()} == {
            "label-studio": expected,
            "lakefs": expected,
        }


def test_no_route_leads_past_the_proxy_while_things_are_made() -> None:
    routes = custom(WITH_IAP, "HTTPRoute")
    for service in ("label-studio", "lakefs"):
        before = {
            custom(WITH_IAP, kind)[service].urn
            for kind in ("GCPBackendPolicy", "HealthCheckPolicy")
        }
        assert before <= routes[service].depends_on


def test_the_load_balancer_goes_before_what_it_holds_on_to() -> None:
    gateway = custom(BY_HAND, "Gateway")["public"]
    for kind in ("SSLPolicy", "CertificateMap", "compute/globalAddress:GlobalAddress"):
        assert BY_HAND.one(kind).urn in gateway.depends_on


def test_members_pass_to_these_hosts_alone() -> None:
    granted = WITH_IAP.of("WebIamMember")
    assert {each.at("member") for each in granted} == {*MEMBERS}
    for each in granted:
        expression = each.at("condition.expression")
        assert expression == " || ".join(f'request.host == "{host}"' for host in HOSTS)
    assert not BY_HAND.of("WebIamMember")


@pytest.mark.parametrize("recorded", [BY_HAND, TRAINING], ids=["public", "training"])
def test_what_becomes_a_load_balancer_is_deleted_before_the_cluster(recorded: Recorded) -> None:
    cluster = recorded.one("container/cluster:Cluster")
    (provider,) = recorded.of("pulumi:providers:kubernetes")
    objects = [each for each in recorded.resources if each.type.startswith("kubernetes:")]
    assert objects
    for each in objects:
        assert each.deleted_with == ""
        assert each.provider == provider.urn
        assert cluster.urn in each.depends_on
        assert each.at("metadata.namespace") == NAMESPACE


def test_only_google_s_load_balancers_are_let_in_from_outside() -> None:
    policy = custom(BY_HAND, "NetworkPolicy")["from-load-balancer"]
    assert _admitted(policy) == {*LOAD_BALANCER_RANGES}
    (expression,) = policy.list_at("spec.podSelector.matchExpressions")
    assert sorted(expression["values"]) == ["label-studio", "lakefs"]


def test_only_private_addresses_reach_the_s3_gateway() -> None:
    policy = custom(TRAINING, "NetworkPolicy")["from-training-jobs"]
    assert policy.at("spec.podSelector") == {"matchLabels": {"app.kubernetes.io/name": "lakefs"}}
    service = TRAINING.one("core/v1:Service")
    assert {*service.list_at("spec.loadBalancerSourceRanges")} == _admitted(policy)
    assert all(ipaddress.ip_network(each).is_private for each in _admitted(policy))


def _admitted(policy: Resource) -> set[str]:
    assert policy.at("spec.policyTypes") == ["Ingress"]
    (rule,) = policy.list_at("spec.ingress")
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    return {peer["ipBlock"]["cidr"] for peer in rule["from"]}


def test_the_internal_load_balancer_is_internal_and_at_the_reserved_address() -> None:
    address = TRAINING.one("compute/address:Address")
    service = TRAINING.one("core/v1:Service")
    assert address.at("addressType") == "INTERNAL"
    assert service.at("spec.loadBalancerIP") == TRAINING.outputs["address"]
    annotations = service.table_at("metadata.annotations")
    assert annotations["networking.gke.io/load-balancer-type"] == "Internal"
    assert service.at("spec.externalTrafficPolicy") == "Local"
    assert service.at("spec.selector") == {"app.kubernetes.io/name": "lakefs"}
    (port,) = service.list_at("spec.ports")
    assert (port["port"], port["targetPort"]) == (80, "http")
    assert f"http://{S3_DOMAIN}" == S3_ENDPOINT, "port 80 is not named"


def test_names_of_the_s3_gateway_are_known_inside_the_vpc_in_both_styles() -> None:
    zone = TRAINING.one("ManagedZone")
    assert zone.at("visibility") == "private"
    assert zone.at("privateVisibilityConfig.networks") == [{"networkUrl": "network"}]
    records = {each.at("name"): each for each in TRAINING.of("dns/recordSet:RecordSet")}
    assert records.keys() == {f"{S3_DOMAIN}.", f"*.{S3_DOMAIN}."}
    for each in records.values():
        assert str(each.at("name")).endswith(str(zone.at("dnsName")))
        assert each.at("rrdatas") == [TRAINING.outputs["address"]]


def test_a_preview_of_a_new_stack_declares_as_much() -> None:
    foreseen = exposure(members=MEMBERS, preview=True)
    assert [each.urn for each in foreseen.resources] == [each.urn for each in WITH_IAP.resources]
