"""Ray: whoever it lets in runs any code on it, so that is nobody but who holds its token."""

from collections.abc import Iterator, Sequence

from tests.infra.answers import Wire
from tests.infra.invariants.rule import called, invariant, kubernetes, setting, unlike
from tests.infra.recording import Recorded, Resource

_NAMES = ("ray-head", "ray-worker")
_POOL = "labeling-ops.dev/pool"
_SPOT = "cloud.google.com/gke-spot"


def _ray(recorded: Recorded) -> Sequence[Resource]:
    return [
        each
        for each in kubernetes(recorded, "Deployment")
        if str(each.at("metadata.name")).startswith("ray")
    ]


def _workers(recorded: Recorded) -> int:
    return int(setting(recorded, "rayWorkers"))


@invariant
def there_is_a_ray_where_it_is_asked_for(recorded: Recorded) -> Iterator[str]:
    """And nothing of it where it is not: no pod, no secret, no node, no address."""
    expected = set(_NAMES) if _workers(recorded) else set[str]()
    if {str(each.at("metadata.name")) for each in _ray(recorded)} != expected:
        yield f"{len(_ray(recorded))} parts of a Ray for {_workers(recorded)} workers"
    for key in ("rayAddress", "rayLakefsUrl", "rayToken"):
        if bool(recorded.outputs[key]) != bool(expected):
            yield f"{key} is {'set' if recorded.outputs[key] else 'empty'}"
    named = [each for each in recorded.resources if each.name.startswith("ray") and not expected]
    yield from (called(each) for each in named)


@invariant
def ray_lets_in_who_holds_its_token(recorded: Recorded) -> Iterator[str]:
    """One secret, made here, for all of its parts; and no dashboard beside it."""
    for each in _ray(recorded):
        (container,) = each.at("spec.template.spec.containers")
        environment: dict[str, Wire] = {item["name"]: item for item in container["env"]}
        if environment.get("RAY_AUTH_MODE", {}).get("value") != "token":
            yield f"{called(each)} asks for no token"
        source = environment.get("RAY_AUTH_TOKEN", {}).get("valueFrom", {})
        if source.get("secretKeyRef") != {"name": "ray", "key": "token"}:
            yield f"{called(each)} has no token"
        if "--head" in container["command"] and (
            "--include-dashboard=false" not in container["command"]
        ):
            yield f"{called(each)} has a dashboard"


@invariant
def ray_is_reached_by_its_own_pods_alone(recorded: Recorded) -> Iterator[str]:
    """No load balancer, no other pod: from outside there is `kubectl port-forward`."""
    for each in kubernetes(recorded, "Service"):
        ray = each.at("spec.selector")["app.kubernetes.io/name"] in _NAMES
        if ray and each.at("spec.type") != "ClusterIP":
            yield f"{called(each)} is {each.at('spec.type')}"
    for each in kubernetes(recorded, "NetworkPolicy"):
        if not {*_NAMES} & {*_meant(each.at("spec.podSelector"))}:
            continue
        for rule in each.list_at("spec.ingress"):
            for peer in rule["from"]:
                if not {*_meant(peer.get("podSelector", {}))} <= {*_NAMES} or "ipBlock" in peer:
                    yield f"{called(each)} lets in {peer}"


@invariant
def ray_is_nobody_in_google_cloud(recorded: Recorded) -> Iterator[str]:
    """It reads no bucket: pictures come over lakeFS's S3 gateway."""
    for each in kubernetes(recorded, "ServiceAccount"):
        if each.at("metadata.name") == "ray" and each.at("metadata.annotations"):
            yield f"{called(each)} is {each.at('metadata.annotations')}"
    for each in recorded.of("serviceaccount/account:Account"):
        if "ray" in str(each.at("accountId")).split("-"):
            yield f"{called(each)} is an account"


@invariant
def ray_s_workers_are_on_nodes_of_their_own(recorded: Recorded) -> Iterator[str]:
    """They take all there is of a node; on Spot ones if asked."""
    if not _workers(recorded):
        return
    is_spot = setting(recorded, "raySpot") == "true"
    (worker,) = (each for each in _ray(recorded) if each.at("metadata.name") == "ray-worker")
    spec = worker.at("spec.template.spec")
    if setting(recorded, "clusterMode") == "autopilot":
        if spec.get("nodeSelector", {}) != ({_SPOT: "true"} if is_spot else {}):
            yield f"{called(worker)} is on {spec.get('nodeSelector')}"
        return
    pool = recorded.one("NodePool", "ray")
    if spec.get("nodeSelector") != {_POOL: "ray"} or not spec.get("tolerations"):
        yield f"{called(worker)} is not on the pool"
    expected: dict[str, Wire] = {
        "nodeConfig.spot": is_spot,
        "nodeConfig.machineType": setting(recorded, "rayMachineType"),
        "nodeConfig.taints": [{"key": _POOL, "value": "ray", "effect": "NO_SCHEDULE"}],
        "nodeConfig.workloadMetadataConfig.mode": "GKE_METADATA",
        "nodeConfig.shieldedInstanceConfig.enableSecureBoot": True,
        "autoscaling.minNodeCount": 0,
        "autoscaling.maxNodeCount": _workers(recorded),
    }
    yield from unlike(pool, expected)


def _meant(selector: Wire) -> Iterator[str]:
    """The programs a selector names."""
    yield from (str(name) for name in selector.get("matchLabels", {}).values())
    for each in selector.get("matchExpressions", []):
        yield from map(str, each["values"])
