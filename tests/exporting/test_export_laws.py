"""Laws of an export, whatever people drew: nothing twice, nothing lost without a word."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.core.exporting.majority import vote
from ops.core.exporting.words import Format, Policy
from ops.core.records import Annotation
from tests.exporting.scene import FIVE, answer, box, json_of, scene, states_of

_edges = st.tuples(
    st.integers(0, 150), st.integers(0, 110), st.integers(1, 10), st.integers(1, 10)
).map(lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3]))
_boxes = st.lists(st.tuples(st.sampled_from(["brie", "gouda"]), _edges), max_size=4)


@st.composite
def answers(draw: st.DrawFn) -> list[Annotation]:
    """A few people's answers to one task, some skipped."""
    made: list[Annotation] = []
    for number in range(draw(st.integers(0, 4))):
        drawn = draw(_boxes)
        regions = [box(name, edges, f"b{n}") for n, (name, edges) in enumerate(drawn)]
        who = draw(st.sampled_from(["ann", "ben", "cem"]))
        skipped = draw(st.booleans())
        truth = draw(st.booleans()) and not any(one.ground_truth for one in made)
        made.append(answer(*regions, by=who, at=number, skipped=skipped, ground_truth=truth))
    return made


@settings(max_examples=25, deadline=None)
@given(st.lists(answers(), min_size=1, max_size=4), st.sampled_from(Policy))
def test_every_task_and_region_is_accounted_for(
    tasks: list[list[Annotation]], policy: Policy
) -> None:
    """The count law; every image once; the regions of `all` are all that count."""
    made = scene({f"{n}.png": given for n, given in enumerate(tasks)}, unlabeled=["u.png"])
    with TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        made.export(out, Format.COCO, policy=policy)
        facts, states = json_of(out / "export.json"), states_of(out)
        document = json_of(out / "annotations" / "instances_all.json")
    assert states == {state: n for state in FIVE if (n := facts["tasks"][state])}
    assert sum(states.values()) == len(tasks) + 1
    files = [one["file_name"] for one in document["images"]]
    assert len(set(files)) == len(files) == sum(facts["exported"].values())
    answered = sum(any(not one.skipped for one in given) for given in tasks)
    assert len(files) + sum(facts["not_exported"].values()) == answered
    regions = [len(one.result) for given in tasks for one in given if not one.skipped]
    written = len(document["annotations"])
    assert written == sum(regions) if policy is Policy.ALL else written <= sum(regions)


@settings(max_examples=200, deadline=None)
@given(answers())
def test_a_vote_loses_nothing_without_counting_it(given: list[Annotation]) -> None:
    """What stays and what is outvoted adds up, whoever comes first."""
    given = [one for one in given if not one.skipped]
    if not given:
        return
    found = vote(given)
    assert vote(given[::-1]) == found
    newest = {one.annotator: one for one in sorted(given, key=lambda one: one.updated_at)}
    cast = sum(len(one.result) for one in newest.values())
    assert found.ties <= found.outvoted <= cast
    if len(newest) == 1:
        assert found.answer == next(iter(newest.values()))
    elif found.answer is not None and found.answer.result:
        kept = len(found.answer.result)
        # Each thing that stays was marked by more than half of the people.
        assert cast - found.outvoted >= kept * (len(newest) // 2 + 1)
