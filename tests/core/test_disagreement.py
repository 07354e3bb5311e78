"""How much people disagree about a task."""

from collections.abc import Mapping

import pytest

from ops.core.disagreement import disagreement
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from tests.runner.world import region

KEY = TaskKey("a.png")
TASK = Task(key=KEY, media=Media(path="images/a.png", checksum="0", size_bytes=1))
Result = list[Mapping[str, Json]]


def record(*answers: Result, skipped: bool = False) -> Record:
    """A task with an answer each by other people."""
    return Record(
        task=TASK,
        annotations=tuple(
            Annotation(
                unique_id=f"{number:032x}",
                annotator=f"{number}@example.org",
                round="one",
                created_at="2026-11-21T14:02:00.000000Z",
                updated_at="2026-11-21T14:02:00.000000Z",
                ontology_digest="sha256:00",
                skipped=skipped and number > 0,
                result=tuple(answer),
            )
            for number, answer in enumerate(answers)
        ),
    )


def text(said: str, name: str = "t1") -> Mapping[str, Json]:
    """What somebody typed: no measure of agreement looks at it."""
    return {
        "id": name,
        "type": "textarea",
        "from_name": "words",
        "to_name": "image",
        "value": {"text": [said]},
    }


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (record([region("brie")]), None),
        (record([region("brie")], [region("brie")]), 0),
        (record([region("brie")], [region("gouda")]), 1),
        (record([region("brie")], [region("brie"), region("gouda", 60)]), 1 / 3),
        (record([region("brie")], []), 1),
        (record([], []), 0),
        (record([region("brie")], [region("gouda")], skipped=True), None),
        (record([text("mould")], [text("mould", "t2")]), 0),
        (record([text("mould")], [text("rind")]), 1),
        (record([text("mould")], [text("mould")], [text("rind")]), 1),
    ],
)
def test_disagreement_is_what_agreement_leaves(one: Record, wanted: float | None) -> None:
    """And where nothing can be measured, whether they say the same."""
    assert disagreement(one) == (None if wanted is None else pytest.approx(wanted))
