"""Makes a function a verb: adds the options every command has, and prints what it returns.

Owns `--json`, `--quiet` and `--repository`. Catches nothing: the one error boundary is
ops/cli/main.py.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Concatenate, ParamSpec, cast

import typer

from ops.cli.output import Result, envelope, print_result
from ops.cli.session import Session

P = ParamSpec("P")

_COMMON = {
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no narration.")],
    "repository": Annotated[
        str | None,
        typer.Option("--repository", "-r", metavar="NAME", help="The lakeFS repository."),
    ],
}


def verb(
    app: typer.Typer, *words: str
) -> Callable[
    [Callable[Concatenate[Session, P], Result]], Callable[Concatenate[Session, P], Result]
]:
    """Register a function as the verb `words[-1]` of `app`; `words` go into the envelope.

    The function takes a Session and its own parameters, and returns a Result.
    """

    def register(
        function: Callable[Concatenate[Session, P], Result],
    ) -> Callable[Concatenate[Session, P], Result]:
        def run(**values: object) -> None:
            common = {name: values.pop(name) for name in _COMMON}
            repository = common["repository"]
            session = Session(
                as_json=bool(common["as_json"]),
                quiet=bool(common["quiet"]),
                flags={"repository": str(repository)} if repository else {},
            )
            # Typer gives what the signature below says.
            result = cast("Callable[..., Result]", function)(session, **values)
            if session.as_json:
                sys.stdout.write(envelope(words, result))
            else:
                print_result(result, sys.stdout, sys.stderr)

        own = list(inspect.signature(function).parameters.values())[1:]
        extra = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=annotation,
                default=None if name == "repository" else False,
            )
            for name, annotation in _COMMON.items()
        ]
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        # What Typer reads instead of the real signature.
        setattr(run, "__signature__", inspect.Signature([*keyword, *extra]))  # noqa: B010
        run.__doc__ = function.__doc__
        run.__annotations__ = {p.name: p.annotation for p in [*keyword, *extra]}
        app.command(words[-1], help=inspect.getdoc(function))(run)
        return function

    return register
