"""The gates: what main says a round must fulfil before it is merged.

Owns the settings in `_gates/gates.toml` and their check on a round's facts, before the merge. Does
not read a repository (ops/runner/gates.py), and knows nothing of the hook inside lakeFS, which
reads the few of these settings it can hold from `_gates/gates.json`, as written here.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from ops.core.agreement import Measure, agreement
from ops.core.documents import Fields, Source, parse
from ops.core.encoding import encode
from ops.core.lines import choice, stored
from ops.core.names import GATES_PATH
from ops.core.ontology import Ontology
from ops.core.records import Counts, Json, Record, TaskKey
from ops.errors import UsageError

SCHEMA = "ops.gates/1"

_TABLES = {
    "coverage": frozenset({"answered", "waivable"}),
    "labels": frozenset({"only_ontology"}),
    "agreement": frozenset({"minimum", "measure"}),
    "conflicts": frozenset({"maximum"}),
    "metadata": frozenset({"required"}),
    "finish": frozenset({"who"}),
}
_NAME = re.compile(r"(ops\.)?[a-z][a-z0-9_]*", re.ASCII)
_PREFIX = "ops."


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What `_gates/gates.toml` says; the defaults are what holds without the file.

    Attributes:
        answered: least share of a round's tasks that must have an answer, 0 to 1.
        waivable: whether `--allow-unlabeled` may finish a round below that share.
        only_ontology: labels and controls that main's ontology lacks are refused.
        minimum_agreement: least agreement of a task that several people answered; None for any.
        measure: how agreement is measured.
        maximum_conflicts: most tasks `--on-conflict` may settle in one finish; None for any.
        required_metadata: what the merge commit must say, by full name, `ops.round`.
        who: globs of which the actor must match one; none for anyone.
    """

    answered: float = 1.0
    waivable: bool = True
    only_ontology: bool = True
    minimum_agreement: float | None = None
    measure: Measure = Measure.COMBINED
    maximum_conflicts: int | None = None
    required_metadata: tuple[str, ...] = ()
    who: tuple[str, ...] = ()

    def as_mapping(self) -> dict[str, Json]:
        """The settings by table, as the file has them; null where a gate is off."""
        return {
            "coverage": {"answered": self.answered, "waivable": self.waivable},
            "labels": {"only_ontology": self.only_ontology},
            "agreement": {"minimum": self.minimum_agreement, "measure": self.measure.value},
            "conflicts": {"maximum": self.maximum_conflicts},
            "metadata": {"required": list(self.required_metadata)},
            "finish": {"who": list(self.who)},
        }


class Gate(StrEnum):
    """The gates by the tables of their settings."""

    COVERAGE = "coverage"
    LABELS = "labels"
    AGREEMENT = "agreement"
    CONFLICTS = "conflicts"
    METADATA = "metadata"
    FINISH = "finish"


_CODES = {
    Gate.COVERAGE: "unlabeled-tasks",
    Gate.LABELS: "unknown-labels",
    Gate.AGREEMENT: "low-agreement",
    Gate.CONFLICTS: "too-many-conflicts",
    Gate.METADATA: "missing-metadata",
    Gate.FINISH: "not-allowed-to-finish",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a gate holds against a finish.

    Attributes:
        gate: which one.
        message: what it found, in words.
        task: the task it is about, which can be quarantined; None where it is about the whole
            round, which is refused.
    """

    gate: Gate
    message: str
    task: TaskKey | None = None

    @property
    def code(self) -> str:
        """The code of the error that refuses this."""
        return _CODES[self.gate]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFacts:
    """What the gates look at beside the records.

    Attributes:
        actor: who finishes.
        counts: the round's tasks by state; quarantined ones are neither asked for an answer nor
            counted as having one.
        metadata: what the merge commit will say, by full name.
        conflict_count: tasks that `--on-conflict` settled.
        allow_unlabeled: the person asked for it.
    """

    actor: str
    counts: Counts
    metadata: Mapping[str, str]
    conflict_count: int = 0
    allow_unlabeled: bool = False


def check(
    settings: GateSettings,
    ontology: Ontology,
    facts: RoundFacts,
    records: Iterable[Record],
) -> tuple[Finding, ...]:
    """What the gates hold against a finish; nothing where it may go on. Records are read once.

    A finish calls it with main's settings and ontology, and with the records it would change as
    they would be after the merge:

        findings = check(
            read_gates(context.lake, main),  # ops/runner/gates.py
            ontology,
            RoundFacts(
                actor=context.actor,
                counts=manifest.counts,
                metadata=finish_metadata(context, manifest, packed),
                conflict_count=len(settled),
                allow_unlabeled=allow_unlabeled,
            ),
            records,
        )
        whole = [one for one in findings if one.task is None]  # refuse
        tasks = {one.task for one in findings if one.task}  # refuse, or quarantine

    Args:
        settings: main's, never the branch's.
        ontology: main's.
        facts: of the round.
        records: the records the round changes.
    """
    return (*_round_findings(settings, facts), *_task_findings(settings, ontology, records))


def _round_findings(settings: GateSettings, facts: RoundFacts) -> Iterator[Finding]:
    counts = facts.counts
    answered = counts.labeled + counts.empty + counts.skipped
    asked = answered + counts.unfinished
    is_waived = settings.waivable and facts.allow_unlabeled
    if asked and not is_waived and answered / asked < settings.answered:
        yield Finding(
            gate=Gate.COVERAGE,
            message=f"{answered} of {asked} tasks have an answer ({answered / asked:.1%}),"
            f" main asks for {settings.answered:.1%}",
        )
    most = settings.maximum_conflicts
    if most is not None and facts.conflict_count > most:
        yield Finding(
            gate=Gate.CONFLICTS,
            message=f"{facts.conflict_count} tasks were settled by --on-conflict,"
            f" main allows {most}",
        )
    for name in settings.required_metadata:
        if not facts.metadata.get(name, "").strip():
            yield Finding(gate=Gate.METADATA, message=f"the merge would not say {name}")
    if settings.who and not _is_among(facts.actor, settings.who):
        yield Finding(
            gate=Gate.FINISH,
            message=f"{facts.actor} may not finish rounds; main allows {', '.join(settings.who)}",
        )


def _is_among(actor: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(actor.casefold(), glob.casefold()) for glob in globs)


def _task_findings(
    settings: GateSettings, ontology: Ontology, records: Iterable[Record]
) -> Iterator[Finding]:
    least = settings.minimum_agreement
    for record in records:
        key = record.task.key
        unknown = ontology.unknown_labels(record) if settings.only_ontology else ()
        for one in unknown:
            yield Finding(gate=Gate.LABELS, message=f"{one} is not in the ontology", task=key)
        value = agreement(record, settings.measure) if least is not None else None
        if least is not None and value is not None and value < least:
            yield Finding(
                gate=Gate.AGREEMENT,
                message=f"agreement ({settings.measure}) is {value:.2f}, main asks for {least:.2f}",
                task=key,
            )


def decode_gates(data: bytes | None, *, name: str = GATES_PATH) -> GateSettings:
    """The settings in a `gates.toml`; the defaults where there is none.

    Args:
        data: the file's bytes.
        name: what the file is called, for the error.

    Raises:
        InvalidDataError: not TOML, a table or setting this version does not know, or a value that
            is none; the error names the place.
    """
    if data is None:
        return GateSettings()
    source = stored(name, "gates-invalid")
    document = Fields.of(_parse_toml(data, source), "", source)
    document.only(frozenset(_TABLES))
    tables = {
        table: document.fields(table) if document.has(table) else Fields({}, table, source)
        for table in _TABLES
    }
    for table, known in _TABLES.items():
        tables[table].only(known)
    return _settings(tables)


def _parse_toml(data: bytes, source: Source) -> Json:
    try:
        # By way of JSON: TOML's times become texts, its nan and inf are refused.
        text = json.dumps(tomllib.loads(data.decode()), default=str)
    except UnicodeDecodeError as error:
        source.refuse("", f"is not UTF-8 (byte {error.start})")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\(at ([^)]*)\)$", str(error))
        source.refuse("", f"is not TOML: {place[1] if place else 'nested too deeply'}")
    return parse(text.encode(), source)


def _settings(tables: Mapping[str, Fields]) -> GateSettings:
    default = GateSettings()
    coverage, labels, agreed = tables["coverage"], tables["labels"], tables["agreement"]
    conflicts, metadata, finish = tables["conflicts"], tables["metadata"], tables["finish"]
    return GateSettings(
        answered=_share(coverage, "answered") if coverage.has("answered") else default.answered,
        waivable=coverage.boolean("waivable") if coverage.has("waivable") else default.waivable,
        only_ontology=labels.boolean("only_ontology")
        if labels.has("only_ontology")
        else default.only_ontology,
        minimum_agreement=_share(agreed, "minimum") if agreed.has("minimum") else None,
        measure=choice(agreed, "measure", Measure) if agreed.has("measure") else default.measure,
        maximum_conflicts=conflicts.integer("maximum") if conflicts.has("maximum") else None,
        required_metadata=tuple(_metadata_names(metadata)),
        who=tuple(_texts(finish, "who")),
    )


def _share(fields: Fields, name: str) -> float:
    value = fields.number(name)
    if not 0 <= value <= 1:
        fields.refuse(name, f"must be a share from 0 to 1, not {value}")
    return float(value)


def _metadata_names(fields: Fields) -> Iterator[str]:
    for name in _texts(fields, "required"):
        if not _NAME.fullmatch(name):
            fields.refuse("required", f"holds {name!r}, which names no metadata of ops")
        yield name if name.startswith(_PREFIX) else _PREFIX + name


def _texts(fields: Fields, name: str) -> list[str]:
    values = fields.array(name) if fields.has(name) else []
    found = [value for value in values if isinstance(value, str) and value.strip()]
    if len(found) != len(values):
        fields.refuse(name, "must be an array of texts that are not empty")
    return found


def read_said(stated: Iterable[str]) -> dict[str, str]:
    """What a person says on a merge beside what ops does, by full name, from `name=value` texts.

    Raises:
        UsageError: one is no such text, or a name is there twice.
    """
    said: dict[str, str] = {}
    for text in stated:
        name, separator, value = (part.strip() for part in text.partition("="))
        full = name if name.startswith(_PREFIX) else _PREFIX + name
        if not separator or not value or not _NAME.fullmatch(name) or full in said:
            raise UsageError(
                "said-metadata",
                f"{text!r} says nothing on the merge" if full not in said else f"{name} twice",
                subject=text,
                unchanged="nothing was read or written",
                hint="write name=value, each name once, in small letters: ticket=A-17",
            )
        said[full] = value
    return said


def compile_gates(data: bytes) -> bytes:
    """`gates.json`: a `gates.toml` for the hook inside lakeFS, whose Lua reads no TOML.

    Raises:
        InvalidDataError: as decode_gates.
    """
    return encode(
        {
            "schema": SCHEMA,
            "settings": decode_gates(data).as_mapping(),
            "source_sha256": hashlib.sha256(data).hexdigest(),
        }
    )
