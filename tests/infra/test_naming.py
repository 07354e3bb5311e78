"""Names: limits of Google Cloud and Kubernetes, inverses, and no two alike."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infra.naming import (
    LONGEST_STACK,
    NAMESPACE,
    NameRefusedError,
    Names,
    Workload,
    bucket_problem,
    host_problem,
    label_problem,
    parse_account,
    parse_bucket,
    parse_email,
    parse_resource,
    project_problem,
    resource_problem,
    stack_problem,
)

# The very words names are built of, so that what could be mistaken for another is tried.
WORDS = st.sampled_from(["labeling", "data", "media", "dev", "lakefs", "studio", "a", "nodes", "9"])
CHAINS = st.lists(WORDS, min_size=1, max_size=5).map("-".join)
PROJECTS = (CHAINS | st.from_regex(r"\A[a-z][-a-z0-9]{4,28}[a-z0-9]\Z")).filter(
    lambda text: not project_problem(text) and not bucket_problem(f"{text}-x")
)
STACKS = (CHAINS | st.from_regex(r"\A[a-z](-?[a-z0-9]){0,14}\Z")).filter(
    lambda text: not stack_problem(text)
)
PURPOSES = st.from_regex(r"\A[a-z][a-z0-9]{0,19}\Z")
WORKLOADS = st.sampled_from(list(Workload))


@given(PROJECTS, STACKS)
def test_bucket_names_come_apart_again(project: str, stack: str) -> None:
    names = Names(project, stack)
    assert parse_bucket(names.data_bucket) == (project, "data", stack)
    assert parse_bucket(names.media_bucket) == (project, "media", stack)


@given(PROJECTS, STACKS, PURPOSES)
def test_resource_names_come_apart_again(project: str, stack: str, purpose: str) -> None:
    assert parse_resource(Names(project, stack).of(purpose)) == (purpose, stack)


@given(PROJECTS, STACKS, WORKLOADS)
def test_accounts_come_apart_again(project: str, stack: str, workload: Workload) -> None:
    names = Names(project, stack)
    account = names.account(workload)
    assert parse_account(account) == (workload, stack)
    assert parse_email(names.email(account)) == (account, project)


@given(st.tuples(PROJECTS, STACKS), st.tuples(PROJECTS, STACKS))
def test_no_two_stacks_share_a_bucket(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one != other)
    first, second = Names(*one), Names(*other)
    assert not {first.data_bucket, first.media_bucket} & {second.data_bucket, second.media_bucket}


@given(PROJECTS, STACKS, STACKS)
def test_no_two_stacks_of_a_project_share_a_name(project: str, one: str, other: str) -> None:
    assume(one != other)
    assert not every_name(Names(project, one)) & every_name(Names(project, other))


def every_name(names: Names) -> set[str]:
    accounts = {names.account(each) for each in Workload}
    purposes = {names.of(each) for each in ("router", "nat", "peering", "gateway")}
    others = {names.network, names.subnetwork, names.cluster, names.node_account}
    return accounts | purposes | others | {names.data_bucket, names.media_bucket}


@given(PROJECTS, STACKS)
def test_every_name_is_within_what_google_takes(project: str, stack: str) -> None:
    names = Names(project, stack)
    for account in (*(names.account(each) for each in Workload), names.node_account):
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])", account)
        assert 6 <= len(account) <= 30
    for bucket in (names.data_bucket, names.media_bucket):
        assert 3 <= len(bucket) <= 63
        assert not bucket_problem(bucket)
    assert len(names.cluster) <= 40
    for name in (names.network, names.subnetwork, names.cluster, names.of("a" * 20)):
        assert not resource_problem(name)
    for value in names.labels.values():
        assert re.fullmatch(r"[-_a-z0-9]{0,63}", value)


@given(st.text(max_size=80))
def test_parsers_take_only_what_the_names_give(text: str) -> None:
    bucket = parse_bucket(text)
    if bucket:
        project, purpose, stack = bucket
        names = Names(project, stack)
        assert text == {"data": names.data_bucket, "media": names.media_bucket}[purpose]
    resource = parse_resource(text)
    if resource:
        assert text == Names("acme-labels", resource[1]).of(resource[0])
    account = parse_account(text)
    if account:
        assert text == Names("acme-labels", account[1]).account(account[0])


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "labeling",
        "labeling-data",
        "acme-data-dev",
        "acme-labels-labeling-logs-dev",
        "-labeling-data-x",
    ],
)
def test_foreign_names_are_nobodys(foreign: str) -> None:
    assert parse_bucket(foreign) is None
    assert parse_account(foreign) is None


@pytest.mark.parametrize(
    "foreign", ["labeling", "labeling-", "labeling--dev", "gke-cluster-dev", ""]
)
def test_foreign_resources_are_nobodys(foreign: str) -> None:
    assert parse_resource(foreign) is None


@pytest.mark.parametrize(
    "foreign",
    [
        "ann@example.org",
        "x@acme.iam.gserviceaccount.com",
        "lakefs-dev@acme.iam.gserviceaccount.com",
    ],
)
def test_foreign_addresses_are_nobodys(foreign: str) -> None:
    assert parse_email(foreign) is None


def test_kubernetes_names_are_labels() -> None:
    for name in (NAMESPACE, *Workload):
        assert not label_problem(name)


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        ("Dev", "a-z, 0-9 and single hyphens"),
        ("1dev", "a letter first"),
        ("dev-", "single hyphens"),
        ("dev--a", "single hyphens"),
        ("", "a letter first"),
        ("d" * (LONGEST_STACK + 1), "16 characters long"),
        ("relabeling", "two projects come to one bucket name"),
    ],
)
def test_a_stack_no_name_has_room_for_is_refused(stack: str, reason: str) -> None:
    with pytest.raises(NameRefusedError, match=reason) as refused:
        Names("acme-labels", stack)
    assert refused.value.name == stack
    assert "up to 15" in refused.value.remedy


@pytest.mark.parametrize(
    "project", ["acme", "Acme-labels", "1-acme-labels", "acme-labels-", "a" * 31]
)
def test_what_is_no_project_id_is_refused(project: str) -> None:
    with pytest.raises(NameRefusedError, match="6 to 30"):
        Names(project, "dev")


def test_a_project_of_a_domain_is_refused() -> None:
    assert "Workload Identity" in str(project_problem("example.org:acme"))


def test_a_purpose_of_two_words_is_refused() -> None:
    with pytest.raises(NameRefusedError, match="two stacks come to one name"):
        Names("acme-labels", "dev").of("s3-gateway")


def test_a_bucket_google_keeps_to_itself_is_refused() -> None:
    with pytest.raises(NameRefusedError, match="Google keeps names"):
        _ = Names("my-google-labels", "dev").data_bucket


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "-ab", "ab-", "a_b", "A-b", "pictures.example.org"]
)
def test_bucket_names_google_refuses(name: str) -> None:
    assert "3 to 63" in str(bucket_problem(name))


@pytest.mark.parametrize(
    "host", ["labeling.example.org", "a.b", "xn--bcher-kva.example", "1.2.example"]
)
def test_hosts(host: str) -> None:
    assert host_problem(host) is None


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("localhost", "dots between"),
        ("labeling.example.org.", "dots between"),
        ("Labeling.example.org", "dots between"),
        ("labeling..org", "dots between"),
        ("10.0.0.1", "a number"),
        (f"{'a' * 64}.org", "dots between"),
        (".".join(["a" * 60] * 5), "longer than 253"),
    ],
)
def test_no_hosts(host: str, reason: str) -> None:
    assert reason in str(host_problem(host))
