"""The document beside a joined table: where it is from, and what of it matched.

Owns its form, `ops.metadata/1`. Does not match (joining.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.joining import Match, Rule
from ops.core.lines import stored
from ops.core.names import facts_path, metadata_path
from ops.core.records import CommitId, Json

SCHEMA = "ops.metadata/1"
_WHO_AND_WHEN = frozenset({"base", "made_at", "made_by"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFacts:
    """What is known of a joined table.

    Attributes:
        file: the name of the file it is from.
        sha256: of the file's bytes.
        key_column: the column that named the images.
        rule: how.
        match: what matched and what did not; `rows` of the table are the matched ones.
        columns: the table's columns with their types, in order.
        base: the commit whose images it was matched against.
        made_by, made_at: who joined it, and when.
    """

    name: str
    file: str
    sha256: str
    key_column: str
    rule: Rule
    match: Match
    columns: Mapping[str, str]
    base: CommitId
    made_by: str
    made_at: str

    def as_mapping(self) -> dict[str, Json]:
        """The facts as they are stored, and for programs."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "file": self.file,
            "sha256": self.sha256,
            "key_column": self.key_column,
            "match": self.rule.as_mapping(),
            "rows": len(self.match.rows),
            **self.match.as_json(),
            "columns": [{"name": name, "type": kind} for name, kind in self.columns.items()],
            "base": self.base,
            "made_by": self.made_by,
            "made_at": self.made_at,
        }

    def encode(self) -> bytes:
        """The document's bytes."""
        return encode(self.as_mapping())

    def says_the_same(self, document: bytes) -> bool:
        """Whether a stored document is this one, but for who made it, when, and on what commit.

        Raises:
            InvalidDataError: it is no JSON.
        """
        path = facts_path(metadata_path(self.name))
        said = parse(document, stored(path, "metadata-invalid"))
        return isinstance(said, dict) and _lasting(said) == _lasting(self.as_mapping())


def joined_columns_of(document: bytes, path: str) -> tuple[str, ...]:
    """The columns that a stored document says its table has.

    Raises:
        InvalidDataError: it is no such document.
    """
    source = stored(path, "metadata-invalid")
    fields = Fields.of(parse(document, source), "", source)
    if fields.text("schema") != SCHEMA:
        fields.refuse("schema", f"is {fields.text('schema')!r}, and this ops knows {SCHEMA!r}")
    said = fields.any("columns")
    if not isinstance(said, list):
        fields.refuse("columns", "must be a list")
    named = [one.get("name") if isinstance(one, dict) else None for one in said]
    names = tuple(one for one in named if isinstance(one, str))
    if len(names) < len(named):
        fields.refuse("columns", "must each have a name")
    return names


def _lasting(facts: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: value for name, value in facts.items() if name not in _WHO_AND_WHEN}
