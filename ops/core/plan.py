"""What is still to be done: pure functions from an observation to steps.

A verb observes the servers, plans, applies the first step and observes again; so `--dry-run`, going
on after a crash and "already done" are one mechanism. Owns which steps there are and in which
order. Does not apply them (ops/runner).
"""

from dataclasses import dataclass
from enum import StrEnum

from ops.core.records import Json
from ops.core.rounds import Manifest, RoundState


class StartStep(StrEnum):
    """The steps of starting a round, in their order."""

    BRANCH = "create-branch"
    RESERVE = "reserve-manifest"
    PROJECT = "create-project"
    MEDIA = "connect-media"
    IMPORT = "import-tasks"
    DEDUPLICATE = "remove-duplicate-tasks"
    PREDICT = "attach-predictions"
    CHECK = "check-a-picture-loads"
    OPEN = "open-round"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do: which, and in words."""

    kind: StartStep
    text: str

    def as_json(self) -> Json:
        """The step as the envelope shows it."""
        return {"step": self.kind.value, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class StartObservation:
    """What the servers say of a round that is to be started.

    Attributes:
        name: the round's.
        has_branch: its branch exists.
        manifest: what its branch says of it, or None.
        task_count: tasks it takes, by the manifest or, before there is one, by the selection.
        project: Label Studio's project that bears its marker, or None.
        missing_count: tasks of the round that the project lacks; all of them where there is no
            project.
        duplicate_count: tasks the project holds more than once, without an annotation.
        unpredicted_count: predictions its tasks there lack.
        media_connected, picture_shown: this run, or an earlier one that got to the end, saw to it.
    """

    name: str
    has_branch: bool
    manifest: Manifest | None
    task_count: int
    project: int | None
    missing_count: int
    duplicate_count: int = 0
    unpredicted_count: int = 0
    media_connected: bool = False
    picture_shown: bool = False


def plan_start(seen: StartObservation) -> tuple[Step, ...]:
    """The steps that are left, in order; none where the round is open and whole."""
    steps: list[Step] = []

    def add(kind: StartStep, text: str) -> None:
        steps.append(Step(kind=kind, text=text))

    starting = seen.manifest is None or seen.manifest.state is RoundState.STARTING
    if not seen.has_branch:
        add(StartStep.BRANCH, f"create branch round-{seen.name} at main's head")
    if seen.manifest is None:
        add(StartStep.RESERVE, f"reserve rounds/{seen.name}.json with {seen.task_count} tasks")
    if seen.project is None:
        add(StartStep.PROJECT, f"create Label Studio project {seen.name!r}")
    if not seen.media_connected:
        add(StartStep.MEDIA, "let Label Studio show the pictures of the base commit")
    for kind, count, text in (
        (StartStep.IMPORT, seen.missing_count, "import {} tasks"),
        (StartStep.DEDUPLICATE, seen.duplicate_count, "remove {} tasks imported wrongly"),
        (StartStep.PREDICT, seen.unpredicted_count, "attach {} predictions that are missing"),
    ):
        if count:
            add(kind, text.format(count))
    if not seen.picture_shown:
        add(StartStep.CHECK, "check that a picture loads in Label Studio")
    named = seen.manifest.project if seen.manifest else None
    if starting or seen.project is None or named != seen.project:
        add(StartStep.OPEN, "commit the manifest: the round is open")
    return tuple(steps)
