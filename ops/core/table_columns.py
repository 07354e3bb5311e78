"""The tables that a commit has for SQL: their columns, and the views over them.

Owns names and order, and which column of a joined table may stand among a task's own. Knows
no engine: the views are SQL as text.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from ops.core.snapshot import RegionColumns

_TASKS = {
    "key": "coalesce(i.key, r.key)",
    "media_path": "coalesce(r.media_path, 'images/' || i.key)",
    "media_checksum": "coalesce(r.media_checksum, i.checksum)",
    "media_sha256": "coalesce(r.media_sha256, i.sha256)",
    "width": "coalesce(r.width, i.width)",
    "height": "coalesce(r.height, i.height)",
    "size_bytes": "coalesce(r.size_bytes, i.size_bytes)",
    "state": "coalesce(r.state, 'unfinished')",
    "annotators": "coalesce(r.annotators, []::VARCHAR[])",
    "annotation_count": "coalesce(r.annotation_count, 0)",
    "region_count": "coalesce(r.region_count, 0)",
    "labels": "coalesce(r.labels, []::VARCHAR[])",
    "has_image": "i.key IS NOT NULL",
}
TASK_COLUMNS = tuple(_TASKS)
_IN_LABELS = {"width": "image_width", "height": "image_height", "labels": "task_labels"}
"""What a task's column is called beside a region's column of the same name."""
TASK_COLUMNS_IN_LABELS = tuple(_IN_LABELS.get(name, name) for name in TASK_COLUMNS)
ANNOTATION_COLUMNS = tuple(name for name in RegionColumns.__annotations__ if name != "key")
LABEL_COLUMNS = (*TASK_COLUMNS_IN_LABELS, *ANNOTATION_COLUMNS)
_TAKEN = frozenset({*TASK_COLUMNS, *LABEL_COLUMNS})


def joined_columns(tables: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The columns of each joined table that stand under their own names among a task's.

    Not those that are called like a column of tasks or labels, nor those of two tables: they are
    found in the joined table alone. SQL does not tell upper from lower case.
    """
    uses = Counter(name.lower() for names in tables.values() for name in names)
    return {
        table: [name for name in names if name.lower() not in _TAKEN and uses[name.lower()] == 1]
        for table, names in tables.items()
    }


def tasks_view(joined: Mapping[str, Sequence[str]]) -> str:
    """SQL that gives every image and every record of a commit, once.

    Args:
        joined: the columns to take from each joined table, by its name in SQL.
    """
    columns = [f"{made} AS {name}" for name, made in _TASKS.items()]
    columns += [f"{_name(table)}.{_name(one)}" for table, names in joined.items() for one in names]
    joins = "".join(
        f" LEFT JOIN {_name(table)} ON {_name(table)}.key = coalesce(i.key, r.key)"
        for table in joined
    )
    source = f"FROM _images i FULL JOIN _records r ON i.key = r.key{joins}"
    return f"{source} SELECT {', '.join(columns)}"


def labels_view(joined: Mapping[str, Sequence[str]], regions: Sequence[str]) -> str:
    """SQL that gives a row a region, and one for each task without any.

    Args:
        joined: as for tasks_view.
        regions: the columns to take of annotations; with none of them it is a row a task.
    """
    columns = [f"t.{name} AS {_IN_LABELS.get(name, name)}" for name in TASK_COLUMNS]
    columns += [f"t.{_name(one)}" for names in joined.values() for one in names]
    columns += [f"a.{name}" for name in regions]
    join = " LEFT JOIN annotations a ON a.key = t.key" if regions else ""
    return f"FROM tasks t{join} SELECT {', '.join(columns)}"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
