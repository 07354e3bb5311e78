"""`ops config`: which settings are in force and where each came from."""

import typer

from ops.cli.output import Result, Table
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.settings import SPECS

app = typer.Typer(help="Settings.", no_args_is_help=True)


@verb(app, "config", "show")
def show(session: Session) -> Result:
    """Show every setting, where its value came from and how to set it; secrets are masked."""
    settings = session.settings.all()
    specs = {spec.name: spec for spec in SPECS}
    return Result(
        data={
            "settings": [
                {
                    "name": s.name,
                    "value": s.shown if s.value is not None else None,
                    "source": s.source,
                    "is_secret": s.is_secret,
                    "variables": list(specs[s.name].variables),
                    "help": specs[s.name].help,
                }
                for s in settings
            ]
        },
        body=[
            Table(
                columns=("setting", "value", "source", "variable"),
                rows=[(s.name, s.shown, s.source, specs[s.name].variables[0]) for s in settings],
            )
        ],
    )
