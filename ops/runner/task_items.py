"""What Label Studio is given for each task of a round: its picture, its data, what is carried.

Owns the items of an import. Does not import them, nor decide which tasks are missing (start.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from ops.core.canonical import decode_record
from ops.core.exports import KEY_FIELD, to_import
from ops.core.names import record_path, round_branch
from ops.core.records import Json, Record, TaskKey
from ops.core.rounds import Manifest
from ops.core.task_list import RoundTask
from ops.runner.attach import Attachment
from ops.runner.context import Context, read_ontology
from ops.runner.imported import read_import


class TaskItems:
    """Makes the items of one round. The ontology, and the members if needed, are read once."""

    def __init__(self, context: Context, manifest: Manifest) -> None:
        """Nothing is read yet."""
        self._context = context
        self._manifest = manifest
        self._attachment = Attachment(context, manifest.predictions)

    def of(self, entries: Sequence[RoundTask]) -> Sequence[Mapping[str, Json]]:
        """The items of tasks, in their order.

        One read a task whose annotations are carried, one where the round reviews an import, and
        two a model version whose predictions come with them.

        Raises:
            NotFoundError: the base holds no label config, or lacks a record.
            InvalidDataError: the label config or a record cannot be read.
        """
        paths = [record_path(entry.task.key) for entry in entries if entry.carried]
        carried = dict(self._context.lake.read_many(self._manifest.base, paths))
        items: list[Mapping[str, Json]] = []
        for entry in entries:
            data: dict[str, Json] = {
                **entry.task.data,
                self._media_field: self.uri(entry),
                KEY_FIELD: entry.task.key,
            }
            path = record_path(entry.task.key)
            record = decode_record(carried[path], key=entry.task.key) if path in carried else None
            if entry.imported:
                record = _beside(record, self._imported[entry.task.key])
            item: dict[str, Json] = {"data": data}
            if record is not None:
                item = to_import(record, data=data, members=self._members)
            if said := self._attachment.items(entry.task.key):
                item["predictions"] = said
            items.append(item)
        return items

    @cached_property
    def _imported(self) -> Mapping[TaskKey, Record]:
        """What the round's import brought."""
        branch = round_branch(self._manifest.name)
        return read_import(self._context.lake, branch, self._manifest)

    def uri(self, entry: RoundTask) -> str:
        """The picture of the base commit, whatever becomes of the branch."""
        return f"s3://{self._context.lake.repository}/{self._manifest.base}/{entry.task.media.path}"

    @cached_property
    def _media_field(self) -> str:
        _, ontology = read_ontology(self._context.lake, self._manifest.base)
        return ontology.media_field

    @cached_property
    def _members(self) -> Mapping[int, str]:
        return self._context.studio.members()


def _beside(record: Record | None, imported: Record) -> Record:
    """A record with what was imported beside its annotations, or in their place."""
    if record is None:
        return imported
    ids = {one.unique_id for one in imported.annotations}
    kept = tuple(one for one in record.annotations if one.unique_id not in ids)
    return replace(record, annotations=(*kept, *imported.annotations))
