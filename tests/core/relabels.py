"""Records, and migrations of them, in few words: boxes, answers about them, one label config."""

from collections.abc import Mapping
from dataclasses import replace

from ops.core.canonical import normalise_record
from ops.core.migration import Migration, MigrationRequest, Operation, plan_migration
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.core.regions import label_paths

Region = dict[str, Json]

_TIME = "2026-11-21T14:02:00.000000Z"
OLD = "0" * 64
CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="label" toName="image">'
    '<Label value="A"/><Label value="B" alias="b"/><Label value="C"/><Label value="D"/>'
    "</RectangleLabels>"
    '<Choices name="kind" toName="image" perRegion="true" choice="multiple">'
    '<Choice value="A"/><Choice value="B"/><Choice value="C"/></Choices>'
    '<Taxonomy name="tree" toName="image"><Choice value="A"><Choice value="A"/>'
    '<Choice value="B"/></Choice><Choice value="C"/></Taxonomy>'
    '<TextArea name="note" toName="image" perRegion="true"/>'
    "<Relations/></View>"
)


def plan(
    operation: Operation, *sources: str, into: tuple[str, ...] = (), **more: object
) -> Migration:
    """A migration of the boxes' labels, as planned against CONFIG."""
    asked = replace(
        MigrationRequest(operation=operation, sources=sources, targets=into, control="label"),
        **more,
    )
    return plan_migration(CONFIG, asked).migration


def record_of(*annotations: Annotation, key: str = "a.png") -> Record:
    """The record of a task, in canonical form."""
    task = Task(key=TaskKey(key), media=Media(path=f"images/{key}", checksum="c", size_bytes=1))
    return normalise_record(Record(task=task, annotations=annotations))


def annotation_of(*result: Mapping[str, Json], unique_id: str = "u", **more: object) -> Annotation:
    """Ann's annotation; `more` are fields of it."""
    one = Annotation(
        unique_id=unique_id,
        annotator="ann@example.org",
        round="cheese",
        created_at=_TIME,
        updated_at=_TIME,
        ontology_digest=OLD,
        lead_time_s=2.5,
        result=result,
    )
    return replace(one, **more)


def box(name: str, *labels: str, **value: Json) -> Region:
    """A box with these labels; `value` is said of it besides."""
    place: Region = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0}
    return {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "value": {**place, "rectanglelabels": [*labels], **value},
    }


def answer(name: str, control: str, kind: str, *labels: Json) -> Region:
    """An entry about a region, or about the whole picture, by its control and type."""
    return {
        "id": name,
        "type": kind,
        "from_name": control,
        "to_name": "image",
        "value": {kind: [*labels]},
    }


def related(one: str, two: str) -> Region:
    """A relation from a region to another."""
    return {"type": "relation", "from_id": one, "to_id": two, "direction": "right"}


def labels_of(record: Record, unique_id: str = "u") -> dict[str, list[str]]:
    """What the boxes of an annotation say, by id."""
    [found] = [one for one in record.annotations if one.unique_id == unique_id]
    return {
        str(one["id"]): ["/".join(path) for path in label_paths(one)]
        for one in found.result
        if one.get("type") == "rectanglelabels"
    }
