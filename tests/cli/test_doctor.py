"""`ops doctor` where something is missing on the machine; with servers: tests/system."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import Said, check_envelope
from tests.cli.conftest import Call


def checks(said: Said) -> dict[str, dict[str, Any]]:
    """How each check came out."""
    document = check_envelope(said, ["doctor"])
    return {one["check"]: one for one in document["data"]["checks"]}


def test_a_fresh_machine_is_told_what_to_type(call: Call) -> None:
    """Nothing is set: start servers, or name some."""
    said = call("doctor", "--json")
    found = checks(said)
    assert {name: one["verdict"] for name, one in found.items()} == {
        "packages": "ok", "settings": "fail", "local-stack": "skipped", "token": "skipped",
    }  # fmt: skip
    [error] = said.document["errors"]
    assert (said.exit_code, error["code"]) == (8, "setting-missing")
    assert "ops local up" in error["hint"]
    assert error["where"]["settings"].startswith("fail: lakefs.url is not set")
    assert error["unchanged"] == "nothing was changed: it was only looked at"


def test_a_settings_file_that_cannot_be_read_is_a_finding(call: Call, tmp_path: Path) -> None:
    """The rest is looked at all the same."""
    (tmp_path / "ops.toml").write_text("colour = 'red'\n")
    said = call("doctor", "--json")
    found = checks(said)
    assert (said.exit_code, found["settings"]["code"]) == (8, "settings-file")
    assert found["packages"]["verdict"] == "ok"


def token(days: int | None) -> str:
    """A personal access token that ends in so many days; only its signature is none."""
    claims: dict[str, str | int] = {"token_type": "refresh", "iat": 0}
    if days is not None:
        claims["exp"] = int(time.time()) + days * 86_400
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


@pytest.mark.parametrize(
    ("days", "verdict", "said"),
    [
        (1_000, "ok", "a personal access token, until 20"),
        (None, "ok", "a personal access token"),
        (3, "warn", "it ends on 20"),
    ],
)
def test_a_token_that_will_not_last_is_told(
    call: Call, days: int | None, verdict: str, said: str
) -> None:
    """Before it is refused one day; it is shown nowhere."""
    text = token(days)
    answer = call("doctor", "--json", OPS_LABEL_STUDIO_TOKEN=text)
    found = checks(answer)["token"]
    assert (found["verdict"], said in found["message"]) == (verdict, True)
    assert bool(found["remedy"]) is (verdict == "warn")
    assert text not in answer.stdout


def test_a_legacy_token_is_told(call: Call) -> None:
    """Not every Label Studio takes one."""
    text = "0123456789abcdef"
    found = checks(call("doctor", "--json", OPS_LABEL_STUDIO_TOKEN=text))["token"]
    assert found["verdict"] == "warn"
    assert "legacy token" in found["message"]
    assert "Personal Access Token" in found["remedy"]


def test_a_local_stack_that_lost_its_keys_is_a_fault(call: Call, tmp_path: Path) -> None:
    """Its data without the state file that opens them."""
    (tmp_path / ".ops" / "local" / "lakefs" / "data").mkdir(parents=True)
    (tmp_path / ".ops" / "local" / "state.json").write_text("{")
    said = call("doctor", "--json")
    found = checks(said)
    assert found["local-stack"]["verdict"] == "fail"
    assert "ops local reset" in found["local-stack"]["remedy"]


def test_nothing_to_mend_without_servers(call: Call) -> None:
    """It says the same with --fix, and with --dry-run."""
    plain, fixed = call("doctor", "--json"), call("doctor", "--fix", "--json")
    assert (plain.document["data"], plain.exit_code) == (fixed.document["data"], fixed.exit_code)
    assert call("doctor", "--dry-run", "--json").document["data"] == plain.document["data"]
