"""Times `round sync`: the first of N annotated tasks, then a delta of 50 changed among them.

    python -m bench.sync [--tasks 10000]

Starts servers of its own below `.ops/bench`. Prints, in one run: time, requests and peak memory of
ops; the bare cost of
the same requests (fetch from Label Studio, uploads to lakeFS, one commit, nothing else); and, on
the same record files,
`dvc add` + `dvc push`, `lakectl fs upload` + commit, git-lfs and plain git, each as far as it is
there. Baselines are
given every file at once and a local remote; Label Studio's part is in none of theirs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.baselines import BASELINES, Baseline
from bench.round import CHANGED_COUNT, Bench, set_up
from bench.servers import HOME, servers
from ops.ports import Upload
from ops.runner.sync import sync_round


@dataclass
class Cost:
    """What one piece of work took."""

    wall_s: float = 0.0
    requests: Counter[str] = field(default_factory=Counter[str])


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--baselines", default=",".join(BASELINES), help="which, with commas")
    options = parser.parse_args()
    with servers():
        run(options.tasks, options.baselines.split(","))


def run(task_count: int, baselines: Sequence[str]) -> None:
    """Measure everything at one size, and memory at a tenth of it too."""
    small = set_up(HOME, task_count // 10)
    small_first, small_rss = as_process(small)
    bench = set_up(HOME, task_count)
    first, rss = as_process(bench)
    first_bare = bare(bench, bench.every_task(), full=True)
    print(f"\n## First sync of {task_count} annotated tasks\n")
    print("| | wall s | ratio to bare |\n|---|---|---|")
    print(f"| ops round sync (a process) | {first:.2f} | {first / first_bare.wall_s:.2f} |")
    print(f"| bare requests | {first_bare.wall_s:.2f} | 1 |")
    print(
        f"\nPeak memory: {rss:.0f} MB at {task_count} tasks, {small_rss:.0f} MB at "
        f"{task_count // 10} (ratio {rss / small_rss:.2f}; {small_first:.2f} s there)."
    )

    before = bench.records()
    changed = bench.change(CHANGED_COUNT)
    delta, ours = measured(bench)
    after = bench.records()
    delta_bare = bare(bench, changed, full=False)
    idle, nothing = measured(bench)
    bench.change(CHANGED_COUNT)
    process, _ = as_process(bench)
    print(f"\n## Delta of {CHANGED_COUNT} changed among {task_count}\n")
    print("| | wall s | ratio to bare | requests |\n|---|---|---|---|")
    ratio = delta / delta_bare.wall_s
    print(f"| ops, in the process | {delta:.3f} | {ratio:.2f} | {_requests(ours)} |")
    print(f"| bare requests | {delta_bare.wall_s:.3f} | 1 | {_requests(delta_bare.requests)} |")
    print(f"| ops, nothing changed | {idle:.3f} | – | {_requests(nothing)} |")
    print(f"| ops round sync (a process) | {process:.2f} | – | |")
    print(f"\n## The same record files elsewhere: {task_count} files, {CHANGED_COUNT} changed\n")
    print("| | first version s | 50 changed s | ops delta is |\n|---|---|---|---|")
    for name in baselines:
        times = put_both(BASELINES[name], before, after)
        if isinstance(times, str):
            print(f"| {name} | – | – | not measured: {times} |", flush=True)
        else:
            first_s, delta_s = times
            faster = delta_s / process
            print(f"| {name} | {first_s:.2f} | {delta_s:.2f} | {faster:.1f}x faster |", flush=True)


def put_both(
    baseline: Baseline, before: dict[str, bytes], after: dict[str, bytes]
) -> tuple[float, float] | str:
    """Seconds a tool takes for the first version and for the changed one, or what is missing."""
    if (missing := baseline.missing()) is not None:
        return missing
    with tempfile.TemporaryDirectory() as directory:
        try:
            place = baseline.start(Path(directory))
            return timed(lambda: place.put(before)), timed(lambda: place.put(after))
        except subprocess.CalledProcessError as error:
            return f"it failed at: {' '.join(error.cmd[:3])}"


def timed(work: Callable[[], object]) -> float:
    """Seconds some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measured(bench: Bench) -> tuple[float, Counter[str]]:
    """A sync in this process: seconds and requests by server."""
    bench.requests.clear()
    seconds = timed(lambda: sync_round(bench.context, bench.round))
    return seconds, Counter(bench.requests)


def as_process(bench: Bench) -> tuple[float, float]:
    """A sync as a person runs it: seconds, and peak memory in MB of that process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "round", "sync", bench.round, "--quiet"],
        env={**os.environ, **bench.environment},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"ops round sync failed with {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def bare(bench: Bench, tasks: Sequence[int], *, full: bool) -> Cost:
    """The same requests with nothing around them: fetch, upload, commit."""
    lake, studio = bench.context.lake, bench.context.studio
    records = list(bench.records_of(tasks).items())
    lake.create_branch("bare", bench.branch)
    # Other bytes, so that there is something to commit.
    uploads = [Upload(path=f"bare/{path}", data=data) for path, data in records]
    bench.requests.clear()
    started = time.perf_counter()
    since = None if full else bench.since()
    for _ in studio.task_rows(bench.project, since=since):
        pass
    studio.totals(bench.project)
    for _ in studio.export(bench.project, tasks):
        pass
    lake.write_many("bare", uploads)
    lake.commit("bare", "bare", {})
    cost = Cost(wall_s=time.perf_counter() - started, requests=Counter(bench.requests))
    lake.delete_branch("bare")
    return cost


def _requests(requests: Counter[str]) -> str:
    return ", ".join(f"{count} {server}" for server, count in sorted(requests.items()))


if __name__ == "__main__":
    main()
