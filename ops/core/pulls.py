"""What a pulled directory says of itself: `pull.json`.

Owns its fields, and which files below a directory are a pull's own. Touches no file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.documents import Fields, Source, parse
from ops.core.encoding import encode
from ops.core.lines import maybe
from ops.core.local_names import file_problem
from ops.core.records import CommitId, Json
from ops.errors import UsageError

FILE_NAME = "pull.json"
SCHEMA = "ops.pull/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which pictures of a commit are pulled; all of them by default.

    Attributes:
        labeled_only: only tasks with an answer: labeled, or empty on purpose.
        where: an expression over the tables, or None.
        split: a split's name, or None.
        part: of that split, or None for all of its parts.
    """

    labeled_only: bool = False
    where: str | None = None
    split: str | None = None
    part: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Choice()

    @classmethod
    def of(cls, *, labeled_only: bool, where: str | None, split: str | None) -> "Choice":
        """From what a person types: a split as `NAME` or `NAME:PART`.

        Raises:
            UsageError: the split or its part has no name.
        """
        name, colon, part = (split or "").partition(":")
        if split is not None and (not name or (colon and not part)):
            raise UsageError(
                "split-name",
                f"{split!r} names no split and part",
                subject=split,
                unchanged="nothing was read or written",
                hint="write --split NAME, or --split NAME:PART as default:train",
            )
        return cls(labeled_only=labeled_only, where=where, split=name or None, part=part or None)

    def as_json(self) -> dict[str, Json]:
        """The choice for `pull.json`."""
        return {
            "labeled_only": self.labeled_only,
            "where": self.where,
            "split": self.split,
            "part": self.part,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledFile:
    """One file of a pull; of one still on its way, only the digest that is known before."""

    path: str
    size_bytes: int
    sha256: str | None = None
    md5: str | None = None

    def as_json(self) -> dict[str, Json]:
        """The file for `pull.json`."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "md5": self.md5,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PullManifest:
    """What lies in a directory.

    Attributes:
        ref: as it was asked for; the commit is what it meant then.
        is_complete: every file is there; else a pull was stopped on its way, and running it again
            finishes it.
        counts: of files, by what they are.
        files: by path.
    """

    repository: str
    ref: str
    commit: CommitId
    choice: Choice
    is_complete: bool
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    files: Sequence[PulledFile] = ()

    @property
    def digest(self) -> str:
        """Of every file's path and SHA-256: equal for equal directories."""
        listed = "".join(f"{one.path}\t{one.sha256 or ''}\n" for one in self.files)
        return "sha256:" + hashlib.sha256(listed.encode()).hexdigest()


def encode_pull(manifest: PullManifest) -> bytes:
    """The bytes of `pull.json`."""
    files: list[Json] = [one.as_json() for one in manifest.files]
    return encode(
        {
            "schema": SCHEMA,
            "repository": manifest.repository,
            "ref": manifest.ref,
            "commit": manifest.commit,
            "choice": manifest.choice.as_json(),
            "complete": manifest.is_complete,
            "counts": dict(manifest.counts),
            "digest": manifest.digest,
            "files": files,
        }
    )


def decode_pull(data: bytes) -> PullManifest:
    """The inverse of encode_pull.

    Raises:
        InvalidDataError: it is no such document.
    """
    source = Source(
        code="pull-invalid",
        noun=FILE_NAME,
        subject=FILE_NAME,
        hint="remove it, or pull into another directory",
    )
    fields = Fields.of(parse(data, source), "", source)
    if fields.text("schema") != SCHEMA:
        fields.refuse("schema", f"is not {SCHEMA}: another version of ops wrote it")
    choice = fields.fields("choice")
    counts = fields.fields("counts")
    return PullManifest(
        repository=fields.text("repository"),
        ref=fields.text("ref"),
        commit=CommitId(fields.text("commit")),
        choice=Choice(
            labeled_only=choice.boolean("labeled_only"),
            where=maybe(choice, "where", choice.text),
            split=maybe(choice, "split", choice.text),
            part=maybe(choice, "part", choice.text),
        ),
        is_complete=fields.boolean("complete"),
        counts={name: counts.integer(name) for name in counts.values},
        files=[_file(one) for one in fields.items("files")],
    )


def _file(fields: Fields) -> PulledFile:
    path = fields.text("path")
    if problem := file_problem(path):
        # It says what may be removed: never anything outside the directory.
        fields.refuse("path", problem)
    return PulledFile(
        path=path,
        size_bytes=fields.integer("size_bytes"),
        sha256=maybe(fields, "sha256", fields.text),
        md5=maybe(fields, "md5", fields.text),
    )
