"""The pods as the program declares them: what Kubernetes and a reviewer would ask of each.

tests/k8s holds the manifests to more; this is what must be left of it when the cloud's part has
been added.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from tests.infra.answers import Wire
from tests.infra.invariants.rule import called, invariant, kubernetes, setting, waited_for
from tests.infra.recording import Recorded, Resource

Spec: TypeAlias = Mapping[str, Wire]

NAMESPACE = "labeling-ops"
_PROBES = ("livenessProbe", "readinessProbe")
_WITH_PODS = ("Deployment", "StatefulSet", "CronJob")


def _pods(recorded: Recorded) -> Iterator[tuple[Resource, Spec]]:
    """Pod specs, with what makes them."""
    for kind in _WITH_PODS:
        for each in kubernetes(recorded, kind):
            job = "spec.jobTemplate." if kind == "CronJob" else ""
            yield each, each.at(f"{job}spec.template.spec")


def _containers(spec: Spec) -> Sequence[Spec]:
    return [*spec.get("initContainers", []), *spec["containers"]]


@invariant
def every_object_is_in_the_namespace(recorded: Recorded) -> Iterator[str]:
    """Which is held to `restricted`."""
    (namespace,) = kubernetes(recorded, "Namespace")
    labels = namespace.table_at("metadata.labels")
    if namespace.at("metadata.name") != NAMESPACE:
        yield str(namespace.at("metadata.name"))
    if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        yield f"it enforces {labels.get('pod-security.kubernetes.io/enforce')}"
    for each in kubernetes(recorded):
        if each.at("kind") != "Namespace" and each.at("metadata.namespace") != NAMESPACE:
            yield f"{called(each)} is in {each.at('metadata.namespace')}"


@invariant
def pods_are_nobody_and_may_nothing(recorded: Recorded) -> Iterator[str]:
    """Not root, no capability, no writable root, the runtime's own seccomp profile."""
    for each, spec in _pods(recorded):
        security = spec.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
            yield f"{called(each)} may be root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{called(each)} has no seccomp profile"
        for container in _containers(spec):
            allowed = container.get("securityContext", {})
            if (
                allowed.get("allowPrivilegeEscalation") is not False
                or allowed.get("readOnlyRootFilesystem") is not True
                or allowed.get("capabilities") != {"drop": ["ALL"]}
            ):
                yield f"{called(each)} {container['name']}: {allowed}"


@invariant
def no_pod_has_a_token_of_the_cluster(recorded: Recorded) -> Iterator[str]:
    """None asks the Kubernetes API; Workload Identity needs no mounted token."""
    for each, spec in _pods(recorded):
        if spec.get("automountServiceAccountToken") is not False:
            yield called(each)
    for each in kubernetes(recorded, "ServiceAccount"):
        if each.at("automountServiceAccountToken") is not False:
            yield called(each)


@invariant
def every_container_has_a_budget(recorded: Recorded) -> Iterator[str]:
    """Autopilot bills requests, and a leak must not take the neighbours along."""
    for each, spec in _pods(recorded):
        for container in _containers(spec):
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
                yield f"{called(each)} {container['name']} requests too little"
            if "memory" not in resources.get("limits", {}):
                yield f"{called(each)} {container['name']} has no limit"


@invariant
def servers_say_whether_they_are_well(recorded: Recorded) -> Iterator[str]:
    """Ready and alive are two questions."""
    for each, spec in _pods(recorded):
        if each.at("kind") == "CronJob":
            continue
        for container in spec["containers"]:
            for probe in _PROBES:
                if probe not in container:
                    yield f"{called(each)} {container['name']} has no {probe}"
            asked = [_question(container.get(probe, {})) for probe in _PROBES]
            if asked[0] == asked[1]:
                yield f"{called(each)} {container['name']} asks one question twice"


def _question(probe: Spec) -> Spec:
    """What a probe asks, without how often and how patiently."""
    return {kind: probe[kind] for kind in ("exec", "httpGet", "tcpSocket") if kind in probe}


@invariant
def images_are_pinned(recorded: Recorded) -> Iterator[str]:
    """A version at least: `latest` is another program tomorrow."""
    for each, spec in _pods(recorded):
        for container in _containers(spec):
            name, _, tag = container["image"].rpartition(":")
            if not name or tag == "latest" or not tag[:1].isalnum():
                yield f"{called(each)}: {container['image']}"


@invariant
def nothing_talks_unless_it_is_named(recorded: Recorded) -> Iterator[str]:
    """Default deny, both ways."""
    policies = kubernetes(recorded, "NetworkPolicy")
    denies = [
        each
        for each in policies
        if each.at("spec.podSelector") in ({}, None)
        and sorted(each.list_at("spec.policyTypes")) == ["Egress", "Ingress"]
        and not each.at("spec.ingress")
        and not each.at("spec.egress")
    ]
    if len(denies) != 1:
        yield f"{len(denies)} policies deny by default"
    for each in policies:
        for rule in each.list_at("spec.ingress"):
            if not rule.get("from"):
                yield f"{called(each)} lets everybody in"


@invariant
def a_disruption_takes_one_pod_at_a_time(recorded: Recorded) -> Iterator[str]:
    """A budget for whatever has pods all the time."""
    budgets = {each.at("metadata.name") for each in kubernetes(recorded, "PodDisruptionBudget")}
    for each, _ in _pods(recorded):
        if each.at("kind") != "CronJob" and each.at("metadata.name") not in budgets:
            yield called(each)


@invariant
def there_are_as_many_pods_as_asked(recorded: Recorded) -> Iterator[str]:
    """By setting, whatever the overlay says."""
    expected = {
        "lakefs": int(setting(recorded, "lakefsReplicas")),
        "label-studio": int(setting(recorded, "labelStudioReplicas")),
        "ray-head": 1,
        "ray-worker": int(setting(recorded, "rayWorkers")),
    }
    for each in kubernetes(recorded, "Deployment"):
        if each.at("spec.replicas") != expected.get(str(each.at("metadata.name"))):
            yield f"{called(each)}: {each.at('spec.replicas')}"


@invariant
def a_changed_configuration_rolls_the_pods(recorded: Recorded) -> Iterator[str]:
    """A pod reads its files once: their digest is in its template."""
    for each in (*kubernetes(recorded, "Deployment"), *kubernetes(recorded, "StatefulSet")):
        annotations = each.table_at("spec.template.metadata.annotations")
        digests = [text for key, text in annotations.items() if "digest" in key]
        if not digests or len(digests[0]) != 64:
            yield f"{called(each)}: {annotations}"


@invariant
def servers_start_after_what_they_need(recorded: Recorded) -> Iterator[str]:
    """Their grants, their Secrets and their policies: a pod that is denied may never ask again."""
    for each in kubernetes(recorded, "Deployment"):
        urns = waited_for(recorded, each)
        waits = {urn.split("::")[2].rpartition("$")[2] for urn in urns}
        needed = {
            "gcp:serviceaccount/iAMMember:IAMMember",
            "gcp:storage/bucketIAMMember:BucketIAMMember",
            "kubernetes:core/v1:ConfigMap",
            "kubernetes:core/v1:Secret",
            "kubernetes:core/v1:ServiceAccount",
            "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        }
        if not needed <= waits:
            yield f"{called(each)} does not wait for {sorted(needed - waits)}"


@invariant
def telemetry_and_sign_up_are_off(recorded: Recorded) -> Iterator[str]:
    """Nothing goes out that nobody sent, and nobody comes in uninvited."""
    for each, spec in _pods(recorded):
        if each.at("metadata.name") != "label-studio":
            continue
        for container in spec["containers"]:
            environment = {item["name"]: item.get("value") for item in container["env"]}
            expected = {
                "COLLECT_ANALYTICS": "false",
                "LATEST_VERSION_CHECK": "false",
                "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
                "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "false",
            }
            for key, value in expected.items():
                if environment.get(key) != value:
                    yield f"{key} is {environment.get(key)!r}"
    configuration = recorded.one("core/v1:ConfigMap", "lakefs").at("data")["lakefs.yaml"]
    if "stats:\n  enabled: false" not in configuration:
        yield "lakeFS tells about itself"
