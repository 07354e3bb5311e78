"""`ops data profile`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.data import app
from ops.cli.engine import (
    EngineName,
    EngineOption,
    Jobs,
    RayAddress,
    engine_for,
    state_address,
)
from ops.cli.output import Result, Warn
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.names import IMAGE_PROFILE_PATH

if TYPE_CHECKING:
    from ops.runner.profile import Profiled

_SHOWN = 20


@verb(app, "data", "profile")
def profile(
    session: Session,
    *,
    engine: EngineOption = EngineName.THREADS,
    ray_address: RayAddress = None,
    jobs: Jobs = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure every picture, whatever is known of it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
) -> Result:
    """Measure main's pictures: size, format, orientation, digest, and a hash of how they look.

    What is known already is left alone: a picture is measured once for its bytes. The table is
    profile/images.parquet, and says of pictures that cannot be decoded why not. The perceptual
    hash, which finds near duplicates, takes the extra labeling-ops[dedup]. However many machines
    measure, the table is the same.
    """
    from ops.runner.profile import profile_images

    state_address(session, engine, ray_address)
    context = session.context()
    machines = engine_for(session, context, engine, jobs=jobs)
    found = profile_images(context, machines, again=again, dry_run=dry_run)
    return _result(found, engine=engine, dry_run=dry_run)


def _result(found: "Profiled", *, engine: EngineName, dry_run: bool) -> Result:
    done = "would measure" if dry_run else "measured"
    lines = [f"{done} {len(found.measured)} pictures, {found.kept} were measured already"]
    if not found.measured:
        lines = [f"nothing new: {found.kept} pictures are measured already"]
    if found.problems:
        lines.append(f"{len(found.problems)} cannot be decoded:")
        lines += [
            f"  {one.key} {one.problem.text if one.problem else ''}"
            for one in found.problems[:_SHOWN]
        ]
        rest = len(found.problems) - _SHOWN
        lines += [f"  … and {rest} more; --json lists them all"] if rest > 0 else []
    warnings: list[Warn] = []
    if found.measured and not found.hashed and not dry_run:
        said = "without perceptual hashes: pip install 'labeling-ops[dedup]', then run it again"
        warnings.append(Warn(code="no-perceptual-hash", message=said, subject=IMAGE_PROFILE_PATH))
    return Result(
        data={
            "measured": len(found.measured),
            "kept": found.kept,
            "hashed": found.hashed,
            "engine": engine.value,
            "problems": [
                {"key": one.key, "problem": one.problem.value if one.problem else None}
                for one in found.problems
            ],
            "commit": found.commit,
        },
        body=lines,
        status="planned" if dry_run and found.measured else "ok",
        warnings=warnings,
    )
