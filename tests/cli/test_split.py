"""`ops data dedup`, `ops dataset split` and `--text` on the real servers."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ops.core.records import Json
from ops.local import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import CHOICE, Line, variables_for
from tests.looks import look, picture
from tests.toy_clip import write_toy_clip

pytestmark = pytest.mark.servers

RATIOS = ("--ratios", "train=0.5,val=0.25,test=0.25")


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


def save(directory: Path, pictures: Mapping[str, bytes]) -> str:
    for name, data in pictures.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return str(directory)


def label(servers: Connection, project: int, said: Mapping[str, str]) -> None:
    """Answer tasks of a project by key, each with one choice."""
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        for task in studio.task_rows(project):
            if task.key is not None and task.key in said:
                value: Json = {"choices": [said[task.key]]}
                choice = {**CHOICE, "value": value}
                people.annotate(task.id, [choice], annotator=ann)


def codes(document: Mapping[str, Any]) -> set[str]:
    return {warning["code"] for warning in document["warnings"]}


def test_duplicates_and_splits_from_pictures_to_a_leak(
    line: Line, servers: Connection, tmp_path: Path
) -> None:
    """Equal and near ones found, contradictions named, a split kept, extended, shown, checked."""
    line.do("init", "--labels", "brie,gouda", "--kind", "choices")
    assert line.fail("dataset", "split", "first", *RATIOS)["code"] == "nothing-to-split"
    assert line.do("data", "dedup")["data"]["groups"] == []
    one = {f"{number:02}.png": picture(look(number)) for number in range(12)}
    copies = {f"copy/{number:02}.png": one[f"{number:02}.png"] for number in range(3)}
    line.do("data", "add", save(tmp_path / "one", one | copies))

    project = line.do("round", "start", "cheese")["data"]["project"]
    said = {"00.png": "brie", "copy/00.png": "gouda", "01.png": "brie", "copy/01.png": "brie"}
    label(servers, project, said)
    line.do("round", "finish", "cheese", "--yes", "--allow-unlabeled")

    found = line.do("data", "dedup", "v1")
    assert codes(found) == {"not-profiled"}
    assert [group["contradicts"] for group in found["data"]["groups"]] == [True, False, False]
    assert [task["labels"] for task in found["data"]["groups"][0]["tasks"]] == [["brie"], ["gouda"]]
    assert "labels differ" in line.read("data", "dedup")
    lines = line.read("data", "dedup", "--format", "csv").splitlines()
    assert lines[:2] == ["group,pictures,task,state,labels,regions,note",
                         "1,equal,00.png,labeled,brie,1,labels differ"]  # fmt: skip
    assert len(lines) == 7

    planned = line.do("dataset", "split", "first", *RATIOS, "--dry-run")
    assert planned["status"] == "planned"
    assert line.fail("dataset", "split", "first", "--show")["code"] == "no-such-split"
    made = line.do("dataset", "split", "first", *RATIOS)
    assert made["data"]["added"] == planned["data"]["added"]
    assert len(made["data"]["added"]) == 15
    again = line.do("dataset", "split", "first", *RATIOS)
    assert (again["data"]["already_done"], again["data"]["commit"]) == (True, None)
    assert "nothing to do" in line.read("dataset", "split", "first")
    assert line.fail("dataset", "split", "first", *RATIOS, "--seed", "9")["exit_code"] == 4
    [listed] = line.do("dataset", "split", "--list")["data"]["splits"]
    assert listed["counts"] == made["data"]["counts"]
    assert "first" in line.read("dataset", "split", "--list")
    shown = line.do("dataset", "split", "first", "--show")["data"]
    assert sum(sum(states.values()) for states in shown["states"].values()) == 15
    assert sum(labels.get("brie", 0) for labels in shown["labels"].values()) == 3
    assert "brie" in line.read("dataset", "split", "--show", "first")
    assert "no leak" in line.read("dataset", "split", "first", "--check")

    half = {f"half/{number:02}.png": picture(look(number), size=(90, 60)) for number in range(12)}
    line.do("data", "add", save(tmp_path / "half", half))
    extended = line.do("dataset", "split", "first")
    assert extended["data"]["added"].keys() == half.keys()
    assert line.do("dataset", "split", "first", "--check")["data"]["leaks"] == []
    line.do("data", "profile")
    near = line.do("data", "dedup")["data"]
    assert (len(near["groups"]), near["unprofiled"]) == (12, 0)
    leaking = line.do("dataset", "split", "first")
    assert "leak" in codes(leaking)
    refused = line.fail("dataset", "split", "first", "--check")
    assert (refused["code"], refused["exit_code"]) == ("split-leaks", 4)
    line.do("dataset", "split", "second", *RATIOS)
    assert line.do("dataset", "split", "second", "--check")["data"]["leaks"] == []
    assert line.do("dataset", "verify", "--all")["data"]["findings"] == []
    for words in (
        ("first", "--check", "--show"),
        ("first", "--list", "--seed", "1"),
        ("first", "--ref", "v1"),
        (),
        ("third",),
        ("third", "--ratios", "a=0.5,b=0.6"),
        ("third", *RATIOS, "--by", "no_such_column"),
        ("no/name", *RATIOS),
    ):
        assert line.fail("dataset", "split", *words)["exit_code"] == 2, words


def test_a_round_takes_what_looks_most_like_a_text(line: Line, tmp_path: Path) -> None:
    """By a model in a directory that a setting names; a file of embeddings that fits nothing."""
    colors = {"red.png": (255, 0, 0), "blue.png": (0, 0, 255), "grün 1%.png": (0, 255, 0)}
    pictures = {name: picture(Image.new("RGB", (40, 30), rgb)) for name, rgb in colors.items()}
    line.do("init", "--labels", "brie,gouda")
    line.do("data", "add", save(tmp_path / "pictures", pictures))
    line.variables["OPS_CLIP_PATH"] = str(tmp_path / "nowhere")
    wanted = ("--text", "something green", "--limit", "1")
    assert line.fail("round", "start", "green", *wanted)["code"] == "clip-files"
    line.variables["OPS_CLIP_PATH"] = str(write_toy_clip(tmp_path / "clip"))
    (tmp_path / "e.csv").write_text('key,vector\nelsewhere.png,"[1, 2, 3, 4, 5, 6, 7, 8]"\n')
    odd = line.fail("round", "start", "green", *wanted, "--embeddings", "e.csv")
    assert (odd["code"], odd["exit_code"]) == ("embedding-keys", 9)
    assert line.do("round", "start", "green", *wanted)["data"]["tasks"] == 1
    keys = [row["key"] for row in line.do("data", "list")["data"]["images"]]
    assert "grün 1%.png" in keys
    shown = line.do("round", "show", "green")["data"]
    assert "something green" in str(shown)
