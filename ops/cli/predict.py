"""`ops predict`: what models say, kept apart from what people say."""

import typer

app = typer.Typer(help="Predictions of models, never counted as labels.", no_args_is_help=True)
