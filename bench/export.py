"""Times the export of N tasks to COCO against label-studio-sdk's converter on the same data.

    python -m bench.export [--tasks 10000]

Starts servers of its own below `.ops/bench`. Prints, in one run: `ops dataset export` of a version,
for each format, and label-studio-sdk's converter from the Label Studio export of that version to
the same format, where it has it: seconds on the clock, of CPU, and the most memory a process had.
Ours reads the version from lakeFS first; the converter's file lies on the disk already. Both
documents of COCO must have the same images and boxes, or the run fails.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import versions
from bench.servers import HOME, servers
from bench.versions import Versions
from ops.core.exporting.words import Format
from ops.core.names import MAIN, media_path, record_key
from ops.ports import Upload

REPEATS = 3
_CONVERTER = """
import sys
from label_studio_sdk.converter.converter import Converter
tasks, config, out, form = sys.argv[1:]
converter = Converter(config=open(config).read(), project_dir=None, download_resources=False)
getattr(converter, f"convert_to_{form}")(tasks, out, is_dir=False)
"""
# A process of its own: a child's most memory begins with that of whoever forked it.
_MEASURE = """
import os, subprocess, sys, time
started = time.perf_counter()
quiet = subprocess.DEVNULL
child = subprocess.Popen(sys.argv[1:], stdout=quiet, stderr=quiet)
_, status, used = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
cpu_s = used.ru_utime + used.ru_stime
print(child.returncode, time.perf_counter() - started, cpu_s, used.ru_maxrss / 1024)
"""
_THEIRS = {Format.COCO: "coco", Format.YOLO: "yolo", Format.VOC: "voc"}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    options = parser.parse_args()
    with servers():
        run(options.tasks)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a process took: seconds on the clock and of CPU, and the most memory it had."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(task_count: int) -> None:
    """Measure every format at one size."""
    bench = versions.set_up(HOME, task_count, max(1, task_count // 10))
    _add_pictures(bench)
    print(f"\n## {task_count} tasks of three boxes each\n")
    load = os.getloadavg()[0]
    print(f"COCO: medians of {REPEATS}, others: one run; load when it began: {load:.1f}.\n")
    print("| | wall s | ratio | CPU s | peak MB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        _export(bench, root / "labelstudio", Format.LABEL_STUDIO)
        for form in Format:
            # Three runs of what is compared closely; the others tell what to expect.
            repeats = REPEATS if form is Format.COCO else 1
            ours = _middle([_export(bench, root / form, form) for _ in range(repeats)])
            _tell(f"ops dataset export --format {form}", ours, ours)
            if form in _THEIRS:
                theirs = [_convert(root, _THEIRS[form]) for _ in range(repeats)]
                _tell(f"label-studio-sdk's converter to {_THEIRS[form]}", _middle(theirs), ours)
        print(f"\nBoth COCO documents: {_same(root)}.")


def _add_pictures(bench: Versions) -> None:
    """A small object a task, where its picture would be."""
    lake = bench.context.lake
    paths = [media_path(record_key(path)) for path in bench.after]
    lake.write_many(MAIN, [Upload(path=path, data=b"no picture here") for path in paths])
    lake.commit(MAIN, "pictures", {})


def _export(bench: Versions, out: Path, form: Format) -> Cost:
    command = [sys.executable, "-m", "ops", "dataset", "export", MAIN, "--quiet"]
    return _cost([*command, "--format", form, "--out", str(out)], bench.environment)


def _convert(root: Path, form: str) -> Cost:
    source = root / "labelstudio"
    files = [str(source / "tasks.json"), str(source / "label_config.xml")]
    return _cost([sys.executable, "-c", _CONVERTER, *files, str(root / f"their-{form}"), form], {})


def _cost(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURE, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    exit_code, wall_s, cpu_s, peak_mb = map(float, done.stdout.split())
    assert exit_code == 0, command
    return Cost(wall_s=wall_s, cpu_s=cpu_s, peak_mb=peak_mb)


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(
        wall_s=statistics.median(one.wall_s for one in costs),
        cpu_s=statistics.median(one.cpu_s for one in costs),
        peak_mb=max(one.peak_mb for one in costs),
    )


def _tell(name: str, cost: Cost, ours: Cost) -> None:
    ratio = cost.wall_s / ours.wall_s
    figures = f"{cost.wall_s:.2f} | {ratio:.2f} | {cost.cpu_s:.2f} | {cost.peak_mb:.0f}"
    print(f"| {name} | {figures} |", flush=True)


def _same(root: Path) -> str:
    """The counts of both documents, which must be equal."""
    ours = json.loads((root / "coco" / "annotations" / "instances_all.json").read_bytes())
    theirs = json.loads((root / "their-coco" / "result.json").read_bytes())
    counts = [(len(one["images"]), len(one["annotations"])) for one in (ours, theirs)]
    boxes = [sorted([round(n, 6) for n in a["bbox"]] for a in one["annotations"])
             for one in (ours, theirs)]  # fmt: skip
    assert counts[0] == counts[1]
    assert boxes[0] == boxes[1]
    return f"{counts[0][0]} images, {counts[0][1]} boxes, and the same"


if __name__ == "__main__":
    main()
