"""Times `data profile` of many pictures against a plain thread pool over boto3.

    python -m bench.profile [--count 5000] [--ray]

Starts servers of its own below `.ops/bench`. The pictures are pieces of scikit-image's photographs,
320 x 240 JPEG, the same ones each time. Every runner reads over lakeFS's S3 gateway, calls the one
function of ops/profiling.py, and must come to the same values; each is run twice, the better time
counts. `ops data profile` is the whole verb: listing, table, commit and merge with it.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from uuid import uuid4

from bench.servers import servers
from ops.core.label_config import LabelKind, write_label_config
from ops.core.names import MAIN, MEDIA_PREFIX
from ops.core.records import Json
from ops.engines import Engine
from ops.engines.ray import ObjectAccess, RayEngine
from ops.engines.threads import ThreadEngine
from ops.local import Connection
from ops.ports import Upload
from ops.profiling import profile
from ops.runner.context import Context
from ops.runner.gateway import open_gateway
from ops.runner.init import init_repository
from ops.runner.profile import profile_images
from tests.context import real_context
from tests.photos import file_of, photographs

THREADS = 16
RUNS = 2

Values = Mapping[str, Mapping[str, Json] | None]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--ray", action="store_true", help="and on Ray on this machine")
    options = parser.parse_args()
    with servers() as found:
        run(found, options.count, with_ray=options.ray)


def run(servers: Connection, count: int, *, with_ray: bool) -> None:
    """Measure every runner on the same pictures."""
    context = real_context(servers, f"bench-{uuid4().hex[:12]}")
    labels = write_label_config(("cup", "cat"), LabelKind.BOXES)
    repository = context.lake.repository
    init_repository(context, label_config=labels, namespace=f"local://{repository}")
    paths = _add(context, count)
    commit = str(context.lake.find_commit(MAIN))
    runners: dict[str, Callable[[], Values]] = {
        f"threads + boto3 ({THREADS})": lambda: _plain(servers, repository, commit, paths),
        "ops, threads": lambda: _by(_threads(context), commit, paths),
    }
    access = ObjectAccess(
        url=servers.lakefs_url,
        repository=repository,
        access_key_id=servers.lakefs_access_key_id,
        secret_access_key=servers.lakefs_secret_access_key,
    )
    if with_ray:
        runners["ops, Ray, its start included"] = lambda: _by(RayEngine(access), commit, paths)
    times: dict[str, float] = {}
    checks: set[str] = set()
    for _ in range(RUNS):
        for name, runner in runners.items():
            began = time.perf_counter()
            found = runner()
            times[name] = min(times.get(name, float("inf")), time.perf_counter() - began)
            checks.add(_check(found))
            assert len(found) == count
    began = time.perf_counter()
    profile_images(context, _threads(context))
    times["ops data profile, the whole verb"] = time.perf_counter() - began
    assert len(checks) == 1, "two runners saw different things"
    baseline = next(iter(times.values()))
    print(f"\n## Profile of {count} pictures (check {checks.pop()})\n")
    print("| | wall s | ratio to the baseline |\n|---|---|---|")
    for name, wall_s in times.items():
        print(f"| {name} | {wall_s:.2f} | {wall_s / baseline:.2f} |")


def _threads(context: Context) -> ThreadEngine:
    return ThreadEngine(open_gateway(context).read_many)


def _by(engine: Engine, commit: str, paths: Sequence[str]) -> Values:
    with engine:
        return dict(engine.map(profile, commit, paths))


def _plain(servers: Connection, repository: str, commit: str, paths: Sequence[str]) -> Values:
    """What one writes by hand: a client, a pool, a GET a picture."""
    # By name: they have no types.
    client: Any = import_module("boto3").client(
        "s3",
        endpoint_url=servers.lakefs_url,
        aws_access_key_id=servers.lakefs_access_key_id,
        aws_secret_access_key=servers.lakefs_secret_access_key,
        region_name="us-east-1",
        config=import_module("botocore.config").Config(
            max_pool_connections=THREADS, s3={"addressing_style": "path"}
        ),
    )

    def one(path: str) -> Mapping[str, Json]:
        answer = client.get_object(Bucket=repository, Key=f"{commit}/{path}")
        return profile(answer["Body"].read())

    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(paths, pool.map(one, paths), strict=True))


def _check(found: Values) -> str:
    """One word for all values."""
    ordered = [[path, found[path]] for path in sorted(found)]
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()[:12]


def _add(context: Context, count: int) -> Sequence[str]:
    """Put the pictures onto main, through a branch."""
    lake = context.lake
    lake.create_branch("pictures", MAIN)
    lake.write_many("pictures", _uploads(count))
    metadata = context.metadata("data-add", images=count)
    lake.commit("pictures", "Add pictures", metadata)
    lake.merge("pictures", MAIN, "Add pictures", metadata)
    return [found.path for found in lake.list_objects(MAIN, MEDIA_PREFIX)]


def _uploads(count: int) -> Iterator[Upload]:
    for number, photograph in enumerate(photographs(count)):
        yield Upload(
            path=f"{MEDIA_PREFIX}p{number:06}.jpg",
            data=file_of(photograph),
            content_type="image/jpeg",
        )


if __name__ == "__main__":
    main()
