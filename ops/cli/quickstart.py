"""`ops quickstart`: from nothing to a versioned dataset, on this machine.

Owns its options, and which of its two stories is told: the digits' or a first round over one's own
pictures. The stories are ops/quickstart's, their ends endings.py's.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli import history
from ops.cli.endings import own_result, planned_result, story_result
from ops.cli.init import read_label_config
from ops.cli.output import Result
from ops.cli.servers import Ready, have_servers, is_fresh, source
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.label_config import LabelKind
from ops.errors import NotFoundError, UsageError
from ops.quickstart import FEWEST_DIGITS, MOST_DIGITS

if TYPE_CHECKING:
    from ops.annotator_port import Annotators
    from ops.runner.context import Context

_REPOSITORY = "quickstart"
_ROUND = "first"


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    verb(app, "quickstart")(quickstart)


def quickstart(
    session: Session,
    *,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Your own pictures; nobody's answers are made up then."),
    ] = None,
    label_config: Annotated[
        Path | None, typer.Option(help="With --images: a Label Studio label config (XML).")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="With --images: what they may be, with commas.")
    ] = None,
    kind: Annotated[
        LabelKind, typer.Option(help="What --labels are put on pictures as.")
    ] = LabelKind.CHOICES,
    count: Annotated[
        int, typer.Option(min=FEWEST_DIGITS, max=MOST_DIGITS, help="How many hand-written digits.")
    ] = 200,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Result:
    """See the whole thing once: servers, pictures, two people's labels, two versions, an S3 read.

    Takes hand-written digits, labeled by two made-up people through Label Studio's own API, unless
    --images names a folder of yours. Starts the local servers unless the settings name others. Safe
    to run again.

    Raises:
        UsageError: --labels or --label-config without --images.
    """
    config = read_label_config(label_config, labels, kind)
    if images is not None:
        _check_folder(session, images, has_labels=config is not None)
        what = f"the pictures of {images}"
        ready = have_servers(session, what=what, yes=yes, dry_run=dry_run)
        return _own_round(ready, images, config, dry_run=dry_run)
    if config is not None:
        raise UsageError(
            "labels-without-images",
            "the digits have their labels; --labels and --label-config go with --images",
            unchanged="nothing was started or written",
            hint="ops quickstart, or: ops quickstart --images DIR --labels cat,dog",
        )
    from ops.quickstart.pictures import need_modules

    need_modules()
    if source(session, "repository") == "default":
        session = replace(session, flags={**session.flags, "repository": _REPOSITORY})
    ready = have_servers(session, what="sample data", yes=yes, dry_run=dry_run)
    return _digits(ready, count=count, dry_run=dry_run)


def _check_folder(session: Session, folder: Path, *, has_labels: bool) -> None:
    """Refuse what can be refused before servers are started.

    Raises:
        NotFoundError: there is no such folder.
        UsageError: nothing can say what may be said of the pictures.
    """
    if not folder.is_dir():
        raise NotFoundError(
            "no-such-path",
            f"there is no folder {folder}",
            subject=str(folder),
            unchanged="nothing was started or written",
            hint="check the path",
        )
    if is_fresh(session) and not has_labels:
        from ops.quickstart.own import refuse_no_labels

        refuse_no_labels(folder)


def _own_round(ready: Ready, folder: Path, config: str | None, *, dry_run: bool) -> Result:
    from ops.quickstart.own import OwnRound, open_own_round, unseen_steps

    session = ready.session
    if ready.is_running:
        found = open_own_round(
            session.context(),
            _ROUND,
            folder,
            label_config=config,
            namespace=ready.namespace,
            dry_run=dry_run,
        )
    else:
        found = OwnRound(steps=unseen_steps(ready.repository, _ROUND, folder), manifest=None)
    if dry_run:
        return planned_result(ready, found.steps)
    return own_result(ready, found, _ROUND)


def _digits(ready: Ready, *, count: int, dry_run: bool) -> Result:
    from ops.quickstart.plan import Seen, plan_story
    from ops.quickstart.story import tell_story

    session = ready.session
    if not ready.is_running:
        steps = plan_story(Seen(), repository=ready.repository, count=count)
        return planned_result(ready, [step.text for step in steps])
    context = session.context()
    told = tell_story(
        context,
        _people(context),
        namespace=ready.namespace,
        count=count,
        dry_run=dry_run,
    )
    if dry_run:
        return planned_result(ready, [step.text for step in told.steps])
    return story_result(ready, told, history.log(session))


def _people(context: "Context") -> "Annotators":
    from ops.studio import LabelStudio, StudioAnnotators

    assert isinstance(context.studio, LabelStudio), "the session makes it one"  # noqa: S101
    return StudioAnnotators(context.studio)
