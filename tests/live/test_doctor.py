"""`ops doctor` with a stack in use: the way to it, its token, its bucket."""

import json
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ops.stack.file import StackFile, read, write
from ops.stack.token import make_token
from ops.stack.use import FORWARDED_PORTS
from tests.cli.calls import check_envelope
from tests.cli.conftest import Call, call
from tests.gcs.fixtures import client
from tests.gcs.front import Front
from tests.live.shifting import answering
from tests.stack.kubectl import kubectl
from tests.stack.ports import ports
from tests.stack.recorded import OUTPUTS, SECRET_KEY, before_path, checkout, printing

__all__ = ["call", "ports"]

ORIGIN = "http://127.0.0.1:18080"


@pytest.fixture
def stack(call: Call, tmp_path: Path) -> StackFile:
    """Stack dev, without public address, in use."""
    checkout(tmp_path)
    path = before_path(printing(tmp_path, OUTPUTS))
    assert call("config", "use", "--stack", "dev", PATH=path).exit_code == 0
    found = read(tmp_path)
    assert found is not None
    without = {name: value for name, value in found.settings.items() if name != "bucket"}
    kept = StackFile(name="dev", settings=without, facts=found.facts)
    write(tmp_path, kept)
    return kept


def doctor(call: Call, **variables: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The document, and how each check came out."""
    document = check_envelope(call("doctor", "--json", **variables), ["doctor"])
    return document, {one["check"]: one for one in document["data"]["checks"]}


@contextmanager
def forwarded() -> Generator[None]:
    """Somebody on both ports, who is neither server."""
    with ExitStack() as both:
        for port in FORWARDED_PORTS.values():
            both.enter_context(answering(404, body=b"<h1>No</h1>", port=port))
        yield


@pytest.mark.usefixtures("stack")
def test_a_stack_nobody_forwards_to_comes_first(call: Call, tmp_path: Path) -> None:
    """Before servers that do not answer: that is why."""
    place = before_path(kubectl(tmp_path / "bin"))
    document, found = doctor(call, PATH=place)
    [error] = document["errors"]
    assert (document["exit_code"], error["code"]) == (7, "not-forwarded")
    assert error["hint"].endswith("ops open --forward")
    assert found["stack"]["verdict"] == "fail"
    assert found["tools"]["verdict"] == "ok"
    assert found["clock"]["verdict"] == "skipped"
    assert found["settings"]["verdict"] == "ok"
    assert "stack dev (secrets/ops.toml)" in found["settings"]["message"]


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("missing", ["kubectl", "gke-gcloud-auth-plugin"])
def test_what_is_missing_to_forward_is_graver(call: Call, tmp_path: Path, missing: str) -> None:
    """It comes before the forward itself."""
    place = kubectl(tmp_path / "bin")
    (place / missing).unlink()
    document, found = doctor(call, PATH=str(place))
    assert document["errors"][0]["code"] == "no-program"
    assert missing in found["tools"]["message"]
    assert f"gcloud components install {missing}" in found["tools"]["remedy"]


@pytest.mark.usefixtures("stack")
def test_a_stack_somebody_forwards_to_needs_no_tools(call: Call, tmp_path: Path) -> None:
    """From another place, say: a warning then."""
    (tmp_path / "empty").mkdir()
    with forwarded():
        document, found = doctor(call, PATH=str(tmp_path / "empty"))
    assert (found["stack"]["verdict"], found["tools"]["verdict"]) == ("ok", "warn")
    assert document["errors"][0]["code"] == "not-lakefs"


def test_a_token_of_the_stacks_is_made_anew_by_its_command(
    call: Call, stack: StackFile, tmp_path: Path
) -> None:
    """Not by hand, as one's own would be."""
    made = datetime.now(UTC) - timedelta(days=80)
    token = make_token(SECRET_KEY, now=made, token_id="old")  # noqa: S106 - no password
    settings = {**stack.settings, "label_studio.token": token}
    write(tmp_path, StackFile(name="dev", settings=settings, facts=stack.facts))
    _, found = doctor(call)
    assert (found["token"]["verdict"], found["token"]["remedy"]) == (
        "warn",
        "ops config use --stack dev",
    )


def test_public_addresses_need_no_forward(call: Call, stack: StackFile, tmp_path: Path) -> None:
    """Nor kubectl."""
    nowhere = {"lakefs.url": "http://127.0.0.1:9", "label_studio.url": "http://127.0.0.1:9"}
    write(tmp_path, StackFile(name="dev", settings={**stack.settings, **nowhere}))
    _, found = doctor(call)
    assert (found["stack"]["verdict"], found["stack"]["message"]) == (
        "ok",
        "dev, by its addresses",
    )
    assert "tools" not in found


@pytest.fixture
def bucket(cloud_here: Front) -> str:
    """A bucket set up as labels need it."""
    name = f"doctored-{uuid4().hex[:12]}"
    client().create_bucket(name)
    cloud_here.amend(
        name,
        {
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "softDeletePolicy": {"retentionDurationSeconds": "604800"},
            "cors": [{"origin": [ORIGIN], "method": ["GET"]}],
        },
    )
    return name


@pytest.mark.usefixtures("stack")
def test_a_bucket_that_is_well(call: Call, bucket: str) -> None:
    """Rights, risks, and the page of Label Studio."""
    _, found = doctor(call, OPS_BUCKET=bucket)
    assert found["bucket"]["verdict"] == "ok", found["bucket"]
    assert found["cors"]["verdict"] == "ok", found["cors"]


@pytest.mark.usefixtures("stack")
def test_a_page_the_bucket_does_not_know_is_told(
    call: Call, bucket: str, cloud_here: Front
) -> None:
    """And the command that lets it in does."""
    cloud_here.amend(bucket, {"cors": []})
    _, found = doctor(call, OPS_BUCKET=bucket)
    assert found["cors"]["verdict"] == "warn"
    remedy = found["cors"]["remedy"].split()
    assert remedy[0] == "ops"
    assert call(*remedy[1:]).exit_code == 0
    _, found = doctor(call, OPS_BUCKET=bucket)
    assert found["cors"]["verdict"] == "ok"


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("rights", "role"),
    [
        (frozenset({"storage.buckets.get"}), "roles/storage.objectViewer"),
        (frozenset({"storage.objects.get", "storage.objects.list"}), "roles/storage.bucketViewer"),
        (frozenset[str](), "roles/storage.bucketViewer"),
    ],
)
def test_rights_that_are_missing_are_named_with_their_role(
    call: Call, bucket: str, cloud_here: Front, *, rights: frozenset[str], role: str
) -> None:
    """A warning: rounds need none of them."""
    cloud_here.rights = rights
    try:
        _, found = doctor(call, OPS_BUCKET=bucket)
    finally:
        cloud_here.rights = None
    assert found["bucket"]["verdict"] == "warn"
    assert f"--role {role}" in found["bucket"]["remedy"]


@pytest.mark.usefixtures("stack", "cloud_here")
def test_a_bucket_that_is_not_there_is_a_fault(call: Call) -> None:
    """The stack was taken down, or the name is another's."""
    document, found = doctor(call, OPS_BUCKET="no-such-bucket-at-all")
    assert found["bucket"]["verdict"] == "fail"
    assert found["bucket"]["code"] == "no-bucket"
    assert "hush" not in json.dumps(document)


@pytest.mark.usefixtures("stack")
def test_an_unsafe_bucket_is_told(call: Call, bucket: str, cloud_here: Front) -> None:
    """As by ops bucket info."""
    cloud_here.amend(bucket, {"versioning": {"enabled": False}})
    _, found = doctor(call, OPS_BUCKET=bucket)
    assert found["bucket"]["verdict"] == "warn"
    assert found["bucket"]["remedy"]
