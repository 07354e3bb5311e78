"""How the program declares: components, providers, protection, what it must never declare."""

from collections.abc import Iterator

from tests.infra.answers import COMPONENT_PREFIX
from tests.infra.invariants.rule import (
    called,
    cloud,
    invariant,
    is_set,
    kubernetes,
    waited_for,
)
from tests.infra.recording import Recorded

# What cannot be had again once it is gone: data, keys, and the passwords stored data is under.
HOLDING_DATA = (
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:kms/keyRing:KeyRing",
    "gcp:sql/databaseInstance:DatabaseInstance",
    "gcp:storage/bucket:Bucket",
    "random:index/randomPassword:RandomPassword",
    "random:index/randomString:RandomString",
)
# Components whose objects GKE makes load balancers of.
_BALANCED = (":Exposure::", ":TrainingAccess::")
_CLUSTER = "gcp:container/cluster:Cluster"

# The API that must be on before a resource of a package can be made.
_APIS = {
    "gcp:billing/": "billingbudgets",
    "gcp:certificatemanager/": "certificatemanager",
    "gcp:compute/": "compute",
    "gcp:container/": "container",
    "gcp:dns/": "dns",
    "gcp:gkebackup/": "gkebackup",
    "gcp:iap/": "iap",
    "gcp:kms/": "cloudkms",
    "gcp:monitoring/": "monitoring",
    "gcp:secretmanager/": "secretmanager",
    "gcp:serviceaccount/": "iam",
    "gcp:servicenetworking/": "servicenetworking",
    "gcp:sql/": "sqladmin",
    "gcp:storage/": "storage",
}


@invariant
def every_component_registers_its_outputs(recorded: Recorded) -> Iterator[str]:
    """Else Pulumi shows it as unfinished, and its outputs are not in the state."""
    for each in recorded.resources:
        if each.type.startswith(COMPONENT_PREFIX) and each.urn not in recorded.parents_finished:
            yield f"{called(each)} does not"


@invariant
def every_resource_has_a_component_for_parent(recorded: Recorded) -> Iterator[str]:
    """Providers and components alone stand at the root."""
    for each in recorded.resources:
        is_root = each.type.startswith((COMPONENT_PREFIX, "pulumi:providers:"))
        if not is_root and COMPONENT_PREFIX not in each.parent:
            yield f"{called(each)} stands at the root"


@invariant
def every_kubernetes_object_uses_the_cluster_s_provider(recorded: Recorded) -> Iterator[str]:
    """The default provider is whatever kubeconfig lies on the machine."""
    (provider,) = recorded.of("pulumi:providers:kubernetes")
    for each in kubernetes(recorded):
        if each.provider != provider.urn:
            yield f"{called(each)} uses {each.provider or 'the default one'}"


@invariant
def the_kubernetes_provider_lives_with_its_cluster(recorded: Recorded) -> Iterator[str]:
    """Secret kubeconfig, server-side apply, and no waiting for a cluster that is gone."""
    (provider,) = recorded.of("pulumi:providers:kubernetes")
    if not provider.is_secret("kubeconfig"):
        yield "its kubeconfig is not secret"
    for key in ("enableServerSideApply", "deleteUnreachable"):
        if provider.inputs.get(key) not in {True, "true"}:
            yield f"{key} is {provider.inputs.get(key)!r}"
    if not provider.inputs.get("clusterIdentifier"):
        yield "a changed kubeconfig would replace it and all it declared"


@invariant
def every_kubernetes_object_goes_with_its_namespace(recorded: Recorded) -> Iterator[str]:
    """And that is asked for: what GKE made for it would outlive the cluster and hold the network.

    What GKE makes load balancers of is asked for one by one, before.
    """
    (namespace,) = kubernetes(recorded, "Namespace")
    for each in kubernetes(recorded):
        is_balancer = any(component in each.parent for component in _BALANCED)
        is_asked_for = is_balancer or each.urn == namespace.urn
        if each.deleted_with != ("" if is_asked_for else namespace.urn):
            yield f"{called(each)} is deleted with {each.deleted_with or 'nothing'}"


@invariant
def what_holds_data_is_protected_as_asked(recorded: Recorded) -> Iterator[str]:
    """All of it where `protect` is on; none of it where it is off, or a teardown would stop."""
    wanted = is_set(recorded, "protect")
    for each in recorded.resources:
        if each.type in {*HOLDING_DATA, _CLUSTER} and each.protect != wanted:
            yield f"{called(each)} is {'not ' if wanted else ''}protected"
        if each.protect and not wanted:
            yield f"{called(each)} would hold up a teardown"


@invariant
def an_unprotected_stack_leaves_nothing_behind(recorded: Recorded) -> Iterator[str]:
    """`retain_on_delete` would leave paid things running that no program knows of."""
    for each in recorded.resources:
        if each.retain_on_delete and not is_set(recorded, "protect"):
            yield f"{called(each)} would stay"


@invariant
def apis_stay_enabled(recorded: Recorded) -> Iterator[str]:
    """Another program in the project may need them."""
    for each in recorded.of("projects/service:Service"):
        if each.inputs.get("disableOnDestroy") is not False:
            yield f"{each.inputs['service']} would be disabled"


@invariant
def every_api_is_on_before_it_is_used(recorded: Recorded) -> Iterator[str]:
    """Else the first `pulumi up` in an empty project fails somewhere."""
    enabled = {
        str(each.inputs["service"]).partition(".")[0]: each.urn
        for each in recorded.of("projects/service:Service")
    }
    for each in cloud(recorded):
        for prefix, api in _APIS.items():
            if each.type.startswith(prefix) and enabled.get(api) not in waited_for(recorded, each):
                yield f"{called(each)} does not wait for {api}"


@invariant
def nothing_is_declared_that_needs_a_provider_s_own_code(recorded: Recorded) -> Iterator[str]:
    """Charts and YAML components fail in a preview before there is a cluster."""
    for each in recorded.resources:
        if each.type.startswith(("kubernetes:helm", "kubernetes:yaml", "kubernetes:kustomize")):
            yield called(each)


@invariant
def everything_that_takes_labels_says_whose_it_is(recorded: Recorded) -> Iterator[str]:
    """`app` and `stack`: for bills, and to find what belongs together."""
    places = {
        "gcp:container/cluster:Cluster": "resourceLabels",
        "gcp:kms/cryptoKey:CryptoKey": "labels",
        "gcp:secretmanager/secret:Secret": "labels",
        "gcp:sql/databaseInstance:DatabaseInstance": "settings.userLabels",
        "gcp:storage/bucket:Bucket": "labels",
    }
    for each in cloud(recorded):
        if each.type in places:
            labels = each.table_at(places[each.type])
            yield from (
                f"{called(each)}: no {key}" for key in ("app", "stack") if key not in labels
            )
