"""`dataset split`: which part of the tasks a model learns from, kept on main beside the labels.

Owns the reading and writing of splits. Which task goes where is ops/core/splits.py's; what is alike
is ops/runner/duplicates.py's.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction

from ops.core.duplicates import NEAR_DISTANCE, Link, Why, check_distance, equal_links
from ops.core.names import (
    MEDIA_PREFIX,
    SPLIT_PREFIX,
    check_table_name,
    facts_path,
    media_key,
    split_path,
)
from ops.core.records import CommitId, Json, TaskKey
from ops.core.split_facts import SplitFacts, decode_split_facts
from ops.core.splits import (
    Assigned,
    Assignment,
    Leak,
    assign,
    assignments_digest,
    counts_by_part,
    share_text,
)
from ops.errors import InvalidDataError, NotFoundError, RefusedError, UsageError
from ops.parquet import Column, read_rows, write_rows
from ops.ports import Upload
from ops.runner.context import Context, main_head
from ops.runner.deposit import deposit
from ops.runner.duplicates import Pictures, Said, read_pictures, read_said

COLUMNS: Mapping[str, Column] = {"key": Column.TEXT, "part": Column.TEXT, "group": Column.TEXT}
"""The columns of `splits/<name>.parquet`; the rows are by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A split as it lies at a commit."""

    facts: SplitFacts
    assignments: Mapping[TaskKey, Assignment]


def read_split(context: Context, commit: str, name: str) -> Mapping[TaskKey, str]:
    """The part of each task that a split at a commit assigns. Two requests.

    A picture that came later has none until `ops dataset split NAME` is run again.

    Raises:
        UsageError: no split can have that name.
        NotFoundError: there is no such split.
        InvalidDataError: it is damaged.
    """
    found = load_split(context, commit, name)
    return {key: one.part for key, one in found.assignments.items()}


def load_split(context: Context, commit: str, name: str) -> Split:
    """A split as it lies at a commit. Two requests.

    Raises:
        UsageError: no split can have that name.
        NotFoundError: there is no such split.
        InvalidDataError: it is damaged, or its table is not the one its document names.
    """
    found = _find(context, commit, name)
    if found is None:
        there = [one.name for one in list_splits(context, commit)]
        close = get_close_matches(name, there, n=1)
        raise NotFoundError(
            "no-such-split",
            f"there is no split {name}" + (f"; did you mean {close[0]}?" if close else ""),
            subject=name,
            where=(("splits", ", ".join(there) or "none"), ("commit", commit)),
            unchanged="nothing was written",
            hint=f"make it with: ops dataset split {name} --ratios train=0.8,val=0.1,test=0.1",
        )
    return found


def list_splits(context: Context, commit: str) -> Sequence[SplitFacts]:
    """What is known of each split at a commit, by name. One request, and one a split.

    Raises:
        InvalidDataError: one of the documents is none.
    """
    suffix = ".json"
    listed = context.lake.list_objects(commit, SPLIT_PREFIX)
    paths = [found.path for found in listed if found.path.endswith(suffix)]
    return [
        decode_split_facts(data, path.removeprefix(SPLIT_PREFIX).removesuffix(suffix))
        for path, data in context.lake.read_many(commit, paths)
    ]


def _find(context: Context, commit: str, name: str) -> Split | None:
    path = split_path(check_table_name(name, noun="split"))
    document, table = (context.lake.read(commit, one) for one in (facts_path(path), path))
    if document is None and table is None:
        return None
    facts = decode_split_facts(document or b"", name)
    split = Split(facts=facts, assignments=_decode(table or b"", path))
    if assignments_digest(split.assignments.values()) != facts.digest:
        raise InvalidDataError(
            "split-damaged",
            f"{path} is not the table that {facts_path(path)} names",
            subject=path,
            where=(("commit", commit),),
            unchanged="nothing was written",
            hint="see which commit changed it: ops dataset log",
        )
    return split


def _decode(data: bytes, path: str) -> dict[TaskKey, Assignment]:
    rows = read_rows(data, [*COLUMNS], path=path)
    every = (
        Assignment(key=TaskKey(str(row["key"])), part=str(row["part"]), group=str(row["group"]))
        for row in rows
    )
    return {one.key: one for one in every}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a split is asked for; None for what is left as it is, or as it is by default."""

    ratios: Mapping[str, Fraction] | None = None
    by: str | None = None
    seed: int | None = None
    near_distance: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was, or would be, assigned.

    Attributes:
        facts: of the split as it is now.
        added: the part of each task that had none, by key.
        gone: how many assigned tasks have no picture any more.
        leaks: tasks that belong together and are in different parts.
        ungrouped: how many tasks have no value of `--by`; None without `--by`.
        largest: the group that most tasks are in, and their number.
        pictures: what was known of them.
        is_new: there was no such split.
        commit: main's new head; None where nothing was new, or with a dry run.
    """

    facts: SplitFacts
    added: Mapping[TaskKey, str]
    gone: int
    leaks: Sequence[Leak]
    ungrouped: int | None
    largest: tuple[str, int]
    pictures: Pictures
    is_new: bool
    commit: CommitId | None


def make_split(context: Context, name: str, asked: Asked, *, dry_run: bool = False) -> Made:
    """Give every picture of main a part, and keep that on main; those that have one keep it.

    Repeatable: the same command takes in the pictures that came since, and writes nothing where
    none did. Two requests a 1 000 pictures, and some fifteen.

    Raises:
        UsageError: a name, a distance or `--by` that cannot be, or no ratios for a new split.
        NotFoundError: the repository is not set up.
        RefusedError: the split is there and was asked for otherwise, or there is no picture.
        InvalidDataError: the split, the profile or a table is damaged.
        ConflictError: somebody else changed the split meanwhile.
    """
    head = main_head(context.lake)
    there = _find(context, head, name)
    facts = _wanted(context, head, name, asked=asked, there=there)
    seen = _look(context, head, facts.by)
    assigned = _assign(seen, there.assignments if there else {}, facts)
    facts = replace(
        facts,
        counts=counts_by_part(assigned.assignments, facts.ratios),
        digest=assignments_digest(assigned.assignments),
    )
    is_due = bool(assigned.added) or there is None
    commit = None
    if is_due and not dry_run:
        uploads = _uploads(facts, assigned.assignments)
        # From the commit it was made for: what others assign meanwhile is in conflict, not lost.
        commit = deposit(context, "split", uploads, message=f"Split {name}", base=head, split=name)
    parts = {one.key: one.part for one in assigned.assignments}
    return Made(
        facts=facts if is_due or there is None else there.facts,
        added={key: parts[key] for key in assigned.added},
        gone=len(parts.keys() - seen.pictures.objects.keys()),
        leaks=assigned.leaks,
        ungrouped=None if facts.by is None else len(seen.pictures.objects) - len(seen.names),
        largest=Counter(one.group for one in assigned.assignments).most_common(1)[0],
        pictures=seen.pictures,
        is_new=there is None,
        commit=commit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Whether a split holds for the pictures of a commit.

    Attributes:
        leaks: tasks that belong together and are in different parts.
        unassigned: tasks that have no part, sorted.
        pictures: what was known of them.
    """

    facts: SplitFacts
    leaks: Sequence[Leak]
    unassigned: Sequence[TaskKey]
    pictures: Pictures


def check_split(context: Context, commit: CommitId, name: str) -> Checked:
    """Look for tasks that belong together and are in different parts; writes nothing.

    Raises:
        NotFoundError: there is no such split.
        UsageError: the expression it is grouped by cannot be evaluated any more.
        RefusedError: there is no picture.
        InvalidDataError: the split, the profile or a table is damaged.
    """
    split = load_split(context, commit, name)
    seen = _look(context, commit, split.facts.by)
    unassigned = sorted(seen.pictures.objects.keys() - split.assignments.keys())
    present = {k: one for k, one in split.assignments.items() if k in seen.pictures.objects}
    links = _links(seen, split.assignments, split.facts)
    leaks = assign(
        present,
        present,
        links=links,
        names=seen.names,
        seed=split.facts.seed,
        ratios=split.facts.ratios,
    ).leaks
    return Checked(facts=split.facts, leaks=leaks, unassigned=unassigned, pictures=seen.pictures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A split's parts in figures, at a commit.

    Attributes:
        unassigned: how many pictures of the commit have no part.
        states: tasks that have a picture, by part and state.
        labels: tasks that a label was found in, by part and label.
    """

    facts: SplitFacts
    unassigned: int
    states: Mapping[str, Mapping[str, int]]
    labels: Mapping[str, Mapping[str, int]]


def show_split(context: Context, commit: CommitId, name: str) -> Shown:
    """How the tasks of a commit fall into a split's parts. One request a 1 000 pictures, and three.

    Raises:
        NotFoundError: there is no such split.
        InvalidDataError: the split or the snapshot is damaged.
    """
    split = load_split(context, commit, name)
    said = read_said(context, commit)
    states: dict[str, Counter[str]] = {part: Counter() for part in split.facts.ratios}
    labels: dict[str, Counter[str]] = {part: Counter() for part in split.facts.ratios}
    unassigned = 0
    for found in context.lake.list_objects(commit, MEDIA_PREFIX):
        key = media_key(found.path)
        assignment, stands = split.assignments.get(key), said.get(key, Said())
        if assignment is None:
            unassigned += 1
        else:
            states[assignment.part][stands.state.value] += 1
            labels[assignment.part].update(stands.labels)
    return Shown(facts=split.facts, unassigned=unassigned, states=states, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A commit's pictures, and the value of `--by` of each that has one."""

    pictures: Pictures
    names: Mapping[TaskKey, str]


def _look(context: Context, commit: CommitId, by: str | None) -> _Seen:
    """What a split is made from.

    Raises:
        RefusedError: there is no picture.
    """
    pictures = read_pictures(context, commit)
    if not pictures.objects:
        raise RefusedError(
            "nothing-to-split",
            f"repository {context.lake.repository} holds no picture",
            subject=context.lake.repository,
            unchanged="nothing was written",
            hint="put pictures in with: ops data add PATH",
        )
    return _Seen(pictures=pictures, names=_names(context, commit, by, pictures) if by else {})


def _names(
    context: Context, commit: CommitId, by: str, pictures: Pictures
) -> Mapping[TaskKey, str]:
    """The value of an expression for each task that has one: neither null nor an empty text."""
    from ops.runner.tables import open_tables

    with open_tables(context, commit, images=pictures.objects.values()) as tables:
        values = tables.values(by)
    texts = {key: _name(value) for key, value in values.items() if key in pictures.objects}
    return {key: text for key, text in texts.items() if text}


def _name(value: Json) -> str:
    """A value as a group's name; nothing for one that says nothing."""
    if value is None or value != value:  # noqa: PLR0124 - NaN alone is not itself
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _links(seen: _Seen, before: Mapping[TaskKey, Assignment], facts: SplitFacts) -> Iterator[Link]:
    yield from equal_links(seen.names, why=Why.GROUP, first=before)
    yield from seen.pictures.links(facts.near_distance, first=before)


def _assign(seen: _Seen, before: Mapping[TaskKey, Assignment], facts: SplitFacts) -> Assigned:
    return assign(
        seen.pictures.objects,
        before,
        links=_links(seen, before, facts),
        names=seen.names,
        seed=facts.seed,
        ratios=facts.ratios,
    )


def _wanted(
    context: Context, head: CommitId, name: str, *, asked: Asked, there: Split | None
) -> SplitFacts:
    """The split's facts, its tasks still to be assigned.

    Raises:
        UsageError: no ratios for a new split, or a distance that cannot be.
        RefusedError: it is there, and was asked for otherwise.
    """
    distance = asked.near_distance
    if there is None and asked.ratios is None:
        raise UsageError(
            "split-without-ratios",
            f"there is no split {name} yet: say how large its parts are to be",
            subject=name,
            unchanged="nothing was written",
            hint=f"ops dataset split {name} --ratios train=0.8,val=0.1,test=0.1",
        )
    known = there.facts if there else None
    wanted = SplitFacts(
        name=name,
        ratios=asked.ratios or (known.ratios if known else {}),
        seed=asked.seed if asked.seed is not None else (known.seed if known else 0),
        by=asked.by if asked.by is not None else (known.by if known else None),
        near_distance=check_distance(distance)
        if distance is not None
        else (known.near_distance if known else NEAR_DISTANCE),
        counts={},
        digest="",
        base=head,
        made_by=context.actor,
        made_at=context.timestamp(),
    )
    if known:
        _refuse_other(known, wanted)
    return wanted


def _refuse_other(known: SplitFacts, wanted: SplitFacts) -> None:
    """Refuse to change what a split was asked for with: tasks would change their part.

    Raises:
        RefusedError: something differs.
    """
    is_known, is_wanted = _asked_words(known), _asked_words(wanted)
    odd = [what for what in is_known if is_known[what] != is_wanted[what]]
    if odd:
        raise RefusedError(
            "split-differs",
            f"split {known.name} was asked for with other {' and '.join(odd)}",
            subject=known.name,
            where=(
                ("there", ", ".join(f"{what} {is_known[what]}" for what in odd)),
                ("asked", ", ".join(f"{what} {is_wanted[what]}" for what in odd)),
            ),
            unchanged="nothing was written: a task never changes its part",
            hint=f"take in new pictures with: ops dataset split {known.name}\n"
            "or give the other split another name",
        )


def _asked_words(facts: SplitFacts) -> Mapping[str, str]:
    return {
        "ratios": ",".join(f"{part}={share_text(r)}" for part, r in facts.ratios.items()),
        "seeds": str(facts.seed),
        "groups": facts.by or "none",
        "distances": str(facts.near_distance),
    }


def _uploads(facts: SplitFacts, assignments: Sequence[Assignment]) -> Sequence[Upload]:
    path = split_path(facts.name)
    rows: list[dict[str, Json]] = [
        {"key": one.key, "part": one.part, "group": one.group} for one in assignments
    ]
    return [
        Upload(path=path, data=write_rows(rows, COLUMNS), content_type=PARQUET),
        Upload(path=facts_path(path), data=facts.encode()),
    ]


PARQUET = "application/vnd.apache.parquet"
