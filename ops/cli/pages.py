"""Help pages: what a command takes, as data, and as text.

Owns how help reads; docs/reference/cli.md is made of the same data. Typer's own pages are not used:
they take 80 ms to draw, and a pipe cuts their boxes at 80 columns.
"""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

COMMON = "Common options"
HELP_OPTIONS = ("-h", "--help")
_WIDEST = 100
_NARROWEST = 50
_NAMES_WIDTH = 24
_KINDS = {"int": "N", "float": "NUMBER", "Path": "PATH"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One argument, option or command: how it is written, and what it means."""

    names: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The help of one command.

    Attributes:
        usage: the command line, `ops round start NAME [options]`.
        text: paragraphs; the first is one sentence or two.
        sections: entries by heading, in the order they are shown.
    """

    usage: str
    text: Sequence[str]
    sections: Mapping[str, Sequence[Entry]]


class HelpfulCommand(TyperCommand):
    """A verb whose help is a Page."""

    def get_help(self, ctx: typer.Context) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - Typer keeps the context's base class private
        """The help page as text."""
        return render(verb_page(self, ctx.command_path))


class HelpfulGroup(TyperGroup):
    """A noun, or `ops` itself, whose help is a Page."""

    def get_help(self, ctx: typer.Context) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        """The help page as text."""
        return render(group_page(self, ctx.command_path))


def verb_page(command: TyperCommand, path: str) -> Page:
    """The page of a verb; `path` is how it is called, `ops round start`."""
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    sections: dict[str, list[Entry]] = {}
    for argument in arguments:
        entry = Entry(names=value_name(argument), help=_with_facts(argument))
        sections.setdefault("Arguments", []).append(entry)
    sections["Options"] = []
    for option in options(command):
        entry = Entry(names=_spelled(option), help=_with_facts(option))
        sections.setdefault(option.rich_help_panel or "Options", []).append(entry)
    pieces = [name if a.required else f"[{name}]" for a in arguments for name in [value_name(a)]]
    pieces += [_spelled(option) for option in options(command) if option.required]
    return Page(
        usage=" ".join([path, *pieces, "[options]"]),
        text=_paragraphs(command.help),
        sections={heading: entries for heading, entries in sections.items() if entries},
    )


def group_page(group: TyperGroup, path: str) -> Page:
    """The page of a noun, or of `ops`: every verb below it, a line each."""
    kind = "COMMAND" if path == "ops" else "VERB"
    sections = {f"{kind.capitalize()}s": [*_verbs(group)]}
    if own := [*options(group)]:
        sections["Options"] = [Entry(names=_spelled(o), help=_with_facts(o)) for o in own]
    return Page(usage=f"{path} {kind} [options]", text=_paragraphs(group.help), sections=sections)


def options(command: TyperCommand | TyperGroup) -> Iterator[TyperOption]:
    """The options of a command that are not hidden, without `--help`."""
    for param in command.params:
        if isinstance(param, TyperOption) and not param.hidden:
            yield param


def _verbs(group: TyperGroup, prefix: str = "") -> Iterator[Entry]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _verbs(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield Entry(names=prefix + name, help=summary(command.help))


def summary(text: str | None) -> str:
    """The first sentence of a command's help."""
    first = next(iter(_paragraphs(text)), "")
    sentence, stop, _ = first.partition(". ")
    return sentence + "." if stop else first


def _paragraphs(text: str | None) -> Sequence[str]:
    blocks = (text or "").strip().split("\n\n")
    return [" ".join(block.split()) for block in blocks if block.strip()]


def value_name(param: TyperArgument | TyperOption) -> str:
    """What stands for the value in help and errors: `NAME`, `N`, `labeled|empty`, `PATHS...`.

    A text is called by its option: `--ref REF`.
    """
    descriptor = param.type_descriptor
    if param.metavar is not None:
        name = param.metavar
    elif descriptor.choices is not None:
        name = "|".join(str(choice) for choice in descriptor.choices)
    elif isinstance(param, TyperArgument):
        name = param.name.upper()
    else:
        own = max(param.opts, key=len).rpartition("-")[2].upper()
        name = _KINDS.get(getattr(descriptor.annotation, "__name__", ""), own)
    return f"{name}..." if param.nargs == -1 else name


def spelling(param: TyperArgument | TyperOption) -> str:
    """How an error calls a parameter: `--limit`, or `NAME`."""
    if isinstance(param, TyperArgument):
        return value_name(param)
    return max(param.opts, key=len)


def _spelled(option: TyperOption) -> str:
    """How the option is written: `-r, --repository NAME`."""
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {value_name(option)}"


def takes(param: TyperArgument | TyperOption) -> str:
    """What values a parameter takes, in words: `a whole number, 1 or more`."""
    descriptor = param.type_descriptor
    if descriptor.choices is not None:
        return "one of " + ", ".join(str(choice) for choice in descriptor.choices)
    kinds = {"int": "a whole number", "float": "a number", "Path": "a path"}
    kind = kinds.get(getattr(descriptor.annotation, "__name__", ""), "a text")
    bounds = _bounds(param)
    return f"{kind}, {bounds}" if bounds else kind


def _bounds(param: TyperArgument | TyperOption) -> str:
    if param.min is not None and param.max is not None:
        return f"{param.min} to {param.max}"
    if param.min is not None:
        return f"{param.min} or more"
    return f"{param.max} or less" if param.max is not None else ""


def _with_facts(param: TyperArgument | TyperOption) -> str:
    """The help with the bounds and the default after it."""
    default: object = param.default
    facts = [bounds] if (bounds := _bounds(param)) else []
    if default is not None and default is not False and str(default) and not callable(default):
        facts.append(f"default {default}")
    return " ".join([param.help or "", f"[{', '.join(facts)}]" if facts else ""]).strip()


def render(page: Page, width: int | None = None) -> str:
    """A page as text, as wide as the terminal but 50 to 100 columns."""
    if width is None:
        width = shutil.get_terminal_size((_WIDEST, 24)).columns
    width = max(_NARROWEST, min(_WIDEST, width))
    parts = [f"usage: {page.usage}"]
    parts += [textwrap.fill(paragraph, width) for paragraph in page.text]
    for heading, entries in page.sections.items():
        parts.append("\n".join([f"{heading}:", *_lines(entries, width)]))
    return "\n\n".join(parts)


def _lines(entries: Sequence[Entry], width: int) -> Iterator[str]:
    column = min(_NAMES_WIDTH, max(len(entry.names) for entry in entries)) + 4
    for entry in entries:
        text = textwrap.wrap(entry.help, width - column) or [""]
        head = f"  {entry.names}".ljust(column)
        if len(entry.names) + 4 > column:
            yield head
        else:
            yield (head + text.pop(0)).rstrip()
        yield from (" " * column + line for line in text)
