"""`ops import`: labels that people have already, as a round to be reviewed."""

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command tree."""
    del app
