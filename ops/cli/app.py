"""The command tree: which nouns there are, which module holds their verbs, and how one is run."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from ops.cli import (
    bucket,
    changes,
    config,
    data,
    dataset,
    diff,
    doctor,
    export,
    gates,
    history,
    import_labels,
    init,
    join,
    local,
    ontology,
    predict,
    profile,
    pull,
    query,
    quickstart,
    round_end,
    round_tasks,
    round_views,
    runs,
    split,
    verify,
)
from ops.cli import open as opening
from ops.cli import round as rounds
from ops.cli.pages import HELP_OPTIONS, HelpfulGroup
from ops.cli.usage import refuse_bare_noun, refuse_command, refuse_early_option

_LONE_VERBS = (quickstart, init, doctor, opening, import_labels)
_NOUNS = {
    "local": local.app,
    "data": data.app,
    "round": rounds.app,
    "predict": predict.app,
    "dataset": dataset.app,
    "ontology": ontology.app,
    "gates": gates.app,
    "bucket": bucket.app,
    "config": config.app,
}
_MORE_VERBS = (
    *(round_end, round_tasks, round_views),
    *(diff, history, changes, verify, query, export, split, pull, runs),
    *(join, profile),
)
"""Modules whose verbs belong to another module's noun: importing them adds the verbs."""
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
def tree(*, has_completion: bool = False) -> TyperGroup:
    """The whole command tree, built once.

    The options about completion are left out where they are not asked for: Typer 0.29 imports
    pydantic (50 ms) to find that they have no value.
    """
    app = typer.Typer(
        name="ops",
        cls=HelpfulGroup,
        callback=_root,
        invoke_without_command=True,
        add_completion=has_completion,
        context_settings={"help_option_names": list(HELP_OPTIONS)},
    )
    for module in _LONE_VERBS:
        module.register(app)
    for name, noun in _NOUNS.items():
        app.add_typer(
            noun,
            name=name,
            cls=HelpfulGroup,
            no_args_is_help=False,
            context_settings={"help_option_names": list(HELP_OPTIONS)},
        )
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
        command: the verb, noun or root they end in.
        unknown: the first word that does not exist, or None.
        before: options that stand before the last word.
        after: everything behind it.
    """

    words: tuple[str, ...]
    command: TyperGroup | TyperCommand
    unknown: str | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _resolve(arguments: Sequence[str]) -> _Named:
    named = _Named(words=(), command=tree())
    for index, argument in enumerate(arguments):
        rest = tuple(arguments[index + 1 :])
        if argument.startswith("-"):
            named = replace(named, before=(*named.before, argument), after=rest)
            continue
        assert isinstance(named.command, TyperGroup), "a verb ends the loop"  # noqa: S101
        command = named.command.commands.get(argument)
        if not isinstance(command, TyperGroup | TyperCommand):
            return replace(named, unknown=argument)
        named = replace(named, words=(*named.words, argument), command=command, after=rest)
        if isinstance(command, TyperCommand):
            break
    return named


def invoke(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; raises what the command raises.

    Raises:
        UsageError: there is no such command, or a noun stands alone.
    """
    if _COMPLETION in os.environ:
        root = tree(has_completion=True)
        return int(root.main(list(arguments), prog_name="ops", standalone_mode=False) or 0)
    named = _resolve(arguments)
    if isinstance(named.command, TyperCommand):
        return _run(named.command, "ops " + " ".join(named.words), _verb_arguments(named))
    group = named.command if named.words else tree(has_completion=True)
    known = list(group.commands)
    if any(option in arguments for option in HELP_OPTIONS):
        return _run(group, " ".join(["ops", *named.words]), ["--help"])
    if named.unknown is not None:
        refuse_command(named.unknown, known, named.words)
    if named.words or "--json" in arguments:
        refuse_bare_noun(known, named.words)
    return _run(group, "ops", list(arguments))


def _verb_arguments(named: _Named) -> list[str]:
    """A verb's arguments; the flags every verb has may stand before it: `ops --json round list`.

    Raises:
        UsageError: another option does.
    """
    for option in named.before:
        if option not in {*_FLAGS, *HELP_OPTIONS}:
            refuse_early_option(option, named.words)
    return [*named.before, *named.after]


def _run(command: TyperGroup | TyperCommand, path: str, arguments: list[str]) -> int:
    # Not command.main(): it makes exit code 1 of a closed pipe, and silence of an interrupt. Nor
    # through the root: Typer 0.29 imports pydantic (50 ms) to find that its --help was not given.
    try:
        with command.make_context(path, arguments) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


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
