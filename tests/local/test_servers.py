"""The session's servers are closed to strangers, and Label Studio's SQLite loses nothing."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast
from uuid import uuid4

import pytest

from ops.local import Connection
from ops.local.loopback import Answer, Client
from tests.real import basic, bearer, logged_in

pytestmark = pytest.mark.servers

_CHOICES = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="kind" toName="image"><Choice value="brie"/></Choices></View>'
)
_RESULT = [
    {"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["brie"]}}
]


def test_sign_up_is_off(servers: Connection) -> None:
    """Nobody can make an account without an invitation."""
    client = Client(servers.label_studio_url)
    client.get("/user/signup/")
    token = next(cookie.value for cookie in client.cookies if cookie.name == "csrftoken")
    assert token is not None
    answer = client.post_form(
        "/user/signup/",
        {
            "csrfmiddlewaretoken": token,
            "email": "stranger@example.com",
            "password": "long enough to pass",
        },
    )
    assert answer.status == 403


def test_the_personal_access_token_works_and_the_legacy_one_does_not(servers: Connection) -> None:
    """The account's legacy token exists, as Label Studio always makes one, and opens nothing."""
    client = Client(servers.label_studio_url)
    assert client.get("/api/projects", headers=bearer(servers)).status == 200
    legacy = logged_in(servers).get("/api/current-user/token").text_at("token")
    assert legacy
    refused = client.get("/api/projects", headers={"Authorization": f"Token {legacy}"})
    assert refused.status == 401


def test_the_password_logs_in(servers: Connection) -> None:
    """The e-mail and password a person is told open Label Studio's pages."""
    who = logged_in(servers).get("/api/current-user/whoami")
    assert who.text_at("email") == servers.label_studio_email
    assert Client(servers.label_studio_url).get("/api/current-user/whoami").status == 401


def test_lakefs_takes_its_key_only(servers: Connection) -> None:
    """Without the generated key pair the API is closed."""
    client = Client(servers.lakefs_url)
    assert client.get("/api/v1/repositories", headers=basic(servers)).status == 200
    assert client.get("/api/v1/repositories").status == 401


def test_telemetry_is_off(servers: Connection) -> None:
    """Label Studio's pages are told to report nothing to anybody."""
    page = logged_in(servers).get("/projects/").body.decode()
    settings = page[page.index("window.APP_SETTINGS") :]
    assert '"collect_analytics": false' in settings or "collect_analytics: false" in settings
    assert "ingest.sentry.io" not in page
    assert "ingest.us.sentry.io" not in page


def test_an_import_beside_saving_annotators_loses_nothing(servers: Connection) -> None:
    """With Label Studio's own SQLite settings this import keeps few or none of its annotations."""
    client = Client(servers.label_studio_url, timeout_s=60)
    headers = bearer(servers)
    made = client.post_json(
        "/api/projects",
        {"title": f"busy-{uuid4().hex[:8]}", "label_config": _CHOICES},
        headers=headers,
    )
    project = _number(made, "id")
    path = f"/api/projects/{project}/import?return_task_ids=true"
    picture = {"data": {"image": "s3://nowhere/1.png"}}
    first = cast("dict[str, list[int]]", client.post_json(path, [picture], headers=headers).json())
    task = first["task_ids"][0]

    labeled = [{**picture, "annotations": [{"result": _RESULT}]}] * 500
    saves, enough = queue.SimpleQueue[int](), threading.Event()
    with ThreadPoolExecutor(max_workers=2) as pool:
        annotators = [pool.submit(_annotate, servers, task, saves, enough) for _ in range(2)]
        try:
            imports: list[Answer] = []
            for _ in range(4):
                # Both annotators are in full swing when an import begins.
                for _ in range(4):
                    saves.get(timeout=60)
                imports.append(client.post_json(path, labeled, headers=headers))
        finally:
            enough.set()
    saved = sum(annotator.result(timeout=60) for annotator in annotators)

    assert [answer.status for answer in imports] == [201] * 4
    assert [_number(answer, "annotation_count") for answer in imports] == [500] * 4
    totals = client.get(f"/api/projects/{project}", headers=bearer(servers))
    assert _number(totals, "total_annotations_number") == 4 * 500 + saved


def _annotate(
    servers: Connection, task: int, saves: "queue.SimpleQueue[int]", enough: threading.Event
) -> int:
    """Save annotations until it is enough, and give how many the server acknowledged."""
    client, headers, saved = Client(servers.label_studio_url, timeout_s=60), bearer(servers), 0
    while not enough.is_set():
        body = {"result": _RESULT, "lead_time": 1.0}
        answer = client.post_json(f"/api/tasks/{task}/annotations/", body, headers=headers)
        assert answer.status == 201
        saved += 1
        saves.put(saved)
    return saved


def _number(answer: Answer, name: str) -> int:
    document = cast("dict[str, object]", answer.json())
    number = document[name]
    assert isinstance(number, int)
    return number
