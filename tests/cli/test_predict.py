"""`ops predict` on the real servers: ten tasks pre-labeled, three answered, seven left open."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ops.core.records import Json
from ops.lake import LakeFS
from ops.local import Connection
from ops.parquet import read_rows
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import Line, variables_for
from tests.pictures import draw_pictures

pytestmark = pytest.mark.servers

ADD = ("predict", "add")
NET = ("--model", "cheese-net", "--version")


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


def write(path: Path, entries: list[dict[str, Json]]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return path.name


def boxes(number: int, *labels: str) -> dict[str, Json]:
    """A line of the model's: a box a label."""
    said: list[Json] = [
        {"label": label, "x": 10, "y": 20 * place, "width": 30, "height": 15, "score": 0.75}
        for place, label in enumerate(labels)
    ]
    return {"key": f"p{number:03}.png", "boxes": said}


def regions(studio: LabelStudio, task: int) -> list[dict[str, Json]]:
    """What Label Studio shows of a task's one prediction."""
    [prediction] = studio.http.get("/api/predictions/", params={"task": task}).json()
    assert prediction["model_version"] == "cheese-net@1"
    assert prediction["score"] == 0.75
    return prediction["result"]


def moved(region: Mapping[str, Json], side: str = "x", to: float = 42.5) -> dict[str, Json]:
    value = region["value"]
    assert isinstance(value, dict)
    return {**region, "value": {**value, side: to}}


def test_predictions_are_proposed_and_never_counted(
    line: Line, servers: Connection, tmp_path: Path
) -> None:
    """Accepted untouched, changed, drawn anew: each region's origin is known, seven stay open."""
    draw_pictures(tmp_path / "pictures", 10)
    line.do("init", "--labels", "brie,gouda", "--kind", "boxes")
    line.do("data", "add", "pictures")
    _refuse_what_is_wrong(line, tmp_path)

    said = write(tmp_path / "said.jsonl", [boxes(number, "brie", "gouda") for number in range(10)])
    assert line.do(*ADD, said, *NET, "1", "--dry-run")["status"] == "planned"
    assert line.do("predict", "list")["data"]["predictions"] == []
    assert line.do(*ADD, said, *NET, "1")["data"]["tasks"] == 10
    assert "already" in line.read(*ADD, said, *NET, "1")
    assert "cheese-net@1" in line.read("predict", "list")
    [listed] = line.do("predict", "list")["data"]["predictions"]
    assert (listed["tasks"], listed["left_out"], listed["file"]) == (10, 0, "said.jsonl")

    started = line.do("round", "start", "first", "--predictions", "cheese-net@1")
    project = started["data"]["project"]
    assert line.do("round", "start", "first")["data"]["already_done"]
    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        tasks = {str(row.key): row.id for row in studio.task_rows(project)}
        assert line.do("round", "sync", "first")["data"]["counts"]["unfinished"] == 10
        # What the label stream hands out: nothing, unless the project names a model version.
        handed = studio.http.get(f"/api/projects/{project}/next/").json()["predictions"]
        assert [one["model_version"] for one in handed] == ["cheese-net@1"]
        accepted = regions(studio, tasks["p000.png"])
        first, second = regions(studio, tasks["p001.png"])
        own = {**moved(moved(accepted[0], "y", 61)), "id": "own"}
        people.annotate(tasks["p000.png"], accepted, annotator=ann)
        people.annotate(tasks["p001.png"], [moved(first), second, own], annotator=ann)
        people.annotate(tasks["p002.png"], [own], annotator=ann)
        _push_another(line, tmp_path, studio, project)

    assert line.do("round", "sync", "first")["data"]["counts"] == {
        "tasks": 10, "labeled": 3, "empty": 0, "skipped": 0, "unfinished": 7, "quarantined": 0,
    }  # fmt: skip
    assert line.do("round", "status", "first")["data"]["counts"]["unfinished"] == 7
    refused = line.fail("round", "finish", "first", "--yes")
    assert (refused["code"], refused["exit_code"]) == ("unlabeled-tasks", 4)
    done = line.do("round", "finish", "first", "--yes", "--allow-unlabeled")
    assert done["data"]["counts"]["labeled"] == 3
    assert line.fail("predict", "push", "first", "cheese-net@2")["exit_code"] == 4
    _count_origins(servers, line.variables["OPS_REPOSITORY"])
    counted = (
        "select origin, count(*) as regions from labels where label is not null group by origin"
    )
    assert sorted(line.do("dataset", "query", counted)["data"]["rows"]) == [
        ["human", 2],
        ["prediction-accepted", 3],
        ["prediction-changed", 1],
    ]
    kept = "select model, version, count(*) as tasks from predictions group by model, version"
    assert sorted(line.do("dataset", "query", kept)["data"]["rows"]) == [
        ["cheese-net", "1", 10],
        ["cheese-net", "2", 4],
    ]
    assert line.do("dataset", "verify", "--all")["data"]["findings"] == []


def _refuse_what_is_wrong(line: Line, folder: Path) -> None:
    """Each is a clear error, and nothing is kept."""
    good = write(folder / "good.jsonl", [boxes(0, "brie")])
    for words in ((*ADD, good), (*ADD, good, "--model", "cheese-net"), (*ADD, good, *NET, "")):
        refused = line.fail(*words)
        assert (refused["exit_code"], refused["code"]) == (2, "no-model-version")
        assert "a version never changes" in refused["hint"]
    wrong = write(folder / "wrong.jsonl", [boxes(0, "edam"), boxes(99, "brie"), boxes(1, "brie")])
    refused = line.fail(*ADD, wrong, *NET, "1")
    assert (refused["exit_code"], refused["code"]) == (9, "predictions-invalid")
    assert "line 2 (p099.png): there is no such task" in refused["where"]["problems"]
    found = line.do(*ADD, wrong, *NET, "1", "--skip-unknown", "--dry-run")
    assert [one["subject"] for one in found["warnings"]] == ["p000.png", "p099.png"]
    assert (found["data"]["tasks"], len(found["data"]["left_out"])) == (1, 2)
    strange = write(folder / "strange.jsonl", [{**boxes(0, "brie"), "key": "/x/p000.png"}])
    refused = line.fail(*ADD, strange, *NET, "1")
    assert (refused["exit_code"], refused["code"]) == (3, "no-task-matches")
    (folder / "empty.jsonl").write_bytes(b"")
    assert line.fail(*ADD, "empty.jsonl", *NET, "1")["exit_code"] == 9
    assert line.fail(*ADD, "nowhere.jsonl", *NET, "1")["exit_code"] == 3
    assert line.fail(*ADD, good, *NET, "1", "--format", "yolo")["exit_code"] == 2
    assert line.fail("predict", "push", "nope", "cheese-net@1")["exit_code"] == 3


def _push_another(line: Line, folder: Path, studio: LabelStudio, project: int) -> None:
    """A second version for the open round: added and attached at once, and only once."""
    said = write(folder / "more.jsonl", [boxes(number, "gouda") for number in range(4)])
    assert line.fail(*ADD, said, *NET, "2", "--round", "nope")["exit_code"] == 3
    planned = line.do(*ADD, said, *NET, "2", "--round", "first", "--dry-run")
    assert (planned["status"], planned["data"]["round"]) == ("planned", None)
    assert len(line.do("predict", "list")["data"]["predictions"]) == 1
    added = line.do(*ADD, said, *NET, "2", "--round", "first")
    assert added["data"]["round"]["attached"] == 4
    assert line.do("predict", "push", "first", "cheese-net@2")["data"]["already_done"]
    assert "already" in line.read("predict", "push", "first", "cheese-net@2")
    held = Counter(len(row.models) for row in studio.predicted_tasks(project))
    assert held == {2: 4, 1: 6}
    assert not any(row.is_repeated for row in studio.predicted_tasks(project))
    other = write(folder / "other.jsonl", [boxes(0, "gouda")])
    assert line.fail(*ADD, other, *NET, "2")["code"] == "predictions-exist"


def _count_origins(servers: Connection, repository: str) -> None:
    """In the version's snapshot, region by region; its card counts people's regions alone."""
    lake = LakeFS(
        servers.lakefs_url,
        servers.lakefs_access_key_id,
        servers.lakefs_secret_access_key,
        repository,
    )
    found = lake.read("v1", "snapshot/annotations.parquet")
    assert found is not None
    rows = list(read_rows(found, ["key", "origin"], path="annotations.parquet"))
    assert Counter((str(row["key"]), str(row["origin"])) for row in rows) == {
        ("p000.png", "prediction-accepted"): 2,
        ("p001.png", "prediction-accepted"): 1,
        ("p001.png", "prediction-changed"): 1,
        ("p001.png", "human"): 1,
        ("p002.png", "human"): 1,
    }
    card = lake.read("v1", "card.json")
    assert card is not None
    figures = json.loads(card)
    assert figures["regions"] == len(rows) == 6
