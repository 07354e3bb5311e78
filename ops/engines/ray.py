"""Work on objects' bytes on a Ray cluster, by Daft: the one file that imports either.

Owns how a cluster is reached or a local one started, and what keeps it quiet and private. Daft
plans and Ray schedules; the workers read the objects themselves over lakeFS's S3 gateway. Daft's
native runner is never used: its process sometimes dies while it exits (docs/adr/0028).
"""

import json
import logging
import math
import os
import platform
import secrets
import shutil
import socket
import tempfile
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from ops.core.records import Json
from ops.engines import Work
from ops.engines.versions import check_versions, versions
from ops.errors import ConfigurationError, DeniedError, OpsError, UnavailableError

if TYPE_CHECKING:
    from daft import DataFrame
    from daft.io import IOConfig

_QUIET = {
    "DO_NOT_TRACK": "true",
    "DAFT_ANALYTICS_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Neither Daft nor Ray calls home, here or on a worker. Both ask once, when they are imported."""

_HERE = {
    "DAFT_PROGRESS_BAR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AUTH_MODE": "token",
}
_LOCAL = {
    # Ray 2.59 puts the machine's own address where 127.0.0.1 was asked for, and listens on all;
    # where it takes a cluster for impossible it stays on the loopback, on Linux, too.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 256 * 2**20
_LONGEST_TEMPORARY_PATH = 40
_REACH_S = 10
_OBJECTS_A_PART = 250
_REQUESTS_A_WORKER = 32
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAccess:
    """How workers read objects: lakeFS's S3 gateway as they see it.

    Attributes:
        url: lakeFS's address, from where the workers are.
        repository: its name, the bucket of the gateway.
    """

    url: str
    repository: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Ray cluster that runs.

    Attributes:
        address: `ray://host:port`, of its client server.
        token: what it lets in; never on a command line.
    """

    address: str
    token: str = field(repr=False)


class RayEngine:
    """Runs work on a Ray cluster, or on one of this machine that is started for it and stopped.

    A context manager. A process has one at a time. The functions of this package that a cluster's
    workers run are sent to them; Daft, Pillow and the rest must be there, in the same versions.
    """

    def __init__(
        self,
        objects: ObjectAccess,
        *,
        cluster: Cluster | None = None,
        processors: int | None = None,
    ) -> None:
        """Nothing is started or reached yet.

        Args:
            objects: how workers read.
            cluster: where the work is done; None for this machine.
            processors: how many a cluster of this machine has; None: as many as there are.
        """
        self._objects = objects
        self._cluster = cluster
        self._processors = processors or os.cpu_count() or 1
        self._directory: Path | None = None

    def __enter__(self) -> Self:
        """Reach the cluster, or start one: five seconds.

        Raises:
            ConfigurationError: the extra `cluster` is missing, here or there, or the versions of
                what works on the bytes differ.
            UnavailableError: there is no cluster at the address.
            DeniedError: the cluster does not let us in.
        """
        _require()
        os.environ.update({**_QUIET, **_HERE})
        try:
            if self._cluster is None:
                self._start()
            else:
                self._join(self._cluster)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cluster; one that was started here is gone afterwards."""
        self._leave()

    def map(
        self, work: Work, ref: str, paths: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, Json] | None]]:
        """As Engine.map; None for every object a worker could not read, whatever the reason.

        Raises:
            UnavailableError: the cluster gave up.
        """
        if not paths:
            return
        with _translated("the cluster ended the work before it was done"):
            for row in _planned(work, ref, paths, self._objects).iter_rows():
                found = row["found"]
                yield str(row["path"]), None if found is None else json.loads(str(found))

    def _start(self) -> None:
        os.environ.update(_LOCAL)
        # Ray reads it once a process, and would write one into the person's home.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Sockets lie below it, whose paths hold some hundred characters.
        is_short = len(tempfile.gettempdir()) <= _LONGEST_TEMPORARY_PATH
        where = None if is_short else "/tmp"  # noqa: S108 - mkdtemp's is private wherever it is
        self._directory = Path(tempfile.mkdtemp(prefix="ops-ray-", dir=where))
        with _translated("Ray did not start on this machine"):
            _ray().init(
                num_cpus=self._processors,
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=_LOOPBACK,
                _temp_dir=str(self._directory),
            )
        _use_ray()

    def _join(self, cluster: Cluster) -> None:
        import ops

        _reach(cluster.address)
        os.environ["RAY_AUTH_TOKEN"] = cluster.token
        with _admitted(cluster.address):
            _ray().init(
                address=cluster.address,
                runtime_env={"py_modules": [ops.__path__[0]], "env_vars": _QUIET},
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        with _translated("the cluster did not say what is installed there"):
            there = _ray().get(_ray().remote(versions).remote())
        check_versions(cluster.address, there)
        _use_ray()

    def _leave(self) -> None:
        _ray().shutdown()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None


def _planned(work: Work, ref: str, paths: Sequence[str], objects: ObjectAccess) -> "DataFrame":
    """What Daft is to do: nothing is done yet."""
    import daft
    from daft import col, lit
    from daft.functions import download

    @daft.func(return_dtype=daft.DataType.string())
    def done(data: bytes | None) -> str | None:
        return None if data is None else json.dumps(work(data))

    parts = math.ceil(len(paths) / _OBJECTS_A_PART)
    data = download(
        lit(f"s3://{objects.repository}/{ref}/") + col("path"),
        max_connections=_REQUESTS_A_WORKER,
        on_error="null",
        io_config=_gateway(objects),
    )
    frame = daft.from_pydict({"path": [*paths]}).into_partitions(parts)
    return frame.select("path", done(data).alias("found"))


def _gateway(objects: ObjectAccess) -> "IOConfig":
    from daft.io import IOConfig, S3Config

    return IOConfig(
        s3=S3Config(
            endpoint_url=objects.url,
            region_name="us-east-1",
            key_id=objects.access_key_id,
            access_key=objects.secret_access_key,
            use_ssl=urlsplit(objects.url).scheme == "https",
            force_virtual_addressing=False,
            num_tries=_TRIES,
        )
    )


def _use_ray() -> None:
    """Let Daft work on the Ray that is there now: of one before, it would look for the actors."""
    import daft

    runner = cast("Any", daft.set_runner_ray(noop_if_initialized=True))
    runner.flotilla_plan_runner = None


def _reach(address: str) -> None:
    """Make sure somebody listens: Ray itself takes half a minute to say that nobody does.

    Raises:
        UnavailableError: nobody does.
    """
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _REACH_S).close()
    except OSError as error:
        raise UnavailableError(
            "ray-unreachable",
            f"nothing answers at {address}",
            subject=address,
            unchanged="nothing was read or written",
            hint="see that the cluster runs, and in another terminal that the way to it is open",
        ) from error


@contextmanager
def _admitted(address: str) -> Generator[None]:
    """Ray's failures to join a cluster, in our words.

    Raises:
        DeniedError: the cluster does not answer who has this token.
        ConfigurationError: it is of another version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ConnectionError as error:
        raise DeniedError(
            "ray-denied",
            f"what listens at {address} did not let us in",
            subject=address,
            unchanged="nothing was read or written",
            hint="see that ray.token is the cluster's (ops config show),\n"
            "and that the address is of Ray's client server",
        ) from error
    except Exception as error:
        # Ray raises bare RuntimeErrors here, for other versions of Ray or Python above all.
        raise ConfigurationError(
            "ray-unfit",
            f"the Ray cluster at {address} does not fit this installation",
            subject=address,
            where=(("Ray here", version("ray")), ("Python here", platform.python_version())),
            unchanged="nothing was read or written",
            hint="let the cluster have the same Ray, and the same Python but for its last number",
        ) from error


@contextmanager
def _translated(message: str) -> Generator[None]:
    """Daft's and Ray's failures, in our words.

    Raises:
        OpsError: as it was raised inside.
        UnavailableError: either gave up.
    """
    try:
        yield
    except OpsError:
        raise
    except Exception as error:
        # Both raise classes of many families, bare ones among them.
        raise UnavailableError(
            "ray-failed",
            message,
            unchanged="nothing was written",
            hint="run the same command again; if it fails again, see the logs of the workers\n"
            "or work on this machine: --engine threads",
        ) from error


def _require() -> None:
    """Make sure Daft and Ray are installed.

    Raises:
        ConfigurationError: they are not.
    """
    if find_spec("daft") is None or find_spec("ray") is None:
        raise ConfigurationError(
            "extra-missing",
            "work on a cluster takes Daft and Ray, which are not installed",
            subject="cluster",
            unchanged="nothing was read or written",
            hint="pip install 'labeling-ops[cluster]'",
        )


def _ray() -> ModuleType:
    import ray

    return cast("ModuleType", ray)
