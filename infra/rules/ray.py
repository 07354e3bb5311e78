"""Rules of the Ray cluster that is wanted beside the servers."""

from collections.abc import Iterator

from infra.rules.basics import is_machine_type
from infra.rules.problem import Problem, Rule
from infra.settings import ClusterMode, Settings, default_of, key_of

_MOST_WORKERS = 100


def _workers(settings: Settings) -> Iterator[Problem]:
    count = settings.ray_workers
    if not 0 <= count <= _MOST_WORKERS:
        yield Problem(
            code="ray-workers",
            keys=("rayWorkers",),
            reason=f"{count} is not 0 to {_MOST_WORKERS}: all of them read from one lakeFS",
            remedy=f"pulumi config set rayWorkers {min(max(count, 0), _MOST_WORKERS)}",
        )


def _without_effect(settings: Settings) -> Iterator[Problem]:
    wanted = {"ray_machine_type", "ray_spot"} if settings.ray_workers == 0 else set[str]()
    reason = "there is no Ray cluster; it would do nothing"
    if settings.ray_workers and settings.cluster_mode == ClusterMode.AUTOPILOT:
        wanted = {"ray_machine_type"}
        reason = "an autopilot cluster has no node pool of yours; it would do nothing"
    for field in sorted(wanted):
        if getattr(settings, field) != default_of(field):
            yield Problem(
                code="ray-without-effect",
                keys=(key_of(field), "rayWorkers"),
                reason=reason,
                remedy=f"pulumi config rm {key_of(field)}, or pulumi config set rayWorkers 4",
            )


def _machine_type(settings: Settings) -> Iterator[Problem]:
    if not is_machine_type(settings.ray_machine_type):
        yield Problem(
            code="ray-machine-type",
            keys=("rayMachineType",),
            reason=f"{settings.ray_machine_type!r} is no machine type, or too small for a worker",
            remedy="pulumi config set rayMachineType e2-standard-8",
        )


RULES: tuple[Rule, ...] = (_workers, _without_effect, _machine_type)
