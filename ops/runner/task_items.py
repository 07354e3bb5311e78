"""What Label Studio is given for each task of a round: its picture, its data, what is carried.

Owns the items of an import. Does not import them, nor decide which tasks are missing (start.py).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from ops.core.canonical import decode_record
from ops.core.exports import KEY_FIELD, to_import
from ops.core.names import record_path
from ops.core.records import Json
from ops.core.rounds import Manifest
from ops.core.task_list import RoundTask
from ops.runner.context import Context, read_ontology


class TaskItems:
    """Makes the items of one round. The ontology, and the members if needed, are read once."""

    def __init__(self, context: Context, manifest: Manifest) -> None:
        """Nothing is read yet."""
        self._context = context
        self._manifest = manifest

    def of(self, entries: Sequence[RoundTask]) -> Sequence[Mapping[str, Json]]:
        """The items of tasks, in their order. One read a task whose annotations are carried.

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
            if path in carried:
                record = decode_record(carried[path], key=entry.task.key)
                items.append(to_import(record, data=data, members=self._members))
            else:
                items.append({"data": data})
        return items

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
