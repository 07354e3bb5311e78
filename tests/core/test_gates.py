"""The gates: settings read strictly, and what they hold against a round."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.agreement import Measure
from ops.core.audit import AREAS, KINDS
from ops.core.gates import (
    Finding,
    Gate,
    GateSettings,
    RoundFacts,
    check,
    compile_gates,
    decode_gates,
    read_said,
)
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import GATE_SCRIPT_PATH
from ops.core.ontology import parse_ontology
from ops.core.records import Annotation, Counts, Json, Media, Record, Task, TaskKey
from ops.errors import InvalidDataError, UsageError
from ops.gate import default_settings, hook_files

ONTOLOGY = parse_ontology(write_label_config(["brie", "gouda"], LabelKind.BOXES))
OPEN = GateSettings()


def facts(counts: Counts | None = None, **changed: object) -> RoundFacts:
    whole = RoundFacts(
        actor="lena@example.org",
        counts=counts or Counts(labeled=2),
        metadata={"ops.round": "cheese"},
    )
    return replace(whole, **changed)  # pyright: ignore[reportArgumentType] - named by the test


def record(key: str, *answers: tuple[str, str]) -> Record:
    """A record with a box a person: `(who, label)`."""
    media = Media(path=f"images/{key}", checksum="0", size_bytes=1)
    return Record(
        task=Task(key=TaskKey(key), media=media),
        annotations=tuple(
            Annotation(
                unique_id=who,
                annotator=f"{who}@example.org",
                round="cheese",
                created_at="2026-11-21T14:00:00.000000Z",
                updated_at="2026-11-21T14:00:00.000000Z",
                ontology_digest="0" * 64,
                result=(_box(label),),
            )
            for who, label in answers
        ),
    )


def _box(label: str) -> Mapping[str, Json]:
    return {
        "id": "r1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 10,
        "original_height": 10,
        "value": {
            "x": 0,
            "y": 0,
            "width": 5,
            "height": 5,
            "rotation": 0,
            "rectanglelabels": [label],
        },
    }


def found(settings: GateSettings, *records: Record, at: RoundFacts | None = None) -> list[Finding]:
    return list(check(settings, ONTOLOGY, at or facts(), records))


# The settings.


def test_the_shipped_file_states_every_default() -> None:
    """And names every setting, so that nobody has to look elsewhere."""
    assert decode_gates(default_settings()) == decode_gates(None) == decode_gates(b"") == OPEN
    text = default_settings().decode()
    for table, settings in OPEN.as_mapping().items():
        assert f"[{table}]" in text
        assert isinstance(settings, dict)
        assert all(f"{name} =" in text for name in settings)
    assert sum(len(one) for one in OPEN.as_mapping().values() if isinstance(one, dict)) == len(
        fields(GateSettings)
    )


def test_every_setting_is_read() -> None:
    text = """
        coverage = { answered = 0.95, waivable = false }
        labels = { only_ontology = false }
        agreement = { minimum = 0.8, measure = "answers" }
        conflicts = { maximum = 3 }
        metadata = { required = ["ops.annotators", "ticket"] }
        finish = { who = ["*@example.org"] }
    """
    assert decode_gates(text.encode()) == GateSettings(
        answered=0.95,
        waivable=False,
        only_ontology=False,
        minimum_agreement=0.8,
        measure=Measure.ANSWERS,
        maximum_conflicts=3,
        required_metadata=("ops.annotators", "ops.ticket"),
        who=("*@example.org",),
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[coverage]\nanswerd = 1.0", "coverage.answerd"),
        ("[covrage]\nanswered = 1.0", "covrage"),
        ("answered = 1.0", "answered"),
        ("[coverage]\nanswered = 1.2", "coverage.answered"),
        ("[coverage]\nanswered = -0.1", "coverage.answered"),
        ("[coverage]\nanswered = '1'", "coverage.answered"),
        ("[coverage]\nanswered = true", "coverage.answered"),
        ("[coverage]\nanswered = nan", "the document"),
        ("[coverage]\nanswered = 2026-11-21", "coverage.answered"),
        ("coverage = 1.0", "coverage"),
        ("[coverage]\nwaivable = 1", "coverage.waivable"),
        ("[labels]\nonly_ontology = 'yes'", "labels.only_ontology"),
        ("[agreement]\nminimum = 80", "agreement.minimum"),
        ("[agreement]\nmeasure = 'kappa'", "agreement.measure"),
        ("[conflicts]\nmaximum = -1", "conflicts.maximum"),
        ("[conflicts]\nmaximum = 0.5", "conflicts.maximum"),
        ("[metadata]\nrequired = 'round'", "metadata.required"),
        ("[metadata]\nrequired = ['']", "metadata.required"),
        ("[metadata]\nrequired = ['Round Name']", "metadata.required"),
        ("[finish]\nwho = [1]", "finish.who"),
        ("[finish]\nwho = [' ']", "finish.who"),
        ("[coverage", "the document"),
        ("[coverage]\nanswered = 1\nanswered = 1", "the document"),
        ("\xff", "the document"),
        ("a = " + "[" * 5000 + "]" * 5000, "the document"),
    ],
)
def test_what_is_no_setting_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        decode_gates(text.encode("latin-1"), name="mine.toml")
    assert caught.value.code == "gates-invalid"
    assert dict(caught.value.where)["field"] == place
    assert caught.value.message.startswith("mine.toml: ")


def test_the_hook_gets_what_people_wrote() -> None:
    compiled = json.loads(compile_gates(b"[metadata]\nrequired = ['ticket']"))
    assert compiled["settings"]["metadata"] == {"required": ["ops.ticket"]}
    assert compiled["settings"]["coverage"] == {"answered": 1, "waivable": True}
    assert compile_gates(b"") != compile_gates(b"# a word")


def test_the_hook_and_the_audit_let_each_kind_change_the_same() -> None:
    """What passes inside lakeFS is no finding afterwards, and the other way round."""
    script = hook_files()[GATE_SCRIPT_PATH].decode()
    lists = {
        name: re.findall(r'"([^"]+)"', places)
        for name, places in re.findall(r"^local ([A-Z]+) = \{ (.*) \}$", script, re.MULTILINE)
    }
    table = script.partition("local MAY_CHANGE = {")[2].partition("\n}")[0]
    stated = {
        kind: frozenset(
            area
            for name in names.split(", ")
            for place in lists[name]
            for area, beginnings in AREAS.items()
            if any(beginning.startswith(place) for beginning in beginnings)
        )
        for kind, names in re.findall(r'\["([a-z-]+)"\] = \{ ([A-Z, ]+) \}', table)
    }
    assert stated == KINDS


def test_what_a_person_says_on_the_merge() -> None:
    said = read_said(["ticket=A-17", " ops.reason = it was = due "])
    assert said == {"ops.ticket": "A-17", "ops.reason": "it was = due"}
    assert read_said([]) == {}


@pytest.mark.parametrize(
    "stated",
    [["ticket"], ["=A"], ["ticket="], ["Ticket=A"], ["a b=c"], ["a=1", "ops.a=2"], ["ops.=1"]],
)
def test_what_says_nothing_is_refused(stated: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        read_said(stated)
    assert (caught.value.code, caught.value.subject) == ("said-metadata", stated[-1])


# The gates.


def test_by_default_it_is_what_it_was_before_there_were_gates() -> None:
    """Every task an answer, every label in the ontology; a flag lets unfinished tasks pass."""
    good = record("a", ("ann", "brie"), ("ben", "gouda"))
    assert found(OPEN, good) == []
    short = facts(Counts(labeled=1, unfinished=1))
    assert [one.gate for one in found(OPEN, good, at=short)] == [Gate.COVERAGE]
    assert found(OPEN, good, at=replace(short, allow_unlabeled=True)) == []
    assert found(OPEN, good, at=facts(conflict_count=99)) == []


@pytest.mark.parametrize(
    ("answered", "counts", "passes"),
    [
        (1.0, Counts(labeled=1, empty=1, skipped=1), True),
        (1.0, Counts(labeled=3, quarantined=1), True),
        (1.0, Counts(), True),
        (1.0, Counts(quarantined=2), True),
        (1.0, Counts(labeled=999, unfinished=1), False),
        # Shares that floats cannot hold are met exactly.
        (0.07, Counts(labeled=7, unfinished=93), True),
        (0.29, Counts(skipped=29, unfinished=71), True),
        (0.29, Counts(skipped=28, unfinished=72), False),
        (0.0, Counts(unfinished=5), True),
    ],
)
def test_coverage(answered: float, counts: Counts, *, passes: bool) -> None:
    assert (found(replace(OPEN, answered=answered), at=facts(counts)) == []) is passes


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_share_stated_as_a_quotient_is_met_by_it(total: int, part: int) -> None:
    answered = min(part, total)
    counts = Counts(labeled=answered, unfinished=total - answered)
    exact = replace(OPEN, answered=answered / total)
    assert found(exact, at=facts(counts)) == []


def test_where_it_is_not_waivable_the_flag_does_not_help() -> None:
    strict = replace(OPEN, waivable=False, answered=0.5)
    few = facts(Counts(labeled=1, unfinished=2), allow_unlabeled=True)
    [finding] = found(strict, at=few)
    assert finding.message == "1 of 3 tasks have an answer (33.3%), main asks for 50.0%"
    assert (finding.code, finding.task) == ("unlabeled-tasks", None)


def test_a_label_main_lacks_is_the_tasks_fault() -> None:
    odd = record("b", ("ann", "amanita"))
    [finding] = found(OPEN, record("a", ("ann", "brie")), odd)
    assert (finding.code, finding.task) == ("unknown-labels", "b")
    assert "'amanita'" in finding.message
    assert found(replace(OPEN, only_ontology=False), odd) == []


def test_people_who_disagree_are_the_tasks_fault() -> None:
    strict = replace(OPEN, minimum_agreement=0.8, measure=Measure.REGIONS)
    agreed = record("a", ("ann", "brie"), ("ben", "brie"))
    apart = record("b", ("ann", "brie"), ("ben", "gouda"))
    alone = record("c", ("ann", "brie"))
    [finding] = found(strict, agreed, apart, alone)
    assert (finding.code, finding.task) == ("low-agreement", "b")
    assert finding.message == "agreement (regions) is 0.00, main asks for 0.80"
    assert found(replace(strict, measure=Measure.ANSWERS), apart) == []
    assert found(replace(strict, minimum_agreement=0.0), apart) == []


def test_conflicts_settled_by_a_flag() -> None:
    strict = replace(OPEN, maximum_conflicts=2)
    assert found(strict, at=facts(conflict_count=2)) == []
    [finding] = found(strict, at=facts(conflict_count=3))
    assert (finding.code, finding.task) == ("too-many-conflicts", None)
    assert [one.gate for one in found(replace(OPEN, maximum_conflicts=0), at=facts())] == []


def test_metadata_that_is_missing_or_blank() -> None:
    strict = replace(OPEN, required_metadata=("ops.round", "ops.ticket", "ops.note"))
    said = {"ops.round": "cheese", "ops.note": "  "}
    findings = found(strict, at=facts(metadata=said))
    assert [one.message for one in findings] == [
        "the merge would not say ops.ticket",
        "the merge would not say ops.note",
    ]
    assert {one.code for one in findings} == {"missing-metadata"}


@pytest.mark.parametrize(
    ("who", "actor", "passes"),
    [
        ((), "anyone", True),
        (("*@example.org",), "lena@example.org", True),
        (("*@example.org",), "LENA@Example.ORG", True),
        (("*@example.org",), "lena@example.org.evil.test", False),
        (("lena@*", "ben@example.org"), "ben@example.org", True),
        (("lena@example.org",), "", False),
    ],
)
def test_who_may_finish(who: tuple[str, ...], actor: str, *, passes: bool) -> None:
    findings = found(replace(OPEN, who=who), at=facts(actor=actor))
    assert [one.code for one in findings] == ([] if passes else ["not-allowed-to-finish"])


def test_everything_that_is_wrong_is_said_at_once() -> None:
    strict = GateSettings(
        waivable=False, maximum_conflicts=0, required_metadata=("ops.ticket",), who=("nobody",)
    )
    wrong = facts(Counts(unfinished=1), conflict_count=1, allow_unlabeled=True)
    findings = found(strict, record("a", ("ann", "amanita"), ("ben", "morel")), at=wrong)
    assert [one.gate for one in findings] == [
        Gate.COVERAGE, Gate.CONFLICTS, Gate.METADATA, Gate.FINISH, Gate.LABELS, Gate.LABELS,
    ]  # fmt: skip
