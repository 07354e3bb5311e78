"""What an import would bring: label files read, matched with pictures, and checked.

Owns every check that comes before anything is written, and what of the files is new. Writes nothing
(import_labels.py does).
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ops.core.canonical import content
from ops.core.exports import KEY_FIELD, UNKNOWN_USER
from ops.core.importing.building import Builder, Origins
from ops.core.importing.controls import as_boxes, check_types, choose_controls
from ops.core.importing.neutral import Answer, Reading, Remark
from ops.core.ontology import Ontology
from ops.core.records import Annotation, CommitId, Json, TaskKey
from ops.errors import ConflictError, InvalidDataError, RefusedError
from ops.label_files import Given, read_labels
from ops.runner.context import Context, read_ontology, sample_of
from ops.runner.import_pictures import Meant, Shelf, check_sizes
from ops.runner.imported import said_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an import was asked to do.

    Attributes:
        given: the label files.
        round: the round that is to review them.
        images: the folder of their pictures; None: the label files' own folder, where it is one.
        prefix: put before the keys of pictures that main lacks.
        annotator: who made annotations whose file does not say; None: whoever runs the import.
        source: the name identities are made of; None: the file's or folder's own.
        control: the control of the label config to take.
        boxes: take the box around outlines and masks.
        clip: cut marks at their picture's edge.
        trust_file_size: where sizes differ, take numbers as parts of the size the file states.
        replace: let changed answers take the place of those that were imported before.
        allow_missing: leave out answers about pictures that are nowhere.
    """

    given: Given
    round: str
    images: Path | None = None
    prefix: str = ""
    annotator: str | None = None
    source: str | None = None
    control: str | None = None
    boxes: bool = False
    clip: bool = False
    trust_file_size: bool = False
    replace: bool = False
    allow_missing: bool = False

    @property
    def pictures(self) -> Path | None:
        """The folder of the pictures that come with the import, or None."""
        is_folder = self.given.path.is_dir()
        return self.images or (self.given.path if is_folder else None)


@dataclass(kw_only=True)
class Draft:
    """What an import would bring.

    Attributes:
        meant: the pictures, and what is said of each.
        records: the annotations that are new, by task.
        data: more of each task.
        there: pictures all of whose answers were imported before, or are on main.
        losses: what no record holds; notes: what is kept though it is odd.
    """

    meant: Meant
    records: dict[TaskKey, tuple[Annotation, ...]] = field(
        default_factory=dict[TaskKey, tuple[Annotation, ...]]
    )
    data: dict[TaskKey, dict[str, Json]] = field(default_factory=dict[TaskKey, dict[str, Json]])
    there: list[TaskKey] = field(default_factory=list[TaskKey])
    losses: list[Remark] = field(default_factory=list[Remark])
    notes: list[Remark] = field(default_factory=list[Remark])


def draft_import(context: Context, asked: Asked, *, head: CommitId, base: CommitId) -> Draft:
    """Read and check an import.

    Args:
        context: the servers.
        asked: what is to be imported, and how.
        head: main's, whose pictures count.
        base: the commit the round stands on, or will.

    Raises:
        UsageError, NotFoundError, InvalidDataError, RefusedError, ConflictError: as import_labels.
    """
    _, ontology = read_ontology(context.lake, base)
    reading = read_labels(asked.given, ontology)
    losses = list(reading.losses)
    if asked.boxes:
        reading = replace(reading, answers=tuple(as_boxes(reading.answers, losses)))
    shelf = Shelf(context, head, folder=asked.pictures, prefix=asked.prefix)
    meant = shelf.place(reading)
    _refuse_unmatched(asked, shelf, meant)
    draft = Draft(meant=meant, losses=losses, notes=list(reading.notes))
    built = _Drafting(context, asked, ontology, draft).build(shelf, reading)
    _refuse_labels(built, ontology)
    _keep_new(context, asked, draft, built, base=base)
    return draft


def _refuse_unmatched(asked: Asked, shelf: Shelf, meant: Meant) -> None:
    """Labels for pictures that are nowhere are never dropped without being named.

    Raises:
        RefusedError: there are some, and they are not to be left out, or all are.
    """
    unmatched = meant.unmatched
    is_nothing = not meant.answers and not meant.unanswered
    if not unmatched or (asked.allow_missing and not is_nothing):
        return
    shown = [f"{name}: {said}" for name, said in sorted(unmatched.items())]
    have = sorted([*shelf.there, *meant.new])[:3]
    of = len(unmatched) + len(meant.answers) + len(meant.unanswered)
    raise RefusedError(
        "other-pictures",
        f"{len(unmatched)} of {of} pictures the label files speak of are nowhere",
        subject=next(iter(unmatched)),
        where=(
            ("pictures", sample_of(shown)),
            ("there", sample_of(have) or "no picture at all"),
        ),
        unchanged="nothing was written",
        hint="name the folder that holds them: --images DIR"
        + ("" if is_nothing else "\nor leave what is said of them out: --allow-missing"),
    )


class _Drafting:
    """Annotations being made of answers."""

    def __init__(self, context: Context, asked: Asked, ontology: Ontology, draft: Draft) -> None:
        self._context = context
        self._asked = asked
        self._ontology = ontology
        self._draft = draft

    def build(self, shelf: Shelf, reading: Reading) -> Mapping[TaskKey, Sequence[Annotation]]:
        """The annotations of every answer, by picture.

        Raises:
            InvalidDataError, RefusedError, UsageError: as import_labels.
        """
        builder = self._builder(reading)
        built: dict[TaskKey, list[Annotation]] = {}
        for key, answer, size in self._sized(shelf):
            built.setdefault(key, []).append(builder.build(self._named(answer), key, size))
            own = {KEY_FIELD, self._ontology.media_field}
            data = {name: value for name, value in answer.data.items() if name not in own}
            self._draft.data.setdefault(key, {}).update(data)
        self._draft.losses += builder.losses
        self._draft.notes += builder.notes
        if builder.outside:
            _refuse_outside(builder.outside)
        check_types((one for found in built.values() for one in found), self._ontology)
        return built

    def _builder(self, reading: Reading) -> Builder:
        asked, ontology = self._asked, self._ontology
        return Builder(
            origins=Origins(
                format=asked.given.format.value,
                source=asked.source or asked.given.path.resolve().name,
                annotator=asked.annotator or self._context.actor,
                round=asked.round,
                now=self._context.timestamp(),
            ),
            ontology=ontology,
            controls=choose_controls(reading.answers, ontology, name=asked.control),
            clip=asked.clip,
        )

    def _named(self, answer: Answer) -> Answer:
        """The answer with whom `--annotator` names, where its file has a number for a name."""
        is_unknown = (answer.annotator or "").startswith(UNKNOWN_USER)
        return replace(answer, annotator=None) if is_unknown and self._asked.annotator else answer

    def _sized(self, shelf: Shelf) -> Iterator[tuple[TaskKey, Answer, tuple[int, int]]]:
        """Each answer with the size its numbers are taken of."""
        meant = self._draft.meant
        marked = [key for key, found in meant.answers.items() if any(map(_is_placed, found))]
        frames = dict(shelf.frames(meant, sorted({*marked, *meant.new})))
        every = [(key, answer) for key, found in meant.answers.items() for answer in found]
        placed = [(key, one, frames[key]) for key, one in every if _is_placed(one)]
        sizes: dict[int, tuple[int, int]] = {}
        for answer, size, remark in check_sizes(placed, trust_file=self._asked.trust_file_size):
            sizes[id(answer)] = size
            self._draft.notes += [remark] if remark else []
        yield from ((key, one, sizes.get(id(one), (0, 0))) for key, one in every)


def _is_placed(answer: Answer) -> bool:
    """Whether an answer says where in its picture something is."""
    return any(mark.numbers or mark.mask for mark in answer.marks)


def _refuse_outside(places: Sequence[str]) -> None:
    raise InvalidDataError(
        "beyond-picture",
        f"{len(places)} marks lie beyond the edge of their picture",
        subject=places[0],
        where=(("marks", sample_of(places)),),
        unchanged="nothing was written",
        hint="see whether the labels are of these pictures; to cut the marks at the edge: --clip",
    )


def _refuse_labels(built: Mapping[TaskKey, Sequence[Annotation]], ontology: Ontology) -> None:
    unknown = {
        (one.control, one.label)
        for found in built.values()
        for annotation in found
        for one in ontology.unknown_labels(annotation)
    }
    if not unknown:
        return
    controls = sorted({control for control, label in unknown if label is None})
    if controls:
        raise RefusedError(
            "controls-missing",
            f"main's label config has no control {', '.join(controls)}",
            subject=controls[0],
            where=(("controls", ", ".join(one.name for one in ontology.controls)),),
            unchanged="nothing was written",
            hint="import under the label config the labels were made with: "
            "ops init --label-config FILE",
        )
    by_control: dict[str, list[str]] = {}
    for control, label in sorted((c, label or "") for c, label in unknown):
        by_control.setdefault(control, []).append(label)
    raise RefusedError(
        "labels-missing",
        f"main's label config lacks {len(unknown)} of the labels",
        subject=next(iter(by_control.values()))[0],
        where=tuple((f"of {name}", ", ".join(said)) for name, said in by_control.items()),
        unchanged="nothing was written",
        hint="\n".join(
            shlex.join(["ops", "ontology", "add", *said, "--control", name])
            for name, said in by_control.items()
        ),
    )


def _keep_new(
    context: Context,
    asked: Asked,
    draft: Draft,
    built: Mapping[TaskKey, Sequence[Annotation]],
    *,
    base: CommitId,
) -> None:
    """Leave out what was imported before, or is on main as it is here.

    Raises:
        ConflictError: it is there, says something else, and is not to be replaced.
    """
    before = said_before(context, base, built.keys(), but=asked.round)
    changed: list[str] = []
    for key, found in built.items():
        kept: list[Annotation] = []
        for one in found:
            known = before.get((key, one.unique_id))
            if known is not None and content(one) in known.contents:
                continue
            if known is not None and not asked.replace:
                changed.append(f"{key}: by {one.annotator}")
            kept.append(replace(one, created_at=known.created_at) if known else one)
        if kept:
            draft.records[key] = tuple(kept)
        else:
            draft.there.append(key)
    if changed:
        raise ConflictError(
            "import-changed",
            f"{len(changed)} answers say something else than those imported before",
            subject=changed[0].partition(":")[0],
            where=(("answers", sample_of(changed)),),
            unchanged="nothing was written",
            hint="let them take the place of those: --replace\n"
            "or, if these are others, import them under a name of their own: --source NAME",
        )
