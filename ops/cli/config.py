"""`ops config`: which settings are in force and where each came from."""

import typer

from ops.cli.output import Result, Table
from ops.cli.session import Session
from ops.cli.verb import verb

app = typer.Typer(help="Settings.", no_args_is_help=True)


@verb(app, "config", "show")
def show(session: Session) -> Result:
    """Show every setting and where its value came from; secrets are masked."""
    settings = session.settings.all()
    return Result(
        data={
            "settings": [
                {
                    "name": s.name,
                    "value": s.shown if s.is_secret and s.value else s.value,
                    "source": s.source,
                    "is_secret": s.is_secret,
                }
                for s in settings
            ]
        },
        body=[
            Table(
                columns=("setting", "value", "source"),
                rows=[(s.name, s.shown, s.source) for s in settings],
            )
        ],
    )
