"""Who may talk to whom, by NetworkPolicies: nobody, but for what is needed."""

from collections.abc import Iterator, Sequence

from tests.k8s.reading import Object, Objects, of

_PRIVATE = frozenset(
    {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
)


def everything_is_denied(objects: Objects) -> Iterator[str]:
    """Nothing may talk but by a policy that names whom, and by which ports."""
    policies = of(objects, "NetworkPolicy")
    denied: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if policies.get("default-deny", {}).get("spec") != denied:
        yield "no default-deny"
    for name, policy in policies.items():
        if name != "default-deny":
            yield from _unbounded(name, policy["spec"])


def _unbounded(name: str, spec: Object) -> Iterator[str]:
    directions = [("Ingress", "from"), ("Egress", "to")]
    for direction, peers in directions:
        rules = spec.get(direction.lower(), [])
        if bool(rules) != (direction in spec.get("policyTypes", [])):
            yield f"NetworkPolicy {name}: {direction} is said and not done"
        for rule in rules:
            if not rule.get(peers):
                yield f"NetworkPolicy {name}: {direction} with everybody"
            for peer in rule.get(peers, []):
                block = peer.get("ipBlock", {})
                if (
                    block.get("cidr", "").startswith("0.")
                    and frozenset[str](block.get("except", [])) != _PRIVATE
                ):
                    yield f"NetworkPolicy {name}: reaches private addresses"
                if not block and not any(
                    one.get("matchLabels") or one.get("matchExpressions") for one in peer.values()
                ):
                    yield f"NetworkPolicy {name}: {direction} with every pod"
            ports = rule.get("ports", [])
            if not ports or any("port" not in one or "protocol" not in one for one in ports):
                yield f"NetworkPolicy {name}: {direction} by any port"


_METADATA = (("169.254.169.252/32", 988), ("169.254.169.254/32", 80))


def what_must_talk_may(objects: Objects) -> Iterator[str]:
    """DNS, the object store, Workload Identity, lakeFS for Label Studio, the database."""
    talk = set(allowed(objects))
    apps = ("lakefs", "label-studio")
    needed = {("label-studio", "to", "lakefs", "http", "TCP")}
    needed |= {("lakefs", "from", "label-studio", "http", "TCP")}
    needed |= {(app, "to", "0.0.0.0/0", 443, "TCP") for app in apps}
    needed |= {(app, "to", block, port, "TCP") for app in apps for block, port in _METADATA}
    dns = (
        "169.254.20.10/32",
        "169.254.169.254/32",
        "kube-system/kube-dns",
        "kube-system/node-local-dns",
    )
    needed |= {("", "to", peer, 53, protocol) for peer in dns for protocol in ("UDP", "TCP")}
    if "postgres" in of(objects, "StatefulSet"):
        clients = (*apps, "postgres-back-up")
        needed |= {(one, "to", "postgres", "postgres", "TCP") for one in clients}
        needed |= {("postgres", "from", one, "postgres", "TCP") for one in clients}
    else:
        private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
        needed |= {(app, "to", block, 5432, "TCP") for app in apps for block in private}
    for one in sorted(needed ^ talk, key=str):
        yield f"{'needed' if one in needed else 'not needed'}: {one}"


def allowed(objects: Objects) -> Iterator[tuple[object, ...]]:
    """Who may talk to whom: subject, direction, peer, port and protocol."""
    for policy in of(objects, "NetworkPolicy").values():
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, []):
                for subject in _names(policy["spec"]["podSelector"]):
                    for peer in rule.get(side, []):
                        for port in rule.get("ports", []):
                            for name in _peer(peer):
                                yield subject, side, name, port.get("port"), port.get("protocol")


def _peer(peer: Object) -> Iterator[str]:
    if "ipBlock" in peer:
        yield peer["ipBlock"]["cidr"]
    else:
        spaces = peer.get("namespaceSelector", {}).get("matchLabels", {}).values()
        prefix = "".join(f"{space}/" for space in spaces)
        for name in _names(peer.get("podSelector", {})):
            yield f"{prefix}{name}"


def _names(selector: Object) -> Sequence[str]:
    """The programs a selector means; the one empty name for all."""
    named = list(selector.get("matchLabels", {}).values())
    for expression in selector.get("matchExpressions", []):
        if (
            expression["key"] in {"app.kubernetes.io/name", "k8s-app"}
            and expression["operator"] == "In"
        ):
            named += expression["values"]
    return named or [""]
