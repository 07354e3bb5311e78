"""`ops dataset verify`: an audit of what the dataset claims to be."""

from typing import Annotated

import typer

from ops.cli.dataset import app
from ops.cli.output import Result, Table, Warn
from ops.cli.session import Session
from ops.cli.verb import verb


@verb(app, "dataset", "verify")
def verify(
    session: Session,
    *,
    ref: Annotated[
        str, typer.Option("--ref", metavar="REF", help="Which state of main to audit.")
    ] = "main",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="REF", help="Look at history after this one only."),
    ] = None,
    every_version: Annotated[
        bool, typer.Option("--all", help="Hold every version against its records, not the last.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every record, whatever checksum lakeFS lists.")
    ] = False,
) -> Result:
    """Audit main: say what was changed around ops, and what is not what it says it is.

    Names each commit that came by the lakeFS UI or API instead of ops; counts the records again and
    holds snapshot, card, tags and rounds against them; looks at the gate. Only reads. Exit code 9
    where something is not as it should be.
    """
    from ops.runner.verify import refuse_faults, verify_dataset

    context = session.context()
    found = verify_dataset(context, ref, since=since, every_version=every_version, deep=deep)
    refuse_faults(found)
    return Result(
        data=found.as_json(),
        body=[
            f"{ref} is what it says it is: commit {found.commit[:12]}",
            Table(columns=("check", "result"), rows=found.lines()),
        ],
        warnings=[
            Warn(code=finding.code, message=finding.message, subject=finding.subject)
            for finding in found.findings
        ],
    )
