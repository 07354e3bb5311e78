"""`python -m ops`: the same as the command `ops`."""

from ops.cli.main import run

run()
