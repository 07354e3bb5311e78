"""What documents, hints and the reference say of commands, settings and files is true."""

import re
from pathlib import Path

import pytest
from typer.core import TyperCommand

from ops.cli.app import every_command
from ops.cli.pages import options
from ops.settings import SPECS
from tests.tree import ROOT, documents, failing, modules, named
from tools.generate_reference import failures, pages


@pytest.mark.parametrize("path", pages(), ids=named)
def test_the_reference_is_what_the_code_says(path: Path) -> None:
    """`make docs` writes it anew."""
    assert path.exists(), "run: make docs"
    assert path.read_text("utf-8") == pages()[path], "stale; run: make docs"


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_is_in_the_reference(words: tuple[str, ...]) -> None:
    """With a heading, and each of its options."""
    text = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    _, found, rest = text.partition(f"\n### ops {' '.join(words)}\n")
    assert found
    section = rest.partition("\n### ")[0]
    common = {"--json", "--quiet", "--repository"}
    names = {max(option.opts, key=len) for option in options(every_command()[words])}
    assert not {name for name in names - common if name not in section}


@pytest.mark.parametrize("name", [spec.name for spec in SPECS])
def test_every_setting_is_in_the_reference(name: str) -> None:
    """With every variable."""
    [spec] = [spec for spec in SPECS if spec.name == name]
    text = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    [line] = [line for line in text.splitlines() if line.startswith(f"| `{name}` ")]
    assert not [variable for variable in spec.variables if f"`{variable}`" not in line]


@pytest.mark.parametrize("document", documents(), ids=named)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    """To a file that is there, or to a heading of it."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{named(document)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)", path.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, f"{named(document)}: {target}"


def test_documents_named_in_code_are_there() -> None:
    """Docstrings and hints send people to them."""
    wrong = [
        f"{named(path)}: {name}"
        for path in [*modules(), *documents()]
        for name in re.findall(r"\bdocs/[\w/.-]+\.md\b", path.read_text("utf-8"))
        if not (ROOT / name).exists()
    ]
    assert not wrong, failing(wrong)


def command_lines() -> list[tuple[str, str]]:
    """Every `ops …` in code blocks and code spans of the documents, as (document, command line)."""
    found: list[tuple[str, str]] = []
    for document in documents():
        if named(document).startswith("docs/reference/"):
            continue
        text = document.read_text("utf-8")
        lines = [
            line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines() if line.startswith(("ops ", "$ ops "))
        ]  # fmt: skip
        spans = re.findall(r"`(ops [^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        found += [(named(document), line.removeprefix("$ ")) for line in [*lines, *spans]]
    return found


def hints() -> list[tuple[str, str]]:
    """Every command line that errors tell people to type, as (code, command line)."""
    return [
        (failure.code, match)
        for failure in failures()
        for match in re.findall(r"(?:^|: |; |with |see )(ops [a-z][^;,…:]*)", failure.hint)
    ]


def command_problem(line: str) -> str | None:
    """Why a command line is none of ops, or None; a verb written `up|down` stands for each."""
    words = line.partition("#")[0].replace("(", " ").replace(")", " ").split()[1:]
    if not words or words[0].startswith(("-", "<", "…")):
        return None
    for alternative in words[1].split("|") if len(words) > 1 else [""]:
        command = _find([words[0], alternative])
        if command is None and every_noun() >= {words[0]} and not _is_word(alternative):
            continue
        if command is None:
            return f"there is no such command: {line}"
        known = {name for option in options(command) for name in option.opts} | {"--help", "-h"}
        for word in words:
            option = re.match(r"--?[a-z][a-z-]*", word)
            if option and option[0] not in known:
                return f"it has no option {option[0]}: {line}"
    return None


def every_noun() -> set[str]:
    """The nouns that have verbs."""
    return {words[0] for words in every_command() if len(words) > 1}


def _is_word(text: str) -> bool:
    return bool(re.fullmatch(r"[a-z]+", text))


def _find(words: list[str]) -> TyperCommand | None:
    commands = every_command()
    return commands.get(tuple(words[:2])) or commands.get(tuple(words[:1]))


def test_commands_in_documents_exist() -> None:
    """README's and all others': the verb and each option."""
    lines = command_lines()
    assert len(lines) > 10
    wrong = [f"{where}: {p}" for where, line in lines if (p := command_problem(line))]
    assert not wrong, failing(wrong)


def test_commands_in_hints_exist() -> None:
    """What an error tells people to type works."""
    lines = hints()
    assert len(lines) > 30
    wrong = [f"{where}: {p}" for where, line in lines if (p := command_problem(line))]
    assert not wrong, failing(wrong)


@pytest.mark.parametrize(
    "line",
    ["ops rond list", "ops round lst", "ops round start x --limi 3", "ops init --label a", "ops x"],
)
def test_a_stale_command_line_would_be_found(line: str) -> None:
    """The check above can fail."""
    assert command_problem(line)


def test_make_targets_in_documents_exist() -> None:
    """`make …` in README, CONTRIBUTING and the rest."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"quickstart", "test", "check", "docs"} <= targets
    wrong = [
        f"{named(path)}: make {target}"
        for path in documents()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
        if target not in targets
    ]
    assert not wrong, failing(wrong)
