"""Times the choice of 10,000 tasks among 155,388 images, 60,000 of them labeled.

    python -m bench.select [--images 155388] [--labeled 60000] [--take 10000]

Each way of choosing runs in a process of its own and says which tasks it takes: they are the same.
Ours is what `round start` does but for the servers: lakeFS's listing comes from a file, a JSON line
an object. The others get the same file and the same snapshot: pandas as somebody would write it in
a notebook, and a plain loop over every record's JSON. Peak memory is that of the process; what it
takes to import the libraries is in none of the times.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ops.core.canonical import encode_record
from ops.core.names import ANNOTATIONS_PARQUET, MEDIA_PREFIX, TASKS_PARQUET, media_path
from ops.core.ranking import Ranking, RankKind
from ops.core.records import Annotation, CommitId, Json, Media, Record, Task, TaskKey
from ops.core.selection import Selection
from ops.parquet import read_tasks, write_records
from ops.ports import StoredObject
from ops.runner.selection import choose_tasks
from tests.fakes.lake import FakeLake
from tests.runner.world import World, region

LABELS = ("brie", "gouda", "gruyere", "parmigiano")
PEOPLE = ("ann@example.org", "ben@example.org", "eva@example.org")
LISTING, TASKS, ANNOTATIONS = "listing.jsonl", "tasks.parquet", "annotations.parquet"
WAYS = ("ours", "pandas", "plain loop")
WHERE = "label = 'brie' AND annotator <> 'ann@example.org'"


def selections(take: int) -> Mapping[str, Selection]:
    """What is asked for, in words."""
    first = Ranking(kind=RankKind.EXPRESSION, by="region_count")
    return {
        "by chance, of what nobody labeled": Selection(sample=take, seed=7),
        "where a region and its person fit": Selection(where=WHERE, limit=take),
        "the most regions first": Selection(labeled_too=True, ranking=first, limit=take),
    }


def main() -> None:
    """Run the benchmark and print its table, or one way of one selection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=155_388)
    parser.add_argument("--labeled", type=int, default=60_000)
    parser.add_argument("--take", type=int, default=10_000)
    parser.add_argument("--one", nargs=3, metavar=("WAY", "SELECTION", "FOLDER"))
    options = parser.parse_args()
    if options.one:
        way, wish, folder = options.one
        sys.stdout.write(json.dumps(measured(way, wish, Path(folder), options.take)))
        return
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), options.images, options.labeled)
        print(f"\n## {options.take} of {options.images} images, {options.labeled} labeled\n")
        print("| selection | way | wall s | ratio | peak MB | tasks |\n|---|---|---|---|---|---|")
        for wish in selections(options.take):
            compare(wish, Path(name), options.take)


def compare(wish: str, folder: Path, take: int) -> None:
    """Print a line for each way of one selection; all of them give the same tasks."""
    found = {way: as_process(way, wish, folder, take) for way in WAYS}
    assert len({one["digest"] for one in found.values()}) == 1, found
    for way, one in found.items():
        ratio = one["wall_s"] / found["ours"]["wall_s"]
        print(
            f"| {wish} | {way} | {one['wall_s']:.2f} | {ratio:.1f} | {one['peak_mb']:.0f} "
            f"| {one['tasks']} |"
        )


def as_process(way: str, wish: str, folder: Path, take: int) -> dict[str, Any]:
    """One way of one selection, in a process of its own."""
    command = [sys.executable, "-m", "bench.select", "--take", str(take), "--one", way, wish]
    done = subprocess.run([*command, str(folder)], capture_output=True, check=True)
    return json.loads(done.stdout)


def measured(way: str, wish: str, folder: Path, take: int) -> Mapping[str, Json]:
    """What one way takes, and which tasks it gives."""
    run: Mapping[str, Callable[[str, Path, int], Sequence[str]]] = {
        "ours": ours, "pandas": with_pandas, "plain loop": plain,
    }  # fmt: skip
    import_libraries(way)
    started = time.perf_counter()
    keys = run[way](wish, folder, take)
    wall_s = time.perf_counter() - started
    return {
        "wall_s": wall_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "tasks": len(keys),
        "digest": hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest(),
    }


def import_libraries(way: str) -> None:
    """What a way needs, before the clock starts."""
    libraries = {"ours": ("duckdb", "pyarrow.dataset"), "pandas": ("pandas",)}
    for name in libraries.get(way, ()):
        import_module(name)


def make(folder: Path, image_count: int, labeled_count: int) -> None:
    """A listing and a snapshot as lakeFS would give them."""
    keys = [f"shelf-{number % 97:02}/cheese-{number:06}.jpg" for number in range(image_count)]
    with (folder / LISTING).open("w") as file:
        for key in sorted(keys):
            digest = hashlib.sha256(key.encode()).hexdigest()
            line = {
                "path": media_path(TaskKey(key)),
                "checksum": digest[:32],
                "size_bytes": 180_000 + len(key),
                "metadata": {"sha256": digest, "width": "1024", "height": "768"},
            }
            file.write(json.dumps(line) + "\n")
    with (folder / TASKS).open("wb") as tasks, (folder / ANNOTATIONS).open("wb") as annotations:
        write_records(records(sorted(keys[:labeled_count])), tasks=tasks, annotations=annotations)


def records(keys: Iterable[str]) -> Iterator[tuple[Record, bytes]]:
    """Labeled tasks: one person each, one to three boxes."""
    for number, key in enumerate(keys):
        media = Media(path=media_path(TaskKey(key)), checksum="0" * 32, size_bytes=180_000)
        boxes = [region(LABELS[(number + n) % 4], n) for n in range(1 + number % 3)]
        annotation = Annotation(
            unique_id=f"{number:032x}",
            annotator=PEOPLE[number % 3],
            round="first",
            created_at="2026-11-21T14:02:00.000000Z",
            updated_at="2026-11-21T14:02:00.000000Z",
            ontology_digest="sha256:00",
            result=tuple(boxes),
        )
        record = Record(task=Task(key=TaskKey(key), media=media), annotations=(annotation,))
        yield record, encode_record(record)


class Listed(FakeLake):
    """A lake whose listing and snapshot come from files."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read yet."""
        super().__init__("bench")
        self._folder = folder

    def list_objects(
        self, ref: str, prefix: str = "", *, metadata: bool = False
    ) -> Iterator[StoredObject]:
        """The images, a line at a time."""
        del ref
        if prefix != MEDIA_PREFIX:
            return
        with (self._folder / LISTING).open() as file:
            for text in file:
                line = json.loads(text)
                facts = line.pop("metadata")
                yield StoredObject(**line, metadata=facts if metadata else {})

    def read(self, ref: str, path: str) -> bytes | None:
        """The snapshot's files."""
        del ref
        names = {TASKS_PARQUET: TASKS, ANNOTATIONS_PARQUET: ANNOTATIONS}
        return (self._folder / names[path]).read_bytes() if path in names else None

    def read_many(self, ref: str, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The snapshot's files, by path."""
        for path in paths:
            yield path, self.read(ref, path) or b""


def ours(wish: str, folder: Path, take: int) -> Sequence[str]:
    """As `round start` chooses."""
    context = replace(World(0).context, lake=Listed(folder))
    choice = choose_tasks(context, CommitId("c" * 64), selections(take)[wish])
    return [one.task.key for one in choice.tasks]


def chance(key: str) -> bytes:
    """The order of a sample."""
    return hashlib.sha256(f"7:{key}".encode()).digest()


def with_pandas(wish: str, folder: Path, take: int) -> Sequence[str]:
    """As in a notebook."""
    pandas = cast("Any", import_module("pandas"))
    images = pandas.read_json(folder / LISTING, lines=True)
    images["key"] = images["path"].str.removeprefix(MEDIA_PREFIX)
    tasks = pandas.read_parquet(folder / TASKS)
    every = images[["key"]].merge(tasks[["key", "state", "region_count"]], on="key", how="left")
    if wish.startswith("by chance"):
        free = every[every["state"].isna()]
        return sorted(free["key"], key=chance)[:take]
    if wish.startswith("where"):
        regions = pandas.read_parquet(folder / ANNOTATIONS)
        fits = regions[(regions["label"] == "brie") & (regions["annotator"] != PEOPLE[0])]
        return sorted(set(fits["key"]) & set(every["key"]))[:take]
    ordered = every.fillna({"region_count": 0}).sort_values(
        ["region_count", "key"], ascending=[False, True]
    )
    return list(ordered["key"][:take])


def plain(wish: str, folder: Path, take: int) -> Sequence[str]:
    """A loop over every record's JSON."""
    with (folder / LISTING).open() as file:
        images = [json.loads(text)["path"].removeprefix(MEDIA_PREFIX) for text in file]
    regions: dict[str, list[tuple[str, str]]] = {}
    for stored in read_tasks((folder / TASKS).read_bytes()):
        said = json.loads(stored.data)["annotations"]
        regions[stored.key] = [
            (one["annotator"], box["value"]["rectanglelabels"][0])
            for one in said
            for box in one["result"]
        ]
    if wish.startswith("by chance"):
        return sorted((key for key in images if key not in regions), key=chance)[:take]
    if wish.startswith("where"):
        fits = (
            key
            for key in images
            if any(who != PEOPLE[0] and label == "brie" for who, label in regions.get(key, ()))
        )
        return sorted(fits)[:take]
    return sorted(images, key=lambda key: (-len(regions.get(key, ())), key))[:take]


if __name__ == "__main__":
    main()
