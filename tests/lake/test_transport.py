"""Tries, silences and strangers, over real connections."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from ops.core.records import CommitId
from ops.errors import ConfigurationError, UnavailableError
from ops.lake import LakeFS
from ops.ports import Upload
from tests.lake.scripted import COMMIT, HANG_UP, HTML, Answer, said, serving

HEAD = CommitId("c" * 64)
PAGE = Answer(status=502, body=b"<html>Bad gateway</html>", headers=HTML)
BUSY = said(500, "predicate failed")
CUT = Answer(withheld_bytes=5)
MERGED = Answer(body=b'{"reference":"c2"}')
STORED = Answer(status=201)
UPLOADS_FOR_EVER = """
import itertools, sys
from ops.lake import LakeFS
from ops.ports import Upload

lake = LakeFS(sys.argv[1], "id", "secret", "labels")
lake.write_many("a", (Upload(path=str(number), data=b"1") for number in itertools.count()))
"""
LOOKS = """
import sys
from ops.lake import LakeFS

lake = LakeFS(sys.argv[1], "id", "secret", "labels")
lake.find_commit("main")
list(lake.read_many("main", ["a", "b"]))
list(lake.list_objects("main"))
sys.exit("lakefs_sdk" in sys.modules)
"""
EMPTY_PAGE = Answer(body=b'{"pagination":{"has_more":false,"next_offset":""},"results":[]}')
HEAVY = "{'urllib3', 'lakefs_sdk', 'requests', 'httpx'}"

NOT_REPEATABLE: dict[str, Callable[[LakeFS], object]] = {
    "merge": lambda lake: lake.merge("round-a", "main", "m", {}),
    "commit": lambda lake: lake.commit("round-a", "m", {}),
    "create_tag": lambda lake: lake.create_tag("v1", HEAD),
    "create_branch": lambda lake: lake.create_branch("round-a", "main"),
    "create_repository": lambda lake: lake.create_repository("local://labels"),
    "write_if_absent": lambda lake: lake.write_if_absent("a", Upload(path="a", data=b"1")),
}


def until_together(count: int) -> Callable[[], object]:
    """What holds every request until so many have come."""
    arrived: list[None] = []
    changed = threading.Condition()

    def wait() -> None:
        with changed:
            arrived.append(None)
            changed.notify_all()
            assert changed.wait_for(lambda: len(arrived) >= count, timeout=20)

    return wait


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("trouble", [HANG_UP, PAGE, BUSY, CUT], ids=["gone", "502", "busy", "cut"])
def test_a_read_is_tried_again(trouble: Answer) -> None:
    """And comes back whole: never the part that came before the connection broke."""
    with serving(trouble, COMMIT) as server:
        assert server.lake().find_commit("main") == "c1"
    assert server.asked == ["GET /api/v1/repositories/labels/commits/main"] * 2


def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    """A server that was started anew costs a merge nothing."""
    with serving(Answer(body=COMMIT.body, is_last=True), MERGED) as server:
        lake = server.lake()
        lake.find_commit("main")
        assert server.closed.acquire(timeout=10)
        assert lake.merge("round-a", "main", "m", {}) == "c2"
    assert len(server.asked) == 2


def test_an_upload_is_tried_again() -> None:
    """Storing the same object twice is storing it once."""
    with serving(HANG_UP, BUSY, STORED) as server:
        assert server.lake().write_many("round-a", [Upload(path="a", data=b"1")]) == 1
    assert len(server.asked) == 3


@pytest.mark.parametrize("trouble", [HANG_UP, PAGE, CUT], ids=["gone", "502", "cut"])
@pytest.mark.parametrize("use", NOT_REPEATABLE.values(), ids=NOT_REPEATABLE)
def test_what_may_have_been_carried_out_is_not_sent_twice(
    use: Callable[[LakeFS], object], trouble: Answer
) -> None:
    """Once a merge was in although its client saw an error."""
    with serving(trouble) as server:
        with pytest.raises(UnavailableError) as caught:
            use(server.lake())
        assert len(server.asked) == 1
    assert caught.value.code == "lakefs-unreachable"
    assert "not known" in caught.value.unchanged
    assert " tries " not in caught.value.message


def test_what_lakefs_says_it_did_not_do_is_sent_again() -> None:
    """Two commits at once on one branch: one is told "predicate failed"."""
    with serving(BUSY, MERGED) as server:
        assert server.lake().merge("round-a", "main", "m", {}) == "c2"
    assert len(server.asked) == 2


def test_tries_are_bounded_and_named() -> None:
    """A person sees how long it was tried."""
    with serving(BUSY) as server:
        with pytest.raises(UnavailableError) as caught:
            server.lake(tries=3).find_commit("main")
        assert len(server.asked) == 3
    assert caught.value.code == "lakefs-busy"
    assert " after 3 tries in " in caught.value.message


@pytest.mark.parametrize("use", NOT_REPEATABLE.values(), ids=NOT_REPEATABLE)
def test_where_nobody_listens_everything_is_tried_again(use: Callable[[LakeFS], object]) -> None:
    """It surely did not arrive."""
    asked: list[str] = []
    lake = LakeFS(
        f"http://127.0.0.1:{free_port()}",
        "id",
        "secret",
        "labels",
        tries=2,
        on_request=lambda method, path: asked.append(f"{method} {path}"),
    )
    with pytest.raises(UnavailableError) as caught:
        use(lake)
    assert len(asked) == 2
    assert caught.value.code == "lakefs-unreachable"
    assert "nothing listens at its address after 2 tries" in caught.value.message
    assert "ops local up" in caught.value.hint


def test_a_server_that_is_silent_is_not_waited_for_for_ever() -> None:
    """The time is named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError) as caught:
            LakeFS(url, "id", "secret", "labels", timeout_s=0.2, tries=1).find_commit("main")
    assert "no answer within" in caught.value.message


def test_a_name_that_does_not_resolve_is_said_to() -> None:
    """It is a mistyped address most of the time."""
    with pytest.raises(UnavailableError) as caught:
        LakeFS("http://lake.invalid", "id", "secret", "labels", tries=1).server_version()
    assert "does not resolve" in caught.value.message


def test_a_server_without_tls_is_not_spoken_to_with() -> None:
    """Nothing is sent, and nothing tried again: it would fare alike."""
    with serving(COMMIT) as server:
        url = server.lake().url.replace("http://", "https://")
        with pytest.raises(UnavailableError) as caught:
            LakeFS(url, "id", "secret", "labels").find_commit("main")
        assert server.asked == []
    assert caught.value.message.endswith("no secure connection could be made")


def test_a_merge_over_a_connection_without_tls_was_not_sent() -> None:
    """Though the SDK has another word for it."""
    with serving(MERGED) as server:
        url = server.lake().url.replace("http://", "https://")
        with pytest.raises(UnavailableError) as caught:
            LakeFS(url, "id", "secret", "labels").merge("round-a", "main", "m", {})
        assert server.asked == []
    assert caught.value.message.endswith("no secure connection could be made")


def test_a_page_in_another_encoding_is_a_page() -> None:
    """The SDK reads UTF-8 only; a proxy writes what it likes."""
    page = Answer(status=502, body=b"<html>D\xe9sol\xe9</html>", headers=HTML)
    with serving(page) as server:
        with pytest.raises(UnavailableError) as caught:
            server.lake().merge("round-a", "main", "m", {})
        assert len(server.asked) == 1
    assert "an answer of status 502" in caught.value.message


@pytest.mark.parametrize("name", ["..", ".", "../..", "a/../..", "?x", "#", "%2e%2e"])
def test_no_name_reaches_past_its_place(name: str) -> None:
    """The removal of branch ".." is not one of the repository."""
    with serving(Answer(status=204, body=b"")) as server:
        assert server.lake().delete_branch(name)
    place = "DELETE /api/v1/repositories/labels/branches/"
    assert server.asked == [place + quote(name, safe="")]


def test_the_sdk_sends_in_our_name_and_is_counted() -> None:
    """Both planes share connections, credentials and count."""
    asked: list[str] = []
    with serving(Answer(body=COMMIT.body), MERGED) as server:
        lake = LakeFS(
            server.lake().url,
            "id",
            "secret",
            "labels",
            on_request=lambda method, path: asked.append(f"{method} {path}"),
        )
        lake.find_commit("main")
        lake.merge("round-a", "main", "m", {})
        assert asked == server.asked
        assert len(server.connections) == 1
        assert {sent["authorization"] for sent in server.headers} == {"Basic aWQ6c2VjcmV0"}
        assert {sent["user-agent"] for sent in server.headers} == {"labeling-ops"}


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://a b", "http://h:99999"])
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    """The setting is at fault."""
    with pytest.raises(ConfigurationError) as caught:
        LakeFS(url, "id", "secret", "labels")
    assert caught.value.code == "lakefs-url"


@pytest.mark.parametrize(
    "page",
    [
        Answer(status=200, body=b"<html>Label Studio</html>", headers=HTML),
        Answer(status=404, body=b"<html>no such page</html>", headers=HTML),
        Answer(status=404, body=b'{"detail": "Not found."}'),
        Answer(status=302, body=b"", headers={"Location": "https://login.example"}),
        Answer(status=200, body=b"[]"),
        Answer(status=200, body=b'{"other": 1}'),
    ],
    ids=["page", "404 page", "404", "login", "list", "other"],
)
def test_a_stranger_is_not_taken_for_lakefs(page: Answer) -> None:
    """Least of all for a lakeFS that has not what was asked for."""
    with serving(page) as server:
        lake = server.lake()
        uses: tuple[Callable[[], object], ...] = (
            lake.server_version,
            lambda: lake.find_commit("main"),
            lambda: list(lake.list_objects("main")),
        )
        for use in uses:
            with pytest.raises(ConfigurationError) as caught:
                use()
            assert caught.value.code == "not-lakefs"
            assert lake.url in caught.value.message


def test_addresses_are_understood_as_lakectl_writes_them() -> None:
    """LAKECTL_SERVER_ENDPOINT_URL ends with the API's path; a proxy may put lakeFS below one."""
    with serving(COMMIT) as server:
        root = server.lake().url
        for written, asked in (
            (f"{root}/", ""),
            (f"{root}/api/v1", ""),
            (f"{root}/api/v1/", ""),
            (f"{root}/lake", "/lake"),
        ):
            lake = LakeFS(written, "id", "secret", "labels")
            assert lake.url == root + asked
            lake.find_commit("main")
            assert server.asked.pop() == f"GET {asked}/api/v1/repositories/labels/commits/main"


def test_at_least_25_requests_are_in_flight() -> None:
    """None is answered before 25 are there."""
    uploads = [Upload(path=str(number), data=b"1") for number in range(100)]
    with serving(STORED, before=until_together(25)) as server:
        assert server.lake().write_many("round-a", uploads) == 100
    with serving(Answer(body=b"x"), before=until_together(25)) as server:
        found = list(server.lake().read_many("main", (str(number) for number in range(100))))
    assert found == [(str(number), b"x") for number in range(100)]


def test_threads_share_the_connections_there_are() -> None:
    """A request waits for a free one; none is opened besides, and none is opened twice."""
    with serving(COMMIT) as server:
        lake = server.lake(concurrency=4)
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(lake.find_commit, ["main"] * 200)) == ["c1"] * 200
        assert len(server.connections) <= 4


def test_a_refused_upload_is_named_and_ends_the_rest() -> None:
    """At once, with the path."""
    pulled: list[int] = []

    def uploads() -> Iterator[Upload]:
        for number in range(10_000):
            pulled.append(number)
            yield Upload(path=f"annotations/{number}.json", data=b"1")

    with serving(said(500, "write /x: no space left on device")) as server:
        with pytest.raises(UnavailableError) as caught:
            server.lake().write_many("round-a", uploads())
        assert len(server.asked) <= len(pulled) < 100
    assert caught.value.code == "lakefs-disk-full"
    assert caught.value.subject is not None
    assert caught.value.subject.startswith("annotations/")
    assert caught.value.subject in caught.value.message


def test_a_server_that_dies_ends_an_upload_once_the_tries_are_used_up() -> None:
    """All that are in flight fail together, not one after the other."""
    with serving(*[STORED] * 40, HANG_UP) as server:
        with pytest.raises(UnavailableError) as caught:
            server.lake(tries=2).write_many(
                "a", [Upload(path=str(number), data=b"1") for number in range(1000)]
            )
        assert len(server.asked) < 200
    assert " after 2 tries in " in caught.value.message


def test_ctrl_c_ends_an_upload_at_once() -> None:
    """Though 32 requests wait for an answer that does not come."""
    arrived = threading.Semaphore(0)
    release = threading.Event()

    def hold() -> None:
        arrived.release()
        release.wait(30)

    with serving(STORED, before=hold) as server:
        client = subprocess.Popen(
            [sys.executable, "-c", UPLOADS_FOR_EVER, server.lake().url], stderr=subprocess.PIPE
        )
        for _ in range(32):
            assert arrived.acquire(timeout=20)
        client.send_signal(signal.SIGINT)
        _, told = client.communicate(timeout=10)
        release.set()
    assert client.returncode == -signal.SIGINT
    assert told.rstrip().endswith(b"KeyboardInterrupt")
    assert len(server.asked) <= 40


def test_importing_the_adapter_imports_no_http_library() -> None:
    """Commands that ask no server start at once."""
    code = f"import sys, ops.lake; sys.exit(len({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_looking_at_refs_and_objects_imports_no_sdk() -> None:
    """Half a second, on every command that only looks."""
    with serving(COMMIT, Answer(body=b"1"), Answer(body=b"2"), EMPTY_PAGE) as server:
        run = subprocess.run([sys.executable, "-c", LOOKS, server.lake().url], check=False)
    assert run.returncode == 0
