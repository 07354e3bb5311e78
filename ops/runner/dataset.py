"""`dataset log`, `show` and `uri`: versions of the dataset.

A version is a commit on main; its tag is a name for it. Owns how versions are found. Reads no
labels beyond the card; how an older version comes back is revert.py's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.core.documents import parse
from ops.core.lines import stored
from ops.core.names import (
    CARD_JSON_PATH,
    MAIN,
    tag_version,
    version_tag,
)
from ops.core.records import CommitId, Json
from ops.errors import NotFoundError
from ops.ports import Commit
from ops.runner.context import Context, main_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version: its number, commit, and whether the tag names that commit."""

    number: int
    commit: Commit
    has_tag: bool

    @property
    def facts(self) -> Mapping[str, str]:
        """The merge commit's metadata, without the prefix `ops.`."""
        pairs = self.commit.metadata.items()
        return {name.removeprefix("ops."): v for name, v in pairs if name.startswith("ops.")}


def list_versions(context: Context) -> Iterator[Version]:
    """The versions along main, newest first, lazily. One request a 1 000 commits and tags."""
    main_head(context.lake)
    tags = dict(context.lake.tags())
    for commit in context.lake.log(MAIN, first_parent=True):
        number = tag_version("v" + commit.metadata.get("ops.version", ""))
        if number is not None:
            has_tag = tags.get(version_tag(number)) == commit.id
            yield Version(number=number, commit=commit, has_tag=has_tag)


def resolve(context: Context, ref: str) -> CommitId:
    """The commit a ref names. One request.

    Raises:
        NotFoundError: there is no such branch, tag or commit.
    """
    commit = context.lake.find_commit(ref)
    if commit is None:
        raise NotFoundError(
            "no-such-ref",
            f"there is no branch, tag or commit {ref!r}",
            subject=ref,
            unchanged="nothing was changed",
            hint="list versions with: ops dataset log",
        )
    return commit


def read_card(context: Context, ref: str) -> Json:
    """The card of a ref, as `card.json` holds it. Two requests.

    Raises:
        NotFoundError: there is no such ref, or it is no version and holds no card.
    """
    commit = resolve(context, ref)
    data = context.lake.read(commit, CARD_JSON_PATH)
    if data is None:
        raise NotFoundError(
            "no-card",
            f"{ref} holds no version yet",
            subject=ref,
            unchanged="nothing was changed",
            hint="a version is made by: ops round finish NAME",
        )
    return parse(data, stored(CARD_JSON_PATH, "card-invalid"))
