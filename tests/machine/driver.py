"""Plays labeling: what people and verbs do, one move after the other, with mischief in between.

Owns the moves and the books of who submitted what; laws.py says what must hold after each of them.
A move takes three small numbers and makes of them what is possible at the moment: so Hypothesis can
shrink a play, and a play can be told again. A fault kills the verb at one of its requests, or has
somebody else make a move in the middle of one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ops.core.records import Json, TaskKey
from ops.core.selection import Selection
from ops.core.settle import Policy
from ops.errors import OpsError
from ops.runner.abort import abort_round
from ops.runner.context import Context
from ops.runner.data import add_media
from ops.runner.finish import finish_round
from ops.runner.rebase import rebase_round
from ops.runner.revert import revert_to
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.machine.laws import Laws
from tests.machine.reading import Box, Desk, boxes_of, read_desk
from tests.machine.stage import PEOPLE, Event, Killed, Stage
from tests.runner.world import LABELS, region

Numbers: TypeAlias = tuple[int, int, int]
Verb: TypeAlias = Callable[[Context], object]

MOST_OPEN = 3
POLICIES = (None, Policy.OURS, Policy.THEIRS, Policy.BOTH, Policy.QUARANTINE, Policy.FAIL)

UNDECIDED = frozenset({"tasks-changed-on-both-sides"})
UNFINISHED = frozenset({"unlabeled-tasks", "undecided-tasks"})
OVERTAKEN = frozenset(
    {
        *("branch-moved", "merge-conflict", "main-moved"),
        *("round-starting", "round-open", "round-aborted", "round-finished", "no-such-round"),
        *("nothing-to-label", "project-gone", "not-in-lakefs"),
    }
)
"""What a verb may say where somebody else acted since it began, or since it was killed."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something goes wrong at an event of a verb: a kill, or a move of somebody else.

    Events are counted: before and after each request, and before each upload.
    """

    at: int
    rival: tuple[str, Numbers] | None = None


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round as its branch and main state it."""

    name: str
    state: str
    project: int | None
    tasks: Sequence[str]


@dataclass(kw_only=True)
class Driver:
    """One play.

    Attributes:
        say: told each move, in words.
        counts: how often what was done.
        submitted: what people last submitted, by project and Label Studio's annotation id.
        interrupted: verbs that were killed and not run again yet, by what they are.
        is_whole: no move is under way, and no law was broken.
    """

    stage: Stage
    say: Callable[[str], None] = lambda _: None
    counts: Counter[str] = field(default_factory=Counter[str])
    submitted: dict[int, dict[int, tuple[str, bool, frozenset[Box]]]] = field(
        default_factory=dict[int, dict[int, tuple[str, bool, frozenset[Box]]]]
    )
    interrupted: dict[str, Verb] = field(default_factory=dict[str, Verb])
    is_whole: bool = True

    def __post_init__(self) -> None:
        """Put five pictures in."""
        self._started = self._drawn = self._pictures = self._depth = 0
        self._desks: list[Desk] = []
        self.laws = Laws(stage=self.stage)
        self._open()

    def _open(self) -> None:
        """Four pictures, three of them labeled: version 1; and two rounds to change these."""
        for _ in range(4):
            self.picture(0, 0, 0)
        self.start(2, 0, 0)
        for number in range(3):
            self.answer(0, number, number)
            self.check()
        self.finish(0, 0, 1)
        self.start(0, 0, 0)
        self.start(3, 0, 0)

    # What people do.

    def work(self, *acts: tuple[bool, Numbers]) -> None:
        """Some acts of annotators; each is a change, or a new answer."""
        for is_change, numbers in acts:
            (self.change if is_change else self.answer)(*numbers)
            self.check()

    def answer(self, a: int, b: int, c: int) -> None:
        """Somebody submits an answer: with a box, two, none, or as skipped."""
        if (found := self._open_task(a, b)) is None:
            return
        round_, key, task = found
        boxes = [self._box(), self._box()][: (1, 1, 2, 0, 0)[c % 5]]
        self._act(f"{PEOPLE[c % 3]} answers {key} in {round_.name}: {c % 5}")
        is_skip = c % 5 == 4
        made = self.stage.people.annotate(
            task, boxes, annotator=self.stage.members[c % 3], skipped=is_skip, lead_time_s=2.5
        )
        assert round_.project is not None
        self._book(round_.project, made, key, boxes, skipped=is_skip)

    def change(self, a: int, b: int, c: int) -> None:
        """Somebody changes or deletes an answer that is there."""
        if (found := self._open_task(a, b)) is None:
            return
        round_, key, _ = found
        assert round_.project is not None
        there = read_desk(self.stage.studio, [round_.project])[round_.project].get(key, ())
        if not there:
            return
        one = there[c % len(there)]
        self._act(f"somebody changes answer {c % len(there)} of {key} in {round_.name}: {c % 7}")
        if c % 7 == 6:
            self.stage.people.delete_annotation(one["id"])
            self.submitted.get(round_.project, {}).pop(one["id"], None)
            return
        boxes, is_skip = self._changed(one, c)
        self.stage.people.update_annotation(one["id"], boxes, skipped=is_skip)
        self._book(round_.project, one["id"], key, boxes, skipped=is_skip)

    def _changed(self, one: Mapping[str, Any], c: int) -> tuple[Sequence[dict[str, Json]], bool]:
        """The regions of an answer after a change, and whether it is a skip then."""
        boxes = [dict(box) for box in one["result"]]
        first = boxes[0] if boxes else self._box()
        value: Any = first["value"]
        rest, skipped = boxes[1:], bool(one["was_cancelled"])
        match c % 7:
            case 0:  # moved
                return [{**first, "value": {**value, "x": self._place()}}, *rest], skipped
            case 1:  # relabelled
                other = LABELS[LABELS.index(value["rectanglelabels"][0]) - 1]
                return [{**first, "value": {**value, "rectanglelabels": [other]}}, *rest], skipped
            case 2:
                return [*boxes, self._box()], skipped
            case 3:
                return rest, skipped
            case 4:
                return boxes, not skipped
            case _:  # the last one moved
                *others, last = boxes or [first]
                moved: Any = last["value"]
                return [*others, {**last, "value": {**moved, "x": self._place()}}], skipped

    # What verbs do.

    def start(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Start a round, or one that is there again."""
        rounds = [one for one in self.rounds() if one.state in {"starting", "open"}]
        if rounds and (len(rounds) >= MOST_OPEN or c % 5 == 4):
            name, selection = rounds[a % len(rounds)].name, Selection()
        else:
            self._started += 1
            name, selection = f"r{self._started}", self._selection(a, b)
        verb: Verb = lambda context: start_round(context, name, selection)  # noqa: E731
        self._perform(f"start {name} ({selection.in_words})", verb, {"nothing-to-label"}, fault)

    def _selection(self, a: int, b: int) -> Selection:
        keys = sorted(self.laws.library.pictures("main"))
        named = {TaskKey(keys[b % len(keys)]), TaskKey(keys[(b + a) % len(keys)])}
        edit = Selection(labeled_too=True, edit=True)
        return (
            *(edit, Selection(labeled_too=True), Selection(), edit),
            Selection(labeled_too=True, edit=True, keys=tuple(sorted(named))),
        )[a % 5]

    def sync(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Sync a round."""
        if round_ := self._open_round(a):
            full = (b + c) % 4 == 0
            verb: Verb = lambda context: sync_round(context, round_.name, full=full)  # noqa: E731
            self._perform(f"sync {round_.name}", verb, set(), fault)

    def rebase(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Take main into a round."""
        del c
        if round_ := self._open_round(a):
            policy = POLICIES[b % len(POLICIES)]
            name = round_.name
            verb: Verb = lambda context: rebase_round(context, name, on_conflict=policy)  # noqa: E731
            self._perform(f"rebase {name} ({policy})", verb, UNDECIDED, fault)

    def finish(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Finish a round."""
        if round_ := self._open_round(a):
            policy, quarantine = POLICIES[b % len(POLICIES)], c % 3 == 0
            waive, name = c % 4 != 0, round_.name

            def verb(context: Context) -> object:
                return finish_round(
                    context,
                    name,
                    on_conflict=policy,
                    quarantine=quarantine,
                    allow_unlabeled=waive,
                )

            words = f"finish {name} ({policy}, quarantine {quarantine}, waive {waive})"
            expected = UNDECIDED if waive else UNDECIDED | UNFINISHED
            self._perform(words, verb, expected, fault)

    def abort(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Abort a round, keeping branch and project or not."""
        if round_ := self._open_round(a):
            name, no_branch, no_project = round_.name, b % 3 == 0, c % 3 == 0

            def verb(context: Context) -> object:
                return abort_round(
                    context, name, remove_branch=no_branch, remove_project=no_project
                )

            if no_project and round_.project:
                self.submitted.pop(round_.project, None)
            self._perform(f"abort {name} ({no_branch}, {no_project})", verb, set(), fault)

    def picture(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Add a picture, or put another one behind a task."""
        del b
        number, keys = self._pictures, sorted(self.laws.library.pictures("main"))
        self._pictures += 1
        name = keys[a % len(keys)] if c % 4 and keys else f"p{number:03}.png"
        (self.stage.folder / str(number)).mkdir()
        path = self.stage.picture(f"{number}/{name}", number)
        verb: Verb = lambda context: add_media(context, [path], replace=True)  # noqa: E731
        self._perform(f"picture {number} as {name}", verb, set(), fault)

    def revert(self, a: int, b: int, c: int, fault: Fault | None = None) -> None:
        """Go back to an older version."""
        del b, c
        if versions := sorted(self.laws.versions):
            ref = self.laws.versions[versions[a % len(versions)]]
            verb: Verb = lambda context: revert_to(context, ref)  # noqa: E731
            self._perform(f"revert to v{versions[a % len(versions)]}", verb, set(), fault)

    def again(self, a: int, b: int, c: int) -> None:
        """Run a verb again that was killed."""
        del b, c
        if self.interrupted and not self._depth:
            words = sorted(self.interrupted)[a % len(self.interrupted)]
            expected = UNDECIDED | UNFINISHED | OVERTAKEN
            self._perform(words, self.interrupted[words], expected, None)

    def end(self) -> None:
        """Run everything again that was killed, and finish every round that is open."""
        while self.interrupted:
            self.again(0, 0, 0)
        while round_ := self._open_round(0):
            name = round_.name

            def finish(context: Context, name: str = name) -> object:
                return finish_round(context, name, on_conflict=Policy.BOTH, allow_unlabeled=True)

            self._perform(f"finish {name} at the end", finish, set(), None)
            head = self.stage.lake.find_commit("main")
            assert finish_round(self.stage.base, name).already_done
            assert self.stage.lake.find_commit("main") == head
        self._projects()

    # How a verb is performed.

    def _perform(
        self, words: str, verb: Verb, expected: set[str] | frozenset[str], fault: Fault | None
    ) -> None:
        lake = self.stage.lake
        is_again, head = words in self.interrupted, lake.find_commit("main")
        self.interrupted[words] = verb
        self._begin(words, fault)
        is_over, rivals, refusal = True, [0], None
        try:
            verb(self.stage.context("lena@example.org", self._event(fault, rivals)))
        except Killed:
            is_over = False
            self.counts["kills"] += 1
            self.say("  … killed")
        except OpsError as error:
            refusal = error
        if refusal is not None:
            self.say(f"  … refused: {refusal.code}")
            is_alone = not (rivals[0] or self._depth)
            allowed = expected if is_alone and not is_again else expected | OVERTAKEN
            assert refusal.code in allowed, f"{words}: {refusal!r}"
            assert not is_alone or lake.find_commit("main") == head, "refused, and main has moved"
            self.counts["refusals"] += 1
        self.counts[words.split(maxsplit=1)[0]] += 1
        self.counts["acts of somebody else in between"] += rivals[0]
        if is_over:
            self.interrupted.pop(words, None)
        self._finish_step()

    def _event(self, fault: Fault | None, rivals: list[int]) -> Event:
        count = 0

        def event(_: str) -> None:
            nonlocal count
            count += 1
            if fault is None or count != fault.at:
                return
            if fault.rival is None:
                raise Killed
            name, numbers = fault.rival
            rivals[0] += 1
            self._depth += 1
            self.say("  … in the middle of it:")
            getattr(self, name)(*numbers)
            self._depth -= 1

        return event

    def _act(self, words: str) -> None:
        """A person acts; no verb."""
        self._begin(words, None)
        self.counts["acts of annotators"] += 1

    def _begin(self, words: str, fault: Fault | None) -> None:
        self.is_whole = False
        self.stage.pass_time()
        self.say(f"{'  ' * self._depth}{words}{f', {fault}' if fault else ''}")
        self._desks.append(self._desk())

    def _finish_step(self) -> None:
        """The desks of a step are kept while a verb around it goes on."""
        self._desks.append(self._desk())
        self.laws.hold(self._desks, is_quiet=not self.interrupted)
        self._hold_desk(self._desks[-1])
        if not self._depth:
            self._desks.clear()
            self.is_whole = True

    def check(self) -> None:
        """Hold the laws after a move that was no verb's."""
        if self._desks and not self._depth:
            self._finish_step()

    def _desk(self) -> Desk:
        """What Label Studio holds of every round that was not over when the step began."""
        projects = {one.project for one in self.rounds() if one.project is not None}
        projects.update(*self._desks)
        return read_desk(self.stage.studio, sorted(projects))

    def _hold_desk(self, desk: Desk) -> None:
        """What people submitted is there as they left it, in whatever state the round is."""
        for project, answers in self.submitted.items():
            if project not in desk:
                continue
            there = {
                one["id"]: (key, one["was_cancelled"], boxes_of(one["result"]))
                for key, found in desk[project].items()
                for one in found
            }
            lost = {number for number, said in answers.items() if there.get(number) != said}
            assert not lost, f"project {project}: answers {lost} are not as submitted"

    def _projects(self) -> None:
        """One project a round, and each of its tasks once."""
        for one in self.rounds(over=True):
            manifest = self.laws.library.manifest(f"round-{one.name}", one.name)
            found = self.stage.studio.find_projects(f"ops:round/{manifest['id']}")
            assert len(found) <= 1, f"{len(found)} projects for round {one.name}"
            for project in found:
                keys = [row.key for row in self.stage.studio.task_rows(project.id)]
                assert len(set(keys)) == len(keys), f"a task twice in round {one.name}"

    # What there is.

    def rounds(self, *, over: bool = False) -> Sequence[Round]:
        """The rounds with a branch that main does not have yet; with `over`, all with a branch."""
        found: list[Round] = []
        library = self.laws.library
        for branch, _ in self.stage.lake.branches("round-"):
            name = branch.removeprefix("round-")
            manifest = library.manifest(branch, name)
            is_over = bool(library.manifest("main", name))
            if not manifest or (not over and (is_over or manifest["state"] == "aborted")):
                continue
            found.append(
                Round(
                    name=name,
                    # A finish that was killed leaves a branch that says so; main decides.
                    state="open" if manifest["state"] == "finished" else manifest["state"],
                    project=manifest["project"],
                    tasks=sorted(library.tasks(branch, name)),
                )
            )
        return found

    def _open_round(self, a: int) -> Round | None:
        rounds = [one for one in self.rounds() if one.state == "open"]
        return rounds[a % len(rounds)] if rounds else None

    def _open_task(self, a: int, b: int) -> tuple[Round, str, int] | None:
        """A round, one of its tasks, and Label Studio's id of it."""
        round_ = self._open_round(a)
        if round_ is None or round_.project is None:
            return None
        key = round_.tasks[b % len(round_.tasks)]
        rows = self.stage.studio.task_rows(round_.project)
        ids = [row.id for row in rows if row.key == key]
        return (round_, key, ids[0]) if ids else None

    def _place(self) -> int:
        self._drawn += 1
        return self._drawn

    def _box(self) -> dict[str, Json]:
        place = self._place()
        box = region(LABELS[place % 2])
        value: Any = box["value"]
        return {**box, "id": f"b{place}", "value": {**value, "x": place / 16}}

    def _book(
        self,
        project: int,
        number: int,
        key: str,
        boxes: Sequence[Mapping[str, Json]],
        *,
        skipped: bool,
    ) -> None:
        self.submitted.setdefault(project, {})[number] = (key, skipped, boxes_of(boxes))
