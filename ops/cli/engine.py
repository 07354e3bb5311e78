"""The options that say which machines work on pictures' bytes, and the engine they mean.

Owns how settings become an engine. Starts none: whoever has work for it does.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.session import Session
from ops.errors import UsageError

if TYPE_CHECKING:
    from ops.engines import Engine
    from ops.runner.context import Context

_MOST_JOBS = 256


class EngineName(StrEnum):
    """Which engine works."""

    THREADS = "threads"
    RAY = "ray"


EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="What does the work: threads of this process; or Ray, on a cluster or here.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="The cluster, as ray://127.0.0.1:10001, instead of the setting's; local: this "
        "machine.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, max=_MOST_JOBS, help="Pictures worked on at once on this machine."
    ),
]


def state_address(session: Session, name: EngineName, address: str | None) -> None:
    """Take a cluster's address from the command line into the settings.

    Raises:
        UsageError: another engine is to work.
    """
    if address is None:
        return
    if name is not EngineName.RAY:
        raise UsageError(
            "ray-address-unused",
            "--ray-address is for --engine ray alone",
            unchanged="nothing was read or written",
            hint="add --engine ray, or leave --ray-address out",
        )
    session.flags = {**session.flags, "ray.address": address}


def engine_for(
    session: Session, context: "Context", name: EngineName, *, jobs: int | None
) -> "Engine":
    """The engine that options and settings mean; nothing is started.

    Raises:
        UsageError: `jobs` is given for a cluster, which has the processors it has.
        ConfigurationError: a setting is missing.
    """
    if name is EngineName.THREADS:
        from ops.engines.threads import ThreadEngine
        from ops.runner.gateway import open_gateway

        return ThreadEngine(open_gateway(context).read_many, jobs=jobs)
    from ops.engines.ray import Cluster, ObjectAccess, RayEngine

    settings = session.settings
    address = settings.find("ray.address") or "local"
    cluster = None
    url = settings.need("lakefs.url")
    if address != "local":
        if jobs is not None:
            raise UsageError(
                "jobs-on-a-cluster",
                "--jobs is for this machine: a cluster has the processors it has",
                unchanged="nothing was read or written",
                hint="leave --jobs out, or work on this machine: --ray-address local",
            )
        cluster = Cluster(address=address, token=settings.need("ray.token"))
        url = settings.find("ray.lakefs_url") or url
    objects = ObjectAccess(
        url=url,
        repository=settings.need("repository"),
        access_key_id=settings.need("lakefs.access_key_id"),
        secret_access_key=settings.need("lakefs.secret_access_key"),
    )
    return RayEngine(objects, cluster=cluster, processors=jobs)
