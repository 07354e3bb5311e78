"""The databases: private, encrypted, backed up; in the cluster, dumped every day."""

from collections.abc import Iterator
from typing import cast

from tests.infra.answers import Wire
from tests.infra.invariants.rule import (
    invariant,
    is_set,
    kubernetes,
    setting,
    unlike,
    waited_for,
)
from tests.infra.recording import Recorded, Resource

_SQL = "gcp:sql/databaseInstance:DatabaseInstance"


def _instances(recorded: Recorded) -> tuple[Resource, ...]:
    return recorded.of(_SQL)


@invariant
def there_is_the_database_asked_for(recorded: Recorded) -> Iterator[str]:
    """One of the two kinds, never both."""
    managed = setting(recorded, "database") == "cloudsql"
    pods = kubernetes(recorded, "StatefulSet")
    if (len(_instances(recorded)), len(pods)) != ((1, 0) if managed else (0, 1)):
        yield f"{len(_instances(recorded))} instances and {len(pods)} StatefulSets"
    if recorded.outputs["database"] != setting(recorded, "database"):
        yield f"the stack says {recorded.outputs['database']!r}"


@invariant
def the_database_is_private_and_encrypted(recorded: Recorded) -> Iterator[str]:
    """No public address; nothing in plain text on the wire."""
    for each in _instances(recorded):
        network = recorded.one("compute/network:Network")
        expected = {
            "settings.ipConfiguration.ipv4Enabled": False,
            "settings.ipConfiguration.sslMode": "ENCRYPTED_ONLY",
        }
        yield from unlike(each, expected)
        private = str(each.at("settings.ipConfiguration.privateNetwork"))
        if not private.endswith(str(network.at("name"))):
            yield f"it is in {private!r}"


@invariant
def the_database_comes_after_the_peering(recorded: Recorded) -> Iterator[str]:
    """Else Google refuses the private address, minutes into the first update."""
    for each in _instances(recorded):
        if recorded.one("servicenetworking/connection:Connection").urn not in waited_for(
            recorded, each
        ):
            yield "it does not wait"


@invariant
def the_database_is_backed_up(recorded: Recorded) -> Iterator[str]:
    """Daily, as many as asked; to any moment; and once more when it is deleted."""
    for each in _instances(recorded):
        backups = "settings.backupConfiguration"
        expected = {
            f"{backups}.enabled": True,
            f"{backups}.pointInTimeRecoveryEnabled": True,
            f"{backups}.backupRetentionSettings.retainedBackups": int(
                setting(recorded, "backupDays")
            ),
            "settings.finalBackupConfig.enabled": True,
            "settings.retainBackupsOnDelete": True,
        }
        yield from unlike(each, expected)
    for each in kubernetes(recorded, "CronJob"):
        containers = each.list_at("spec.jobTemplate.spec.template.spec.containers")
        kept = {"name": "KEEP_DAYS", "value": setting(recorded, "backupDays")}
        if not any(kept in cast("dict[str, list[Wire]]", one)["env"] for one in containers):
            yield f"{each.name} does not keep its dumps as many days as asked"


@invariant
def the_database_is_as_large_and_as_available_as_asked(recorded: Recorded) -> Iterator[str]:
    """And of the edition that takes small machines: review point 16."""
    is_available = is_set(recorded, "databaseHighAvailability")
    for each in _instances(recorded):
        expected = {
            "settings.tier": setting(recorded, "databaseTier"),
            "settings.availabilityType": "REGIONAL" if is_available else "ZONAL",
            "settings.edition": "ENTERPRISE",
            "settings.diskAutoresize": True,
        }
        yield from unlike(each, expected)
        if not each.at("settings.maintenanceWindow.day"):
            yield "it is maintained at any hour"


@invariant
def the_database_is_deleted_only_when_asked_twice(recorded: Recorded) -> Iterator[str]:
    """The provider's lock and Google's own follow `protect`."""
    wanted = is_set(recorded, "protect")
    for each in _instances(recorded):
        expected = {"deletionProtection": wanted, "settings.deletionProtectionEnabled": wanted}
        yield from unlike(each, expected)


@invariant
def a_teardown_does_not_stop_at_the_database(recorded: Recorded) -> Iterator[str]:
    """Complaint 9: owners cannot be dropped, peerings not removed, names not used again."""
    for kind in (
        "sql/database:Database",
        "sql/user:User",
        "servicenetworking/connection:Connection",
    ):
        for each in recorded.of(kind):
            yield from unlike(each, {"deletionPolicy": "ABANDON"})
    for each in _instances(recorded):
        if each.at("name"):
            yield "the instance's name could not be used again for a week"


@invariant
def each_server_has_a_database_and_a_user(recorded: Recorded) -> Iterator[str]:
    """By the same name, on the one instance."""
    for _ in _instances(recorded):
        for kind in ("sql/database:Database", "sql/user:User"):
            names = sorted(str(each.at("name")) for each in recorded.of(kind))
            if names != ["label_studio", "lakefs"]:
                yield f"{kind}: {names}"


@invariant
def servers_ask_for_an_encrypted_connection(recorded: Recorded) -> Iterator[str]:
    """To the database outside the cluster; inside, a policy holds everybody else off."""
    mode = "require" if setting(recorded, "database") == "cloudsql" else "disable"
    environment = recorded.one("core/v1:ConfigMap", "label-studio").at("data")
    if environment["PGSSLMODE"] != mode:
        yield f"Label Studio: {environment['PGSSLMODE']}"
    secret = recorded.one("core/v1:Secret", "lakefs").inputs["stringData"]
    if f"sslmode={mode}" not in secret["database-connection-string"]:
        yield "lakeFS"


@invariant
def a_database_in_the_cluster_is_dumped_and_kept(recorded: Recorded) -> Iterator[str]:
    """Review point 17: a disk that outlives its pod, and a dump every day beside it."""
    for each in kubernetes(recorded, "StatefulSet"):
        yield from unlike(
            each,
            {"spec.replicas": 1, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted": "Retain"},
        )
        if not each.at("spec.volumeClaimTemplates"):
            yield "it has no disk"
        jobs = kubernetes(recorded, "CronJob")
        if not any("back-up" in job.name for job in jobs):
            yield "nothing dumps it"
