"""What becomes of a Label Studio that fails, lies, or is not one."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from ops.core.records import Json
from ops.errors import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    PartialError,
    UnavailableError,
)
from ops.studio import LabelStudio, StudioAnnotators
from tests.studio.scripted import (
    HANG_UP,
    PAGE,
    SILENCE,
    Answer,
    Connect,
    Script,
    parts,
    said,
    token,
)

MEMBERS = "GET /api/users/"
ROWS = "GET /api/tasks/"
IMPORT = "POST /api/projects/7/import"
DELETE = "POST /api/dm/actions/"
RENEW = "POST /api/token/refresh/"
PASSING = ["hang-up", "500", "locked", "timeout"]
NOBODY = said([])
COUNTS = ("task_number", "total_annotations_number", "skipped_annotations_number")
FAILED = said({"detail": "KeyError: 41"}, 500)
LOCKED = said({"detail": "database is locked"}, 500)


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_server_that_is_down_is_tried_four_times(connect: Connect) -> None:
    """And then named, with what to do."""
    sent: list[tuple[str, str]] = []
    url = f"http://127.0.0.1:{closed_port()}"
    studio = connect(url, "t", on_request=lambda method, path: sent.append((method, path)))
    with pytest.raises(UnavailableError) as caught:
        studio.members()
    assert caught.value.code == "label-studio-unreachable"
    assert caught.value.message == f"Label Studio does not answer at {url} (after 4 tries in 0 s)"
    assert "ops local up" in caught.value.hint
    assert caught.value.__cause__ is not None
    assert sent == [("GET", "/api/users/")] * 4


def test_what_never_reached_the_server_is_sent_again_whatever_it_is(connect: Connect) -> None:
    """A refused connection has done nothing yet."""
    sent: list[tuple[str, str]] = []
    url = f"http://127.0.0.1:{closed_port()}"
    studio = connect(url, "t", on_request=lambda method, path: sent.append((method, path)))
    with pytest.raises(UnavailableError):
        studio.create_project(title="cheese", description="", label_config="<View/>")
    assert sent == [("POST", "/api/projects/")] * 4


@pytest.mark.parametrize("failure", [HANG_UP, FAILED, LOCKED, SILENCE], ids=PASSING)
def test_a_reading_survives_a_passing_failure(
    script: Script, studio: LabelStudio, failure: Answer
) -> None:
    """Three failures and an answer."""
    script.on(MEMBERS, failure, failure, failure, said([{"id": 1, "email": "bea@example.com"}]))
    assert studio.members() == {1: "bea@example.com"}
    assert script.requests() == [MEMBERS] * 4


@pytest.mark.parametrize(
    ("failure", "code"),
    [(HANG_UP, "label-studio-unreachable"), (FAILED, "label-studio-failed")],
    ids=["hang-up", "failed"],
)
def test_a_reading_gives_up_after_four_tries(
    script: Script, studio: LabelStudio, failure: Answer, code: str
) -> None:
    """With the server's words nowhere."""
    script.on(MEMBERS, failure)
    with pytest.raises(UnavailableError) as caught:
        studio.members()
    assert caught.value.code == code
    assert "after 4 tries" in caught.value.message
    assert caught.value.unchanged == "nothing was written by this request"
    assert "KeyError" not in parts(caught.value)
    assert len(script.seen) == 4


WRITES: dict[str, Callable[[LabelStudio], object]] = {
    "/api/projects/": lambda studio: studio.create_project(
        title="cheese", description="", label_config="<View/>"
    ),
    "/api/projects/7/import": lambda studio: studio.import_tasks(7, [{"data": {}}]),
    "/api/dm/actions/": lambda studio: studio.delete_tasks(7, [1]),
    "/api/tasks/1/annotations/": lambda studio: StudioAnnotators(studio).annotate(
        1, [], annotator=1
    ),
}


@pytest.mark.parametrize("failure", [HANG_UP, LOCKED, SILENCE], ids=["hang-up", "500", "timeout"])
@pytest.mark.parametrize("path", WRITES)
def test_a_writing_that_may_have_been_done_is_not_sent_again(
    script: Script, studio: LabelStudio, path: str, failure: Answer
) -> None:
    """A second project, batch or answer would be the harm; the next run looks first."""
    script.on(f"POST {path}", failure)
    with pytest.raises(UnavailableError) as caught:
        WRITES[path](studio)
    assert "may have been carried out" in caught.value.unchanged
    assert "after 1 try" in caught.value.message
    assert script.requests() == [f"POST {path}"]


@pytest.mark.parametrize("status", [408, 409])
@pytest.mark.parametrize("path", WRITES)
def test_a_writing_that_is_refused_is_not_sent_again(
    script: Script, studio: LabelStudio, path: str, status: int
) -> None:
    """Label Studio's SDK would, where it is not told otherwise."""
    script.on(f"POST {path}", said({"detail": "no"}, status))
    with pytest.raises(ConfigurationError) as caught:
        WRITES[path](studio)
    assert caught.value.code == "label-studio-unexpected"
    assert script.requests() == [f"POST {path}"]


def test_a_writing_with_an_identity_is_sent_again(script: Script, studio: LabelStudio) -> None:
    """A unique id, or an address of its own, makes it repeatable."""
    annotators, identity = StudioAnnotators(studio), "5f0a0a0e-0000-4000-8000-000000000000"
    script.on("POST /api/tasks/1/annotations/", HANG_UP, said({"id": 5}, 201))
    assert annotators.annotate(1, [], annotator=1, unique_id=identity) == 5
    script.on("PATCH /api/annotations/5/", LOCKED, said({"id": 5}))
    annotators.update_annotation(5, [])
    assert [seen.method for seen in script.seen] == ["POST", "POST", "PATCH", "PATCH"]


def test_too_many_requests_are_tried_again(script: Script, studio: LabelStudio) -> None:
    """429 says that nothing was done, whatever was asked."""
    script.on(DELETE, said({}, 429), said({"processed_items": 1}))
    studio.delete_tasks(7, [1])
    assert script.requests() == [DELETE, DELETE]


def row(number: int, updated_at: str = "2026-01-01T00:00:00.000001Z") -> dict[str, object]:
    """A task of the index, as Label Studio words it."""
    counts = {"total_annotations": 0, "cancelled_annotations": 0}
    return {"id": number, "data": {"key": str(number)}, "updated_at": updated_at, **counts}


def test_a_page_that_fails_is_read_again_smaller(script: Script, studio: LabelStudio) -> None:
    """1.23 answers 500 where a task of the page is deleted while the page is put together."""
    page = said({"tasks": [row(1), row(2)], "total": 3})
    script.on(ROWS, FAILED, page, FAILED, FAILED, said({"tasks": [row(3)], "total": 1}))
    assert [found.id for found in studio.task_rows(7)] == [1, 2, 3]
    assert [seen.query["page_size"] for seen in script.seen] == [
        ["1000"],
        ["500"],
        ["500"],
        ["250"],
        ["125"],
    ]
    filters = [json.loads(seen.query["query"][0])["filters"]["items"] for seen in script.seen]
    assert [found[0]["value"] for found in filters] == [0, 0, 2, 2, 2]


def test_a_page_that_never_comes_is_given_up(script: Script, studio: LabelStudio) -> None:
    """After twelve tries."""
    script.on(ROWS, FAILED)
    with pytest.raises(UnavailableError) as caught:
        list(studio.task_rows(7))
    assert (caught.value.code, len(script.seen)) == ("label-studio-failed", 12)
    assert "after 12 tries" in caught.value.message


def test_a_server_that_gives_shorter_pages_is_read_to_its_end(
    script: Script, studio: LabelStudio
) -> None:
    """Its operator may have set TASK_API_PAGE_SIZE_MAX; and a last page may come up empty."""
    script.on(
        ROWS,
        said({"tasks": [row(1)], "total": 3}),
        said({"tasks": [row(2)], "total": 2}),
        said({"tasks": [], "total": 1}),
    )
    assert [found.id for found in studio.task_rows(7)] == [1, 2]


@pytest.mark.parametrize(
    ("stated", "canonical"),
    [
        ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00.000000Z"),
        ("2026-01-01T12:00:00.500000Z", "2026-01-01T12:00:00.500000Z"),
        ("2026-01-01T12:00:00.000001+02:00", "2026-01-01T10:00:00.000001Z"),
    ],
)
def test_times_have_one_form(
    script: Script, studio: LabelStudio, stated: str, canonical: str
) -> None:
    """Label Studio leaves out a fraction that is zero, and does not take one left out."""
    script.on(ROWS, said({"tasks": [row(1, stated)], "total": 1}))
    assert [found.updated_at for found in studio.task_rows(7, since=stated)] == [canonical]
    filters = json.loads(script.seen[0].query["query"][0])["filters"]["items"]
    assert filters[1]["value"] == canonical


def test_projects_are_listed_again_where_one_went_meanwhile(
    script: Script, studio: LabelStudio
) -> None:
    """A page that moved up by one row would hide the project that crossed the border."""
    projects = [
        {"id": number, "title": "t", "description": f"ops:round/{number}"} for number in (1, 2, 3)
    ]

    def page(count: int, results: list[object], *, more: bool) -> Answer:
        return said({"count": count, "results": results, "next": "more" if more else None})

    script.on(
        "GET /api/projects/",
        page(3, [projects[0], projects[1]], more=True),
        said({"detail": "Invalid page."}, 404),
        page(2, [projects[1], projects[2]], more=False),
    )
    assert [found.id for found in studio.find_projects("ops:round/3")] == [3]


def taken(tasks: list[int], annotations: int) -> Answer:
    """What an import answers."""
    counts = {"task_count": len(tasks), "annotation_count": annotations, "prediction_count": 0}
    return said({**counts, "task_ids": tasks}, 201)


BATCH: list[Mapping[str, Json]] = [
    {"data": {}, "annotations": [{"result": []}, {"result": []}]},
    {"data": {}},
]


def test_an_import_that_lost_annotations_is_taken_back_and_sent_again(
    script: Script, studio: LabelStudio
) -> None:
    """Stock SQLite keeps the tasks and drops their annotations, and says so only in a count."""
    script.on(IMPORT, taken([4, 5], 0), taken([6, 7], 2))
    script.on(DELETE, said({"processed_items": 2}))
    assert studio.import_tasks(7, BATCH) == (6, 7)
    assert script.requests() == [IMPORT, DELETE, IMPORT]
    assert script.seen[1].body["selectedItems"] == {"all": False, "included": [4, 5]}


def test_an_import_that_loses_annotations_twice_is_taken_back_and_said(
    script: Script, studio: LabelStudio
) -> None:
    """Both attempts are deleted."""
    script.on(IMPORT, taken([4, 5], 0), taken([6, 7], 1))
    script.on(DELETE, said({"processed_items": 2}))
    with pytest.raises(PartialError) as caught:
        studio.import_tasks(7, BATCH)
    assert caught.value.code == "import-short"
    assert dict(caught.value.where) == {
        "sent": "2 tasks, 2 annotations, 0 predictions",
        "kept": "2 tasks, 1 annotations, 0 predictions",
    }
    deleted = [seen.body["selectedItems"]["included"] for seen in script.seen[1::2]]
    assert deleted == [[4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (PAGE, "it answers 200 with text/html"),
        (Answer(status=400, body=b"<h1>Bad", content_type="text/html"), "it answers 400 with"),
        (
            said("", 301, headers={"Location": "https://elsewhere/api/users/"}),
            "it redirects to https://else",
        ),
    ],
    ids=["page", "bad-request", "redirect"],
)
def test_an_address_of_something_else_is_said_to_be(
    script: Script, studio: LabelStudio, answer: Answer, what: str
) -> None:
    """Once, and as a setting to correct."""
    script.on(MEMBERS, answer)
    with pytest.raises(ConfigurationError) as caught:
        studio.members()
    assert caught.value.code == "not-label-studio"
    assert what in caught.value.message
    assert len(script.seen) == 1


def test_a_server_that_states_no_version_is_not_label_studio(
    script: Script, studio: LabelStudio
) -> None:
    """Though it answers in JSON."""
    script.on("GET /api/version/", said({"hello": "world"}))
    with pytest.raises(ConfigurationError) as caught:
        studio.server_version()
    assert caught.value.code == "not-label-studio"


def test_an_address_that_is_none(connect: Connect) -> None:
    """Without http:// in front."""
    with pytest.raises(ConfigurationError) as caught:
        connect("localhost:8080", "t").members()
    assert caught.value.code == "not-label-studio"


def test_https_where_none_is_spoken(script: Script, connect: Connect) -> None:
    """A certificate that is not trusted ends the same way: at once, and said."""
    with pytest.raises(ConfigurationError) as caught:
        connect(script.url.replace("http", "https"), "t").members()
    assert caught.value.code == "label-studio-tls"


def test_a_refusal_nobody_knows_is_quoted(script: Script, studio: LabelStudio) -> None:
    """It is no user's data, but better than nothing."""
    script.on("GET /api/projects/7/", said({"detail": "Gone <b>fishing</b>"}, 418))
    with pytest.raises(ConfigurationError) as caught:
        studio.totals(7)
    assert caught.value.code == "label-studio-unexpected"
    assert dict(caught.value.where) == {"Label Studio says": "Gone fishing"}


def test_what_is_not_there_is_named(script: Script, studio: LabelStudio) -> None:
    """Some routes answer 404 with a page."""
    gone = Answer(status=404, body=b"<!doctype html>", content_type="text/html")
    script.on("GET /api/projects/7/export", gone)
    with pytest.raises(NotFoundError) as caught:
        list(studio.export(7, [1]))
    assert (caught.value.code, caught.value.subject) == ("project-gone", "7")


def test_an_account_that_may_not(script: Script, studio: LabelStudio) -> None:
    """403, said at once."""
    script.on("DELETE /api/projects/7/", said({"detail": "no permission"}, 403))
    with pytest.raises(DeniedError) as caught:
        studio.delete_project(7)
    assert caught.value.code == "label-studio-forbidden"
    assert ("request", "DELETE /api/projects/7/") in caught.value.where


def test_every_request_is_reported_in_turn(script: Script, connect: Connect) -> None:
    """Tries and renewals too; exports come from several threads."""
    sent: list[str] = []
    script.on(RENEW, said({"access": token("access")}))
    script.on("GET /api/projects/7/export", said([]), FAILED, said([]))
    studio = connect(
        script.url,
        token("refresh"),
        on_request=lambda method, path: sent.append(f"{method} {path}"),
    )
    assert list(studio.export(7, range(1, 1001))) == []
    assert sorted(sent) == sorted(script.requests())
    # The chunk that failed came in halves.
    assert len(sent) == 1 + 4 + 2


def test_an_export_that_is_never_whole_comes_in_halves(script: Script, connect: Connect) -> None:
    """Down to single tasks, which alone are tried again; each task once, in order."""
    script.on(RENEW, said({"access": token("access")}))
    one, two, three = ([{"id": number}] for number in (1, 2, 3))
    route = "GET /api/projects/7/export"
    script.on(route, FAILED, said(one), FAILED, FAILED, said(two), said(three))
    studio = connect(script.url, token("refresh"))
    assert [document["id"] for document in studio.export(7, [1, 2, 3])] == [1, 2, 3]
    assert script.requests()[1:] == [route] * 6


def test_an_export_nobody_answers_is_given_up(script: Script, connect: Connect) -> None:
    """Without as many tries as there are tasks."""
    script.on(RENEW, said({"access": token("access")}))
    script.on("GET /api/projects/7/export", FAILED)
    studio = connect(script.url, token("refresh"))
    with pytest.raises(UnavailableError):
        list(studio.export(7, range(250)))
    halvings, tries = 7, 4
    assert len(script.requests()) == 1 + halvings + tries


def test_a_renewal_that_fails_is_not_taken_for_what_was_asked(
    script: Script, connect: Connect
) -> None:
    """Neither smaller pages nor half an export would help."""
    script.on(RENEW, FAILED)
    with pytest.raises(UnavailableError):
        list(connect(script.url, token("refresh")).task_rows(7))
    with pytest.raises(UnavailableError):
        list(connect(script.url, token("refresh")).export(7, range(250)))
    assert script.requests() == [RENEW] * (4 + 4)


WATCHED = ("httpx", "ssl", "pydantic", "pandas")
IMPORTED = f"print([name for name in {WATCHED} if name in sys.modules])"


def imported_by(program: str) -> str:
    """Which of the heavy libraries a program has in the end."""
    command = [sys.executable, "-c", f"import sys\n{program}\n{IMPORTED}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_adapter_is_cheap() -> None:
    """No HTTP library before the first request."""
    assert imported_by("import ops.studio") == "[]"


def test_what_a_sync_asks_is_asked_without_the_sdk(script: Script) -> None:
    """Importing it would add 0.2 s CPU to each sync; other requests import it."""
    script.on(MEMBERS, NOBODY)
    script.on(ROWS, said({"tasks": [], "total": 0}))
    script.on("GET /api/projects/7/", said(dict.fromkeys(COUNTS, 0)))
    script.on("GET /api/projects/7/export", said([]))
    script.on("GET /api/version/", said({"release": "1.23.2"}))
    program = f"""
from ops.studio import LabelStudio
studio = LabelStudio({script.url!r}, "t")
studio.members(), studio.totals(7), list(studio.task_rows(7, since="2026-01-01T00:00:00Z"))
list(studio.export(7, [1]))
"""
    assert imported_by(program) == "['httpx', 'ssl']"
    assert imported_by(program + "studio.server_version()") == "['httpx', 'ssl', 'pydantic']"
    assert len(script.seen) == 4 + 5
