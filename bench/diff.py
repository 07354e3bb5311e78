"""Times `dataset diff` between two versions of N records, a tenth of them changed.

    python -m bench.diff [--tasks 10000]

Starts servers of its own below `.ops/bench`. Prints, in one run: the label diff in the process and
as a process, between two versions and from a version to a branch without a snapshot of its own;
`dvc diff` of the same files, DVC's cache and the disk's warm; and a plain comparison of two folders
of them. Both say which files differ; the label diff says what people say differently. CPU is that
of the command: of lakeFS's, which answers ops's requests, nothing is in it.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import versions
from bench.baselines import BASELINES, Dvc
from bench.servers import HOME, servers
from bench.versions import Versions
from ops.core.diff import LabelDiff
from ops.runner.diff import label_diff

REPEATS = 5


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    with servers():
        run(options.tasks)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What some work took: seconds on the clock, and of CPU in this process and its children."""

    wall_s: float
    cpu_s: float


def run(task_count: int) -> None:
    """Measure everything at one size."""
    changed_count = task_count // 10
    bench = versions.set_up(HOME, task_count, changed_count)
    diff = label_diff(bench.context, "v1", "v2")
    assert len(diff.changed) == changed_count
    load = os.getloadavg()[0]
    ours = measured(lambda: as_process(bench, "v1", "v2"))
    print(f"\n## Two versions of {task_count} records, {changed_count} changed\n")
    print(f"Medians of {REPEATS}; the machine's load when it began: {load:.1f}.\n")
    print("| | wall s | ratio | CPU s | ratio | says |\n|---|---|---|---|---|---|")
    said = _said(diff)
    tell("ops dataset diff v1 v2", ours, ours, said)
    inside = measured(lambda: label_diff(bench.context, "v1", "v2"))
    tell("the same, in a process that runs", inside, ours, said)
    branch = measured(lambda: as_process(bench, "v1", versions.UNPACKED))
    tell("to a branch without a snapshot of its own", branch, ours, said)
    files = f"{changed_count} files modified"
    for name, measure in (("dvc diff", dvc), ("plain JSON comparison of two folders", plain)):
        tell(name, measure(bench), ours, files)


def tell(name: str, cost: Cost | str, ours: Cost, said: str) -> None:
    """Print one line of the table."""
    if isinstance(cost, str):
        print(f"| {name} | – | – | – | – | not measured: {cost} |", flush=True)
        return
    ratios = cost.wall_s / ours.wall_s, cost.cpu_s / ours.cpu_s
    figures = f"{cost.wall_s:.2f} | {ratios[0]:.2f} | {cost.cpu_s:.2f} | {ratios[1]:.2f}"
    print(f"| {name} | {figures} | {said} |", flush=True)


def _said(diff: LabelDiff) -> str:
    """What the label diff tells, in short."""
    moves = [f"{a} → {b}: {count}" for (a, b), count in diff.transitions.items()]
    spread, people = diff.geometry, len(diff.annotators)
    return f"{', '.join(moves)}; {spread.count} moved, IoU {spread.median:.2f}; {people} people"


def measured(work: Callable[[], object]) -> Cost:
    """What some work costs, the middle of a few runs."""
    costs = [_cost(work) for _ in range(REPEATS)]
    return Cost(
        wall_s=statistics.median(one.wall_s for one in costs),
        cpu_s=statistics.median(one.cpu_s for one in costs),
    )


def _cost(work: Callable[[], object]) -> Cost:
    started, before = time.perf_counter(), _cpu_s()
    work()
    return Cost(wall_s=time.perf_counter() - started, cpu_s=_cpu_s() - before)


def _cpu_s() -> float:
    """Of this process and of its children that have ended; lakeFS's is in neither."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def as_process(bench: Versions, left: str, right: str) -> None:
    """The diff as a person asks for it."""
    subprocess.run(
        [sys.executable, "-m", "ops", "dataset", "diff", left, right, "--quiet"],
        env={**os.environ, **bench.environment},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def dvc(bench: Versions) -> Cost | str:
    """The cost of `dvc diff` between two versions of the same files, or what is missing."""
    if (missing := BASELINES["dvc"].missing()) is not None:
        return missing
    with tempfile.TemporaryDirectory() as directory:
        place = Dvc(Path(directory))
        for files in (bench.before, bench.after):
            place.keep(files)
        return measured(place.compare)


def plain(bench: Versions) -> Cost:
    """The cost of a plain comparison of two folders that hold the files."""
    with tempfile.TemporaryDirectory() as directory:
        roots = [Path(directory) / name for name in ("before", "after")]
        for root, files in zip(roots, (bench.before, bench.after), strict=True):
            _write(root, files)
        command = [sys.executable, "-m", "bench.plain_diff", *map(str, roots)]
        return measured(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main()
