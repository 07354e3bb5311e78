"""`ops doctor` on the pods, with their PostgreSQL there and gone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.local.home import Service
from tests.cli.calls import environment
from tests.pods.stand import BUCKET, Stand

pytestmark = pytest.mark.servers

KEYS = "OPS_LAKEFS_SECRET_ACCESS_KEY"


@pytest.fixture(scope="module")
def variables(stand: Stand) -> dict[str, str]:
    """The settings that name the pods."""
    found = stand.connection()
    return {
        "OPS_LAKEFS_URL": found.lakefs_url,
        "OPS_LAKEFS_ACCESS_KEY_ID": found.lakefs_access_key_id,
        KEYS: found.lakefs_secret_access_key,
        "OPS_LABEL_STUDIO_URL": found.label_studio_url,
        "OPS_LABEL_STUDIO_TOKEN": found.label_studio_token,
        "OPS_REPOSITORY": "doctored",
        "OPS_ACTOR": "lena@example.org",
    }


def ops(directory: Path, variables: dict[str, str], *arguments: str) -> dict[str, Any]:
    """The document of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "ops", *arguments, "--json"],
        cwd=directory,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def checks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """How each check came out."""
    return {one["check"]: one for one in document["data"]["checks"]}


@pytest.fixture
def without_postgres(stand: Stand) -> Iterator[None]:
    """PostgreSQL stopped; both servers run on."""
    stand.postgres.stop()
    yield
    stand.postgres.start()


def test_pods_that_are_well(variables: dict[str, str], tmp_path: Path) -> None:
    """The database answers, the clocks agree; the emulator cannot be signed for."""
    namespace = f"gs://{BUCKET}/lakefs/doctored"
    ready = ops(tmp_path, {**variables, "OPS_STORAGE_NAMESPACE": namespace}, "init",
                "--labels", "brie")  # fmt: skip
    assert ready["exit_code"] == 0
    document = ops(tmp_path, variables, "doctor")
    found = checks(document)
    assert (document["exit_code"], document["warnings"]) == (0, [])
    for name in ("clock", "lakefs-database", "lakefs", "repository", "label-studio", "account"):
        assert found[name]["verdict"] == "ok", found[name]
    assert found["signing"]["verdict"] == "skipped"


def test_wrong_keys_are_told_as_such_while_the_database_is_there(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """The answer of lakeFS is the same as without its database."""
    document = ops(tmp_path, {**variables, KEYS: "wrong"}, "doctor")
    assert document["errors"][0]["code"] == "lakefs-credentials"
    assert checks(document)["lakefs-database"]["verdict"] == "ok"


@pytest.mark.usefixtures("without_postgres")
@pytest.mark.parametrize("key", ["right", "wrong"])
def test_a_database_that_is_down_is_not_taken_for_wrong_keys(
    variables: dict[str, str], tmp_path: Path, key: str
) -> None:
    """Exit code 7, and where to look; nothing is said of keys that nobody could check."""
    asked = variables if key == "right" else {**variables, KEYS: "wrong"}
    document = ops(tmp_path, asked, "doctor")
    found = checks(document)
    assert (document["exit_code"], document["errors"][0]["code"]) == (7, "lakefs-database")
    assert "PostgreSQL" in document["errors"][0]["hint"]
    assert found["lakefs-database"]["verdict"] == "fail"
    assert "lakefs-credentials" not in {one["code"] for one in found.values()}
    codes = {found[name]["code"] for name in ("label-studio", "account")}
    assert "label-studio-database-down" in codes


def test_it_is_well_again_with_postgresql(
    stand: Stand, variables: dict[str, str], tmp_path: Path
) -> None:
    """Both servers come back by themselves."""
    assert stand.client(Service.LAKEFS).get("/_health").status == 200
    document = ops(tmp_path, variables, "doctor")
    found = checks(document)
    assert found["lakefs-database"]["verdict"] == "ok"
    assert found["account"]["verdict"] == "ok"
