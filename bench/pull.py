"""Times the pull of a version's pictures: ops, boto3 threads, and DVC. `python -m bench.pull`.

Prints wall seconds, best of the repeats, and ratios to ops within one run: read them across a row,
never across runs. Every file of every tool is held against its SHA-256, outside the time measured.
ops is run as a person does, a process of its own, start-up and fsync of each file included; boto3
is spared the start-up and forces nothing to the disk. Both read the same lakeFS, on this machine.
DVC reads a folder on the same disk, which no network slows down: what it keeps pictures in needs no
server, and that is to its advantage here.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, cast
from uuid import uuid4

import boto3  # noqa: TID251 - what ops is compared with
from botocore.config import Config
from PIL import Image, ImageFilter  # noqa: TID251 - pictures to pull

from bench.baselines import BASELINES, Dvc
from bench.servers import servers
from ops.lake import LakeFS
from ops.local import Connection
from ops.ports import Upload

WORKERS = 32
_BASES = 8
_CACHED, _COLD = "second, from its cache", "first"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Seconds of each repeat, by tool and by what was pulled."""

    seconds: dict[tuple[str, str], list[float]] = field(
        default_factory=dict[tuple[str, str], list[float]]
    )

    def measure(self, tool: str, what: str, work: Callable[[], object]) -> None:
        """Time one run."""
        started = time.perf_counter()
        work()
        self.seconds.setdefault((tool, what), []).append(time.perf_counter() - started)

    def report(self) -> None:
        """Print the table."""
        best = {key: min(values) for key, values in self.seconds.items()}
        print(f"\n{'':8}{'':26}{'seconds':>9}{'ops is':>12}")
        for (tool, what), seconds in best.items():
            ratio = seconds / best["ops", what] if ("ops", what) in best else None
            times = "" if tool == "ops" or ratio is None else f"{ratio:8.1f} x"
            print(f"{tool:8}{what:26}{seconds:9.2f}{times:>12}")


def pictures(count: int) -> dict[str, bytes]:
    """Small JPEG files, each with bytes of its own: some 15 kB of real coding work."""
    chance = Random(6)  # noqa: S311 - the same pictures each time
    bases: list[bytes] = []
    for _ in range(_BASES):
        noise = Image.frombytes("RGB", (320, 240), chance.randbytes(320 * 240 * 3))
        sink = BytesIO()
        noise.filter(ImageFilter.GaussianBlur(2)).save(sink, "JPEG", quality=90)
        bases.append(sink.getvalue())
    # A JPEG comment: the picture is the same, the file is not.
    return {
        f"images/{number % 50:02}/{number:05}.jpg": bases[number % _BASES][:2]
        + b"\xff\xfe\x00\x12"
        + chance.randbytes(16)
        + bases[number % _BASES][2:]
        for number in range(count)
    }


def check(directory: Path, files: Mapping[str, bytes]) -> None:
    """See that every file is there, and right."""
    found = {p.relative_to(directory).as_posix(): p for p in directory.glob("images/*/*")}
    assert found.keys() == files.keys(), f"{len(found)} of {len(files)}"
    for name, path in found.items():
        digests = [hashlib.sha256(data).digest() for data in (path.read_bytes(), files[name])]
        assert digests[0] == digests[1], name


@dataclass(frozen=True, kw_only=True)
class Server:
    """The real lakeFS with the pictures on main."""

    stack: Connection
    repository: str

    @classmethod
    def filled(cls, servers: Connection, files: Mapping[str, bytes]) -> "Server":
        """Upload them to a repository of this run's own."""
        name = f"bench-pull-{uuid4().hex[:8]}"
        lake = LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            name,
        )
        lake.create_repository(f"local://{name}")
        lake.write_many(
            "main",
            (
                Upload(
                    path=path,
                    data=data,
                    content_type="image/jpeg",
                    metadata={"sha256": hashlib.sha256(data).hexdigest()},
                )
                for path, data in files.items()
            ),
        )
        lake.commit("main", "pictures", {})
        return cls(stack=servers, repository=name)

    def pull(self, out: Path, cache: Path) -> None:
        """Run `ops dataset pull`."""
        subprocess.run(
            [sys.executable, "-m", "ops", "dataset", "pull", "--out", str(out), "--quiet"],
            env={
                **os.environ,
                "OPS_REPOSITORY": self.repository,
                "OPS_LAKEFS_URL": self.stack.lakefs_url,
                "OPS_LAKEFS_ACCESS_KEY_ID": self.stack.lakefs_access_key_id,
                "OPS_LAKEFS_SECRET_ACCESS_KEY": self.stack.lakefs_secret_access_key,
                "OPS_CACHE_DIR": str(cache),
            },
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def boto3_threads(self, out: Path) -> None:
        """List and get with boto3, and hold each object against its md5, the ETag."""
        # boto3 makes its clients' methods at run time: no type knows them.
        client = cast("Any", boto3).client(
            "s3",
            endpoint_url=self.stack.lakefs_url,
            aws_access_key_id=self.stack.lakefs_access_key_id,
            aws_secret_access_key=self.stack.lakefs_secret_access_key,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                max_pool_connections=WORKERS,
            ),
        )
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self.repository, Prefix="main/images/"
        )
        keys: list[str] = [one["Key"] for page in pages for one in page["Contents"]]

        def get(key: str) -> None:
            answer = client.get_object(Bucket=self.repository, Key=key)
            data = answer["Body"].read()
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            assert md5 == answer["ETag"].strip('"')
            target = out / key.removeprefix("main/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

        with ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(get, keys):
                pass


def run(servers: Connection, *, count: int, repeats: int) -> None:
    """Measure all, and print."""
    files = pictures(count)
    size = sum(map(len, files.values()))
    print(f"{count} pictures, {size / 1e6:.0f} MB; {repeats} repeats, the best counts")
    server = Server.filled(servers, files)
    timed = Timed()
    dvc = BASELINES["dvc"].missing()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        origin = _dvc_origin(root, files) if dvc is None else None
        for number in range(repeats):
            place = root / str(number)
            place.mkdir()
            _ops(server, timed, place, files)
            out = place / "boto3"
            timed.measure("boto3", _COLD, partial(server.boto3_threads, out))
            check(out, files)
            if origin is not None:
                _dvc(origin, timed, place, files)
            shutil.rmtree(place)
    timed.report()
    if dvc is not None:
        print(f"dvc: {dvc}")


def _ops(server: Server, timed: Timed, place: Path, files: Mapping[str, bytes]) -> None:
    cache, one, two = place / "cache", place / "one", place / "two"
    timed.measure("ops", _COLD, partial(server.pull, one, cache))
    check(one, files)
    timed.measure("ops", "again, nothing to do", partial(server.pull, one, cache))
    timed.measure("ops", _CACHED, partial(server.pull, two, cache))
    check(two, files)


def _dvc_origin(root: Path, files: Mapping[str, bytes]) -> Dvc:
    """A DVC repository with the pictures pushed to a folder."""
    directory = root / "dvc"
    directory.mkdir()
    origin = Dvc(directory, folder="images")
    origin.put(files)
    return origin


def _dvc(origin: Dvc, timed: Timed, place: Path, files: Mapping[str, bytes]) -> None:
    out = place / "dvc"
    timed.measure("dvc", _COLD, partial(origin.pull, out, new=True))
    check(out, files)
    timed.measure("dvc", "again, nothing to do", partial(origin.pull, out))
    shutil.rmtree(out / "images")
    timed.measure("dvc", _CACHED, partial(origin.pull, out))
    check(out, files)


def main() -> None:
    """Start the servers, measure, stop them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=2_000, help="pictures")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    with servers() as found:
        run(found, count=options.count, repeats=options.repeats)


if __name__ == "__main__":
    main()
