"""The buckets: private, brought back for a while, and never aged out from under lakeFS."""

import re
from collections.abc import Iterator

from tests.infra.invariants.rule import called, invariant, is_set, setting, unlike
from tests.infra.recording import Recorded, Resource

_DAY_S = 86_400
_CHANGING = {"Delete", "SetStorageClass"}


@invariant
def buckets_are_private(recorded: Recorded) -> Iterator[str]:
    """No object has an access list, and no mistake makes one public."""
    expected = {"uniformBucketLevelAccess": True, "publicAccessPrevention": "enforced"}
    for each in recorded.of("Bucket"):
        yield from unlike(each, expected)


@invariant
def deleted_objects_come_back(recorded: Recorded) -> Iterator[str]:
    """Versions and soft deletion, as long as asked."""
    seconds = int(setting(recorded, "softDeleteDays")) * _DAY_S
    expected = {
        "versioning.enabled": True,
        "softDeletePolicy.retentionDurationSeconds": seconds,
    }
    for each in recorded.of("Bucket"):
        yield from unlike(each, expected)


@invariant
def a_protected_bucket_is_never_emptied(recorded: Recorded) -> Iterator[str]:
    """And an unprotected one is, or a teardown would stop at it."""
    protected = is_set(recorded, "protect")
    expected = {
        "forceDestroy": not protected,
        "deletionPolicy": "PREVENT" if protected else "DELETE",
    }
    for each in recorded.of("Bucket"):
        yield from unlike(each, expected)


@invariant
def no_life_cycle_rule_touches_lakefs_s_namespace(recorded: Recorded) -> Iterator[str]:
    """An object's age says nothing of whether a commit refers to it."""
    bucket, _, prefix = (
        str(recorded.outputs["storageNamespacePrefix"]).removeprefix("gs://").partition("/")
    )
    namespace = f"{prefix}/"
    data = next(each for each in recorded.of("Bucket") if each.at("name") == bucket)
    for rule in data.list_at("lifecycleRules"):
        prefixes = rule["condition"].get("matchesPrefixes") or [""]
        for each in prefixes:
            if each.startswith(namespace) or namespace.startswith(each):
                yield f"{rule['action']['type']} reaches {namespace} by prefix {each!r}"


@invariant
def life_cycle_rules_take_old_versions_alone(recorded: Recorded) -> Iterator[str]:
    """What people still see never goes by itself."""
    for bucket in recorded.of("Bucket"):
        for rule in bucket.list_at("lifecycleRules"):
            condition = rule["condition"]
            is_old = condition.get("withState") == "ARCHIVED"
            if rule["action"]["type"] in _CHANGING and not (
                is_old and condition.get("daysSinceNoncurrentTime", 0) >= 30
            ):
                yield f"{called(bucket)}: {rule}"


@invariant
def unfinished_uploads_are_given_up(recorded: Recorded) -> Iterator[str]:
    """They cost as much as finished ones, and no listing shows them."""
    for bucket in recorded.of("Bucket"):
        actions = [rule["action"]["type"] for rule in bucket.list_at("lifecycleRules")]
        if "AbortIncompleteMultipartUpload" not in actions:
            yield called(bucket)


@invariant
def only_label_studio_s_pages_read_objects(recorded: Recorded) -> Iterator[str]:
    """CORS names its origin alone, and reading alone."""
    domain = setting(recorded, "domain")
    for bucket in recorded.of("Bucket"):
        for rule in bucket.list_at("cors"):
            yield from _foreign_origins(bucket, rule["origins"], domain)
            if not {*rule["methods"]} <= {"GET", "HEAD"}:
                yield f"{called(bucket)}: {rule['methods']}"


@invariant
def pictures_open_in_label_studio(recorded: Recorded) -> Iterator[str]:
    """A bucket without CORS shows people broken pictures."""
    for bucket in recorded.of("Bucket"):
        if not bucket.at("cors"):
            yield called(bucket)


def _foreign_origins(bucket: Resource, origins: list[str], domain: str) -> Iterator[str]:
    # Without a domain people see Label Studio through a port-forward to their own machine.
    own = rf"https://{re.escape(domain)}" if domain else r"http://(localhost|127\.0\.0\.1):\d+"
    for origin in origins:
        if not re.fullmatch(own, origin):
            yield f"{called(bucket)}: {origin}"
