"""Rules of where a stack is, whose it is, how much of it there is, and what guards it."""

import re
from collections.abc import Iterator

from infra.naming import LONGEST_STACK, is_address, project_problem, stack_problem
from infra.rules.problem import Problem, Rule
from infra.settings import ClusterMode, Settings, default_of, instant, key_of

_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+", re.ASCII)
_ZONE = re.compile(rf"({_REGION.pattern})-[a-z]", re.ASCII)
_MACHINE_TYPE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", re.ASCII)
_TOO_SMALL = ("f1-micro", "g1-small", "e2-micro", "e2-small")
_SATURDAY = 5


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
    elif not is_address(settings.admin_email):
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
        if begin.weekday() == _SATURDAY and not (begin.minute or begin.second):
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
        remedy="pulumi config set protect true, unless you are tearing the stack down",
        is_acceptable=True,
    )


def _nodes(settings: Settings) -> Iterator[Problem]:
    if settings.cluster_mode == ClusterMode.AUTOPILOT:
        for field in ("node_machine_type", "node_count_max"):
            if getattr(settings, field) != default_of(field):
                yield Problem(
                    code="nodes-without-standard",
                    keys=(key_of(field), "clusterMode"),
                    reason="an autopilot cluster has no node pool of yours; it would do nothing",
                    remedy=f"pulumi config rm {key_of(field)}, or set clusterMode standard",
                )
        return
    machine = settings.node_machine_type
    if not is_machine_type(machine):
        yield Problem(
            code="node-machine-type",
            keys=("nodeMachineType",),
            reason=f"{machine!r} is no machine type, or one too small for Label Studio",
            remedy="pulumi config set nodeMachineType e2-standard-4",
        )


def is_machine_type(text: str) -> bool:
    """Whether a text is written as a machine type is, and of none too small for what runs here."""
    return text not in _TOO_SMALL and bool(_MACHINE_TYPE.fullmatch(text))


RULES: tuple[Rule, ...] = (
    _project,
    _region,
    _stack,
    _admin_email,
    _unprotected,
    _nodes,
    _numbers,
    _maintenance,
)
