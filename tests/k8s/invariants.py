"""What holds of the manifests, whoever changes them.

Each invariant is a function that gives what is wrong, in words. None knows a number that is a
matter of taste; that every line is either held by one of them or named as such a matter is held by
test_mutations.py.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]
Objects = Sequence[Object]
Invariant = Callable[[Objects], Iterator[str]]

NAMESPACE = "labeling-ops"
SUPPLIED: Mapping[tuple[str, str], frozenset[str]] = {
    ("ConfigMap", "label-studio"): frozenset(),
    ("ConfigMap", "lakefs"): frozenset({"lakefs.yaml"}),
    ("Secret", "label-studio"): frozenset(
        {"secret-key", "database-password", "username", "password"}
    ),
    ("Secret", "lakefs"): frozenset(
        {
            "access-key-id",
            "auth-encrypt-secret-key",
            "database-connection-string",
            "secret-access-key",
            "signing-secret-key",
        }
    ),
    ("Secret", "postgres"): frozenset({"password", "lakefs-password", "label-studio-password"}),
}
"""What a cluster supplies: the keys of each Secret and ConfigMap the manifests do not make."""

_PUBLIC_KEYS = ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFOLQUICKSTART", "EXAMPLEKEY", "OVERRIDE_THIS")
_TELEMETRY: Mapping[str, Mapping[str, str]] = {
    "label-studio": {
        "COLLECT_ANALYTICS": "false",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
    },
    "lakefs": {
        "LAKEFS_EMAIL_SUBSCRIPTION_ENABLED": "false",
        "LAKEFS_SECURITY_CHECK_LATEST_VERSION": "false",
        "LAKEFS_STATS_ENABLED": "false",
    },
}
_CLOSED: Mapping[str, Mapping[str, str]] = {
    "label-studio": {
        "DJANGO_DB": "default",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "false",
        "SKIP_DB_MIGRATIONS": "true",
        # There is no nginx beside it.
        "USE_NGINX_FOR_EXPORT_DOWNLOADS": "false",
        "USE_NGINX_FOR_UPLOADS": "false",
    },
}
_CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}
_PRIVATE = frozenset(
    {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
)
_UNITS = {"Ki": 2**10, "Mi": 2**20, "MiB": 2**20, "Gi": 2**30, "GiB": 2**30, "m": 1e-3, "": 1}


# Finding one's way.


def of(objects: Objects, kind: str) -> Mapping[str, Object]:
    """All objects of a kind, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def label(one: Object) -> str:
    """The name of the program an object belongs to."""
    return str(one.get("metadata", {}).get("labels", {}).get("app.kubernetes.io/name", ""))


def pod_templates(objects: Objects) -> Mapping[str, Object]:
    """The pod template of everything that makes pods, by kind and name."""
    found: dict[str, Object] = {}
    for one in objects:
        where = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] in {"Deployment", "StatefulSet"}:
            found[where] = one["spec"]["template"]
        elif one["kind"] == "CronJob":
            found[where] = one["spec"]["jobTemplate"]["spec"]["template"]
    return found


def containers(objects: Objects) -> Iterator[tuple[str, Object]]:
    """All containers, init containers too, with where they are."""
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield f"{where}, container {container['name']}", container


def servers(objects: Objects) -> Iterator[tuple[str, Object]]:
    """The containers that serve."""
    for where, template in pod_templates(objects).items():
        if not where.startswith("CronJob"):
            for container in template["spec"]["containers"]:
                yield f"{where}, container {container['name']}", container


def environment(container: Object) -> Mapping[str, Object]:
    """The variables of a container, by name."""
    return {one["name"]: one for one in container.get("env", [])}


def quantity(said: object) -> float:
    """A number of Kubernetes' or Go's, in bytes or processors."""
    matched = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(said))
    return float(matched[1]) * _UNITS[matched[2]] if matched else float("nan")


# Who a pod is and what it may do.


def pods_are_restricted(objects: Objects) -> Iterator[str]:
    """No pod runs as root, shares anything of its node's, or sees the API server's token."""
    accounts = of(objects, "ServiceAccount")
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        said = pod.get("securityContext", {})
        if said.get("runAsNonRoot") is not True:
            yield f"{where}: may run as root"
        ids = [said.get(name, 0) for name in ("runAsUser", "runAsGroup", "fsGroup")]
        if not all(isinstance(one, int) and one > 0 for one in ids):
            yield f"{where}: no ids of its own"
        if said.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{where}: any system call"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{where}: has a token of the API server"
        if pod.get("enableServiceLinks") is not False:
            yield f"{where}: every Service puts its variables among its settings"
        if pod.get("serviceAccountName") not in accounts:
            yield f"{where}: no account of its own"
        if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{where}: shares its node's"
    for name, account in accounts.items():
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {name}: a token for every pod"


def containers_are_restricted(objects: Objects) -> Iterator[str]:
    """Every container has the one security context, and limits to all it takes."""
    for where, container in containers(objects):
        if container.get("securityContext") != _CONTAINER_SECURITY:
            yield f"{where}: security context {container.get('securityContext')}"
        resources = container.get("resources", {})
        for name in ("cpu", "memory", "ephemeral-storage"):
            least = quantity(resources.get("requests", {}).get(name))
            if not 0 < least <= quantity(resources.get("limits", {}).get(name)):
                yield f"{where}: {name} from {least} to {resources.get('limits')}"


def images_are_pinned(objects: Objects) -> Iterator[str]:
    """Every image has a version, and a program one version."""
    for where, container in containers(objects):
        tagged = re.fullmatch(
            r"[a-z0-9./-]+:([0-9]+\.[0-9][^@:]*)(@sha256:[0-9a-f]{64})?", container["image"]
        )
        if tagged is None:
            yield f"{where}: image {container['image']}"
    by_program = {
        container["image"].split(":")[0]: set[str]() for _, container in containers(objects)
    }
    for _, container in containers(objects):
        by_program[container["image"].split(":")[0]].add(container["image"])
    for program, images in by_program.items():
        if len(images) > 1:
            yield f"{program}: {sorted(images)}"


# What it is given.


def nothing_secret_is_said(objects: Objects) -> Iterator[str]:
    """Secrets are supplied, not written here: no Secret, no literal, no key the world knows."""
    for name in of(objects, "Secret"):
        yield f"Secret {name} is written here"
    text = json.dumps(list(objects))
    for known in _PUBLIC_KEYS:
        if known in text:
            yield f"a public key: {known}"
    for where, container in containers(objects):
        for name, variable in environment(container).items():
            secret = re.search(r"SECRET|PASSWORD|CONNECTION_STRING|ACCESS_KEY|USERNAME", name)
            if secret and "secretKeyRef" not in variable.get("valueFrom", {}):
                yield f"{where}: {name} does not come from a Secret"


def references_are_supplied(objects: Objects) -> Iterator[str]:
    """What a pod reads is made here or is in the contract, and all of the contract is read."""
    made = {(one["kind"], one["metadata"]["name"]) for one in objects}
    read = dict.fromkeys(SUPPLIED, frozenset[str]())
    for where, template in pod_templates(objects).items():
        for kind, name, keys in _references(template["spec"]):
            if (kind, name) in SUPPLIED:
                read[kind, name] |= keys
                if not keys <= SUPPLIED[kind, name]:
                    yield f"{where}: {kind} {name} has no {sorted(keys - SUPPLIED[kind, name])}"
            elif (kind, name) not in made:
                yield f"{where}: nobody makes {kind} {name}"
    with_postgres = ("StatefulSet", "postgres") in made
    for (kind, name), keys in SUPPLIED.items():
        expected = keys - {"lakefs.yaml"} if with_postgres or name != "postgres" else set[str]()
        if read[kind, name] != expected:
            yield f"{kind} {name}: nobody reads {sorted(expected - read[kind, name])}"


def _references(pod: Object) -> Iterator[tuple[str, str, frozenset[str]]]:
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield "Secret", reference["name"], frozenset({reference["key"]})
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"], frozenset()
    for volume in pod["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], frozenset()
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], frozenset()


def settings_are_closed(objects: Objects) -> Iterator[str]:
    """No telemetry, no sign-up, no tokens that never end, no migrations beside set-up's."""
    for where, container in containers(objects):
        name = container["name"]
        program = "label-studio" if "label-studio" in container["image"] else name
        said = {key: one.get("value") for key, one in environment(container).items()}
        expected = {**_TELEMETRY.get(program, {}), **_CLOSED.get(name, {})}
        for variable, value in expected.items():
            if said.get(variable) != value:
                yield f"{where}: {variable} is {said.get(variable)}"
        if (
            program == "label-studio"
            and said.get("LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN") != "false"
        ):
            yield f"{where}: the organization may be made with tokens that never end"


def memory_is_known_to_go(objects: Objects) -> Iterator[str]:
    """LakeFS tidies up before the kernel would kill it."""
    for where, container in containers(objects):
        if "lakefs" in container["image"]:
            told = quantity(environment(container).get("GOMEMLIMIT", {}).get("value"))
            limit = quantity(container["resources"]["limits"]["memory"])
            if not 0.7 * limit <= told <= 0.85 * limit:
                yield f"{where}: GOMEMLIMIT is {told / limit:.0%} of its memory"


def files_are_where_they_are_looked_for(objects: Objects) -> Iterator[str]:
    """Every volume is mounted and every mount is a volume; what is written to has a bound."""
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        claimed = {"data"} if where.startswith("StatefulSet") else set[str]()
        made = {one["name"] for one in pod["volumes"]} | claimed
        mounted: set[str] = set()
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            mounts = {one["name"]: one for one in container["volumeMounts"]}
            mounted |= set(mounts)
            for volume in pod["volumes"]:
                mount = mounts.get(volume["name"])
                if mount and "configMap" in volume and mount.get("readOnly") is not True:
                    yield f"{where}: {volume['name']} is not read-only"
            yield from _paths_not_mounted(where, container)
        if mounted != made:
            yield f"{where}: volumes {sorted(made)}, mounted {sorted(mounted)}"
        for volume in pod["volumes"]:
            if "emptyDir" in volume and not quantity(volume["emptyDir"].get("sizeLimit")) > 0:
                yield f"{where}: {volume['name']} may fill its node"
            if "hostPath" in volume:
                yield f"{where}: {volume['name']} is its node's"


_WRITTEN = ("HOME", "TMPDIR", "LABEL_STUDIO_BASE_DATA_DIR", "LAKEFS_COMMITTED_LOCAL_CACHE_DIR")
_WRITTEN_BY: Mapping[str, tuple[str, ...]] = {
    "label-studio": ("HOME", "TMPDIR", "LABEL_STUDIO_BASE_DATA_DIR"),
    "lakefs": ("HOME", "TMPDIR", "LAKEFS_COMMITTED_LOCAL_CACHE_DIR"),
    "set-up": ("HOME", "TMPDIR"),
}


def _paths_not_mounted(where: str, container: Object) -> Iterator[str]:
    """The root is read-only: what is written to and what is run must be on a volume."""
    mounts = [one["mountPath"] for one in container["volumeMounts"]]
    said = {name: one.get("value", "") for name, one in environment(container).items()}
    paths = [said.get(name, "") for name in _WRITTEN_BY.get(container["name"], ())]
    paths += [said[name] for name in _WRITTEN if name in said]
    paths += [one for one in container.get("command", [])[1:] if re.match(r"/(opt|etc)/", one)]
    for path in paths:
        if not any(path == mount or path.startswith(f"{mount}/") for mount in mounts):
            yield f"{where}: {path or 'a directory it writes to'} is on no volume"


# How it lives.


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
        if "null" in asked.values():
            yield f"{where}: probes {asked}"
        if asked["readiness"] == asked["liveness"]:
            yield f"{where}: is ready when it is only alive"
        ports = {one["name"] for one in container.get("ports", [])}
        for name, probe in probes.items():
            if "httpGet" in probe and probe["httpGet"].get("port") not in ports:
                yield f"{where}: the {name} probe asks no port of its own"
            if not probe.get("timeoutSeconds", 0) <= probe.get("periodSeconds", 0):
                yield f"{where}: {name} probes overlap"
        patience = {
            name: probe.get("periodSeconds", 0) * probe.get("failureThreshold", 0)
            for name, probe in probes.items()
        }
        if not (patience["startup"] >= 60 <= patience["liveness"] > patience["readiness"] > 0):
            yield f"{where}: patience {patience}"


def readiness_asks_the_database(objects: Objects) -> Iterator[str]:
    """What a readiness probe asks is known to fail without the database."""
    known = {"lakefs": "/api/v1/setup_lakefs", "label-studio": "/ready"}
    for where, container in servers(objects):
        if container["name"] in known:
            path = container.get("readinessProbe", {}).get("httpGet", {}).get("path")
            if path != known[container["name"]]:
                yield f"{where}: ready by {path}"
        elif "select 1" not in container.get("readinessProbe", {}).get("exec", {}).get(
            "command", []
        ):
            yield f"{where}: ready without a query"


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


def replacing_takes_nothing_away(objects: Objects) -> Iterator[str]:
    """A rollout never has fewer pods than asked for, and a drain takes one at a time."""
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
        if not zones or any(
            one.get("labelSelector") != selector
            or one.get("matchLabelKeys") != ["pod-template-hash"]
            or one.get("maxSkew") != 1
            for one in constraints
        ):
            yield f"Deployment {name}: {constraints}"
    serving = [one for one in objects if one["kind"] in {"Deployment", "StatefulSet"}]
    budgets = of(objects, "PodDisruptionBudget")
    for one in serving:
        name = one["metadata"]["name"]
        budget = budgets.get(name, {}).get("spec", {})
        if budget.get("selector") != one["spec"]["selector"] or budget.get("maxUnavailable") != 1:
            yield f"{name}: budget {budget}"
        elif budget.get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{name}: a pod that never gets ready holds up its node's drain"


def labels_lead_to_pods(objects: Objects) -> Iterator[str]:
    """Whatever selects pods selects the pods of its own name, at ports they have."""
    templates = {label(one): one for one in pod_templates(objects).values()}
    for one in objects:
        where = f"{one['kind']} {one['metadata']['name']}"
        labels = one["metadata"].get("labels", {})
        if labels.get("app.kubernetes.io/part-of") != NAMESPACE:
            yield f"{where}: is no part of {NAMESPACE}"
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") != NAMESPACE:
            yield f"{where}: in no namespace"
        if one["kind"] in {"Deployment", "StatefulSet", "Service", "PodDisruptionBudget"}:
            if label(one) != one["metadata"]["name"]:
                yield f"{where}: labeled {label(one)}"
    for where, template in pod_templates(objects).items():
        if label(template) != where.split()[1]:
            yield f"{where}: its pods are labeled {label(template)}"
        if template["metadata"]["labels"].get("app.kubernetes.io/part-of") != NAMESPACE:
            yield f"{where}: its pods are no part of {NAMESPACE}"
    for name, service in of(objects, "Service").items():
        spec = service["spec"]
        if spec.get("type") != "ClusterIP" or spec.get("selector") != {
            "app.kubernetes.io/name": name
        }:
            yield f"Service {name}: {spec}"
        for port in spec["ports"]:
            owned = templates[name]["spec"]["containers"][0].get("ports", [])
            numbers = {(one["name"], one["containerPort"]) for one in owned}
            if (port.get("targetPort"), port.get("port")) not in numbers or port.get(
                "name"
            ) != port.get("targetPort"):
                yield f"Service {name}: {port}"


# Who may talk to whom.


def everything_is_denied(objects: Objects) -> Iterator[str]:
    """Nothing may talk but by a policy that names whom, and by which ports."""
    policies = of(objects, "NetworkPolicy")
    denied = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
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
                    and set(block.get("except", [])) != _PRIVATE
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
    allowed = set(_allowed(objects))
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
    for one in sorted(needed ^ allowed, key=str):
        yield f"{'needed' if one in needed else 'not needed'}: {one}"


def _allowed(objects: Objects) -> Iterator[tuple[object, ...]]:
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


# What holds the data.


def namespace_is_restricted(objects: Objects) -> Iterator[str]:
    """The API server refuses a pod that is not restricted, and says so before it does."""
    labels = of(objects, "Namespace").get(NAMESPACE, {}).get("metadata", {}).get("labels", {})
    for mode in ("enforce", "warn", "audit"):
        if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
            yield f"Namespace: {mode} is {labels.get(f'pod-security.kubernetes.io/{mode}')}"


def data_outlives_its_pods(objects: Objects) -> Iterator[str]:
    """One database, on a disk that stays; dumps on another, one after the other."""
    for name, one in of(objects, "StatefulSet").items():
        spec = one["spec"]
        kept = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        if spec.get("persistentVolumeClaimRetentionPolicy") != kept:
            yield f"StatefulSet {name}: its disk goes with it"
        if spec.get("replicas") != 1 or len(spec.get("volumeClaimTemplates", [])) != 1:
            yield f"StatefulSet {name}: not one database on one disk"
        if spec.get("serviceName") not in of(objects, "Service"):
            yield f"StatefulSet {name}: no Service of its own"
        if "CronJob" not in {one["kind"] for one in objects}:
            yield f"StatefulSet {name}: no dumps"
        data = environment(spec["template"]["spec"]["containers"][0])["PGDATA"]["value"]
        mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
        [disk] = [one["mountPath"] for one in mounts if one["name"] == "data"]
        if not data.startswith(f"{disk}/"):
            yield f"StatefulSet {name}: its data are not on its disk"
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


INVARIANTS: Sequence[Invariant] = (
    pods_are_restricted,
    containers_are_restricted,
    images_are_pinned,
    nothing_secret_is_said,
    references_are_supplied,
    settings_are_closed,
    memory_is_known_to_go,
    files_are_where_they_are_looked_for,
    probes_mean_something,
    readiness_asks_the_database,
    set_up_comes_first,
    ends_are_gentle,
    replacing_takes_nothing_away,
    labels_lead_to_pods,
    everything_is_denied,
    what_must_talk_may,
    namespace_is_restricted,
    data_outlives_its_pods,
)


def problems(objects: Objects) -> Sequence[str]:
    """Whatever any invariant has to say, an object it cannot even read included."""
    found: list[str] = []
    for invariant in INVARIANTS:
        try:
            found += [f"{invariant.__name__}: {one}" for one in invariant(objects)]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            found.append(f"{invariant.__name__}: cannot read this: {error!r}")
    return found
