"""How pods live and end, who finds them, and what holds the data."""

import json
import re
from collections.abc import Iterator, Mapping

from tests.k8s.reading import (
    NAMESPACE,
    Objects,
    environment,
    label,
    of,
    pod_templates,
    quantity,
    servers,
)


def probes_mean_something(objects: Objects) -> Iterator[str]:
    """A server is started, alive and ready by three probes; ready is not what alive is."""
    for where, container in servers(objects):
        probes = {
            name: container.get(f"{name}Probe", {}) for name in ("startup", "liveness", "readiness")
        }
        asked = {
            name: json.dumps(probe.get("httpGet") or probe.get("exec"))
            for name, probe in probes.items()
        }
        if "null" in asked.values() or asked["startup"] != asked["liveness"]:
            yield f"{where}: probes {asked}"
        if asked["readiness"] == asked["liveness"]:
            yield f"{where}: is ready when it is only alive"
        ports = {one["name"] for one in container.get("ports", [])}
        for name, probe in probes.items():
            if "httpGet" in probe and probe["httpGet"].get("port") not in ports:
                yield f"{where}: the {name} probe asks no port of its own"
            if not 1 < probe.get("timeoutSeconds", 0) <= probe.get("periodSeconds", 0):
                yield f"{where}: {name} probes overlap"
        patience = {
            name: probe.get("periodSeconds", 0) * probe.get("failureThreshold", 0)
            for name, probe in probes.items()
        }
        if not (patience["startup"] >= 60 <= patience["liveness"] > patience["readiness"] > 0):
            yield f"{where}: patience {patience}"


_IS_READY = "--no-psqlrc --quiet --username postgres --dbname lakefs --command"
_ASKED: Mapping[str, tuple[object, object]] = {
    "label-studio": ("/alive", "/ready"),
    "lakefs": ("/_health", "/api/v1/setup_lakefs"),
    "postgres": (
        ["pg_isready", "--quiet", "--host", "127.0.0.1", "--username", "postgres"],
        ["psql", *_IS_READY.split(), "select 1"],
    ),
}
"""What says that a server is alive, and that it is ready: the latter fails without the database."""


def probes_ask_what_answers(objects: Objects) -> Iterator[str]:
    """Liveness never asks the database, readiness does."""
    for where, container in servers(objects):
        asked = [
            probe.get("httpGet", {}).get("path") or probe.get("exec", {}).get("command")
            for probe in (container["livenessProbe"], container["readinessProbe"])
        ]
        if asked != list(_ASKED[container["name"]]):
            yield f"{where}: {asked}"


def set_up_comes_first(objects: Objects) -> Iterator[str]:
    """Each server's pod sets up before its port is open, with the server's own image."""
    for name, deployment in of(objects, "Deployment").items():
        pod = deployment["spec"]["template"]["spec"]
        first = [one for one in pod.get("initContainers", []) if one["name"] == "set-up"]
        if len(first) != 1 or first[0]["image"] != pod["containers"][0]["image"]:
            yield f"Deployment {name}: no set-up of its own"
        elif first[0].get("restartPolicy") is not None or first[0].get("ports"):
            yield f"Deployment {name}: its set-up serves"
    for kind in ("Job", "Ingress"):
        if of(objects, kind):
            yield f"a {kind}"


def ends_are_gentle(objects: Objects) -> Iterator[str]:
    """A pod that ends is first sent nothing more, then ends what it was sent."""
    for where, template in pod_templates(objects).items():
        if not where.startswith("CronJob"):
            if not template["spec"].get("terminationGracePeriodSeconds", 0) >= 60:
                yield f"{where}: is killed in the middle"
            if where.startswith("Deployment"):
                container = template["spec"]["containers"][0]
                stop = container.get("lifecycle", {}).get("preStop", {})
                if not stop.get("sleep", {}).get("seconds", 0) > 0:
                    yield f"{where}: is sent requests while it ends"


def a_rollout_takes_nothing_away(objects: Objects) -> Iterator[str]:
    """It never has fewer pods than asked for, and puts them in several zones if it can."""
    for name, deployment in of(objects, "Deployment").items():
        strategy = deployment["spec"].get("strategy", {})
        rolling = strategy.get("rollingUpdate", {})
        if (strategy.get("type"), rolling.get("maxUnavailable")) != ("RollingUpdate", 0):
            yield f"Deployment {name}: {strategy}"
        if not rolling.get("maxSurge", 0) >= 1:
            yield f"Deployment {name}: cannot be replaced"
        constraints = deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", [])
        zones = [one for one in constraints if one["topologyKey"] == "topology.kubernetes.io/zone"]
        selector = {"matchLabels": {"app.kubernetes.io/name": name}}
        if (
            not zones
            or any(
                one.get("labelSelector") != selector
                or one.get("matchLabelKeys") != ["pod-template-hash"]
                or one.get("maxSkew") != 1
                for one in constraints
            )
            or zones[0].get("whenUnsatisfiable") != "ScheduleAnyway"
        ):
            yield f"Deployment {name}: {constraints}"


def two_pods_are_on_two_nodes(objects: Objects) -> Iterator[str]:
    """Where there are several, and a cluster of one node grows for it."""
    for name, deployment in of(objects, "Deployment").items():
        spec = deployment["spec"]
        apart = [
            (one.get("whenUnsatisfiable"), one.get("minDomains"))
            for one in spec["template"]["spec"]["topologySpreadConstraints"]
            if one["topologyKey"] == "kubernetes.io/hostname"
        ]
        if apart != ([("DoNotSchedule", 2)] if spec.get("replicas", 1) == 2 else []):
            yield f"Deployment {name}: {spec.get('replicas')} pods, {apart}"


def a_drain_takes_one_at_a_time(objects: Objects) -> Iterator[str]:
    """And is held up by no pod that never gets ready."""
    serving = [one for one in objects if one["kind"] in {"Deployment", "StatefulSet"}]
    budgets = of(objects, "PodDisruptionBudget")
    for one in serving:
        name = one["metadata"]["name"]
        budget = budgets.get(name, {}).get("spec", {})
        if budget.get("selector") != one["spec"]["selector"] or budget.get("maxUnavailable") != 1:
            yield f"{name}: budget {budget}"
        elif budget.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{name}: a pod that never gets ready holds up its node's drain"


def labels_say_whose_it_is(objects: Objects) -> Iterator[str]:
    """Everything is part of the one thing, in its namespace, and labeled as it is named."""
    for one in objects:
        where = f"{one['kind']} {one['metadata']['name']}"
        if one["metadata"].get("labels", {}).get(_PART_OF) != NAMESPACE:
            yield f"{where}: is no part of {NAMESPACE}"
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") != NAMESPACE:
            yield f"{where}: in no namespace"
        if one["kind"] in _NAMED and label(one) != one["metadata"]["name"]:
            yield f"{where}: labeled {label(one)}"
    for where, template in pod_templates(objects).items():
        if label(template) != where.split()[1]:
            yield f"{where}: its pods are labeled {label(template)}"
        if template["metadata"]["labels"].get(_PART_OF) != NAMESPACE:
            yield f"{where}: its pods are no part of {NAMESPACE}"


_PART_OF = "app.kubernetes.io/part-of"
_NAMED = ("CronJob", "Deployment", "PodDisruptionBudget", "Service", "StatefulSet")


def services_lead_to_pods(objects: Objects) -> Iterator[str]:
    """Each is inside the cluster alone, and leads to a port its pods have, by its name."""
    templates = {label(one): one for one in pod_templates(objects).values()}
    for name, service in of(objects, "Service").items():
        spec = service["spec"]
        selector = {"app.kubernetes.io/name": name}
        headless = "None" if name == "postgres" else None
        if (spec.get("type"), spec.get("selector"), spec.get("clusterIP")) != (
            "ClusterIP",
            selector,
            headless,
        ):
            yield f"Service {name}: {spec}"
        owned = [
            (one["name"], one["containerPort"], one.get("protocol"))
            for one in templates[name]["spec"]["containers"][0]["ports"]
        ]
        led = [(one.get("targetPort"), one["port"], "TCP") for one in spec["ports"]]
        if led != owned or [one.get("name") for one in spec["ports"]] != [one[0] for one in owned]:
            yield f"Service {name}: {spec['ports']}, and its pods have {owned}"


def namespace_is_restricted(objects: Objects) -> Iterator[str]:
    """The API server refuses a pod that is not restricted, and says so before it does."""
    labels = of(objects, "Namespace").get(NAMESPACE, {}).get("metadata", {}).get("labels", {})
    for mode in ("enforce", "warn", "audit"):
        if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
            yield f"Namespace: {mode} is {labels.get(f'pod-security.kubernetes.io/{mode}')}"


def data_outlives_its_pods(objects: Objects) -> Iterator[str]:
    """One database, on a disk that stays, with dumps."""
    for name, one in of(objects, "StatefulSet").items():
        spec = one["spec"]
        kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        if spec.get("persistentVolumeClaimRetentionPolicy") != kept:
            yield f"StatefulSet {name}: its disk goes with it"
        [claim] = spec["volumeClaimTemplates"]
        if spec.get("replicas") != 1 or claim["metadata"]["name"] != "data":
            yield f"StatefulSet {name}: not one database on one disk"
        if spec.get("serviceName") not in of(objects, "Service"):
            yield f"StatefulSet {name}: no Service of its own"
        if not of(objects, "CronJob"):
            yield f"StatefulSet {name}: no dumps"
        container = spec["template"]["spec"]["containers"][0]
        [disk] = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "data"]
        # Never another: the next start would make a new, empty database there.
        if environment(container)["PGDATA"]["value"] != f"{disk}/pgdata":
            yield f"StatefulSet {name}: its data are not where they were"
    claims = [one for one in objects if one["kind"] == "PersistentVolumeClaim"]
    claims += [
        claim
        for one in of(objects, "StatefulSet").values()
        for claim in one["spec"]["volumeClaimTemplates"]
    ]
    for claim in claims:
        spec, labels = claim["spec"], claim["metadata"]["labels"]
        if spec.get("accessModes") != ["ReadWriteOnce"] or labels.get(_PART_OF) != NAMESPACE:
            yield f"claim {claim['metadata']['name']}: {spec}"
        if not quantity(spec["resources"]["requests"]["storage"]) > 0:
            yield f"claim {claim['metadata']['name']}: no room"


def dumps_are_made_every_day(objects: Objects) -> Iterator[str]:
    """One after the other, late rather than not at all, and tried again."""
    for name, one in of(objects, "CronJob").items():
        spec = one["spec"]
        if spec.get("concurrencyPolicy") != "Forbid":
            yield f"CronJob {name}: two at once"
        if not re.fullmatch(r"\d+ \d+ \* \* \*", spec.get("schedule", "")):
            yield f"CronJob {name}: not daily"
        if spec.get("timeZone") != "Etc/UTC" or not spec.get("startingDeadlineSeconds", 0) > 3600:
            yield f"CronJob {name}: a day may be passed over"
        job = spec["jobTemplate"]["spec"]
        if (
            not 0 < job.get("activeDeadlineSeconds", 0) < 86400
            or not job.get("backoffLimit", 0) > 0
        ):
            yield f"CronJob {name}: may hang, or never tries again"
        # A pod that is started again hides what the first one said.
        if job["template"]["spec"].get("restartPolicy") != "Never":
            yield f"CronJob {name}: {job['template']['spec'].get('restartPolicy')}"
        if spec["jobTemplate"].get("metadata", {}).get("labels", {}).get(_PART_OF) != NAMESPACE:
            yield f"CronJob {name}: its Jobs are no part of {NAMESPACE}"
