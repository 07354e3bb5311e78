"""The command tree: which nouns there are, which module holds their verbs, and how one is run."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from ops.cli import config, data, dataset, init, local, quickstart
from ops.cli import round as rounds
from ops.cli.pages import HelpfulGroup
from ops.cli.usage import refuse_bare_noun, refuse_command

_LONE_VERBS = (quickstart, init)
_NOUNS = {
    "local": local.app,
    "data": data.app,
    "round": rounds.app,
    "dataset": dataset.app,
    "config": config.app,
}
_HELP_OPTIONS = ("-h", "--help")
_FLAGS = ("--json", "--quiet", "-q")
_COMPLETION = "_OPS_COMPLETE"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"ops {version('labeling-ops')}\n")
        raise typer.Exit


def _root(
    context: typer.Context,
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Labeling rounds over Label Studio and lakeFS: versioned, checked, nothing lost.

    A round takes pictures of a lakeFS repository to annotators in Label Studio, and their
    annotations back to a branch; finishing it makes one tagged version of the dataset.

    Every command takes --json, for programs. Exit codes: 0 done, or done already; 2 wrong usage;
    3 not found; 4 refused; 5 conflict; 6 denied; 7 a server is unavailable, run again; 8 wrong
    configuration; 9 invalid data; 10 done in part, run again; 1 a bug in ops.
    """
    del version
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


@cache
def tree() -> TyperGroup:
    """The whole command tree, built once."""
    app = typer.Typer(
        name="ops",
        cls=HelpfulGroup,
        callback=_root,
        invoke_without_command=True,
        context_settings={"help_option_names": list(_HELP_OPTIONS)},
    )
    for module in _LONE_VERBS:
        module.register(app)
    for name, noun in _NOUNS.items():
        app.add_typer(noun, name=name, cls=HelpfulGroup, no_args_is_help=False)
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup), "it has nouns"  # noqa: S101
    return root


def words(arguments: Sequence[str]) -> tuple[str, ...]:
    """The noun and verb a command line names, as far as they exist: `("round", "finish")`."""
    return _resolve(arguments).words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """What a command line names.

    Attributes:
        words: the words that exist.
        group: the noun they end in, None where they end in a verb.
        unknown: the first word that does not exist, or None.
        end: how many of the arguments have been looked at.
    """

    words: tuple[str, ...]
    group: TyperGroup | None
    unknown: str | None = None
    end: int = 0


def _resolve(arguments: Sequence[str]) -> _Named:
    found: tuple[str, ...] = ()
    group = tree()
    for end, argument in enumerate(arguments, start=1):
        if argument.startswith("-"):
            continue
        command = group.commands.get(argument)
        if command is None:
            return _Named(words=found, group=group, unknown=argument, end=end)
        found = (*found, argument)
        if not isinstance(command, TyperGroup):
            return _Named(words=found, group=None, end=end)
        group = command
    return _Named(words=found, group=group, end=len(arguments))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; raises what the command raises.

    Raises:
        UsageError: there is no such command, or a noun stands alone.
    """
    root = tree()
    if _COMPLETION in os.environ:
        return int(root.main(list(arguments), prog_name="ops", standalone_mode=False) or 0)
    named = _resolve(arguments)
    if named.group is not None and not any(option in arguments for option in _HELP_OPTIONS):
        if named.unknown is not None:
            refuse_command(named.unknown, list(named.group.commands), named.words)
        if named.words or "--json" in arguments:
            refuse_bare_noun(list(named.group.commands), named.words)
    # Not root.main(): it makes exit code 1 of a closed pipe, and silence of an interrupt.
    try:
        with root.make_context("ops", _flags_last(arguments, named)) as context:
            root.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


def _flags_last(arguments: Sequence[str], named: _Named) -> list[str]:
    """The arguments with the flags every verb has behind the verb: `ops --json round list`."""
    before, after = arguments[: named.end], arguments[named.end :]
    early = [argument for argument in before if argument in _FLAGS]
    return [*(argument for argument in before if argument not in _FLAGS), *early, *after]


def every_command() -> dict[tuple[str, ...], TyperCommand]:
    """Every verb by its words, in the order of the help."""
    return dict(_below(tree(), ()))


def _below(group: TyperGroup, above: tuple[str, ...]) -> list[tuple[tuple[str, ...], TyperCommand]]:
    found: list[tuple[tuple[str, ...], TyperCommand]] = []
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            found += _below(command, (*above, name))
        elif isinstance(command, TyperCommand):
            found.append(((*above, name), command))
    return found
