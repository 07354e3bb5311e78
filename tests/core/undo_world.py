"""A task's history made by dice, as plain data, and what it becomes without one person or class.

The oracle shares no code with ops: annotations are small tuples, each region one value, and each
rule of the table in ops/core/undo.py is followed literally.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import Literal, TypeAlias, TypeVar, cast

from ops.core.canonical import normalise, normalise_record
from ops.core.records import Annotation, Media, Record, Task, TaskKey
from tests.core.merge_edits import box

EVE, FAY = "eve@example.org", "fay@example.org"
PEOPLE = (EVE, FAY, "gus@example.org")
LABELS = ("brie", "gouda")
_IDS = ("u", "v", "w")
_REGIONS = ("a", "b", "c")
_KEY = TaskKey("cheese/1.jpg")

Region: TypeAlias = tuple[str, int]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Said:
    """An annotation: who made it, the last saving, what it says, and the saving it was made in.

    Where that is 0, it was made an hour before it was saved.
    """

    made_by: str
    saved_by: str
    stamp: int
    regions: Mapping[str, Region] = field(default_factory=dict[str, Region])
    skipped: bool = False
    born: int = 0

    @property
    def words(self) -> tuple[dict[str, Region], bool]:
        """What it says."""
        return dict(self.regions), self.skipped


Chain: TypeAlias = Sequence[Said | None]
Clash: TypeAlias = Literal["conflict"]
CLASH: Clash = "conflict"


@dataclass(frozen=True)
class Story:
    """The annotations at each commit, by id; and which commits ops made by itself."""

    commits: Sequence[Mapping[str, Said]]
    by_ops: Sequence[bool]

    def chain(self, unique_id: str) -> Chain:
        """One annotation through all commits."""
        return [commit.get(unique_id) for commit in self.commits]


def tell(dice: Random) -> Story:
    """A history of up to six commits."""
    stamps = iter(range(1, 1000))
    commits = [{one: _new(dice, next(stamps)) for one in _IDS if dice.random() < 0.5}]
    by_ops = [False]
    for _ in range(dice.randrange(1, 6)):
        commit, is_by_ops = dict(commits[-1]), dice.random() < 0.15
        for one in _IDS:
            if dice.random() < 0.6:
                known = commit.pop(one, None)
                made = _step(dice, known, next(stamps), is_by_ops=is_by_ops)
                commit |= {one: made} if made else {}
        commits.append(commit)
        by_ops.append(is_by_ops)
    return Story(commits=commits, by_ops=by_ops)


def _new(dice: Random, stamp: int) -> Said:
    who = dice.choice(PEOPLE)
    helper = dice.choice(PEOPLE) if dice.random() < 0.2 else who
    regions = {one: _region(dice) for one in _REGIONS if dice.random() < 0.5}
    born = dice.choice((0, stamp))
    return Said(made_by=who, saved_by=helper, stamp=stamp, regions=regions, born=born)


def _region(dice: Random) -> Region:
    return dice.choice(LABELS), dice.choice((0, 10, 20))


def _step(dice: Random, known: Said | None, stamp: int, *, is_by_ops: bool) -> Said | None:
    if known is None:
        return _new(dice, stamp) if dice.random() < 0.6 else None
    if dice.random() < 0.12:
        return None
    regions, name = dict(known.regions), dice.choice(_REGIONS)
    if dice.random() < 0.25:
        regions.pop(name, None)
    else:
        regions[name] = _region(dice)
    skipped = known.skipped ^ (dice.random() < 0.05)
    if is_by_ops or dice.random() < 0.05:
        return replace(known, regions=regions, skipped=skipped)
    saved_by = dice.choice(PEOPLE)
    return replace(known, regions=regions, skipped=skipped, saved_by=saved_by, stamp=stamp)


def to_record(commit: Mapping[str, Said]) -> Record:
    """The commit as a record."""
    media = Media(path=f"images/{_KEY}", checksum="c0", size_bytes=1)
    annotations = tuple(to_annotation(name, said) for name, said in commit.items())
    return normalise_record(Record(task=Task(key=_KEY, media=media), annotations=annotations))


def to_annotation(unique_id: str, said: Said) -> Annotation:
    """The annotation as ops has it."""
    found = Annotation(
        unique_id=unique_id,
        annotator=said.made_by,
        updated_by=None if said.saved_by == said.made_by else said.saved_by,
        round="cheese",
        created_at=f"2026-11-21T{15 if said.born else 14}:02:00.{said.born:06}Z",
        updated_at=f"2026-11-21T15:02:00.{said.stamp:06}Z",
        ontology_digest="0" * 64,
        skipped=said.skipped,
        result=tuple(box(name, label, x) for name, (label, x) in said.regions.items()),
    )
    return normalise(found)


def words_of(annotation: Annotation) -> tuple[dict[str, Region], bool]:
    """What an annotation of ops says, in the oracle's words."""
    regions: dict[str, Region] = {}
    for entry in annotation.result:
        value = cast("Mapping[str, object]", entry["value"])
        [label] = cast("list[str]", value["rectanglelabels"])
        regions[str(entry["id"])] = (label, cast("int", value["x"]))
    return regions, annotation.skipped


def whose(before: Said | None, after: Said | None, who: str | None, *, by_ops: bool) -> str:
    """Whose a step is: `hers`, `others`, `ops` or `unknown`."""
    if by_ops:
        return "ops"
    if who is None:
        return "hers"
    if after is None:
        return "others"
    if before and before.stamp == after.stamp:
        return "unknown"
    involved = {after.saved_by} if before else {after.made_by}
    if after.born != after.stamp:
        involved.add(after.saved_by)
    if who not in involved:
        return "others"
    return "hers" if len(involved) == 1 else "unknown"


Step: TypeAlias = tuple[str, Said | None, Said | None]


def steps_of(story: Story, unique_id: str, who: str | None) -> list[Step]:
    """Who did what to one annotation, without what ops took back."""
    path: list[Said | None] = []
    by_ops: list[bool] = []
    for one, is_by_ops in zip(story.chain(unique_id), story.by_ops, strict=True):
        if path and path[-1] == one:
            continue
        if is_by_ops and one in path:
            end = path.index(one) + 1
            path, by_ops = path[:end], by_ops[:end]
        else:
            path.append(one)
            by_ops.append(is_by_ops)
    return [
        (whose(before, after, who, by_ops=by_ops[number + 1]), before, after)
        for number, (before, after) in enumerate(pairwise(path))
    ]


def is_plain(story: Story, unique_id: str, who: str) -> bool:
    """Whether all steps are hers, or none: then nothing is merged."""
    kinds = {kind for kind, _, _ in steps_of(story, unique_id, who)}
    return kinds == {"hers"} or not kinds & {"hers", "unknown"}


def without_person(story: Story, unique_id: str, who: str) -> Said | Clash | None:
    """The annotation as it should be without her steps."""
    steps = steps_of(story, unique_id, who)
    kinds = [kind for kind, _, _ in steps]
    if not {"hers", "unknown"} & {*kinds}:
        return story.commits[-1].get(unique_id)
    if "unknown" in kinds:
        return CLASH
    left = story.commits[0].get(unique_id)
    for kind, before, after in _joined(steps):
        if kind == "hers" or (kind == "ops" and left is None and before):
            continue
        again = _again(before, after, left)
        if again == CLASH:
            return CLASH
        left = again
    return left


def _joined(steps: Sequence[tuple[str, _Value, _Value]]) -> list[tuple[str, _Value, _Value]]:
    """What others and ops did after each other as one; others' where one of them is."""
    joined: list[tuple[str, _Value, _Value]] = []
    for kind, before, after in steps:
        if kind != "hers" and joined and joined[-1][0] != "hers":
            earlier, start, _ = joined.pop()
            joined.append(("others" if "others" in (earlier, kind) else "ops", start, after))
        else:
            joined.append((kind, before, after))
    return joined


def _again(before: Said | None, after: Said | None, left: Said | None) -> Said | Clash | None:
    """What others made of `before`, made of what is left."""
    if after is None or left == before:
        return after
    if before is None or left is None:
        return left if before and before.words == after.words else CLASH
    if before.words == after.words:
        return left
    if left.words in (before.words, after.words):
        return after
    return _mixed(before, after, left)


def _mixed(before: Said, after: Said, left: Said) -> Said | Clash:
    if len({one.skipped for one in (before, after, left)}) > 1:
        return CLASH
    regions: dict[str, Region] = {}
    for name in _REGIONS:
        old, new, mine = (one.regions.get(name) for one in (before, after, left))
        if len({old, new, mine}) == len((old, new, mine)):
            return CLASH
        if (value := mine if new == old else new) is not None:
            regions[name] = value
    if not (regions or after.skipped) and after.regions and left.regions:
        return CLASH
    return replace(after, regions=regions)


def without_class(story: Story, unique_id: str, who: str | None, label: str) -> Said | Clash | None:
    """The annotation as it should be without what was said of a class since."""
    then, now = (commit.get(unique_id) for commit in (story.commits[0], story.commits[-1]))
    if now is None:
        return None
    steps = steps_of(story, unique_id, who)
    regions = dict(now.regions)
    for name, (named, _) in now.regions.items():
        if named == label:
            left = _region_without(name, steps, then) if _counts(name, steps) else now.regions[name]
            if left == CLASH:
                return CLASH
            regions.pop(name)
            regions |= {name: left} if left else {}
    if regions == now.regions:
        return now
    if then and then.words == (regions, now.skipped):
        return then
    if not (regions or now.skipped) and not (then and not then.regions):
        return None
    return replace(now, regions=regions)


def _region_without(name: str, steps: Sequence[Step], then: Said | None) -> Region | Clash | None:
    def value(said: Said | None) -> Region | None:
        return said.regions.get(name) if said else None

    changes = [
        (kind, value(one), value(two)) for kind, one, two in steps if value(one) != value(two)
    ]
    if "unknown" in {kind for kind, _, _ in changes}:
        return CLASH
    left = value(then)
    for kind, old, new in _joined(changes):
        if kind == "hers" or (kind == "ops" and left is None and old is not None):
            continue
        if len({old, new, left}) == len((old, new, left)):
            return CLASH
        left = left if new == old else new
    return left


def _counts(name: str, steps: Sequence[Step]) -> bool:
    """Whether she, or nobody knows who, touched the region."""
    return any(
        kind in {"hers", "unknown"}
        and (one.regions.get(name) if one else None) != (two.regions.get(name) if two else None)
        for kind, one, two in steps
    )
