"""PostgreSQL as a service: one Cloud SQL instance, a database and a user for each program.

Owns the instance, its backups and its two databases; and how a connection string is written, which
is the same for PostgreSQL in the cluster. Does not own the peering it is reached by
(infra/network.py) nor the passwords (infra/credentials.py).

Two limits of Cloud SQL itself. Users made by its API are members of `cloudsqlsuperuser`, so each of
the two could read the other's database: the passwords, and not the roles, hold them apart. And
connections are encrypted without the server's name being verified, inside the VPC: verification
would need the instance's own certificate authority in every pod.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

import pulumi
import pulumi_gcp as gcp

VERSION = "POSTGRES_17"
PORT = 5432
# PostgreSQL's standard error of a slow night is one line; of every connection it would be one a
# request, because Label Studio keeps none open.
FLAGS: Mapping[str, str] = {
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    "log_min_error_statement": "error",
    "log_min_messages": "warning",
    "log_statement": "ddl",
    "log_temp_files": "0",
}
_LONGEST_LOG_DAYS = 7
# Before the maintenance window's usual hour, when people in Europe and America sleep or start.
_BACKUP_START = "23:00"
_FINAL_BACKUP_DAYS = 30


class Encryption(StrEnum):
    """What a client of PostgreSQL asks for, in libpq's words."""

    REQUIRED = "require"
    NONE = "disable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSqlArgs:
    """What the instance is made of.

    Attributes:
        network: self link of the VPC whose private addresses reach it.
        peering: the VPC's connection to Google's services, which must stand first.
        tier: as `db-custom-1-3840`.
        backup_days: daily backups kept; the write-ahead log is kept for up to seven days.
        maintenance_begin: UTC; weekday and hour are taken.
        passwords: by database, whose user has the same name.
        encryption_key: Cloud KMS key; None for Google's own.
    """

    region: str
    network: pulumi.Input[str]
    peering: Sequence[pulumi.Resource]
    tier: str
    is_highly_available: bool
    backup_days: int
    maintenance_begin: datetime
    protect: bool
    labels: Mapping[str, str]
    passwords: Mapping[str, pulumi.Input[str]]
    encryption_key: pulumi.Input[str] | None = None


class CloudSql(pulumi.ComponentResource):
    """The instance with its databases and users.

    Attributes:
        instance_name: Pulumi's choice: a name stays taken for a week after deletion.
        host: its private address.
        ready: what a program that connects must wait for.
    """

    instance_name: pulumi.Output[str]
    host: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: CloudSqlArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the instance, the databases and the users."""
        super().__init__("labeling-ops:infra:CloudSql", name, None, opts)
        instance = gcp.sql.DatabaseInstance(
            name,
            gcp.sql.DatabaseInstanceArgs(
                region=args.region,
                database_version=VERSION,
                encryption_key_name=args.encryption_key,
                deletion_protection=args.protect,
                settings=_settings(args),
            ),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=list(args.peering)
            ),
        )
        self.instance_name = instance.name
        self.host = instance.private_ip_address
        self.ready = [
            resource
            for database, password in args.passwords.items()
            for resource in self._database(database, password, instance)
        ]
        self.register_outputs({"instanceName": self.instance_name, "host": self.host})

    def _database(
        self, name: str, password: pulumi.Input[str], instance: gcp.sql.DatabaseInstance
    ) -> tuple[pulumi.Resource, pulumi.Resource]:
        """A database and its user. They go with the instance, and never by themselves.

        PostgreSQL refuses to drop a user that owns something, and a teardown would stop at it.
        """
        database = gcp.sql.Database(
            name,
            gcp.sql.DatabaseArgs(
                name=name, instance=instance.name, charset="UTF8", deletion_policy="ABANDON"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        user = gcp.sql.User(
            name,
            gcp.sql.UserArgs(
                name=name, instance=instance.name, password=password, deletion_policy="ABANDON"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return database, user


def connection(
    name: str,
    host: pulumi.Input[str],
    password: pulumi.Input[str],
    *,
    encryption: Encryption,
) -> pulumi.Output[str]:
    """The secret connection string of a database, whose user has its name."""

    def written(parts: Sequence[str]) -> str:
        host, password = parts
        secret = quote(password, safe="")
        return f"postgres://{name}:{secret}@{host}:{PORT}/{name}?sslmode={encryption}"

    return pulumi.Output.secret(pulumi.Output.all(host, password).apply(written))


def _settings(args: CloudSqlArgs) -> gcp.sql.DatabaseInstanceSettingsArgs:
    begin = args.maintenance_begin
    return gcp.sql.DatabaseInstanceSettingsArgs(
        tier=args.tier,
        # Else it is ENTERPRISE_PLUS from PostgreSQL 16 on, which refuses small machines.
        edition="ENTERPRISE",
        availability_type="REGIONAL" if args.is_highly_available else "ZONAL",
        # The first protects against this program, this one against everybody else.
        deletion_protection_enabled=args.protect,
        disk_type="PD_SSD",
        disk_autoresize=True,
        user_labels=args.labels,
        ip_configuration=gcp.sql.DatabaseInstanceSettingsIpConfigurationArgs(
            ipv4_enabled=False, private_network=args.network, ssl_mode="ENCRYPTED_ONLY"
        ),
        backup_configuration=_backups(args.backup_days),
        # What is left when somebody deletes the instance after all.
        final_backup_config=gcp.sql.DatabaseInstanceSettingsFinalBackupConfigArgs(
            enabled=True, retention_days=_FINAL_BACKUP_DAYS
        ),
        retain_backups_on_delete=True,
        maintenance_window=gcp.sql.DatabaseInstanceSettingsMaintenanceWindowArgs(
            day=begin.isoweekday(), hour=begin.hour, update_track="stable"
        ),
        insights_config=gcp.sql.DatabaseInstanceSettingsInsightsConfigArgs(
            query_insights_enabled=True, record_client_address=False
        ),
        database_flags=[
            gcp.sql.DatabaseInstanceSettingsDatabaseFlagArgs(name=name, value=value)
            for name, value in sorted(FLAGS.items())
        ],
    )


def _backups(days: int) -> gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgs:
    retention = gcp.sql.DatabaseInstanceSettingsBackupConfigurationBackupRetentionSettingsArgs(
        retained_backups=days, retention_unit="COUNT"
    )
    return gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgs(
        enabled=True,
        start_time=_BACKUP_START,
        point_in_time_recovery_enabled=True,
        # Google refuses a log that reaches further back than the backups do.
        transaction_log_retention_days=min(days, _LONGEST_LOG_DAYS),
        backup_retention_settings=retention,
    )
