"""`ops bucket` on a real fake-gcs-server: what it shows, what it warns of, what it changes."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from ops.cli.app import every_command
from tests.cli.calls import Said, check_envelope
from tests.cli.conftest import Call
from tests.gcs.fixtures import client
from tests.gcs.front import Front

ORIGIN = "https://labels.example.org"
SAFE = {
    "versioning": {"enabled": True},
    "iamConfiguration": {
        "uniformBucketLevelAccess": {"enabled": True},
        "publicAccessPrevention": "enforced",
    },
}


@pytest.fixture
def name(cloud_here: Front) -> str:
    """A bucket as nobody should have it."""
    name = f"pictures-{uuid.uuid4().hex[:12]}"
    client().create_bucket(name)
    assert name in cloud_here.settings
    return name


Ask = Callable[..., dict[str, Any]]
COMMANDS = {words for words in every_command() if words[0] == "bucket"}


@pytest.fixture
def ask(call: Call, name: str) -> Ask:
    """Calls `ops bucket` with --json, the bucket named by a setting."""

    def run(*words: str, exit_code: int = 0) -> dict[str, Any]:
        said: Said = call("bucket", *words, "--json", OPS_BUCKET=f"gs://{name}/")
        [command] = [one for one in COMMANDS if ("bucket", *words)[: len(one)] == one]
        document = check_envelope(said, command)
        assert document["exit_code"] == exit_code, document
        return document

    return run


def test_info_shows_settings_and_warns(ask: Ask, call: Call, name: str) -> None:
    """The same to people and to programs."""
    client().bucket(name).blob("a.png").upload_from_string(b"12345")
    document = ask("info")
    assert document["data"]["name"] == name
    assert document["data"]["objects"] == {"count": 1, "size_bytes": 5, "is_all": True}
    codes = [warning["code"] for warning in document["warnings"]]
    assert codes == ["public-access", "object-access", "no-versioning"]
    assert [risk["code"] for risk in document["data"]["risks"]] == codes
    said = call("bucket", "info", name)
    assert "not prevented" in said.stdout
    assert f"gcloud storage buckets update gs://{name} --public-access-prevention" in said.stderr


def test_a_safe_bucket_has_no_warning(ask: Ask, cloud: Front, name: str) -> None:
    """As `pulumi up` makes it."""
    cloud.amend(name, SAFE)
    document = ask("info")
    assert (document["warnings"], document["data"]["risks"]) == ([], [])


@pytest.mark.parametrize(
    ("condition", "namespace", "is_risk"),
    [
        ({"age": 30}, None, True),
        ({"age": 30, "matchesPrefix": ["lakefs/old/"]}, None, True),
        ({"age": 30, "matchesPrefix": ["l"]}, None, True),
        ({"age": 30, "matchesPrefix": ["images/"]}, None, False),
        ({"age": 30, "matchesPrefix": ["images/"]}, "gs://{}/images/versions", True),
        ({"age": 30, "matchesPrefix": ["lakefs/"]}, "gs://{}/elsewhere", False),
        ({"age": 30, "matchesSuffix": [".tmp"]}, None, False),
        ({"age": 30, "isLive": False}, None, False),
        ({"daysSinceNoncurrentTime": 30}, None, False),
        ({"numNewerVersions": 3}, None, False),
    ],
)
def test_a_rule_that_reaches_what_lakefs_stores_is_warned_of(
    condition: dict[str, Any],
    namespace: str | None,
    *,
    is_risk: bool,
    call: Call,
    cloud: Front,
    name: str,
) -> None:
    """What lakeFS writes is live and has no suffix."""
    rules = {"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}}
    cloud.amend(name, {**SAFE, **rules})
    variables = {"OPS_STORAGE_NAMESPACE": namespace.format(name)} if namespace else {}
    document = call("bucket", "info", f"gs://{name}", "--json", **variables).document
    codes = [warning["code"] for warning in document["warnings"]]
    assert codes == (["lifecycle-deletes-lakefs"] if is_risk else [])
    assert document["data"]["lifecycle"] == [{"action": "Delete", "conditions": condition}]


def test_cors_is_set_shown_and_cleared(ask: Ask, call: Call, name: str, cloud: Front) -> None:
    """A dry run changes nothing; the same twice is already so."""
    options = ("--origin", f"{ORIGIN}/", "--response-header", "Content-Type", "--max-age-s", "60")
    rule = {
        "origin": [ORIGIN],
        "method": ["GET", "HEAD"],
        "responseHeader": ["Content-Type"],
        "maxAgeSeconds": 60,
    }
    planned = ask("cors", "set", *options, "--dry-run")
    assert (planned["status"], planned["data"]["changed"]) == ("planned", False)
    assert ask("cors", "show")["data"]["cors"] == []
    done = ask("cors", "set", *options)
    assert (done["data"]["cors"], done["data"]["changed"]) == ([rule], True)
    assert ask("cors", "show")["data"]["cors"] == [rule]
    cloud.seen.clear()
    again = ask("cors", "set", *options)
    assert (again["status"], again["data"]["changed"]) == ("ok", False)
    assert not [line for line in cloud.seen if line.startswith("PATCH")]
    assert "already so" in call("bucket", "cors", "set", name, *options).stdout
    assert ORIGIN in call("bucket", "cors", "show", name).stdout
    assert f"- {ORIGIN}" in call("bucket", "cors", "clear", name, "--dry-run").stdout
    assert ask("cors", "clear")["data"]["before"] == [rule]
    assert "no rule" in call("bucket", "cors", "show", name).stdout
    assert "already so" in call("bucket", "cors", "clear", name).stdout


def test_another_rule_is_replaced_and_said(call: Call, name: str) -> None:
    """Nobody loses a rule without a line about it."""
    call("bucket", "cors", "set", name, "--origin", "https://old.example")
    said = call("bucket", "cors", "set", name, "--origin", ORIGIN, "--method", "PUT")
    assert "- https://old.example: GET, HEAD; 3600 s" in said.stdout
    assert f"+ {ORIGIN}: PUT; 3600 s" in said.stdout


def test_any_origin_must_be_meant(ask: Ask) -> None:
    """And is warned of ever after."""
    refused = ask("cors", "set", "--origin", "*", exit_code=2)
    assert refused["errors"][0]["code"] == "any-origin"
    assert ask("cors", "show")["data"]["cors"] == []
    ask("cors", "set", "--origin", "*", "--allow-any-origin")
    assert "any-origin" in [warning["code"] for warning in ask("info")["warnings"]]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--origin", "labels.example.org"), "cors-rule"),
        (("--origin", "https://labels.example.org/path"), "cors-rule"),
        (("--origin", "https://me:secret@labels.example.org"), "cors-rule"),
        (("--origin", ""), "cors-rule"),
        (("--origin", ORIGIN, "--response-header", "two words"), "cors-rule"),
        (("--origin", ORIGIN, "--max-age-s", "-1"), "cors-rule"),
        (("--origin", ORIGIN, "--max-age-s", "86401"), "cors-rule"),
        (("--origin", ORIGIN, "--max-age-s", "soon"), "wrong-value"),
        (("--origin", ORIGIN, "--method", "FETCH"), "wrong-value"),
        ((), "missing-value"),
        (("gs://x/", "--origin", ORIGIN), "bucket-address"),
        (("s3://pictures", "--origin", ORIGIN), "bucket-address"),
        (("gs://pictures/images", "--origin", ORIGIN), "bucket-address"),
    ],
)
def test_a_wrong_rule_is_refused_before_anything_is_asked(
    options: tuple[str, ...], code: str, ask: Ask, cloud: Front
) -> None:
    """Exit code 2, and no request."""
    cloud.seen.clear()
    document = ask("cors", "set", *options, exit_code=2)
    assert document["errors"][0]["code"] == code
    assert cloud.seen == []


@pytest.mark.parametrize(
    ("status", "exit_code", "code"),
    [(401, 6, "bucket-credentials"), (403, 6, "bucket-forbidden"), (404, 3, "no-bucket")],
)
def test_a_bucket_that_refuses_is_told_to_people_and_programs(
    status: int, exit_code: int, code: str, *, call: Call, cloud_here: Front, name: str
) -> None:
    """With what to type next."""
    with cloud_here.refusing(name, status):
        said = call("bucket", "info", name)
        document = check_envelope(call("bucket", "info", name, "--json"), ["bucket", "info"])
    assert (said.exit_code, document["exit_code"]) == (exit_code, exit_code)
    assert said.stderr.startswith(f"error[{code}]")
    assert "in its own words" not in said.stderr + json.dumps(document)


def test_every_command_of_it_is_played_here(ask: Ask) -> None:
    """A new one cannot go untested: tests/cli/test_round.py leaves them to this file."""
    assert {words[1:] for words in COMMANDS} == {
        ("info",),
        ("cors", "show"),
        ("cors", "set"),
        ("cors", "clear"),
    }
    for words in (("info",), ("cors", "show"), ("cors", "clear")):
        assert ask(*words)["status"] == "ok"
