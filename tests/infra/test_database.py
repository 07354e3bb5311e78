"""The Cloud SQL component, the credentials, and how a connection is written."""

import string
from urllib.parse import parse_qs, unquote, urlsplit

import pulumi
import pytest

from infra.credentials import Credentials, CredentialsArgs
from infra.database import FLAGS, PORT, CloudSql, CloudSqlArgs, Encryption, connection
from tests.infra.answers import REGION
from tests.infra.parts import LABELS, SATURDAY
from tests.infra.recording import Recorded, record_component

PASSWORDS = {"lakefs": "pa-lakefs", "label_studio": "pa-label-studio"}


def database(
    *, backup_days: int = 14, protect: bool = True, is_highly_available: bool = True
) -> Recorded:
    def declare() -> None:
        secret = {name: pulumi.Output.secret(value) for name, value in PASSWORDS.items()}
        made = CloudSql(
            "database",
            CloudSqlArgs(
                region=REGION,
                network="network",
                peering=[],
                tier="db-custom-1-3840",
                is_highly_available=is_highly_available,
                backup_days=backup_days,
                maintenance_begin=SATURDAY,
                protect=protect,
                labels=LABELS,
                passwords=secret,
            ),
        )
        pulumi.export("host", made.host)
        pulumi.export("ready", [each.urn for each in made.ready])

    return record_component(declare)


def credentials(*, protect: bool = True, preview: bool = False) -> Recorded:
    def declare() -> None:
        made = Credentials("credentials", CredentialsArgs(protect=protect))
        pulumi.export("id", made.lakefs_access_key_id)
        pulumi.export("key", made.lakefs_secret_access_key)

    return record_component(declare, preview=preview)


def written(password: str, encryption: Encryption = Encryption.REQUIRED) -> Recorded:
    def declare() -> None:
        pulumi.export("plain", connection("lakefs", "10.1.0.3", password, encryption=encryption))

    return record_component(declare)


def test_each_program_waits_for_its_database_and_its_user() -> None:
    recorded = database()
    made = [*recorded.of("sql/database:Database"), *recorded.of("sql/user:User")]
    assert sorted(recorded.outputs["ready"]) == sorted(each.urn for each in made)
    assert recorded.outputs["host"] == "10.1.0.3"


def test_passwords_go_to_their_users_and_stay_secret() -> None:
    recorded = database()
    for name, password in PASSWORDS.items():
        user = recorded.one("sql/user:User", name)
        assert user.at("password") == password
        assert user.is_secret("password")


@pytest.mark.parametrize(("backup_days", "log_days"), [(1, 1), (6, 6), (7, 7), (14, 7), (365, 7)])
def test_the_log_reaches_no_further_back_than_the_backups(backup_days: int, log_days: int) -> None:
    instance = database(backup_days=backup_days).one("sql/databaseInstance:DatabaseInstance")
    backups = instance.table_at("settings.backupConfiguration")
    assert backups["transactionLogRetentionDays"] == log_days
    assert backups["backupRetentionSettings"] == {
        "retainedBackups": backup_days,
        "retentionUnit": "COUNT",
    }


def test_maintenance_is_on_the_day_and_hour_asked_for() -> None:
    instance = database().one("sql/databaseInstance:DatabaseInstance")
    window = instance.table_at("settings.maintenanceWindow")
    assert window == {"day": 6, "hour": 2, "updateTrack": "stable"}, "Monday is 1"


def test_flags_are_set_as_written() -> None:
    instance = database().one("sql/databaseInstance:DatabaseInstance")
    flags = {each["name"]: each["value"] for each in instance.list_at("settings.databaseFlags")}
    assert flags == FLAGS


@pytest.mark.parametrize("protect", [True, False])
def test_protection_is_threefold_or_none(protect: bool) -> None:
    instance = database(protect=protect).one("sql/databaseInstance:DatabaseInstance")
    found = {
        instance.protect,
        instance.at("deletionProtection"),
        instance.at("settings.deletionProtectionEnabled"),
    }
    assert found == {protect}


@pytest.mark.parametrize("password", [string.printable, "a/b@c:d?e#f%g", "ä ö", "plain"])
def test_any_password_comes_back_out_of_a_connection_string(password: str) -> None:
    recorded = written(password)
    assert "plain" in recorded.secret_outputs
    parts = urlsplit(str(recorded.outputs["plain"]))
    assert (parts.scheme, parts.username, parts.hostname) == ("postgres", "lakefs", "10.1.0.3")
    assert (parts.port, parts.path) == (PORT, "/lakefs")
    assert unquote(parts.password or "") == password
    assert parse_qs(parts.query) == {"sslmode": ["require"]}


def test_a_connection_inside_the_cluster_asks_for_no_encryption() -> None:
    assert written("x", Encryption.NONE).outputs["plain"].endswith("?sslmode=disable")


def test_the_access_key_id_has_twenty_characters_and_begins_as_lakefs_expects() -> None:
    recorded = credentials()
    assert len(recorded.outputs["id"]) == 20
    assert recorded.outputs["id"].startswith("AKIA")
    assert {"id", "key"} == recorded.secret_outputs
    made = recorded.one("RandomPassword", "lakefs-access-key-id")
    assert (made.at("lower"), made.at("special")) == (False, False)


def test_no_two_secrets_are_made_by_one_resource_and_all_are_kept_as_asked() -> None:
    for protect in (True, False):
        made = credentials(protect=protect).of("RandomPassword")
        assert len(made) == 9
        assert {each.protect for each in made} == {protect}


def test_nothing_of_a_secret_is_known_in_a_preview() -> None:
    assert credentials(preview=True).outputs.get("id") != credentials().outputs["id"]
