"""The dataset card of a version: `README.md` for people, `card.json` for programs.

Owns which figures a version states of itself; each is a count over the records of that version.
Does not count them: it is given the counts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ops.core.documents import Fields, parse
from ops.core.encoding import encode
from ops.core.lines import stored
from ops.core.names import CARD_JSON_PATH, tag_version, version_tag
from ops.core.records import Counts, Json, TaskState

SCHEMA = "ops.card/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """How often a label is used: in how many regions, of how many tasks."""

    regions: int = 0
    tasks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One version in the card's history.

    `cause` is the round's name, or what else made it; `remark` what else is to be known of it.
    """

    version: int
    cause: str
    actor: str
    made_at: str
    counts: Counts
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a version states of itself.

    Attributes:
        image_count: media objects in the version, with or without a record.
        counts: tasks by state.
        labels: by label.
        annotators: annotations by annotator, all states.
        digest: the snapshot's.
        listing_digest: of the records' paths and checksums.
        history: every version up to this one, oldest first.
    """

    version: int
    repository: str
    image_count: int
    counts: Counts
    annotation_count: int
    region_count: int
    labels: Mapping[str, LabelCount]
    annotators: Mapping[str, int]
    ontology_digest: str
    digest: str
    listing_digest: str
    history: Sequence[VersionLine]


def encode_card(card: Card) -> bytes:
    """`card.json`, canonical."""
    labels: dict[str, Json] = {
        label: {"regions": count.regions, "tasks": count.tasks}
        for label, count in card.labels.items()
    }
    history: list[Json] = [
        {
            "version": line.version,
            "cause": line.cause,
            "actor": line.actor,
            "made_at": line.made_at,
            "counts": dict(line.counts.as_mapping()),
            "remark": line.remark or None,
        }
        for line in card.history
    ]
    return encode(
        {
            "schema": SCHEMA,
            "version": card.version,
            "repository": card.repository,
            "images": card.image_count,
            "tasks": dict(card.counts.as_mapping()),
            "annotations": card.annotation_count,
            "regions": card.region_count,
            "labels": labels,
            "annotators": dict(card.annotators),
            "ontology_digest": card.ontology_digest,
            "snapshot_digest": card.digest,
            "listing_digest": card.listing_digest,
            "history": history,
        }
    )


def decode_history(data: bytes | None) -> tuple[VersionLine, ...]:
    """The history in a `card.json`, oldest first; none where there is no card.

    Raises:
        InvalidDataError: it is not a card of this schema.
    """
    if data is None:
        return ()
    source = stored(CARD_JSON_PATH, "card-invalid")
    card = Fields.of(parse(data, source), "", source)
    if (schema := card.text("schema")) != SCHEMA:
        card.refuse("schema", f"is {schema!r}, not {SCHEMA!r}")
    history = tuple(_line(fields) for fields in card.items("history"))
    for number, (before, line) in enumerate(pairwise(history), start=1):
        if line.version <= before.version:
            card.refuse(f"history[{number}].version", f"must come after {before.version}")
    return history


def _line(fields: Fields) -> VersionLine:
    counts = fields.fields("counts")
    line = VersionLine(
        version=fields.integer("version"),
        cause=fields.text("cause"),
        actor=fields.text("actor"),
        made_at=fields.timestamp("made_at"),
        counts=Counts(**{state.value: counts.integer(state.value) for state in TaskState}),
        remark=(fields.text("remark") if fields.has("remark") else ""),
    )
    if tag_version(version_tag(line.version)) is None:
        fields.refuse("version", f"is {line.version}, which is no version's number")
    if counts.integer("tasks") != line.counts.tasks:
        counts.refuse(
            "tasks", f"are {counts.integer('tasks')}, the states add up to another number"
        )
    return line


def render_card(card: Card) -> str:
    """`README.md`: Markdown, as the lakeFS UI shows it."""
    tag = version_tag(card.version)
    share = f"{100 * card.counts.tasks / card.image_count:.1f} %" if card.image_count else "–"
    parts = [
        f"# {card.repository} {tag}",
        "",
        f"{card.image_count} images, {card.counts.tasks} of them ({share}) have been before "
        f"annotators. {card.annotation_count} annotations with {card.region_count} regions.",
        "",
        "## Tasks",
        "",
        *_table(("state", "tasks"), [(s.value, getattr(card.counts, s.value)) for s in TaskState]),
        "",
        "*labeled*: somebody submitted at least one region · *empty*: submitted with none, on "
        "purpose · *skipped*: submitted as skipped · *unfinished*: nothing submitted · "
        "*quarantined*: held back.",
        "",
        "## Labels",
        "",
        *_table(
            ("label", "regions", "tasks"),
            [(label, count.regions, count.tasks) for label, count in sorted(card.labels.items())],
        ),
        "",
        "## Annotators",
        "",
        *_table(("annotator", "annotations"), sorted(card.annotators.items())),
        "",
        "## Versions",
        "",
        *_table(
            ("version", "made by", "who", "when", "tasks", *(s.value for s in TaskState), "remark"),
            [_history_row(line) for line in reversed(card.history)],
        ),
        "",
        "## Reading it",
        "",
        f"`snapshot/annotations.parquet` has a row a region, `snapshot/tasks.parquet` a row a "
        f"task; both at `s3://{card.repository}/{tag}/snapshot/` over lakeFS's S3 gateway. "
        f"`ops dataset uri {tag}` prints ready snippets.",
        "",
        f"Snapshot digest `{card.digest}`, ontology digest `{card.ontology_digest}`.",
        "",
    ]
    return "\n".join(parts)


def _history_row(line: VersionLine) -> tuple[str | int, ...]:
    states = (getattr(line.counts, state.value) for state in TaskState)
    return (
        version_tag(line.version),
        line.cause,
        line.actor,
        line.made_at[:16].replace("T", " "),
        line.counts.tasks,
        *states,
        line.remark,
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str | int]]) -> list[str]:
    if not rows:
        return ["none"]
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return head + ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


# What Markdown takes for markup in a line: emphasis, code, links, images, HTML, entities, cells,
# strikes. An underscore within a word is none (CommonMark 6.2), and labels are full of them.
_MARKUP = re.compile(r"[\\`*\[\]<&~|]|(?<![^\W_])_|_(?![^\W_])")


def _cell(value: str | int) -> str:
    """A value that cannot break out of its cell, nor be taken for markup."""
    return _MARKUP.sub(lambda found: "\\" + found[0], " ".join(str(value).split()))
