"""Which settings cannot be, and which go together badly, with reason and remedy.

Owns judgement on Settings alone: pure, no request. Does not know what Google charges or has quota
for, nor whether a zone, bucket, account or domain exists.

Three kinds. *Impossible*: Google would refuse it, or it would have no effect. *Unsafe*: it would
work and one day lose data or open a door; somebody may accept it by naming its code in `accept`.
An acceptance nothing needs any more is a problem itself, or it would silence the next one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.naming import (
    LONGEST_STACK,
    Names,
    bucket_problem,
    host_problem,
    project_problem,
    resource_problem,
    stack_problem,
)
from infra.settings import ClusterMode, Database, Settings, instant, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with the settings.

    Attributes:
        code: stable kebab-case name.
        keys: the configuration keys it is about.
        reason: why it cannot stand.
        remedy: what to type, or which way out there is.
        is_acceptable: whether naming the code in `accept` lets it pass.
    """

    code: str
    keys: tuple[str, ...]
    reason: str
    remedy: str
    is_acceptable: bool = False

    def text(self) -> str:
        """The problem as people read it, without an end of line."""
        accepting = f"\n  or    name {self.code} in accept" if self.is_acceptable else ""
        heading = f"{', '.join(self.keys)} [{self.code}]"
        return f"{heading}\n  why   {self.reason}\n  next  {self.remedy}{accepting}"


Rule = Callable[[Settings], Iterator[Problem]]


def problems(settings: Settings) -> tuple[Problem, ...]:
    """All that is wrong and not accepted, rule by rule; empty for settings that can stand."""
    found = [each for rule in RULES for each in rule(settings)]
    unsafe = {each.code for each in found if each.is_acceptable}
    kept = [each for each in found if each.code not in unsafe & {*settings.accept}]
    return (*kept, *_unneeded(settings, unsafe))


def _unneeded(settings: Settings, unsafe: set[str]) -> Iterator[Problem]:
    for code in settings.accept:
        if code not in unsafe:
            yield Problem(
                code="nothing-to-accept",
                keys=("accept",),
                reason=f"{code} is accepted, and these settings do not need it",
                remedy=f"take {code} out of accept",
            )


_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+", re.ASCII)
_ZONE = re.compile(rf"({_REGION.pattern})-[a-z]", re.ASCII)
_ADDRESS = re.compile(r"[^@\s:,<>]+@([^@\s]+)", re.ASCII)
_BILLING_ACCOUNT = re.compile(r"[0-9A-F]{6}(-[0-9A-F]{6}){2}", re.ASCII)
_MACHINE_TYPE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", re.ASCII)
_TOO_SMALL = ("f1-micro", "g1-small", "e2-micro", "e2-small")
_SHARED_CORE_TIERS = ("db-f1-micro", "db-g1-small")
_CUSTOM_TIER = re.compile(r"db-custom-([1-9][0-9]?)-([1-9][0-9]{3,6})", re.ASCII)
_WEEKEND_FIRST_DAY = 5
_HTTPS = "https://"


def _is_address(text: str) -> bool:
    match = _ADDRESS.fullmatch(text)
    return match is not None and host_problem(match[1].lower()) is None


def _project(settings: Settings) -> Iterator[Problem]:
    if not settings.project:
        yield Problem(
            code="project-missing",
            keys=("gcp:project",),
            reason="nothing says in which project to work",
            remedy="pulumi config set gcp:project PROJECT-ID",
        )
    elif reason := project_problem(settings.project):
        yield Problem(
            code="project-id",
            keys=("gcp:project",),
            reason=f"{settings.project!r}: {reason}",
            remedy="pulumi config set gcp:project PROJECT-ID (its id, not its number or title)",
        )


def _region(settings: Settings) -> Iterator[Problem]:
    if not settings.region:
        yield Problem(
            code="region-missing",
            keys=("gcp:region",),
            reason="nothing says where in the world data and servers are to be",
            remedy="pulumi config set gcp:region europe-west1",
        )
    elif zone := _ZONE.fullmatch(settings.region):
        yield Problem(
            code="region-is-a-zone",
            keys=("gcp:region",),
            reason=f"{settings.region!r} is a zone, and one zone's outage would be everybody's",
            remedy=f"pulumi config set gcp:region {zone[1]}",
        )
    elif not _REGION.fullmatch(settings.region):
        yield Problem(
            code="region",
            keys=("gcp:region",),
            reason=f"{settings.region!r} is not written as a region is",
            remedy="pulumi config set gcp:region europe-west1",
        )


def _stack(settings: Settings) -> Iterator[Problem]:
    if reason := stack_problem(settings.stack):
        yield Problem(
            code="stack-name",
            keys=("stack",),
            reason=f"{settings.stack!r}: {reason}",
            remedy=f"pulumi stack init with up to {LONGEST_STACK} of a-z, 0-9 and hyphens",
        )


def _admin_email(settings: Settings) -> Iterator[Problem]:
    if not settings.admin_email:
        yield Problem(
            code="admin-email-missing",
            keys=("adminEmail",),
            reason="Label Studio's first user, which ops uses, is known by an e-mail address",
            remedy="pulumi config set adminEmail you@example.org",
        )
    elif not _is_address(settings.admin_email):
        yield Problem(
            code="admin-email",
            keys=("adminEmail",),
            reason=f"{settings.admin_email!r} is no e-mail address",
            remedy="pulumi config set adminEmail you@example.org",
        )


_RANGES = {
    "node_count_max": (1, 100, "GKE takes up to 100 nodes a zone here, and a pool needs one"),
    "backup_days": (1, 365, "Cloud SQL keeps up to 365 daily backups, and none is no backup"),
    "soft_delete_days": (7, 90, "Cloud Storage keeps deleted objects for 7 to 90 days"),
    "lakefs_replicas": (1, 10, "ten pods share one database already, and none serve nobody"),
    "label_studio_replicas": (1, 10, "ten pods share one database already, and none serve nobody"),
    "monthly_budget": (0, 10_000_000, "a budget is a whole amount of money, or 0 for none"),
}


def _numbers(settings: Settings) -> Iterator[Problem]:
    for field, (least, most, reason) in _RANGES.items():
        value = getattr(settings, field)
        if not least <= value <= most:
            key = key_of(field)
            yield Problem(
                code="out-of-range",
                keys=(key,),
                reason=f"{value} is not {least} to {most}: {reason}",
                remedy=f"pulumi config set {key} {min(max(value, least), most)}",
            )


def _maintenance(settings: Settings) -> Iterator[Problem]:
    reason = "Saturday and Sunday are the window's days, and Cloud SQL knows whole hours only"
    try:
        begin = instant(settings.maintenance_start)
    except ValueError:
        reason = "it is not written as 2026-01-03T02:00:00Z"
    else:
        if begin.weekday() == _WEEKEND_FIRST_DAY and not (begin.minute or begin.second):
            return
    yield Problem(
        code="maintenance-start",
        keys=("maintenanceStart",),
        reason=f"{settings.maintenance_start!r}: {reason}",
        remedy='pulumi config set maintenanceStart "2026-01-03T02:00:00Z", or a Saturday like it',
    )


def _unprotected(settings: Settings) -> Iterator[Problem]:
    signs = {
        "databaseHighAvailability": settings.database_high_availability,
        "customerManagedKeys": settings.customer_managed_keys,
        "uptimeCheck": settings.uptime_check,
        "stack": settings.stack.startswith("prod"),
    }
    production = tuple(key for key, is_set in signs.items() if is_set)
    if settings.protect or not production:
        return
    yield Problem(
        code="unprotected-production",
        keys=("protect", *production),
        reason=(
            f"{', '.join(production)} say that this stack matters, and with protect off one "
            "`pulumi destroy` takes buckets, database and keys with it"
        ),
        remedy="pulumi config set protect true; to tear the stack down, accept this for that time",
        is_acceptable=True,
    )


def _in_cluster(settings: Settings) -> Iterator[Problem]:
    if settings.database is not Database.IN_CLUSTER:
        return
    if settings.database_high_availability:
        yield Problem(
            code="in-cluster-high-availability",
            keys=("database", "databaseHighAvailability"),
            reason="the in-cluster PostgreSQL is one pod with one disk and has no standby",
            remedy="pulumi config set databaseHighAvailability false, or database cloudsql",
        )
    if settings.database_tier != Settings.__dataclass_fields__["database_tier"].default:
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
    if settings.database is Database.IN_CLUSTER:
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
    if cores > 1 and cores % 2:
        return f"{cores} cores: Cloud SQL takes 1 or an even number"
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


def _nodes(settings: Settings) -> Iterator[Problem]:
    defaults = Settings.__dataclass_fields__
    if settings.cluster_mode is ClusterMode.AUTOPILOT:
        for field in ("node_machine_type", "node_count_max"):
            if getattr(settings, field) != defaults[field].default:
                yield Problem(
                    code="nodes-without-standard",
                    keys=(key_of(field), "clusterMode"),
                    reason="an autopilot cluster has no node pool of yours; it would do nothing",
                    remedy=f"pulumi config rm {key_of(field)}, or set clusterMode standard",
                )
        return
    machine = settings.node_machine_type
    if machine in _TOO_SMALL or not _MACHINE_TYPE.fullmatch(machine):
        yield Problem(
            code="node-machine-type",
            keys=("nodeMachineType",),
            reason=f"{machine!r} is no machine type, or one too small for Label Studio",
            remedy="pulumi config set nodeMachineType e2-standard-4",
        )


def _domain(settings: Settings) -> Iterator[Problem]:
    domain = settings.domain
    if not domain:
        return
    reason = host_problem(domain)
    if domain.startswith((_HTTPS, "http://")):
        reason = "it is an address, and the bare domain is asked for"
    elif domain.startswith("*."):
        reason = "Label Studio is served at one domain, not at all below it"
    if reason:
        yield Problem(
            code="domain",
            keys=("domain",),
            reason=f"{domain!r}: {reason}",
            remedy="pulumi config set domain labeling.example.org (lower case)",
        )


def _needs_domain(settings: Settings) -> Iterator[Problem]:
    wanting = {
        "dnsZone": (settings.dns_zone, "there is no record to write into the zone"),
        "iapMembers": (settings.iap_members, "Identity-Aware Proxy stands before a public address"),
        "uptimeCheck": (settings.uptime_check, "from outside there is nothing to be reached"),
    }
    for key, (value, reason) in wanting.items():
        if value and not settings.domain:
            yield Problem(
                code="domain-missing",
                keys=(key, "domain"),
                reason=f"without a domain {reason}",
                remedy=f"pulumi config set domain labeling.example.org, or rm {key}",
            )


def _dns_zone(settings: Settings) -> Iterator[Problem]:
    zone = settings.dns_zone
    if zone and resource_problem(zone):
        yield Problem(
            code="dns-zone",
            keys=("dnsZone",),
            reason=f"{zone!r} is no zone's name: it is what Cloud DNS calls it, not the domain",
            remedy="gcloud dns managed-zones list, then pulumi config set dnsZone NAME",
        )


def _iap_members(settings: Settings) -> Iterator[Problem]:
    for member in settings.iap_members:
        if reason := _member_problem(settings, member):
            yield Problem(
                code="iap-member",
                keys=("iapMembers",),
                reason=f"{member!r}: {reason}",
                remedy="write user:ann@example.org, group:..., domain:... or serviceAccount:...",
            )


def _member_problem(settings: Settings, member: str) -> str | None:
    kind, _, who = member.partition(":")
    if kind in {"allUsers", "allAuthenticatedUsers"}:
        return "that is everybody on the internet, which is no proxy at all"
    if settings.iap_members.count(member) > 1:
        return "it is named twice"
    if kind == "domain":
        return host_problem(who)
    if kind not in {"user", "group", "serviceAccount"}:
        return "it does not begin with user:, group:, domain: or serviceAccount:"
    return None if _is_address(who) else f"{who!r} is no e-mail address"


def _budget(settings: Settings) -> Iterator[Problem]:
    account = settings.billing_account
    if settings.monthly_budget > 0 and not account:
        yield Problem(
            code="billing-account-missing",
            keys=("monthlyBudget", "billingAccount"),
            reason="a budget belongs to a billing account",
            remedy="gcloud billing accounts list, then pulumi config set billingAccount ID",
        )
    if account and not settings.monthly_budget:
        yield Problem(
            code="budget-missing",
            keys=("billingAccount", "monthlyBudget"),
            reason="a billing account is used for the budget alert alone, and there is none",
            remedy="pulumi config set monthlyBudget 200, or pulumi config rm billingAccount",
        )
    if account and not _BILLING_ACCOUNT.fullmatch(account):
        yield Problem(
            code="billing-account",
            keys=("billingAccount",),
            reason=f"{account!r} is not written as 012345-6789AB-CDEF01",
            remedy="gcloud billing accounts list, then pulumi config set billingAccount ID",
        )


def _alerts(settings: Settings) -> Iterator[Problem]:
    email = settings.alert_email
    if settings.uptime_check and not email:
        yield Problem(
            code="alert-email-missing",
            keys=("uptimeCheck", "alertEmail"),
            reason="an alert nobody is sent is no alert",
            remedy="pulumi config set alertEmail you@example.org",
        )
    if email and not settings.uptime_check:
        yield Problem(
            code="alert-without-check",
            keys=("alertEmail", "uptimeCheck"),
            reason="nothing would ever be sent there: only the uptime check alerts",
            remedy="pulumi config set uptimeCheck true, or pulumi config rm alertEmail",
        )
    if email and not _is_address(email):
        yield Problem(
            code="alert-email",
            keys=("alertEmail",),
            reason=f"{email!r} is no e-mail address",
            remedy="pulumi config set alertEmail you@example.org",
        )


RULES: tuple[Rule, ...] = (
    _project,
    _region,
    _stack,
    _admin_email,
    _unprotected,
    _nodes,
    _numbers,
    _maintenance,
    _in_cluster,
    _tier,
    _location,
    _import_buckets,
    _domain,
    _needs_domain,
    _dns_zone,
    _iap_members,
    _budget,
    _alerts,
)
