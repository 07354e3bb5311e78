"""The gate inside a real lakeFS: what it lets through, what it refuses, and what it cannot see."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from uuid import uuid4

import pytest

from ops.core.canonical import encode_record
from ops.core.card import Card
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import (
    ACTION_PATH,
    CARD_JSON_PATH,
    COMPILED_GATES_PATH,
    GATE_SCRIPT_PATH,
    GATES_PATH,
    LABEL_CONFIG_PATH,
    MAIN,
    record_path,
)
from ops.core.records import CommitId, TaskKey
from ops.core.snapshot import listing_digest, record_checksum
from ops.errors import OpsError, RefusedError
from ops.gate import hook_files
from ops.local import Connection
from ops.runner.context import Context, main_head
from ops.runner.gates import gate_state, publish_files, refuse_gate_changes, set_gates
from ops.runner.init import init_repository
from tests.context import real_context
from tests.system.proposals import (
    Proposal,
    RawLake,
    an_old_number,
    another_count,
    another_digest,
    another_listing,
    another_total,
    propose,
    record,
    with_files,
)

pytestmark = pytest.mark.servers

CONFIG = write_label_config(["brie", "gouda"], LabelKind.BOXES)
# lakeFS parses whatever lies in that folder, at every commit: this one it takes.
OTHER_ACTION = "_lakefs_actions/other.yaml"
ANOTHER = b"name: another\non:\n  pre-create-tag:\nhooks: []\n"
FIVE = [
    record("a.png", "brie"),
    record("b.png", "brie", "gouda"),
    record("c/c-é.png", "gouda"),
    record("c.png"),
    record("d.png", skipped=True),
]


def a_dataset(servers: Connection) -> Context:
    """A repository of its own with the gate and one version of five records."""
    context = real_context(servers, f"test-{uuid4().hex[:12]}")
    init_repository(context, label_config=CONFIG, namespace=f"local://{context.lake.repository}")
    first = propose(context, FIVE)
    assert merge(context, first, first.metadata) is not None
    return context


def merge(context: Context, proposal: Proposal, metadata: Mapping[str, str]) -> CommitId | None:
    """The raw merge, as anybody with the key may ask for it."""
    return context.lake.merge(proposal.head, MAIN, "by hand", metadata)


def refusal(context: Context, proposal: Proposal, metadata: Mapping[str, str]) -> str:
    """Why the gate refuses; main stays where it was."""
    before = main_head(context.lake)
    with pytest.raises(RefusedError) as caught:
        merge(context, proposal, metadata)
    assert caught.value.code == "gate"
    assert main_head(context.lake) == before
    return caught.value.message


@pytest.fixture(scope="module")
def dataset(servers: Connection) -> Context:
    """Shared: every test here leaves main a version that holds."""
    return a_dataset(servers)


@pytest.fixture(scope="module")
def changed(dataset: Context) -> Proposal:
    """A version that would pass, which no test merges."""
    return propose(dataset, [record("a.png", "gouda")])


@pytest.fixture
def raw(servers: Connection, dataset: Context) -> Iterator[RawLake]:
    api = RawLake(servers, dataset.lake.repository)
    yield api
    api.close()


# What a merge must say.


@pytest.mark.parametrize(
    "name",
    [
        "kind", "actor", "tool_version", "expected_head", "version", "snapshot_digest",
        "tasks", "labeled", "empty", "skipped", "unfinished", "quarantined",
    ],
)  # fmt: skip
def test_a_version_must_say_everything(dataset: Context, changed: Proposal, name: str) -> None:
    """Left out, or said blankly."""
    for missing in (None, " "):
        metadata = changed.saying(**{name: missing})
        assert f"does not say ops.{name}" in refusal(dataset, changed, metadata)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"kind": "finnish"}, "ops.kind is 'finnish'"),
        ({"kind": "data-add"}, "may not change"),
        ({"kind": "gates"}, "may not change"),
        ({"expected_head": "0" * 64}, "main moved"),
        ({"version": "1"}, "not say the same of ops.version"),
        ({"version": "two"}, "ops.version is no whole number"),
        ({"snapshot_digest": "0" * 64}, "not say the same of ops.snapshot_digest"),
        ({"labeled": "99"}, "do not add up"),
        ({"labeled": "1.5"}, "ops.labeled is no whole number"),
        ({"tasks": "6"}, "do not add up"),
    ],
)
def test_what_it_says_must_be_so(
    dataset: Context, changed: Proposal, said: Mapping[str, str], reason: str
) -> None:
    assert reason in refusal(dataset, changed, changed.saying(**said))


def test_the_states_must_be_the_cards_too(dataset: Context, changed: Proposal) -> None:
    """The sum is right, and two of its parts are not."""
    metadata = changed.saying(labeled="2", empty="2")
    assert "not say the same of ops.labeled" in refusal(dataset, changed, metadata)


# What the records say: here merge and card agree on the lie.


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (another_count, "ops.labeled is 2, the records say 3"),
        (another_digest, "is not the digest of the records"),
        (another_listing, "not those card.json was made from"),
        (an_old_number, "main has that version already"),
        (another_total, "ops.tasks is 6, and there are 5 records"),
    ],
)
def test_card_and_merge_cannot_lie_together(
    dataset: Context, lie: Callable[[Card], Card], reason: str
) -> None:
    proposal = propose(dataset, [record("a.png", "gouda")], lie=lie)
    assert reason in refusal(dataset, proposal, proposal.metadata)


@pytest.mark.parametrize(
    "files",
    [
        {record_path(TaskKey("a.png")): encode_record(record("a.png", "brie", "brie"))},
        {record_path(TaskKey("b.png")): encode_record(record("b.png", "gouda"))},
        {record_path(TaskKey("z.png")): encode_record(record("z.png", "gouda"))},
    ],
    ids=["a changed record", "another record", "a new record"],
)
def test_a_record_that_came_after_the_packing(dataset: Context, files: Mapping[str, bytes]) -> None:
    proposal = propose(dataset, [record("a.png", "gouda")], files=files)
    reason = refusal(dataset, proposal, proposal.metadata)
    assert "not those card.json" in reason or "ops.tasks is 5, and there are 6" in reason


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"state": "labeled"', b'"state": "empty"', "its annotations say labeled"),
        (b'"key": "a.png"', b'"key": "b.png"', "is the record of another task"),
        (b'"annotations": [', b'"annotation": [', "has no annotations"),
        (b'"result": [', b'"results": [', "an annotation has no result"),
        (b"{", b"", "no JSON object"),
    ],
)
def test_a_record_that_is_none(dataset: Context, old: bytes, new: bytes, reason: str) -> None:
    """Listing, card and merge all agree; the record itself does not."""
    path = record_path(TaskKey("a.png"))
    good = encode_record(record("a.png", "gouda"))
    bad = good.replace(old, new, 1)
    assert bad != good
    checksums = {
        found.path: found.checksum for found in dataset.lake.list_objects(MAIN, "annotations/")
    }
    digest = listing_digest({**checksums, path: record_checksum(bad)})
    proposal = propose(
        dataset,
        [record("a.png", "gouda")],
        lie=lambda card: replace(card, listing_digest=digest),
        files={path: bad},
    )
    assert reason in refusal(dataset, proposal, proposal.metadata)


def test_a_card_that_is_gone_is_missed(dataset: Context) -> None:
    proposal = with_files(dataset, {CARD_JSON_PATH: None})
    good = propose(dataset, [record("a.png", "gouda")])
    assert "card.json is missing" in refusal(dataset, proposal, good.metadata)


# Which kinds may change what.


def test_pictures_need_no_words(dataset: Context) -> None:
    """As from the UI, where nobody types metadata: they falsify no label."""
    proposal = with_files(dataset, {"images/new.png": b"picture"})
    assert merge(dataset, proposal, {}) is not None


@pytest.mark.parametrize(
    "path", ["notes.txt", "rounds/x.json", LABEL_CONFIG_PATH, GATES_PATH, OTHER_ACTION]
)
def test_anything_else_does(dataset: Context, path: str) -> None:
    proposal = with_files(dataset, {path: ANOTHER, "images/other.png": b"picture"})
    assert "does not say ops.kind" in refusal(dataset, proposal, {})


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("finish", GATES_PATH),
        ("finish", COMPILED_GATES_PATH),
        ("finish", LABEL_CONFIG_PATH),
        ("finish", "images/new2.png"),
        ("revert", GATE_SCRIPT_PATH),
        ("ontology", OTHER_ACTION),
        ("gates", LABEL_CONFIG_PATH),
        ("data-add", "notes.txt"),
        ("repair", "notes.txt"),
    ],
)
def test_a_kind_changes_what_is_its_own(dataset: Context, kind: str, path: str) -> None:
    """A branch that keeps the hook cannot change the gate it stands before."""
    content = hook_files()[path] + b"-- one word more" if path == GATE_SCRIPT_PATH else ANOTHER
    proposal = with_files(dataset, {path: content})
    said = dataset.metadata(kind, expected_head=main_head(dataset.lake))
    place = path.partition("/")[0] + "/" if "/" in path else path
    assert refusal(dataset, proposal, said).endswith(f"kind '{kind}' may not change {place}")


def test_the_gate_itself_must_be_changed_on_the_main_that_is(dataset: Context) -> None:
    proposal = with_files(dataset, {"_gates/note.md": b"a word"})
    said = dataset.metadata("gates")
    assert "does not say ops.expected_head" in refusal(dataset, proposal, said)


# Ways around a merge.


def test_main_is_not_reverted_or_picked_onto(
    dataset: Context, raw: RawLake, changed: Proposal
) -> None:
    """Both pass branch protection in lakeFS 1.84; both would leave snapshot and card behind."""
    before = main_head(dataset.lake)
    for answer in (raw.revert(before), raw.cherry_pick(changed.head)):
        assert answer.status_code == 412, answer.text
        assert "ops dataset revert" in answer.text
    assert main_head(dataset.lake) == before


def test_a_branch_that_leaves_the_gate_behind_meets_none(servers: Connection) -> None:
    """The hook comes with what is merged. ops refuses that branch, and misses the gate after."""
    context = a_dataset(servers)
    main = main_head(context.lake)
    assert gate_state(context).is_whole
    proposal = with_files(context, {ACTION_PATH: None, record_path(TaskKey("a.png")): b"{}"})
    with pytest.raises(RefusedError) as caught:
        refuse_gate_changes(context, main, proposal.head)
    assert (caught.value.code, caught.value.subject) == ("gate-changed", ACTION_PATH)

    around = merge(context, proposal, {})
    assert around is not None
    state = gate_state(context)
    assert state.problems == (f"{ACTION_PATH} was removed around ops",)
    assert state.written_by is not None
    anything = with_files(context, {"notes.txt": b"now anybody may"})
    assert merge(context, anything, {}) is not None

    for take_over in (_init_again, _set_gates):
        with pytest.raises(RefusedError) as caught:
            take_over(context)
        assert caught.value.code == "gate-tampered"
    publish_files(context, hook_files(), kind="repair", message="Put the gate back")
    assert gate_state(context).is_whole
    more = with_files(context, {"notes.txt": b"and now nobody"})
    assert "does not say ops.kind" in refusal(context, more, {})


def _init_again(context: Context) -> object:
    return init_repository(context, label_config=None, namespace="x")


def _set_gates(context: Context) -> object:
    return set_gates(context, b"", name="")


def test_a_repository_from_before_the_gate_gets_it(servers: Connection) -> None:
    """By running init again; what it has of settings stays."""
    context = real_context(servers, f"test-{uuid4().hex[:12]}")
    lake = context.lake
    init_repository(context, label_config=CONFIG, namespace=f"local://{lake.repository}")
    bare = with_files(context, dict.fromkeys((ACTION_PATH, GATE_SCRIPT_PATH, COMPILED_GATES_PATH)))
    settings = b"[coverage]\nanswered = 0.5\n"
    assert merge(context, bare, context.metadata("init")) is not None
    assert publish_files(context, {GATES_PATH: settings}, kind="init", message="as it was")
    assert gate_state(context).missing == (COMPILED_GATES_PATH, ACTION_PATH, GATE_SCRIPT_PATH)

    plan = init_repository(context, label_config=None, namespace="x", dry_run=True)
    assert gate_state(context).missing
    done = init_repository(context, label_config=None, namespace="x")
    assert plan.steps == done.steps
    assert [step for step in done.steps if ACTION_PATH in step and GATE_SCRIPT_PATH in step]
    assert gate_state(context).is_whole
    assert lake.read(MAIN, GATES_PATH) == settings
    assert init_repository(context, label_config=None, namespace="x").steps == ()


# Bounds.


def test_beyond_its_bounds_it_checks_what_is_cheap_and_says_the_rest(servers: Connection) -> None:
    """Six records and a bound of three: counts from what changed, digests from the listing."""
    context = a_dataset(servers)
    action = hook_files()[ACTION_PATH]
    small = re.sub(rb"most_records: \d+", b"most_records: 3", action)
    assert small != action
    publish_files(context, {ACTION_PATH: small}, kind="gates", message="Read less")
    raw = RawLake(servers, context.lake.repository)

    def six(lie: Callable[[Card], Card] = lambda card: card) -> Proposal:
        return propose(context, [record("z.png", "brie")], lie=lie)

    lying = six(another_count)
    assert "ops.labeled is 3, the records say 4" in refusal(context, lying, lying.metadata)
    lying = six(another_listing)
    assert "not those card.json" in refusal(context, lying, lying.metadata)
    good = six(another_digest)
    commit = merge(context, good, good.metadata)
    assert raw.said_by_the_hook(commit).splitlines() == [
        "6 records are those card.json was made from",
        "counts derived again from main's and 1 changed records",
        "NOT CHECKED: the snapshot digest against the records; card.json says the same",
    ]
    many = propose(context, [record(key, "gouda") for key in ("a.png", "b.png")], lie=another_count)
    commit = merge(context, many, many.metadata)
    assert "NOT CHECKED: what the changed records say" in raw.said_by_the_hook(commit)
    raw.close()


def test_what_somebody_broke_on_main_does_not_stop_what_mends_it(servers: Connection) -> None:
    """Within the bounds, and beyond them, where main's side is read as well."""
    context = a_dataset(servers)
    raw = RawLake(servers, context.lake.repository)
    action = hook_files()[ACTION_PATH]
    for bound, said in (
        (b"3", "NOT CHECKED: the counts; main's card is not of main's records"),
        (b"2000", "counts and snapshot digest derived again from every record"),
    ):
        path = record_path(TaskKey("a.png"))
        around = with_files(context, {ACTION_PATH: None, path: b"no record"})
        assert merge(context, around, {}) is not None
        bounded = re.sub(rb"most_records: \d+", b"most_records: " + bound, action)
        assert publish_files(context, {ACTION_PATH: bounded}, kind="repair", message="Put back")
        mended = propose(context, [record("a.png", "gouda")])
        commit = merge(context, mended, mended.metadata)
        assert said in raw.said_by_the_hook(commit).splitlines()
    raw.close()


# What main asks for.


def test_settings_are_mains_and_the_hook_holds_them_too(servers: Connection) -> None:
    """What main requires a finish to say, whoever merges it."""
    context = a_dataset(servers)
    done = set_gates(context, b"[metadata]\nrequired = ['ticket']", name="mine.toml")
    assert done.commit is not None
    assert set(done.changed) == {GATES_PATH, COMPILED_GATES_PATH}
    assert gate_state(context).written_by == done.commit
    assert set_gates(context, b"[metadata]\nrequired = ['ticket']", name="").changed == ()

    counts = {"labeled": 1, "empty": 0, "skipped": 0, "unfinished": 0, "quarantined": 0}
    manifest = {"id": "5" * 32, "state": "finished", "version": 2, "counts": counts}
    files = {"rounds/cheese.json": json.dumps(manifest).encode()}
    proposal = propose(context, [record("a.png", "gouda")], kind="finish", files=files)
    said = proposal.saying(
        round="cheese",
        round_id="5" * 32,
        base=main_head(context.lake),
        round_tasks="1",
        **{f"round_{state}": str(count) for state, count in counts.items()},
    )
    assert "does not say ops.ticket" in refusal(context, proposal, said)
    whole = {**said, "ops.ticket": "A-1"}
    for name, value, reason in [
        ("round_id", "6" * 32, "is not the manifest of this finished round"),
        ("round_labeled", "0", "a task is lost or counted twice"),
        ("round", "gouda", "rounds/gouda.json is missing"),
        ("base", "", "does not say ops.base"),
    ]:
        wrong = {**whole, f"ops.{name}": value}
        assert reason in refusal(context, proposal, wrong)
    swapped = {**whole, "ops.round_labeled": "0", "ops.round_empty": "1"}
    assert "do not say the same of ops.round_labeled" in refusal(context, proposal, swapped)
    assert merge(context, proposal, whole) is not None


def test_errors_of_the_gate_read_like_every_other(dataset: Context, changed: Proposal) -> None:
    """What, where, unchanged, next; and nothing of lakeFS's own words."""
    with pytest.raises(OpsError) as caught:
        merge(dataset, changed, {})
    error = caught.value
    assert error.message.endswith("the merge does not say ops.kind; use ops, which says it")
    assert dict(error.where)["gate ops gate/ops_gate"]
    assert "hook run id" not in str(error.where) + error.message
