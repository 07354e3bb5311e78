"""ports.Studio on the real Label Studio, and on the one in memory."""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from ops.core.records import Json
from ops.errors import ConfigurationError, InvalidDataError, NotFoundError
from tests.studio_bench import BENCHES, BOX, BOXES, TIME, Bench, item, items, open_bench

KEYS_SHOWN = (
    "plain.png",
    "deep/er/x.png",
    "with space.png",
    " leading.png",
    "dir /x.png",
    "ünïcode é.png",
    "日本語😀.png",
    "hash#tag.png",
    "percent%20%41.png",
    "plus+and&semi;=,@:.png",
    "quotes'\"`.png",
    "back\\slash.png",
    "brackets[1](2){3}<4>.png",
    "a/../b.png",
    "double//slash.png",
    "{{x}}$image.png",
    "no-extension",
    f"{'long/' * 100}x.png",
)
KEYS_LOST = (
    "query?.png",
    "tab\t.png",
    "newline\n.png",
    "return\r.png",
    "end.png ",
    "end.png\u00a0",
)


TASK_FIELDS = {
    *("id", "annotations", "drafts", "predictions", "data", "meta", "created_at", "updated_at"),
    *("allow_skip", "inner_id", "total_annotations", "cancelled_annotations", "total_predictions"),
    *("comment_count", "unresolved_comment_count", "last_comment_updated_at", "project"),
    *("updated_by", "comment_authors"),
}
ANNOTATION_FIELDS = {
    *("id", "completed_by", "result", "was_cancelled", "ground_truth", "created_at", "updated_at"),
    *("draft_created_at", "lead_time", "prediction", "result_count", "unique_id", "import_id"),
    *("last_action", "bulk_created", "task", "project", "updated_by", "parent_prediction"),
    *("parent_annotation", "last_created_by"),
}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each of the two."""
    with open_bench(request) as opened:
        yield opened


def test_states_its_version_and_address(bench: Bench) -> None:
    """The version these tests are about, and an address that paths can be put behind."""
    assert bench.studio.server_version() == "1.23.2"
    assert not bench.studio.url.endswith("/")


def test_finds_a_project_by_its_marker_whatever_people_write_around_it(bench: Bench) -> None:
    """The marker counts as a word: no other round's marker holds it."""
    marker = f"ops:round/{uuid.uuid4().hex}"
    assert bench.studio.find_projects(marker) == ()
    first = bench.project(description=f"Cheese, second try ({marker}). Ask Bea.")
    second = bench.project(description=f"Round cheese.\n{marker}")
    for other in (f"{marker}0", f"x{marker}", f"{marker}-2", f"{marker}/a", "unmarked"):
        bench.project(description=other)
    assert bench.studio.find_projects(marker) == (first, second)


def test_a_project_says_where_it_is(bench: Bench) -> None:
    """What is created comes back, with a page people can open."""
    made = bench.project(description="Of cheese.")
    assert made.description == "Of cheese."
    assert made.url == f"{bench.studio.url}/projects/{made.id}/data"
    assert made.title.startswith("contract ")


def test_finds_projects_beyond_the_first_page(bench: Bench) -> None:
    """A server has more than 100 projects."""
    marker = f"ops:round/{uuid.uuid4().hex}"
    made = [bench.project(description=f"{marker} {number}").id for number in range(101)]
    assert [found.id for found in bench.studio.find_projects(marker)] == made
    for project in made:
        bench.studio.delete_project(project)


@pytest.mark.parametrize(
    ("label_config", "said"),
    [
        ("<View><Image", "unclosed token"),
        (
            '<View><Labels name="a" toName="text"><Label value="b"/></Labels></View>',
            "not found in names",
        ),
        ('<View><Text name="a" value="$t"/><Text name="a" value="$t"/></View>', "non-unique"),
    ],
    ids=["xml", "toName", "names"],
)
def test_a_label_config_is_refused_with_the_reason(
    bench: Bench, label_config: str, said: str
) -> None:
    """The one place where the server's words help: they are about the user's own file."""
    with pytest.raises(InvalidDataError) as caught:
        bench.project(label_config=label_config)
    assert caught.value.code == "label-config"
    assert said in dict(caught.value.where)["Label Studio says"]


@pytest.mark.parametrize("title", ["ab", "x" * 51], ids=["short", "long"])
def test_a_title_has_3_to_50_characters(bench: Bench, title: str) -> None:
    """Label Studio 1.23 refuses others."""
    with pytest.raises(InvalidDataError) as caught:
        bench.studio.create_project(title=title, description="", label_config=BOXES)
    assert caught.value.code == "project"


def test_closes_a_project(bench: Bench) -> None:
    """Its name and a notice say so; it is found as before, with all that is in it."""
    marker = f"ops:round/{uuid.uuid4().hex}"
    project = bench.project(description=f"Of cheese. {marker}")
    bench.studio.import_tasks(project.id, items("a"))
    assert bench.acts.instruction(project.id) == ""
    for _ in range(2):
        bench.studio.close_project(
            project.id, title="cheese (finished, v3)", description=f"Over. {marker}"
        )
        (found,) = bench.studio.find_projects(marker)
        assert (found.id, found.url) == (project.id, project.url)
        assert (found.title, found.description) == ("cheese (finished, v3)", f"Over. {marker}")
        assert "This round is over" in bench.acts.instruction(project.id)
        assert bench.studio.totals(project.id).task_count == 1


def test_a_closed_projects_title_is_cut(bench: Bench) -> None:
    """A round's name may be as long as a title."""
    marker = f"ops:round/{uuid.uuid4().hex}"
    project = bench.project(description=marker).id
    bench.studio.close_project(project, title="x" * 40 + " (aborted)" * 2, description=marker)
    (found,) = bench.studio.find_projects(marker)
    assert found.title == "x" * 40 + " (aborted)"
    with pytest.raises(InvalidDataError) as caught:
        bench.studio.close_project(project, title="x", description=marker)
    assert caught.value.code == "project"


def test_deletes_a_project_once(bench: Bench) -> None:
    """With all that is in it; a second time there is nothing to delete."""
    project = bench.project().id
    bench.studio.import_tasks(project, items("a", "b"))
    assert bench.studio.delete_project(project)
    assert not bench.studio.delete_project(project)
    with pytest.raises(NotFoundError):
        bench.studio.totals(project)


ASKED_OF_A_PROJECT: dict[str, Callable[[Bench, int], object]] = {
    "totals": lambda bench, project: bench.studio.totals(project),
    "task_rows": lambda bench, project: list(bench.studio.task_rows(project)),
    "export": lambda bench, project: list(bench.studio.export(project, [1])),
    "delete_tasks": lambda bench, project: bench.studio.delete_tasks(project, [1]),
    "import_tasks": lambda bench, project: bench.studio.import_tasks(project, items("a")),
    "connect_media": lambda bench, project: bench.connect(project),
    "close_project": lambda bench, project: bench.studio.close_project(
        project, title="over", description=""
    ),
}


@pytest.mark.parametrize("asked", ASKED_OF_A_PROJECT)
def test_a_project_that_is_gone_is_said_to_be(bench: Bench, asked: str) -> None:
    """Whatever is asked of it."""
    gone = bench.project().id
    bench.studio.delete_project(gone)
    with pytest.raises(NotFoundError) as caught:
        ASKED_OF_A_PROJECT[asked](bench, gone)
    assert caught.value.code == "project-gone"
    assert caught.value.subject == str(gone)


def test_imports_in_order_and_lists_by_id(bench: Bench) -> None:
    """Ids come in the batch's order; the index has them all, with key and data."""
    project = bench.project().id
    first = bench.studio.import_tasks(project, items("b", "a"))
    second = bench.studio.import_tasks(project, items("c"))
    assert bench.studio.import_tasks(project, []) == ()
    rows = list(bench.studio.task_rows(project))
    assert [row.id for row in rows] == [*first, *second]
    assert [row.key for row in rows] == ["b", "a", "c"]
    assert rows[0].data == {"image": "s3://pictures/b.png", "key": "b"}
    assert [(row.annotation_count, row.skipped_count) for row in rows] == [(0, 0)] * 3
    assert all(
        row.updated_at == datetime.strptime(row.updated_at, TIME).strftime(TIME)  # noqa: DTZ007
        for row in rows
    )


def test_imports_the_same_twice(bench: Bench) -> None:
    """Nothing is deduplicated: that is ops' own affair."""
    project = bench.project().id
    bench.studio.import_tasks(project, items("a"))
    bench.studio.import_tasks(project, items("a"))
    assert [row.key for row in bench.studio.task_rows(project)] == ["a", "a"]


def test_a_task_without_a_text_for_key_has_none(bench: Bench) -> None:
    """People import tasks of their own."""
    project = bench.project().id
    bench.studio.import_tasks(
        project, [{"data": {"image": "x"}}, {"data": {"image": "x", "key": 7}}]
    )
    assert [row.key for row in bench.studio.task_rows(project)] == [None, None]


BAD_ITEMS: dict[str, Mapping[str, Json]] = {
    "no-image": {"data": {"key": "b"}},
    "no-such-member": {
        "data": {"image": "b"},
        "annotations": [{"result": [], "completed_by": 987654321}],
    },
}


@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_a_batch_with_one_bad_item_is_refused_whole(bench: Bench, bad: str) -> None:
    """Nothing of it is imported."""
    project = bench.project().id
    with pytest.raises(InvalidDataError) as caught:
        bench.studio.import_tasks(project, [*items("a"), BAD_ITEMS[bad]])
    assert caught.value.code == "import-refused"
    assert bench.studio.totals(project).task_count == 0


def test_export_form(bench: Bench) -> None:
    """Every field of the form, so that the Label Studio in memory and a new version are caught."""
    project = bench.project().id
    (task,) = bench.studio.import_tasks(project, items("a", meta={"note": "n"}))
    bench.annotators.annotate(task, [BOX], annotator=bench.account)
    document = bench.document(project, task)
    assert set(document) == TASK_FIELDS
    assert set(bench.answers(project, task)[0]) == ANNOTATION_FIELDS
    assert (document["meta"], document["inner_id"]) == ({"note": "n"}, 1)


def test_export_leaves_out_what_is_gone_or_elsewhere(bench: Bench) -> None:
    """Tasks deleted meanwhile, and tasks of another project, are not there; asked twice, once."""
    project, other = bench.project().id, bench.project().id
    a, b = bench.studio.import_tasks(project, items("a", "b"))
    (elsewhere,) = bench.studio.import_tasks(other, items("a"))
    bench.studio.delete_tasks(project, [a])
    found = bench.studio.export(project, [a, b, elsewhere, b, 987654321])
    assert [document["id"] for document in found] == [b]
    assert list(bench.studio.export(project, [])) == []
    assert list(bench.studio.export(project, [a])) == []


def test_since_is_inclusive_to_the_microsecond(bench: Bench) -> None:
    """A change at the very time asked for is found; with a coarser time too."""
    project = bench.project().id
    bench.studio.import_tasks(project, items("a", "b", "c"))
    a, b, c = sorted(bench.rows(project).values(), key=lambda row: row.updated_at)
    assert a.updated_at < b.updated_at < c.updated_at
    assert set(bench.rows(project, since=b.updated_at)) == {b.id, c.id}
    later = datetime.fromisoformat(c.updated_at) + timedelta(microseconds=1)
    assert bench.rows(project, since=later.strftime(TIME)) == {}
    assert set(bench.rows(project, since="2020-01-01T00:00:00.000000Z")) == {a.id, b.id, c.id}


def test_deletes_the_tasks_named_and_no_other(bench: Bench) -> None:
    """None named, none deleted (Label Studio's own route would delete them all)."""
    project, other = bench.project().id, bench.project().id
    a, b, c = bench.studio.import_tasks(project, items("a", "b", "c"))
    (elsewhere,) = bench.studio.import_tasks(other, items("a"))
    bench.annotators.annotate(a, [BOX], annotator=bench.account)
    bench.studio.delete_tasks(project, [])
    assert set(bench.rows(project)) == {a, b, c}
    bench.studio.delete_tasks(project, [a, elsewhere, 987654321])
    assert set(bench.rows(project)) == {b, c}
    assert set(bench.rows(other)) == {elsewhere}
    assert bench.studio.totals(project).annotation_count == 0


def test_connects_media_once(bench: Bench) -> None:
    """Pictures show from then on; connecting again changes nothing."""
    uri = bench.put("plain.png")
    project = bench.project().id
    (task,) = bench.studio.import_tasks(project, [item(uri, "plain.png")])

    assert not bench.studio.shows_media(task, uri)
    assert bench.connect(project)
    assert bench.studio.shows_media(task, uri)
    assert not bench.connect(project)
    assert bench.studio.shows_media(task, uri)
    assert not bench.studio.shows_media(task, uri.replace("plain", "other"))


def test_a_picture_that_is_not_there_is_not_shown(bench: Bench) -> None:
    """Though its task is, and the bucket."""
    missing = bench.put("there.png").replace("there", "missing")
    project = bench.project().id
    bench.connect(project)
    (task,) = bench.studio.import_tasks(project, [item(missing, "m")])
    assert not bench.studio.shows_media(task, missing)


def test_media_credentials_that_do_not_work_are_said_to(bench: Bench) -> None:
    """At once, not when the first annotator looks."""
    project = bench.project().id
    with pytest.raises(ConfigurationError) as caught:
        bench.studio.connect_media(
            project, bucket=bench.bucket, access_key_id=bench.keys[0], secret_access_key=""
        )
    assert caught.value.code == "media-unreachable"


def test_which_keys_label_studio_can_show(bench: Bench) -> None:
    """All but those with a question mark, a tab or a line end, or white space at their end."""
    keys = (*KEYS_SHOWN, *KEYS_LOST)
    uris = [bench.put(key) for key in keys]
    project = bench.project().id
    bench.connect(project)
    tasks = bench.studio.import_tasks(
        project, [item(uri, key) for uri, key in zip(uris, keys, strict=True)]
    )
    shown = [
        key
        for key, uri, task in zip(keys, uris, tasks, strict=True)
        if bench.studio.shows_media(task, uri)
    ]
    assert shown == list(KEYS_SHOWN)
    assert [row.key for row in bench.studio.task_rows(project)] == list(keys)


def test_reads_more_tasks_than_a_page_holds(bench: Bench) -> None:
    """2,101 rows, each once, in order; and their documents, over several chunks."""
    project = bench.project().id
    keys = [f"{number:05}" for number in range(2101)]
    tasks = [*bench.studio.import_tasks(project, items(*keys[:2000]))]
    tasks += bench.studio.import_tasks(project, items(*keys[2000:]))
    assert [row.key for row in bench.studio.task_rows(project)] == keys
    asked = tasks[::-2]
    exported = [document["id"] for document in bench.studio.export(project, asked)]
    assert exported == asked
    bench.studio.delete_project(project)


def test_a_read_beside_deletions_and_imports_misses_nothing(bench: Bench) -> None:
    """Every task that is there throughout is given, once: though pages fail and rows shift."""
    project = bench.project().id
    tasks = bench.studio.import_tasks(project, items(*(f"{n:04}" for n in range(1500))))
    doomed = tasks[::-6]
    done = threading.Event()

    def disturb() -> None:
        try:
            for start in range(0, len(doomed), 8):
                bench.studio.delete_tasks(project, doomed[start : start + 8])
                bench.studio.import_tasks(project, items("new"))
        finally:
            done.set()

    reads: list[list[int]] = []
    with ThreadPoolExecutor(1) as pool:
        disturbing = pool.submit(disturb)
        while not (done.is_set() and reads):
            reads.append([row.id for row in bench.studio.task_rows(project)])
        disturbing.result()
    stable = sorted(set(tasks) - set(doomed))
    for read in reads:
        assert sorted(set(read) & set(stable)) == stable
        assert read == sorted(set(read))
    bench.studio.delete_project(project)
