"""What an import put before a round's annotators, as the round's branch has it.

Owns reading it strictly. Does not import anything (import_labels.py), nor decide what became of it
(answers.py).
"""

from collections.abc import Mapping

from ops.core.import_list import decode_import, import_digest
from ops.core.names import import_path, round_branch
from ops.core.records import Record, TaskKey
from ops.core.rounds import Manifest
from ops.errors import InvalidDataError
from ops.ports import Lake


def read_import(lake: Lake, ref: str, manifest: Manifest) -> Mapping[TaskKey, Record]:
    """What an import put before a round's annotators, by key; nothing where none did. One request.

    Raises:
        InvalidDataError: it is missing, or not the one the manifest names.
    """
    if manifest.import_digest is None:
        return {}
    path = import_path(manifest.name)
    data = lake.read(ref, path)
    if data is not None and import_digest(data) == manifest.import_digest:
        return {record.task.key: record for record in decode_import(data, manifest.name)}
    raise InvalidDataError(
        "import-list",
        f"what round {manifest.name} imported is not what its manifest names",
        subject=path,
        where=(("path", path), ("ref", ref)),
        unchanged="nothing was written",
        hint=f"see who changed it in the history of branch {round_branch(manifest.name)}",
    )
