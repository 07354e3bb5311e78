"""Times `dataset diff` between two versions of N records, a tenth of them changed.

    python -m bench.diff [--tasks 10000]

Starts servers of its own below `.ops/bench`. Prints, in one run: the label diff in the process and
as a process, between two versions and from a version to a branch without a snapshot of its own;
`dvc diff` of the same files, DVC's cache and the disk's warm; and a plain comparison of two folders
of them. Both say which files differ; the label diff says what people say differently.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import versions
from bench.baselines import BASELINES, Dvc
from bench.versions import Versions
from ops.cli.progress import LineReporter
from ops.local import stack
from ops.runner.diff import label_diff

HOME = Path(".ops") / "bench"
REPEATS = 5


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    binary = os.environ.get("OPS_LAKEFS_BINARY")
    reporter = LineReporter(sys.stderr)
    stack.up(HOME, reporter, lakefs_binary=Path(binary) if binary else None, shared=Path(".ops"))
    try:
        run(options.tasks)
    finally:
        stack.down(HOME, reporter)


def run(task_count: int) -> None:
    """Measure everything at one size."""
    changed_count = task_count // 10
    bench = versions.set_up(HOME, task_count, changed_count)
    found = label_diff(bench.context, "v1", "v2")
    assert len(found.changed) == changed_count
    load = os.getloadavg()[0]
    ours = median(lambda: as_process(bench, "v1", "v2"))
    rows = {
        "ops dataset diff v1 v2 (a process)": ours,
        "the same, in the process": median(lambda: label_diff(bench.context, "v1", "v2")),
        "to a branch without its own snapshot (a process)": median(
            lambda: as_process(bench, "v1", versions.UNPACKED)
        ),
    }
    print(f"\n## Two versions of {task_count} records, {changed_count} changed\n")
    print(f"Medians of {REPEATS}; the machine's load when it began: {load:.1f}.\n")
    print("| | wall s | ratio | says |\n|---|---|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {seconds:.2f} | {seconds / ours:.2f} | {_said(bench)} |", flush=True)
    for name, measure in (("dvc diff", dvc), ("plain JSON comparison of two folders", plain)):
        seconds = measure(bench)
        if isinstance(seconds, str):
            print(f"| {name} | – | – | not measured: {seconds} |", flush=True)
        else:
            told = f"| {name} | {seconds:.2f} | {seconds / ours:.2f} "
            print(told + f"| {changed_count} files modified |", flush=True)


def _said(bench: Versions) -> str:
    """What the label diff tells, in short."""
    diff = label_diff(bench.context, "v1", "v2")
    moves = [f"{a} → {b}: {count}" for (a, b), count in diff.transitions.items()]
    spread, people = diff.geometry, len(diff.annotators)
    return f"{', '.join(moves)}; {spread.count} moved, IoU {spread.median:.2f}; {people} people"


def median(work: Callable[[], object]) -> float:
    """Seconds some work takes, the middle of a few runs."""
    return statistics.median(timed(work) for _ in range(REPEATS))


def timed(work: Callable[[], object]) -> float:
    """Seconds some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def as_process(bench: Versions, left: str, right: str) -> None:
    """The diff as a person asks for it."""
    subprocess.run(
        [sys.executable, "-m", "ops", "dataset", "diff", left, right, "--quiet"],
        env={**os.environ, **bench.environment},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def dvc(bench: Versions) -> float | str:
    """Seconds of `dvc diff` between two versions of the same files, or what is missing."""
    if (missing := BASELINES["dvc"].missing()) is not None:
        return missing
    with tempfile.TemporaryDirectory() as directory:
        place = Dvc(Path(directory))
        for files in (bench.before, bench.after):
            place.put(files)
            place.keep()
        return median(place.compare)


def plain(bench: Versions) -> float:
    """Seconds of a plain comparison of two folders that hold the files."""
    with tempfile.TemporaryDirectory() as directory:
        roots = [Path(directory) / name for name in ("before", "after")]
        for root, files in zip(roots, (bench.before, bench.after), strict=True):
            _write(root, files)
        command = [sys.executable, "-m", "bench.plain_diff", *map(str, roots)]
        return median(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main()
