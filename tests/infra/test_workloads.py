"""How manifests become resources: order, additions, and what is refused."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import manifests
from infra.configuration import IN_CLUSTER
from infra.naming import NAMESPACE
from infra.objects import merged, sources_of, with_variable
from infra.workloads import ACCOUNT, DIGEST, KINDS, UnsupportedObjectError
from tests.infra.answers import KUBERNETES
from tests.infra.parts import POOL, with_cluster, workloads
from tests.infra.recording import Recorded, Resource

Object = dict[str, Any]


def body(api_version: str, kind: str, name: str, **fields: object) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def deployment(name: str, *containers: Mapping[str, Any], **pod: object) -> Object:
    return body(
        "apps/v1",
        "Deployment",
        name,
        spec={
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"kept": "yes"}},
                "spec": {"containers": list(containers), **pod},
            },
        },
    )


NAMESPACE_OBJECT = body("v1", "Namespace", NAMESPACE)
READER = deployment("reader", {"name": "reader", "envFrom": [{"configMapRef": {"name": "words"}}]})
OTHER = deployment("other", {"name": "other", "envFrom": [{"secretRef": {"name": "keys"}}]})
PAIR = (NAMESPACE_OBJECT, READER, OTHER)
WORDS = {"words": {"key": "value"}}


def annotation(recorded: Recorded, name: str) -> object:
    declared = recorded.one("apps/v1:Deployment", name)
    return declared.table_at("spec.template.metadata.annotations")[DIGEST]


def pair(*, value: str = "value", key: str = "s3cret-s3cret") -> Recorded:
    return workloads(PAIR, config_maps={"words": {"key": value}}, secrets={"keys": {"p": key}})


def test_a_changed_configuration_rolls_the_pods_that_read_it_and_no_others() -> None:
    before, words, keys = pair(), pair(value="other"), pair(key="another-secret")
    assert annotation(before, "reader") == annotation(pair(), "reader")
    assert annotation(before, "reader") != annotation(words, "reader")
    assert annotation(before, "other") == annotation(words, "other")
    assert annotation(before, "reader") == annotation(keys, "reader")
    assert annotation(before, "other") != annotation(keys, "other")


def test_a_digest_is_no_secret_and_leaves_other_annotations_alone() -> None:
    declared = pair().one("apps/v1:Deployment", "other")
    assert not declared.secrets, "a secret digest would hide every change of the Deployment"
    assert declared.table_at("spec.template.metadata.annotations")["kept"] == "yes"
    digest = str(annotation(pair(), "other"))
    assert len(bytes.fromhex(digest)) == 32
    assert "s3cret" not in digest


def test_all_of_a_secret_is_secret_and_nothing_of_a_config_map() -> None:
    recorded = workloads(PAIR, config_maps=WORDS, secrets={"keys": {"user": "ann", "p": "x"}})
    secret = recorded.one("core/v1:Secret", "keys")
    assert secret.is_secret("stringData.user")
    assert secret.is_secret("stringData.p")
    assert secret.at("metadata.namespace") == NAMESPACE
    assert not recorded.one("core/v1:ConfigMap", "words").secrets


def test_pods_start_after_all_they_need_and_services_hold_up_nothing() -> None:
    recorded = whole("dev")
    namespace = recorded.one("core/v1:Namespace").urn
    database = recorded.one("apps/v1:StatefulSet")
    services = {each.urn for each in recorded.of("core/v1:Service")}
    needed = {
        each.urn
        for kind in ("ConfigMap", "PersistentVolumeClaim", "Secret", "ServiceAccount")
        for each in recorded.of(f"core/v1:{kind}")
    } | {each.urn for each in recorded.of("networking.k8s.io/v1:NetworkPolicy")}
    for each in (database, *recorded.of("apps/v1:Deployment"), *recorded.of("batch/v1:CronJob")):
        assert needed | {namespace} <= each.depends_on
        assert not services & each.depends_on, "Pulumi waits for a Service until pods answer"
    for each in (*recorded.of("apps/v1:Deployment"), *recorded.of("batch/v1:CronJob")):
        assert database.urn in each.depends_on
    cluster = recorded.one("container/cluster:Cluster").urn
    for each in objects(recorded):
        assert (cluster if each.urn == namespace else namespace) in each.depends_on


def test_standard_nodes_stand_before_pods() -> None:
    def declare(cluster: Any) -> None:  # noqa: ANN401 - only its nodes matter here
        from infra.workloads import Workloads, WorkloadsArgs

        Workloads(
            "workloads",
            WorkloadsArgs(
                objects=[NAMESPACE_OBJECT, READER],
                namespace=NAMESPACE,
                cluster=cluster,
                replicas={},
                accounts={},
                config_maps=WORDS,
                secrets={},
                backup_days=14,
                ready=[],
                protect=False,
            ),
        )

    recorded = with_cluster(declare, pool=POOL)
    assert recorded.one("NodePool").urn in recorded.one("core/v1:Namespace").depends_on


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_every_object_of_an_overlay_is_declared_as_it_is_written(overlay: str) -> None:
    recorded = whole(overlay)
    declared = {(each.inputs["kind"], each.at("metadata.name")): each for each in objects(recorded)}
    for written in manifests.load(overlay):
        found = declared[written["kind"], written["metadata"]["name"]]
        assert found.inputs["apiVersion"] == written["apiVersion"]
        assert _holds(found.inputs, written), found.name


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_everything_goes_with_the_namespace_which_is_asked_for(overlay: str) -> None:
    recorded = whole(overlay)
    (provider,) = recorded.of("pulumi:providers:kubernetes")
    namespace = recorded.one("core/v1:Namespace").urn
    for each in objects(recorded):
        assert each.provider == provider.urn
        assert each.deleted_with == ("" if each.urn == namespace else namespace)


def test_counts_and_accounts_are_the_cloud_s() -> None:
    recorded = whole("prod", replicas={"lakefs": 7, "label-studio": 3})
    assert recorded.one("apps/v1:Deployment", "lakefs").at("spec.replicas") == 7
    assert recorded.one("apps/v1:Deployment", "label-studio").at("spec.replicas") == 3
    account = recorded.one("core/v1:ServiceAccount", "lakefs")
    assert account.table_at("metadata.annotations") == {ACCOUNT: "lakefs@example.org"}
    assert not recorded.one("core/v1:ServiceAccount", "label-studio").table_at(
        "metadata.annotations"
    )


def test_a_claim_that_is_bound_by_its_first_pod_is_not_waited_for() -> None:
    claim = whole("dev").one("core/v1:PersistentVolumeClaim")
    assert claim.table_at("metadata.annotations") == {"pulumi.com/skipAwait": "true"}


def test_the_namespace_is_protected_as_asked_and_nothing_else_is() -> None:
    for protect in (True, False):
        recorded = workloads([NAMESPACE_OBJECT, READER], config_maps=WORDS, protect=protect)
        protected = [each.name for each in objects(recorded) if each.protect]
        assert protected == ([NAMESPACE] if protect else [])


@pytest.mark.parametrize(
    ("objects_", "settings", "told"),
    [
        ([NAMESPACE_OBJECT, body("batch/v1", "Job", "j", spec={})], {}, "no class for 'batch/v1"),
        ([NAMESPACE_OBJECT, READER, READER], {"config_maps": WORDS}, "declared twice"),
        (
            [NAMESPACE_OBJECT, body("v1", "ConfigMap", "words", data={})],
            {"config_maps": WORDS},
            "declared twice",
        ),
        ([READER], {"config_maps": WORDS}, "one Namespace"),
        ([NAMESPACE_OBJECT, body("v1", "Namespace", "another")], {}, "one Namespace"),
        ([NAMESPACE_OBJECT], {"replicas": {"lakefs": 1}}, "not in k8s/.*'lakefs'"),
        ([NAMESPACE_OBJECT], {"accounts": {"lakefs": "a@b"}}, "not in k8s/.*'ServiceAccount'"),
        ([NAMESPACE_OBJECT, READER], {}, "nothing supplies.*'words'"),
        ([NAMESPACE_OBJECT, OTHER], {"secrets": {"other": {}}}, "nothing supplies.*'keys'"),
    ],
)
def test_what_would_fail_in_the_cluster_is_refused_here(
    objects_: Sequence[Object], settings: Mapping[str, Any], told: str
) -> None:
    with pytest.raises(UnsupportedObjectError, match=told):
        workloads(objects_, **settings)


def test_a_cron_job_that_reads_what_nothing_supplies_is_refused() -> None:
    template = READER["spec"]["template"]
    job = body("batch/v1", "CronJob", "j", spec={"jobTemplate": {"spec": {"template": template}}})
    with pytest.raises(UnsupportedObjectError, match="nothing supplies"):
        workloads([NAMESPACE_OBJECT, job])


def test_every_kind_is_known_to_the_tests_of_the_whole_program() -> None:
    tokens = {
        f"kubernetes:{kind.replace('v1 ', 'core/v1 ', 1) if kind.startswith('v1 ') else kind}"
        for kind in KINDS
    }
    assert {token.replace(" ", ":") for token in tokens} <= {*KUBERNETES}


def test_a_configuration_is_found_in_every_way_a_pod_can_read_it() -> None:
    pod = deployment(
        "all",
        {
            "name": "one",
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c1", "key": "k"}}},
            ],
            "envFrom": [{"secretRef": {"name": "s2"}}, {"configMapRef": {"name": "c2"}}],
        },
        initContainers=[{"name": "i", "envFrom": [{"configMapRef": {"name": "c3"}}]}],
        volumes=[
            {"name": "v", "secret": {"secretName": "s3"}},
            {"name": "w", "configMap": {"name": "c4"}},
            {"name": "x", "projected": {"sources": [{"secret": {"name": "s4"}}]}},
            {"name": "y", "configMap": {"name": "not-needed", "optional": True}},
            {"name": "z", "emptyDir": {"sizeLimit": "1Mi"}},
        ],
    )
    assert sources_of(pod) == {
        *(("ConfigMap", f"c{number}") for number in range(1, 5)),
        *(("Secret", f"s{number}") for number in range(1, 5)),
    }


_TREES = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.integers() | st.lists(st.integers(), max_size=2),
        lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(_TREES, _TREES)
def test_laying_over_keeps_what_is_not_named_and_takes_what_is(
    base: Object, change: Object
) -> None:
    before = copy.deepcopy((base, change))
    result = merged(base, change)
    assert (base, change) == before, "nothing is changed in place"
    assert merged(base, {}) == base
    assert merged(result, change) == result
    assert _holds(result, change)
    assert {key: result[key] for key in base.keys() - change.keys()} == {
        key: base[key] for key in base.keys() - change.keys()
    }


def whole(overlay: str, *, replicas: Mapping[str, int] | None = None) -> Recorded:
    """An overlay with ConfigMaps and Secrets of the right names and nothing much in them."""
    secrets = ["lakefs", "label-studio"]
    if overlay == "dev":
        secrets.append(str(IN_CLUSTER.host))
    return workloads(
        manifests.load(overlay),
        replicas=replicas,
        accounts={"lakefs": "lakefs@example.org"},
        config_maps={"lakefs": {"lakefs.yaml": "{}"}, "label-studio": {"A": "b"}},
        secrets={name: {"password": "x"} for name in secrets},
    )


def objects(recorded: Recorded) -> Sequence[Resource]:
    """All Kubernetes objects."""
    return [each for each in recorded.resources if each.type.startswith("kubernetes:")]


def _holds(found: object, wanted: object) -> bool:
    """Whether all of `wanted` is in `found`, mapping by mapping."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        have = cast("Mapping[str, object]", found)
        want = cast("Mapping[str, object]", wanted)
        return all(key in have and _holds(have[key], value) for key, value in want.items())
    return found == wanted


def job(*containers: Mapping[str, Any]) -> Object:
    pods = {"template": {"spec": {"containers": list(containers)}}}
    return body("batch/v1", "CronJob", "daily", spec={"jobTemplate": {"spec": pods}})


def test_a_variable_is_said_to_every_container_and_nothing_else_changes() -> None:
    variables = [{"name": "KEEP_DAYS", "value": "14"}, {"name": "PGHOST", "value": "postgres"}]
    given_job = job({"name": "a", "env": variables}, {"name": "b", "env": variables[:1]})
    before = copy.deepcopy(given_job)
    changed = {"name": "KEEP_DAYS", "value": "3"}
    expected = job({"name": "a", "env": [changed, variables[1]]}, {"name": "b", "env": [changed]})
    assert with_variable(given_job, "KEEP_DAYS", "3") == expected
    assert given_job == before


def test_a_variable_that_nobody_reads_is_refused() -> None:
    with pytest.raises(KeyError, match="KEEP_DAYS"):
        with_variable(
            job({"name": "a", "env": [{"name": "PGHOST", "value": "x"}]}), "KEEP_DAYS", "3"
        )
