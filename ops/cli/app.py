"""The command tree: which nouns there are and which module holds their verbs."""

from collections.abc import Sequence

import typer

from ops.cli import config

app = typer.Typer(
    name="ops",
    help="Labeling rounds over Label Studio and lakeFS: versioned, gated, exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config.app, name="config")

_NOUNS = {"local", "round", "data", "dataset", "config"}


def words(arguments: Sequence[str]) -> tuple[str, ...]:
    """The noun and verb among a command line's arguments, as the envelope names them."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    return tuple(plain[: 2 if plain[:1] and plain[0] in _NOUNS else 1])
