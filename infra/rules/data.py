"""Rules of where data lies: the database and the buckets."""

import re
from collections.abc import Iterator

from infra.naming import Names, bucket_problem, project_problem, stack_problem
from infra.rules.problem import Problem, Rule
from infra.settings import Database, Settings, default_of

_SHARED_CORE_TIERS = ("db-f1-micro", "db-g1-small")
_MOST_CORES = 96
_CUSTOM_TIER = re.compile(r"db-custom-([1-9][0-9]?)-([1-9][0-9]{3,6})", re.ASCII)


def _in_cluster(settings: Settings) -> Iterator[Problem]:
    if settings.database != Database.IN_CLUSTER:
        return
    if settings.database_high_availability:
        yield Problem(
            code="in-cluster-high-availability",
            keys=("database", "databaseHighAvailability"),
            reason="the in-cluster PostgreSQL is one pod with one disk and has no standby",
            remedy="pulumi config set databaseHighAvailability false, or database cloudsql",
        )
    if settings.database_tier != default_of("database_tier"):
        yield Problem(
            code="tier-without-cloudsql",
            keys=("databaseTier", "database"),
            reason="a tier is Cloud SQL's; the in-cluster PostgreSQL is what its manifest says",
            remedy="pulumi config rm databaseTier, or pulumi config set database cloudsql",
        )
    if settings.protect:
        yield Problem(
            code="in-cluster-protected",
            keys=("database", "protect"),
            reason=(
                "what is worth protecting is worth point-in-time recovery, and the in-cluster "
                "PostgreSQL has one dump a day on a disk in the same cluster"
            ),
            remedy="pulumi config set database cloudsql, or pulumi config set protect false",
            is_acceptable=True,
        )


def _tier(settings: Settings) -> Iterator[Problem]:
    if settings.database == Database.IN_CLUSTER:
        return
    tier = settings.database_tier
    if tier in _SHARED_CORE_TIERS:
        yield from _shared_core(settings)
    elif reason := _tier_problem(tier):
        yield Problem(
            code="database-tier",
            keys=("databaseTier",),
            reason=f"{tier!r}: {reason}",
            remedy="pulumi config set databaseTier db-custom-1-3840",
        )


def _shared_core(settings: Settings) -> Iterator[Problem]:
    if settings.database_high_availability:
        yield Problem(
            code="shared-core-high-availability",
            keys=("databaseTier", "databaseHighAvailability"),
            reason=f"{settings.database_tier} shares a core and has no service level to double",
            remedy="pulumi config set databaseTier db-custom-1-3840",
        )
    if max(settings.lakefs_replicas, settings.label_studio_replicas) > 1:
        yield Problem(
            code="shared-core-replicas",
            keys=("databaseTier", "lakefsReplicas", "labelStudioReplicas"),
            reason=(
                f"{settings.database_tier} takes 25 or 50 connections, and every pod keeps a pool "
                "of them: a roll-out would be refused its own"
            ),
            remedy="one replica each, or pulumi config set databaseTier db-custom-1-3840",
        )


def _tier_problem(tier: str) -> str | None:
    match = _CUSTOM_TIER.fullmatch(tier)
    if not match:
        return "a tier is db-f1-micro, db-g1-small, or db-custom-<cores>-<memory in MB>"
    cores, memory_mb = int(match[1]), int(match[2])
    if cores > _MOST_CORES or (cores > 1 and cores % 2):
        return f"{cores} cores: Cloud SQL takes 1 or an even number up to {_MOST_CORES}"
    least_mb = max(3840, 922 * cores)
    if memory_mb % 256 or not least_mb <= memory_mb <= 6656 * cores:
        return f"memory of {cores} cores is {least_mb} to {6656 * cores} MB in steps of 256"
    return None


_DUAL_REGIONS = {
    "ASIA1": ("asia-northeast1", "asia-northeast2"),
    "EUR4": ("europe-north1", "europe-west4"),
    "EUR5": ("europe-west1", "europe-west2"),
    "EUR7": ("europe-west2", "europe-west3"),
    "EUR8": ("europe-west3", "europe-west6"),
    "NAM4": ("us-central1", "us-east1"),
}
_CONTINENTS = {"ASIA": "asia-", "EU": "europe-", "US": "us-"}
# In Europe and not in the Union: Google's EU location has no data there.
_NOT_EU = ("europe-west2", "europe-west6")


def _location(settings: Settings) -> Iterator[Problem]:
    region, place = settings.region, settings.place
    if place == region.upper():
        return
    if settings.customer_managed_keys:
        yield Problem(
            code="location-of-key",
            keys=("bucketLocation", "customerManagedKeys"),
            reason="a key serves its own location only, and the database's is the region",
            remedy="pulumi config rm bucketLocation, or customerManagedKeys",
        )
    if not _holds(place, region):
        yield Problem(
            code="bucket-location",
            keys=("bucketLocation", "gcp:region"),
            reason=(
                f"{settings.bucket_location!r} does not hold {region}: every picture would travel, "
                "slowly and at a price"
            ),
            remedy="pulumi config rm bucketLocation, or take a location that holds the region",
        )


def _holds(place: str, region: str) -> bool:
    if place in _DUAL_REGIONS:
        return region in _DUAL_REGIONS[place]
    is_outside = place == "EU" and region in _NOT_EU
    return place in _CONTINENTS and region.startswith(_CONTINENTS[place]) and not is_outside


def _import_buckets(settings: Settings) -> Iterator[Problem]:
    for name in settings.import_buckets:
        if reason := _import_problem(settings, name):
            yield Problem(
                code="import-bucket",
                keys=("importBuckets",),
                reason=f"{name!r}: {reason}",
                remedy="name each bucket once and bare: my-pictures, not gs://my-pictures/path",
            )


def _import_problem(settings: Settings, name: str) -> str | None:
    if settings.import_buckets.count(name) > 1:
        return "it is named twice"
    if not project_problem(settings.project) and not stack_problem(settings.stack):
        names = Names(settings.project, settings.stack)
        if name == names.data_bucket:
            return "it is this stack's own, which lakeFS may read anyway"
        if name == names.media_bucket:
            return "it is Label Studio's own, which lakeFS is to have no part in"
    # Dots are well in other people's buckets.
    return bucket_problem(name.replace(".", "-"))


RULES: tuple[Rule, ...] = (_in_cluster, _tier, _location, _import_buckets)
