"""The two servers a play is on, in memory or real, and a way to disturb what a verb asks of them.

Owns nothing of what is played (driver.py). Every request of a context made here passes hooks, which
may kill the verb or let somebody else act in its middle; what a test looks at by itself does not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import cast
from uuid import uuid4

from PIL import Image

from ops.annotator_port import Annotators
from ops.core.label_config import LabelKind, write_label_config
from ops.local import Connection
from ops.ports import Lake, Studio, Upload
from ops.runner.context import Context
from ops.runner.init import init_repository
from ops.studio import LabelStudio, StudioAnnotators
from tests.context import real_context
from tests.runner.world import LABELS, World

PEOPLE = ("ann@example.org", "ben@example.org", "cleo@example.org")

Event = Callable[[str], None]
"""Told `before` and `after` each request, and `upload` before each upload of one."""


class Killed(BaseException):
    """The process is gone."""


class Watched:
    """A server that calls a hook before and after each request, and before each upload."""

    def __init__(self, inner: object, event: Event) -> None:
        """Pass everything on to `inner`."""
        self._inner = inner
        self._event = event

    def __getattr__(self, name: str) -> object:
        """The server's own attribute; of a method, with the hook around it."""
        found = getattr(self._inner, name)
        return self._around(name, found) if callable(found) else found

    def _around(self, name: str, method: Callable[..., object]) -> Callable[..., object]:
        def watched(*args: object, **kwargs: object) -> object:
            self._event("before")
            if name == "write_many":
                branch, uploads = args
                args = (branch, self._each(cast("Iterable[Upload]", uploads)))
            answer = method(*args, **kwargs)
            self._event("after")
            return answer

        return watched

    def _each(self, uploads: Iterable[Upload]) -> Iterator[Upload]:
        for upload in uploads:
            self._event("upload")
            yield upload


@dataclass(kw_only=True)
class Stage:
    """Servers with a repository that is set up, and the people who label.

    Attributes:
        base: a context of the servers, undisturbed.
        people: acts in members' names.
        members: the ids of PEOPLE.
        folder: where pictures are put before they are added.
        pass_time: lets a second pass, where time has to be told to.
    """

    base: Context
    people: Annotators
    members: Sequence[int]
    folder: Path
    pass_time: Callable[[], None]

    @property
    def lake(self) -> Lake:
        """The lake, unwatched."""
        return self.base.lake

    @property
    def studio(self) -> Studio:
        """The studio, unwatched."""
        return self.base.studio

    def context(self, actor: str, event: Event | None = None) -> Context:
        """Somebody's context; with `event` called around each of its requests."""
        if event is None:
            return replace(self.base, actor=actor)
        return replace(
            self.base,
            actor=actor,
            lake=cast("Lake", Watched(self.base.lake, event)),
            studio=cast("Studio", Watched(self.base.studio, event)),
        )

    def picture(self, name: str, number: int) -> Path:
        """A file with a picture that no other number has."""
        path = self.folder / name
        color = (number % 256, number // 256 % 256, 90)
        data = BytesIO()
        Image.new("RGB", (8, 6), color).save(data, "PNG")
        path.write_bytes(data.getvalue())
        return path


def fake_stage(folder: Path) -> Stage:
    """Servers in memory, without pictures."""
    world = World(0)

    def gate(destination: str, metadata: Mapping[str, str]) -> str | None:
        """What the hook inside lakeFS holds: the merge was checked against the head it meets."""
        head = world.lake_server.repositories["dataset"].branches[destination].head
        expected = metadata.get("ops.expected_head", head)
        return None if destination != "main" or expected == head else "main has moved"

    world.lake_server.gate = gate
    return Stage(
        base=world.context,
        people=world.studio,
        members=tuple(world.studio.ensure_member(email) for email in PEOPLE),
        folder=folder,
        pass_time=lambda: world.clock.advance(1),
    )


def real_stage(servers: Connection, folder: Path) -> Stage:
    """A repository of its own on the real servers, without pictures."""
    repository = f"test-{uuid4().hex[:12]}"
    context = real_context(servers, repository)
    studio = context.studio
    assert isinstance(studio, LabelStudio)
    init_repository(
        context,
        label_config=write_label_config(LABELS, LabelKind.BOXES),
        namespace=f"local://{repository}",
    )
    people = StudioAnnotators(studio)
    return Stage(
        base=context,
        people=people,
        members=tuple(people.ensure_member(email) for email in PEOPLE),
        folder=folder,
        pass_time=lambda: None,
    )
