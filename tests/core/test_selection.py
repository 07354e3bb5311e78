"""Which tasks a selection takes, and that a manifest remembers what was asked for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.amendments import Amendment, AmendmentKind
from ops.core.ranking import Ranking, RankKind
from ops.core.records import CommitId, TaskKey, TaskState
from ops.core.rounds import Manifest, decode_manifest, encode_manifest
from ops.core.sampling import part_of
from ops.core.selection import Facts, Selection, select
from ops.errors import InvalidDataError

KEYS = tuple(TaskKey(name) for name in ("a.png", "b.png", "c.png", "d.png"))
STATES = {
    KEYS[0]: TaskState.LABELED,
    KEYS[1]: TaskState.SKIPPED,
    KEYS[2]: TaskState.UNFINISHED,
}
MANIFEST = Manifest(
    id="0" * 32,
    name="cheese",
    base=CommitId("c" * 64),
    actor="ann",
    created_at="2026-11-21T14:02:00.000000Z",
    selection=Selection(),
    task_count=2,
    tasks_digest="sha256:00",
    ontology_digest="sha256:11",
)


def test_without_a_wish_the_tasks_nobody_finished_are_taken() -> None:
    """Labeled and skipped ones are done."""
    assert select(KEYS, STATES, Selection()) == [KEYS[2], KEYS[3]]


@pytest.mark.parametrize("edit", [False, True])
def test_tasks_named_one_by_one_are_taken_in_any_state(edit: bool) -> None:
    """Naming a task is asking for it, whatever became of it."""
    named = Selection(keys=(KEYS[0], KEYS[1], KEYS[3]), edit=edit)
    assert select(KEYS, STATES, named) == [KEYS[0], KEYS[1], KEYS[3]]


def test_no_task_named_is_not_the_same_as_any_task() -> None:
    """An empty list of names takes nothing."""
    assert select(KEYS, STATES, Selection(keys=())) == []


def test_a_limit_holds_for_named_tasks_too() -> None:
    """The first by key."""
    assert select(KEYS, STATES, Selection(keys=KEYS, limit=1)) == [KEYS[0]]


@pytest.mark.parametrize("keys", [None, (), (KEYS[1],), KEYS])
def test_a_manifest_remembers_the_named_tasks(keys: tuple[TaskKey, ...] | None) -> None:
    """What was asked for comes back from the bytes as it was."""
    asked = replace(MANIFEST, selection=Selection(edit=True, keys=keys))
    assert decode_manifest(encode_manifest(asked), "cheese") == asked


def test_a_manifest_with_a_key_that_is_no_text_is_refused() -> None:
    """The field is named."""
    damaged = encode_manifest(replace(MANIFEST, selection=Selection(keys=(KEYS[0],)))).replace(
        b'"a.png"', b"1"
    )
    with pytest.raises(InvalidDataError, match="no task key"):
        decode_manifest(damaged, "cheese")


WISHES = (
    Selection(where="label = 'brie'", unlabeled=True),
    Selection(saved="bries", where="label = 'brie'"),
    Selection(percent=12.5, seed=-3, by="annotator"),
    Selection(sample=3, by="state", keys=KEYS),
    *(
        Selection(limit=2, ranking=Ranking(kind=kind, by="b", file=file, ascending=True))
        for kind in RankKind
        for file in (None, "scores.csv")
    ),
    Selection(
        ranking=Ranking(
            kind=RankKind.FILE,
            by="score",
            file="scores.csv",
            sha256="ab" * 32,
            ranks=((KEYS[0], 0.5), (KEYS[1], -1.0)),
        )
    ),
)


@pytest.mark.parametrize("asked", WISHES)
def test_a_manifest_remembers_every_kind_of_wish(asked: Selection) -> None:
    """And says it in words."""
    manifest = replace(MANIFEST, selection=asked)
    assert decode_manifest(encode_manifest(manifest), "cheese") == manifest
    assert asked.in_words != Selection().in_words


def test_an_old_manifest_is_read_and_written_as_it_was() -> None:
    """What came later is neither missed nor added."""
    data = encode_manifest(MANIFEST)
    later = (b"where", b"saved", b"percent", b"ranking", b"unlabeled", b'"by"', b"amendments")
    assert not [name for name in later if name in data]
    assert decode_manifest(data, "cheese").selection == Selection()


def test_a_wish_nobody_knows_is_refused() -> None:
    """A newer ops may have meant other tasks by it."""
    data = encode_manifest(replace(MANIFEST, selection=Selection(where="x"))).replace(
        b'"where"', b'"wherever"'
    )
    with pytest.raises(InvalidDataError, match="wherever is not a field"):
        decode_manifest(data, "cheese")


def test_a_manifest_remembers_its_amendments() -> None:
    """In their order."""
    amendments = tuple(
        Amendment(
            kind=kind,
            selection=Selection(keys=KEYS[:2]),
            actor="ann",
            at="2026-11-21T14:02:00.000000Z",
            onto=CommitId("d" * 64),
            task_count=2,
            tasks_digest="sha256:22",
            discarded=KEYS[:1] if kind is AmendmentKind.DROPPED else (),
        )
        for kind in AmendmentKind
    )
    manifest = replace(MANIFEST, amendments=amendments)
    assert decode_manifest(encode_manifest(manifest), "cheese") == manifest
    assert "1 of them answered" in amendments[1].in_words


def test_an_expression_finds_tasks_in_any_state_unless_asked() -> None:
    """Without one the unfinished ones are taken."""
    facts = Facts(found=frozenset(KEYS[:3]))
    where = Selection(where="x")
    assert select(KEYS, STATES, where, facts) == [*KEYS[:3]]
    assert select(KEYS, STATES, replace(where, unlabeled=True), facts) == [KEYS[2]]
    edit = Selection(where="x", edit=True, labeled_too=True)
    assert select(KEYS, STATES, edit, facts) == [KEYS[0], KEYS[1]]
    named = Selection(where="x", keys=KEYS[1:])
    assert select(KEYS, STATES, named, facts) == [KEYS[1], KEYS[2]]


def test_a_limit_takes_the_first_of_an_order() -> None:
    """By rank, not by key; tasks without a rank are left out."""
    facts = Facts(ranks={KEYS[0]: 9.0, KEYS[2]: 1.0, KEYS[3]: 2.0})
    ranking = Ranking(kind=RankKind.FILE, by="score")
    best = Selection(ranking=ranking, limit=1)
    assert select(KEYS, STATES, best, facts) == [KEYS[3]]
    assert select(KEYS, STATES, replace(best, labeled_too=True), facts) == [KEYS[0]]
    lowest = replace(best, ranking=replace(ranking, ascending=True))
    assert select(KEYS, STATES, lowest, facts) == [KEYS[2]]
    assert select(KEYS, STATES, replace(best, limit=None), facts) == [KEYS[2], KEYS[3]]


def test_disputed_tasks_are_taken_in_any_state() -> None:
    """They have labels, or nobody could disagree."""
    disputed = Selection(ranking=Ranking(kind=RankKind.DISAGREEMENT, by="combined"))
    assert select(KEYS, STATES, disputed, Facts(ranks={KEYS[0]: 0.5})) == [KEYS[0]]


@given(
    st.lists(st.sampled_from([f"k{number:02}" for number in range(40)]).map(TaskKey), unique=True),
    st.floats(0.1, 100),
    st.integers(0, 5),
)
def test_a_part_grows_with_its_whole(keys: list[TaskKey], percent: float, seed: int) -> None:
    """Never fewer tasks for more images; as many as the part is of the candidates."""
    part = Selection(percent=percent, seed=seed)
    taken = select(keys, {}, part)
    assert len(taken) == part_of(len(keys), percent)
    assert taken == sorted(taken)
    assert len(select([*keys, TaskKey("new")], {}, part)) >= len(taken)


def test_the_same_wish_is_known_by_its_words() -> None:
    """Whatever was found at the commit meanwhile; another file is another wish."""
    asked = Selection(saved="bries", limit=3)
    assert replace(asked, where="label = 'brie'").as_asked == asked.as_asked
    text = Ranking(kind=RankKind.TEXT, by="dog", file="folder/e.npz")
    kept = replace(text, file="e.npz", sha256="00", ranks=((KEYS[0], 1.0),))
    assert Selection(ranking=text).as_asked == Selection(ranking=kept).as_asked
    file = Ranking(kind=RankKind.FILE, by="score", file="s.csv", sha256="00")
    assert (
        Selection(ranking=file).as_asked != Selection(ranking=replace(file, sha256="11")).as_asked
    )
