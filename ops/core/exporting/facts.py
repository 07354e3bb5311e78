"""`export.json`: what every export says of itself, and by which it is known again.

Owns its fields. It names no time and no machine, so the same export is the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.core.documents import Fields, Source, parse
from ops.core.encoding import encode
from ops.core.exporting.files import FACTS_FILE, Counted, Losses, Plan
from ops.core.exporting.words import Format, Policy
from ops.core.records import Json, TaskKey

SCHEMA = "ops.export/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file of an export."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an export is.

    Attributes:
        ref: what was asked for; the plan names its commit.
        where, split: how tasks were chosen, and parted.
        counted: the tasks by state, and what became of them.
        gone, replaced: exported tasks whose picture is not in the commit any more, or is another
            one than people labeled.
    """

    plan: Plan
    ref: str
    tool_version: str
    format: Format
    policy: Policy | None
    counted: Counted
    losses: Losses
    where: str | None = None
    split: str | None = None
    gone: Sequence[TaskKey] = ()
    replaced: Sequence[TaskKey] = ()

    def as_mapping(self) -> dict[str, Json]:
        """Everything but the files."""
        counted, plan = self.counted, self.plan
        retired = {(one.control, one.name) for one in plan.classes.retired(plan.ontology)}
        classes: list[Json] = [
            {
                "id": one.id,
                "kind": one.kind.value,
                "control": one.control,
                "name": one.name,
                "retired": (one.control, one.name) in retired,
                "frozen": place < plan.frozen_count,
            }
            for place, one in enumerate(plan.classes.listed)
        ]
        return {
            "schema": SCHEMA,
            "repository": plan.repository,
            "commit": plan.commit,
            "ref": self.ref,
            "tool_version": self.tool_version,
            "format": self.format.value,
            "policy": self.policy.value if self.policy else None,
            "media": plan.media.value,
            "where": self.where,
            "split": self.split,
            "parts": list(plan.parts),
            "tasks": dict(counted.counts.as_mapping()),
            "exported": dict(counted.exported),
            "not_exported": dict(sorted(counted.unexported.items())),
            "outvoted": counted.outvoted,
            "ties": counted.ties,
            "turned_pictures": counted.turned_count,
            "pictures_gone": list(self.gone),
            "pictures_replaced": list(self.replaced),
            "lost": dict(sorted(self.losses.counts.items())),
            "rewritten": dict(sorted(self.losses.rewritten.items())),
            "ontology_digest": plan.ontology.digest,
            "classes": classes,
        }

    def encode(self, files: Sequence[ExportedFile]) -> bytes:
        """The bytes of `export.json`, canonical; `files` are all others, by path."""
        listed: list[Json] = [
            {"path": one.path, "size_bytes": one.size_bytes, "sha256": one.sha256} for one in files
        ]
        return encode({**self.as_mapping(), "files": listed})


def decode_files(data: bytes) -> Mapping[str, ExportedFile]:
    """The files an `export.json` names, by path.

    Raises:
        InvalidDataError: it is none of this schema.
    """
    source = Source(
        code="export-facts-invalid",
        noun=FACTS_FILE,
        subject=FACTS_FILE,
        hint="name another directory with --out",
    )
    document = Fields.of(parse(data, source), "", source)
    if (schema := document.text("schema")) != SCHEMA:
        document.refuse("schema", f"is {schema!r}, not {SCHEMA!r}")
    files = [
        ExportedFile(
            path=one.text("path"), size_bytes=one.integer("size_bytes"), sha256=one.text("sha256")
        )
        for one in document.items("files")
    ]
    return {one.path: one for one in files}
