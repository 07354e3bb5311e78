"""What people answer, and how ports.Studio tells: on the real Label Studio, and in memory."""

import uuid
from collections.abc import Iterator

import pytest

from ops.core.records import Json
from ops.errors import ConflictError, InvalidDataError, NotFoundError
from tests.studio_bench import BENCHES, BOX, Bench, items, mappings, open_bench


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each of the two."""
    with open_bench(request) as opened:
        yield opened


def test_imported_annotations_keep_what_label_studio_lets_them(bench: Bench) -> None:
    """`id` comes back as `import_id`; times and `unique_id` are new, ground truth the default."""
    project = bench.project().id
    bea = bench.annotators.ensure_member("bea@example.com")
    wanted = str(uuid.uuid4())
    answer: dict[str, Json] = {"result": [dict(BOX)], "completed_by": bea, "unique_id": wanted}
    carried: list[Json] = [
        {**answer, "id": 2**48 - 1, "lead_time": 3.5, "ground_truth": False},
        {"result": [], "was_cancelled": True, "created_at": "2020-01-01T00:00:00Z"},
        {"result": [], "completed_by": {"email": "bea@example.com"}},
    ]
    (task,) = bench.studio.import_tasks(project, items("a", annotations=carried))
    first, second, third = bench.answers(project, task)
    assert first["import_id"] == 2**48 - 1
    assert (first["result"], first["lead_time"]) == ([BOX], 3.5)
    assert (first["completed_by"], first["updated_by"]) == (bea, None)
    assert first["unique_id"] not in (wanted, second["unique_id"])
    assert not str(second["created_at"]).startswith("2020")
    assert (second["completed_by"], third["completed_by"]) == (bench.account, bea)
    ground_truth = [answer["ground_truth"] for answer in (first, second, third)]
    assert ground_truth == [False, True, True]
    assert [answer["was_cancelled"] for answer in (first, second, third)] == [False, True, False]
    row = bench.rows(project)[task]
    assert (row.annotation_count, row.skipped_count) == (2, 1)


def test_totals_count_answers_and_skips_apart(bench: Bench) -> None:
    """A task may have several of both."""
    project = bench.project().id
    bea = bench.annotators.ensure_member("bea@example.com")
    a, b, c, _ = bench.studio.import_tasks(project, items("a", "b", "c", "d"))
    for task, skipped in ((a, False), (a, True), (b, False), (c, True)):
        bench.annotators.annotate(task, [BOX], annotator=bea, skipped=skipped)
    bench.annotators.annotate(a, [], annotator=bench.account)
    totals = bench.studio.totals(project)
    assert (totals.task_count, totals.annotation_count, totals.skipped_count) == (4, 3, 2)


def test_export_holds_every_kind_of_task(bench: Bench) -> None:
    """Labeled, empty, skipped, unfinished, drafted and predicted ones, in the order asked for."""
    project = bench.project().id
    bea = bench.annotators.ensure_member("bea@example.com")
    keys = ("labeled", "empty", "skipped", "unfinished", "drafted", "predicted")
    tasks = bench.studio.import_tasks(project, items(*keys))
    bench.annotators.annotate(tasks[0], [BOX], annotator=bea, lead_time_s=2.5)
    bench.annotators.annotate(tasks[1], [], annotator=bea)
    bench.annotators.annotate(tasks[2], [], annotator=bea, skipped=True)
    bench.acts.draft(tasks[4], [BOX])
    bench.acts.predict(tasks[5], [BOX], model_version="m1")
    asked = list(reversed(tasks))
    documents = {doc["id"]: doc for doc in bench.studio.export(project, asked)}
    assert list(documents) == asked
    said = [[a["was_cancelled"] for a in mappings(documents[t]["annotations"])] for t in tasks]
    assert said == [[False], [False], [True], [], [], []]
    assert [bool(documents[task]["drafts"]) for task in tasks] == [False] * 4 + [True, False]
    assert [bool(documents[task]["predictions"]) for task in tasks] == [False] * 5 + [True]
    (labeled,) = mappings(documents[tasks[0]]["annotations"])
    assert (labeled["result"], labeled["lead_time"]) == ([BOX], 2.5)
    assert (labeled["completed_by"], labeled["updated_by"]) == (bea, bench.account)
    assert uuid.UUID(str(labeled["unique_id"]))


def test_what_moves_the_time_of_a_task(bench: Bench) -> None:
    """Answers, skips, edits, deletions and new data do."""
    project = bench.project().id
    (task,) = bench.studio.import_tasks(project, items("a"))
    seen = [bench.rows(project)[task].updated_at]

    def moved() -> None:
        seen.append(bench.rows(project)[task].updated_at)
        assert seen[-2] < seen[-1]

    answer = bench.annotators.annotate(task, [BOX], annotator=bench.account)
    moved()
    bench.annotators.update_annotation(answer, [], lead_time_s=4)
    moved()
    bench.annotators.update_annotation(answer, [], skipped=True)
    moved()
    bench.annotators.delete_annotation(answer)
    moved()
    bench.acts.replace_data(task, {"image": "other.png", "key": "b"})
    moved()
    assert bench.rows(project)[task].key == "b"


def test_what_does_not_move_the_time_of_a_task(bench: Bench) -> None:
    """Drafts and predictions do not, nor does remove-duplicates, which moves answers."""
    project = bench.project().id
    a, b, c = bench.studio.import_tasks(project, items("same", "same", "c"))
    bench.annotators.annotate(a, [BOX], annotator=bench.account)
    bench.annotators.annotate(b, [], annotator=bench.account)
    before = bench.rows(project)
    bench.acts.draft(c, [BOX])
    bench.acts.predict(c, [BOX], model_version="m1")
    assert bench.rows(project) == before
    bench.acts.remove_duplicates(project)
    after = bench.rows(project)
    assert set(after) == {a, c}
    assert after[a].updated_at == before[a].updated_at
    assert (before[a].annotation_count, after[a].annotation_count) == (1, 2)
    assert bench.studio.totals(project).annotation_count == 2


def test_updates_and_skips_and_takes_back(bench: Bench) -> None:
    """An answer may become a skip and an answer again; its identity stays."""
    project = bench.project().id
    (task,) = bench.studio.import_tasks(project, items("a"))
    answer = bench.annotators.annotate(task, [BOX], annotator=bench.account, lead_time_s=1)
    (before,) = bench.answers(project, task)
    bench.annotators.update_annotation(answer, [BOX], skipped=True)
    row = bench.rows(project)[task]
    assert (row.annotation_count, row.skipped_count) == (0, 1)
    bench.annotators.update_annotation(answer, [], lead_time_s=9)
    (after,) = bench.answers(project, task)
    assert (after["result"], after["lead_time"], after["was_cancelled"]) == ([], 9, False)
    assert (after["id"], after["unique_id"]) == (before["id"], before["unique_id"])
    assert after["created_at"] == before["created_at"]
    assert str(after["updated_at"]) > str(before["updated_at"])


def test_a_unique_id_makes_an_answer_repeatable(bench: Bench) -> None:
    """Submitted twice it is there once; under another task it is refused."""
    project = bench.project().id
    a, b = bench.studio.import_tasks(project, items("a", "b"))
    unique_id = str(uuid.uuid4())

    def submit(task: int) -> int:
        return bench.annotators.annotate(task, [BOX], annotator=bench.account, unique_id=unique_id)

    assert submit(a) == submit(a)
    assert [answer["unique_id"] for answer in bench.answers(project, a)] == [unique_id]
    with pytest.raises(ConflictError):
        submit(b)
    assert bench.answers(project, b) == []


def test_answers_of_nobody_and_of_nothing_are_refused(bench: Bench) -> None:
    """A member and a task there must be; and an annotation to change."""
    project = bench.project().id
    (task,) = bench.studio.import_tasks(project, items("a"))
    with pytest.raises(InvalidDataError):
        bench.annotators.annotate(task, [BOX], annotator=987654321)
    with pytest.raises(NotFoundError):
        bench.annotators.annotate(987654321, [BOX], annotator=bench.account)
    with pytest.raises(NotFoundError):
        bench.annotators.update_annotation(987654321, [BOX])
    assert not bench.annotators.delete_annotation(987654321)
    assert bench.studio.totals(project).annotation_count == 0


def test_members_are_made_once(bench: Bench) -> None:
    """By e-mail, whatever its case; what is no e-mail is refused."""
    email = f"bea-{uuid.uuid4().hex[:8]}@example.com"
    bea = bench.annotators.ensure_member(email, first_name="Bea", last_name="Brie")
    assert bench.annotators.ensure_member(email.upper()) == bea
    assert bench.studio.members()[bea] == email
    assert bench.account in bench.studio.members()
    with pytest.raises(InvalidDataError):
        bench.annotators.ensure_member("no e-mail")


def test_the_newest_ids_come_again(bench: Bench) -> None:
    """As SQLite gives them: state must never be kept under a task's id alone."""
    project, other = bench.project().id, bench.project().id
    (before,) = bench.studio.import_tasks(project, items("a", annotations=[{"result": []}]))
    (old,) = bench.answers(project, before)
    bench.studio.delete_tasks(project, [before])
    (after,) = bench.studio.import_tasks(other, items("b", annotations=[{"result": []}]))
    (new,) = bench.answers(other, after)
    assert (after, new["id"]) == (before, old["id"])
    assert new["unique_id"] != old["unique_id"]
