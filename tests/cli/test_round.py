"""Every command that needs servers, on the real ones: with --json, for people, and refused."""

import json
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from ops.cli.app import every_command
from ops.core.records import Json
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.calls import Said, check_envelope
from tests.cli.conftest import Call
from tests.pictures import draw_pictures
from tests.serving import SilentHandler, serving

pytestmark = pytest.mark.servers

CHOICE: Mapping[str, Json] = {
    "id": "c1",
    "type": "choices",
    "from_name": "label",
    "to_name": "image",
    "value": {"choices": ["brie"]},
}


@dataclass
class Line:
    """The command line on the real servers, and which commands were called and did their work."""

    call: Call
    variables: dict[str, str]
    worked: set[tuple[str, ...]]

    def do(self, *words: str, exit_code: int = 0) -> dict[str, Any]:
        """Call a command with --json and hold its document against the contract."""
        command = self._command(words)
        said: Said = self.call(*words, "--json", **self.variables)
        assert said.exit_code == exit_code, said.stdout
        document = check_envelope(said, command)
        if exit_code == 0:
            self.worked.add(command)
        return document

    def read(self, *words: str) -> str:
        """Call a command as a person does; what it printed."""
        said: Said = self.call(*words, **self.variables)
        assert said.exit_code == 0, said.stderr
        assert said.stdout.strip()
        assert not [line for line in said.stderr.splitlines() if line.startswith("error[")]
        return said.stdout

    def fail(self, *words: str) -> dict[str, Any]:
        """Call a command that fails both ways; its error. People read it on stderr alone."""
        said: Said = self.call(*words, **self.variables)
        document = check_envelope(
            self.call(*words, "--json", **self.variables), self._command(words)
        )
        [error] = document["errors"]
        assert said.exit_code == document["exit_code"] != 0
        assert said.stdout == ""
        assert f"error[{error['code']}]: {error['message']}\n" in said.stderr
        return {**error, "exit_code": said.exit_code}

    @staticmethod
    def _command(words: tuple[str, ...]) -> tuple[str, ...]:
        return words[:1] if words[:1] in every_command() else words[:2]


def variables_for(servers: Connection) -> dict[str, str]:
    """The settings by environment, with a repository of one's own."""
    return {
        "OPS_REPOSITORY": f"cli-{uuid4().hex[:12]}",
        "OPS_ACTOR": "lena@example.org",
        "OPS_CACHE_DIR": "cache",
        "OPS_LAKEFS_URL": servers.lakefs_url,
        "OPS_LAKEFS_ACCESS_KEY_ID": servers.lakefs_access_key_id,
        "OPS_LAKEFS_SECRET_ACCESS_KEY": servers.lakefs_secret_access_key,
        "OPS_LABEL_STUDIO_URL": servers.label_studio_url,
        "OPS_LABEL_STUDIO_TOKEN": servers.label_studio_token,
    }


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


def test_every_command_keeps_the_contract_at_work(
    line: Line, servers: Connection, tmp_path: Path
) -> None:
    """One round from init to revert, each command for programs and for people; refusals between."""
    draw_pictures(tmp_path / "pictures", 3)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    assert line.fail("round", "list")["exit_code"] == 3
    assert line.do("init", "--labels", "brie,gouda", "--dry-run")["status"] == "planned"
    assert line.do("init", "--labels", "brie,gouda")["status"] == "ok"
    assert "nothing to do" in line.read("init")
    other = line.fail("init", "--labels", "edam")
    assert (other["exit_code"], other["code"]) == (5, "other-ontology")

    empty = line.fail("round", "start", "first")
    assert (empty["exit_code"], empty["code"]) == (4, "nothing-to-label")
    added = line.do("data", "add", "pictures")
    assert [warning["subject"] for warning in added["warnings"]] == ["notes.txt"]
    assert "notes.txt" in line.read("data", "add", "pictures")
    assert line.fail("data", "add", "nowhere")["exit_code"] == 3
    line.do("data", "list")
    assert "p000.png" in line.read("data", "list")

    line.do("gates", "show")
    (tmp_path / "gates.toml").write_text(line.read("gates", "show", "--toml"))
    assert "nothing to do" in line.read("gates", "set", "gates.toml", "--yes")
    (tmp_path / "gates.toml").write_text("[conflicts]\nmaximum = 5\n")
    assert line.do("gates", "set", "gates.toml", "--dry-run")["status"] == "planned"
    assert line.do("gates", "set", "gates.toml", "--yes")["data"]["commit"]
    assert line.fail("gates", "set", "nowhere.toml", "--yes")["exit_code"] == 3
    assert line.fail("gates", "set", "pictures/notes.txt", "--yes")["exit_code"] == 9

    planned = line.do("round", "start", "first", "--dry-run")
    assert planned["status"] == "planned"
    assert line.fail("round", "status", "first")["exit_code"] == 3
    started = line.do("round", "start", "first")
    assert [step["step"] for step in started["data"]["steps"]] == [
        step["step"] for step in planned["data"]["steps"]
    ]
    assert "already" in line.read("round", "start", "first")
    assert line.fail("round", "start", "first", "--limit", "1")["exit_code"] == 4
    assert line.fail("round", "start", "Not-A-Name")["exit_code"] == 2

    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        for task in studio.task_rows(started["data"]["project"]):
            people.annotate(task.id, [CHOICE], annotator=ann)
    line.read("round", "sync", "first")
    line.do("round", "sync", "first")
    for verb in ("status", "diff", "show", "open"):
        line.do("round", verb, "first")
        line.read("round", verb, "first")
    line.do("round", "list")
    line.read("round", "list")
    assert line.fail("dataset", "show", "v1")["exit_code"] == 3

    assert line.do("round", "finish", "first", "--dry-run")["status"] == "planned"
    done = line.do("round", "finish", "first", "--yes")
    assert done["data"]["tag"] == "v1"
    assert "already" in line.read("round", "finish", "first", "--yes")
    assert line.fail("round", "sync", "first")["exit_code"] == 4
    picture = ["log", "p000.png"], ["blame", "p000.png"]
    for words in (["log"], *picture, ["show", "v1"], ["uri", "v1"]):
        line.do("dataset", *words)
        line.read("dataset", *words)

    for words in (["blame", "nope.png"], ["log", "nope.png"], ["blame", "p000.png", "--ref", "v9"]):
        assert line.fail("dataset", *words)["exit_code"] == 3
    assert line.fail("dataset", "log", "--ref", "v1")["exit_code"] == 2

    line.do("round", "start", "second", "--all")
    line.do("round", "abort", "second", "--yes", "--remove-project")
    assert "already" in line.read("round", "abort", "second", "--yes")
    assert line.do("dataset", "revert", "--to", "v1", "--yes")["data"]["already_done"]
    assert "nothing to do" in line.read("dataset", "revert", "--to", "v1", "--yes")
    _review_changes(line)
    _change_the_words(line)
    _meet_main(line)
    _look_at_it_all(line)
    line.do("config", "show")
    # test_local.py, test_bucket.py and test_import.py play theirs, tests/stack those that need a
    # stack or a cluster.
    elsewhere = {"local", "quickstart", "bucket", "open"}
    everywhere = {words for words in every_command() if words[0] not in elsewhere}
    everywhere -= {("round", "add"), ("round", "drop")}  # test_selection.py
    everywhere -= {("data", "join"), ("dataset", "query")}  # test_tables.py
    everywhere -= {("data", "profile")}  # test_profile.py
    everywhere -= {("dataset", "export")}  # test_export.py
    everywhere -= {("predict", "add"), ("predict", "push"), ("predict", "list")}  # test_predict.py
    everywhere -= {("import",)}  # test_import_labels.py
    everywhere -= {("data", "dedup"), ("dataset", "split")}  # test_split.py
    assert line.worked == everywhere - {
        *(("data", "import"), ("config", "use"), ("dataset", "pull"), ("dataset", "runs")),
    }


def _review_changes(line: Line) -> None:
    """Undo the one round there is: proposed, discarded, proposed again, merged, taken back."""
    undo = ("revert", "--round", "first", "--review")
    assert line.do("dataset", *undo, "--dry-run")["status"] == "planned"
    assert "no changes" in line.read("dataset", "changes")
    name = line.do("dataset", *undo)["data"]["name"]
    assert f"ops dataset merge {name}" in line.read("dataset", *undo)
    assert name in line.read("dataset", "changes")
    assert line.do("dataset", "changes")["data"]["changes"][0]["name"] == name
    assert line.do("dataset", "discard", name, "--yes")["data"]["branches"] == [f"change-{name}"]
    assert line.fail("dataset", "merge", name, "--yes")["code"] == "no-such-change"
    assert line.fail("dataset", "discard", name, "--yes")["exit_code"] == 3
    for words, code, exit_code in (
        (("--round", "nope", "--yes"), "no-such-round", 3),
        (("--annotator", "nobody@example.org", "--since", "main~1"), "no-such-annotator", 3),
        (("--class", "edam", "--since", "main~1"), "no-such-class", 3),
        (("--annotator", "ann@example.org", "--since", "v9"), "no-such-ref", 3),
    ):
        failed = line.fail("dataset", "revert", *words)
        assert (failed["code"], failed["exit_code"]) == (code, exit_code)
    person = ("revert", "--annotator", "ann@example.org", "--since")
    assert "nothing to do" in line.read("dataset", *person, "v1")
    name = line.do("dataset", *person, "main~1", "--name", "mine")["data"]["name"]
    assert line.do("dataset", "merge", name, "--dry-run")["status"] == "planned"
    assert line.do("dataset", "merge", name, "--yes")["data"]["version"] == 2
    assert "nothing to do" in line.read("dataset", "merge", name, "--yes")
    assert "made v3" in line.read("dataset", "revert", "--to", "v1", "--yes")


def _change_the_words(line: Line) -> None:
    """Labels added, renamed, made one of two, split in two by a table, taken off the list."""
    line.do("ontology", "show")
    assert "gouda" in line.read("ontology", "show")
    assert line.do("ontology", "add", "edam", "--dry-run")["status"] == "planned"
    assert line.do("ontology", "add", "edam")["data"]["commit"]
    assert line.fail("ontology", "rename", "feta", "comte")["exit_code"] == 3
    assert line.fail("ontology", "remove", "brie")["exit_code"] == 4
    for words in (
        ("rename", "edam", "comte"),
        ("merge", "comte", "gouda", "--into", "gouda"),
        ("split", "gouda", "gouda", "morbier", "--rest", "gouda"),
        ("remove", "morbier"),
    ):
        assert line.do("ontology", *words, "--dry-run")["status"] == "planned"
        name = line.do("ontology", *words)["data"]["name"]
        line.do("dataset", "merge", name, "--yes")
    assert "morbier" not in line.read("ontology", "show")


def _meet_main(line: Line) -> None:
    """An open round takes in a main that has moved; what differs between two versions."""
    line.do("round", "start", "third", "--all")
    line.do("ontology", "add", "feta")
    line.do("gates", "set", "gates.toml", "--yes")
    assert line.do("round", "rebase", "third", "--dry-run")["status"] == "planned"
    line.do("round", "rebase", "third")
    assert "nothing to do" in line.read("round", "rebase", "third")
    line.do("round", "abort", "third", "--yes", "--remove-project")
    line.do("dataset", "diff", "v2", "v3")
    assert "brie" in line.read("dataset", "diff", "v2", "v3", "--by", "class")
    assert line.fail("dataset", "diff", "v1", "v99")["exit_code"] == 3
    assert line.fail("dataset", "diff", "v1", "v2", "--by", "colour")["exit_code"] == 2


def _look_at_it_all(line: Line) -> None:
    """After all that, main is what it says it is."""
    assert line.do("dataset", "verify", "--all")["data"]["findings"] == []
    line.read("dataset", "verify")
    line.do("doctor")
    line.read("doctor")


@contextmanager
def _losing(url: str) -> Generator[str]:
    """The real Label Studio behind a door at which the last task of every import is lost."""
    host = urlsplit(url).netloc

    class Handler(SilentHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.command == "POST" and urlsplit(self.path).path.endswith("/import"):
                body = json.dumps(json.loads(body)[:-1]).encode()
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in {"host", "content-length", "connection", "accept-encoding"}
            }
            real = HTTPConnection(host, timeout=60)
            real.request(self.command, self.path, body or None, headers)
            answer = real.getresponse()
            said = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            real.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server's

    with serving(Handler) as address:
        yield address


def test_10_an_import_that_loses_tasks_is_partial(line: Line, tmp_path: Path) -> None:
    """What was kept of it is taken back; the same command finishes the work."""
    draw_pictures(tmp_path / "pictures", 3)
    line.do("init", "--labels", "brie,gouda")
    line.do("data", "add", "pictures")
    real = line.variables["OPS_LABEL_STUDIO_URL"]
    with _losing(real) as address:
        line.variables["OPS_LABEL_STUDIO_URL"] = address
        document = line.do("round", "start", "lossy", exit_code=10)
    assert document["status"] == "partial"
    assert document["errors"][0]["code"] == "import-short"
    line.variables["OPS_LABEL_STUDIO_URL"] = real
    assert line.do("round", "start", "lossy")["data"]["tasks"] == 3
    assert line.do("round", "status", "lossy")["data"]["counts"]["tasks"] == 3
