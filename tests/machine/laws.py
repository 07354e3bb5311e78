"""What must hold of a repository and its rounds after every step of a play.

Owns the laws of commits on main: each is held against the commit it follows, whoever made it. What
of a task must hold is task_law.py's. Reads by reading.py alone.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast

import pyarrow.parquet

from ops.ports import Commit
from tests.machine.reading import (
    STATES,
    Desk,
    Document,
    Library,
    Said,
    Sheet,
    read_answers,
    state_of,
    tally,
)
from tests.machine.stage import Stage
from tests.machine.task_law import NOTHING, Case, hold, is_contested

VERSION_KINDS = {"finish", "revert"}
OTHER_KINDS = {"init", "data-add"}


@dataclass(kw_only=True)
class Laws:
    """Holds main against the laws, from commit to commit.

    Attributes:
        counts: how often what was held.
        doubled: tasks that have an answer twice, because both were to be kept.
        finished: rounds whose merge was seen, by name, with the policy in force.
    """

    stage: Stage
    counts: Counter[str] = field(default_factory=Counter[str])
    doubled: set[str] = field(default_factory=set[str])
    finished: dict[str, str] = field(default_factory=dict[str, str])
    versions: dict[int, str] = field(default_factory=dict[int, str])
    head: str = ""

    def __post_init__(self) -> None:
        """Begin at main as it is."""
        self.library = Library(lake=self.stage.lake)
        self.head = str(self.stage.lake.find_commit("main"))

    def hold(self, desks: Sequence[Desk], *, is_quiet: bool) -> None:
        """Hold every new commit of main, and what must always be.

        Args:
            desks: what Label Studio held at any moment since the step began.
            is_quiet: no verb is under way, and none was interrupted.
        """
        lake = self.stage.lake
        new: list[Commit] = []
        for commit in lake.log("main", first_parent=True):
            if commit.id == self.head:
                break
            new.append(commit)
        for commit in reversed(new):
            self._commit(commit, desks)
            self.head = commit.id
        assert not list(lake.uncommitted("main")), "something is staged on main"
        self._tags(is_quiet=is_quiet)

    def _commit(self, commit: Commit, desks: Sequence[Desk]) -> None:
        kind = commit.metadata.get("ops.kind", "none")
        before, after = (self.library.sheets(one) for one in (commit.parents[0], commit.id))
        assert commit.metadata.get("ops.expected_head", commit.parents[0]) == commit.parents[0]
        if kind == "finish":
            self._finish(commit, before, after, desks)
        elif kind == "revert":
            self._revert(commit, before, after)
        else:
            assert kind in OTHER_KINDS, f"a merge of kind {kind}"
            assert _bytes(before) == _bytes(after), f"{kind} changed records"
        if kind in VERSION_KINDS:
            self._version(commit, after)
        self.counts[f"commits of {kind}"] += 1

    def _finish(
        self,
        commit: Commit,
        before: Mapping[str, Sheet],
        after: Mapping[str, Sheet],
        desks: Sequence[Desk],
    ) -> None:
        name = commit.metadata["ops.round"]
        manifest = self.library.manifest(commit.id, name)
        tasks = self.library.tasks(commit.id, name)
        assert manifest["state"] == "finished"
        assert name not in self.finished, "a round was finished twice"
        assert manifest["tasks"]["count"] == len(tasks)
        strangers = {key for key in before.keys() | after.keys() if key not in tasks}
        assert _bytes(before, strangers) == _bytes(after, strangers), "not the round's to change"
        cases = [
            self._cases(commit, manifest, tasks, desk)
            for desk in desks
            if manifest["project"] in desk
        ]
        assert cases, f"round {name} was finished, and nobody looked at its project"
        for alternatives in zip(*cases, strict=True):
            self._one_holds(alternatives)
        wanted = [self._states(manifest, one, tasks) for one in cases]
        assert manifest["counts"] in wanted, f"{manifest['counts']}, not {wanted}"
        stated = {state: int(commit.metadata[f"ops.round_{state}"]) for state in (*STATES, "tasks")}
        assert stated == manifest["counts"]
        taken_in = manifest["taken_in"]
        self.finished[name] = taken_in["on_conflict"] if taken_in else "none"
        if taken_in and taken_in["on_conflict"] in {"both", "quarantine"}:
            self.doubled.update(taken_in["settled"])

    def _cases(
        self, commit: Commit, manifest: Document, tasks: Mapping[str, bool], desk: Desk
    ) -> Sequence[Case]:
        base, main, after = (
            self.library.sheets(one) for one in (manifest["base"], commit.parents[0], commit.id)
        )
        shown, there = (self.library.pictures(one) for one in (manifest["base"], commit.parents[0]))
        nothing: Document = {"on_conflict": "fail", "settled": []}
        taken_in: Document = manifest["taken_in"] or nothing
        held = {one["key"]: one["reason"] for one in manifest["held"]}
        members = self.stage.studio.members()
        answers = desk[manifest["project"]]
        cases: list[Case] = []
        for key, carried in tasks.items():
            befores = base[key].answers if key in base else NOTHING
            own = read_answers(answers.get(key, ()), befores if carried else NOTHING, members)
            cases.append(
                Case(
                    key=key,
                    base=base.get(key),
                    own=own if carried else {**befores, **own},
                    main=main.get(key),
                    after=after.get(key),
                    policy=taken_in["on_conflict"],
                    settled=key in taken_in["settled"],
                    held=held.get(key),
                    shown=shown[key],
                    there=there.get(key),
                )
            )
        return cases

    def _one_holds(self, alternatives: Sequence[Case]) -> None:
        """Somebody may have answered meanwhile: as it was before, or after."""
        problems: list[str] = []
        for case in alternatives:
            try:
                hold(case)
            except AssertionError as error:
                problems.append(f"{case.key}: {error}\n{case}")
            else:
                self.counts["tasks merged"] += case.main is not None
                self.counts["tasks in conflict"] += case.settled
                self.counts["tasks held back"] += case.held is not None
                self.counts["answers both sides changed"] += sum(
                    is_contested(case.befores.get(u), case.own.get(u), case.mains.get(u))
                    for u in case.own.keys() | case.mains.keys()
                )
                return
        raise AssertionError(problems[0])

    def _states(
        self, manifest: Document, cases: Sequence[Case], tasks: Mapping[str, bool]
    ) -> Mapping[str, int]:
        """The round's tasks by state: by what was answered in it."""
        held = {one["key"] for one in manifest["held"]}

        def own(case: Case) -> list[Said]:
            kept = () if tasks[case.key] else case.befores
            return [said for identity, said in case.own.items() if identity not in kept]

        return tally("quarantined" if c.key in held else state_of(own(c)) for c in cases)

    def _revert(
        self, commit: Commit, before: Mapping[str, Sheet], after: Mapping[str, Sheet]
    ) -> None:
        wanted = self.library.sheets(commit.metadata["ops.reverted_to"])
        assert _bytes(after) == _bytes(wanted), "a revert to something else"
        assert _bytes(before) != _bytes(after), "a version in which nothing changed"

    def _version(self, commit: Commit, after: Mapping[str, Sheet]) -> None:
        """Number, counts, card, snapshot and identities."""
        number = int(commit.metadata["ops.version"])
        assert number == 1 + max(self.versions, default=0), f"version {number}: a gap"
        self.versions[number] = commit.id
        for key, sheet in after.items():
            assert sheet.state == sheet.own_state, key
        counts = tally(sheet.own_state for sheet in after.values())
        assert counts["tasks"] == sum(counts[state] for state in STATES) == len(after)
        assert {name: int(commit.metadata[f"ops.{name}"]) for name in counts} == counts
        card = self.library.document(commit.id, "card.json")
        assert card["tasks"] == counts
        assert card["annotations"] == sum(len(sheet.answers) for sheet in after.values())
        lines = card["history"]
        assert [line["version"] for line in lines] == list(range(1, number + 1))
        assert lines[-1]["counts"] == counts
        assert [self._line(self.versions[n]) for n in range(1, number + 1)] == [
            json.loads(json.dumps(line["counts"])) for line in lines
        ], "the card's history is not the commits'"
        self._snapshot(commit.id, after)
        self._unique(after)
        self.counts["versions"] += 1

    def _line(self, commit: str) -> Mapping[str, int]:
        return tally(sheet.own_state for sheet in self.library.sheets(commit).values())

    def _snapshot(self, commit: str, after: Mapping[str, Sheet]) -> None:
        data = self.stage.lake.read(commit, "snapshot/tasks.parquet")
        assert data is not None
        rows = cast("Any", pyarrow.parquet).read_table(BytesIO(data)).to_pylist()
        packed = {row["key"]: (row["state"], row["record"].encode()) for row in rows}
        assert len(packed) == len(rows), "a task twice in the snapshot"
        assert packed == {key: (one.own_state, one.data) for key, one in after.items()}

    def _unique(self, after: Mapping[str, Sheet]) -> None:
        every = Counter(identity for sheet in after.values() for identity in sheet.answers)
        assert max(every.values(), default=1) == 1, "an identity is on main twice"
        for key, sheet in after.items():
            places = Counter(box[2] for said in sheet.answers.values() for box in said.boxes)
            is_once = max(places.values(), default=1) == 1
            assert is_once or key in self.doubled, f"{key}: one box in two answers"

    def _tags(self, *, is_quiet: bool) -> None:
        tags = dict(self.stage.lake.tags())
        wanted = {f"v{number}": commit for number, commit in self.versions.items()}
        assert all(wanted.get(tag) == commit for tag, commit in tags.items()), f"{tags}"
        assert not is_quiet or tags == wanted, f"{sorted(tags)} of {sorted(wanted)}"


def _bytes(sheets: Mapping[str, Sheet], keys: set[str] | None = None) -> Mapping[str, bytes]:
    return {key: sheet.data for key, sheet in sheets.items() if keys is None or key in keys}
