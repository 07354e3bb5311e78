"""Help: every command has a page that reads well, and none costs time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperCommand, TyperGroup

from ops.cli.app import every_command, tree
from ops.cli.pages import Entry, Page, options, render, verb_page
from tests.cli.calls import COMMAND, environment, run
from tests.cli.conftest import Call

BUDGET_S = 0.5
HEAVY = (
    "label_studio_sdk", "lakefs_sdk", "pyarrow", "PIL", "numpy", "sklearn", "skimage", "boto3",
    "httpx", "urllib3", "rich", "pydantic", "google", "requests", "duckdb", "obstore", "pandas",
    "datasets", "daft", "ray", "imagehash", "fastembed", "torch",
)  # fmt: skip

COMMANDS = every_command()
every = pytest.mark.parametrize(
    ("words", "command"), COMMANDS.items(), ids=[" ".join(words) for words in COMMANDS]
)
NOUNS = {name: noun for name, noun in tree().commands.items() if isinstance(noun, TyperGroup)}


@every
def test_every_command_has_a_page(
    words: tuple[str, ...], command: TyperCommand, call: Call
) -> None:
    """On stdout, exit code 0, no line over 100, nothing for programmers; -h is the same."""
    said = call(*words, "--help")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == call(*words, "-h").stdout
    assert said.stdout.startswith(f"usage: ops {' '.join(words)}")
    assert max(len(line) for line in said.stdout.splitlines()) <= 100
    assert not [word for word in ("Raises:", "Args:", "│", "<bool>") if word in said.stdout]
    for option in options(command):
        assert f"  {', '.join(sorted(option.opts, key=len))}" in said.stdout


@every
def test_every_page_explains_everything(words: tuple[str, ...], command: TyperCommand) -> None:
    """Text, arguments and options each have words, in whole sentences."""
    page = verb_page(command, " ".join(["ops", *words]))
    assert page.text
    for text in [
        *page.text,
        *(e.help.partition(" [")[0] for s in page.sections.values() for e in s),
    ]:
        assert text
        assert text[0].isupper() or text.startswith("--")
        assert text.endswith(".")


@every
def test_every_command_has_the_common_options(
    words: tuple[str, ...], command: TyperCommand
) -> None:
    """In one section of their own, the last."""
    page = verb_page(command, " ".join(["ops", *words]))
    heading, entries = list(page.sections.items())[-1]
    assert heading == "Common options"
    names = [entry.names for entry in entries]
    assert names[:2] == ["--json", "-q, --quiet"]
    assert names[2:] in (["-r, --repository NAME"], [])


@every
def test_verbs_that_change_something_can_be_tried(
    words: tuple[str, ...], command: TyperCommand
) -> None:
    """Those that change nothing have no --dry-run."""
    looks_only = {
        "list", "status", "show", "diff", "log", "uri", "open", "logs", "env", "card", "stats",
        "blame", "changes", "verify", "info", "dedup",
    }  # fmt: skip
    names = {name for option in options(command) for name in option.opts}
    if words == ("quickstart",):
        return
    assert ("--dry-run" in names) is (words[-1] not in looks_only)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_lists_its_verbs(noun: str, call: Call) -> None:
    """With a sentence each."""
    said = call(noun, "--help")
    assert said.exit_code == 0
    for verb in (words[1:] for words in COMMANDS if words[0] == noun and words[1:]):
        named = [line.split() for line in said.stdout.splitlines()]
        [line] = [line for line in named if line[: len(verb)] == [*verb]]
        assert len(line) > 3


def test_bare_ops_shows_every_command(call: Call) -> None:
    """The same as --help; each command with a sentence; exit code 0."""
    said = call()
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == call("--help").stdout
    for words in COMMANDS:
        assert f"\n  {' '.join(words)} " in said.stdout
    for code in (0, *range(1, 11)):
        assert f"{code} " in said.stdout.partition("Exit codes:")[2].partition("Commands:")[0]


def test_the_version_is_told(call: Call) -> None:
    """As pip knows it."""
    from importlib.metadata import version

    said = call("--version")
    assert (said.exit_code, said.stdout) == (0, f"ops {version('labeling-ops')}\n")


@pytest.mark.parametrize(("columns", "width"), [("20", 50), ("72", 72), ("400", 100)])
def test_pages_fit_the_terminal(columns: str, width: int, call: Call) -> None:
    """Within 50 and 100 columns."""
    said = call("round", "start", "--help", COLUMNS=columns)
    assert max(len(line) for line in said.stdout.splitlines()) <= width


def test_a_long_name_has_its_text_below() -> None:
    """The column of texts stays where it is."""
    entry = Entry(names="--a-very-long-option-name WITH-A-VALUE", help="Means something.")
    short = Entry(names="-s", help="Is short.")
    text = render(Page(usage="ops", text=(), sections={"Options": [entry, short]}), 60)
    assert text.splitlines()[-3:] == [
        "  --a-very-long-option-name WITH-A-VALUE",
        " " * 28 + "Means something.",
        "  -s".ljust(28) + "Is short.",
    ]


def test_arguments_are_in_capitals_in_usage_and_optional_ones_in_brackets() -> None:
    """As people write them in issues."""
    pages = {words: verb_page(command, " ".join(words)) for words, command in COMMANDS.items()}
    assert pages["round", "start"].usage == "round start NAME [options]"
    assert pages["dataset", "show"].usage == "dataset show [REF] [options]"
    assert pages["data", "add"].usage == "data add PATHS... [options]"
    assert pages["dataset", "revert"].usage == "dataset revert [options]"
    for command in COMMANDS.values():
        arguments = [param for param in command.params if isinstance(param, TyperArgument)]
        assert all(argument.help for argument in arguments)


def _cpu_s(arguments: list[str], directory: Path) -> float:
    """The CPU seconds of one command and nothing else, user and system."""
    process = subprocess.Popen(
        arguments, cwd=directory, env=environment(), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["round", "start", "--help"], ["--version"]])
def test_help_costs_little(arguments: list[str], tmp_path: Path) -> None:
    """At most 0.5 s CPU, the best of three: other work on the machine is no finding."""
    assert min(_cpu_s([*COMMAND, *arguments], tmp_path) for _ in range(3)) <= BUDGET_S


@pytest.mark.parametrize("arguments", [["--help"], ["round", "rond"], ["round", "start", "--help"]])
def test_help_and_wrong_usage_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """No SDK, no HTTP library, no Parquet, no image library, not even what draws tables."""
    script = (
        "import sys; from ops.cli.main import main; main(sys.argv[1:]); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    imported = set(done.stderr.splitlines()[-1].split())
    assert "ops" in imported
    assert not imported & set(HEAVY)


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    """`ops round st<TAB>`."""
    said = run(directory=tmp_path, env={
        "_OPS_COMPLETE": "complete_bash", "COMP_WORDS": "ops round st", "COMP_CWORD": "2",
    })  # fmt: skip
    assert said.stdout.split() == ["start", "status"]
