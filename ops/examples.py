"""What a model learns from: answered tasks with their pictures, one by one, in any process.

Owns the choice of tasks (only answered ones; of several answers what a policy says, never a guess)
and the reading of a picture, checked. Knows no framework: ops/torch_data.py does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ops import crew
from ops.access import Access, Door
from ops.cache import MediaCache
from ops.core.classes import resolved
from ops.core.exporting.marks import Mark, read_result
from ops.core.exporting.policy import Chosen
from ops.core.exporting.words import Policy
from ops.core.fingerprint import Expected, Fingerprint
from ops.core.names import media_path
from ops.core.ontology import Ontology
from ops.core.records import Annotation, CommitId, Json, TaskKey, TaskState
from ops.errors import InvalidDataError, NotFoundError, RefusedError
from ops.ports import MediaReader, StoredObject
from ops.runner.context import Context, sample_of
from ops.runner.export_tasks import Selected, list_images, read_tasks_of
from ops.runner.fetch import expected_of
from ops.runner.gateway import open_gateway

WORKERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A task and the answer that counts, without the picture.

    Attributes:
        expected: what its picture's bytes must be.
        annotators: whose answer it is; several where a vote made it.
        is_empty: the answer is that there is nothing.
        result: the answer's regions and choices, as Label Studio words them.
    """

    key: TaskKey
    expected: Expected
    annotators: tuple[str, ...]
    is_empty: bool
    result: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassIds:
    """The ids of a commit's classes.

    Attributes:
        ontology: what its label config means.
        ids: of each class, by control and name.
    """

    ontology: Ontology
    ids: Mapping[tuple[str, str], int]

    def find(self, control: str, name: str) -> int | None:
        """The id of what a region says, or None where it has none."""
        return self.ids.get(resolved(self.ontology, control, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture with the answer that counts.

    Attributes:
        data: the picture's bytes as they are stored, held against their digest.
        classes: the id of each class.
    """

    answered: Answered
    data: bytes = field(repr=False)
    classes: ClassIds = field(repr=False)

    @property
    def key(self) -> TaskKey:
        """The task."""
        return self.answered.key

    @property
    def result(self) -> tuple[Mapping[str, Json], ...]:
        """The answer's regions and choices, as Label Studio words them."""
        return self.answered.result

    @property
    def marks(self) -> Sequence[Mark]:
        """The regions that lie somewhere on the picture."""
        return read_result(self.result).marks

    @property
    def choice_ids(self) -> Mapping[str, Sequence[int]]:
        """The class ids of what the answer says of the whole picture, by control.

        Raises:
            InvalidDataError: it says what is no class.
        """
        return {
            one.control: [self._class_id((one.control, name)) for name in one.labels]
            for one in read_result(self.result).answers
            if one.is_choice
        }

    @property
    def names(self) -> Sequence[str]:
        """What the answer says of the whole picture: the choices, in its order."""
        return [name for one in read_result(self.result).answers for name in one.labels]

    def boxes(self, size: tuple[int, int]) -> Sequence[tuple[tuple[float, ...], int]]:
        """Each region's upright rectangle and class, once for each label it has.

        Args:
            size: width and height of the picture as people see it, in pixels.

        Returns:
            `((left, top, right, bottom), class id)` in pixels.

        Raises:
            InvalidDataError: a region says what is no class.
        """
        return [
            (mark.box(size), self._class_id(label)) for mark in self.marks for label in mark.labels
        ]

    def _class_id(self, said: tuple[str, str]) -> int:
        found = self.classes.find(*said)
        if found is None:
            raise InvalidDataError(
                "label-without-class",
                f"{self.key} says {said[1]!r} of {said[0]!r}, which has no class id in its version",
                subject=self.key,
                unchanged="nothing was left out",
                hint="see what the version's label config offers: ops ontology show",
            )
        return found


class Examples(Sequence[Example]):
    """Answered tasks by number. Can be pickled; each process opens connections of its own."""

    def __init__(
        self,
        access: Access,
        commit: CommitId,
        answered: Sequence[Answered],
        classes: ClassIds,
    ) -> None:
        """Read nothing yet."""
        self.commit = commit
        self.answered = answered
        self.classes = classes
        self._door = Door(access.context)
        self._reader: tuple[Context, MediaReader] | None = None

    def __len__(self) -> int:
        return len(self.answered)

    def __getitem__(self, index: int) -> Example:  # pyright: ignore[reportIncompatibleMethodOverride] - no slices
        answered = self.answered[index]
        context = self._door.context
        if self._reader is None or self._reader[0] is not context:
            self._reader = (context, open_gateway(context))
        data = read_picture(context, self._reader[1], self.commit, answered.expected)
        return Example(answered=answered, data=data, classes=self.classes)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_reader": None}


def find_answered(
    context: Context,
    commit: CommitId,
    *,
    policy: Policy | None,
    keys: frozenset[TaskKey] | None = None,
) -> Sequence[Answered]:
    """The answered tasks of a commit, by key; with the policy all, one an answer.

    Three requests, one a 1 000 pictures and records, and one a record its snapshot does not hold.

    Raises:
        RefusedError: tasks have several answers and the policy does not say which counts.
        NotFoundError: a picture that was labeled is not there any more.
    """
    images = list_images(context, commit)
    found: list[Answered] = []
    undecided: list[TaskKey] = []
    gone: list[TaskKey] = []
    selected = Selected(images=images, policy=policy, keys=keys)
    for task in read_tasks_of(context, commit, selected):
        if task.chosen.is_undecided:
            undecided.append(task.key)
        elif task.chosen.exported_as is not None and task.key not in images:
            gone.append(task.key)
        elif task.chosen.exported_as is not None:
            found += _answers(task.key, images[task.key], task.chosen)
    if undecided:
        _refuse_undecided(undecided)
    if gone:
        _refuse_gone(gone)
    return found


def _answers(key: TaskKey, image: StoredObject, chosen: Chosen) -> Iterator[Answered]:
    for answer in chosen.answers or (None,):
        yield Answered(
            key=key,
            expected=expected_of(image),
            annotators=() if answer is None else _people(answer),
            is_empty=chosen.exported_as is TaskState.EMPTY,
            result=() if answer is None else answer.result,
        )


def _people(answer: Annotation) -> tuple[str, ...]:
    return (answer.annotator,)


def _refuse_undecided(keys: Sequence[TaskKey]) -> NoReturn:
    raise RefusedError(
        "several-answers",
        f"{len(keys)} tasks have more than one answer, and nothing says which counts",
        subject=keys[0],
        where=(("tasks", sample_of(keys)),),
        unchanged="nothing was written",
        hint=f"say whose answer counts: policy=, one of {', '.join(Policy)}",
        details={"tasks": list(keys)},
    )


def _refuse_gone(keys: Sequence[TaskKey]) -> NoReturn:
    raise NotFoundError(
        "picture-gone",
        f"{len(keys)} labeled pictures are not in that commit any more",
        subject=keys[0],
        where=(("pictures", sample_of(keys)),),
        unchanged="nothing was written",
        hint='leave them out: where="has_image", or put them back: ops data add',
    )


def read_picture(
    context: Context, reader: MediaReader, commit: CommitId, wanted: Expected
) -> bytes:
    """A picture's bytes, from the cache where it holds them. One request or none.

    Raises:
        InvalidDataError: what the server gives is not what was stored.
        NotFoundError: it is not there.
        UnavailableError: lakeFS does not answer.
    """
    cache = MediaCache(context.cache_dir) if context.cache_dir is not None else None
    if cache is not None and (kept := cache.read(wanted)) is not None:
        return kept
    [(_, data)] = reader.read_many(commit, [wanted.path], workers=1)
    fingerprint = Fingerprint(wanted)
    fingerprint.add(data)
    if fingerprint.problem is not None:
        raise InvalidDataError(
            "media-differs",
            f"what the server gives for {wanted.path} {fingerprint.problem}",
            subject=wanted.path,
            unchanged="nothing was written",
            hint="see what changed it: ops dataset verify",
        )
    if cache is not None:
        cache.keep(wanted, data)
    return data


def read_pictures(
    context: Context, commit: CommitId, wanted: Sequence[Expected], *, workers: int = WORKERS
) -> Iterator[tuple[TaskKey, bytes]]:
    """Pictures' bytes by key, in the order asked for, many at once; flat memory.

    Raises:
        OpsError: as read_picture.
    """
    reader = open_gateway(context)
    start = len(media_path(TaskKey("")))

    def read(one: Expected, _: object) -> bytes:
        return read_picture(context, reader, commit, one)

    for one, data in crew.in_order(read, wanted, workers=workers):
        yield TaskKey(one.path[start:]), data
