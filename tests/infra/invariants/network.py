"""The network: one's own, with no public address in it and one way out."""

from collections.abc import Iterator

from tests.infra.invariants.rule import called, invariant, kubernetes, setting, unlike
from tests.infra.recording import Recorded

_INTERNAL = "networking.gke.io/load-balancer-type"


@invariant
def the_network_is_one_s_own(recorded: Recorded) -> Iterator[str]:
    """Automatic subnets overlap with everybody's."""
    yield from unlike(recorded.one("compute/network:Network"), {"autoCreateSubnetworks": False})


@invariant
def google_is_reached_privately_and_flows_are_logged(recorded: Recorded) -> Iterator[str]:
    """Buckets and keys without a public address; who talked to whom can be looked up."""
    subnetwork = recorded.one("Subnetwork")
    yield from unlike(subnetwork, {"privateIpGoogleAccess": True})
    if not subnetwork.at("logConfig.flowSampling"):
        yield "no flow is logged"
    if len(subnetwork.list_at("secondaryIpRanges")) != 2:
        yield "pods and services have no ranges of their own"


@invariant
def there_is_one_way_out(recorded: Recorded) -> Iterator[str]:
    """Private nodes pull images through NAT, or not at all."""
    nat = recorded.one("RouterNat")
    yield from unlike(nat, {"sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES"})
    if nat.at("router") != recorded.one("Router").at("name"):
        yield "the NAT is not at the router"


@invariant
def no_firewall_rule_opens_anything(recorded: Recorded) -> Iterator[str]:
    """A network of one's own lets nothing in unless told to."""
    for each in recorded.of("Firewall"):
        if "0.0.0.0/0" in (each.at("sourceRanges") or ["0.0.0.0/0"]):
            yield called(each)


@invariant
def without_a_domain_nothing_is_public(recorded: Recorded) -> Iterator[str]:
    """No gateway, no public address, no record, no certificate."""
    if setting(recorded, "domain"):
        return
    own_zones = {each.at("name") for each in recorded.of("ManagedZone")}
    for each in recorded.resources:
        is_address = each.type.endswith(":GlobalAddress") and each.at("addressType") != "INTERNAL"
        is_zone = each.type.endswith(":ManagedZone") and each.at("visibility") != "private"
        is_record = each.type.endswith(":RecordSet") and each.at("managedZone") not in own_zones
        is_public = each.type.rpartition(":")[2] in {"Gateway", "HTTPRoute", "Ingress"}
        is_certificate = each.type.startswith(("gcp:certificatemanager/", "gcp:iap/"))
        if is_address or is_zone or is_record or is_public or is_certificate:
            yield called(each)


@invariant
def services_are_inside_alone(recorded: Recorded) -> Iterator[str]:
    """A load balancer is internal, and only where training jobs were promised one."""
    for each in kubernetes(recorded, "Service"):
        kind = each.at("spec.type") or "ClusterIP"
        annotations = each.table_at("metadata.annotations")
        is_internal = kind == "LoadBalancer" and annotations.get(_INTERNAL) == "Internal"
        if is_internal and setting(recorded, "trainingAccess") != "true":
            yield f"{called(each)} was not asked for"
        if kind != "ClusterIP" and not is_internal:
            yield f"{called(each)} is a {kind}"


@invariant
def training_jobs_have_an_address(recorded: Recorded) -> Iterator[str]:
    """`trainingAccess` is an internal load balancer, and the stack says where."""
    balancers = [
        each for each in kubernetes(recorded, "Service") if each.at("spec.type") == "LoadBalancer"
    ]
    wanted = setting(recorded, "trainingAccess") == "true"
    if bool(balancers) != wanted or bool(recorded.outputs["s3Endpoint"]) != wanted:
        yield f"trainingAccess is {wanted}: {len(balancers)}, {recorded.outputs['s3Endpoint']!r}"
