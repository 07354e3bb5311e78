"""Makes a function a verb: adds the options every command has, and prints what it returns.

Owns `--json`, `--quiet` and `--repository`. Catches nothing: the one error boundary is
ops/cli/main.py.
"""

import inspect
import re
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec, cast

import typer

from ops.cli.output import Result, envelope, print_result, write
from ops.cli.pages import COMMON, HELP_OPTIONS, HelpfulCommand
from ops.cli.session import Session
from ops.errors import NotFoundError

P = ParamSpec("P")

_COMMON = {
    "as_json": Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON document and nothing else.", rich_help_panel=COMMON
        ),
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=COMMON)
    ],
    "repository": Annotated[
        str | None,
        typer.Option(
            "--repository",
            "-r",
            metavar="NAME",
            help="The lakeFS repository, instead of the one in the settings.",
            rich_help_panel=COMMON,
        ),
    ],
}
# Where a docstring stops being for people at a terminal.
_FOR_PROGRAMMERS = re.compile(r"^(Args|Raises|Returns|Yields|Attributes):$", re.MULTILINE)


def verb(
    app: typer.Typer, *words: str, takes_repository: bool = True
) -> Callable[
    [Callable[Concatenate[Session, P], Result]], Callable[Concatenate[Session, P], Result]
]:
    """Register a function as the verb `words[-1]` of `app`; `words` go into the envelope.

    The function takes a Session and its own parameters, and returns a Result.

    Args:
        app: the noun, or the root for a verb without one.
        words: the noun and the verb.
        takes_repository: the verb works on a repository, so it has `--repository`.
    """
    common = {n: a for n, a in _COMMON.items() if takes_repository or n != "repository"}

    def register(
        function: Callable[Concatenate[Session, P], Result],
    ) -> Callable[Concatenate[Session, P], Result]:
        def run(**values: object) -> None:
            given = {name: values.pop(name) for name in common}
            repository = given.get("repository")
            session = Session(
                as_json=bool(given["as_json"]),
                quiet=bool(given["quiet"]),
                flags={"repository": str(repository)} if repository is not None else {},
                directory=_directory(),
            )
            # Typer gives what the signature below says.
            with closing(session):
                result = cast("Callable[..., Result]", function)(session, **values)
            if session.as_json:
                write(envelope(words, result), sys.stdout)
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
            for name, annotation in common.items()
        ]
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        # What Typer reads instead of the real signature.
        setattr(run, "__signature__", inspect.Signature([*keyword, *extra]))  # noqa: B010
        run.__annotations__ = {p.name: p.annotation for p in [*keyword, *extra]}
        settings = {"help_option_names": list(HELP_OPTIONS)}
        app.command(words[-1], cls=HelpfulCommand, help=_help(function), context_settings=settings)(
            run
        )
        return function

    return register


def _help(function: Callable[..., object]) -> str:
    return _FOR_PROGRAMMERS.split(inspect.getdoc(function) or "")[0].strip()


def _directory() -> Path:
    """Where the command is run.

    Raises:
        NotFoundError: somebody removed it meanwhile.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise NotFoundError(
            "no-directory",
            "the directory this command runs in is gone",
            unchanged="nothing was read or written",
            hint="cd to a directory that is there, then run the same command again",
        ) from error
