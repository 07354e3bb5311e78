"""What a stack is asked to be, as data.

Owns the settings' names, types and defaults, which are those of Pulumi.yaml's `config:` (a test
holds them equal). Does not read them (infra/config.py does) nor judge them (infra/rules.py does).
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum


class ClusterMode(StrEnum):
    """Who looks after the nodes: Google, or a node pool of this program."""

    AUTOPILOT = "autopilot"
    STANDARD = "standard"


class ReleaseChannel(StrEnum):
    """How early GKE's versions arrive."""

    RAPID = "RAPID"
    REGULAR = "REGULAR"
    STABLE = "STABLE"
    EXTENDED = "EXTENDED"


class Database(StrEnum):
    """Where PostgreSQL runs."""

    CLOUD_SQL = "cloudsql"
    IN_CLUSTER = "in-cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a stack; Pulumi.yaml describes each under its camelCase name.

    Attributes:
        project: Google Cloud project id, from `gcp:project`.
        region: region of everything that has one, from `gcp:region`.
        stack: name of the Pulumi stack.
        bucket_location: "" for the region; `place` gives what it comes to.
        accept: codes of refusals somebody has decided to live with; see infra/rules.py.
    """

    project: str
    region: str
    stack: str
    admin_email: str = ""
    protect: bool = True
    accept: tuple[str, ...] = ()
    cluster_mode: ClusterMode = ClusterMode.AUTOPILOT
    node_machine_type: str = "e2-standard-4"
    node_count_max: int = 3
    release_channel: ReleaseChannel = ReleaseChannel.REGULAR
    maintenance_start: str = "2026-01-03T02:00:00Z"
    database: Database = Database.CLOUD_SQL
    database_tier: str = "db-custom-1-3840"
    database_high_availability: bool = True
    backup_days: int = 14
    bucket_location: str = ""
    soft_delete_days: int = 14
    import_buckets: tuple[str, ...] = ()
    lakefs_replicas: int = 2
    label_studio_replicas: int = 2
    domain: str = ""
    dns_zone: str = ""
    iap_members: tuple[str, ...] = ()
    training_access: bool = True
    ray_workers: int = 0
    ray_machine_type: str = "e2-standard-8"
    ray_spot: bool = True
    customer_managed_keys: bool = False
    billing_account: str = ""
    monthly_budget: int = 0
    uptime_check: bool = False
    alert_email: str = ""

    @property
    def place(self) -> str:
        """The buckets' location as Cloud Storage writes it: upper case."""
        return (self.bucket_location or self.region).upper()

    @property
    def maintenance_begin(self) -> datetime:
        """The first maintenance window's start, UTC; `maintenance_start` must be well formed.

        Raises:
            ValueError: it is not; a loaded Settings always is.
        """
        return instant(self.maintenance_start)


def instant(text: str) -> datetime:
    """A time as Google's APIs write it, `2026-01-03T02:00:00Z`.

    Raises:
        ValueError: it is written otherwise.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def key_of(field: str) -> str:
    """The configuration key of a field of Settings: `backup_days` is `backupDays`."""
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


OUTSIDE = {"project": "gcp:project", "region": "gcp:region", "stack": "stack"}
"""The fields that are no key of this program's own, and what people call them."""

KEYS: Mapping[str, str] = {
    key_of(each.name): each.name for each in fields(Settings) if each.name not in OUTSIDE
}
"""Every key of this program's own, to the field that holds it."""


def default_of(field: str) -> object:
    """What a field is where nobody says; "" for the three texts that must be said."""
    default = Settings.__dataclass_fields__[field].default
    return "" if default is MISSING else default
