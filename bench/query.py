"""Times SQL over 1,000,000 annotation rows: a filter, a group, and a diff of two versions.

    python -m bench.query [--rows 1000000] [--repeats 3]

The rows are made from their numbers, so every run asks the same; the files are Parquet as a version
packs them. Each way runs in a process of its own, from the files' bytes: ours with its checks and
its lock-down, DuckDB by itself reading the files, pyarrow, and pandas. All must give the same
figures. `first` is the first question of a process, `again` the median of those after it; peak
memory is that of the whole process. What it takes to import the libraries is in none of the times.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ops.arrow import open_dataset
from ops.parquet import snapshot_schemas
from ops.tables import Engine

BEFORE, AFTER = "before.parquet", "after.parquet"
LABELS = 20
PEOPLE = 7
REGIONS_A_TASK = 5
CHANGED_EVERY = 100
GROUP_ROWS = 10_000
QUESTIONS = ("filter", "group", "diff")
SQL = {
    "filter": "SELECT count(DISTINCT key) FROM annotations"
    " WHERE label = 'label-3' AND annotator <> 'person-1@example.org'",
    "group": "SELECT count(*) FROM (SELECT label, annotator, count(*) AS n, avg(x) AS x"
    " FROM annotations GROUP BY label, annotator)",
    "diff": "SELECT count(*) FILTER (WHERE b.key IS NULL), count(*) FILTER (WHERE a.key IS NULL),"
    " count(*) FILTER (WHERE a.label <> b.label OR a.x <> b.x) FROM"
    " (SELECT unique_id, region_id, key, label, x FROM earlier) a FULL JOIN"
    " (SELECT unique_id, region_id, key, label, x FROM annotations) b USING (unique_id, region_id)",
}
Ask = Callable[[str], tuple[int, ...]]


def main() -> None:
    """Run the benchmark and print its table, or one way of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FOLDER"))
    options = parser.parse_args()
    if options.one:
        _tell(WAYS[options.one[0]], Path(options.one[1]), options.repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), options.rows)
        compare(Path(folder), options.rows, options.repeats)


def compare(folder: Path, rows: int, repeats: int) -> None:
    """Measure every way on the same files and print how they stand to ours."""
    size = sum((folder / name).stat().st_size for name in (BEFORE, AFTER)) / 1e6
    print(f"\n## {rows} annotation rows, two versions, {size:.0f} MB as Parquet\n")
    print("| way | question | first s | ratio | again s | ratio | peak MB | figures |")
    print("|---|---|---|---|---|---|---|---|")
    ours: dict[str, tuple[float, float]] = {}
    figures: dict[str, str] = {}
    for way in WAYS:
        for line in _run(way, folder, repeats):
            question, first, again, peak, said = line.split("\t")
            one, more = float(first), float(again)
            base = ours.setdefault(question, (one, more))
            assert figures.setdefault(question, said) == said, f"{way} says {said} of {question}"
            ratios = f"{one / base[0]:.2f} | {more:.3f} | {more / base[1]:.2f}"
            print(f"| {way} | {question} | {one:.3f} | {ratios} | {peak} | {said} |")


def _run(way: str, folder: Path, repeats: int) -> list[str]:
    command = [sys.executable, "-m", "bench.query", "--one", way, str(folder)]
    done = subprocess.run(
        [*command, "--repeats", str(repeats)], check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def _tell(way: Callable[[Path], Ask], folder: Path, repeats: int) -> None:
    ask = way(folder)
    for question in QUESTIONS:
        times: list[float] = []
        said: tuple[int, ...] = ()
        for _ in range(1 + repeats):
            start = time.perf_counter()
            said = ask(question)
            times.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        figures = " ".join(map(str, said))
        again = statistics.median(times[1:])
        print(f"{question}\t{times[0]:.4f}\t{again:.4f}\t{peak}\t{figures}")


def make(folder: Path, rows: int) -> None:
    """Two versions: of a hundred regions one says another label in the second, and one is gone."""
    for name, is_after in ((BEFORE, False), (AFTER, True)):
        _write(folder / name, rows, is_after=is_after)


def _write(path: Path, rows: int, *, is_after: bool) -> None:
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    schema: Any = snapshot_schemas()[1]
    moment = 1_790_000_000_000_000
    with parquet.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
        for start in range(0, rows, GROUP_ROWS):
            numbers = [
                n
                for n in range(start, min(start + GROUP_ROWS, rows))
                if not is_after or n % CHANGED_EVERY != 1
            ]
            columns = _columns(numbers, moment, is_after=is_after)
            arrays = [arrow.array(columns[field.name], type=field.type) for field in schema]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _columns(numbers: list[int], moment: int, *, is_after: bool) -> Mapping[str, list[Any]]:
    def same(value: object) -> list[Any]:
        return [value for _ in numbers]

    def label(n: int) -> str:
        shift = int(is_after and n % CHANGED_EVERY == 0)
        return f"label-{(n * 7919 // 13 + shift) % LABELS}"

    said = [label(n) for n in numbers]
    x = [n * 7919 % 7013 / 101 for n in numbers]
    return {
        "key": [f"{n // REGIONS_A_TASK // 1000:04}/{n // REGIONS_A_TASK:07}.jpg" for n in numbers],
        "unique_id": [f"{n // REGIONS_A_TASK:032x}" for n in numbers],
        "annotator": [f"person-{n // REGIONS_A_TASK % PEOPLE}@example.org" for n in numbers],
        "round": same("first"), "ground_truth": same(False), "skipped": same(False),
        "region_id": [f"r{n % REGIONS_A_TASK}" for n in numbers],
        "from_name": same("label"), "to_name": same("image"), "type": same("rectanglelabels"),
        "label": said, "labels": [[one] for one in said],
        "x": x, "y": x, "width": x, "height": x, "rotation": same(0.0),
        "points": same(None), "original_width": same(640), "original_height": same(480),
        "value": same(None), "origin": same("human"),
        "created_at": same(moment), "updated_at": same(moment), "ontology_digest": same("0" * 64),
    }  # fmt: skip


def ours(folder: Path) -> Ask:
    """The engine of `ops dataset query`, its checks included."""
    engine = Engine()
    for table, name in (("earlier", BEFORE), ("annotations", AFTER)):
        engine.register(table, open_dataset({name: (folder / name).read_bytes()}))

    def ask(question: str) -> tuple[int, ...]:
        engine.statement(SQL[question], ("annotations", "earlier"))
        [row] = engine.rows(SQL[question])
        return tuple(int(str(value)) for value in row)

    return ask


def plain_duckdb(folder: Path) -> Ask:
    """DuckDB reading the files itself, with nothing locked."""
    connection: Any = import_module("duckdb").connect(":memory:", config={"threads": 4})
    for table, name in (("earlier", BEFORE), ("annotations", AFTER)):
        source = str(folder / name)
        connection.execute(f"CREATE VIEW {table} AS FROM read_parquet('{source}')")

    def ask(question: str) -> tuple[int, ...]:
        return tuple(connection.execute(SQL[question]).fetchone())

    return ask


def _reader(read: Callable[..., object], folder: Path) -> Callable[..., object]:
    def of_file(name: str, *columns: str) -> object:
        return read(folder / name, columns=list(columns))

    return of_file


def with_pyarrow(folder: Path) -> Ask:
    """Arrow's own table operations, each question reading the columns it needs."""
    compute: Any = import_module("pyarrow.compute")
    read: Callable[..., Any] = _reader(import_module("pyarrow.parquet").read_table, folder)

    def ask(question: str) -> tuple[int, ...]:
        if question == "filter":
            table = read(AFTER, "key", "label", "annotator")
            fits = compute.and_(
                compute.equal(table["label"], "label-3"),
                compute.not_equal(table["annotator"], "person-1@example.org"),
            )
            return (compute.count_distinct(table.filter(fits)["key"]).as_py(),)
        if question == "group":
            table = read(AFTER, "label", "annotator", "x")
            grouped = table.group_by(["label", "annotator"])
            return (grouped.aggregate([("x", "count"), ("x", "mean")]).num_rows,)
        columns = ("unique_id", "region_id", "key", "label", "x")
        both = read(BEFORE, *columns).join(
            read(AFTER, *columns), keys=["unique_id", "region_id"], join_type="full outer",
            left_suffix="_a", right_suffix="_b",
        )  # fmt: skip
        differ = compute.or_(
            compute.not_equal(both["label_a"], both["label_b"]),
            compute.not_equal(both["x_a"], both["x_b"]),
        )
        return (
            both["key_b"].null_count, both["key_a"].null_count,
            compute.sum(differ).as_py() or 0,
        )  # fmt: skip

    return ask


def with_pandas(folder: Path) -> Ask:
    """As a notebook has it, each question reading the columns it needs."""
    read: Callable[..., Any] = _reader(import_module("pandas").read_parquet, folder)

    def ask(question: str) -> tuple[int, ...]:
        if question == "filter":
            table = read(AFTER, "key", "label", "annotator")
            fits = (table.label == "label-3") & (table.annotator != "person-1@example.org")
            return (int(table[fits].key.nunique()),)
        if question == "group":
            table = read(AFTER, "label", "annotator", "x")
            return (len(table.groupby(["label", "annotator"]).x.agg(["count", "mean"])),)
        columns = ("unique_id", "region_id", "key", "label", "x")
        both = read(BEFORE, *columns).merge(
            read(AFTER, *columns), on=["unique_id", "region_id"], how="outer", suffixes=("_a", "_b")
        )
        there = both.key_a.notna() & both.key_b.notna()
        differ = (both.label_a != both.label_b) | (both.x_a != both.x_b)
        return (
            int(both.key_b.isna().sum()), int(both.key_a.isna().sum()), int((there & differ).sum())
        )  # fmt: skip

    return ask


WAYS: Mapping[str, Callable[[Path], Ask]] = {
    "ops": ours,
    "DuckDB alone": plain_duckdb,
    "pyarrow": with_pyarrow,
    "pandas": with_pandas,
}


if __name__ == "__main__":
    main()
