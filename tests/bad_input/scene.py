"""A dataset in the middle of its work, the ways to spoil it, and what one bad input must lead to.

The scene: round `one` is finished with p000 to p002 labeled, empty and skipped; round `two` is open
to change them, and synced. Owns no case (the tables beside it do).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ops.core.names import MAIN, record_path, round_branch
from ops.core.records import Json, TaskKey
from ops.core.selection import Selection
from ops.errors import InvalidDataError, OpsError
from ops.ports import Upload
from ops.runner.finish import finish_round
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.fakes.studio import FakeStudio
from tests.runner.world import World

KEY = TaskKey("p000.png")
RECORD = record_path(KEY)
BRANCH = round_branch("two")
KEYS = tuple(TaskKey(f"p00{number}.png") for number in range(3))

Document = Any
"""A JSON document that is being spoilt: of any shape, that being the point."""
Edit = Callable[[Document], Document]


class LyingStudio(FakeStudio):
    """A Label Studio that answers an export with other documents than it holds."""

    def __init__(self, honest: FakeStudio, lie: Callable[[Document], Document]) -> None:
        """Share the honest one's state."""
        self.__dict__.update(honest.__dict__)
        self.lie = lie

    def export(self, project: int, tasks: Sequence[int]) -> Iterator[Mapping[str, Json]]:
        """The documents, spoilt."""
        for document in super().export(project, tasks):
            yield self.lie(deepcopy(document))


class Scene:
    """The dataset, and hands to spoil it with."""

    def __init__(self) -> None:
        """Set the scene."""
        self.world = World()
        self.context = self.world.context
        start_round(self.context, "one", Selection(keys=KEYS))
        self.world.label(KEY, "brie", "gouda")
        self.world.label("p001.png")
        self.world.label("p002.png", "brie", skipped=True)
        finish_round(self.context, "one")
        selection = Selection(keys=KEYS, edit=True, labeled_too=True)
        start_round(self.context, "two", selection)
        sync_round(self.context, "two")

    def read(self, ref: str, path: str) -> bytes:
        """An object's bytes."""
        data = self.world.lake.read(ref, path)
        assert data is not None, path
        return data

    def put(self, ref: str, path: str, data: bytes) -> None:
        """Commit other bytes in an object's place, around ops: to main by way of a branch."""
        lake = self.world.lake
        branch = ref
        if ref == MAIN:
            branch = "around"
            lake.create_branch(branch, MAIN)
        lake.write_many(branch, [Upload(path=path, data=data)])
        assert lake.commit(branch, "Around ops", {})
        if ref == MAIN:
            lake.merge(branch, MAIN, "Around ops", {})
            lake.delete_branch(branch)

    def state(self) -> object:
        """Everything both servers hold, staged objects too."""
        studio = self.world.studio
        held = (studio.projects, studio.configs, studio.tasks, studio.annotations, studio.users)
        repositories = {
            name: (dict(one.nodes), one.branches, one.tags, one.protected)
            for name, one in self.world.lake_server.repositories.items()
        }
        return deepcopy((held, studio.media, studio.instructions, repositories))


Act = Callable[[Scene], object]


def nothing(scene: Scene) -> None:
    """Leave the scene as it is."""
    del scene


@dataclass(frozen=True, kw_only=True)
class Case:
    """One bad input.

    Attributes:
        id: what it is called.
        wrong: what is wrong with it.
        spoil: puts it where it would come from.
        act: what meets it.
        code: the error's code.
        place: what the error must name: a path, line, field, key or name.
        error: the error's class, which is its exit code.
    """

    id: str
    wrong: str
    act: Act
    code: str
    place: str
    spoil: Callable[[Scene], None] = nothing
    error: type[OpsError] = InvalidDataError


def check_error(error: OpsError, case: Case) -> None:
    """Hold an error against its case, and against what every error must have."""
    assert type(error) is case.error, f"{type(error).__name__}: {error.message}"
    assert error.code == case.code
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", error.code)
    for part in (error.message, error.unchanged, error.hint):
        assert part.strip() == part != ""
    assert "\n" not in error.message
    assert not error.message.endswith(".")
    told = "\n".join([error.message, error.subject or "", *(f"{n} {v}" for n, v in error.where)])
    assert case.place in told, f"{case.place!r} is not named in: {told}"
    # The words of a library are recognised by its names.
    assert not re.search(r"Traceback|urllib3|pydantic|pyarrow|Errno|codec can't", told)


def edited(edit: Edit) -> Callable[[bytes], bytes]:
    """An edit of a JSON document, as one of its bytes."""

    def edit_bytes(data: bytes) -> bytes:
        return json.dumps(edit(json.loads(data)), ensure_ascii=False).encode(errors="surrogatepass")

    return edit_bytes


def put(*path: str | int, to: object) -> Edit:
    """Put a value into a field, there or not."""

    def edit(document: Document) -> Document:
        *way, last = path
        inner = document
        for step in way:
            inner = inner[step]
        inner[last] = deepcopy(to)
        return document

    return edit


def drop(*path: str | int) -> Edit:
    """Take a field away."""

    def edit(document: Document) -> Document:
        *way, last = path
        inner = document
        for step in way:
            inner = inner[step]
        del inner[last]
        return document

    return edit
