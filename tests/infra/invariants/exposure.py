"""The public side, which only a domain opens: HTTPS alone, and whoever Google let pass."""

import json
from collections.abc import Iterator, Sequence

from tests.infra.invariants.rule import called, invariant, kubernetes, setting
from tests.infra.recording import Recorded, Resource


def _gateways(recorded: Recorded) -> Sequence[Resource]:
    return kubernetes(recorded, "Gateway")


def _hosts(recorded: Recorded) -> Sequence[str]:
    domain = setting(recorded, "domain")
    return [domain, f"lakefs.{domain}"] if domain else []


@invariant
def a_domain_has_one_gateway(recorded: Recorded) -> Iterator[str]:
    """And nothing else does."""
    if len(_gateways(recorded)) != int(bool(setting(recorded, "domain"))):
        yield f"{len(_gateways(recorded))} gateways"


@invariant
def plain_http_only_redirects(recorded: Recorded) -> Iterator[str]:
    """Whatever comes in by HTTP is sent to HTTPS and to no server."""
    for gateway in _gateways(recorded):
        listeners = {each["name"]: each["protocol"] for each in gateway.at("spec.listeners")}
        if sorted(set(listeners.values())) != ["HTTP", "HTTPS"]:
            yield f"{called(gateway)}: {listeners}"
        for route in kubernetes(recorded, "HTTPRoute"):
            sections = {listeners[each["sectionName"]] for each in route.at("spec.parentRefs")}
            rules = route.at("spec.rules")
            redirects = all(_redirects(rule) for rule in rules)
            serves = any(rule.get("backendRefs") for rule in rules)
            if "HTTP" in sections and (serves or not redirects or len(sections) > 1):
                yield f"{called(route)} serves plain HTTP"


def _redirects(rule: dict[str, object]) -> bool:
    text = json.dumps(rule)
    return '"requestRedirect"' in text and '"https"' in text


@invariant
def each_host_goes_to_its_server_alone(recorded: Recorded) -> Iterator[str]:
    """The domain to Label Studio, `lakefs.` before it to lakeFS."""
    backends: dict[str, set[str]] = {}
    for route in kubernetes(recorded, "HTTPRoute"):
        for rule in route.at("spec.rules"):
            for backend in rule.get("backendRefs", []):
                for host in route.at("spec.hostnames"):
                    backends.setdefault(host, set()).add(backend["name"])
    hosts = _hosts(recorded)
    expected = dict(zip(hosts, [{"label-studio"}, {"lakefs"}], strict=True)) if hosts else {}
    found = {host: names for host, names in backends.items() if host in hosts}
    if found != expected:
        yield f"{backends}"


@invariant
def certificates_are_google_s_and_for_every_host(recorded: Recorded) -> Iterator[str]:
    """Renewed by Google, proven by DNS, and on the gateway."""
    hosts = set(_hosts(recorded))
    proven = {str(each.at("domain")) for each in recorded.of("DnsAuthorization")}
    certified = {
        str(domain)
        for each in recorded.of("certificatemanager/certificate:Certificate")
        for domain in each.at("managed.domains")
    }
    if not hosts <= certified or not {each.removeprefix("*.") for each in certified} <= proven:
        yield f"{sorted(hosts)}: certified {sorted(certified)}, proven {sorted(proven)}"
    for gateway in _gateways(recorded):
        if "networking.gke.io/certmap" not in gateway.table_at("metadata.annotations"):
            yield f"{called(gateway)} has no certificate"


@invariant
def somebody_sets_every_dns_record(recorded: Recorded) -> Iterator[str]:
    """The zone if there is one; else the stack says which, and never both."""
    if not setting(recorded, "domain"):
        return
    zone = setting(recorded, "dnsZone")
    records = recorded.of("dns/recordSet:RecordSet")
    in_zone = [each for each in records if each.at("managedZone") == zone]
    by_hand = recorded.outputs["dnsRecords"]
    has_zone = bool(zone)
    if bool(in_zone) != has_zone or bool(by_hand) == has_zone:
        yield f"{len(in_zone)} in the zone, {len(by_hand)} by hand"


@invariant
def google_s_own_login_stands_before_people_s_pages(recorded: Recorded) -> Iterator[str]:
    """IAP for both servers if members are named, and for nobody else."""
    members = json.loads(setting(recorded, "iapMembers"))
    policies = {
        str(each.at("spec.targetRef.name"))
        for each in kubernetes(recorded, "GCPBackendPolicy")
        if each.table_at("spec.default.iap").get("enabled") is True
    }
    granted = {
        str(each.inputs["member"])
        for each in recorded.resources
        if each.type.startswith("gcp:iap/")
        and each.inputs.get("role") == "roles/iap.httpsResourceAccessor"
    }
    if granted != set(members):
        yield f"{sorted(granted)} may pass"
    if bool(policies) != bool(members) or (members and not {"label-studio"} <= policies):
        yield f"it stands before {sorted(policies)}"


@invariant
def load_balancers_ask_whether_a_server_is_ready(recorded: Recorded) -> Iterator[str]:
    """Google's own check is of `/`, which both servers answer with a redirect: never healthy."""
    if not setting(recorded, "domain"):
        return
    checked = {
        str(each.at("spec.targetRef.name")) for each in kubernetes(recorded, "HealthCheckPolicy")
    }
    if not {"lakefs", "label-studio"} <= checked:
        yield f"it asks {sorted(checked)}"


@invariant
def cookies_travel_over_https_alone(recorded: Recorded) -> Iterator[str]:
    """With a domain; and log-ins from it are believed."""
    domain = setting(recorded, "domain")
    data = recorded.one("core/v1:ConfigMap", "label-studio").at("data")
    expected = {
        "LABEL_STUDIO_HOST": f"https://{domain}",
        "CSRF_TRUSTED_ORIGINS": f"https://{domain}",
        "SESSION_COOKIE_SECURE": "1",
        "CSRF_COOKIE_SECURE": "1",
    }
    for key, value in expected.items():
        if domain and data.get(key) != value:
            yield f"{key} is {data.get(key)!r}"
