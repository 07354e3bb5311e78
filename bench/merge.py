"""How fast tasks changed on both sides are merged, and what others make of the same files.

    python -m bench.merge [--tasks 10000] [--changed 1000]

Every changed task was edited by two people since its base: one relabelled a box and drew another,
the other moved a box, both of the same annotation. Baselines in the same run: a plain comparison of
the three JSON files, which can tell that both sides changed and no more; and `git merge-file`, line
by line, which is what version control does with such files. No server is asked.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from bench.round import boxes
from ops.core.canonical import decode_record, encode_record
from ops.core.merge import merge_records
from ops.core.records import Annotation, Json, Media, Record, Task, TaskKey


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One task's record at the base and on both sides, encoded."""

    base: bytes
    ours: bytes
    theirs: bytes


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Merge tasks changed on both sides.")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=1_000)
    asked = parser.parse_args()
    step = max(1, asked.tasks // asked.changed)
    every = [_sides(number, is_changed=number % step == 0) for number in range(asked.tasks)]
    both = [one for one in every if len({one.base, one.ours, one.theirs}) == 3]
    print(f"{asked.tasks} tasks, {len(both)} changed on both sides")
    plain = _timed("plain JSON comparison", lambda: _compare(both))
    ours = _timed("ops, three-way merge", lambda: _merge(both))
    git = _timed("git merge-file", lambda: _git(both))
    print(f"ops takes {ours / plain:.2f}x the plain comparison, {ours / git:.3f}x git merge-file")
    print(f"ops merges {len(both) / ours:,.0f} tasks a second")


def _timed(name: str, work: Callable[[], str]) -> float:
    started = time.perf_counter()
    said = work()
    seconds = time.perf_counter() - started
    print(f"{name:<22} {seconds:8.3f} s   {said}")
    return seconds


def _merge(every: list[Sides]) -> str:
    """Decode, merge and encode, as a finish does."""
    merged = conflicts = 0
    for one in every:
        found = merge_records(*(decode_record(side) for side in (one.base, one.ours, one.theirs)))
        conflicts += bool(found.conflicts)
        if found.record is not None:
            merged += len(encode_record(found.record)) > 0
    return f"{merged - conflicts} merged, {conflicts} in conflict"


def _compare(every: list[Sides]) -> str:
    disputed = 0
    for one in every:
        base, ours, theirs = (json.loads(side) for side in (one.base, one.ours, one.theirs))
        disputed += base not in (ours, theirs) and ours != theirs
    return f"0 merged, {disputed} in conflict as a whole"


def _git(every: list[Sides]) -> str:
    conflicts = 0
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name in ("ours", "base", "theirs")]
        for one in every:
            for path, data in zip(paths, (one.ours, one.base, one.theirs), strict=True):
                path.write_bytes(data)
            command = ["git", "merge-file", "--stdout", "--quiet", *map(str, paths)]
            done = subprocess.run(command, capture_output=True, check=False)
            conflicts += done.returncode != 0
    return f"{len(every) - conflicts} merged, {conflicts} in conflict"


def _sides(number: int, *, is_changed: bool) -> Sides:
    base = _record(number)
    if not is_changed:
        data = encode_record(base)
        return Sides(base=data, ours=data, theirs=data)
    [annotation] = base.annotations
    first, second, third = annotation.result
    relabelled: Mapping[str, Json] = {
        **first,
        "value": {**_value(first), "rectanglelabels": ["gouda"]},
    }
    drawn: Mapping[str, Json] = {**third, "id": "drawn"}
    moved: Mapping[str, Json] = {**second, "value": {**_value(second), "x": 50.1}}
    return Sides(
        base=encode_record(base),
        ours=encode_record(_saved(base, (relabelled, second, third, drawn), minute=10)),
        theirs=encode_record(_saved(base, (first, moved, third), minute=20)),
    )


def _saved(record: Record, result: tuple[Mapping[str, Json], ...], *, minute: int) -> Record:
    [annotation] = record.annotations
    saved = replace(
        annotation,
        result=result,
        updated_by="ben@example.org",
        updated_at=f"2026-11-21T09:{minute}:00.000000Z",
    )
    return replace(record, annotations=(saved,))


def _record(number: int) -> Record:
    key = TaskKey(f"{number:06}.png")
    media = Media(path=f"images/{key}", checksum="0" * 32, size_bytes=15)
    annotation = Annotation(
        unique_id=str(uuid5(NAMESPACE_URL, key)),
        annotator="ann@example.org",
        round="cheese-1",
        created_at="2026-11-20T09:00:00.000000Z",
        updated_at="2026-11-20T09:00:00.000000Z",
        ontology_digest="0" * 64,
        result=tuple(boxes(3)),
    )
    return Record(task=Task(key=key, media=media), annotations=(annotation,))


def _value(region: Mapping[str, Json]) -> dict[str, Json]:
    value = region["value"]
    assert isinstance(value, dict)
    return value


if __name__ == "__main__":
    main()
