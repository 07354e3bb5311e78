"""Settings: read as the engine hands them over, and refused with reason and remedy."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from infra.config import (
    ClusterMode,
    Database,
    Problem,
    ReleaseChannel,
    Settings,
    SettingsError,
    load,
)
from infra.rules import RULES, accepted, problems
from infra.settings import KEYS, default_of
from tests.infra.recording import ROOT, record_component

GOOD = Settings(
    project="acme-labels", region="europe-west1", stack="live", admin_email="ann@example.org"
)
PUBLIC: Mapping[str, Any] = {"domain": "labeling.example.org"}
CHEAP: Mapping[str, Any] = {
    "protect": False,
    "database": Database.IN_CLUSTER,
    "database_high_availability": False,
}


def loaded(stack_name: str = "dev", **settings: object) -> Settings:
    """What load() gives under a stack's file, changed by `settings`."""
    given: list[Settings] = []
    record_component(lambda: given.append(load()), stack_name=stack_name, preview=False, **settings)
    return given[0]


def refusal(stack_name: str = "dev", **settings: object) -> SettingsError:
    """What load() raises."""
    with pytest.raises(SettingsError) as refused:
        loaded(stack_name, **settings)
    return refused.value


def only_problem(changes: Mapping[str, Any]) -> Problem:
    """The one problem of otherwise good settings."""
    found = problems(replace(GOOD, **changes))
    assert len(found) == 1, found
    return found[0]


def described() -> Mapping[str, Any]:
    return yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]


def test_every_setting_of_pulumi_yaml_is_read_and_no_other() -> None:
    assert set(KEYS) == set(described())


def test_defaults_and_types_are_those_of_pulumi_yaml() -> None:
    types: Mapping[str, type] = {"boolean": bool, "integer": int, "string": str, "array": tuple}
    for key, rule in described().items():
        default = default_of(KEYS[key])
        given = rule.get("default", "")
        assert (tuple(given) if rule["type"] == "array" else given) == default
        assert isinstance(default, types[rule["type"]])


def test_pulumi_yaml_has_the_good_ones_by_default() -> None:
    assert problems(GOOD) == ()


@pytest.mark.parametrize("stack_name", ["dev", "prod"])
def test_the_stacks_of_the_repository_can_stand(stack_name: str) -> None:
    settings = loaded(stack_name)
    assert settings.stack == stack_name
    assert settings.admin_email == "admin@example.org"


def test_dev_is_small_cheap_and_deletable() -> None:
    dev = loaded("dev")
    assert not dev.protect
    assert dev.database is Database.IN_CLUSTER
    assert (dev.lakefs_replicas, dev.label_studio_replicas) == (1, 1)
    assert dev.soft_delete_days == 7


def test_prod_is_protected_and_highly_available() -> None:
    prod = loaded("prod")
    assert prod.protect
    assert prod.database is Database.CLOUD_SQL
    assert prod.database_high_availability
    assert prod.backup_days >= 30
    assert min(prod.lakefs_replicas, prod.label_studio_replicas) >= 2


def test_values_arrive_as_what_they_are() -> None:
    settings = loaded(
        cluster_mode="standard",
        node_count_max=5,
        release_channel="RAPID",
        import_buckets=["pictures", "old.pictures"],
        uptime_check=False,
        bucket_location="eu",
        maintenance_start="2026-02-07T22:00:00Z",
    )
    assert settings.cluster_mode is ClusterMode.STANDARD
    assert settings.node_count_max == 5
    assert settings.release_channel is ReleaseChannel.RAPID
    assert settings.import_buckets == ("pictures", "old.pictures")
    assert settings.place == "EU"
    assert settings.maintenance_begin == datetime(2026, 2, 7, 22, tzinfo=UTC)


def test_buckets_are_in_the_region_unless_told_otherwise() -> None:
    assert loaded().place == "EUROPE-WEST1"


def test_all_problems_are_told_at_once() -> None:
    error = refusal(
        region=None, admin_email=None, lakefs_replicas=0, protect="maybe", dns_zone="example-org"
    )
    assert [each.code for each in error.problems] == [
        "unreadable-value",
        "region-missing",
        "admin-email-missing",
        "out-of-range",
        "domain-missing",
    ]
    text = str(error)
    assert text.startswith("the configuration of stack 'dev' has 5 problems; nothing was changed")
    for each in error.problems:
        assert each.reason in text
        assert each.remedy in text


def test_a_problem_says_which_keys_why_and_what_next() -> None:
    assert refusal(lakefs_replicas=11).problems[0].text() == (
        "lakefsReplicas [out-of-range]\n"
        "  why   11 is not 1 to 10: ten pods share one database already, and none serve nobody\n"
        "  next  pulumi config set lakefsReplicas 10"
    )


def test_one_problem_is_one() -> None:
    assert "has 1 problem;" in str(refusal(lakefs_replicas=11))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"protect": "yes"}, "true or false"),
        ({"protect": "1"}, "true or false"),
        ({"lakefs_replicas": "two"}, "a whole number"),
        ({"lakefs_replicas": "1.5"}, "a whole number"),
        ({"lakefs_replicas": "true"}, "a whole number"),
        ({"import_buckets": "pictures"}, "a list of texts"),
        ({"import_buckets": "[1]"}, "a list of texts"),
        ({"import_buckets": '{"a": 1}'}, "a list of texts"),
        ({"cluster_mode": "Autopilot"}, "one of: autopilot, standard"),
        ({"release_channel": "regular"}, "one of: RAPID, REGULAR, STABLE, EXTENDED"),
        ({"database": "postgres"}, "one of: cloudsql, in-cluster"),
    ],
)
def test_a_value_of_another_type_is_refused(settings: Mapping[str, str], reason: str) -> None:
    (problem,) = refusal(**settings).problems
    assert problem.code == "unreadable-value"
    assert reason in problem.reason
    assert problem.remedy.startswith("pulumi config set ")


def test_a_misspelled_key_is_refused_with_the_one_that_is_meant() -> None:
    (problem,) = refusal(lakefs_replica="3").problems
    assert problem.code == "unknown-key"
    assert "did you mean lakefsReplicas?" in problem.reason
    assert problem.remedy == "pulumi config rm lakefsReplica"


def test_a_key_of_another_program_is_left_alone() -> None:
    given: list[Settings] = []

    def declare() -> None:
        import pulumi.runtime

        pulumi.runtime.set_config("aws:regoin", "x")
        given.append(load())

    record_component(declare)
    assert given[0].project == "acme-labels"


CASES: tuple[tuple[Mapping[str, Any], str, str], ...] = (
    ({"project": ""}, "project-missing", "in which project"),
    ({"project": "123456"}, "project-id", "a letter first"),
    ({"project": "example.org:acme"}, "project-id", "projects of a domain"),
    ({"region": ""}, "region-missing", "where in the world"),
    ({"region": "europe-west1-b"}, "region-is-a-zone", "one zone's outage"),
    ({"region": "Europe"}, "region", "not written as a region"),
    ({"stack": "Dev"}, "stack-name", "single hyphens"),
    ({"stack": "a-very-long-stack-name"}, "stack-name", "service accounts leave 15"),
    ({"admin_email": ""}, "admin-email-missing", "known by an e-mail address"),
    ({"admin_email": "ann"}, "admin-email", "no e-mail address"),
    ({"admin_email": "ann@localhost"}, "admin-email", "no e-mail address"),
    ({"admin_email": "Ann <ann@example.org>"}, "admin-email", "no e-mail address"),
    ({"node_machine_type": "e2-standard-8"}, "nodes-without-standard", "autopilot cluster"),
    ({"node_count_max": 4}, "nodes-without-standard", "autopilot cluster"),
    (
        {"cluster_mode": ClusterMode.STANDARD, "node_machine_type": "e2-micro"},
        "node-machine-type",
        "too small",
    ),
    (
        {"cluster_mode": ClusterMode.STANDARD, "node_machine_type": "big"},
        "node-machine-type",
        "no machine type",
    ),
    ({"cluster_mode": ClusterMode.STANDARD, "node_count_max": 0}, "out-of-range", "0 is not 1"),
    ({"ray_workers": -1}, "ray-workers", "one lakeFS"),
    ({"ray_workers": 101}, "ray-workers", "0 to 100"),
    ({"ray_spot": False}, "ray-without-effect", "no Ray cluster"),
    ({"ray_machine_type": "e2-standard-16"}, "ray-without-effect", "no Ray cluster"),
    (
        {"ray_workers": 4, "ray_machine_type": "e2-standard-16"},
        "ray-without-effect",
        "autopilot cluster",
    ),
    (
        {
            "cluster_mode": ClusterMode.STANDARD,
            "ray_workers": 4,
            "ray_machine_type": "e2-small",
        },
        "ray-machine-type",
        "too small",
    ),
    ({"backup_days": 0}, "out-of-range", "none is no backup"),
    ({"backup_days": 366}, "out-of-range", "365 daily backups"),
    ({"soft_delete_days": 6}, "out-of-range", "7 to 90 days"),
    ({"soft_delete_days": 91}, "out-of-range", "7 to 90 days"),
    ({"lakefs_replicas": 0}, "out-of-range", "serve nobody"),
    ({"label_studio_replicas": 11}, "out-of-range", "one database"),
    ({"monthly_budget": -1}, "out-of-range", "0 for none"),
    ({"maintenance_start": "saturday"}, "maintenance-start", "not written as"),
    ({"maintenance_start": "2026-01-03T02:00:00+01:00"}, "maintenance-start", "not written as"),
    ({"maintenance_start": "2026-01-04T02:00:00Z"}, "maintenance-start", "Saturday and Sunday"),
    ({"maintenance_start": "2026-01-03T02:30:00Z"}, "maintenance-start", "whole hours"),
    ({"protect": False}, "unprotected-production", "databaseHighAvailability say"),
    (
        {"protect": False, "database_high_availability": False, "stack": "prod"},
        "unprotected-production",
        "stack say",
    ),
    (
        {"protect": False, "database_high_availability": False, "customer_managed_keys": True},
        "unprotected-production",
        "customerManagedKeys say",
    ),
    (
        {**CHEAP, **PUBLIC, "uptime_check": True, "alert_email": "ann@example.org"},
        "unprotected-production",
        "uptimeCheck say",
    ),
    ({**CHEAP, "protect": True}, "in-cluster-protected", "one dump a day"),
    ({**CHEAP, "database_tier": "db-g1-small"}, "tier-without-cloudsql", "a tier is Cloud SQL's"),
    ({"database_tier": "db-n1-standard-1"}, "database-tier", "db-custom-"),
    ({"database_tier": "db-custom-3-11520"}, "database-tier", "1 or an even number"),
    ({"database_tier": "db-custom-98-376320"}, "database-tier", "up to 96"),
    ({"database_tier": "db-custom-1-2048"}, "database-tier", "3840 to 6656 MB"),
    ({"database_tier": "db-custom-8-4096"}, "database-tier", "7376 to 53248 MB"),
    ({"database_tier": "db-custom-1-3841"}, "database-tier", "steps of 256"),
    (
        {"database_tier": "db-g1-small", "database_high_availability": False},
        "shared-core-replicas",
        "25 or 50 connections",
    ),
    (
        {"database_tier": "db-f1-micro", "lakefs_replicas": 1, "label_studio_replicas": 1},
        "shared-core-high-availability",
        "no service level",
    ),
    ({"bucket_location": "US"}, "bucket-location", "does not hold europe-west1"),
    ({"bucket_location": "europe-west4"}, "bucket-location", "does not hold europe-west1"),
    ({"bucket_location": "EUR4"}, "bucket-location", "does not hold europe-west1"),
    ({"bucket_location": "moon"}, "bucket-location", "does not hold europe-west1"),
    (
        {"bucket_location": "EU", "region": "europe-west2"},
        "bucket-location",
        "does not hold europe-west2",
    ),
    (
        {"bucket_location": "EU", "region": "europe-west6"},
        "bucket-location",
        "does not hold europe-west6",
    ),
    (
        {"bucket_location": "EU", "customer_managed_keys": True},
        "location-of-key",
        "its own location only",
    ),
    ({"import_buckets": ("gs://pictures",)}, "import-bucket", "3 to 63"),
    ({"import_buckets": ("pictures/2026",)}, "import-bucket", "3 to 63"),
    ({"import_buckets": ("Pictures",)}, "import-bucket", "3 to 63"),
    ({"import_buckets": ("acme-labels-labeling-data-live",)}, "import-bucket", "stack's own"),
    ({"import_buckets": ("acme-labels-labeling-media-live",)}, "import-bucket", "Label Studio's"),
    ({"domain": "https://labeling.example.org"}, "domain", "the bare domain"),
    ({"domain": "*.example.org"}, "domain", "not at all below it"),
    ({"domain": "localhost"}, "domain", "dots between"),
    ({"domain": "Labeling.example.org"}, "domain", "dots between"),
    ({"domain": "10.0.0.1"}, "domain", "a number"),
    ({"dns_zone": "example-org"}, "domain-missing", "no record to write"),
    ({"iap_members": ("user:ann@example.org",)}, "domain-missing", "before a public address"),
    (
        {"uptime_check": True, "alert_email": "ann@example.org"},
        "domain-missing",
        "nothing to be reached",
    ),
    ({**PUBLIC, "dns_zone": "example.org"}, "dns-zone", "not the domain"),
    ({**PUBLIC, "iap_members": ("allUsers",)}, "iap-member", "everybody on the internet"),
    (
        {**PUBLIC, "iap_members": ("allAuthenticatedUsers",)},
        "iap-member",
        "everybody on the internet",
    ),
    ({**PUBLIC, "iap_members": ("ann@example.org",)}, "iap-member", "does not begin with"),
    ({**PUBLIC, "iap_members": ("user:ann",)}, "iap-member", "no e-mail address"),
    ({**PUBLIC, "iap_members": ("domain:example",)}, "iap-member", "dots between"),
    ({"monthly_budget": 100}, "billing-account-missing", "belongs to a billing account"),
    ({"billing_account": "012345-6789AB-CDEF01"}, "budget-missing", "there is none"),
    ({"billing_account": "0123", "monthly_budget": 100}, "billing-account", "012345-6789AB-CDEF01"),
    ({**PUBLIC, "uptime_check": True}, "alert-email-missing", "nobody is sent"),
    ({**PUBLIC, "alert_email": "ann@example.org"}, "alert-without-check", "only the uptime check"),
    (
        {**PUBLIC, "uptime_check": True, "alert_email": "ann"},
        "alert-email",
        "no e-mail address",
    ),
)


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    CASES,
    ids=[f"{code}-{at}" for at, (_, code, _) in enumerate(CASES)],
)
def test_what_cannot_stand_is_refused(changes: Mapping[str, Any], code: str, reason: str) -> None:
    problem = only_problem(changes)
    assert problem.code == code
    assert reason in problem.reason
    assert problem.remedy
    assert problem.keys
    # What is told can be found in the file by its key.
    assert set(problem.keys) <= {*KEYS, "gcp:project", "gcp:region", "stack"}


def test_a_bucket_named_twice_is_refused_each_time() -> None:
    found = problems(replace(GOOD, import_buckets=("pictures", "pictures")))
    assert [each.reason for each in found] == ["'pictures': it is named twice"] * 2


def test_a_member_named_twice_is_refused_each_time() -> None:
    members = ("user:ann@example.org", "user:ann@example.org")
    found = problems(replace(GOOD, iap_members=members, **PUBLIC))
    assert [each.code for each in found] == ["iap-member"] * 2
    assert all("named twice" in each.reason for each in found)


def test_an_in_cluster_database_has_no_standby() -> None:
    settings = replace(GOOD, database=Database.IN_CLUSTER, accept=("in-cluster-protected",))
    (problem,) = problems(settings)
    assert problem.code == "in-cluster-high-availability"
    assert "no standby" in problem.reason


def test_every_rule_is_reached_by_a_case() -> None:
    for rule in RULES:
        assert any(tuple(rule(replace(GOOD, **changes))) for changes, _, _ in CASES), rule.__name__


GOOD_CASES: tuple[Mapping[str, Any], ...] = (
    CHEAP,
    {"lakefs_replicas": 10, "label_studio_replicas": 10},
    {"cluster_mode": ClusterMode.STANDARD, "node_machine_type": "n2d-highmem-8"},
    {"cluster_mode": ClusterMode.STANDARD, "node_machine_type": "n2-custom-4-8192"},
    {"bucket_location": "EU"},
    {"bucket_location": "eur5"},
    {"bucket_location": "europe-west1"},
    {"bucket_location": "NAM4", "region": "us-central1"},
    {"bucket_location": "US", "region": "us-west2"},
    {"database_tier": "db-custom-1-3840"},
    {"database_tier": "db-custom-2-13312"},
    {"database_tier": "db-custom-8-7424"},
    {"database_tier": "db-custom-96-638976"},
    {"cluster_mode": ClusterMode.STANDARD, "node_count_max": 1},
    {"cluster_mode": ClusterMode.STANDARD, "node_count_max": 100},
    {"lakefs_replicas": 1, "label_studio_replicas": 1},
    {
        "database_tier": "db-g1-small",
        "database_high_availability": False,
        "lakefs_replicas": 1,
        "label_studio_replicas": 1,
    },
    {"import_buckets": ("pictures", "pictures.example.org", "acme-labels-labeling-data-dev")},
    {**PUBLIC, "dns_zone": "example-org"},
    {
        **PUBLIC,
        "iap_members": (
            "user:ann@example.org",
            "group:labelers@example.org",
            "domain:example.org",
            "serviceAccount:ci@acme-labels.iam.gserviceaccount.com",
        ),
    },
    {"billing_account": "012345-6789AB-CDEF01", "monthly_budget": 100},
    {**PUBLIC, "uptime_check": True, "alert_email": "ann@example.org"},
    {"customer_managed_keys": True},
    {"soft_delete_days": 7, "backup_days": 365},
    {"soft_delete_days": 90, "backup_days": 1},
)


@pytest.mark.parametrize("changes", GOOD_CASES, ids=range(len(GOOD_CASES)))
def test_what_can_stand_passes(changes: Mapping[str, Any]) -> None:
    assert problems(replace(GOOD, **changes)) == ()


def test_an_unsafe_choice_may_be_accepted_by_name() -> None:
    unsafe: Mapping[str, Any] = {**CHEAP, "protect": True}
    accepting = "or    accept it: pulumi config set --path 'accept[0]' in-cluster-protected"
    assert only_problem(unsafe).text().endswith(accepting)
    assert problems(replace(GOOD, **unsafe, accept=("in-cluster-protected",))) == ()


def test_only_what_is_named_is_accepted() -> None:
    unsafe = replace(GOOD, **{**CHEAP, "protect": True})
    assert accepted(unsafe) == ()
    named = replace(unsafe, accept=("in-cluster-protected",))
    assert [each.code for each in accepted(named)] == ["in-cluster-protected"]


def test_production_can_be_torn_down_and_warns_of_it_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = loaded("prod", protect=False, accept=["unprotected-production"])
    assert not settings.protect
    (warning,) = caplog.messages
    assert warning.startswith("accepted, unprotected-production: databaseHighAvailability, stack")


def test_nothing_accepted_is_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    loaded("prod")
    assert not caplog.messages


def test_an_impossible_choice_cannot_be_accepted() -> None:
    found = problems(replace(GOOD, lakefs_replicas=0, accept=("out-of-range",)))
    assert [each.code for each in found] == ["out-of-range", "nothing-to-accept"]


def test_an_acceptance_nothing_needs_is_refused() -> None:
    problem = only_problem({"accept": ("unprotected-production",)})
    assert (problem.code, problem.keys) == ("nothing-to-accept", ("accept",))
    assert "take unprotected-production out of accept" in problem.remedy


def test_problems_are_told_in_the_same_order_each_time() -> None:
    settings = replace(GOOD, project="", region="", admin_email="", dns_zone="a-zone")
    assert problems(settings) == problems(settings)
    codes = [each.code for each in problems(settings)]
    assert codes == ["project-missing", "region-missing", "admin-email-missing", "domain-missing"]


def test_what_may_be_accepted_is_what_pulumi_yaml_tells_of() -> None:
    acceptable = {
        each.code
        for changes, _, _ in CASES
        for each in problems(replace(GOOD, **changes))
        if each.is_acceptable
    }
    assert acceptable == {"unprotected-production", "in-cluster-protected"}
    assert "in-cluster-protected" in described()["accept"]["description"]
