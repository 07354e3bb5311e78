"""ports.Studio's predictions on the real Label Studio, and on the one in memory."""

from collections.abc import Iterator

import pytest

from ops.core.records import Json
from ops.errors import InvalidDataError, NotFoundError
from tests.studio_bench import BENCHES, BOX, Bench, items, open_bench

M1, M2 = "model@1", "model@2"


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each of the two."""
    with open_bench(request) as opened:
        yield opened


def said(task: int, version: str = M1, score: float | None = 0.5) -> dict[str, Json]:
    """One box, as a model says it."""
    return {"task": task, "model_version": version, "score": score, "result": [dict(BOX)]}


def models(bench: Bench, project: int) -> dict[int, tuple[frozenset[str], bool]]:
    """Whose predictions each task has, and whether one is there twice."""
    rows = bench.studio.predicted_tasks(project)
    return {row.id: (row.models, row.is_repeated) for row in rows}


def test_predictions_come_with_tasks_or_after_them(bench: Bench) -> None:
    """Either way they are listed by model version; and no label, and no news for a sync."""
    project = bench.project().id
    given: Json = [{key: value for key, value in said(0).items() if key != "task"}]
    first, second = bench.studio.import_tasks(
        project, [*items("a", predictions=given), *items("b")]
    )
    before = bench.rows(project)
    assert models(bench, project) == {
        first: (frozenset({M1}), False),
        second: (frozenset(), False),
    }
    assert bench.studio.add_predictions(project, [said(second), said(second, M2, None)]) == 2
    assert bench.studio.add_predictions(project, []) == 0
    assert models(bench, project)[second] == (frozenset({M1, M2}), False)
    assert [row.key for row in bench.studio.predicted_tasks(project)] == ["a", "b"]
    assert bench.rows(project) == before
    assert bench.studio.totals(project).annotation_count == 0
    assert bench.document(project, second)["annotations"] == []


def test_what_comes_twice_is_taken_back_to_one(bench: Bench) -> None:
    """As where a request was delivered twice; the oldest stays."""
    project = bench.project().id
    first, second = bench.studio.import_tasks(project, items("a", "b"))
    for _ in range(2):
        bench.studio.add_predictions(project, [said(first), said(first, M2), said(second)])
    assert {repeated for _, repeated in models(bench, project).values()} == {True}
    before = bench.document(project, first)["predictions"]
    assert isinstance(before, list)
    assert bench.studio.remove_repeated_predictions([first, second], {"others"}) == 0
    assert bench.studio.remove_repeated_predictions([first, second], {M1, M2}) == 3
    assert bench.studio.remove_repeated_predictions([first, second], {M1, M2}) == 0
    assert models(bench, project) == {
        first: (frozenset({M1, M2}), False),
        second: (frozenset({M1}), False),
    }
    assert bench.document(project, first)["predictions"] == before[:2]


def test_a_score_out_of_bounds_is_left_out_without_a_word(bench: Bench) -> None:
    """Only the number of those it kept tells: whoever adds predictions has to count."""
    project = bench.project().id
    [task] = bench.studio.import_tasks(project, items("a"))
    assert bench.studio.add_predictions(project, [said(task, score=1.5), said(task, M2)]) == 1
    assert models(bench, project)[task] == (frozenset({M2}), False)


def test_predictions_of_tasks_that_are_not_there_are_refused(bench: Bench) -> None:
    """All of them: none is added."""
    project = bench.project().id
    [task] = bench.studio.import_tasks(project, items("a"))
    with pytest.raises(InvalidDataError) as caught:
        bench.studio.add_predictions(project, [said(task), said(987654321)])
    assert caught.value.code == "predictions-refused"
    assert models(bench, project)[task] == (frozenset(), False)


def test_annotators_see_what_one_model_says(bench: Bench) -> None:
    """It is the one an annotation made there names; a model nobody heard of cannot be shown."""
    project = bench.project().id
    [task] = bench.studio.import_tasks(project, items("a"))
    assert not bench.studio.show_predictions(project, M2)
    bench.studio.add_predictions(project, [said(task), said(task, M2, 0.25)])
    for _ in range(2):
        assert bench.studio.show_predictions(project, M2)
    bench.annotators.annotate(task, [BOX], annotator=bench.account)
    [answer] = bench.answers(project, task)
    seen = answer["prediction"]
    assert isinstance(seen, dict)
    assert (seen["model_version"], seen["score"]) == (M2, 0.25)


def test_a_project_that_is_gone_is_said_to_be(bench: Bench) -> None:
    """Whatever is asked of it."""
    gone = bench.project().id
    bench.studio.delete_project(gone)
    for ask in (
        lambda: list(bench.studio.predicted_tasks(gone)),
        lambda: bench.studio.add_predictions(gone, [said(1)]),
        lambda: bench.studio.show_predictions(gone, M1),
    ):
        with pytest.raises(NotFoundError) as caught:
            ask()
        assert caught.value.code == "project-gone"
