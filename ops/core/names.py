"""Names that code builds, each with its inverse.

Owns the layout of a repository in lakeFS (docs/reference/layout.md). Does not check that anything
of the name exists.
"""

import re

from ops.core.records import TaskKey
from ops.errors import UsageError

MEDIA_PREFIX = "images/"
RECORD_PREFIX = "annotations/"
RECORD_SUFFIX = ".json"
LABEL_CONFIG_PATH = "ontology/label_config.xml"
MANIFEST_PREFIX = "rounds/"
INDEX_SUFFIX = ".index.jsonl"
TASKS_SUFFIX = ".tasks.jsonl"
ANNOTATIONS_PARQUET = "snapshot/annotations.parquet"
TASKS_PARQUET = "snapshot/tasks.parquet"
CLASSES_PATH = "snapshot/classes.json"
CARD_PATH = "README.md"
CARD_JSON_PATH = "card.json"
GATES_PREFIX = "_gates/"
GATES_PATH = "_gates/gates.toml"
COMPILED_GATES_PATH = "_gates/gates.json"
GATE_SCRIPT_PATH = "_gates/gate.lua"
ACTIONS_PREFIX = "_lakefs_actions/"
ACTION_PATH = "_lakefs_actions/ops.yaml"
CHANGE_PREFIX = "changes/"
IMPORT_SUFFIX = ".import.jsonl"
METADATA_PREFIX = "metadata/"
PREDICTION_PREFIX = "predictions/"
QUERY_PREFIX = "queries/"
SPLIT_PREFIX = "splits/"
PROFILE_PREFIX = "profile/"
IMAGE_PROFILE_PATH = "profile/images.parquet"
RUN_PREFIX = "runs/"
MAIN = "main"

# lakeFS branch ids match ^\w[-\w]*$: no slash, no dot. 50 characters is what a Label Studio project
# title holds.
_ROUND_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}", re.ASCII)
_VERSION = re.compile(r"v([1-9][0-9]{0,8})", re.ASCII)
_BRANCH_PREFIX = "round-"
LONGEST_CHANGE_NAME = 80
_CHANGE_NAME = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{LONGEST_CHANGE_NAME - 1}}}", re.ASCII)
_CHANGE_BRANCH_PREFIX = "change-"
_MERGE_BRANCH = re.compile(r"merge-(.+)-[0-9a-f]{12}", re.ASCII)


def check_round_name(name: str) -> str:
    """Give the name back if it can name a branch, a file and a Label Studio project.

    Raises:
        UsageError: it holds anything but a-z, 0-9, `-` and `_`, starts with neither letter nor
            digit, or is longer than 50.
    """
    if not _ROUND_NAME.fullmatch(name):
        raise UsageError(
            "round-name",
            f"{name!r} cannot name a round",
            subject=name,
            unchanged="nothing was read or written",
            hint="use a-z, 0-9, - and _, at most 50 characters, a letter or digit first: cheese-2",
        )
    return name


def media_path(key: TaskKey) -> str:
    """Where a task's media object lies."""
    return MEDIA_PREFIX + key


def media_key(path: str) -> TaskKey:
    """The inverse of media_path; `path` must start with `images/`."""
    return TaskKey(path.removeprefix(MEDIA_PREFIX))


def media_problem(key: str) -> str | None:
    """Why a key cannot name a media object, or None if it can.

    Keys become parts of URLs in Label Studio and of paths on disks, and must mean the same there.
    Label Studio 1.23 shows pictures with `#` and `%` in their names; it loses what follows a `?`,
    tabs, line ends, and white space at the end.
    """
    if any(ord(character) < _SPACE or character in _UNSAFE for character in key):
        return "has a character in its name that URLs or file systems give another meaning"
    parts = key.split("/")
    if not key or any(part in {"", ".", ".."} for part in parts):
        return "has an empty or relative part in its name"
    if key != key.rstrip():
        return "has white space at the end of its name"
    if any("\ud800" <= character <= "\udfff" for character in key):
        # How Python shows bytes of a file's name that are no UTF-8.
        return "has a name that is not UTF-8"
    if len(key.encode()) > _LONGEST_KEY:
        return f"has a name of more than {_LONGEST_KEY} bytes"
    return None


_SPACE = 32
_UNSAFE = frozenset("\\?\x7f")
_LONGEST_KEY = 900
"""lakeFS and S3 take 1 024 bytes a path; the rest is for prefixes and suffixes."""


def record_path(key: TaskKey) -> str:
    """Where a task's record lies."""
    return RECORD_PREFIX + key + RECORD_SUFFIX


def record_key(path: str) -> TaskKey:
    """The inverse of record_path."""
    return TaskKey(path.removeprefix(RECORD_PREFIX).removesuffix(RECORD_SUFFIX))


def manifest_path(round_name: str) -> str:
    """Where a round's manifest lies."""
    return f"{MANIFEST_PREFIX}{round_name}.json"


def manifest_round(path: str) -> str | None:
    """The inverse of manifest_path; None for any other path."""
    name = path.removeprefix(MANIFEST_PREFIX).removesuffix(".json")
    return name if path == manifest_path(name) and _ROUND_NAME.fullmatch(name) else None


def tasks_path(round_name: str) -> str:
    """Where a round's task list lies."""
    return f"{MANIFEST_PREFIX}{round_name}{TASKS_SUFFIX}"


def index_path(round_name: str) -> str:
    """Where an open round's sync index lies, on its branch only."""
    return f"{MANIFEST_PREFIX}{round_name}{INDEX_SUFFIX}"


def import_path(round_name: str) -> str:
    """Where the records lie that an import put before the round's annotators."""
    return f"{MANIFEST_PREFIX}{round_name}{IMPORT_SUFFIX}"


def round_branch(round_name: str) -> str:
    """The branch of a round."""
    return _BRANCH_PREFIX + round_name


def branch_round(branch: str) -> str | None:
    """The inverse of round_branch; None where the branch is no round's."""
    name = branch.removeprefix(_BRANCH_PREFIX)
    return name if branch.startswith(_BRANCH_PREFIX) and _ROUND_NAME.fullmatch(name) else None


def check_change_name(name: str) -> str:
    """Give the name back if it can name a change's branch and file.

    Raises:
        UsageError: it holds anything but a-z, 0-9, `-` and `_`, starts with neither letter nor
            digit, or is longer than 80.
    """
    if not _CHANGE_NAME.fullmatch(name):
        raise UsageError(
            "change-name",
            f"{name!r} cannot name a change",
            subject=name,
            unchanged="nothing was read or written",
            hint="use a-z, 0-9, - and _, at most 80 characters, a letter or digit first",
        )
    return name


def change_path(name: str) -> str:
    """Where a change's document lies."""
    return f"{CHANGE_PREFIX}{name}.json"


def path_change(path: str) -> str | None:
    """The inverse of change_path; None for any other path."""
    name = path.removeprefix(CHANGE_PREFIX).removesuffix(".json")
    return name if path == change_path(name) and _CHANGE_NAME.fullmatch(name) else None


def change_branch(name: str) -> str:
    """The branch a change is reviewed on."""
    return _CHANGE_BRANCH_PREFIX + name


def branch_change(branch: str) -> str | None:
    """The inverse of change_branch; None where the branch is no change's."""
    name = branch.removeprefix(_CHANGE_BRANCH_PREFIX)
    is_ours = branch.startswith(_CHANGE_BRANCH_PREFIX) and _CHANGE_NAME.fullmatch(name)
    return name if is_ours else None


def merge_branch(name: str, main: str) -> str:
    """The short-lived branch a change is merged from, named after the commit of main it follows."""
    return f"merge-{name}-{main[:12]}"


def merge_branch_change(branch: str) -> str | None:
    """The change a merge_branch belongs to; None where the branch is none."""
    match = _MERGE_BRANCH.fullmatch(branch)
    return match.group(1) if match and _CHANGE_NAME.fullmatch(match.group(1)) else None


def check_table_name(name: str, *, noun: str) -> str:
    """Give the name back if it can name a table, a query, a split, a model or its version.

    Args:
        name: as somebody typed it.
        noun: what it is to name, for the error: `split`.

    Raises:
        UsageError: it holds anything but a-z, A-Z, 0-9, `.`, `-` and `_`, starts with neither
            letter nor digit, or is longer than 64.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise UsageError(
            "table-name",
            f"{name!r} cannot name a {noun}",
            subject=name,
            unchanged="nothing was read or written",
            hint="use letters, digits, ., - and _, at most 64 characters, a letter or digit first",
        )
    return name


_TABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def metadata_path(name: str) -> str:
    """Where a joined table lies; facts_path says how it came there."""
    return f"{METADATA_PREFIX}{name}.parquet"


def prediction_path(model: str, version: str) -> str:
    """Where the predictions of one version of a model lie."""
    return f"{PREDICTION_PREFIX}{model}/{version}.parquet"


def query_path(name: str) -> str:
    """Where a saved query lies: SQL as somebody wrote it."""
    return f"{QUERY_PREFIX}{name}.sql"


def split_path(name: str) -> str:
    """Where a split's assignments lie."""
    return f"{SPLIT_PREFIX}{name}.parquet"


def run_path(run_id: str) -> str:
    """Where a training run is recorded."""
    return f"{RUN_PREFIX}{run_id}.json"


def facts_path(table: str) -> str:
    """Where the document lies that says what a table is: beside it, with another ending."""
    return table.removesuffix(".parquet") + ".json"


def version_tag(number: int) -> str:
    """The tag of a version, `v7`."""
    return f"v{number}"


def tag_version(tag: str) -> int | None:
    """The inverse of version_tag; None where the tag names no version."""
    match = _VERSION.fullmatch(tag)
    return int(match.group(1)) if match else None
