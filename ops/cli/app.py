"""The command tree: which nouns there are and which module holds their verbs."""

from collections.abc import Sequence

import typer

from ops.cli import config, data, dataset, init
from ops.cli import round as rounds

app = typer.Typer(
    name="ops",
    help="Labeling rounds over Label Studio and lakeFS: versioned, gated, exactly once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
init.register(app)
app.add_typer(data.app, name="data")
app.add_typer(rounds.app, name="round")
app.add_typer(dataset.app, name="dataset")
app.add_typer(config.app, name="config")

_NOUNS = {"local", "round", "data", "dataset", "config"}


def words(arguments: Sequence[str]) -> tuple[str, ...]:
    """The noun and verb among a command line's arguments, as the envelope names them."""
    plain = [argument for argument in arguments if not argument.startswith("-")]
    return tuple(plain[: 2 if plain[:1] and plain[0] in _NOUNS else 1])
