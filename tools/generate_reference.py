"""Writes docs/reference/{cli,settings,errors,layout}.md; `--check` only says which are stale.

Owns how these pages are laid out. What they say comes from the command tree, the settings' table,
the calls that make errors and the builders of names, so it cannot differ from what ops does.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import ops.cli.main as _  # noqa: F401 - its error class is part of the tree
from ops.cli.app import every_command, tree
from ops.cli.pages import COMMON, Entry, Page, group_page, summary, verb_page
from ops.core import names
from ops.core.lines import stored
from ops.core.records import TaskKey
from ops.errors import OpsError
from ops.settings import FILE_NAME, SPECS

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
_MADE = "<!-- Made by tools/generate_reference.py: change the code, then run `make docs`. -->\n\n"


def pages() -> Mapping[Path, str]:
    """Every page by its path, as it should be."""
    return {
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "layout.md": layout_page(),
    }


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


_CLI_INTRO = """
# Commands

`ops <noun> <verb> [NAME] [options]`. A result goes to stdout; progress, warnings and errors go to
stderr. `NO_COLOR` is respected. `ops --version` prints the version, `ops --install-completion` lets
the shell complete commands.

## For programs

With `--json` there is exactly one document on stdout, whether the command succeeds or fails, and
nothing on stderr:

```json
{
  "schema": "ops.result/1",
  "command": ["round", "finish"],
  "status": "ok | planned | partial | error",
  "exit_code": 0,
  "data": {},
  "warnings": [{"code": "…", "message": "…", "subject": "…"}],
  "errors": [
    {"code": "…", "message": "…", "subject": "…", "where": {}, "unchanged": "…", "hint": "…"}
  ]
}
```

`planned` is the status of a `--dry-run` that found something to do. Codes and exit codes:
[errors](errors.md).
"""


def cli_page() -> str:
    """`cli.md`: every command with its arguments and options."""
    commands = {words: verb_page(c, _called(words)) for words, c in every_command().items()}
    common = next(iter(commands.values())).sections[COMMON]
    parts = [_MADE + _CLI_INTRO.strip(), f"## {COMMON}", "Every command has:", _entries(common)]
    parts.append("`--repository` is left out where no repository is concerned.")
    overview = group_page(tree(), "ops").sections["Commands"]
    parts += ["## All commands", _entries(overview, "command", linked=True)]
    parts += [_command(words, page) for words, page in commands.items()]
    return "\n\n".join(parts) + "\n"


def _called(words: Sequence[str]) -> str:
    return " ".join(["ops", *words])


def _entries(entries: Sequence[Entry], heading: str = "", *, linked: bool = False) -> str:
    def named(entry: Entry) -> str:
        return f"[`ops {entry.names}`](#{_anchor(entry.names)})" if linked else f"`{entry.names}`"

    rows = [(named(entry), entry.help) for entry in entries]
    return _table((heading or "option", "means"), rows)


def _anchor(words: str) -> str:
    return "ops-" + words.replace(" ", "-")


def _command(words: Sequence[str], page: Page) -> str:
    parts = [f"### {_called(words)}", f"```\n{page.usage}\n```", *page.text]
    for heading, entries in page.sections.items():
        if heading != COMMON:
            parts.append(_entries(entries, heading.rstrip("s").lower()))
    return "\n\n".join(parts)


_SETTINGS_INTRO = f"""
# Settings

Each setting is taken from the first place that gives it:

1. a flag of the command (`--repository`),
2. the environment: the variables below, `OPS_…` before those of the services' own tools; an empty
   one counts as none,
3. `{FILE_NAME}` in the working directory, for what is no secret,
4. the stack in use: `secrets/ops.toml`, which `ops config use --stack NAME` writes and
   `ops config use --local` takes away; its credentials go to its own addresses only,
5. the local servers below `.ops/`, where `ops local up` has started them; their credentials go to
   their own addresses only,
6. the default.

`ops config show` says what is in force and where each value came from, with secrets masked. A wrong
value is refused, naming its source; so is a name in `{FILE_NAME}` that no setting has, and any
secret there. `secrets/ops.toml` may hold secrets: git passes it over, and it is refused where
others may read it or git has it after all.

```toml
# {FILE_NAME}
repository = "cheese"

[lakefs]
url = "https://lakefs.example.org"
```
"""


def settings_page() -> str:
    """`settings.md`: every setting with its variables and default."""
    rows = [
        (
            f"`{spec.name}`",
            ", ".join(f"`{variable}`" for variable in spec.variables),
            f"`{spec.default}`" if spec.default is not None else "–",
            "yes" if spec.is_secret else "",
            spec.help,
        )
        for spec in SPECS
    ]
    table = _table(("setting", "variables", "default", "secret", "is"), rows)
    return "\n\n".join([_MADE + _SETTINGS_INTRO.strip(), table]) + "\n"


_ERRORS_INTRO = """
# Errors

An error says what happened, where, what stayed unchanged and what to type next. Its code is stable,
and always has the same exit code; messages may change their words. `…` stands for what differs from
case to case.

| exit code | means |
| --- | --- |
| 0 | done, or done already |
"""
_AFTER_CLASSES = "| 141 | nobody read the output any more (`ops … \\| head`) |"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Failure:
    """One way to fail: its exit code, its stable code, and its words with `…` for what differs."""

    exit_code: int
    code: str
    message: str
    hint: str


def errors_page() -> str:
    """`errors.md`: exit codes, and every error code with its words."""
    kinds = sorted(OpsError.__subclasses__(), key=lambda kind: kind.exit_code)
    lines = [f"| {kind.exit_code} | {_purpose(kind)} |" for kind in kinds]
    parts = [_MADE + _ERRORS_INTRO.strip() + "\n" + "\n".join([*lines, _AFTER_CLASSES])]
    found = sorted(set(failures()))
    for exit_code, group in groupby(found, key=lambda failure: failure.exit_code):
        kind = next(kind for kind in kinds if kind.exit_code == exit_code)
        parts.append(f"## {exit_code}: {_purpose(kind)}")
        rows = [(f"`{f.code}`", f.message, f.hint) for f in group]
        parts.append(_table(("code", "happened", "next"), rows))
    return "\n\n".join(parts) + "\n"


def _purpose(kind: type[OpsError]) -> str:
    text = summary(kind.__doc__).rstrip(".")
    return text[:1].lower() + text[1:]


_UNREADABLE = "a document is not what ops writes there; the message names the place in it"


def failures() -> Iterator[Failure]:
    """Every error that code below ops/ makes with a code of its own."""
    trees = [ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "ops").rglob("*.py"))]
    exit_codes = _exit_codes(trees)
    for module in trees:
        for scope, call in _calls(module):
            yield from _failure(call, scope, exit_codes)


def _exit_codes(trees: Sequence[ast.Module]) -> Mapping[str, int]:
    """The exit code of every error class, by its name; a class has its base's."""
    found = {kind.__name__: kind.exit_code for kind in OpsError.__subclasses__()}
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {
        node.name: base.id for node in classes for base in node.bases if isinstance(base, ast.Name)
    }
    for name in bases:
        above = name
        while above in bases and above not in found:
            above = bases[above]
        if above in found:
            found[name] = found[above]
    return found


def _calls(module: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the name of the class it stands in."""
    for node in module.body:
        scope = node.name if isinstance(node, ast.ClassDef) else ""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                yield scope, inner


def _failure(call: ast.Call, scope: str, exit_codes: Mapping[str, int]) -> Iterator[Failure]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    name, arguments = _name(call.func), call.args
    if name == "__init__":
        name = scope
    elif "code" in keywords and "error" in keywords:
        # A row of a table of refusals.
        name, arguments = _name(keywords["error"]), [keywords["code"], keywords["message"]]
    elif name == "read_given":
        # A file somebody named: ops/given.py.
        name, arguments = "NotFoundError", [keywords["code"], ast.Constant("… cannot be read: …")]
    elif name == "Source" and "code" in keywords:
        # Strict reading of a document: ops/core/documents.py.
        name, arguments = "InvalidDataError", [keywords["code"], ast.Constant(_UNREADABLE)]
    elif name == "stored":
        name, arguments = "InvalidDataError", [arguments[1], ast.Constant(_UNREADABLE)]
        keywords["hint"] = ast.Constant(stored("", "").hint)
    code = _text(arguments[0]) if arguments else ""
    if name in exit_codes and re.fullmatch(r"[a-z0-9…]+(-[a-z0-9…]+)*", code) and code != "…":
        message = _text(arguments[1]) if len(arguments) > 1 else ""
        hint = _text(keywords.get("hint")).strip("… ") and _text(keywords.get("hint"))
        yield Failure(exit_code=exit_codes[name], code=code, message=message, hint=hint)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str:
    """A text as it stands in the code, `…` for each part that is worked out."""
    match node:
        case ast.Constant(value=str(text)):
            said = text
        case ast.JoinedStr(values=parts):
            said = "".join(_text(part) for part in parts)
        case ast.BinOp(left=left, right=right):
            said = _text(left) + _text(right)
        case None:
            said = ""
        case _:
            said = "…"
    return re.sub(r"…[… ]*…", "…", re.sub(r"\{\w+\}", "…", said)).replace("\n", " ")


_LAYOUT_INTRO = """
# What lies where

A repository in lakeFS holds, on `main` and on every round's branch:
"""
_LAYOUT_OUTRO = f"""
A round's branch is `{names.round_branch("<round>")}`, that of a change under review
`{names.change_branch("<change>")}`. A version is a merge commit on `main`, its tag
`{names.version_tag(1)}`, `{names.version_tag(2)}` and so on. The columns of the two Parquet files:
[snapshot](snapshot.md).
"""


def layout_page() -> str:
    """`layout.md`: the paths of a repository."""
    key = TaskKey("<key>")
    rows = [
        (names.media_path(key), "a media object: an image"),
        (names.record_path(key), "the task's record: every annotation of it, canonical JSON"),
        (names.LABEL_CONFIG_PATH, "what may be said: Label Studio's label config"),
        (names.manifest_path("<round>"), "what a round was asked for, by whom, how it ended"),
        (names.tasks_path("<round>"), "the round's tasks, a line each, as at its start"),
        (names.import_path("<round>"), "the records an import put before the round's annotators"),
        (names.index_path("<round>"), "what an open round has read; on its branch only"),
        (names.change_path("<change>"), "what a revert or a migration was asked for, and by whom"),
        (names.TASKS_PARQUET, "all tasks of the version, a row each"),
        (names.ANNOTATIONS_PARQUET, "all regions of the version, a row each"),
        (names.CLASSES_PATH, "the class ids of exports: append-only"),
        (names.metadata_path("<table>"), "a joined table, a row an image; its facts in `.json`"),
        (names.prediction_path("<model>", "<version>"), "what a model says; its facts in `.json`"),
        (names.IMAGE_PROFILE_PATH, "what was measured of each image; its facts in `.json`"),
        (names.split_path("<split>"), "which part each task is in; its facts in `.json`"),
        (names.query_path("<query>"), "a saved query, SQL"),
        (names.run_path("<run>"), "a training run: which commit it used, what came of it"),
        (names.CARD_PATH, "the version's card, for people"),
        (names.CARD_JSON_PATH, "the version's card, for programs"),
        (names.ACTIONS_PREFIX, "lakeFS's own hooks"),
        (names.GATES_PREFIX, "what a round must fulfil; read from `main` only"),
    ]
    table = _table(("path", "holds"), [(f"`{path}`", holds) for path, holds in rows])
    return "\n\n".join([_MADE + _LAYOUT_INTRO.strip(), table, _LAYOUT_OUTRO.strip()]) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the pages that are stale; with `--check` name them and give 1."""
    stale = [
        (path, text)
        for path, text in pages().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path, text in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if "--check" not in arguments:
            path.write_text(text, "utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
