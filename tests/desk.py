"""A desk at the real Label Studio: two annotators, and projects that go when it is cleared."""

import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.core.exports import KEY_FIELD, RoundFacts, build_record, to_import
from ops.core.ontology import parse_ontology
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey
from ops.local.state import Connection
from ops.studio import LabelStudio, StudioAnnotators
from tests.controls import Case

KEY = TaskKey("cats/grey cat é.jpg")
TASK = Task(key=KEY, media=Media(path=f"images/{KEY}", checksum="0" * 32, size_bytes=7))


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One Label Studio, and the user ids of two people who annotate there."""

    studio: LabelStudio
    people: StudioAnnotators
    first: int
    second: int
    projects: list[int] = field(default_factory=list[int])

    def open(self, case: Case) -> int:
        """A fresh project for a case's label config."""
        project = self.studio.create_project(
            title=f"desk {case.name}",
            description=uuid.uuid4().hex,
            label_config=case.label_config,
        )
        self.projects.append(project.id)
        return project.id

    def fill(self, case: Case, **more: list[Json]) -> tuple[int, tuple[int, ...]]:
        """A project with one task: an imported answer, a person's, a skip with a rest, an empty."""
        project = self.open(case)
        reference: Json = {"id": 5, "result": [*case.first], "ground_truth": True, "lead_time": 2.0}
        tasks = self.studio.import_tasks(project, [item(case, annotations=[reference], **more)])
        [task] = tasks
        self.people.annotate(task, case.second, annotator=self.second, lead_time_s=12.5)
        self.people.annotate(task, case.first, annotator=self.first, skipped=True)
        self.people.annotate(task, [], annotator=self.first)
        return project, tasks

    def label_config(self, project: int) -> str:
        """The label config as the server keeps it."""
        facts = self.studio.http.get(f"/api/projects/{project}/").json()
        return str(facts["label_config"])

    def draft(self, case: Case, project: int, task: int) -> None:
        """Leave an answer unsubmitted."""
        draft = {"result": case.second, "lead_time": 1, "project": project}
        # Without the project in the query 1.23 answers 404.
        path = f"/api/tasks/{task}/drafts?project={project}"
        self.studio.http.post(path, json=draft)

    def read(
        self,
        case: Case,
        project: int,
        tasks: Sequence[int],
        carried: Mapping[str, Annotation] | None = None,
    ) -> Record:
        """The record the project's tasks make."""
        facts = RoundFacts(
            round=f"round-of-{project}",
            ontology_digest=parse_ontology(case.label_config).digest,
            members=self.studio.members(),
        )
        documents = [*self.studio.export(project, tasks)]
        return build_record(TASK, documents, facts, carried=carried or {})

    def put(self, project: int, case: Case, record: Record) -> tuple[int, ...]:
        """Import a record into a project."""
        data = to_import(record, data=case.data, members=self.studio.members())
        return self.studio.import_tasks(project, [data])


def item(case: Case, **more: list[Json]) -> dict[str, Json]:
    """A task of a case to import."""
    return {"data": {**case.data, KEY_FIELD: KEY}, **more}


def prediction(case: Case) -> Json:
    """A model's answer to a case."""
    return {"model_version": "m1", "score": 0.5, "result": [*case.first]}


@contextmanager
def open_desk(servers: Connection) -> Generator[Desk]:
    """A desk with two new members, cleared at the end."""
    studio = LabelStudio(servers.label_studio_url, servers.label_studio_token)
    people = StudioAnnotators(studio)
    desk = Desk(
        studio=studio,
        people=people,
        first=people.ensure_member(f"ada-{uuid.uuid4().hex[:8]}@example.com"),
        second=people.ensure_member(f"bob-{uuid.uuid4().hex[:8]}@example.com"),
    )
    try:
        yield desk
    finally:
        for project in desk.projects:
            studio.delete_project(project)
        studio.close()
