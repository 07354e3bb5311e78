"""`ops dataset pull` on the real servers: killed, disturbed, on a full disk, and never wrong."""

import hashlib
import json
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ops.core.label_config import LabelKind, write_label_config
from ops.local import Connection
from ops.runner.data import add_media
from ops.runner.init import init_repository
from tests.cli.conftest import Call
from tests.cli.test_round import Line, variables_for
from tests.command import Ops
from tests.context import real_context
from tests.kills.driver import LAKEFS, Driver, proxied
from tests.kills.full_disk import small_disk
from tests.pictures import draw_pictures
from tests.proxy import Fate, Seen

pytestmark = pytest.mark.servers

COUNT = 60
PULL = ("dataset", "pull", "first", "--out", "out", "-j", "8")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A repository with pictures, and a person whose commands go through a proxy."""

    driver: Driver
    directory: Path
    pictures: dict[str, bytes]

    def images(self, out: str = "out") -> dict[str, bytes]:
        """The pictures that were pulled."""
        root = self.directory / out / "images"
        return {path.name: path.read_bytes() for path in root.glob("*")}

    @property
    def asked(self) -> list[str]:
        """Pictures that were asked for since the proxy was last planned."""
        paths = (seen.path for seen in self.driver.proxy.seen)
        return [path.rpartition("/")[2] for path in paths if is_picture(path)]


def is_picture(path: str) -> bool:
    """Whether a request of the S3 gateway asks for a picture."""
    return not path.startswith("/api/") and "/images/" in path


@pytest.fixture(scope="module")
def repository(servers: Connection, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Sixty pictures at the tag `first`, and two more on main."""
    name = f"pull-{uuid4().hex[:12]}"
    context = real_context(servers, name)
    config = write_label_config(("brie", "gouda"), LabelKind.BOXES)
    init_repository(context, label_config=config, namespace=f"local://{name}")
    pictures = tmp_path_factory.mktemp("pictures")
    draw_pictures(pictures, COUNT)
    commit = add_media(context, [pictures]).commit
    assert commit is not None
    context.lake.create_tag("first", commit)
    draw_pictures(pictures, 2, start=COUNT)
    add_media(context, [pictures])
    return name


@pytest.fixture
def bench(servers: Connection, repository: str, tmp_path: Path) -> Generator[Bench]:
    """An empty directory, an empty cache, and a proxy before the servers."""
    ops = Ops(tmp_path, servers)
    ops.environment = {**ops.environment, "OPS_REPOSITORY": repository}
    lake = real_context(servers, repository).lake
    read = lake.read_many("first", [found.path for found in lake.list_objects("first", "images/")])
    pictures = {path.removeprefix("images/"): data for path, data in read}
    with proxied(servers) as proxy:
        yield Bench(driver=Driver(ops, proxy), directory=tmp_path, pictures=pictures)


def test_a_pull_does_its_work_and_says_so(call: Call, servers: Connection, tmp_path: Path) -> None:
    """For programs and people, planned and done; what is refused is refused alike."""
    line = Line(call=call, variables=variables_for(servers), worked=set())
    draw_pictures(tmp_path / "pictures", 3)
    line.do("init", "--labels", "brie,gouda")
    line.do("data", "add", "pictures")
    planned = line.do("dataset", "pull", "--out", "a", "--dry-run")
    assert planned["status"] == "planned"
    assert not Path("a").exists()
    done = line.do("dataset", "pull", "--out", "a")
    assert {**planned["data"]} == {**done["data"]}
    assert done["data"]["images"] == 3
    assert done["data"]["checked_by"]["sha256"] == 3
    assert line.do("dataset", "pull", "--out", "a", "--dry-run")["status"] == "ok"
    assert "were there" in line.read("dataset", "pull", "--out", "a")
    Path("a/images/mine.txt").write_text("mine")
    warned = line.do("dataset", "pull", "--out", "a")["warnings"]
    assert [(one["code"], one["subject"]) for one in warned] == [("extra-files", "images/mine.txt")]
    linked = line.do("dataset", "pull", "--out", "b", "--media", "link")
    assert linked["data"]["read_bytes"] == 0
    assert Path("b/images/p000.png").stat().st_nlink > 1
    assert line.fail("dataset", "pull", "v9", "--out", "c")["code"] == "no-such-ref"
    odd = line.fail("dataset", "pull", "--out", "c", "--split", ":train")
    assert (odd["exit_code"], odd["code"]) == (2, "split-name")
    nothing = line.fail("dataset", "pull", "--out", "c", "--labeled-only")
    assert (nothing["exit_code"], nothing["code"]) == (3, "nothing-to-pull")


def test_a_second_pull_asks_for_no_picture(bench: Bench) -> None:
    """Not into the same directory, nor into another; of another version only for what is new."""
    bench.driver.undisturbed(PULL)
    assert sorted(bench.asked) == sorted(bench.pictures)
    assert bench.images() == bench.pictures
    bench.driver.undisturbed(PULL)
    assert bench.asked == []
    answer = bench.driver.undisturbed(("dataset", "pull", "main", "--out", "other"))
    assert sorted(bench.asked) == ["p060.png", "p061.png"]
    assert answer.data["sources"] == {"there": 0, "cache": answer.data["files"] - 2, "server": 2}
    assert len(bench.images("other")) == COUNT + 2


@pytest.mark.parametrize("number", [1, COUNT // 2, COUNT - 1])
def test_a_pull_that_is_killed_goes_on_where_it_was(bench: Bench, number: int) -> None:
    """Every file that is there is whole; the second run asks for the others alone."""
    count = 0

    def plan(seen: Seen) -> Fate:
        nonlocal count
        count += is_picture(seen.path)
        return Fate.STRIKE_BEFORE if count == number else Fate.THROUGH

    bench.driver.proxy.plan(plan, bench.driver.kill)
    killed = bench.driver.run(PULL)
    bench.driver.proxy.drain()
    assert killed.exit_code == -9
    there = bench.images()
    assert there == {name: bench.pictures[name] for name in there}
    assert len(there) < COUNT
    assert not json.loads((bench.directory / "out/pull.json").read_text())["complete"]
    answer = bench.driver.undisturbed(PULL)
    assert set(bench.asked) <= set(bench.pictures) - set(there)
    assert bench.images() == bench.pictures
    manifest = json.loads((bench.directory / "out/pull.json").read_text())
    assert manifest["complete"]
    assert not list((bench.directory / "out").glob(".ops-*"))
    assert answer.data["files"] == len(manifest["files"])
    for file in manifest["files"]:
        data = (bench.directory / "out" / file["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]


def test_a_network_that_breaks_off_is_asked_again(bench: Bench) -> None:
    """The first answer for each picture is lost on its way, and the second question."""
    tries: Counter[str] = Counter()

    def plan(seen: Seen) -> Fate:
        if not is_picture(seen.path):
            return Fate.THROUGH
        tries[seen.path] += 1
        return {1: Fate.RESET_AFTER, 2: Fate.RESET_BEFORE}.get(tries[seen.path], Fate.THROUGH)

    bench.driver.proxy.plan(plan)
    answer = bench.driver.run(PULL)
    assert answer.exit_code == 0, answer.stdout + answer.stderr
    assert bench.images() == bench.pictures
    assert len(bench.asked) == 3 * COUNT


def test_a_picture_that_cannot_be_had_is_named(bench: Bench) -> None:
    """The pull fails, the others are there, and the same command ends it later."""

    def plan(seen: Seen) -> Fate:
        return Fate.RESET_BEFORE if seen.path.endswith("/images/p007.png") else Fate.THROUGH

    bench.driver.proxy.plan(plan)
    answer = bench.driver.run(PULL)
    assert answer.exit_code == 10
    document: dict[str, Any] = answer.document
    assert [one["path"] for one in document["data"]["missing"]] == ["images/p007.png"]
    [error] = document["errors"]
    assert (error["code"], document["status"]) == ("pull-partial", "partial")
    assert "images/p007.png" in error["where"]["files"]
    # What the client library says stays out of it.
    assert not [word for word in ("GET http", "reqwest", "hyper", "Debug") if word in answer.stdout]
    assert bench.images() == {k: v for k, v in bench.pictures.items() if k != "p007.png"}
    bench.driver.undisturbed(PULL)
    assert bench.asked == ["p007.png"]
    assert bench.images() == bench.pictures


def test_a_full_disk_is_said_and_leaves_no_half_a_file(bench: Bench) -> None:
    """With room again the same command ends it."""
    with small_disk(bench.directory / "out", size_bytes=2**20) as disk:
        disk.fill(room_bytes=24_576)
        bench.driver.proxy.plan()
        answer = bench.driver.run(PULL)
        assert answer.exit_code == 8
        [error] = answer.document["errors"]
        assert error["code"] == "cannot-write"
        assert "No space left" in error["message"]
        there = bench.images()
        assert there == {name: bench.pictures[name] for name in there}
        disk.empty()
        bench.driver.undisturbed(PULL)
        assert bench.images() == bench.pictures


def test_a_server_that_is_not_there_is_said(bench: Bench) -> None:
    """Nothing is asked for, sixty times over."""
    bench.driver.proxy.plan(
        lambda seen: Fate.RESET_BEFORE if seen.server == LAKEFS else Fate.THROUGH
    )
    answer = bench.driver.run(PULL)
    assert (answer.exit_code, answer.document["errors"][0]["code"]) == (7, "lakefs-unreachable")
    assert not (bench.directory / "out").exists()


def test_runs_are_recorded_and_listed(call: Call, servers: Connection, repository: str) -> None:
    """By a trainer in any language, without Label Studio's settings; the same run once."""
    variables = {**variables_for(servers), "OPS_REPOSITORY": repository}
    for name in ("OPS_LABEL_STUDIO_URL", "OPS_LABEL_STUDIO_TOKEN"):
        del variables[name]
    line = Line(call=call, variables=variables, worked=set())
    Path("model.pt").write_bytes(b"weights")
    assert "no runs yet" in line.read("dataset", "runs")
    record = ("dataset", "runs", "first", "--record", "cheese", "--model-file", "model.pt")
    record += ("--metric", "f1=0.5", "--param", "epochs=20", "--param", "optimizer=adam")
    assert line.do(*record, "--dry-run")["status"] == "planned"
    assert line.do("dataset", "runs")["data"]["runs"] == []
    run = line.do(*record)["data"]["run"]
    assert run["params"] == {"epochs": 20, "optimizer": "adam"}
    assert (run["version"], run["metrics"]) == (None, {"f1": 0.5})
    assert line.do(*record)["data"]["recorded"] is False
    assert "nothing to do" in line.read(*record)
    for found in (("first",), (), ("--model-file", "model.pt")):
        assert line.do("dataset", "runs", *found)["data"]["runs"] == [run]
    assert "0.5" in line.read("dataset", "runs")
    Path("model.pt").write_bytes(b"others")
    assert line.do("dataset", "runs", "--model-file", "model.pt")["data"]["runs"] == []
    for words, code in (
        (("--metric", "f1=0.5"), "options-exclude"),
        (("--dry-run",), "options-exclude"),
        (("--record", "cheese"), "missing-value"),
        (("first", "--record", "cheese", "--metric", "f1"), "wrong-value"),
        (("first", "--record", "cheese", "--metric", "f1=high"), "wrong-value"),
        (("first", "--record", "cheese", "--param", "a=1", "--param", "a=2"), "wrong-value"),
        (("first", "--record", "cheese", "--id", "../x"), "table-name"),
    ):
        error = line.fail("dataset", "runs", *words)
        assert (error["exit_code"], error["code"]) == (2, code), words
    wrong = line.fail("dataset", "runs", "first", "--record", "x", "--metric", "f1=nan")
    assert (wrong["exit_code"], wrong["code"]) == (9, "run-invalid")
    assert line.fail("dataset", "runs", "v9", "--record", "x")["exit_code"] == 3
    assert line.fail("dataset", "runs", "--model-file", "none.pt")["code"] == "no-model-file"
    other = line.fail("dataset", "runs", "main", "--record", "y", "--id", run["id"])
    assert (other["exit_code"], other["code"]) == (5, "run-exists")


def test_a_policy_takes_a_format(call: Call, servers: Connection) -> None:
    """A pull itself holds every answer."""
    line = Line(call=call, variables=variables_for(servers), worked=set())
    error = line.fail("dataset", "pull", "--out", "x", "--policy", "latest")
    assert (error["exit_code"], error["code"]) == (2, "options-exclude")
