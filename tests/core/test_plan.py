"""The plan of a start, played on a tiny model of the two servers."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.plan import StartObservation, StartStep, Step, plan_start
from ops.core.records import CommitId
from ops.core.rounds import Manifest, RoundState
from ops.core.selection import Selection

TASK_COUNT = 3
OLD_PROJECT, NEW_PROJECT = 31, 32
RESERVED = Manifest(
    id="0" * 32,
    name="cheese",
    base=CommitId("c" * 64),
    actor="ann",
    created_at="2026-11-21T14:02:00.000000Z",
    selection=Selection(),
    task_count=TASK_COUNT,
    tasks_digest="sha256:00",
    ontology_digest="11",
)


@dataclass(frozen=True, kw_only=True)
class Model:
    """As much of the servers as a start touches."""

    has_branch: bool = False
    manifest: Manifest | None = None
    project: int | None = None
    imported_count: int = 0
    duplicate_count: int = 0
    media_connected: bool = False
    picture_shown: bool = False

    def observe(self) -> StartObservation:
        """What the runner would say of it."""
        return StartObservation(
            name="cheese",
            has_branch=self.has_branch,
            manifest=self.manifest,
            task_count=TASK_COUNT,
            project=self.project,
            missing_count=TASK_COUNT - self.imported_count,
            duplicate_count=self.duplicate_count,
            media_connected=self.media_connected,
            picture_shown=self.picture_shown,
        )

    def apply(self, step: Step) -> "Model":
        """The servers after a step; a step taken too early is a mistake in the plan."""
        assert self.can(step.kind), f"{step.kind} comes too early"
        opened = self.manifest and replace(
            self.manifest, state=RoundState.OPEN, project=self.project
        )
        return {
            StartStep.BRANCH: replace(self, has_branch=True),
            StartStep.RESERVE: replace(self, manifest=RESERVED),
            StartStep.PROJECT: replace(self, project=NEW_PROJECT),
            StartStep.MEDIA: replace(self, media_connected=True),
            StartStep.IMPORT: replace(self, imported_count=TASK_COUNT),
            StartStep.DEDUPLICATE: replace(self, duplicate_count=0),
            StartStep.CHECK: replace(self, picture_shown=True),
            StartStep.OPEN: replace(self, manifest=opened),
        }[step.kind]

    def can(self, kind: StartStep) -> bool:
        """Say whether what a step needs is there."""
        is_whole = self.imported_count == TASK_COUNT
        return {
            StartStep.BRANCH: not self.has_branch,
            StartStep.RESERVE: self.has_branch,
            StartStep.PROJECT: self.manifest is not None,
            StartStep.MEDIA: self.project is not None,
            StartStep.IMPORT: self.media_connected,
            StartStep.DEDUPLICATE: is_whole,
            StartStep.CHECK: is_whole,
            StartStep.OPEN: self.manifest is not None and is_whole and self.picture_shown,
        }[kind]


@st.composite
def models(draw: st.DrawFn) -> Model:
    """The servers as a start killed anywhere, or people meanwhile, may have left them."""
    state = draw(st.sampled_from([RoundState.STARTING, RoundState.OPEN]))
    has_branch = draw(st.booleans())
    has_manifest = has_branch and draw(st.booleans())
    project = draw(st.sampled_from([None, OLD_PROJECT])) if has_manifest else None
    named = draw(st.sampled_from([None, OLD_PROJECT, OLD_PROJECT - 1]))
    is_there = project is not None
    return Model(
        has_branch=has_branch,
        manifest=replace(RESERVED, state=state, project=named) if has_manifest else None,
        project=project,
        imported_count=draw(st.integers(0, TASK_COUNT)) if is_there else 0,
        duplicate_count=draw(st.integers(0, 2)) if is_there else 0,
        media_connected=is_there and draw(st.booleans()),
        picture_shown=is_there and draw(st.booleans()),
    )


@given(models())
def test_the_plan_is_empty_after_its_steps(model: Model) -> None:
    """However a start was left, going through the plan once opens the round whole."""
    for step in plan_start(model.observe()):
        model = model.apply(step)
    assert plan_start(model.observe()) == ()
    assert model.manifest is not None
    assert model.manifest.state is RoundState.OPEN
    assert model.manifest.project == model.project
    assert model.imported_count == TASK_COUNT


@given(models())
def test_each_step_removes_itself_and_nothing_else(model: Model) -> None:
    """So `--dry-run` shows what observing and planning again after each step then does."""
    plan = plan_start(model.observe())
    while plan:
        model = model.apply(plan[0])
        rest = plan_start(model.observe())
        assert rest == plan[1:]
        plan = rest


@given(models())
def test_steps_come_in_their_order_and_once(model: Model) -> None:
    """The order of the enumeration."""
    kinds = [step.kind for step in plan_start(model.observe())]
    order = list(StartStep)
    assert kinds == sorted(set(kinds), key=order.index)


@given(models())
def test_only_a_whole_open_round_needs_nothing(model: Model) -> None:
    """Something is done exactly where something is missing."""
    seen = model.observe()
    is_whole = (
        model.manifest is not None
        and model.manifest.state is RoundState.OPEN
        and model.project is not None
        and model.manifest.project == model.project
        and model.imported_count == TASK_COUNT
        and not model.duplicate_count
        and model.media_connected
        and model.picture_shown
    )
    assert (plan_start(seen) == ()) is is_whole


def test_a_start_from_nothing_takes_every_step_but_mending() -> None:
    """And each is said in words, with the counts."""
    steps = plan_start(Model().observe())
    assert [step.kind for step in steps] == [
        kind for kind in StartStep if kind not in {StartStep.DEDUPLICATE, StartStep.PREDICT}
    ]
    said = "\n".join(step.text for step in steps)
    assert "branch round-cheese" in said
    assert "reserve rounds/cheese.json with 3 tasks" in said
    assert "import 3 tasks" in said


@given(models().filter(lambda model: model.project is not None), st.integers(1, 5))
def test_the_counts_in_the_words_are_those_observed(model: Model, count: int) -> None:
    """What `--dry-run` shows is what would be imported and removed."""
    seen = replace(
        model.observe(), missing_count=count, duplicate_count=count + 1, unpredicted_count=count + 2
    )
    texts = {step.kind: step.text for step in plan_start(seen)}
    assert texts[StartStep.IMPORT] == f"import {count} tasks"
    assert texts[StartStep.DEDUPLICATE].startswith(f"remove {count + 1} tasks ")
    assert texts[StartStep.PREDICT].startswith(f"attach {count + 2} predictions ")


@pytest.mark.parametrize("kind", StartStep)
def test_a_step_is_json_for_programs(kind: StartStep) -> None:
    """Its kebab-case name and its words."""
    assert Step(kind=kind, text="words").as_json() == {"step": kind.value, "text": "words"}
    assert kind.value == kind.value.lower().replace("_", "-")
