"""What runs in the cluster: the manifests of k8s/, and what only the cloud knows of them.

Owns turning Kubernetes objects into typed resources, in an order in which nothing starts too early,
and adding to them: who a pod is to Google Cloud, its ConfigMap and Secrets, how many there are, and
a digest by which a changed configuration rolls the pods. Does not describe a container; a kind
without a row in KINDS is refused.

A teardown deletes the namespace and asks for nothing in it one by one. It does not leave that to
the cluster's deletion: disks of claims, and what GKE made for Services, would outlive the cluster,
cost money, and hold on to the network.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from infra.cluster import Cluster
from infra.objects import Object, kind_of, merged, name_of, sources_of, with_variable

Data = Mapping[str, pulumi.Input[str]]

KINDS: Mapping[str, Callable[..., pulumi.CustomResource]] = {
    "apps/v1 Deployment": kubernetes.apps.v1.Deployment,
    "apps/v1 StatefulSet": kubernetes.apps.v1.StatefulSet,
    "batch/v1 CronJob": kubernetes.batch.v1.CronJob,
    "networking.k8s.io/v1 NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
    "policy/v1 PodDisruptionBudget": kubernetes.policy.v1.PodDisruptionBudget,
    "v1 ConfigMap": kubernetes.core.v1.ConfigMap,
    "v1 Namespace": kubernetes.core.v1.Namespace,
    "v1 PersistentVolumeClaim": kubernetes.core.v1.PersistentVolumeClaim,
    "v1 Secret": kubernetes.core.v1.Secret,
    "v1 Service": kubernetes.core.v1.Service,
    "v1 ServiceAccount": kubernetes.core.v1.ServiceAccount,
}

DIGEST = "labeling-ops.dev/configuration-digest"
"""Annotation of a pod template: SHA-256 of all ConfigMaps and Secrets its pods read."""
KEEP_DAYS = "KEEP_DAYS"
"""Environment variable of k8s/components/postgres/back-up.sh."""
ACCOUNT = "iam.gke.io/gcp-service-account"
_SKIP_AWAIT = "pulumi.com/skipAwait"

# What a pod needs before it starts. Services are not among it: Pulumi waits for one until pods
# answer, and a Deployment that waited for its Service would wait for ever.
_FIRST = ("ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "Secret", "ServiceAccount")
_RUNNING = ("StatefulSet", "Deployment", "CronJob")
# A node may have to be made first, and Label Studio migrates an empty database for minutes.
_PATIENCE = pulumi.CustomTimeouts(create="20m", update="20m", delete="10m")


class UnsupportedObjectError(pulumi.RunError):
    """An object of k8s/ that this program cannot declare, or that reads what nothing supplies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadsArgs:
    """The objects, and what is added to them.

    Attributes:
        objects: of an overlay, from infra/manifests.py.
        namespace: theirs.
        replicas: by Deployment.
        accounts: e-mail of the Google service account, by Kubernetes ServiceAccount.
        config_maps: data, by name; these objects are not in k8s/.
        secrets: data, by name; neither are these.
        backup_days: how long a CronJob keeps what it dumped, where there is one.
        ready: what must stand before a pod starts, as databases and permissions.
        protect: whether Pulumi refuses to delete the namespace, which holds all the rest.
        placements: on which nodes a Deployment's pods may be, as fields of their spec.
    """

    objects: Sequence[Object]
    namespace: str
    cluster: Cluster
    replicas: Mapping[str, int]
    accounts: Mapping[str, pulumi.Input[str]]
    config_maps: Mapping[str, Data]
    secrets: Mapping[str, Data]
    backup_days: int
    ready: Sequence[pulumi.Resource]
    protect: bool
    placements: Mapping[str, Object] = field(default_factory=dict[str, Object])


class Workloads(pulumi.ComponentResource):
    """The namespace and all in it.

    Attributes:
        namespace: its resource.
        running: resources of what has pods, for whom to wait.
    """

    namespace: pulumi.Resource
    running: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: WorkloadsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare every object.

        Raises:
            UnsupportedObjectError: a kind has no class here, an object is declared twice, there is
                not exactly one Namespace, something is meant for an object that is not there, or a
                pod reads a ConfigMap or Secret that nothing supplies.
        """
        super().__init__("labeling-ops:infra:Workloads", name, None, opts)
        self._cluster = args.cluster
        objects = [*_supplied(args), *args.objects]
        _check(objects, args)
        by_kind: dict[str, list[Object]] = {}
        for each in objects:
            by_kind.setdefault(each["kind"], []).append(_completed(each, objects, args))
        (namespace,) = by_kind.pop("Namespace")
        ready = [*args.ready, *args.cluster.nodes]
        self.namespace = self._namespace(namespace, ready, protect=args.protect)
        before = [self.namespace]
        first = [self._within(each, before) for kind in _FIRST for each in by_kind.pop(kind, [])]
        started = [*before, *first]
        running: list[pulumi.Resource] = []
        for kind in _RUNNING:
            wait_for = [*started, *running]
            running += [self._within(each, wait_for) for each in by_kind.pop(kind, [])]
        for rest in by_kind.values():
            for each in rest:
                self._within(each, before)
        self.running = running
        self.register_outputs({})

    def _namespace(
        self, body: Object, wait_for: Sequence[pulumi.Resource], *, protect: bool
    ) -> pulumi.Resource:
        """The namespace, and so all in it, after what pods need, and deleted before that."""
        return self._declare(
            body,
            pulumi.ResourceOptions(
                protect=protect,
                depends_on=[*wait_for],
                # Servers end their requests, disks are given back: that takes minutes.
                custom_timeouts=pulumi.CustomTimeouts(delete="20m"),
            ),
        )

    def _within(self, body: Object, wait_for: Sequence[pulumi.Resource]) -> pulumi.Resource:
        patience = _PATIENCE if body["kind"] in _RUNNING else None
        return self._declare(
            body,
            pulumi.ResourceOptions(
                deleted_with=self.namespace, depends_on=[*wait_for], custom_timeouts=patience
            ),
        )

    def _declare(self, body: Object, options: pulumi.ResourceOptions) -> pulumi.Resource:
        fields = {
            _snake_case(key): value
            for key, value in body.items()
            if key not in {"apiVersion", "kind"}
        }
        _, name = name_of(body)
        ours = pulumi.ResourceOptions(parent=self, provider=self._cluster.provider)
        return KINDS[kind_of(body)](
            name, **fields, opts=pulumi.ResourceOptions.merge(ours, options)
        )


def configuration_digest(sources: Mapping[str, Data]) -> pulumi.Output[str]:
    """SHA-256 of ConfigMaps and Secrets, in hexadecimal; no secret, though made of some.

    It stands on pod templates in plain text. Every Secret here holds keys of 190 bits and more, so
    nobody finds out what it was made of.
    """
    known = pulumi.Output.all(**{name: {**data} for name, data in sources.items()})
    return pulumi.Output.unsecret(known.apply(_digest))


def _digest(sources: Mapping[str, Mapping[str, str]]) -> str:
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()


def _supplied(args: WorkloadsArgs) -> Iterator[Object]:
    """The ConfigMaps and Secrets that k8s/ leaves to the cluster."""
    # All of a Secret, though a user's name is none: it is not worth telling apart.
    secrets = {
        name: {key: pulumi.Output.secret(value) for key, value in data.items()}
        for name, data in args.secrets.items()
    }
    config_maps = {name: {**data} for name, data in args.config_maps.items()}
    for kind, where, supplied in (
        ("ConfigMap", "data", config_maps),
        ("Secret", "stringData", secrets),
    ):
        for name, data in supplied.items():
            metadata = {"name": name, "namespace": args.namespace}
            yield {"apiVersion": "v1", "kind": kind, "metadata": metadata, where: data}


def _check(objects: Sequence[Object], args: WorkloadsArgs) -> None:
    """Look for what would be declared wrongly, or silently not at all.

    Raises:
        UnsupportedObjectError: there is such a thing.
    """
    for each in objects:
        if kind_of(each) not in KINDS:
            reason = f"infra/workloads.py has no class for {kind_of(each)!r}"
            raise UnsupportedObjectError(f"{name_of(each)}: {reason}; add its row")
    names = Counter(name_of(each) for each in objects)
    if twice := [name for name, count in names.items() if count > 1]:
        raise UnsupportedObjectError(f"declared twice, in k8s/ or here: {twice}")
    if [name for kind, name in names if kind == "Namespace"] != [args.namespace]:
        raise UnsupportedObjectError(f"k8s/ is to have one Namespace, {args.namespace!r}")
    meant = {
        *(("Deployment", name) for name in (*args.replicas, *args.placements)),
        *(("ServiceAccount", name) for name in args.accounts),
    }
    if missing := sorted(meant - {*names}):
        raise UnsupportedObjectError(f"to be changed here, and not in k8s/: {missing}")


def _completed(body: Object, objects: Sequence[Object], args: WorkloadsArgs) -> Object:
    """An object with what only the cloud knows of it."""
    kind, name = name_of(body)
    if kind == "ServiceAccount" and name in args.accounts:
        return merged(body, {"metadata": {"annotations": {ACCOUNT: args.accounts[name]}}})
    if kind == "PersistentVolumeClaim":
        # Bound only when its first pod is there: to wait for it would be to wait for ever.
        return merged(body, {"metadata": {"annotations": {_SKIP_AWAIT: "true"}}})
    if kind == "CronJob":
        _data_of(body, objects)
        return with_variable(body, KEEP_DAYS, str(args.backup_days))
    if kind not in {"Deployment", "StatefulSet"}:
        return body
    digest = configuration_digest(_data_of(body, objects))
    spec: dict[str, Any] = {"template": {"metadata": {"annotations": {DIGEST: digest}}}}
    if kind == "Deployment" and name in args.placements:
        spec["template"]["spec"] = args.placements[name]
    if kind == "Deployment" and name in args.replicas:
        spec["replicas"] = args.replicas[name]
    return merged(body, {"spec": spec})


def _data_of(body: Object, objects: Sequence[Object]) -> Mapping[str, Data]:
    """What a workload's pods read, by kind and name.

    Raises:
        UnsupportedObjectError: nothing supplies one of them, and its pods would hang for it.
    """
    supplied = {name_of(each): each for each in objects}
    wanted = sources_of(body)
    if missing := sorted(wanted - {*supplied}):
        raise UnsupportedObjectError(f"{name_of(body)} reads what nothing supplies: {missing}")
    return {
        f"{kind}/{name}": {
            key: value
            for field in ("data", "binaryData", "stringData")
            for key, value in supplied[kind, name].get(field, {}).items()
        }
        for kind, name in wanted
    }


def _snake_case(key: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
