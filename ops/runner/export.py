"""`dataset export`: a commit as files for a trainer.

Owns the order: read the commit, write every file aside, refuse what is undecided or would be lost,
bring pictures, and give the directory its name when it is whole. What is in the files is
ops/core/exporting's business. Changes nothing in the repository.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from ops.core.exporting.coco import Coco
from ops.core.exporting.facts import Facts
from ops.core.exporting.files import Counted, ExportTask, Piece, Plan, Writer, export
from ops.core.exporting.label_studio import JsonMin, LabelStudio
from ops.core.exporting.rows import Csv, Jsonl
from ops.core.exporting.voc import Voc
from ops.core.exporting.words import Format, MediaMode, Policy
from ops.core.exporting.yolo import Yolo
from ops.core.names import media_path
from ops.core.pulls import Choice
from ops.core.records import Json, TaskKey
from ops.errors import NotFoundError
from ops.files import place, writing
from ops.runner.classes import read_classes
from ops.runner.context import Context, read_ontology
from ops.runner.dataset import resolve
from ops.runner.export_files import ExportFolder, new_export, refuse_in_the_way
from ops.runner.export_refusals import Unfit, refuse_unparted
from ops.runner.export_tasks import (
    Selected,
    list_images,
    read_sizes,
    read_tasks_of,
    said_in_snapshot,
)
from ops.runner.fetch import JOBS, fetch

_PICTURES = ".ops-pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How an export is asked for.

    Attributes:
        policy: whose answer counts where a task has several; None refuses such tasks.
        choice: which tasks; of a split its parts, too.
        allow_loss: what the format cannot hold may be left out.
        jobs: pictures under way at once.
    """

    format: Format
    media: MediaMode = MediaMode.URI
    policy: Policy | None = None
    choice: Choice = field(default_factory=Choice)
    allow_loss: bool = False
    jobs: int = JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export holds, or would hold.

    Attributes:
        facts: what `export.json` says of it.
        out: where it is.
        file_count, size_bytes: of it; 0 with a dry run.
    """

    facts: Facts
    out: Path
    file_count: int = 0
    size_bytes: int = 0

    def as_json(self) -> dict[str, Json]:
        """The export for programs."""
        return {
            **self.facts.as_mapping(),
            "out": str(self.out),
            "files": self.file_count,
            "size_bytes": self.size_bytes,
        }


def export_dataset(
    context: Context, ref: str, *, out: Path, order: Order, dry_run: bool = False
) -> Exported:
    """Write an export of a ref.

    One request a 1 000 images and records, ten more, those of the choice, and one a picture that is
    copied. Repeatable: the same commit gives the same bytes, and an earlier export in `out` is
    replaced in one step.

    Raises:
        NotFoundError: there is no such ref, split or label config, or no task is asked for.
        UsageError: the expression, or what is asked of the format, is wrong.
        RefusedError: `out` holds something else; a task has several answers and no policy; the
            format cannot hold what is there; a picture's size is not known; a task has no part.
        InvalidDataError: a record cannot be read; two tasks would have one file.
        PartialError: pictures could not be had; nothing is left of the export.
        ConfigurationError: `out` cannot be written, or the format needs what is not installed.
    """
    out = out.expanduser().absolute()
    if not dry_run:
        refuse_in_the_way(out)
    work = _Export(context, ref, order)
    if dry_run:
        deque(work.pieces(read=_no_pictures), maxlen=0)
        work.refuse()
        return Exported(facts=work.facts(), out=out)
    with writing(out), new_export(out, name=context.new_id()[:12]) as folder:
        folder.write(work.pieces(read=work.read_pictures))
        work.refuse()
        work.bring_pictures(folder)
        files = list(folder.files())
        facts = work.facts()
        folder.finish(facts.encode(files))
    return Exported(
        facts=facts,
        out=out,
        file_count=len(files) + 1,
        size_bytes=sum(one.size_bytes for one in files),
    )


class _Export:
    """One export of one commit."""

    def __init__(self, context: Context, ref: str, order: Order) -> None:
        """Read what is needed before the first task."""
        self._context, self._order, self._ref = context, order, ref
        self._commit = resolve(context, ref)
        self._images = list_images(context, self._commit)
        self._counted = Counted()
        self._unfit = Unfit()
        # Where each exported task's picture belongs.
        self._places: dict[TaskKey, str] = {}
        self._gone: list[TaskKey] = []
        self._replaced: list[TaskKey] = []
        self._parts = self._read_parts()
        self._keys = self._chosen()
        config, ontology = read_ontology(context.lake, self._commit)
        classes = read_classes(context, self._commit)
        self._plan = Plan(
            repository=context.lake.repository,
            commit=self._commit,
            classes=classes.extended(ontology, said_in_snapshot(context, self._commit)),
            ontology=ontology,
            frozen_count=len(classes.listed),
            label_config=config,
            parts=self._part_names(),
            media=order.media,
        )
        self._writer: Writer | None = None

    def _read_parts(self) -> Mapping[TaskKey, str] | None:
        name = self._order.choice.split
        if name is None:
            return None
        from ops.runner.splits import read_split

        return read_split(self._context, self._commit, name)

    def _part_names(self) -> tuple[str, ...]:
        part = self._order.choice.part
        if part is not None:
            return (part,)
        return tuple(sorted(set(self._parts.values()))) if self._parts is not None else ()

    def _chosen(self) -> frozenset[TaskKey] | None:
        """The tasks that are asked for; None for all.

        Raises:
            NotFoundError: there are none.
            UsageError: the expression is wrong.
        """
        choice, keys = self._order.choice, None
        if choice.where is not None:
            from ops.runner.tables import open_tables

            listed = list(self._images.values())
            with open_tables(self._context, self._commit, images=listed) as tables:
                keys = frozenset(tables.keys_where(choice.where))
        if choice.part is not None and self._parts is not None:
            of_part = frozenset(k for k, part in self._parts.items() if part == choice.part)
            keys = of_part if keys is None else keys & of_part
        if keys is not None and not keys:
            raise NotFoundError(
                "nothing-to-export",
                "no task of that commit is asked for",
                subject=self._commit,
                unchanged="nothing was written",
                hint="see what it holds: ops dataset query, or ops data list --ref REF",
            )
        return keys

    def pieces(self, *, read: Callable[[Sequence[TaskKey]], Iterable[bytes]]) -> Iterator[Piece]:
        """The pieces of every file but `export.json`."""
        self._writer = _writer(self._order.format, self._plan, read)
        return export(self._tasks(self._writer), self._plan, self._writer)

    def _tasks(self, writer: Writer) -> Iterator[ExportTask]:
        """Every task, counted and looked at on its way to the writer."""
        selected = Selected(
            images=self._images,
            policy=self._order.policy,
            keys=self._keys,
            parts=self._parts,
            sizes=read_sizes(self._context, self._commit) if writer.needs_sizes else _unknown,
        )
        for task in read_tasks_of(self._context, self._commit, selected):
            self._counted.add(task)
            if task.chosen.exported_as is not None:
                self._unfit.look(task, writer, is_parted=self._parts is not None)
                self._keep_place(task, writer)
                if self._unfit.unparted:
                    # It will be refused, and no file has a place for this task.
                    continue
            yield task

    def _keep_place(self, task: ExportTask, writer: Writer) -> None:
        if not task.has_picture:
            self._gone.append(task.key)
            return
        if self._images[task.key].checksum != task.record.task.media.checksum:
            self._replaced.append(task.key)
        if self._plan.pictures_are_files and self._order.format is not Format.HF:
            self._places[task.key] = writer.picture_path(task) or ""

    def refuse(self) -> None:
        """Refuse an export that would say what nobody decided, or leave out what was said.

        Raises:
            RefusedError: it would.
        """
        assert self._writer is not None, "pieces come first"  # noqa: S101
        refuse_unparted(self._unfit, self._order.choice.split)
        self._unfit.refuse(
            self._counted,
            self._writer.losses,
            self._order.policy,
            allow_loss=self._order.allow_loss,
        )

    def read_pictures(self, keys: Sequence[TaskKey]) -> Iterator[bytes]:
        """Pictures for a format that has them in its files."""
        paths = [media_path(key) for key in keys]
        return (data for _, data in self._context.lake.read_many(self._commit, paths))

    def bring_pictures(self, folder: ExportFolder) -> None:
        """Copy pictures, or link to them, where the format has its files.

        Raises:
            PartialError: some could not be had.
        """
        if not self._places:
            return
        folder.check_names(self._places.values())
        objects = [self._images[key] for key in self._places]
        aside = folder.directory / _PICTURES
        is_link = self._order.media is MediaMode.LINK
        fetch(
            self._context,
            self._commit,
            objects,
            into=aside,
            jobs=self._order.jobs,
            link=is_link,
        )
        for key, path in self._places.items():
            place(aside / media_path(key), folder.directory / path)
        rmtree(aside)

    def facts(self) -> Facts:
        """What the export says of itself."""
        assert self._writer is not None, "pieces come first"  # noqa: S101
        choice = self._order.choice
        return Facts(
            plan=self._plan,
            ref=self._ref,
            tool_version=self._context.tool_version,
            format=self._order.format,
            policy=self._order.policy,
            counted=self._counted,
            losses=self._writer.losses,
            where=choice.where,
            split=choice.split,
            gone=self._gone,
            replaced=self._replaced,
        )


def _unknown(_: TaskKey) -> None:
    return None


def _no_pictures(keys: Sequence[TaskKey]) -> Iterable[bytes]:
    return (b"" for _ in keys)


_WRITERS: Mapping[Format, Callable[[Plan], Writer]] = {
    Format.COCO: Coco,
    Format.YOLO: Yolo,
    Format.VOC: Voc,
    Format.CSV: Csv,
    Format.JSONL: Jsonl,
    Format.JSON_MIN: JsonMin,
    Format.LABEL_STUDIO: LabelStudio,
}


def _writer(
    name: Format, plan: Plan, read: Callable[[Sequence[TaskKey]], Iterable[bytes]]
) -> Writer:
    """The writer of a format.

    Raises:
        ConfigurationError: it needs what is not installed.
        UsageError: the format cannot be what is asked for.
    """
    if name is Format.HF:
        from ops.hugging_face import HuggingFace

        return HuggingFace(plan, read=read)
    if name is Format.PARQUET:
        from ops.runner.export_tables import Tables

        return Tables(plan)
    return _WRITERS[name](plan)
