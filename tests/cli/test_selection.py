"""Saying which tasks, on the real servers: chosen by SQL, chance and order; added and dropped."""

from contextlib import closing
from pathlib import Path

import pytest

from ops.cli.selection_options import SelectionOptions
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.core.task_list import encode_tasks, tasks_digest
from ops.errors import UsageError
from ops.local import Connection
from ops.runner.round_tasks import reselect
from ops.runner.status import find_manifest
from ops.studio import LabelStudio, StudioAnnotators
from tests.cli.conftest import Call
from tests.cli.test_round import CHOICE, Line, variables_for
from tests.context import real_context
from tests.pictures import draw_pictures


@pytest.fixture
def line(call: Call, servers: Connection) -> Line:
    """The command line on a repository of its own."""
    return Line(call=call, variables=variables_for(servers), worked=set())


def names(*numbers: int) -> list[str]:
    """Keys of pictures by number."""
    return [f"p{number:03}.png" for number in numbers]


@pytest.mark.servers
def test_rounds_take_what_is_asked_for(line: Line, servers: Connection, tmp_path: Path) -> None:
    """A first round by a file's ranks, amended twice; a second one by what the first one said."""
    draw_pictures(tmp_path / "pictures", 8)
    line.do("init", "--labels", "brie,gouda")
    line.do("data", "add", "pictures")
    (tmp_path / "scores.csv").write_text(
        "key,score\n" + "".join(f"{key},{place}\n" for place, key in enumerate(names(*range(6))))
    )
    best = ("round", "start", "first", "--rank-by", "scores.csv:score", "--limit", "3")
    planned = line.do(*best, "--dry-run")
    assert planned["status"] == "planned"
    assert planned["data"]["choice"]["keys"] == names(3, 4, 5)
    assert planned["data"]["choice"]["counts"]["unfinished"] == 3
    assert "3 of 8 images: 3 unfinished" in line.read(*best, "--dry-run")
    project = line.do(*best)["data"]["project"]
    assert "already" in line.read(*best)

    more = ("round", "add", "first", "--task", "p000.png", "--task", "p007.png")
    assert line.do(*more, "--dry-run")["data"]["keys"] == names(0, 7)
    assert line.do(*more)["data"]["tasks"] == 5
    assert "already" in line.read(*more)
    fewer = ("round", "drop", "first", "--where", "key = 'p003.png'")
    assert line.do(*fewer, "--dry-run")["status"] == "planned"
    assert line.do(*fewer)["data"]["keys"] == names(3)
    assert "already" in line.read(*fewer)
    assert line.fail("round", "drop", "first", "--task", "p006.png")["code"] == "not-in-round"
    assert line.fail("round", "drop", "first")["exit_code"] == 2

    with closing(LabelStudio(servers.label_studio_url, servers.label_studio_token)) as studio:
        people = StudioAnnotators(studio)
        ann = people.ensure_member("ann@example.org")
        ids = {str(row.key): row.id for row in studio.task_rows(project)}
        assert sorted(ids) == names(0, 4, 5, 7)
        people.annotate(ids["p000.png"], [CHOICE], annotator=ann)
        people.annotate(ids["p007.png"], [], annotator=ann)
        kept = line.fail("round", "drop", "first", "--task", "p000.png")
        assert (kept["code"], kept["exit_code"]) == ("answered-tasks", 4)
        assert "ann@example.org" in kept["where"]["tasks"]
        lost = line.do("round", "drop", "first", "--task", "p007.png", "--discard-answers")
        assert lost["data"]["answered"] == names(7)
        assert lost["warnings"][0]["code"] == "answers-discarded"
        assert sorted(str(row.key) for row in studio.task_rows(project)) == names(0, 4, 5)
    counts = line.do("round", "sync", "first")["data"]["counts"]
    assert (counts["tasks"], counts["labeled"], counts["unfinished"]) == (3, 1, 2)
    shown = line.read("round", "show", "first")
    assert "highest score of scores.csv first" in shown
    assert "tasks dropped by lena@example.org, 1 of them answered" in shown

    context = real_context(servers, line.variables["OPS_REPOSITORY"])
    manifest = find_manifest(context, "first")
    (tmp_path / "scores.csv").unlink()
    again = reselect(context, manifest)
    assert tasks_digest(encode_tasks(again.values())) == manifest.tasks_digest
    line.do("round", "finish", "first", "--yes", "--allow-unlabeled")
    _second_round(line)
    assert line.do("dataset", "verify", "--all")["data"]["findings"] == []


def _second_round(line: Line) -> None:
    """By what main says now; and what cannot be."""
    found = line.do("round", "start", "second", "--where", "label = 'brie'", "--dry-run")
    assert found["data"]["choice"]["keys"] == names(0)
    edit = ("--edit", "--where", "annotator = 'ann@example.org'", "--dry-run")
    assert line.do("round", "start", "second", *edit)["data"]["choice"]["keys"] == names(0)
    sample = ("--sample", "50%", "--seed", "3", "--by", "state", "--all", "--dry-run")
    assert line.do("round", "start", "second", *sample)["data"]["tasks"] == 4
    for words, code, exit_code in (
        (("--where", "labl = 'brie'"), None, 2),
        (("--where", "DROP TABLE labels"), None, 2),
        (("--where", "label = 'edam'"), "nothing-to-label", 4),
        (("--saved", "nope"), "no-such-query", 3),
        (("--uncertain", "net@1", "--limit", "1"), "no-such-predictions", 3),
        (("--rank-by", "scores.csv:score", "--limit", "1"), "no-ranking-file", 3),
        (("--disagreement",), "nothing-to-label", 4),
    ):
        failed = line.fail("round", "start", "second", *words)
        assert failed["exit_code"] == exit_code, failed
        assert code in {None, failed["code"]}
    assert line.fail("round", "start", "second", "--where", "labl = 'x'")["hint"]


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--where", "x", "--saved", "y"), "options-exclude", "--saved"),
        (("--rank-by", "x", "--uncertain", "m@1"), "options-exclude", "--uncertain"),
        (("--text", "dog", "--disagreement"), "options-exclude", "--disagreement"),
        (("--sample", "3", "--rank-by", "x"), "options-exclude", "--sample"),
        (("--unlabeled", "--all"), "options-exclude", "--unlabeled"),
        (("--unlabeled", "--edit"), "options-exclude", "--edit"),
        (("--unlabeled", "--disagreement"), "options-exclude", "--disagreement"),
        (("--by", "state"), "missing-value", "--by"),
        (("--seed", "3"), "missing-value", "--seed"),
        (("--ascending",), "missing-value", "--ascending"),
        (("--embeddings", "e.npz"), "missing-value", "--embeddings"),
        (("--text", "dog"), "missing-value", "--limit"),
        (("--uncertain", "m@1"), "missing-value", "--limit"),
        (("--where", " "), "wrong-value", "--where"),
        (("--rank-by", ""), "wrong-value", "--rank-by"),
        (("--saved", "no/name"), "table-name", "no/name"),
        *(
            (("--sample", amount), "wrong-value", "--sample")
            for amount in ("0", "-1", "0%", "101%", "1.5", "x", "", "%", "1e2", "nan%", "1,000")
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    call: Call, words: tuple[str, ...], code: str, named: str
) -> None:
    """With the option's name and where to read on."""
    for verb in ("start", "add"):
        if verb == "add" and "--edit" in words:
            continue
        said = call("round", verb, "cheese", *words, "--json").document
        assert (said["exit_code"], said["errors"][0]["code"]) == (2, code)
        assert named in said["errors"][0]["message"]


def test_options_make_the_selection(tmp_path: Path) -> None:
    """Each its part of it."""
    (tmp_path / "keys.txt").write_text("b.png\n\na.png\r\n", "utf-8")
    asked = SelectionOptions(tasks=tmp_path / "keys.txt", task=["c.png"], sample="2.5%", seed=-4)
    assert asked.selection() == Selection(
        keys=(TaskKey("a.png"), TaskKey("b.png"), TaskKey("c.png")), percent=2.5, seed=-4
    )
    assert SelectionOptions(sample="10").selection() == Selection(sample=10)
    assert SelectionOptions(edit=True, where="x").selection() == Selection(
        edit=True, labeled_too=True, where="x"
    )
    expression = SelectionOptions(rank_by="score::DOUBLE", ascending=True, limit=1).selection()
    assert expression.ranking is not None
    assert (expression.ranking.by, expression.ranking.ascending) == ("score::DOUBLE", True)
    with pytest.raises(UsageError):
        SelectionOptions(sample="100.1%").selection()
