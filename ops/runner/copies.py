"""Tasks that came into Label Studio twice, by an import that a network delivered twice.

Owns telling such a copy from a task somebody has answered. Does not remove it (start.py).
"""

from collections.abc import Iterable, Mapping, Sequence

from ops.core.records import Json, TaskKey
from ops.ports import Studio, TaskRow

_SAID = ("import_id", "result", "was_cancelled", "ground_truth")


def find_copies(studio: Studio, project: int, rows: Iterable[TaskRow]) -> frozenset[int]:
    """Tasks that hold what an older one of their key was imported with, and nothing else.

    To remove them loses nothing. No request where each key is there once, else one a 250 tasks.

    Args:
        studio: Label Studio.
        project: the round's.
        rows: tasks that are answered.
    """
    ids: dict[TaskKey, list[int]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        if row.key is not None:
            ids.setdefault(row.key, []).append(row.id)
    repeated = [tasks for tasks in ids.values() if len(tasks) > 1]
    if not repeated:
        return frozenset()
    documents = studio.export(project, [task for tasks in repeated for task in tasks])
    said = {document["id"]: _imported_answers(document) for document in documents}
    return frozenset(
        other
        for first, *others in repeated
        for other in others
        if said.get(other) is not None and said.get(other) == said.get(first)
    )


def _imported_answers(document: Mapping[str, Json]) -> Sequence[Json] | None:
    """What a task's imported answers say; None where somebody gave one of their own."""
    answers = document.get("annotations")
    given = [one for one in answers if isinstance(one, dict)] if isinstance(answers, list) else []
    if any(one["import_id"] is None for one in given):
        return None
    said: list[Json] = [[one[name] for name in _SAID] for one in given]
    return sorted(said, key=repr)
